//===- RoundedQuotients.cpp - Rounded quotients without a division --------===//

#include "compiler/codegen/cpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <cmath>

namespace onnxc {
#define GEN_PASS_DEF_ROUNDEDQUOTIENTS
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace onnxc

using namespace mlir;

namespace {

/// The number that all elements of `value` are.
std::optional<float> constantNumber(Value value) {
  if (auto broadcast = value.getDefiningOp<vector::BroadcastOp>())
    value = broadcast.getSource();
  APFloat number(0.0f);
  if (!matchPattern(value, m_ConstantFloat(&number)))
    return std::nullopt;
  return number.convertToFloat();
}

/// q = x r, with r = 1 / s rounded, is off the quotient by a few units in the
/// last place; q + (x - q s) r is x / s as a division rounds it, for the
/// difference is exact. Where that gives no number (of infinity) q is right,
/// and where it changes nothing q has the sign of a zero.
struct ReplaceQuotient : OpRewritePattern<math::RoundEvenOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::RoundEvenOp op,
                                PatternRewriter &rewriter) const override {
    auto quotient = op.getOperand().getDefiningOp<arith::DivFOp>();
    if (!quotient || !getElementTypeOrSelf(quotient.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "rounds no quotient of f32");
    auto divisor = constantNumber(quotient.getRhs());
    // All that is computed on the way must be a normal number where the
    // quotient is not 0 when rounded.
    constexpr float least = 0x1p-60f, most = 0x1p60f;
    if (!divisor ||
        !(std::fabs(*divisor) >= least && std::fabs(*divisor) <= most))
      return rewriter.notifyMatchFailure(op, "divisor unknown or extreme");
    Location loc = op.getLoc();
    Type type = quotient.getType();
    auto constant = [&](float number) -> Value {
      TypedAttr value = rewriter.getF32FloatAttr(number);
      if (auto vector = dyn_cast<VectorType>(type))
        value = DenseElementsAttr::get(vector, Attribute(value));
      return arith::ConstantOp::create(rewriter, loc, value);
    };
    Value x = quotient.getLhs(), inverse = constant(1 / *divisor);
    Value q = arith::MulFOp::create(rewriter, loc, x, inverse);
    Value rest = math::FmaOp::create(rewriter, loc,
                                     arith::NegFOp::create(rewriter, loc, q),
                                     constant(*divisor), x);
    Value better = math::FmaOp::create(rewriter, loc, rest, inverse, q);
    Value counts = arith::CmpFOp::create(rewriter, loc,
                                         arith::CmpFPredicate::ONE, better, q);
    Value exact = arith::SelectOp::create(rewriter, loc, counts, better, q);
    rewriter.modifyOpInPlace(op, [&] { op.getOperandMutable().assign(exact); });
    return success();
  }
};

struct RoundedQuotients : onnxc::impl::RoundedQuotientsBase<RoundedQuotients> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ReplaceQuotient>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
