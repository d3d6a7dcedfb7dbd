//===- TensorViews.cpp - Views and copies of tensors for lowering ---------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/NarrowTypes.h"
#include "compiler/lower/Scalars.h"
#include "compiler/lower/Strings.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/Elements.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cstring>

using namespace mlir;
using namespace onnxc;

namespace {
/// A product of dims as a constant times other factors, for comparison.
struct Product {
  int64_t constant = 1;
  SmallVector<const void *> factors;

  void multiply(AffineExpr expr) {
    if (auto number = dyn_cast<AffineConstantExpr>(expr)) {
      constant *= number.getValue();
    } else if (expr.getKind() == AffineExprKind::Mul) {
      auto mul = cast<AffineBinaryOpExpr>(expr);
      multiply(mul.getLHS());
      multiply(mul.getRHS());
    } else {
      factors.push_back(expr.getAsOpaquePointer());
      llvm::sort(factors);
    }
  }
  bool operator==(const Product &other) const {
    return constant == other.constant && factors == other.factors;
  }
};
} // namespace

static Product productOf(ArrayRef<AffineExpr> exprs) {
  Product result;
  for (AffineExpr expr : exprs)
    result.multiply(expr);
  return result;
}

/// The shortest beginnings of both lists with equal products.
static std::pair<size_t, size_t> matchGroup(ArrayRef<AffineExpr> source,
                                            ArrayRef<AffineExpr> target) {
  for (size_t total = 2; total < source.size() + target.size(); ++total)
    for (size_t a = 1; a < total; ++a) {
      size_t c = total - a;
      if (a <= source.size() && c <= target.size() &&
          productOf(source.take_front(a)) == productOf(target.take_front(c)))
        return {a, c};
    }
  return {source.size(), target.size()};
}

Value Lowering::reshape(Value tensor, ArrayRef<OpFoldResult> dims,
                        ArrayRef<AffineExpr> sourceExprs,
                        ArrayRef<AffineExpr> targetExprs) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Type element = type.getElementType();
  RankedTensorType wanted = tensorType(element, dims);
  Dims source = sizes(tensor);
  if (type == wanted && source == Dims(dims))
    return tensor;

  // Without expressions, a dim is its constant or a symbol for its value.
  SmallVector<AffineExpr> sourceOwn, targetOwn;
  if (sourceExprs.size() != source.size() ||
      targetExprs.size() != dims.size()) {
    llvm::DenseMap<Value, unsigned> numbers;
    auto exprOf = [&](OpFoldResult dim) {
      if (auto constant = getConstantIntValue(dim))
        return getAffineConstantExpr(*constant, b.getContext());
      unsigned number =
          numbers.try_emplace(cast<Value>(dim), numbers.size()).first->second;
      return getAffineSymbolExpr(number, b.getContext());
    };
    for (OpFoldResult dim : source)
      sourceOwn.push_back(exprOf(dim));
    for (OpFoldResult dim : dims)
      targetOwn.push_back(exprOf(dim));
    sourceExprs = sourceOwn;
    targetExprs = targetOwn;
  }

  auto requireProducts = [&](ArrayRef<OpFoldResult> from,
                             ArrayRef<OpFoldResult> to) {
    requireEqual(product(from), product(to), "the number of elements");
  };
  // A scalar on either side: all dims of the other are 1.
  if (source.empty() || dims.empty()) {
    if (source.empty() && dims.empty())
      return tensor;
    requireProducts(source, dims);
    SmallVector<int64_t> ones(std::max(source.size(), dims.size()), 1);
    auto onesType = RankedTensorType::get(ones, element);
    if (dims.empty()) {
      if (type != onesType)
        tensor = tensor::CastOp::create(b, loc, onesType, tensor);
      return tensor::CollapseShapeOp::create(b, loc, wanted, tensor,
                                             ArrayRef<ReassociationIndices>{});
    }
    tensor = tensor::ExpandShapeOp::create(b, loc, onesType, tensor,
                                           ArrayRef<ReassociationIndices>{});
    if (wanted != onesType)
      tensor = tensor::CastOp::create(b, loc, wanted, tensor);
    return tensor;
  }

  SmallVector<ReassociationIndices> collapse, expand;
  size_t i = 0, j = 0;
  while (i < source.size() && j < dims.size()) {
    auto [a, c] =
        matchGroup(sourceExprs.drop_front(i), targetExprs.drop_front(j));
    collapse.emplace_back(llvm::to_vector(llvm::seq<int64_t>(i, i + a)));
    expand.emplace_back(llvm::to_vector(llvm::seq<int64_t>(j, j + c)));
    i += a;
    j += c;
  }
  // What is left has size 1 and joins the last group.
  for (; i < source.size(); ++i)
    collapse.back().push_back(i);
  for (; j < dims.size(); ++j)
    expand.back().push_back(j);
  // Only the last group may differ by what the expressions say.
  size_t a = collapse.back().front(), c = expand.back().front();
  if (!(productOf(sourceExprs.drop_front(a)) ==
        productOf(targetExprs.drop_front(c))))
    requireProducts(ArrayRef(source).drop_front(a), dims.drop_front(c));

  if (collapse.size() < source.size())
    tensor = tensor::CollapseShapeOp::create(b, loc, tensor, collapse);
  // Between the two, a dim is static where expansion wants it to be.
  SmallVector<int64_t> middle;
  for (ArrayRef<int64_t> group : expand) {
    int64_t size = 1;
    for (int64_t axis : group) {
      if (wanted.isDynamicDim(axis)) {
        size = ShapedType::kDynamic;
        break;
      }
      size *= wanted.getDimSize(axis);
    }
    middle.push_back(size);
  }
  auto middleType = RankedTensorType::get(middle, element);
  if (tensor.getType() != middleType) {
    auto current = cast<RankedTensorType>(tensor.getType());
    if (!tensor::CastOp::areCastCompatible(current, middleType))
      return nullptr;
    tensor = tensor::CastOp::create(b, loc, middleType, tensor);
  }
  if (expand.size() < dims.size())
    tensor = tensor::ExpandShapeOp::create(b, loc, wanted, tensor, expand,
                                           SmallVector<OpFoldResult>(dims));
  return tensor;
}

