//===- GeneratorShapes.cpp - Shapes of Constant, Range, random numbers ----===//

#include "compiler/graph/shapes/ShapeContext.h"

#include "dialects/onnx/Elements.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

/// The value as numerator / 2^n, where that takes few bits.
static std::optional<Ratio> exactRatio(ShapeContext &shape, double value) {
  if (!std::isfinite(value) || std::abs(value) >= 1e9)
    return std::nullopt;
  int64_t denominator = 1;
  while (value != std::floor(value)) {
    value *= 2;
    denominator *= 2;
    if (denominator > 4096 || std::abs(value) >= 1e9)
      return std::nullopt;
  }
  return Ratio{shape.constant(static_cast<int64_t>(value)), denominator, false};
}

static LogicalResult constant(ShapeContext &shape) {
  auto elements = constantElements(shape.op->getResult(0));
  if (!elements)
    return success();
  Exprs dims;
  for (int64_t size : elements.getShapedType().getShape())
    dims.push_back(shape.constant(size));
  shape.setDims(0, std::move(dims));
  if (elements.getNumElements() > SymbolicShapes::maxElements)
    return success();
  if (auto values = integerValues(elements)) {
    Exprs result;
    for (int64_t value : *values)
      result.push_back(shape.constant(value));
    shape.setElements(0, std::move(result));
  } else if (auto numbers = floatValues(elements)) {
    Ratios result;
    for (double number : *numbers) {
      auto ratio = exactRatio(shape, number);
      if (!ratio)
        return success();
      result.push_back(*ratio);
    }
    shape.setRatios(0, std::move(result));
  }
  return success();
}

/// The shape is the elements of operand 0.
static bool dimsFromOperand(ShapeContext &shape) {
  auto sizes = shape.elementsOrSymbols(0);
  if (!sizes)
    return true;
  for (Expr &size : *sizes) {
    auto value = dim::constant(size);
    if (value && *value < 0) {
      (void)shape.error("the shape has the value " + Twine(*value));
      return false;
    }
    if (shape.readsData(size))
      size = {};
  }
  shape.setDims(0, std::move(*sizes));
  return true;
}

static LogicalResult constantOfShape(ShapeContext &shape) {
  if (!dimsFromOperand(shape))
    return failure();
  auto dims = shape.inference.shapes.dims(shape.op->getResult(0));
  if (!dims || dims->size() > 1)
    return success();
  auto count =
      dims->empty() ? std::optional<int64_t>(1) : dim::constant(dims->front());
  if (!count || *count > SymbolicShapes::maxElements)
    return success();
  int64_t fill = 0;
  if (auto value = shape.op->getAttrOfType<ElementsAttr>("value")) {
    auto values = integerValues(value);
    if (!values || values->size() != 1)
      return success();
    fill = values->front();
  }
  shape.setElements(0, Exprs(*count, shape.constant(fill)));
  return success();
}

static LogicalResult range(ShapeContext &shape) {
  auto single = [&](unsigned operand) -> Expr {
    auto values = shape.elements(operand);
    return values && values->size() == 1 ? values->front() : Expr();
  };
  Expr start = single(0), limit = single(1), delta = single(2);
  auto step = dim::constant(delta);
  if (step && *step == 0)
    return shape.error("delta is 0");
  // Floats whose values are exact integers or fractions.
  auto a = shape.ratios(0), b = shape.ratios(1), c = shape.ratios(2);
  if (a && b && c && a->size() == 1 && b->size() == 1 && c->size() == 1) {
    auto x = dim::constant(a->front().numerator),
         y = dim::constant(b->front().numerator),
         z = dim::constant(c->front().numerator);
    if (x && y && z) {
      double from = static_cast<double>(*x) / a->front().denominator;
      double to = static_cast<double>(*y) / b->front().denominator;
      double by = static_cast<double>(*z) / c->front().denominator;
      if (by == 0)
        return shape.error("delta is 0");
      double count = std::max(0.0, std::ceil((to - from) / by));
      if (count > 1e15)
        return shape.error("the range has too many elements");
      shape.setDims(0, {shape.constant(static_cast<int64_t>(count))});
      return success();
    }
  }
  if (!start || !limit || !step) {
    shape.setDims(0, Exprs(1));
    return success();
  }
  Expr distance =
      *step > 0 ? dim::subtract(limit, start) : dim::subtract(start, limit);
  Expr count = dim::ceilDivide(distance, *step > 0 ? *step : -*step);
  auto value = dim::constant(count);
  if (value && *value < 0)
    count = shape.constant(0);
  else if (!shape.isNonNegative(distance))
    count = shape.readsData(distance) ? Expr()
                                      : shape.derived("max0", {count}, 0, 0);
  value = dim::constant(count);
  shape.setDims(0, {count});
  if (value && *value <= SymbolicShapes::maxElements) {
    Exprs elements;
    for (int64_t index = 0; index < *value; ++index)
      elements.push_back(dim::add(start, index * *step));
    shape.setElements(0, std::move(elements));
  }
  return success();
}

/// RandomNormal, RandomUniform: the attribute `shape`.
static LogicalResult fromAttribute(ShapeContext &shape) {
  auto sizes = shape.integers("shape");
  if (!sizes)
    return success();
  Exprs dims;
  for (int64_t size : *sizes) {
    if (size < 0)
      return shape.error("the shape has the value " + Twine(size));
    dims.push_back(shape.constant(size));
  }
  shape.setDims(0, std::move(dims));
  return success();
}

static LogicalResult multinomial(ShapeContext &shape) {
  auto data = shape.dimsOfRank(0, 2);
  if (failed(data))
    return failure();
  if (*data)
    shape.setDims(
        0, {(**data)[0], shape.constant(shape.integer("sample_size", 1))});
  return success();
}

void onnxc::addGeneratorShapes(ShapeRules &rules) {
  rules.onShape("Constant", constant);
  rules.onShape("ConstantOfShape", constantOfShape);
  rules.onShape("Range", range);
  rules.onShape({"RandomNormal", "RandomUniform"}, fromAttribute);
  rules.onShape("Multinomial", multinomial);
}
