//===- Polynomials.cpp - Elementary functions as arithmetic ---------------===//

#include "compiler/codegen/cpu/Polynomials.h"
#include "compiler/codegen/cpu/FloatCode.h"

#include <limits>

using namespace mlir;
using namespace onnxc;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// x split as n * ln 2 + rest; n also as the low bits of an integer.
struct Reduced {
  Value n, bits, rest;
};

} // namespace

using Pred = arith::CmpFPredicate;

// Adding 1.5 * 2^23 to a number of small magnitude rounds it to an integer, and
// leaves that in the low bits of the sum.
static constexpr double roundToInteger = 12582912.0;

// ln 2 as a part with few digits, whose products with small integers are exact,
// and the rest.
static constexpr double ln2High = 0.693359375;
static constexpr double ln2Low = -2.12194440e-4;
static constexpr double log2E = 1.4426950408889634;

static Reduced reduceByLn2(FloatCode &code, Value x) {
  Value magic = code.constant(roundToInteger);
  Value sum = code.fma(x, code.constant(log2E), magic);
  Value n = code.sub(sum, magic);
  Value rest = code.fma(n, code.constant(-ln2High), x);
  rest = code.fma(n, code.constant(-ln2Low), rest);
  return {n, code.bits(sum), rest};
}

/// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2.
static Value expTail(FloatCode &code, Value r) {
  return code.polynomial(r,
                         {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
                          4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
}

/// y * 2^n, where y is near 1 and the result is a normal number. Shifting drops
/// what roundToInteger left above n.
static Value scaleByBits(FloatCode &code, Value y, Value n) {
  return code.fromBits(code.addInt(code.bits(y), code.shiftLeft(n, 23)));
}

/// `inside` where x lies in [low, high]; 0 below, infinity above, NaN for NaN.
static Value withExpEnds(FloatCode &code, Value x, Value inside, double low,
                         double high) {
  Value inf = code.constant(infinity);
  Value above = code.add(x, inf); // infinity, or NaN
  Value result = code.select(code.compare(Pred::OLE, x, code.constant(high)),
                             inside, above);
  return code.select(code.compare(Pred::OLT, x, code.constant(low)),
                     code.constant(0), result);
}

static Value exp(FloatCode &code, Value x) {
  auto [n, bits, r] = reduceByLn2(code, x);
  Value square = code.mul(r, r);
  Value y = code.add(code.fma(expTail(code, r), square, r), code.constant(1));
  // ln of the least normal number; the greatest float below ln of the
  // greatest number.
  return withExpEnds(code, x, scaleByBits(code, y, bits), -87.336540,
                     88.72283172607422);
}

Value onnxc::expandExp(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  return exp(code, x);
}

Value onnxc::expandExp2(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value magic = code.constant(roundToInteger);
  Value sum = code.add(x, magic);
  Value rest = code.sub(x, code.sub(sum, magic));
  // r * ln 2 loses half a unit, on a term that is at most a third of the sum.
  Value r = code.mul(rest, code.constant(0.6931471805599453));
  Value y =
      code.add(code.fma(expTail(code, r), code.mul(r, r), r), code.constant(1));
  // The greatest float below 128.
  return withExpEnds(code, x, scaleByBits(code, y, code.bits(sum)), -126,
                     127.99999237060547);
}

/// e^r - 1 for the rest of a reduction.
static Value expM1OfRest(FloatCode &code, Value r) {
  return code.fma(expTail(code, r), code.mul(r, r), r);
}

/// 2^(n + offset), for n as roundToInteger leaves it.
static Value powerOfTwo(FloatCode &code, Value n, int64_t offset) {
  return code.fromBits(
      code.shiftLeft(code.addInt(n, code.integer(127 + offset)), 23));
}

Value onnxc::expandExpM1(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  // Beyond these the result is -1 and infinity.
  Value clamped = code.atMost(code.atLeast(x, -20), 89);
  auto [n, bits, r] = reduceByLn2(code, clamped);
  Value p = expM1OfRest(code, r);
  // Half of the power, as 2^128 is none; doubled in the end.
  Value half = powerOfTwo(code, bits, -1);
  Value sum = code.fma(p, half, code.sub(half, code.constant(0.5)));
  return code.add(sum, sum);
}

namespace {
struct LogParts {
  Value exponent; ///< as a float
  Value fraction; ///< the mantissa, in [sqrt(1/2), sqrt(2)), less 1
  Value tail;     ///< ln(1 + fraction) = fraction - fraction^2 / 2 + tail
  Value square;
};
} // namespace

static LogParts splitLog(FloatCode &code, Value x) {
  // Denormals are made normal first.
  Value isSmall = code.compare(Pred::OLT, x, code.constant(1.17549435e-38));
  Value normal = code.select(isSmall, code.mul(x, code.constant(8388608.0)), x);
  Value sqrtHalf = code.integer(0x3f3504f3);
  Value shifted = code.subInt(code.bits(normal), sqrtHalf);
  Value exponent = code.toFloat(code.shiftRightSigned(shifted, 23));
  exponent = code.sub(
      exponent, code.select(isSmall, code.constant(23), code.constant(0)));
  Value mantissa = code.fromBits(
      code.addInt(code.andInt(shifted, code.integer(0x7fffff)), sqrtHalf));
  Value f = code.sub(mantissa, code.constant(1));
  Value square = code.mul(f, f);
  Value p =
      code.polynomial(f, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1,
                          -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
                          2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
  return {exponent, f, code.mul(code.mul(f, square), p), square};
}

/// `inside` for finite positive x; what a logarithm is elsewhere.
static Value withLogEnds(FloatCode &code, Value x, Value inside) {
  Value result = code.select(
      code.compare(Pred::OLT, x, code.constant(infinity)), inside, x);
  Value below = code.select(
      code.compare(Pred::OEQ, x, code.constant(0)), code.constant(-infinity),
      code.constant(std::numeric_limits<float>::quiet_NaN()));
  return code.select(code.compare(Pred::OLE, x, code.constant(0)), below,
                     result);
}

static Value log(FloatCode &code, Value x) {
  LogParts parts = splitLog(code, x);
  Value y = code.fma(parts.exponent, code.constant(ln2Low), parts.tail);
  y = code.fma(parts.square, code.constant(-0.5), y);
  y = code.add(parts.fraction, y);
  y = code.fma(parts.exponent, code.constant(ln2High), y);
  return withLogEnds(code, x, y);
}

Value onnxc::expandLog(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  return log(code, x);
}

Value onnxc::expandLog2(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  LogParts parts = splitLog(code, x);
  // The product with log2(e) - 1 first, so that it loses little.
  Value y = code.fma(parts.square, code.constant(-0.5), parts.tail);
  Value factor = code.constant(log2E - 1);
  Value sum = code.mul(y, factor);
  sum = code.fma(parts.fraction, factor, sum);
  sum = code.add(sum, y);
  sum = code.add(sum, parts.fraction);
  return withLogEnds(code, x, code.add(sum, parts.exponent));
}

Value onnxc::expandLog1p(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value one = code.constant(1);
  Value sum = code.add(x, one);
  // What the sum lost, as a share of it. At -1 and for large x there is none.
  Value lost = code.sub(x, code.sub(sum, one));
  Value share = code.div(lost, sum);
  Value zero = code.constant(0);
  share = code.select(code.compare(Pred::OGT, sum, zero), share, zero);
  share = code.select(code.compare(Pred::OLT, sum, code.constant(1e10)), share,
                      zero);
  return code.add(log(code, sum), share);
}

Value onnxc::expandTanh(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  // (e^2|x| - 1) / (e^2|x| + 1), which is 1 beyond 9.02.
  Value magnitude = code.atMost(code.abs(x), 9.02);
  auto [n, bits, r] = reduceByLn2(code, code.add(magnitude, magnitude));
  Value power = powerOfTwo(code, bits, 0);
  Value m =
      code.fma(expM1OfRest(code, r), power, code.sub(power, code.constant(1)));
  return code.copySign(code.div(m, code.add(m, code.constant(2))), x);
}

Value onnxc::expandErf(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  Value t = code.abs(x);
  Value square = code.mul(x, x);
  // Beyond 0.93: 1 - e^p(t).
  Value high =
      code.fma(code.constant(-1.72853470e-5), t, code.constant(3.83197126e-4));
  Value low =
      code.fma(code.constant(-3.88396438e-3), t, code.constant(2.42546219e-2));
  Value p = code.fma(high, square, low);
  for (double coefficient : {-1.06777877e-1, -6.34846687e-1, -1.28717512e-1})
    p = code.fma(p, t, code.constant(coefficient));
  p = code.fma(p, t, code.negate(t));
  Value far = code.copySign(code.sub(code.constant(1), exp(code, p)), x);
  // Below: x + x * q(x^2).
  Value q =
      code.polynomial(square, {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2,
                               1.12819925e-1, -3.76125336e-1, 1.28379166e-1});
  Value near = code.fma(q, x, x);
  return code.select(code.compare(Pred::OGT, t, code.constant(0.927734375)),
                     far, near);
}

/// x p(x^2) / q(x^2) where |x| <= end, and its value at `end` beyond, which is
/// 1. A division costs less than an exponential.
static Value oddFraction(FloatCode &code, Value x, double end,
                         ArrayRef<double> p, ArrayRef<double> q) {
  Value inside = code.atMost(code.atLeast(x, -end), end);
  Value square = code.mul(inside, inside);
  Value y = code.div(code.mul(inside, code.polynomial(square, p)),
                     code.polynomial(square, q));
  return code.atMost(code.atLeast(y, -1), 1);
}

Value onnxc::expandApproximateTanh(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  return oddFraction(code, x, 8.7,
                     {1.3897603386017068e-08, 2.099381448824898e-05,
                      3.518742931973307e-03, 1.340046573734178e-01, 1.0},
                     {7.996516630101718e-07, 3.3236461964946247e-04,
                      2.596488973544069e-02, 4.6733785966673463e-01, 1.0});
}

Value onnxc::expandApproximateErf(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  return oddFraction(
      code, x, 4.03,
      {1.9639977901314506e-06, 2.846184835120392e-04, 3.931138813865445e-03,
       5.324696209579474e-02, 1.9479752947554801e-01, 1.1283791363321531},
      {3.718623100909746e-05, 1.1952267639595538e-03, 1.5304213284524085e-02,
       1.1584904998249117e-01, 5.059672917854674e-01, 1.0});
}

Value onnxc::expandRound(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  // Half away from zero: the greatest float below 1/2 keeps what is just below
  // a half there.
  Value half = code.copySign(code.constant(0.49999997019767761), x);
  return math::TruncOp::create(builder, loc, code.add(x, half));
}

/// sin(x + quadrant * pi / 2).
static Value sine(FloatCode &code, Value x, int64_t quadrant) {
  // The multiple of pi / 2 is taken off in double precision: 2^28 times the
  // first part, of 25 digits, is exact.
  Value wide = code.toDouble(x);
  Value magic = code.doubleConstant(6755399441055744.0);
  Value sum = code.add(
      code.mul(wide, code.doubleConstant(0.63661977236758134308)), magic);
  Value n = code.sub(sum, magic);
  Value rest =
      code.sub(wide, code.mul(n, code.doubleConstant(1.57079631090164184570)));
  rest = code.sub(rest,
                  code.mul(n, code.doubleConstant(1.58932547735281966916e-08)));
  Value r = code.atMost(code.atLeast(code.fromDouble(rest), -1), 1);
  Value z = code.mul(r, r);
  Value s =
      code.polynomial(z, {-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1});
  // Plus 0, so that the product at r = -0 is -0 too.
  s = code.fma(code.fma(s, z, code.constant(0)), r, r);
  Value c = code.polynomial(
      z, {2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2});
  c = code.fma(code.mul(c, z), z,
               code.fma(z, code.constant(-0.5), code.constant(1)));
  Value q =
      code.addInt(code.narrow(code.bits(sum, 64)), code.integer(quadrant));
  Value result =
      code.select(code.isZero(code.andInt(q, code.integer(1))), s, c);
  return code.select(code.isZero(code.andInt(q, code.integer(2))), result,
                     code.negate(result));
}

Value onnxc::expandSin(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  return sine(code, x, 0);
}

Value onnxc::expandCos(OpBuilder &builder, Location loc, Value x) {
  FloatCode code(builder, loc, x.getType());
  return sine(code, x, 1);
}
