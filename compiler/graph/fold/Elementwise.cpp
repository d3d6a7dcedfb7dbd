//===- Elementwise.cpp - Element-wise operators on constants --------------===//
//
// Floats are computed as f64 and rounded once, which for the basic operations
// is what the narrower arithmetic gives. Integers wrap at their width.
//
//===----------------------------------------------------------------------===//

#include "compiler/graph/fold/Evaluator.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace onnxc;
using namespace onnxc::fold;

using RealBinary = double (*)(double, double);
/// nullopt: undefined for these operands, so not folded.
using IntegerBinary = std::optional<int64_t> (*)(int64_t, int64_t);
using RealUnary = double (*)(double);

static bool supported(Type type) {
  if (type.isInteger())
    return type.getIntOrFloatBitWidth() <= 64;
  return type.isF32() || type.isF64() || type.isF16() || type.isBF16();
}

/// Whether all operands are there and hold numbers of types that these
/// functions compute with; u64 is not, for it does not fit in int64_t.
static bool ready(const Evaluation &evaluation) {
  if (!evaluation.dims[0] || !supported(evaluation.resultElementType()))
    return false;
  for (const auto &operand : evaluation.operands)
    if (operand && (!supported(operand->elementType()) ||
                    operand->elementType().isUnsignedInteger(64)))
      return false;
  return !evaluation.resultElementType().isUnsignedInteger(64);
}

static bool allSplat(const Evaluation &evaluation) {
  return llvm::all_of(evaluation.operands, [](const auto &operand) {
    return !operand || operand->isSplat() || operand->count() == 1;
  });
}

/// Calls `set(result index, positions of each operand)` for what must be
/// stored. Stops when it returns false.
static bool
visitBroadcast(const Evaluation &evaluation, Result &result,
               llvm::function_ref<bool(int64_t, ArrayRef<int64_t>)> set) {
  size_t count = evaluation.operands.size(), rank = result.dims().size();
  SmallVector<int64_t> indices(count, 0);
  if (result.stored() < result.count())
    return set(0, indices);
  // How far an operand's index goes with each axis: not at all where its dim
  // is 1 or missing.
  SmallVector<SmallVector<int64_t>> steps(count, SmallVector<int64_t>(rank, 0));
  for (auto [step, operand] : llvm::zip_equal(steps, evaluation.operands)) {
    if (!operand)
      continue;
    size_t skipped = rank - operand->rank();
    for (auto [axis, stride] : llvm::enumerate(strides(operand->dims())))
      step[axis + skipped] = operand->dims()[axis] == 1 ? 0 : stride;
  }
  SmallVector<int64_t> position(rank, 0);
  for (int64_t index = 0; index < result.count(); ++index) {
    if (!set(index, indices))
      return false;
    for (size_t axis = rank; axis-- > 0;) {
      bool isEnd = ++position[axis] == result.dims()[axis];
      int64_t moves = isEnd ? 1 - position[axis] : 1;
      for (size_t i = 0; i < count; ++i)
        indices[i] += moves * steps[i][axis];
      if (!isEnd)
        break;
      position[axis] = 0;
    }
  }
  return true;
}

template <RealBinary onReals, IntegerBinary onIntegers>
static Results binary(const Evaluation &evaluation) {
  if (!ready(evaluation) || evaluation.operands.empty())
    return std::nullopt;
  for (const auto &operand : evaluation.operands)
    if (!operand)
      return std::nullopt;
  Result result(*evaluation.dims[0], evaluation.resultElementType(),
                allSplat(evaluation));
  bool isReal = evaluation.operand(0).isFloat();
  bool done = visitBroadcast(
      evaluation, result, [&](int64_t index, ArrayRef<int64_t> places) {
        if (isReal) {
          double value = evaluation.operand(0).real(places[0]);
          for (size_t i = 1; i < places.size(); ++i)
            value = onReals(value, evaluation.operand(i).real(places[i]));
          if (isa<FloatType>(result.elementType()))
            result.setReal(index, value);
          else
            result.setInteger(index, value != 0);
          return true;
        }
        std::optional<int64_t> value = evaluation.operand(0).integer(places[0]);
        for (size_t i = 1; i < places.size() && value; ++i)
          value = evaluation.operand(i).isFloat()
                      ? std::nullopt
                      : onIntegers(*value,
                                   evaluation.operand(i).integer(places[i]));
        if (!value || !result.elementType().isInteger())
          return false;
        result.setInteger(index, *value);
        return true;
      });
  if (!done)
    return std::nullopt;
  return SmallVector<ElementsAttr>{result.take()};
}

