//===- FuseHardSwish.cpp - HardSigmoid and HardSwish from clips -----------===//

#include "compiler/graph/Rewriting.h"
#include "compiler/graph/patterns/Patterns.h"

using namespace mlir;
using namespace onnxc;

/// x, where `value` is clip(x + 3, 0, 6).
static Value clippedSum(Value value) {
  Operation *clip = definedBy(value, "Clip");
  Value sum;
  if (clip) {
    if (!hasOperand(clip, 1) || !hasOperand(clip, 2))
      return {};
    auto low = splatFloat(clip->getOperand(1));
    if (!low || *low != 0 || !isSplatOf(clip->getOperand(2), 6))
      return {};
    sum = clip->getOperand(0);
  } else if (Value relu = withConstant(value, "Min", 6);
             relu && definedBy(relu, "Relu")) {
    sum = relu.getDefiningOp()->getOperand(0);
  } else {
    return {};
  }
  return withConstant(sum, "Add", 3);
}

namespace {

/// clip(x + 3, 0, 6) / 6 -> HardSigmoid(x), as a Div or a Mul.
struct HardSigmoid : RewritePattern {
  HardSigmoid(StringRef root, MLIRContext *context)
      : RewritePattern(root, 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    Value clipped = timesConstant(op->getResult(0), 1.0 / 6);
    Value x = clipped ? clippedSum(clipped) : Value();
    if (!x)
      return rewriter.notifyMatchFailure(op, "no clip(x + 3, 0, 6) / 6");
    Operation *fused = createOnnx(
        rewriter, op->getLoc(), "HardSigmoid", x, op->getResultTypes(),
        {rewriter.getNamedAttr("alpha", rewriter.getF32FloatAttr(1.0f / 6)),
         rewriter.getNamedAttr("beta", rewriter.getF32FloatAttr(0.5f))});
    rewriter.replaceOp(op, fused);
    return success();
  }
};

/// x * HardSigmoid(x, 1/6, 1/2) -> HardSwish(x).
struct HardSwishOfSigmoid : RewritePattern {
  HardSwishOfSigmoid(MLIRContext *context)
      : RewritePattern("onnx.Mul", 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    for (Value operand : op->getOperands()) {
      Operation *gate = definedBy(operand, "HardSigmoid");
      if (!gate || otherOperand(op, operand) != gate->getOperand(0))
        continue;
      auto alpha = gate->getAttrOfType<FloatAttr>("alpha");
      auto beta = gate->getAttrOfType<FloatAttr>("beta");
      if (!alpha || std::abs(alpha.getValueAsDouble() - 1.0 / 6) > 1e-6 ||
          (beta && beta.getValueAsDouble() != 0.5))
        continue;
      rewriter.replaceOp(op,
                         createOnnx(rewriter, op->getLoc(), "HardSwish",
                                    gate->getOperand(0), op->getResultTypes()));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no x * HardSigmoid(x)");
  }
};

/// (x * clip(x + 3, 0, 6)) / 6 -> HardSwish(x).
struct HardSwishOfClip : RewritePattern {
  HardSwishOfClip(StringRef root, MLIRContext *context)
      : RewritePattern(root, 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    Value product = timesConstant(op->getResult(0), 1.0 / 6);
    Operation *mul = product ? definedBy(product, "Mul") : nullptr;
    if (!mul)
      return rewriter.notifyMatchFailure(op, "no product divided by 6");
    for (Value operand : mul->getOperands()) {
      Value x = clippedSum(operand);
      if (!x || otherOperand(mul, operand) != x)
        continue;
      rewriter.replaceOp(op, createOnnx(rewriter, op->getLoc(), "HardSwish", x,
                                        op->getResultTypes()));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no x * clip(x + 3, 0, 6)");
  }
};

} // namespace

void onnxc::addHardSwishPatterns(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  for (StringRef root : {"onnx.Div", "onnx.Mul"}) {
    patterns.insert<HardSigmoid>(root, context);
    patterns.insert<HardSwishOfClip>(root, context);
  }
  patterns.insert<HardSwishOfSigmoid>(context);
}
