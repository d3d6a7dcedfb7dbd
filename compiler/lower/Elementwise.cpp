//===- Elementwise.cpp - Arithmetic, logic, comparison, rounding ----------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/NarrowTypes.h"
#include "compiler/lower/Strings.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace onnxc;

Value onnxc::toFloat(Scalars &s, Value x, Type type) {
  if (x.getType() == type)
    return x;
  Value converted = s.convert(x, x.getType(), type);
  if (auto op = converted.getDefiningOp<arith::ArithFastMathInterface>())
    op->setAttr(op.getFastMathAttrName(),
                arith::FastMathFlagsAttr::get(s.b.getContext(),
                                              arith::FastMathFlags::contract));
  return converted;
}

Value onnxc::widen(Scalars &s, Value x) {
  Type type = x.getType();
  if (!isa<FloatType>(type))
    return x;
  return toFloat(s, x, computeType(type));
}

Value onnxc::elementwise(Lowering &l, Type resultElement, ArrayRef<Value> onnx,
                         ScalarBody body) {
  Type result = signless(resultElement);
  return l.broadcast(result, onnx, [&](OpBuilder &nested, ValueRange in) {
    Scalars s{nested, l.loc};
    SmallVector<Value> wide;
    for (Value value : in)
      wide.push_back(widen(s, value));
    Value out = body(s, wide);
    if (isa<FloatType>(result) && out.getType() != result)
      out = toFloat(s, out, result);
    return out;
  });
}

LogicalResult onnxc::elementwiseNode(Lowering &l, OnnxNode n, ScalarBody body) {
  l.set(n.out(), elementwise(l, l.elementType(n.out()), n.present(), body));
  return success();
}

/// Registers a unary operator on numbers.
#define UNARY(NAME, EXPRESSION)                                                \
  table.onOp(NAME, [](Lowering &l, OnnxNode n) {                               \
    return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) {         \
      Value x = in[0];                                                         \
      (void)x;                                                                 \
      return Value(EXPRESSION);                                                \
    });                                                                        \
  })

/// Registers a binary operator; `u` tells whether the operands are unsigned.
#define BINARY(NAME, EXPRESSION)                                               \
  table.onOp(NAME, [](Lowering &l, OnnxNode n) {                               \
    bool u = isUnsigned(l.elementType(n.in(0)));                               \
    return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) {         \
      Value x = in[0], y = in[1];                                              \
      (void)u;                                                                 \
      return Value(EXPRESSION);                                                \
    });                                                                        \
  })

/// A unary operation of the math dialect.
template <typename OpTy> static Value unaryMath(Scalars &s, Value x) {
  return OpTy::create(s.b, s.loc, x);
}

static Value sign(Scalars &s, Value x, bool isUnsigned) {
  Type type = x.getType();
  Value zero = s.constant(type, 0), one = s.constant(type, 1);
  Value positive = s.compare(Comparison::Greater, x, zero, isUnsigned);
  if (isUnsigned)
    return s.select(positive, one, zero);
  Value negative = s.compare(Comparison::Less, x, zero, false);
  // What is neither stays: zero, and NaN.
  return s.select(positive, one, s.select(negative, s.constant(type, -1), x));
}

/// Integer power by squaring. Exponents below 0 give 0 except for base 1 and
/// -1.
static Value integerPower(Scalars &s, Value x, Value y, bool exponentUnsigned) {
  Type type = x.getType();
  Value one = s.integer(type, 1);
  Type exponentType = y.getType();
  Value result = one, base = x;
  unsigned bits = std::min(exponentType.getIntOrFloatBitWidth(), 9u);
  for (unsigned bit = 0; bit < bits; ++bit) {
    Value mask = s.integer(exponentType, int64_t(1) << bit);
    Value set = s.compare(Comparison::NotEqual, s.logicalAnd(y, mask),
                          s.integer(exponentType, 0), false);
    result = s.select(set, s.mul(result, base), result);
    if (bit + 1 < bits)
      base = s.mul(base, base);
  }
  if (exponentUnsigned)
    return result;
  Value negative =
      s.compare(Comparison::Less, y, s.integer(exponentType, 0), false);
  Value magnitudeOne =
      s.logicalOr(s.compare(Comparison::Equal, x, one, false),
                  s.compare(Comparison::Equal, x, s.integer(type, -1), false));
  return s.select(s.logicalAnd(negative, s.logicalNot(magnitudeOne)),
                  s.integer(type, 0), result);
}

