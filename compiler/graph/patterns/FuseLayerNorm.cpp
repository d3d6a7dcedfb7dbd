//===- FuseLayerNorm.cpp - LayerNormalization from means ------------------===//

#include "compiler/graph/Rewriting.h"
#include "compiler/graph/patterns/Patterns.h"

#include "dialects/onnx/Elements.h"

using namespace mlir;
using namespace onnxc;

/// The input of a mean over the last dims that keeps them, of which `axis` is
/// the first; null when `value` is none.
static Value meanOfLastDims(Value value, int64_t &axis) {
  Operation *mean = definedBy(value, "ReduceMean");
  if (!mean || !hasOperand(mean, 1))
    return {};
  auto keep = mean->getAttrOfType<IntegerAttr>("keepdims");
  auto type = dyn_cast<RankedTensorType>(mean->getOperand(0).getType());
  auto axes = integerConstant(mean->getOperand(1));
  if ((keep && keep.getInt() == 0) || !type || !axes || axes->empty())
    return {};
  int64_t rank = type.getRank();
  for (int64_t &value : *axes)
    value = value < 0 ? value + rank : value;
  llvm::sort(*axes);
  for (auto [index, value] : llvm::enumerate(*axes))
    if (value != rank - static_cast<int64_t>(axes->size() - index))
      return {};
  axis = axes->front();
  return mean->getOperand(0);
}

/// Whether `value` is `base` squared.
static bool isSquare(Value value, Value base) {
  if (Operation *power = definedBy(value, "Pow"))
    return power->getOperand(0) == base && isSplatOf(power->getOperand(1), 2);
  Operation *product = definedBy(value, "Mul");
  return product && product->getOperand(0) == base &&
         product->getOperand(1) == base;
}

/// Whether `value` may be the scale or bias: of the normalised dims, or fewer
/// that broadcast to them.
static bool fits(Value value, RankedTensorType data, int64_t axis) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape() ||
      type.getElementType() != data.getElementType() ||
      type.getRank() != data.getRank() - axis)
    return false;
  for (int64_t index = 0; index < type.getRank(); ++index)
    if (type.getDimSize(index) != data.getDimSize(axis + index))
      return false;
  return true;
}

namespace {

/// (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) ->
/// LayerNormalization(x, 1).
struct LayerNorm : RewritePattern {
  LayerNorm(MLIRContext *context) : RewritePattern("onnx.Div", 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    Value centred = op->getOperand(0);
    Operation *subtract = definedBy(centred, "Sub");
    Operation *root = definedBy(op->getOperand(1), "Sqrt");
    if (!subtract || !root)
      return rewriter.notifyMatchFailure(op, "no difference over a root");
    int64_t axis = 0, varianceAxis = 0;
    Value x = subtract->getOperand(0);
    if (meanOfLastDims(subtract->getOperand(1), axis) != x)
      return rewriter.notifyMatchFailure(op, "the mean is not subtracted");
    auto type = dyn_cast<RankedTensorType>(x.getType());
    // Doubles are not normalised in f32.
    if (!type || op->getResult(0).getType() != type ||
        type.getElementTypeBitWidth() > 32)
      return rewriter.notifyMatchFailure(op, "not f32, f16 or bf16");
    Operation *shifted = definedBy(root->getOperand(0), "Add");
    if (!shifted)
      return rewriter.notifyMatchFailure(op, "no epsilon");
    std::optional<double> epsilon;
    for (unsigned side : {0, 1}) {
      Value square = meanOfLastDims(shifted->getOperand(side), varianceAxis);
      if (square && varianceAxis == axis && isSquare(square, centred))
        epsilon = splatFloat(shifted->getOperand(1 - side));
    }
    if (!epsilon || *epsilon < 0)
      return rewriter.notifyMatchFailure(op, "no variance plus epsilon");
    ArrayRef<int64_t> dims = type.getShape().drop_front(axis);
    if (llvm::any_of(dims, ShapedType::isDynamic))
      return rewriter.notifyMatchFailure(op, "the normalised dims vary");
    auto scaleType = RankedTensorType::get(dims, type.getElementType());
    Value scale = createConstant(
        rewriter, op->getLoc(),
        DenseElementsAttr::get(
            scaleType, rewriter.getFloatAttr(type.getElementType(), 1)));
    Value none = createNone(rewriter, op->getLoc());
    Type absent = NoneType::get(rewriter.getContext());
    Operation *fused = createOnnx(
        rewriter, op->getLoc(), "LayerNormalization", {x, scale, none},
        {type, absent, absent},
        {rewriter.getNamedAttr("axis", rewriter.getI64IntegerAttr(axis)),
         rewriter.getNamedAttr("epsilon", rewriter.getF32FloatAttr(
                                              static_cast<float>(*epsilon)))});
    rewriter.replaceOp(op, fused->getResult(0));
    return success();
  }
};

/// LayerNormalization(x, 1) * scale and + bias -> its operands.
struct LayerNormOperands : RewritePattern {
  LayerNormOperands(StringRef root, MLIRContext *context)
      : RewritePattern(root, 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    bool isScale = isOnnx(op, "Mul");
    for (Value operand : op->getOperands()) {
      Operation *norm = definedBy(operand, "LayerNormalization");
      Value other = norm ? otherOperand(op, operand) : Value();
      if (!other || operand != norm->getResult(0) || !operand.hasOneUse() ||
          norm->getNumOperands() != 3 || hasOperand(norm, 2) ||
          (isScale && !isSplatOf(norm->getOperand(1), 1)))
        continue;
      auto type = dyn_cast<RankedTensorType>(operand.getType());
      auto attribute = norm->getAttrOfType<IntegerAttr>("axis");
      int64_t axis = attribute ? attribute.getInt() : -1;
      if (!type || type != op->getResult(0).getType())
        continue;
      if (axis < 0)
        axis += type.getRank();
      if (!fits(other, type, axis))
        continue;
      SmallVector<Value> operands(norm->getOperands());
      operands[isScale ? 1 : 2] = other;
      // Here, where the other operand is known.
      Operation *fused =
          createOnnx(rewriter, norm->getLoc(), "LayerNormalization", operands,
                     norm->getResultTypes(), norm->getAttrs());
      rewriter.replaceOp(op, fused->getResult(0));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no normalisation to extend");
  }
};

} // namespace

void onnxc::addLayerNormPatterns(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  patterns.insert<LayerNorm>(context);
  patterns.insert<LayerNormOperands>("onnx.Mul", context);
  patterns.insert<LayerNormOperands>("onnx.Add", context);
}
