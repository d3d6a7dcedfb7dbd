//===- ElementwiseShapes.cpp - Shapes of element-wise operators -----------===//

#include "compiler/graph/shapes/ShapeContext.h"

#include "mlir/IR/BuiltinTypes.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

static LogicalResult sameAsFirst(ShapeContext &shape) {
  shape.setSame(0, 0);
  return success();
}

/// Sets result 0 to the broadcast of all operands.
static LogicalResult broadcastAll(ShapeContext &shape) {
  SmallVector<ArrayRef<Expr>> operands;
  for (unsigned index = 0; index < shape.numOperands(); ++index) {
    if (!shape.present(index))
      continue;
    auto dims = shape.dims(index);
    if (!dims)
      return success();
    operands.push_back(*dims);
  }
  FailureOr<Exprs> result = shape.broadcast(operands);
  if (failed(result))
    return failure();
  shape.setDims(0, std::move(*result));
  return success();
}

/// For each element of result 0, the element of `operand` that belongs to it;
/// nullopt when the sizes are not static or too many.
static std::optional<SmallVector<int64_t>> elementMap(ShapeContext &shape,
                                                      unsigned operand) {
  auto result = shape.inference.shapes.dims(shape.op->getResult(0));
  auto dims = shape.dims(operand);
  if (!result || !dims)
    return std::nullopt;
  int64_t count = 1;
  for (Expr expr : *result) {
    auto size = dim::constant(expr);
    if (!size || *size > SymbolicShapes::maxElements)
      return std::nullopt;
    count *= *size;
    if (count > SymbolicShapes::maxElements)
      return std::nullopt;
  }
  SmallVector<int64_t> map(count, 0);
  for (int64_t index = 0; index < count; ++index) {
    int64_t rest = index, stride = 1, offset = 0;
    for (int64_t axis = result->size() - 1; axis >= 0; --axis) {
      int64_t size = *dim::constant((*result)[axis]);
      int64_t position = rest % size;
      rest /= size;
      int64_t own = axis - static_cast<int64_t>(result->size() - dims->size());
      if (own < 0)
        continue;
      auto ownSize = dim::constant((*dims)[own]);
      if (!ownSize)
        return std::nullopt;
      offset += (*ownSize == 1 ? 0 : position) * stride;
      stride *= *ownSize;
    }
    map[index] = offset;
  }
  return map;
}

/// The elements of `operand` in the result's order.
template <typename T>
static std::optional<SmallVector<T>>
spread(ShapeContext &shape, unsigned operand,
       std::optional<SmallVector<T>> values) {
  auto map = values ? elementMap(shape, operand) : std::nullopt;
  if (!map)
    return std::nullopt;
  SmallVector<T> result;
  for (int64_t index : *map) {
    if (index >= static_cast<int64_t>(values->size()))
      return std::nullopt;
    result.push_back((*values)[index]);
  }
  return result;
}

using Combine = llvm::function_ref<Expr(ShapeContext &, Expr, Expr)>;

static void combineElements(ShapeContext &shape, Combine combine) {
  auto result = spread(shape, 0, shape.elements(0));
  for (unsigned index = 1; result && index < shape.numOperands(); ++index) {
    auto next = spread(shape, index, shape.elements(index));
    if (!next)
      return;
    for (auto [a, b] : llvm::zip_equal(*result, *next))
      a = a && b ? combine(shape, a, b) : Expr();
  }
  if (result)
    shape.setElements(0, std::move(*result));
}

static void
combineRatios(ShapeContext &shape,
              llvm::function_ref<Ratio(const Ratio &, const Ratio &)> combine) {
  auto left = spread(shape, 0, shape.ratios(0));
  auto right = spread(shape, 1, shape.ratios(1));
  if (!left || !right)
    return;
  for (auto [a, b] : llvm::zip_equal(*left, *right))
    a = combine(a, b);
  shape.setRatios(0, std::move(*left));
}

/// Products stay exact in f32 for the sizes that occur while the constant has
/// few bits.
static constexpr int64_t maxFactor = 1 << 12;