static LogicalResult lowerPow(Lowering &l, OnnxNode n) {
  Type base = l.elementType(n.in(0)), exponent = l.elementType(n.in(1));
  if (isa<FloatType>(base)) {
    if (auto constant = l.reals(n.in(1), 1)) {
      double value = (*constant)[0];
      bool known = value == 2 || value == 3 || value == 0.5 || value == 1;
      // The result has the base's shape only if the exponent adds no dims.
      if (known && l.rank(n.in(1)) <= l.rank(n.in(0))) {
        Value out =
            elementwise(l, base, n.in(0), [&](Scalars &s, ArrayRef<Value> in) {
              Value x = in[0];
              if (value == 2)
                return s.mul(x, x);
              if (value == 3)
                return s.mul(s.mul(x, x), x);
              return value == 1 ? x : s.sqrt(x);
            });
        l.set(n.out(), out);
        return success();
      }
    }
  }
  return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) -> Value {
    Value x = in[0], y = in[1];
    if (!isa<FloatType>(base) && !isa<FloatType>(exponent))
      return integerPower(s, x, y, isUnsigned(exponent));
    // Computed in the wider of both; integers in double.
    Type type = isa<FloatType>(base) ? x.getType() : s.b.getF64Type();
    if (y.getType().isF64())
      type = y.getType();
    Type from = isa<FloatType>(base) ? x.getType() : base;
    x = s.convert(x, from, type);
    y = s.convert(y, isa<FloatType>(exponent) ? y.getType() : exponent, type);
    Value power = math::PowFOp::create(s.b, s.loc, x, y);
    if (isa<FloatType>(base))
      return power;
    return s.convert(power, type, base);
  });
}

/// x - floor(x / y) * y: the remainder moved to the sign of the divisor.
static Value floorMod(Scalars &s, Value x, Value y) {
  Type type = x.getType();
  Value zero = s.constant(type, 0);
  Value rest = s.remainder(x, y, false);
  Value differs = arith::XOrIOp::create(
      s.b, s.loc, s.compare(Comparison::Less, rest, zero, false),
      s.compare(Comparison::Less, y, zero, false));
  Value moved = s.select(differs, s.add(rest, y), rest);
  Value isZero = s.compare(Comparison::Equal, rest, zero, false);
  return s.select(isZero, math::CopySignOp::create(s.b, s.loc, zero, y), moved);
}

static LogicalResult lowerMod(Lowering &l, OnnxNode n) {
  bool remainder = n.integer("fmod", 0) != 0;
  Type type = l.elementType(n.in(0));
  return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) {
    bool u = isUnsigned(type);
    if (isa<FloatType>(type) && !remainder)
      return floorMod(s, in[0], in[1]);
    return remainder ? s.remainder(in[0], in[1], u) : s.mod(in[0], in[1], u);
  });
}

static LogicalResult lowerBitShift(Lowering &l, OnnxNode n) {
  bool left = n.string("direction", "") == "LEFT";
  bool isArithmetic = !left && !isUnsigned(l.elementType(n.in(0)));
  return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) {
    Type type = in[0].getType();
    int64_t bits = type.getIntOrFloatBitWidth();
    Value width = s.integer(type, bits);
    // A negative amount counts as too large a one.
    Value fits = s.compare(Comparison::Less, in[1], width, true);
    if (isArithmetic) // the sign bit fills everything
      return Value(arith::ShRSIOp::create(
          s.b, s.loc, in[0], s.select(fits, in[1], s.integer(type, bits - 1))));
    Value amount = s.select(fits, in[1], s.integer(type, 0));
    Value shifted =
        left ? Value(arith::ShLIOp::create(s.b, s.loc, in[0], amount))
             : Value(arith::ShRUIOp::create(s.b, s.loc, in[0], amount));
    return s.select(fits, shifted, s.integer(type, 0));
  });
}

/// A question to each number, those of 8 bits widened.
static LogicalResult classify(Lowering &l, OnnxNode n,
                              function_ref<Value(Scalars &, Value)> question) {
  Type type = l.elementType(n.in(0));
  Type wide = isNarrowFloat(type) ? l.b.getF32Type() : computeType(type);
  l.set(n.out(), l.broadcast(l.b.getI1Type(), n.in(0),
                             [&](OpBuilder &nested, ValueRange in) {
                               Scalars s{nested, l.loc};
                               return question(s, s.convert(in[0], type, wide));
                             }));
  return success();
}

