//===- Transpose.cpp - Making transposes ----------------------------------===//

#include "compiler/layout/Transpose.h"

#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;

/// The permutation that first applies `first`, then `second`.
static SmallVector<int64_t> compose(ArrayRef<int64_t> first,
                                    ArrayRef<int64_t> second) {
  return applyPermutation(first, second);
}

/// A constant as a weight with permuted dims.
static Value transposeConstant(OpBuilder &builder, Location loc,
                               ElementsAttr value,
                               std::optional<ArrayRef<int64_t>> expandedShape,
                               ArrayRef<int64_t> permutation) {
  ArrayRef<int64_t> source =
      expandedShape ? *expandedShape : value.getShapedType().getShape();
  auto type = RankedTensorType::get(applyPermutation(source, permutation),
                                    value.getShapedType().getElementType());
  if (auto splat = dyn_cast<DenseElementsAttr>(value); splat && splat.isSplat())
    return arith::ConstantOp::create(builder, loc, splat.resizeSplat(type));
  return onnxc::kernel::WeightOp::create(
      builder, loc, type, value,
      expandedShape ? builder.getDenseI64ArrayAttr(*expandedShape)
                    : DenseI64ArrayAttr(),
      builder.getDenseI64ArrayAttr(permutation), IntegerAttr(), IntegerAttr(),
      IntegerAttr());
}

Value onnxc::createTranspose(OpBuilder &builder, Location loc, Value value,
                             ArrayRef<int64_t> permutation) {
  if (isIdentityPermutation(permutation))
    return value;
  Operation *definition = value.getDefiningOp();
  if (auto transpose = dyn_cast_or_null<linalg::TransposeOp>(definition))
    return createTranspose(builder, loc, transpose.getInput(),
                           compose(transpose.getPermutation(), permutation));
  if (auto weight = dyn_cast_or_null<kernel::WeightOp>(definition);
      weight && !weight.getPanelWidth()) {
    SmallVector<int64_t> composed =
        weight.getPermutation() ? compose(*weight.getPermutation(), permutation)
                                : SmallVector<int64_t>(permutation);
    return transposeConstant(builder, loc, weight.getValue(),
                             weight.getExpandedShape(), composed);
  }
  if (auto constant = dyn_cast_or_null<arith::ConstantOp>(definition))
    if (auto elements = dyn_cast<ElementsAttr>(constant.getValue()))
      return transposeConstant(builder, loc, elements, std::nullopt,
                               permutation);

  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
  Value empty = tensor::EmptyOp::create(
      builder, loc, applyPermutation(sizes, permutation),
      cast<RankedTensorType>(value.getType()).getElementType());
  if (isa_and_nonnull<tensor::EmptyOp>(definition))
    return empty;
  return linalg::TransposeOp::create(builder, loc, value, empty, permutation)
      ->getResult(0);
}