static bool isPowerOfTwo(int64_t value) {
  return value > 0 && (value & (value - 1)) == 0;
}

static Ratio addRatios(const Ratio &a, const Ratio &b, int64_t sign) {
  if (a.rounded || b.rounded || a.denominator > maxFactor ||
      b.denominator > maxFactor)
    return {};
  return {dim::add(dim::multiply(a.numerator, b.denominator),
                   dim::multiply(b.numerator, sign * a.denominator)),
          a.denominator * b.denominator, false};
}

static Ratio multiplyRatios(const Ratio &a, const Ratio &b) {
  auto x = dim::constant(a.numerator), y = dim::constant(b.numerator);
  if (a.rounded || b.rounded || (!x && !y) || a.denominator > maxFactor ||
      b.denominator > maxFactor || (x && std::abs(*x) > maxFactor) ||
      (!x && std::abs(*y) > maxFactor))
    return {};
  int64_t denominator = a.denominator * b.denominator;
  Expr numerator = dim::multiply(a.numerator, b.numerator);
  // 6 / 2 is 3: cancel so that factors stay small.
  while (denominator % 2 == 0) {
    Expr half =
        dim::exactDivide(numerator, dim::constant(numerator.getContext(), 2));
    if (!half)
      break;
    numerator = half;
    denominator /= 2;
  }
  return {numerator, denominator, false};
}

static Ratio divideRatios(const Ratio &a, const Ratio &b) {
  auto divisor = dim::constant(b.numerator);
  if (a.rounded || b.rounded || !divisor || *divisor <= 0 ||
      *divisor > maxFactor || a.denominator > maxFactor ||
      b.denominator > maxFactor)
    return {};
  Expr numerator = dim::multiply(a.numerator, b.denominator);
  int64_t denominator = a.denominator * *divisor;
  Expr whole = dim::exactDivide(
      numerator, dim::constant(a.numerator.getContext(), denominator));
  if (whole)
    return {whole, 1, false};
  return {numerator, denominator, !isPowerOfTwo(denominator)};
}

static LogicalResult add(ShapeContext &shape) {
  if (failed(broadcastAll(shape)))
    return failure();
  combineElements(
      shape, [](ShapeContext &, Expr a, Expr b) { return dim::add(a, b); });
  combineRatios(
      shape, [](const Ratio &a, const Ratio &b) { return addRatios(a, b, 1); });
  return success();
}

static LogicalResult subtract(ShapeContext &shape) {
  if (failed(broadcastAll(shape)))
    return failure();
  combineElements(shape, [](ShapeContext &, Expr a, Expr b) {
    return dim::subtract(a, b);
  });
  combineRatios(shape, [](const Ratio &a, const Ratio &b) {
    return addRatios(a, b, -1);
  });
  return success();
}

static LogicalResult multiply(ShapeContext &shape) {
  if (failed(broadcastAll(shape)))
    return failure();
  combineElements(shape, [](ShapeContext &, Expr a, Expr b) {
    return dim::multiply(a, b);
  });
  combineRatios(shape, multiplyRatios);
  return success();
}

static LogicalResult divide(ShapeContext &shape) {
  if (failed(broadcastAll(shape)))
    return failure();
  combineElements(shape, [](ShapeContext &context, Expr a, Expr b) -> Expr {
    auto x = dim::constant(a), y = dim::constant(b);
    if (x && y) // ONNX truncates.
      return *y == 0 || *y == -1 ? Expr() : context.constant(*x / *y);
    // Truncation is flooring where both are positive.
    if (context.isNonNegative(a) && context.isNonNegative(b))
      return dim::floorDivide(a, b);
    return dim::exactDivide(a, b);
  });
  combineRatios(shape, divideRatios);
  return success();
}

static LogicalResult modulo(ShapeContext &shape) {
  if (failed(broadcastAll(shape)))
    return failure();
  bool truncates = shape.integer("fmod", 0) != 0;
  combineElements(shape, [&](ShapeContext &context, Expr a, Expr b) -> Expr {
    auto divisor = dim::constant(b);
    if (!divisor || *divisor <= 0 || (truncates && !context.isNonNegative(a)))
      return {};
    return dim::modulo(a, b);
  });
  return success();
}