static LogicalResult lowerIsNaN(Lowering &l, OnnxNode n) {
  return classify(l, n, [](Scalars &s, Value x) { return s.isNaN(x); });
}

static LogicalResult lowerIsInf(Lowering &l, OnnxNode n) {
  bool positive = n.integer("detect_positive", 1);
  bool negative = n.integer("detect_negative", 1);
  return classify(l, n, [&](Scalars &s, Value x) {
    Type type = x.getType();
    double infinity = std::numeric_limits<double>::infinity();
    Value result = s.integer(s.b.getI1Type(), 0);
    if (positive)
      result =
          s.logicalOr(result, s.compare(Comparison::Equal, x,
                                        s.constant(type, infinity), false));
    if (negative)
      result =
          s.logicalOr(result, s.compare(Comparison::Equal, x,
                                        s.constant(type, -infinity), false));
    return result;
  });
}

/// Max, Min, Sum, Mean: any number of operands.
enum class Variadic { Max, Min, Sum, Mean };
template <Variadic kind>
static LogicalResult lowerVariadic(Lowering &l, OnnxNode n) {
  bool u = isUnsigned(l.elementType(n.out()));
  return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) {
    Value result = in[0];
    for (Value x : in.drop_front()) {
      if (kind == Variadic::Max)
        result = s.max(result, x, u);
      else if (kind == Variadic::Min)
        result = s.min(result, x, u);
      else
        result = s.add(result, x);
    }
    if (kind == Variadic::Mean)
      result = s.div(result, s.constant(result.getType(), in.size()), false);
    return result;
  });
}

static LogicalResult lowerEqual(Lowering &l, OnnxNode n) {
  if (isString(l.elementType(n.in(0))))
    return lowerStringEqual(l, n);
  bool u = isUnsigned(l.elementType(n.in(0)));
  return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) {
    return s.compare(Comparison::Equal, in[0], in[1], u);
  });
}

static LogicalResult lowerCast(Lowering &l, OnnxNode n) {
  Type from = l.elementType(n.in(0)), to = l.elementType(n.out());
  if (from == to) {
    l.set(n.out(), l.value(n.in(0)));
    return success();
  }
  if (isString(from) || isString(to))
    return lowerStringCast(l, n);
  NarrowRounding how;
  how.saturate = n.integer("saturate", 1) != 0;
  StringRef direction = n.string("round_mode", "up");
  if (direction == "down")
    how.direction = NarrowRounding::Down;
  else if (direction == "nearest")
    how.direction = NarrowRounding::Nearest;
  else if (direction != "up")
    return l.refuse("round_mode is none of up, down and nearest");
  l.set(
      n.out(),
      l.broadcast(signless(to), n.in(0), [&](OpBuilder &nested, ValueRange in) {
        return Scalars{nested, l.loc}.convert(in[0], from, to, how);
      }));
  return success();
}

static LogicalResult lowerClip(Lowering &l, OnnxNode n) {
  Type type = l.elementType(n.in(0));
  bool u = isUnsigned(type);
  SmallVector<Value> operands = {n.in(0)};
  Value low = n.in(1), high = n.in(2);
  if (low)
    operands.push_back(low);
  if (high)
    operands.push_back(high);
  l.set(n.out(),
        elementwise(l, type, operands, [&](Scalars &s, ArrayRef<Value> in) {
          Value x = in[0];
          size_t next = 1;
          if (low)
            x = s.atLeast(x, in[next++], u);
          if (high)
            x = s.atMost(x, in[next++], u);
          return x;
        }));
  return success();
}

/// Bits of an element as BitCast counts them: a bool takes a byte.
static unsigned elementBits(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * complex.getElementType().getIntOrFloatBitWidth();
  return type.isInteger(1) ? 8 : type.getIntOrFloatBitWidth();
}

static LogicalResult lowerBitCast(Lowering &l, OnnxNode n) {
  Type from = l.elementType(n.in(0)), to = l.elementType(n.out());
  if (elementBits(from) != elementBits(to))
    return l.refuse("the element types have " + Twine(elementBits(from)) +
                    " and " + Twine(elementBits(to)) +
                    " bits; a bit cast keeps the size");
  from = signless(from);
  to = signless(to);
  if (from == to) {
    l.set(n.out(), l.value(n.in(0)));
    return success();
  }
  l.set(
      n.out(),
      l.broadcast(to, n.in(0), [&](OpBuilder &nested, ValueRange in) -> Value {
        if (from.isInteger(1))
          return arith::ExtUIOp::create(nested, l.loc, to, in[0]);
        if (to.isInteger(1)) // every pattern but 0 is true
          return arith::CmpIOp::create(
              nested, l.loc, arith::CmpIPredicate::ne, in[0],
              arith::ConstantIntOp::create(nested, l.loc, from, 0));
        return arith::BitcastOp::create(nested, l.loc, to, in[0]);
      }));
  return success();
}

