//===- Scalars.cpp - Scalar arithmetic with ONNX's meaning ----------------===//

#include "compiler/lower/Scalars.h"

#include "compiler/lower/Lowering.h"
#include "compiler/lower/NarrowTypes.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace onnxc;

TypedAttr onnxc::numberAttr(Type type, double value) {
  if (auto floating = dyn_cast<FloatType>(type)) {
    llvm::APFloat number(value);
    bool lossy;
    number.convert(floating.getFloatSemantics(),
                   llvm::APFloat::rmNearestTiesToEven, &lossy);
    return FloatAttr::get(type, number);
  }
  return IntegerAttr::get(type, static_cast<int64_t>(value));
}

TypedAttr onnxc::lowestValue(Type type, bool isUnsigned) {
  if (auto floating = dyn_cast<FloatType>(type))
    return FloatAttr::get(
        type, llvm::APFloat::getInf(floating.getFloatSemantics(), true));
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  return IntegerAttr::get(type, isUnsigned || width == 1
                                    ? llvm::APInt::getZero(width)
                                    : llvm::APInt::getSignedMinValue(width));
}

TypedAttr onnxc::highestValue(Type type, bool isUnsigned) {
  if (auto floating = dyn_cast<FloatType>(type))
    return FloatAttr::get(
        type, llvm::APFloat::getInf(floating.getFloatSemantics(), false));
  unsigned width = type.getIntOrFloatBitWidth();
  return IntegerAttr::get(type, isUnsigned || width == 1
                                    ? llvm::APInt::getMaxValue(width)
                                    : llvm::APInt::getSignedMaxValue(width));
}

Type onnxc::computeType(Type type) {
  if (type.isF16() || type.isBF16())
    return Float32Type::get(type.getContext());
  return type;
}

Value Scalars::constant(Type type, double value) {
  return arith::ConstantOp::create(b, loc, numberAttr(type, value));
}
Value Scalars::integer(Type type, int64_t value) {
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type, value));
}
Value Scalars::add(Value x, Value y) {
  if (isFloat(x))
    return arith::AddFOp::create(b, loc, x, y);
  return b.createOrFold<arith::AddIOp>(loc, x, y);
}
Value Scalars::accumulate(Value x, Value y) {
  if (isFloat(x))
    return arith::AddFOp::create(b, loc, x, y, arith::FastMathFlags::reassoc);
  return arith::AddIOp::create(b, loc, x, y);
}
Value Scalars::sub(Value x, Value y) {
  if (isFloat(x))
    return arith::SubFOp::create(b, loc, x, y);
  return b.createOrFold<arith::SubIOp>(loc, x, y);
}
Value Scalars::mul(Value x, Value y) {
  if (isFloat(x))
    return arith::MulFOp::create(b, loc, x, y);
  return b.createOrFold<arith::MulIOp>(loc, x, y);
}
Value Scalars::negate(Value x) {
  if (isFloat(x))
    return arith::NegFOp::create(b, loc, x);
  return arith::SubIOp::create(b, loc, integer(x.getType(), 0), x);
}

/// `y` with the divisors that trap replaced by 1: zero, and for signed types
/// -1 when the dividend is the lowest value.
static Value safeDivisor(Scalars &s, Value x, Value y, bool isUnsigned) {
  Type type = y.getType();
  Value one = s.integer(type, 1);
  Value bad = s.compare(Comparison::Equal, y, s.integer(type, 0), false);
  if (!isUnsigned) {
    Value lowest =
        arith::ConstantOp::create(s.b, s.loc, lowestValue(type, false));
    Value overflow = s.logicalAnd(
        s.compare(Comparison::Equal, x, lowest, false),
        s.compare(Comparison::Equal, y, s.integer(type, -1), false));
    bad = s.logicalOr(bad, overflow);
  }
  return s.select(bad, one, y);
}

Value Scalars::div(Value x, Value y, bool isUnsigned) {
  if (isFloat(x))
    return arith::DivFOp::create(b, loc, x, y);
  Value divisor = safeDivisor(*this, x, y, isUnsigned);
  if (isUnsigned)
    return arith::DivUIOp::create(b, loc, x, divisor);
  return arith::DivSIOp::create(b, loc, x, divisor);
}

Value Scalars::remainder(Value x, Value y, bool isUnsigned) {
  if (isFloat(x))
    return arith::RemFOp::create(b, loc, x, y);
  Value divisor = safeDivisor(*this, x, y, isUnsigned);
  if (isUnsigned)
    return arith::RemUIOp::create(b, loc, x, divisor);
  return arith::RemSIOp::create(b, loc, x, divisor);
}