template <RealUnary onReals>
static Results unary(const Evaluation &evaluation) {
  if (!ready(evaluation) || !evaluation.operand(0).isFloat() ||
      !isa<FloatType>(evaluation.resultElementType()))
    return std::nullopt;
  Result result(*evaluation.dims[0], evaluation.resultElementType(),
                allSplat(evaluation));
  for (int64_t index = 0; index < result.stored(); ++index)
    result.setReal(index, onReals(evaluation.operand(0).real(index)));
  return SmallVector<ElementsAttr>{result.take()};
}

/// A unary operator of floats and integers alike.
template <RealUnary onReals, int64_t (*onIntegers)(int64_t)>
static Results numericUnary(const Evaluation &evaluation) {
  if (!ready(evaluation))
    return std::nullopt;
  if (evaluation.operand(0).isFloat())
    return unary<onReals>(evaluation);
  Result result(*evaluation.dims[0], evaluation.resultElementType(),
                allSplat(evaluation));
  for (int64_t index = 0; index < result.stored(); ++index)
    result.setInteger(index, onIntegers(evaluation.operand(0).integer(index)));
  return SmallVector<ElementsAttr>{result.take()};
}

//===----------------------------------------------------------------------===//
// The functions
//===----------------------------------------------------------------------===//

// Integer arithmetic wraps, so it is done on unsigned numbers.
static uint64_t u(int64_t value) { return static_cast<uint64_t>(value); }

static double addReal(double a, double b) { return a + b; }
static double subReal(double a, double b) { return a - b; }
static double mulReal(double a, double b) { return a * b; }
static double divReal(double a, double b) { return a / b; }
static double maxReal(double a, double b) {
  return std::isnan(a) || a > b ? a : b;
}
static double minReal(double a, double b) {
  return std::isnan(a) || a < b ? a : b;
}
static double equalReal(double a, double b) { return a == b; }
static double lessReal(double a, double b) { return a < b; }
static double lessEqualReal(double a, double b) { return a <= b; }
static double greaterReal(double a, double b) { return a > b; }
static double greaterEqualReal(double a, double b) { return a >= b; }