static LogicalResult minimum(ShapeContext &shape) {
  if (failed(broadcastAll(shape)))
    return failure();
  combineElements(shape, [](ShapeContext &context, Expr a, Expr b) {
    return context.minimum(a, b);
  });
  return success();
}

static LogicalResult maximum(ShapeContext &shape) {
  if (failed(broadcastAll(shape)))
    return failure();
  combineElements(shape, [](ShapeContext &context, Expr a, Expr b) {
    return context.maximum(a, b);
  });
  return success();
}

static LogicalResult negate(ShapeContext &shape) {
  shape.setSame(0, 0);
  if (auto values = shape.elements(0)) {
    for (Expr &value : *values)
      value = dim::multiply(value, -1);
    shape.setElements(0, std::move(*values));
  }
  return success();
}

/// Sign, Abs, Relu and so on only keep elements that are known to be positive.
static LogicalResult keepNonNegative(ShapeContext &shape) {
  shape.setSame(0, 0);
  auto values = shape.elements(0);
  if (values && llvm::all_of(*values, [&](Expr value) {
        return shape.isNonNegative(value);
      }))
    shape.setElements(0, std::move(*values));
  return success();
}

static LogicalResult identity(ShapeContext &shape) {
  shape.setSame(0, 0);
  if (auto values = shape.elements(0))
    shape.setElements(0, std::move(*values));
  if (auto values = shape.ratios(0))
    shape.setRatios(0, std::move(*values));
  return success();
}

//===----------------------------------------------------------------------===//
// Comparisons and logic: elements where the answer is certain
//===----------------------------------------------------------------------===//

static Expr truth(ShapeContext &context, bool value) {
  return context.constant(value);
}

static LogicalResult equal(ShapeContext &shape) {
  if (failed(broadcastAll(shape)))
    return failure();
  combineElements(shape, [](ShapeContext &context, Expr a, Expr b) -> Expr {
    Expr difference = dim::subtract(a, b);
    if (auto value = dim::constant(difference))
      return truth(context, *value == 0);
    auto above = context.lowerBound(difference);
    auto below = context.lowerBound(dim::multiply(difference, -1));
    if ((above && *above > 0) || (below && *below > 0))
      return truth(context, false);
    return {};
  });
  return success();
}

/// Whether a < b + `slack`, where certain.
static LogicalResult less(ShapeContext &shape, bool swapped, int64_t slack) {
  if (failed(broadcastAll(shape)))
    return failure();
  combineElements(shape, [&](ShapeContext &context, Expr a, Expr b) -> Expr {
    if (swapped)
      std::swap(a, b);
    Expr room = dim::add(dim::subtract(b, a), slack); // holds when above 0
    auto bound = context.lowerBound(room);
    if (bound && *bound > 0)
      return truth(context, true);
    if (context.isNonNegative(dim::multiply(room, -1)))
      return truth(context, false);
    return {};
  });
  return success();
}

static LogicalResult lessThan(ShapeContext &s) { return less(s, false, 0); }
static LogicalResult lessOrEqual(ShapeContext &s) { return less(s, false, 1); }
static LogicalResult greater(ShapeContext &s) { return less(s, true, 0); }
static LogicalResult greaterOrEqual(ShapeContext &s) {
  return less(s, true, 1);
}

static LogicalResult logical(ShapeContext &shape,
                             llvm::function_ref<bool(bool, bool)> combine) {
  if (failed(broadcastAll(shape)))
    return failure();
  combineElements(shape, [&](ShapeContext &context, Expr a, Expr b) -> Expr {
    auto x = dim::constant(a), y = dim::constant(b);
    return x && y ? truth(context, combine(*x != 0, *y != 0)) : Expr();
  });
  return success();
}

static LogicalResult logicalAnd(ShapeContext &shape) {
  return logical(shape, [](bool a, bool b) { return a && b; });
}
static LogicalResult logicalOr(ShapeContext &shape) {
  return logical(shape, [](bool a, bool b) { return a || b; });
}
static LogicalResult logicalXor(ShapeContext &shape) {
  return logical(shape, [](bool a, bool b) { return a != b; });
}

