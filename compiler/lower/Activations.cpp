//===- Activations.cpp - Activation functions -----------------------------===//

#include "compiler/lower/Activations.h"

#include "compiler/lower/Elementwise.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

/// Registers an activation; `alpha`, `beta`, `gamma` read attributes.
#define ACTIVATION(NAME, ...)                                                  \
  table.onOp(NAME, [](Lowering &l, OnnxNode n) {                               \
    return elementwiseNode(                                                    \
        l, n, [&](Scalars &s, ArrayRef<Value> in) -> Value {                   \
          Value x = in[0];                                                     \
          Type type = x.getType();                                             \
          auto number = [&](double value) { return s.constant(type, value); }; \
          auto attribute = [&](StringRef name, double otherwise) {             \
            return number(n.real(name, otherwise));                            \
          };                                                                   \
          (void)attribute;                                                     \
          (void)number;                                                        \
          __VA_ARGS__                                                          \
        });                                                                    \
  })

Value onnxc::relu(Scalars &s, Value x) {
  return s.atLeast(x, s.constant(x.getType(), 0));
}

static Value isNegative(Scalars &s, Value x) {
  return s.compare(Comparison::Less, x, s.constant(x.getType(), 0), false);
}

/// exp(min(x, 0)) - 1: the negative side of Elu and its kin, without overflow
/// where it is not selected.
static Value expMinusOne(Scalars &s, Value x) {
  Value zero = s.constant(x.getType(), 0);
  return s.sub(s.exp(s.atMost(x, zero)), s.constant(x.getType(), 1));
}

Value onnxc::softplus(Scalars &s, Value x) {
  return s.add(relu(s, x), s.log1p(s.exp(s.negate(s.abs(x)))));
}

Value onnxc::leakyRelu(Scalars &s, Value x, Value alpha) {
  return s.select(isNegative(s, x), s.mul(alpha, x), x);
}

Value onnxc::thresholdedRelu(Scalars &s, Value x, Value alpha) {
  return s.select(s.compare(Comparison::Greater, x, alpha, false), x,
                  s.constant(x.getType(), 0));
}

Value onnxc::elu(Scalars &s, Value x, Value alpha) {
  return s.select(isNegative(s, x), s.mul(alpha, expMinusOne(s, x)), x);
}

Value onnxc::softsign(Scalars &s, Value x) {
  return s.div(x, s.add(s.constant(x.getType(), 1), s.abs(x)), false);
}

static Value gelu(Scalars &s, Value x, bool approximate) {
  Type type = x.getType();
  auto number = [&](double value) { return s.constant(type, value); };
  Value half = s.mul(x, number(0.5)), share;
  if (approximate) {
    double scale = std::sqrt(2 / M_PI);
    Value inner =
        s.multiplyAdd(s.mul(x, x), number(0.044715 * scale), number(scale));
    share = s.approximateTanh(s.mul(x, inner));
  } else {
    share = s.approximateErf(s.mul(x, number(1 / std::sqrt(2.0))));
  }
  return s.multiplyAdd(half, share, half);
}

Value onnxc::hardSigmoid(Scalars &s, Value x, Value alpha, Value beta) {
  Value line = s.add(s.mul(x, alpha), beta);
  return s.atMost(s.atLeast(line, s.constant(x.getType(), 0)),
                  s.constant(x.getType(), 1));
}

void onnxc::addActivations(LoweringTable &table) {
  ACTIVATION("Relu", return relu(s, x););
  ACTIVATION("Sigmoid", return s.sigmoid(x););
  ACTIVATION("HardSigmoid", return hardSigmoid(s, x, attribute("alpha", 0.2),
                                               attribute("beta", 0.5)););
  ACTIVATION("HardSwish",
             return s.mul(x, hardSigmoid(s, x, number(1.0 / 6), number(0.5))););
  ACTIVATION("Swish",
             return s.mul(x, s.sigmoid(s.mul(attribute("alpha", 1), x))););
  ACTIVATION("LeakyRelu", return leakyRelu(s, x, attribute("alpha", 0.01)););
  ACTIVATION("ThresholdedRelu",
             return thresholdedRelu(s, x, attribute("alpha", 1)););
  ACTIVATION("Elu", return elu(s, x, attribute("alpha", 1)););
  ACTIVATION(
      "Selu", Value alpha = attribute("alpha", 1.67326319217681884765625);
      Value gamma = attribute("gamma", 1.05070102214813232421875);
      return s.mul(gamma, s.select(isNegative(s, x),
                                   s.mul(alpha, expMinusOne(s, x)), x)););
  ACTIVATION("Celu", Value alpha = attribute("alpha", 1); return s.select(
      isNegative(s, x), s.mul(alpha, expMinusOne(s, s.div(x, alpha, false))),
      x););
  ACTIVATION("Softplus", return softplus(s, x););
  ACTIVATION("Softsign", return softsign(s, x););
  ACTIVATION("Mish", return s.mul(x, s.tanh(softplus(s, x))););
  ACTIVATION("Gelu",
             return gelu(s, x, n.string("approximate", "none") == "tanh"););
  table.onOp("PRelu", [](Lowering &l, OnnxNode n) {
    return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) {
      bool u = isUnsigned(l.elementType(n.in(0)));
      Value negative =
          s.compare(Comparison::Less, in[0], s.constant(in[0].getType(), 0), u);
      return s.select(negative, s.mul(in[1], in[0]), in[0]);
    });
  });
  table.onOp("Shrink", [](Lowering &l, OnnxNode n) {
    Type element = l.elementType(n.in(0));
    double lambd = n.real("lambd", 0.5), bias = n.real("bias", 0);
    return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) -> Value {
      // Integers are shrunk in double.
      bool isFloat = isa<FloatType>(element);
      Value x = isFloat ? in[0] : s.convert(in[0], element, s.b.getF64Type());
      Type type = x.getType();
      Value low =
          s.compare(Comparison::Less, x, s.constant(type, -lambd), false);
      Value high =
          s.compare(Comparison::Greater, x, s.constant(type, lambd), false);
      Value result = s.select(low, s.add(x, s.constant(type, bias)),
                              s.select(high, s.sub(x, s.constant(type, bias)),
                                       s.constant(type, 0)));
      return isFloat ? result : s.convert(result, type, element);
    });
  });
}