using Integer = std::optional<int64_t>;
static Integer addInteger(int64_t a, int64_t b) { return u(a) + u(b); }
static Integer subInteger(int64_t a, int64_t b) { return u(a) - u(b); }
static Integer mulInteger(int64_t a, int64_t b) { return u(a) * u(b); }
static Integer divInteger(int64_t a, int64_t b) {
  if (b == 0 || b == -1)
    return b == 0 ? Integer() : Integer(0 - u(a));
  return a / b;
}
static Integer maxInteger(int64_t a, int64_t b) { return std::max(a, b); }
static Integer minInteger(int64_t a, int64_t b) { return std::min(a, b); }
static Integer equalInteger(int64_t a, int64_t b) { return a == b; }
static Integer lessInteger(int64_t a, int64_t b) { return a < b; }
static Integer lessEqualInteger(int64_t a, int64_t b) { return a <= b; }
static Integer greaterInteger(int64_t a, int64_t b) { return a > b; }
static Integer greaterEqualInteger(int64_t a, int64_t b) { return a >= b; }
static Integer andInteger(int64_t a, int64_t b) { return a & b; }
static Integer orInteger(int64_t a, int64_t b) { return a | b; }
static Integer xorInteger(int64_t a, int64_t b) { return a ^ b; }
static Integer leftInteger(int64_t a, int64_t b) {
  return b >= 0 && b < 64 ? u(a) << b : 0;
}
static Integer rightInteger(int64_t a, int64_t b) {
  return b >= 0 && b < 64 ? u(a) >> b : 0;
}
/// The sign fills what an amount that is negative or too large leaves.
static Integer signedRightInteger(int64_t a, int64_t b) {
  return a >> (b >= 0 && b < 64 ? b : 63);
}
/// Python's: the sign of the divisor.
static Integer modInteger(int64_t a, int64_t b) {
  if (b == 0 || b == -1)
    return b == 0 ? Integer() : Integer(0);
  int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
/// C's: the sign of the dividend.
static Integer remInteger(int64_t a, int64_t b) {
  if (b == 0 || b == -1)
    return b == 0 ? Integer() : Integer(0);
  return a % b;
}
static Integer powInteger(int64_t a, int64_t b) {
  if (b < 0)
    return std::nullopt;
  uint64_t result = 1, base = u(a);
  for (; b > 0; b >>= 1, base *= base)
    if (b & 1)
      result *= base;
  return result;
}
static double remReal(double a, double b) { return std::fmod(a, b); }
static double powReal(double a, double b) { return std::pow(a, b); }

static double absReal(double x) { return std::fabs(x); }
static double negReal(double x) { return -x; }
static double signReal(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static int64_t absOf(int64_t x) { return x < 0 ? 0 - u(x) : x; }
static int64_t negOf(int64_t x) { return 0 - u(x); }
static int64_t signOf(int64_t x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
static int64_t reluOf(int64_t x) { return std::max<int64_t>(x, 0); }
static double reluReal(double x) { return x < 0 ? 0 : x; }
static double sqrtReal(double x) { return std::sqrt(x); }
static double expReal(double x) { return std::exp(x); }
static double logReal(double x) { return std::log(x); }
static double floorReal(double x) { return std::floor(x); }
static double ceilReal(double x) { return std::ceil(x); }
static double roundReal(double x) { return std::nearbyint(x); }
static double sinReal(double x) { return std::sin(x); }
static double cosReal(double x) { return std::cos(x); }
static double tanhReal(double x) { return std::tanh(x); }
static double erfReal(double x) { return std::erf(x); }
static double reciprocalReal(double x) { return 1 / x; }
static double sigmoidReal(double x) { return 1 / (1 + std::exp(-x)); }
static double geluReal(double x) {
  return x / 2 * (1 + std::erf(x / llvm::numbers::sqrt2));
}
static double geluByTanhReal(double x) {
  double inner = x + 0.044715 * x * x * x;
  return x / 2 * (1 + std::tanh(std::sqrt(2 / llvm::numbers::pi) * inner));
}

static Results gelu(const Evaluation &evaluation) {
  auto approximate = evaluation.op->getAttrOfType<StringAttr>("approximate");
  return approximate && approximate.getValue() == "tanh"
             ? unary<geluByTanhReal>(evaluation)
             : unary<geluReal>(evaluation);
}

static Results mod(const Evaluation &evaluation) {
  if (evaluation.integer("fmod", 0))
    return binary<remReal, remInteger>(evaluation);
  if (evaluation.operand(0).isFloat())
    return std::nullopt;
  return binary<remReal, modInteger>(evaluation);
}

/// Of unsigned integers.
static Results bitShift(const Evaluation &evaluation) {
  if (evaluation.operand(0).isFloat())
    return std::nullopt;
  auto direction = evaluation.op->getAttrOfType<StringAttr>("direction");
  if (!direction)
    return std::nullopt;
  if (direction.getValue() == "LEFT")
    return binary<mulReal, leftInteger>(evaluation);
  return evaluation.operand(0).elementType().isUnsignedInteger()
             ? binary<mulReal, rightInteger>(evaluation)
             : binary<mulReal, signedRightInteger>(evaluation);
}

static Results logicalNot(const Evaluation &evaluation) {
  if (!ready(evaluation) || !evaluation.operand(0).isInteger())
    return std::nullopt;
  Result result(*evaluation.dims[0], evaluation.resultElementType(),
                allSplat(evaluation));
  for (int64_t index = 0; index < result.stored(); ++index)
    result.setInteger(index, !evaluation.operand(0).integer(index));
  return SmallVector<ElementsAttr>{result.take()};
}

static Results where(const Evaluation &evaluation) {
  if (!evaluation.dims[0] || evaluation.operands.size() != 3)
    return std::nullopt;
  for (const auto &operand : evaluation.operands)
    if (!operand)
      return std::nullopt;
  if (!evaluation.operand(0).isInteger() ||
      evaluation.operand(1).elementType() !=
          evaluation.operand(2).elementType())
    return std::nullopt;
  Result result(*evaluation.dims[0], evaluation.operand(1).elementType(),
                allSplat(evaluation));
  visitBroadcast(
      evaluation, result, [&](int64_t index, ArrayRef<int64_t> places) {
        unsigned from = evaluation.operand(0).integer(places[0]) ? 1 : 2;
        result.setBytes(index, evaluation.operand(from).bytes(places[from]));
        return true;
      });
  return SmallVector<ElementsAttr>{result.take()};
}

/// Cast between numbers; a float that no integer of the type can hold is not
/// folded.
static Results cast(const Evaluation &evaluation) {
  if (!ready(evaluation) || !evaluation.present(0))
    return std::nullopt;
  const Operand &from = evaluation.operand(0);
  Type to = evaluation.resultElementType();
  Result result(*evaluation.dims[0], to, allSplat(evaluation));
  for (int64_t index = 0; index < result.stored(); ++index) {
    if (isa<FloatType>(to)) {
      // Straight to f32: through f64, large integers would round twice.
      if (from.isInteger() && to.isF32())
        result.setReal(index, static_cast<float>(from.integer(index)));
      else
        result.setReal(index, from.real(index));
    } else if (from.isInteger()) {
      result.setInteger(index, from.integer(index));
    } else if (to.isInteger(1)) {
      result.setInteger(index, from.real(index) != 0);
    } else {
      double value = std::trunc(from.real(index));
      unsigned bits = to.getIntOrFloatBitWidth();
      bool isUnsigned = to.isUnsignedInteger();
      double high = std::ldexp(1.0, isUnsigned ? bits : bits - 1);
      double low = isUnsigned ? 0 : -high;
      if (!(value >= low && value < high))
        return std::nullopt;
      result.setInteger(index, static_cast<int64_t>(value));
    }
  }
  return SmallVector<ElementsAttr>{result.take()};
}

static Results clip(const Evaluation &evaluation) {
  if (!ready(evaluation) || !evaluation.present(0))
    return std::nullopt;
  const Operand &from = evaluation.operand(0);
  for (unsigned bound : {1, 2})
    if (evaluation.present(bound) && evaluation.operand(bound).count() != 1)
      return std::nullopt;
  Result result(*evaluation.dims[0], evaluation.resultElementType(),
                allSplat(evaluation));
  for (int64_t index = 0; index < result.stored(); ++index) {
    if (from.isFloat()) {
      double value = from.real(index);
      if (evaluation.present(1))
        value = maxReal(value, evaluation.operand(1).real(0));
      if (evaluation.present(2))
        value = minReal(value, evaluation.operand(2).real(0));
      result.setReal(index, value);
    } else {
      int64_t value = from.integer(index);
      if (evaluation.present(1))
        value = std::max(value, evaluation.operand(1).integer(0));
      if (evaluation.present(2))
        value = std::min(value, evaluation.operand(2).integer(0));
      result.setInteger(index, value);
    }
  }
  return SmallVector<ElementsAttr>{result.take()};
}

void fold::addElementwise(Evaluators &evaluators) {
  evaluators.on("Add", binary<addReal, addInteger>);
  evaluators.on("Sub", binary<subReal, subInteger>);
  evaluators.on("Mul", binary<mulReal, mulInteger>);
  evaluators.on("Div", binary<divReal, divInteger>);
  evaluators.on("Pow", binary<powReal, powInteger>);
  evaluators.on("Sum", binary<addReal, addInteger>);
  evaluators.on("Max", binary<maxReal, maxInteger>);
  evaluators.on("Min", binary<minReal, minInteger>);
  evaluators.on("Mod", mod);
  evaluators.on("Equal", binary<equalReal, equalInteger>);
  evaluators.on("Less", binary<lessReal, lessInteger>);
  evaluators.on("LessOrEqual", binary<lessEqualReal, lessEqualInteger>);
  evaluators.on("Greater", binary<greaterReal, greaterInteger>);
  evaluators.on("GreaterOrEqual",
                binary<greaterEqualReal, greaterEqualInteger>);
  evaluators.on("And", binary<mulReal, andInteger>);
  evaluators.on("Or", binary<addReal, orInteger>);
  evaluators.on("Xor", binary<subReal, xorInteger>);
  evaluators.on("BitwiseAnd", binary<mulReal, andInteger>);
  evaluators.on("BitwiseOr", binary<addReal, orInteger>);
  evaluators.on("BitwiseXor", binary<subReal, xorInteger>);
  evaluators.on("BitShift", bitShift);
  evaluators.on("Not", logicalNot);
  evaluators.on("Where", where);
  evaluators.on("Cast", cast);
  evaluators.on("CastLike", cast);
  evaluators.on("Clip", clip);
  evaluators.on("Abs", numericUnary<absReal, absOf>);
  evaluators.on("Neg", numericUnary<negReal, negOf>);
  evaluators.on("Sign", numericUnary<signReal, signOf>);
  evaluators.on("Relu", numericUnary<reluReal, reluOf>);
  evaluators.on("Sqrt", unary<sqrtReal>);
  evaluators.on("Exp", unary<expReal>);
  evaluators.on("Log", unary<logReal>);
  evaluators.on("Floor", unary<floorReal>);
  evaluators.on("Ceil", unary<ceilReal>);
  evaluators.on("Round", unary<roundReal>);
  evaluators.on("Sin", unary<sinReal>);
  evaluators.on("Cos", unary<cosReal>);
  evaluators.on("Tanh", unary<tanhReal>);
  evaluators.on("Erf", unary<erfReal>);
  evaluators.on("Reciprocal", unary<reciprocalReal>);
  evaluators.on("Sigmoid", unary<sigmoidReal>);
  evaluators.on("Gelu", gelu);
}
