//===- Power.cpp - x^y ----------------------------------------------------===//
//
// 2^(y log2 |x|) in f64, whose rounding a large exponent does not bring into
// the digits of an f32.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/FloatCode.h"
#include "compiler/codegen/cpu/Polynomials.h"

#include <limits>

using namespace mlir;
using namespace onnxc;

using Pred = arith::CmpFPredicate;

static constexpr double infinity = std::numeric_limits<double>::infinity();

/// The polynomial in f64 with these coefficients, the highest first.
static Value doublePolynomial(FloatCode &code, Value x,
                              ArrayRef<double> coefficients) {
  Value sum = code.doubleConstant(coefficients.front());
  for (double coefficient : coefficients.drop_front())
    sum = code.fma(sum, x, code.doubleConstant(coefficient));
  return sum;
}

/// log2 of a positive number, in f64; -infinity of 0.
static Value logarithm(FloatCode &code, Value a) {
  // A denormal number is made normal.
  Value isSmall = code.compare(Pred::OLT, a, code.constant(1.17549435e-38));
  Value scaled = code.select(isSmall, code.mul(a, code.constant(8388608)), a);
  Value shift = code.select(isSmall, code.constant(-23), code.constant(0));
  // a = m 2^n, m between sqrt(1/2) and sqrt(2).
  Value bits = code.bits(scaled);
  Value n =
      code.shiftRightSigned(code.subInt(bits, code.integer(0x3f3504f3)), 23);
  Value m =
      code.toDouble(code.fromBits(code.subInt(bits, code.shiftLeft(n, 23))));
  Value exponent = code.toDouble(code.add(code.toFloat(n), shift));
  // log m = 2 atanh((m - 1) / (m + 1))
  Value one = code.doubleConstant(1);
  Value t = code.div(code.sub(m, one), code.add(m, one));
  Value square = code.mul(t, t);
  constexpr double scale = 2.8853900817779268; // 2 / ln 2
  Value series = doublePolynomial(code, square,
                                  {scale / 13, scale / 11, scale / 9, scale / 7,
                                   scale / 5, scale / 3, scale});
  Value result = code.fma(series, t, exponent);
  auto ends = [&](double of, double value) {
    result = code.select(code.compare(Pred::OEQ, a, code.constant(of)),
                         code.doubleConstant(value), result);
  };
  ends(0, -infinity);
  ends(infinity, infinity);
  return result;
}

/// 2^p for p in f64, as f32.
static Value powerOfTwo(FloatCode &code, Value p) {
  auto bound = [&](Pred beyond, double limit) {
    Value constant = code.doubleConstant(limit);
    p = code.select(code.compare(beyond, p, constant), constant, p);
  };
  // Beyond these the result is infinity or 0 all the same.
  bound(Pred::OGT, 200);
  bound(Pred::OLT, -200);
  // Adding 1.5 * 2^52 rounds to an integer, in the low bits of the sum.
  Value magic = code.doubleConstant(6755399441055744.0);
  Value sum = code.add(p, magic);
  Value rest = code.sub(p, code.sub(sum, magic));
  // ln(2)^k / k!
  Value y = doublePolynomial(
      code, rest,
      {1.0178086009239699e-7, 1.3215486790144307e-6, 1.5252733804059840e-5,
       1.5403530393381609e-4, 1.3333558146428443e-3, 9.6181291076284772e-3,
       5.5504108664821580e-2, 2.4022650695910071e-1, 6.9314718055994531e-1, 1});
  Value raised =
      code.addInt(code.bits(y, 64), code.shiftLeft(code.bits(sum, 64), 52, 64));
  return code.fromDouble(code.doubleFromBits(raised));
}

Value onnxc::expandPow(OpBuilder &builder, Location loc, Value x, Value y) {
  FloatCode code(builder, loc, x.getType());
  Value zero = code.constant(0), one = code.constant(1);
  Value a = code.abs(x);
  Value isOne = code.compare(Pred::OEQ, a, one);
  Value power = code.mul(code.toDouble(y), logarithm(code, a));
  // 1^y is 1 for all y.
  power = code.select(isOne, code.doubleConstant(0), power);
  Value result = powerOfTwo(code, power);

  Value isWhole = code.compare(Pred::OEQ, code.floor(y), y);
  Value half = code.mul(y, code.constant(0.5));
  Value isOdd =
      code.both(isWhole, code.compare(Pred::ONE, code.floor(half), half));
  result = code.select(isOdd, code.copySign(result, x), result);
  Value nan = code.constant(std::numeric_limits<float>::quiet_NaN());
  // A finite negative number has no other powers.
  Value isFinite = code.compare(Pred::ONE, a, code.constant(infinity));
  Value isNegative = code.compare(Pred::OLT, x, zero);
  Value isBroken = code.compare(Pred::ONE, code.floor(y), y);
  result = code.select(code.both(code.both(isNegative, isFinite), isBroken),
                       nan, result);
  Value unordered = code.compare(Pred::UNO, x, y);
  result = code.select(unordered, nan, result);
  result = code.select(code.compare(Pred::OEQ, x, one), one, result);
  return code.select(code.compare(Pred::OEQ, y, zero), one, result);
}
