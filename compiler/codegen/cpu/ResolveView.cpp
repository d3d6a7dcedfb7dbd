//===- ResolveView.cpp - Base, sizes and strides of a memref --------------===//

#include "compiler/codegen/cpu/ResolveView.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace onnxc;

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Multiplies `product` by `expr`; false when it is no product.
static bool multiplyBy(Product &product, AffineExpr expr, ValueRange operands,
                       unsigned dims) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    product.constant *= constant.getValue();
    return true;
  }
  unsigned position;
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    position = dim.getPosition();
  else if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    position = dims + symbol.getPosition();
  else {
    auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
    return binary && binary.getKind() == AffineExprKind::Mul &&
           multiplyBy(product, binary.getLHS(), operands, dims) &&
           multiplyBy(product, binary.getRHS(), operands, dims);
  }
  Product factor = factorize(operands[position]);
  product.constant *= factor.constant;
  product.factors.append(factor.factors);
  return true;
}

static void sortFactors(Product &product) {
  llvm::sort(product.factors, [](Value a, Value b) {
    return a.getAsOpaquePointer() < b.getAsOpaquePointer();
  });
}

Product onnxc::factorize(Index index) {
  if (auto constant = Code::known(index))
    return {*constant, {}};
  auto value = cast<Value>(index);
  if (auto multiply = value.getDefiningOp<arith::MulIOp>())
    return factorize(multiply.getLhs()) * factorize(multiply.getRhs());
  if (auto apply = value.getDefiningOp<affine::AffineApplyOp>()) {
    Product product;
    AffineMap map = apply.getAffineMap();
    if (multiplyBy(product, map.getResult(0), apply.getMapOperands(),
                   map.getNumDims())) {
      sortFactors(product);
      return product;
    }
  }
  return {1, {value}};
}

Product onnxc::operator*(const Product &a, const Product &b) {
  Product product{a.constant * b.constant, a.factors};
  product.factors.append(b.factors);
  sortFactors(product);
  return product;
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

/// What the type says statically goes before what the chain says.
static void preferStatic(Code &code, MemRefType type, ResolvedView &view) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    strides.assign(type.getRank(), ShapedType::kDynamic);
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (!type.isDynamicDim(i))
      view.sizes[i] = code.constant(type.getDimSize(i));
    if (!ShapedType::isDynamic(strides[i]))
      view.strides[i] = code.constant(strides[i]);
  }
}

static SmallVector<Index> contiguousStrides(Code &code, ArrayRef<Index> sizes) {
  SmallVector<Index> strides(sizes.size());
  Index stride = code.constant(1);
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    if (i > 0)
      stride = code.multiply(stride, sizes[i]);
  }
  return strides;
}

static ResolvedView resolveSubview(Code &code, memref::SubViewOp op) {
  ResolvedView source = resolveView(code, op.getSource());
  ResolvedView view{source.base, source.offset, {}, {}};
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [i, offset, size, stride] : llvm::enumerate(
           op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides())) {
    view.offset =
        code.add(view.offset, code.multiply(offset, source.strides[i]));
    if (dropped[i])
      continue;
    view.sizes.push_back(size);
    view.strides.push_back(code.multiply(stride, source.strides[i]));
  }
  return view;
}

static ResolvedView resolveExpand(Code &code, memref::ExpandShapeOp op) {
  ResolvedView source = resolveView(code, op.getSrc());
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
  ResolvedView view{source.base, source.offset, sizes, {}};
  view.strides.assign(sizes.size(), code.constant(1));
  for (auto [i, group] : llvm::enumerate(op.getReassociationIndices())) {
    Index stride = source.strides[i];
    for (int64_t dim : llvm::reverse(group)) {
      view.strides[dim] = stride;
      if (dim != group.front())
        stride = code.multiply(stride, sizes[dim]);
    }
  }
  return view;
}

static ResolvedView resolveCollapse(Code &code, memref::CollapseShapeOp op) {
  ResolvedView source = resolveView(code, op.getSrc());
  ResolvedView view{source.base, source.offset, {}, {}};
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    Index size = code.constant(1);
    Index stride = source.strides[group.back()];
    bool found = false;
    for (int64_t dim : llvm::reverse(group)) {
      // The stride of a dim of size 1 says nothing.
      if (!found && !Code::isKnown(source.sizes[dim], 1)) {
        stride = source.strides[dim];
        found = true;
      }
      size = code.multiply(source.sizes[dim], size);
    }
    view.sizes.push_back(size);
    view.strides.push_back(stride);
  }
  return view;
}

ResolvedView onnxc::resolveView(Code &code, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  ResolvedView view;
  Operation *op = memref.getDefiningOp();
  if (auto subview = dyn_cast_or_null<memref::SubViewOp>(op)) {
    view = resolveSubview(code, subview);
  } else if (auto expand = dyn_cast_or_null<memref::ExpandShapeOp>(op)) {
    view = resolveExpand(code, expand);
  } else if (auto collapse = dyn_cast_or_null<memref::CollapseShapeOp>(op)) {
    view = resolveCollapse(code, collapse);
  } else if (auto cast = dyn_cast_or_null<memref::CastOp>(op);
             cast && isa<MemRefType>(cast.getSource().getType())) {
    view = resolveView(code, cast.getSource());
  } else if (auto cast = dyn_cast_or_null<memref::ReinterpretCastOp>(op);
             cast && isa<MemRefType>(cast.getSource().getType())) {
    view.base = resolveView(code, cast.getSource()).base;
    view.offset = cast.getMixedOffsets()[0];
    view.sizes = cast.getMixedSizes();
    view.strides = cast.getMixedStrides();
  } else if (type.getLayout().isIdentity()) {
    view.base = memref;
    view.offset = code.constant(0);
    for (int64_t i = 0; i < type.getRank(); ++i) {
      Index size = code.constant(type.getDimSize(i));
      if (type.isDynamicDim(i))
        size = code.builder.createOrFold<memref::DimOp>(
            code.loc, memref, code.value(code.constant(i)));
      view.sizes.push_back(size);
    }
    view.strides = contiguousStrides(code, view.sizes);
  } else {
    auto metadata = memref::ExtractStridedMetadataOp::create(code.builder,
                                                             code.loc, memref);
    view.base = memref;
    view.offset = metadata.getConstifiedMixedOffset();
    view.sizes = metadata.getConstifiedMixedSizes();
    view.strides = metadata.getConstifiedMixedStrides();
  }
  preferStatic(code, type, view);
  return view;
}
