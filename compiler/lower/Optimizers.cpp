//===- Optimizers.cpp - Adagrad, Adam, Momentum ---------------------------===//
//
// The steps of ai.onnx.preview.training. Operands are the learning rate R, the
// number T of steps done, then for each of several tensors X its gradient G and
// one or two states: all X, all G, and so on. Results likewise, without the G.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Elementwise.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// An optimizer's step for one element.
struct Step {
  Scalars s;
  OnnxNode n;
  Type type;
  Value rate, count; ///< the learning rate and T, of `type`

  Value attribute(StringRef name, double otherwise) {
    return s.constant(type, n.real(name, otherwise));
  }
  Value one() { return s.constant(type, 1); }
  Value divide(Value x, Value y) { return s.div(x, y, false); }
  /// The gradient of the loss and of a penalty for large weights.
  Value regularised(Value x, Value gradient) {
    return s.add(s.mul(attribute("norm_coefficient", 0), x), gradient);
  }
  /// `later`, but `first` in the step where T is 0.
  Value unlessFirst(Value later, Value first) {
    Value isLater =
        s.compare(Comparison::Greater, count, s.constant(type, 0), false);
    return s.select(isLater, later, first);
  }
  /// factor * old + (1 - factor) * fresh
  Value average(Value factor, Value old, Value fresh) {
    return s.add(s.mul(factor, old), s.mul(s.sub(one(), factor), fresh));
  }
};

struct Optimizer {
  unsigned states; ///< of each tensor
  /// The step's learning rate from R.
  Value (*rate)(Step &);
  /// From X, G and the states of one element X and the states after it.
  SmallVector<Value> (*step)(Step &, ValueRange);
};
} // namespace

static Value unchangedRate(Step &step) { return step.rate; }

static Value decayedRate(Step &step) {
  Value decay = step.s.mul(step.count, step.attribute("decay_factor", 0));
  return step.divide(step.rate, step.s.add(step.one(), decay));
}

/// Adam's averages began at 0: the rate makes up for that.
static Value correctedRate(Step &step) {
  Scalars &s = step.s;
  auto missing = [&](Value factor) -> Value {
    Value power = math::PowFOp::create(s.b, s.loc, factor, step.count);
    return s.sub(step.one(), power);
  };
  Value alpha = missing(step.attribute("alpha", 0.9));
  Value beta = missing(step.attribute("beta", 0.999));
  Value corrected = step.divide(s.mul(step.rate, s.sqrt(beta)), alpha);
  return step.unlessFirst(corrected, step.rate);
}

static SmallVector<Value> adagrad(Step &step, ValueRange in) {
  Scalars &s = step.s;
  Value gradient = step.regularised(in[0], in[1]);
  Value squares = s.add(in[2], s.mul(gradient, gradient));
  Value root = s.add(s.sqrt(squares), step.attribute("epsilon", 1e-6));
  return {s.sub(in[0], step.divide(s.mul(step.rate, gradient), root)), squares};
}

static SmallVector<Value> adam(Step &step, ValueRange in) {
  Scalars &s = step.s;
  Value alpha = step.attribute("alpha", 0.9);
  Value beta = step.attribute("beta", 0.999);
  Value gradient = step.regularised(in[0], in[1]);
  Value momentum = step.average(alpha, in[2], gradient);
  Value squares = step.average(beta, in[3], s.mul(gradient, gradient));
  Value root = s.add(s.sqrt(squares), step.attribute("epsilon", 1e-6));
  Value x = s.sub(in[0], step.divide(s.mul(step.rate, momentum), root));
  Value kept = s.sub(step.one(), step.attribute("norm_coefficient_post", 0));
  return {s.mul(kept, x), momentum, squares};
}

static SmallVector<Value> momentum(Step &step, ValueRange in) {
  Scalars &s = step.s;
  Value alpha = step.attribute("alpha", 0);
  Value gradient = step.regularised(in[0], in[1]);
  Value beta = step.unlessFirst(step.attribute("beta", 0), step.one());
  Value velocity = s.add(s.mul(alpha, in[2]), s.mul(beta, gradient));
  bool isNesterov = step.n.string("mode", "standard") == "nesterov";
  Value direction =
      isNesterov ? s.add(gradient, s.mul(alpha, velocity)) : velocity;
  return {s.sub(in[0], s.mul(step.rate, direction)), velocity};
}

static LogicalResult lowerOptimizer(Lowering &l, OnnxNode n,
                                    const Optimizer &optimizer) {
  unsigned states = optimizer.states, operands = states + 2;
  unsigned tensors = n.inputs() < 2 ? 0 : (n.inputs() - 2) / operands;
  if (tensors == 0 || tensors * operands + 2 != n.inputs() ||
      tensors * (states + 1) != n.outputs())
    return l.refuse("each tensor must have a gradient, " + Twine(states) +
                    " states, and results for all but the gradient");
  for (unsigned i : {0, 1})
    for (OpFoldResult dim : l.dims(n.in(i)))
      l.requireEqual(dim, l.attr(1), "a dim of R or T");
  StringRef mode = n.string("mode", "standard");
  if (mode != "standard" && mode != "nesterov")
    return l.refuse("there is no mode '" + mode + "'");
  if (!l.refusal().empty())
    return failure();
  Scalars outer{l.b, l.loc};
  auto scalar = [&](unsigned i) {
    SmallVector<Value> at(l.rank(n.in(i)), l.index(0));
    Value one = tensor::ExtractOp::create(l.b, l.loc, l.value(n.in(i)), at);
    return outer.convert(one, l.elementType(n.in(i)), l.b.getF64Type());
  };
  // Powers near 1 are subtracted from 1.
  Step wide{outer, n, l.b.getF64Type(), scalar(0), scalar(1)};
  Value rate = optimizer.rate(wide);
  for (unsigned t = 0; t < tensors; ++t) {
    Value x = n.in(2 + t);
    SmallVector<Value> in;
    for (unsigned i = 0; i < operands; ++i) {
      Value onnx = n.in(2 + i * tensors + t);
      if (l.rank(onnx) != l.rank(x))
        return l.refuse("a tensor and its gradient or state differ in rank");
      for (auto [a, b] : llvm::zip(l.dims(onnx), l.dims(x)))
        l.requireEqual(a, b, "dims of a tensor and its gradient or state");
      in.push_back(l.value(onnx));
    }
    if (!l.refusal().empty())
      return failure();
    Type type = l.elementType(x);
    for (unsigned result = 0; result <= states; ++result)
      l.set(n.out(result * tensors + t),
            l.mapSame(type, in, [&](OpBuilder &nested, ValueRange values) {
              Scalars s{nested, l.loc};
              Step step{s, n, type, toFloat(s, rate, type),
                        toFloat(s, wide.count, type)};
              return optimizer.step(step, values.take_front(operands))[result];
            }));
  }
  return success();
}

void onnxc::addOptimizers(LoweringTable &table) {
  table.onOp("preview.training.Adagrad", [](Lowering &l, OnnxNode n) {
    return lowerOptimizer(l, n, {1, decayedRate, adagrad});
  });
  table.onOp("preview.training.Adam", [](Lowering &l, OnnxNode n) {
    return lowerOptimizer(l, n, {2, correctedRate, adam});
  });
  table.onOp("preview.training.Momentum", [](Lowering &l, OnnxNode n) {
    return lowerOptimizer(l, n, {1, unchangedRate, momentum});
  });
}
