//===- Arithmetic.cpp - Gradients of element-wise operators ---------------===//

#include "compiler/graph/gradients/Gradients.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

/// Registers a unary operator y = f(x): its gradient is that of the result, dy,
/// times what is written here.
#define UNARY(NAME, DERIVATIVE)                                                \
  rules.add(NAME, [](Backward &g) {                                            \
    [[maybe_unused]] Value x = g.in(0), y = g.out();                           \
    g.give(0, g.mul(g.gradient(), DERIVATIVE));                                \
    return success();                                                          \
  })

static LogicalResult sumOf(Backward &g) {
  for (unsigned i = 0; i < g.inputs(); ++i)
    if (g.wants(i) && failed(g.giveSummed(i, g.gradient())))
      return failure();
  return success();
}

static LogicalResult meanOf(Backward &g) {
  Value share = g.div(g.gradient(), g.number(g.inputs(), g.gradient()));
  for (unsigned i = 0; i < g.inputs(); ++i)
    if (g.wants(i) && failed(g.giveSummed(i, share)))
      return failure();
  return success();
}

static LogicalResult difference(Backward &g) {
  if (g.wants(0) && failed(g.giveSummed(0, g.gradient())))
    return failure();
  return g.wants(1) ? g.giveSummed(1, g.neg(g.gradient())) : success();
}

static LogicalResult product(Backward &g) {
  for (unsigned i : {0, 1})
    if (g.wants(i) && failed(g.giveSummed(i, g.mul(g.gradient(), g.in(1 - i)))))
      return failure();
  return success();
}

static LogicalResult quotient(Backward &g) {
  Value share = g.div(g.gradient(), g.in(1));
  if (g.wants(0) && failed(g.giveSummed(0, share)))
    return failure();
  return g.wants(1) ? g.giveSummed(1, g.neg(g.mul(share, g.out()))) : success();
}

/// x^n: n x^(n - 1), and x^n ln x, which is 0 where x is.
static LogicalResult power(Backward &g) {
  Value x = g.in(0), n = g.castLike(g.in(1), x);
  if (g.wants(0)) {
    Value less = g.call("Pow", {x, g.sub(n, g.number(1, n))});
    if (failed(g.giveSummed(0, g.mul(g.gradient(), g.mul(n, less)))))
      return failure();
  }
  if (!g.wants(1))
    return success();
  Value isZero = g.compare("Equal", x, g.number(0, x));
  Value safe = g.call("Where", {isZero, g.number(1, x), x}, {},
                      getElementTypeOrSelf(x.getType()));
  Value share = g.mul(g.gradient(), g.mul(g.out(), g.call("Log", {safe})));
  return g.giveSummed(1, g.castLike(share, g.in(1)));
}

/// Max and Min: the operands that are the result share its gradient.
static LogicalResult extremum(Backward &g) {
  Value count;
  SmallVector<Value> isResult;
  for (unsigned i = 0; i < g.inputs(); ++i) {
    isResult.push_back(
        g.castLike(g.compare("Equal", g.in(i), g.out()), g.out()));
    count = count ? g.add(count, isResult.back()) : isResult.back();
  }
  Value share = g.div(g.gradient(), count);
  for (unsigned i = 0; i < g.inputs(); ++i)
    if (g.wants(i) && failed(g.giveSummed(i, g.mul(share, isResult[i]))))
      return failure();
  return success();
}

static LogicalResult chosen(Backward &g) {
  Value dy = g.gradient(), zero = g.number(0, dy);
  Type element = getElementTypeOrSelf(dy.getType());
  if (g.wants(1) && failed(g.giveSummed(1, g.where(g.in(0), dy))))
    return failure();
  return g.wants(2) ? g.giveSummed(
                          2, g.call("Where", {g.in(0), zero, dy}, {}, element))
                    : success();
}

static Value isPositive(Backward &g) {
  return g.compare("Greater", g.in(0), g.number(0, g.in(0)));
}

static LogicalResult relu(Backward &g) {
  g.give(0, g.where(isPositive(g), g.gradient()));
  return success();
}

/// `slope` below 0.
static LogicalResult leakyRelu(Backward &g) {
  Value dy = g.gradient();
  Value scaled = g.mul(dy, g.number(g.real("alpha", 0.01), dy));
  g.give(0, g.call("Where", {isPositive(g), dy, scaled}, {},
                   getElementTypeOrSelf(dy.getType())));
  return success();
}

