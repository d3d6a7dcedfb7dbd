//===- Reductions.cpp - Gradients of reductions and Softmax ---------------===//

#include "compiler/graph/Rewriting.h"
#include "compiler/graph/gradients/Gradients.h"

using namespace mlir;
using namespace onnxc;

/// The axes that the operation reduces, from the front; nullopt where they are
/// not known. Empty: it reduces nothing.
static std::optional<SmallVector<int64_t>> reducedAxes(Backward &g) {
  int64_t rank = g.rank(g.in(0));
  if (rank < 0)
    return std::nullopt;
  SmallVector<int64_t> axes;
  if (g.in(1)) {
    auto given = integerConstant(g.in(1));
    if (!given)
      return std::nullopt;
    axes = *given;
  }
  if (axes.empty() && !g.integer("noop_with_empty_axes", 0))
    axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  for (int64_t &axis : axes) {
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank)
      return std::nullopt;
  }
  llvm::sort(axes);
  return axes;
}

namespace {
/// The result and its gradient with the axes in their places, so that they
/// broadcast beside the operand.
struct Reduced {
  Value result, gradient;
};
} // namespace

static FailureOr<Reduced> besideOperand(Backward &g) {
  auto axes = reducedAxes(g);
  if (!axes)
    return g.refuse("its axes are not known when compiling");
  Reduced reduced{g.out(), g.gradient()};
  if (!g.integer("keepdims", 1) && !axes->empty()) {
    Value places = g.integers(*axes);
    reduced.result = g.call("Unsqueeze", {reduced.result, places});
    reduced.gradient = g.call("Unsqueeze", {reduced.gradient, places});
  }
  return reduced;
}

/// Registers a reduction y of x: its gradient is dy, repeated, times what is
/// written here.
#define REDUCTION(NAME, DERIVATIVE)                                            \
  rules.add(NAME, [](Backward &g) -> LogicalResult {                           \
    FailureOr<Reduced> reduced = besideOperand(g);                             \
    if (failed(reduced))                                                       \
      return failure();                                                        \
    [[maybe_unused]] Value x = g.in(0), y = reduced->result;                   \
    g.give(0, g.mul(reduced->gradient, DERIVATIVE));                           \
    return success();                                                          \
  })

/// The number of elements that go into one of the result.
static Value count(Backward &g, Value like) {
  auto size = [&](Value tensor) {
    Value number =
        g.call("Size", {tensor}, {}, IntegerType::get(tensor.getContext(), 64));
    return g.castLike(number, like);
  };
  return g.div(size(g.in(0)), size(g.out()));
}

/// 1 / n where x is the extremum, of which there are n, else 0.
static Value shareOfExtremum(Backward &g, Value x, Value y) {
  Value isResult = g.castLike(g.compare("Equal", x, y), x);
  SmallVector<int64_t> axes = *reducedAxes(g);
  return axes.empty() ? isResult : g.div(isResult, g.sum(isResult, axes));
}

/// y (dy - sum(dy y)) along the axis.
static LogicalResult softmax(Backward &g) {
  Value weighted = g.mul(g.gradient(), g.out());
  Value total = g.sum(weighted, g.integer("axis", -1));
  g.give(0, g.sub(weighted, g.mul(g.out(), total)));
  return success();
}

/// dy - e^y sum(dy) along the axis.
static LogicalResult logSoftmax(Backward &g) {
  Value total = g.sum(g.gradient(), g.integer("axis", -1));
  g.give(0, g.sub(g.gradient(), g.mul(g.call("Exp", {g.out()}), total)));
  return success();
}

/// The mean over all dims behind the channels.
static LogicalResult globalAverage(Backward &g) {
  Value x = g.in(0);
  g.give(0, g.mul(g.div(g.gradient(), count(g, x)), g.filled(1, x)));
  return success();
}

void onnxc::addReductionGradients(GradientRules &rules) {
  REDUCTION("ReduceSum", g.filled(1, x));
  REDUCTION("ReduceMean", g.div(g.filled(1, x), count(g, x)));
  REDUCTION("ReduceSumSquare", g.add(x, x));
  REDUCTION("ReduceL1", g.call("Sign", {x}));
  REDUCTION("ReduceL2", g.div(x, y));
  REDUCTION("ReduceLogSum", g.div(g.filled(1, x), g.call("Exp", {y})));
  REDUCTION("ReduceLogSumExp", g.call("Exp", {g.sub(x, y)}));
  REDUCTION("ReduceMax", shareOfExtremum(g, x, y));
  REDUCTION("ReduceMin", shareOfExtremum(g, x, y));
  rules.add("Softmax", softmax);
  rules.add("LogSoftmax", logSoftmax);
  rules.add("GlobalAveragePool", globalAverage);
}