Value Scalars::mod(Value x, Value y, bool isUnsigned) {
  Value rest = remainder(x, y, isUnsigned);
  if (isUnsigned)
    return rest;
  // The sign of the divisor: add it where the remainder's sign differs.
  Type type = x.getType();
  Value zero = constant(type, 0);
  Value nonzero = compare(Comparison::NotEqual, rest, zero, false);
  Value negative = compare(Comparison::Less, rest, zero, false);
  Value divisorNegative = compare(Comparison::Less, y, zero, false);
  Value differs = arith::XOrIOp::create(b, loc, negative, divisorNegative);
  return select(logicalAnd(nonzero, differs), add(rest, y), rest);
}

Value Scalars::min(Value x, Value y, bool isUnsigned) {
  if (isFloat(x))
    return arith::MinimumFOp::create(b, loc, x, y);
  if (isUnsigned)
    return b.createOrFold<arith::MinUIOp>(loc, x, y);
  return b.createOrFold<arith::MinSIOp>(loc, x, y);
}
Value Scalars::max(Value x, Value y, bool isUnsigned) {
  if (isFloat(x))
    return arith::MaximumFOp::create(b, loc, x, y);
  if (isUnsigned)
    return b.createOrFold<arith::MaxUIOp>(loc, x, y);
  return b.createOrFold<arith::MaxSIOp>(loc, x, y);
}
Value Scalars::atLeast(Value x, Value bound, bool isUnsigned) {
  if (!isFloat(x))
    return max(x, bound, isUnsigned);
  return select(compare(Comparison::Less, x, bound, false), bound, x);
}
Value Scalars::atMost(Value x, Value bound, bool isUnsigned) {
  if (!isFloat(x))
    return min(x, bound, isUnsigned);
  return select(compare(Comparison::Greater, x, bound, false), bound, x);
}

Value Scalars::compare(Comparison kind, Value x, Value y, bool isUnsigned) {
  if (isFloat(x)) {
    arith::CmpFPredicate predicate;
    switch (kind) {
    case Comparison::Equal:
      predicate = arith::CmpFPredicate::OEQ;
      break;
    case Comparison::NotEqual:
      predicate = arith::CmpFPredicate::UNE;
      break;
    case Comparison::Less:
      predicate = arith::CmpFPredicate::OLT;
      break;
    case Comparison::LessOrEqual:
      predicate = arith::CmpFPredicate::OLE;
      break;
    case Comparison::Greater:
      predicate = arith::CmpFPredicate::OGT;
      break;
    case Comparison::GreaterOrEqual:
      predicate = arith::CmpFPredicate::OGE;
      break;
    }
    return arith::CmpFOp::create(b, loc, predicate, x, y);
  }
  if (x.getType().isInteger(1))
    isUnsigned = true;
  arith::CmpIPredicate predicate;
  switch (kind) {
  case Comparison::Equal:
    predicate = arith::CmpIPredicate::eq;
    break;
  case Comparison::NotEqual:
    predicate = arith::CmpIPredicate::ne;
    break;
  case Comparison::Less:
    predicate =
        isUnsigned ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
    break;
  case Comparison::LessOrEqual:
    predicate =
        isUnsigned ? arith::CmpIPredicate::ule : arith::CmpIPredicate::sle;
    break;
  case Comparison::Greater:
    predicate =
        isUnsigned ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt;
    break;
  case Comparison::GreaterOrEqual:
    predicate =
        isUnsigned ? arith::CmpIPredicate::uge : arith::CmpIPredicate::sge;
    break;
  }
  return b.createOrFold<arith::CmpIOp>(loc, predicate, x, y);
}

Value Scalars::select(Value condition, Value x, Value y) {
  return b.createOrFold<arith::SelectOp>(loc, condition, x, y);
}
Value Scalars::logicalAnd(Value x, Value y) {
  return b.createOrFold<arith::AndIOp>(loc, x, y);
}
Value Scalars::logicalOr(Value x, Value y) {
  return b.createOrFold<arith::OrIOp>(loc, x, y);
}
Value Scalars::logicalNot(Value x) {
  return b.createOrFold<arith::XOrIOp>(loc, x, integer(x.getType(), 1));
}
Value Scalars::isNaN(Value x) {
  return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
}

/// An f64 as the f32 from which rounding to fewer bits gives what rounding the
/// f64 would: toward zero, its last bit set where that was not exact.
static Value roundToOdd(Scalars &s, Value x) {
  Type f32 = s.b.getF32Type(), i32 = s.b.getI32Type();
  Value near = arith::TruncFOp::create(s.b, s.loc, f32, x);
  Value back = arith::ExtFOp::create(s.b, s.loc, x.getType(), near);
  Value bits = arith::BitcastOp::create(s.b, s.loc, i32, near);
  Value isAbove = s.compare(Comparison::Greater, s.abs(back), s.abs(x), false);
  bits = s.select(isAbove, s.sub(bits, s.integer(i32, 1)), bits);
  Value odd = arith::OrIOp::create(s.b, s.loc, bits, s.integer(i32, 1));
  Value isExact =
      s.logicalOr(s.compare(Comparison::Equal, back, x, false), s.isNaN(x));
  return arith::BitcastOp::create(s.b, s.loc, f32,
                                  s.select(isExact, bits, odd));
}

