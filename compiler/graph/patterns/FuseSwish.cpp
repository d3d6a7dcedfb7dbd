//===- FuseSwish.cpp - Swish and Mish from their factors ------------------===//

#include "compiler/graph/Rewriting.h"
#include "compiler/graph/patterns/Patterns.h"

using namespace mlir;
using namespace onnxc;

namespace {

/// x * sigmoid(a x) -> Swish(x), with a = 1 or a constant.
struct Swish : RewritePattern {
  Swish(MLIRContext *context) : RewritePattern("onnx.Mul", 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    for (Value operand : op->getOperands()) {
      Operation *gate = definedBy(operand, "Sigmoid");
      Value x = gate ? otherOperand(op, operand) : Value();
      if (!x || x.getType() != op->getResult(0).getType())
        continue;
      std::optional<double> alpha = slope(gate->getOperand(0), x);
      if (!alpha)
        continue;
      rewriter.replaceOp(
          op,
          createOnnx(
              rewriter, op->getLoc(), "Swish", x, op->getResultTypes(),
              rewriter.getNamedAttr("alpha", rewriter.getF32FloatAttr(
                                                 static_cast<float>(*alpha)))));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no x * sigmoid(a x)");
  }

  /// a, where `value` is a * x.
  static std::optional<double> slope(Value value, Value x) {
    if (value == x)
      return 1;
    Operation *product = definedBy(value, "Mul");
    Value factor = product ? otherOperand(product, x) : Value();
    if (!factor || value.getType() != x.getType())
      return std::nullopt;
    return splatFloat(factor);
  }
};

/// x * tanh(softplus(x)) -> Mish(x).
struct Mish : RewritePattern {
  Mish(MLIRContext *context) : RewritePattern("onnx.Mul", 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    for (Value operand : op->getOperands()) {
      Operation *tanh = definedBy(operand, "Tanh");
      Operation *softplus =
          tanh ? definedBy(tanh->getOperand(0), "Softplus") : nullptr;
      if (!softplus || otherOperand(op, operand) != softplus->getOperand(0))
        continue;
      rewriter.replaceOp(op, createOnnx(rewriter, op->getLoc(), "Mish",
                                        softplus->getOperand(0),
                                        op->getResultTypes()));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no x * tanh(softplus(x))");
  }
};

} // namespace

void onnxc::addSwishPatterns(RewritePatternSet &patterns) {
  patterns.insert<Swish, Mish>(patterns.getContext());
}
