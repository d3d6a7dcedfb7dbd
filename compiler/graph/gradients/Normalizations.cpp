//===- Normalizations.cpp - Gradients of normalizations -------------------===//

#include "compiler/graph/gradients/Gradients.h"

using namespace mlir;
using namespace onnxc;

/// 1 / sqrt(variance + epsilon)
static Value inverseRoot(Backward &g, Value variance) {
  Value sum = g.add(variance, g.number(g.real("epsilon", 1e-5), variance));
  return g.call("Reciprocal", {g.call("Sqrt", {sum})});
}

/// scale (x - mean) / sqrt(variance + epsilon) + bias of each channel, mean and
/// variance being given.
static LogicalResult batchNormalization(Backward &g) {
  if (g.integer("training_mode", 0) || g.wants(3) || g.wants(4))
    return g.refuse("the gradient of training, or by mean and variance, is not "
                    "supported");
  Value x = g.in(0), dy = g.gradient();
  int64_t rank = g.rank(x);
  if (rank < 2)
    return g.refuse("the rank of its input is not known when compiling");
  SmallVector<int64_t> behind =
      llvm::to_vector(llvm::seq<int64_t>(1, rank - 1));
  SmallVector<int64_t> others{0};
  llvm::append_range(others, llvm::seq<int64_t>(2, rank));
  // A number for each channel, as it broadcasts beside x.
  auto perChannel = [&](unsigned operand) {
    Value value = g.castLike(g.in(operand), x);
    return behind.empty() ? value
                          : g.call("Unsqueeze", {value, g.integers(behind)});
  };
  auto give = [&](unsigned operand, Value gradient) {
    gradient = g.castLike(g.sum(gradient, others), g.in(operand));
    g.give(operand, g.reshapeLike(gradient, g.in(operand)));
  };
  Value inverse = inverseRoot(g, perChannel(4));
  if (g.wants(0))
    g.give(0, g.mul(dy, g.mul(perChannel(1), inverse)));
  if (g.wants(1))
    give(1, g.mul(dy, g.mul(g.sub(x, perChannel(3)), inverse)));
  if (g.wants(2))
    give(2, dy);
  return success();
}

/// scale n + bias with n = (x - mean) / sqrt(variance + epsilon) over the last
/// axes. With h = scale dy: (h - mean(h) - n mean(h n)) / sqrt(...).
static LogicalResult layerNormalization(Backward &g) {
  Value x = g.in(0), dy = g.gradient();
  int64_t rank = g.rank(x), axis = g.integer("axis", -1);
  if (g.isUsed(1) || g.isUsed(2))
    return g.refuse("the gradient by way of its mean or deviation is not "
                    "supported");
  if (rank < 0)
    return g.refuse("the rank of its input is not known when compiling");
  SmallVector<int64_t> axes =
      llvm::to_vector(llvm::seq<int64_t>(axis < 0 ? axis + rank : axis, rank));
  Value places = g.integers(axes);
  auto mean = [&](Value value) {
    return g.call("ReduceMean", {value, places}, g.attribute("keepdims", 1));
  };
  Value centred = g.sub(x, mean(x));
  Value inverse = inverseRoot(g, mean(g.square(centred)));
  Value normal = g.mul(centred, inverse);
  if (g.wants(0)) {
    Value h = g.mul(dy, g.in(1));
    Value rest =
        g.sub(g.sub(h, mean(h)), g.mul(normal, mean(g.mul(h, normal))));
    g.give(0, g.mul(inverse, rest));
  }
  if (g.wants(1) && failed(g.giveSummed(1, g.mul(dy, normal))))
    return failure();
  return g.in(2) && g.wants(2) ? g.giveSummed(2, dy) : success();
}

void onnxc::addNormalizationGradients(GradientRules &rules) {
  rules.add("BatchNormalization", batchNormalization);
  rules.add("LayerNormalization", layerNormalization);
}