Value Lowering::transpose(Value tensor, ArrayRef<int64_t> permutation) {
  Dims source = sizes(tensor), dims;
  bool identity = true;
  for (auto [i, axis] : llvm::enumerate(permutation)) {
    dims.push_back(source[axis]);
    identity &= static_cast<int64_t>(i) == axis;
  }
  if (identity)
    return tensor;
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  return linalg::TransposeOp::create(b, loc, tensor, empty(element, dims),
                                     permutation)
      ->getResult(0);
}

Value Lowering::convert(Value tensor, Type from, Type to) {
  if (from == to)
    return tensor;
  return mapSame(signless(to), tensor, [&](OpBuilder &nested, ValueRange in) {
    Scalars s{nested, loc};
    bool floats = isa<FloatType>(from) && isa<FloatType>(to);
    return floats && in[0].getType() == from && signless(to) == to
               ? toFloat(s, in[0], to)
               : s.convert(in[0], from, to);
  });
}

static bool hasNoElements(Value tensor, ArrayRef<OpFoldResult> sizes) {
  auto type = cast<RankedTensorType>(tensor.getType());
  return llvm::is_contained(type.getShape(), 0) ||
         llvm::any_of(sizes, [](OpFoldResult size) {
           return getConstantIntValue(size) == 0;
         });
}

Value Lowering::slice(Value tensor, ArrayRef<OpFoldResult> offsets,
                      ArrayRef<OpFoldResult> sizes,
                      ArrayRef<OpFoldResult> strides) {
  // MLIR takes an empty slice at the end of a dim for out of bounds.
  if (hasNoElements(tensor, sizes))
    return empty(cast<RankedTensorType>(tensor.getType()).getElementType(),
                 sizes);
  return tensor::ExtractSliceOp::create(b, loc, tensor, offsets, sizes,
                                        strides);
}

Value Lowering::insertSlice(Value source, Value into,
                            ArrayRef<OpFoldResult> offsets,
                            ArrayRef<OpFoldResult> sizes,
                            ArrayRef<OpFoldResult> strides) {
  if (hasNoElements(into, sizes))
    return into;
  return tensor::InsertSliceOp::create(b, loc, source, into, offsets, sizes,
                                       strides);
}