static LogicalResult logicalNot(ShapeContext &shape) {
  shape.setSame(0, 0);
  if (auto values = shape.constants(0)) {
    Exprs result;
    for (int64_t value : *values)
      result.push_back(truth(shape, value == 0));
    shape.setElements(0, std::move(result));
  }
  return success();
}

static LogicalResult where(ShapeContext &shape) {
  if (failed(broadcastAll(shape)))
    return failure();
  auto condition = spread(shape, 0, shape.elements(0));
  auto left = spread(shape, 1, shape.elements(1));
  auto right = spread(shape, 2, shape.elements(2));
  if (!condition || !left || !right)
    return success();
  for (auto [c, a, b] : llvm::zip_equal(*condition, *left, *right)) {
    auto value = dim::constant(c);
    c = a == b ? a : !value ? Expr() : *value ? a : b;
  }
  shape.setElements(0, std::move(*condition));
  return success();
}

//===----------------------------------------------------------------------===//
// Conversions between integers and floats
//===----------------------------------------------------------------------===//

/// The integer that rounding `ratio` in a way gives; `mode` < 0: down, > 0:
/// up.
static Expr rounded(const Ratio &ratio, int mode) {
  return mode < 0 ? dim::floorDivide(ratio.numerator, ratio.denominator)
                  : dim::ceilDivide(ratio.numerator, ratio.denominator);
}

static LogicalResult roundTo(ShapeContext &shape, int mode) {
  shape.setSame(0, 0);
  if (auto values = shape.ratios(0)) {
    for (Ratio &value : *values)
      value = {rounded(value, mode), 1, false};
    shape.setRatios(0, std::move(*values));
  }
  return success();
}
static LogicalResult floorTo(ShapeContext &shape) { return roundTo(shape, -1); }
static LogicalResult ceilTo(ShapeContext &shape) { return roundTo(shape, 1); }

/// Whether integers of `type` hold every dim that fits in memory's 31 or 63
/// bits, so that a cast to it keeps symbolic elements.
static bool isWide(Type type) {
  return type && type.isInteger() && type.getIntOrFloatBitWidth() >= 32;
}

static LogicalResult cast(ShapeContext &shape) {
  shape.setSame(0, 0);
  Type from = shape.elementType(shape.op->getOperand(0));
  Type to = shape.elementType(shape.op->getResult(0));
  if (!from || !to)
    return success();
  auto integers = shape.elements(0);
  auto ratios = shape.ratios(0);
  if (integers && to.isInteger(1)) {
    for (Expr &value : *integers) {
      auto bound = shape.lowerBound(value);
      auto known = dim::constant(value);
      value = known                 ? shape.constant(*known != 0)
              : bound && *bound > 0 ? shape.constant(1)
                                    : Expr();
    }
    shape.setElements(0, std::move(*integers));
  } else if (integers && to.isInteger()) {
    unsigned width = to.getIntOrFloatBitWidth();
    bool isUnsigned = to.isUnsignedInteger();
    for (Expr &value : *integers) {
      auto known = dim::constant(value);
      if (known) {
        // Values that would wrap are left to constant folding.
        unsigned bits = isUnsigned ? width : width - 1;
        bool fits = bits >= 63
                        ? (!isUnsigned || *known >= 0)
                        : *known >= (isUnsigned ? 0 : -(int64_t(1) << bits)) &&
                              *known < (int64_t(1) << bits);
        if (!fits)
          value = {};
      } else if (!isWide(to) || (isUnsigned && !shape.isNonNegative(value))) {
        value = {};
      }
    }
    shape.setElements(0, std::move(*integers));
  } else if (integers && (to.isF32() || to.isF64())) {
    Ratios result;
    for (Expr value : *integers)
      result.push_back({value, 1, false});
    shape.setRatios(0, std::move(result));
  } else if (ratios && isa<FloatType>(to)) {
    if (to.isF32() || to.isF64())
      shape.setRatios(0, std::move(*ratios));
  } else if (ratios && isWide(to)) {
    // A cast truncates, which is flooring for what is not negative.
    Exprs result;
    for (const Ratio &value : *ratios)
      result.push_back(value.denominator == 1 ? value.numerator
                       : shape.isNonNegative(value.numerator)
                           ? rounded(value, -1)
                           : Expr());
    shape.setElements(0, std::move(result));
  }
  return success();
}

