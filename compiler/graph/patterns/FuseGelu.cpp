//===- FuseGelu.cpp - Gelu from erf and from tanh -------------------------===//

#include "compiler/graph/Rewriting.h"
#include "compiler/graph/patterns/Patterns.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

/// Whether `value` is x + 0.044715 x^3.
static bool isCubic(Value value, Value x) {
  Operation *sum = definedBy(value, "Add");
  Value term = sum ? otherOperand(sum, x) : Value();
  if (!term)
    return false;
  // x^3 as Pow, or as products.
  if (Value cube = timesConstant(term, 0.044715)) {
    if (Operation *power = definedBy(cube, "Pow"))
      return power->getOperand(0) == x && isSplatOf(power->getOperand(1), 3);
  }
  Operation *product = definedBy(term, "Mul");
  if (!product)
    return false;
  int times = 0;
  bool scaled = false;
  for (Value factor : factors(product)) {
    if (factor == x)
      ++times;
    else if (isSplatOf(factor, 0.044715) && !scaled)
      scaled = true;
    else
      return false;
  }
  return times == 3 && scaled;
}

namespace {

/// 0.5 * x * (1 + erf(x / sqrt(2))) and its approximation
/// 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) -> Gelu(x), however
/// the product is bracketed.
struct Gelu : RewritePattern {
  Gelu(StringRef root, MLIRContext *context)
      : RewritePattern(root, 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> parts;
    bool halved = false;
    if (isOnnx(op, "Div")) {
      // (x * (1 + ...)) / 2
      Value product = withConstant(op->getResult(0), "Div", 2);
      Operation *mul = product ? definedBy(product, "Mul") : nullptr;
      if (!mul)
        return rewriter.notifyMatchFailure(op, "no product divided by 2");
      parts = factors(mul);
      halved = true;
    } else {
      parts = factors(op);
    }
    SmallVector<Value> others;
    for (Value part : parts) {
      // A half that is not a factor of its own: x / 2.
      Value whole = withConstant(part, "Div", 2);
      if (!halved && isSplatOf(part, 0.5)) {
        halved = true;
      } else if (!halved && whole) {
        halved = true;
        others.push_back(whole);
      } else {
        others.push_back(part);
      }
    }
    if (!halved || others.size() != 2)
      return rewriter.notifyMatchFailure(op, "no product of x, 1/2 and a gate");
    for (unsigned side : {0, 1}) {
      Value x = others[side], gate = withConstant(others[1 - side], "Add", 1);
      if (!gate || x.getType() != op->getResult(0).getType())
        continue;
      StringRef form;
      if (Operation *erf = definedBy(gate, "Erf")) {
        if (timesConstant(erf->getOperand(0), std::sqrt(0.5)) == x)
          form = "none";
      } else if (Operation *tanh = definedBy(gate, "Tanh")) {
        Value inner =
            timesConstant(tanh->getOperand(0), std::sqrt(2 / 3.14159265358979));
        if (inner && isCubic(inner, x))
          form = "tanh";
      }
      if (form.empty())
        continue;
      rewriter.replaceOp(
          op,
          createOnnx(rewriter, op->getLoc(), "Gelu", x, op->getResultTypes(),
                     rewriter.getNamedAttr("approximate",
                                           rewriter.getStringAttr(form))));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "the gate is not that of Gelu");
  }
};

} // namespace

void onnxc::addGeluPatterns(RewritePatternSet &patterns) {
  for (StringRef root : {"onnx.Mul", "onnx.Div"})
    patterns.insert<Gelu>(root, patterns.getContext());
}