/// Brings a narrow integer's pattern to 8 bits of the same signedness.
static Value extendNarrow(Scalars &s, Value pattern, Type from) {
  if (isUnsigned(from))
    return pattern;
  Type i8 = s.b.getI8Type();
  Value unused = s.integer(i8, 8 - from.getIntOrFloatBitWidth());
  return arith::ShRSIOp::create(
      s.b, s.loc, arith::ShLIOp::create(s.b, s.loc, pattern, unused), unused);
}

Value Scalars::convert(Value x, Type from, Type to, const NarrowRounding &how) {
  if (from == to)
    return x;
  if (isNarrowInteger(from)) {
    x = extendNarrow(*this, x, from);
    from = b.getIntegerType(8, !isUnsigned(from));
    if (!from.isUnsignedInteger())
      from = b.getI8Type();
  } else if (isNarrowFloat(from)) {
    x = decodeFloat(*this, x, cast<FloatType>(from));
    from = b.getF32Type();
  }
  if (isNarrowFloat(to)) {
    bool isWide = from.isF64() || from.isIntOrIndex();
    x = isWide ? roundToOdd(*this, convert(x, from, b.getF64Type()))
               : convert(x, from, b.getF32Type());
    return encodeFloat(*this, x, cast<FloatType>(to), how);
  }
  if (isNarrowInteger(to))
    return logicalAnd(
        convert(x, from, b.getI8Type()),
        integer(b.getI8Type(), (1 << to.getIntOrFloatBitWidth()) - 1));
  if (from == to)
    return x;
  Type target = signless(to);
  if (auto floating = dyn_cast<FloatType>(from)) {
    if (to.isInteger(1))
      return compare(Comparison::NotEqual, x, constant(from, 0), false);
    if (auto targetFloat = dyn_cast<FloatType>(to)) {
      unsigned width = floating.getWidth(),
               targetWidth = targetFloat.getWidth();
      if (width < targetWidth)
        return arith::ExtFOp::create(b, loc, target, x);
      if (width > targetWidth)
        return arith::TruncFOp::create(b, loc, target, x);
      return arith::TruncFOp::create(
          b, loc, target, arith::ExtFOp::create(b, loc, b.getF32Type(), x));
    }
    // By way of a wide integer, so that values beyond a narrow type wrap as in
    // C instead of being undefined.
    unsigned width = target.getIntOrFloatBitWidth();
    Value wide = x;
    if (from.isF16() || from.isBF16())
      wide = arith::ExtFOp::create(b, loc, b.getF32Type(), x);
    if (width == 64 && isUnsigned(to))
      return arith::FPToUIOp::create(b, loc, target, wide);
    Type wideType = b.getIntegerType(width < 32 ? 32 : 64);
    if (width == 32 && !isUnsigned(to))
      wideType = b.getI32Type();
    Value integer = arith::FPToSIOp::create(b, loc, wideType, wide);
    if (wideType != target)
      integer = arith::TruncIOp::create(b, loc, target, integer);
    return integer;
  }
  bool sourceUnsigned = isUnsigned(from) || from.isInteger(1);
  if (isa<FloatType>(to)) {
    Type wide = computeType(to);
    Value number = sourceUnsigned
                       ? Value(arith::UIToFPOp::create(b, loc, wide, x))
                       : Value(arith::SIToFPOp::create(b, loc, wide, x));
    if (wide != to)
      number = arith::TruncFOp::create(b, loc, to, number);
    return number;
  }
  if (to.isInteger(1))
    return compare(Comparison::NotEqual, x, integer(x.getType(), 0), false);
  unsigned width = x.getType().getIntOrFloatBitWidth();
  unsigned targetWidth = target.getIntOrFloatBitWidth();
  if (width == targetWidth)
    return x;
  if (width > targetWidth)
    return arith::TruncIOp::create(b, loc, target, x);
  if (sourceUnsigned)
    return arith::ExtUIOp::create(b, loc, target, x);
  return arith::ExtSIOp::create(b, loc, target, x);
}