void onnxc::addElementwise(LoweringTable &table) {
  BINARY("Add", s.add(x, y));
  BINARY("Sub", s.sub(x, y));
  BINARY("Mul", s.mul(x, y));
  BINARY("Div", s.div(x, y, u));
  table.onOp("Pow", lowerPow);
  table.onOp("Mod", lowerMod);
  table.onOp("Max", lowerVariadic<Variadic::Max>);
  table.onOp("Min", lowerVariadic<Variadic::Min>);
  table.onOp("Sum", lowerVariadic<Variadic::Sum>);
  table.onOp("Mean", lowerVariadic<Variadic::Mean>);

  table.onOp("Equal", lowerEqual);
  BINARY("Less", s.compare(Comparison::Less, x, y, u));
  BINARY("LessOrEqual", s.compare(Comparison::LessOrEqual, x, y, u));
  BINARY("Greater", s.compare(Comparison::Greater, x, y, u));
  BINARY("GreaterOrEqual", s.compare(Comparison::GreaterOrEqual, x, y, u));
  BINARY("And", s.logicalAnd(x, y));
  BINARY("Or", s.logicalOr(x, y));
  BINARY("Xor", arith::XOrIOp::create(s.b, s.loc, x, y));
  BINARY("BitwiseAnd", s.logicalAnd(x, y));
  BINARY("BitwiseOr", s.logicalOr(x, y));
  BINARY("BitwiseXor", arith::XOrIOp::create(s.b, s.loc, x, y));
  table.onOp("BitShift", lowerBitShift);
  UNARY("Not", s.logicalNot(x));
  UNARY("BitwiseNot",
        arith::XOrIOp::create(s.b, s.loc, x, s.integer(x.getType(), -1)));
  table.onOp("Where", [](Lowering &l, OnnxNode n) {
    return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) {
      return s.select(in[0], in[1], in[2]);
    });
  });

  table.onOp("Abs", [](Lowering &l, OnnxNode n) {
    bool u = isUnsigned(l.elementType(n.in(0)));
    return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) {
      return u ? in[0] : s.abs(in[0]);
    });
  });
  table.onOp("Sign", [](Lowering &l, OnnxNode n) {
    bool u = isUnsigned(l.elementType(n.in(0)));
    return elementwiseNode(l, n, [&](Scalars &s, ArrayRef<Value> in) {
      return sign(s, in[0], u);
    });
  });
  UNARY("Neg", s.negate(x));
  UNARY("Reciprocal", s.div(s.constant(x.getType(), 1), x, false));
  UNARY("Sqrt", s.sqrt(x));
  UNARY("Exp", s.exp(x));
  UNARY("Log", s.log(x));
  UNARY("Floor", s.floor(x));
  UNARY("Ceil", s.ceil(x));
  UNARY("Round", s.roundEven(x));
  UNARY("Erf", s.erf(x));
  UNARY("Tanh", s.tanh(x));
  UNARY("Sin", unaryMath<math::SinOp>(s, x));
  UNARY("Cos", unaryMath<math::CosOp>(s, x));
  UNARY("Tan", unaryMath<math::TanOp>(s, x));
  UNARY("Asin", unaryMath<math::AsinOp>(s, x));
  UNARY("Acos", unaryMath<math::AcosOp>(s, x));
  UNARY("Atan", unaryMath<math::AtanOp>(s, x));
  UNARY("Sinh", unaryMath<math::SinhOp>(s, x));
  UNARY("Cosh", unaryMath<math::CoshOp>(s, x));
  UNARY("Asinh", unaryMath<math::AsinhOp>(s, x));
  UNARY("Acosh", unaryMath<math::AcoshOp>(s, x));
  UNARY("Atanh", unaryMath<math::AtanhOp>(s, x));
  table.onOp("IsNaN", lowerIsNaN);
  table.onOp("IsInf", lowerIsInf);

  table.onOp("Cast", lowerCast);
  table.onOp("CastLike", lowerCast);
  table.onOp("BitCast", lowerBitCast);
  table.onOp("Clip", lowerClip);
}