/// Dropout: the mask has the data's shape too.
static LogicalResult dropout(ShapeContext &shape) {
  shape.setSame(0, 0);
  shape.setSame(1, 0);
  return success();
}

/// PRelu: the slope broadcasts to the data, one way.
static LogicalResult prelu(ShapeContext &shape) {
  shape.setSame(0, 0);
  auto data = shape.dims(0), slope = shape.dims(1);
  if (!data || !slope)
    return success();
  if (slope->size() > data->size())
    return shape.error("the slope has more dims than the data");
  for (size_t index = 0; index < slope->size(); ++index) {
    Expr own = (*slope)[slope->size() - 1 - index];
    if (dim::constant(own) != 1 &&
        failed(shape.same((*data)[data->size() - 1 - index], own,
                          "dims of data and slope")))
      return failure();
  }
  return success();
}

void onnxc::addElementwiseShapes(ShapeRules &rules) {
  rules.onShape({"Acos",
                 "Acosh",
                 "Asin",
                 "Asinh",
                 "Atan",
                 "Atanh",
                 "Bernoulli",
                 "BitCast",
                 "BitwiseNot",
                 "Celu",
                 "Clip",
                 "Cos",
                 "Cosh",
                 "CumProd",
                 "CumSum",
                 "Elu",
                 "Erf",
                 "Exp",
                 "EyeLike",
                 "Gelu",
                 "HardSigmoid",
                 "HardSwish",
                 "Hardmax",
                 "IsInf",
                 "IsNaN",
                 "LRN",
                 "LeakyRelu",
                 "Log",
                 "LogSoftmax",
                 "LpNormalization",
                 "Mish",
                 "MeanVarianceNormalization",
                 "RandomNormalLike",
                 "RandomUniformLike",
                 "Reciprocal",
                 "RegexFullMatch",
                 "ReverseSequence",
                 "Round",
                 "Selu",
                 "Shrink",
                 "Sigmoid",
                 "Sign",
                 "Sin",
                 "Sinh",
                 "Softmax",
                 "Softplus",
                 "Softsign",
                 "Sqrt",
                 "Swish",
                 "Tan",
                 "Tanh",
                 "ThresholdedRelu",
                 "Trilu"},
                sameAsFirst);
  rules.onShape({"BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Mean",
                 "Pow", "StringConcat", "Sum", "SwiGLU"},
                broadcastAll);
  rules.onShape("Abs", keepNonNegative);
  rules.onShape("Relu", keepNonNegative);
  rules.onShape("Add", add);
  rules.onShape("Sub", subtract);
  rules.onShape("Mul", multiply);
  rules.onShape("Div", divide);
  rules.onShape("Mod", modulo);
  rules.onShape("Min", minimum);
  rules.onShape("Max", maximum);
  rules.onShape("Neg", negate);
  rules.onShape("Identity", identity);
  rules.onShape("Equal", equal);
  rules.onShape("Less", lessThan);
  rules.onShape("LessOrEqual", lessOrEqual);
  rules.onShape("Greater", greater);
  rules.onShape("GreaterOrEqual", greaterOrEqual);
  rules.onShape("And", logicalAnd);
  rules.onShape("Or", logicalOr);
  rules.onShape("Xor", logicalXor);
  rules.onShape("Not", logicalNot);
  rules.onShape("Where", where);
  rules.onShape("Floor", floorTo);
  rules.onShape("Ceil", ceilTo);
  rules.onShape({"Cast", "CastLike"}, cast);
  rules.onShape("Dropout", dropout);
  rules.onShape("PRelu", prelu);
}
