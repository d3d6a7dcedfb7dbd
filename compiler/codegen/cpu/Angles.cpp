//===- Angles.cpp - Inverse circular functions, and the hyperbolic --------===//

#include "compiler/codegen/cpu/FloatCode.h"
#include "compiler/codegen/cpu/Polynomials.h"

#include <limits>

using namespace mlir;
using namespace onnxc;

using Pred = arith::CmpFPredicate;

// Floats nearest to pi / 2 and pi / 4, and what they lack.
static constexpr double halfPi = 1.57079637, halfPiRest = -4.37113883e-8;
static constexpr double quarterPi = halfPi / 2, quarterPiRest = halfPiRest / 2;

/// atan(x) = atan(c) + atan((x - c) / (1 + c x)), c being 0, 1 or infinity.
Value onnxc::expandAtan(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value a = code.abs(x), one = code.constant(1), zero = code.constant(0);
  Value far = code.compare(Pred::OGT, a, code.constant(2.414213562373095));
  Value middle = code.compare(Pred::OGT, a, code.constant(0.41421356237309503));
  auto choose = [&](Value whenFar, Value whenMiddle, Value whenNear) {
    return code.select(far, whenFar, code.select(middle, whenMiddle, whenNear));
  };
  Value t = code.div(choose(code.constant(-1), code.sub(a, one), a),
                     choose(a, code.add(a, one), one));
  Value square = code.mul(t, t);
  Value tail = code.polynomial(square, {8.05374449538e-2, -1.38776856032e-1,
                                        1.99777106478e-1, -3.33329491539e-1});
  Value angle = code.fma(code.mul(tail, square), t, t);
  Value rest =
      choose(code.constant(halfPiRest), code.constant(quarterPiRest), zero);
  Value base = choose(code.constant(halfPi), code.constant(quarterPi), zero);
  return code.copySign(code.add(base, code.add(angle, rest)), x);
}

/// asin of |x| up to 1/2; of sqrt((1 - |x|) / 2) beyond.
static Value smallArcsine(FloatCode &code, Value a, Value isLarge) {
  Value half = code.constant(0.5);
  Value square = code.select(
      isLarge, code.mul(half, code.sub(code.constant(1), a)), code.mul(a, a));
  Value s = code.select(isLarge, code.squareRoot(square), a);
  Value tail = code.polynomial(square, {4.2163199048e-2, 2.4181311049e-2,
                                        4.5470025998e-2, 7.4953002686e-2,
                                        1.6666752422e-1});
  return code.fma(code.mul(tail, square), s, s);
}

/// pi / 2 - twice.
static Value complement(FloatCode &code, Value twice) {
  return code.add(code.sub(code.constant(halfPi), twice),
                  code.constant(halfPiRest));
}

Value onnxc::expandAsin(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value a = code.abs(x);
  Value isLarge = code.compare(Pred::OGT, a, code.constant(0.5));
  Value r = smallArcsine(code, a, isLarge);
  Value large = complement(code, code.add(r, r));
  return code.copySign(code.select(isLarge, large, r), x);
}

Value onnxc::expandAcos(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value a = code.abs(x);
  Value isLarge = code.compare(Pred::OGT, a, code.constant(0.5));
  Value isNegative = code.compare(Pred::OLT, x, code.constant(0));
  Value r = smallArcsine(code, a, isLarge), twice = code.add(r, r);
  Value fromPi = code.add(code.sub(code.constant(2 * halfPi), twice),
                          code.constant(2 * halfPiRest));
  Value large = code.select(isNegative, fromPi, twice);
  return code.select(isLarge, large, complement(code, code.copySign(r, x)));
}

/// log(1 + u), or log(2 a) for an `a` whose square may be infinite.
static Value inverseHyperbolic(OpBuilder &builder, Location loc, Value a,
                               Value u) {
  FloatCode code(builder, loc, a.getType());
  Value isHuge = code.compare(Pred::OGT, a, code.constant(1e9));
  Value logarithm = expandLog1p(builder, loc, code.select(isHuge, a, u));
  return code.add(
      logarithm,
      code.select(isHuge, code.constant(0.6931471805599453), code.constant(0)));
}

/// log(x + sqrt(x^2 - 1)), by what x exceeds 1.
Value onnxc::expandAcosh(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value t = code.sub(x, code.constant(1));
  Value root = code.squareRoot(code.mul(t, code.add(t, code.constant(2))));
  Value result = inverseHyperbolic(builder, loc, x, code.add(t, root));
  Value nan = code.constant(std::numeric_limits<float>::quiet_NaN());
  return code.select(code.compare(Pred::OLT, t, code.constant(0)), nan, result);
}

/// log(a + sqrt(a^2 + 1)), by what the sum exceeds 1.
Value onnxc::expandAsinh(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value a = code.abs(x), square = code.mul(a, a), one = code.constant(1);
  Value root = code.squareRoot(code.add(square, one));
  Value u = code.add(a, code.div(square, code.add(root, one)));
  return code.copySign(inverseHyperbolic(builder, loc, a, u), x);
}

/// log((1 + a) / (1 - a)) / 2
Value onnxc::expandAtanh(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value a = code.abs(x);
  Value u = code.div(code.add(a, a), code.sub(code.constant(1), a));
  Value half = code.mul(code.constant(0.5), expandLog1p(builder, loc, u));
  return code.copySign(half, x);
}

/// e^a / 2 from e^(a / 2), which is in range where the result is.
static Value halfExp(OpBuilder &builder, Location loc, Value a) {
  FloatCode code(builder, loc, a.getType());
  Value half = code.constant(0.5);
  Value root = expandExp(builder, loc, code.mul(a, half));
  return code.mul(code.mul(half, root), root);
}

Value onnxc::expandCosh(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value growing = halfExp(builder, loc, code.abs(x));
  return code.add(growing, code.div(code.constant(0.25), growing));
}

/// (e + e / (e + 1)) / 2, e being e^a - 1; beyond 20 nothing is left of e^-a.
Value onnxc::expandSinh(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value a = code.abs(x), one = code.constant(1);
  Value e = expandExpM1(builder, loc, code.atMost(a, 20));
  Value small =
      code.mul(code.constant(0.5), code.add(e, code.div(e, code.add(e, one))));
  Value isSmall = code.compare(Pred::OLT, a, code.constant(20));
  return code.copySign(code.select(isSmall, small, halfExp(builder, loc, a)),
                       x);
}

Value onnxc::expandTan(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  return code.div(expandSin(builder, loc, x), expandCos(builder, loc, x));
}