Value Scalars::saturate(Value x, Type to) {
  // In double when the bounds need it, so that they are exact.
  Type target = signless(to);
  unsigned width = target.getIntOrFloatBitWidth();
  if (width >= 32 && !x.getType().isF64())
    x = arith::ExtFOp::create(b, loc, b.getF64Type(), x);
  bool unsignedTarget = isUnsigned(to);
  llvm::APInt low = unsignedTarget ? llvm::APInt::getZero(width)
                                   : llvm::APInt::getSignedMinValue(width);
  llvm::APInt high = unsignedTarget ? llvm::APInt::getMaxValue(width)
                                    : llvm::APInt::getSignedMaxValue(width);
  x = select(isNaN(x), constant(x.getType(), 0), x);
  x = atLeast(x, constant(x.getType(), low.roundToDouble(!unsignedTarget)));
  x = atMost(x, constant(x.getType(), high.roundToDouble(!unsignedTarget)));
  return convert(x, x.getType(), to);
}

Value Scalars::toIndex(Value x, bool isUnsigned) {
  if (isUnsigned)
    return b.createOrFold<arith::IndexCastUIOp>(loc, b.getIndexType(), x);
  return b.createOrFold<arith::IndexCastOp>(loc, b.getIndexType(), x);
}
Value Scalars::fromIndex(Value x, Type to) {
  if (isa<FloatType>(to)) {
    Value integer = b.createOrFold<arith::IndexCastOp>(loc, b.getI64Type(), x);
    return arith::SIToFPOp::create(b, loc, to, integer);
  }
  if (to.isInteger(1))
    return compare(Comparison::NotEqual, x, integer(x.getType(), 0), false);
  return b.createOrFold<arith::IndexCastOp>(loc, signless(to), x);
}

Value Scalars::exp(Value x) { return math::ExpOp::create(b, loc, x); }
Value Scalars::log(Value x) { return math::LogOp::create(b, loc, x); }
Value Scalars::log1p(Value x) { return math::Log1pOp::create(b, loc, x); }
Value Scalars::tanh(Value x) { return math::TanhOp::create(b, loc, x); }

Value Scalars::approximateTanh(Value x) {
  return math::TanhOp::create(b, loc, x, arith::FastMathFlags::afn);
}
Value Scalars::sqrt(Value x) { return math::SqrtOp::create(b, loc, x); }
Value Scalars::erf(Value x) { return math::ErfOp::create(b, loc, x); }

Value Scalars::approximateErf(Value x) {
  return math::ErfOp::create(b, loc, x, arith::FastMathFlags::afn);
}

Value Scalars::multiplyAdd(Value x, Value y, Value z) {
  auto fused = arith::FastMathFlags::contract;
  Value product = arith::MulFOp::create(b, loc, x, y, fused);
  return arith::AddFOp::create(b, loc, product, z, fused);
}
Value Scalars::floor(Value x) { return math::FloorOp::create(b, loc, x); }
Value Scalars::ceil(Value x) { return math::CeilOp::create(b, loc, x); }
Value Scalars::roundEven(Value x) {
  return math::RoundEvenOp::create(b, loc, x);
}
Value Scalars::abs(Value x) {
  if (isFloat(x))
    return math::AbsFOp::create(b, loc, x);
  return select(compare(Comparison::Less, x, integer(x.getType(), 0), false),
                negate(x), x);
}
/// 1/2 plus an odd polynomial over an even one, as ONNX Runtime computes it:
/// the same to the last bit, within 1.7e-7 whatever the result, and two thirds
/// of the time of an exponential.
static Value sigmoidOfFloat(Scalars &s, Value x) {
  Type type = x.getType();
  auto number = [&](double value) { return s.constant(type, value); };
  auto below = [&](Value a, Value b) {
    return s.compare(Comparison::Less, a, b, false);
  };
  // Beyond 18 it is 0 or 1; NaN stays.
  x = s.select(below(x, number(-18)), number(-18), x);
  x = s.select(below(number(18), x), number(18), x);
  Value square = s.mul(x, x);
  auto polynomial = [&](ArrayRef<double> coefficients) {
    Value sum = number(coefficients.front());
    for (double coefficient : coefficients.drop_front())
      sum = s.multiplyAdd(sum, square, number(coefficient));
    return sum;
  };
  Value odd = s.mul(polynomial({4.37031012579801e-11, 1.15627324459942e-07,
                                6.08574864600143e-05, 8.51377133304701e-03,
                                2.48287947061529e-01}),
                    x);
  Value even = polynomial({6.10247389755681e-13, 5.76102136993427e-09,
                           6.29106785017040e-06, 1.70198817374094e-03,
                           1.16817656904453e-01, 9.93151921023180e-01});
  Value result = s.add(s.div(odd, even, false), number(0.5));
  return s.select(below(result, number(0)), number(0), result);
}

Value Scalars::sigmoid(Value x) {
  if (x.getType().isF32())
    return sigmoidOfFloat(*this, x);
  // exp overflows to infinity for very negative x, and 1 / infinity is 0.
  Value one = constant(x.getType(), 1);
  return div(one, add(one, exp(negate(x))), false);
}