/// alpha (e^x - 1) below 0.
static LogicalResult elu(Backward &g) {
  Value dy = g.gradient(), y = g.out();
  Value slope = g.add(y, g.number(g.real("alpha", 1), y));
  g.give(0, g.call("Where", {isPositive(g), dy, g.mul(dy, slope)}, {},
                   getElementTypeOrSelf(dy.getType())));
  return success();
}

static LogicalResult clip(Backward &g) {
  for (unsigned bound : {1, 2})
    if (g.in(bound) && g.wants(bound))
      return g.refuse("the gradient of a bound is not supported");
  Value gradient = g.gradient(), x = g.in(0);
  if (Value low = g.in(1))
    gradient = g.where(g.compare("GreaterOrEqual", x, low), gradient);
  if (Value high = g.in(2))
    gradient = g.where(g.compare("LessOrEqual", x, high), gradient);
  g.give(0, gradient);
  return success();
}

static LogicalResult cast(Backward &g) {
  g.give(0, g.castLike(g.gradient(), g.in(0)));
  return success();
}

/// x Phi(x), by erf: Phi(x) + x phi(x).
static LogicalResult gelu(Backward &g) {
  auto kind = g.op->getAttrOfType<StringAttr>("approximate");
  if (kind && kind.getValue() != "none")
    return g.refuse("the gradient of its approximation is not supported");
  Value x = g.in(0);
  Value error = g.call("Erf", {g.mul(x, g.number(std::sqrt(0.5), x))});
  Value share = g.mul(g.add(error, g.number(1, x)), g.number(0.5, x));
  Value bell = g.call("Exp", {g.mul(g.square(x), g.number(-0.5, x))});
  Value density = g.mul(bell, g.number(1 / std::sqrt(2 * 3.14159265358979), x));
  g.give(0, g.mul(g.gradient(), g.add(share, g.mul(x, density))));
  return success();
}

/// What is constant almost everywhere.
static LogicalResult step(Backward &g) {
  g.give(0, g.filled(0, g.in(0)));
  return success();
}

void onnxc::addArithmeticGradients(GradientRules &rules) {
  rules.add("Add", sumOf);
  rules.add("Sum", sumOf);
  rules.add("Mean", meanOf);
  rules.add("Sub", difference);
  rules.add("Mul", product);
  rules.add("Div", quotient);
  rules.add("Pow", power);
  rules.add("Max", extremum);
  rules.add("Min", extremum);
  rules.add("Where", chosen);
  rules.add("Relu", relu);
  rules.add("LeakyRelu", leakyRelu);
  rules.add("Elu", elu);
  rules.add("Clip", clip);
  rules.add("Cast", cast);
  rules.add("CastLike", cast);
  rules.add("Gelu", gelu);
  for (StringRef name : {"Ceil", "Floor", "Round", "Sign"})
    rules.add(name, step);

  UNARY("Neg", g.number(-1, x));
  UNARY("Abs", g.call("Sign", {x}));
  UNARY("Reciprocal", g.neg(g.square(y)));
  UNARY("Sqrt", g.div(g.number(0.5, y), y));
  UNARY("Exp", y);
  UNARY("Log", g.call("Reciprocal", {x}));
  UNARY("Sigmoid", g.mul(y, g.sub(g.number(1, y), y)));
  UNARY("Tanh", g.sub(g.number(1, y), g.square(y)));
  UNARY("Softplus", g.call("Sigmoid", {x}));
  UNARY("Erf", g.mul(g.number(2 / std::sqrt(3.14159265358979), x),
                     g.call("Exp", {g.neg(g.square(x))})));
  UNARY("Sin", g.call("Cos", {x}));
  UNARY("Cos", g.neg(g.call("Sin", {x})));
  UNARY("Tan", g.add(g.number(1, y), g.square(y)));
  UNARY("Sinh", g.call("Cosh", {x}));
  UNARY("Cosh", g.call("Sinh", {x}));
  UNARY("Asin", g.call("Reciprocal",
                       {g.call("Sqrt", {g.sub(g.number(1, x), g.square(x))})}));
  UNARY("Acos",
        g.neg(g.call("Reciprocal",
                     {g.call("Sqrt", {g.sub(g.number(1, x), g.square(x))})})));
  UNARY("Atan", g.call("Reciprocal", {g.add(g.number(1, x), g.square(x))}));
}
