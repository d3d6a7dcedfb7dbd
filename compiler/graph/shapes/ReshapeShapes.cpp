//===- ReshapeShapes.cpp - Shapes of Reshape, Squeeze, Shape, ... ---------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

/// Elements and ratios pass through operators that only regroup dims.
static void passElements(ShapeContext &shape) {
  if (auto values = shape.elements(0))
    shape.setElements(0, std::move(*values));
  if (auto values = shape.ratios(0))
    shape.setRatios(0, std::move(*values));
}

static LogicalResult shapeOf(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data) {
    shape.setDims(0, {Expr()});
    return success();
  }
  int64_t rank = data->size();
  auto clamp = [&](int64_t value) {
    return std::clamp<int64_t>(value < 0 ? value + rank : value, 0, rank);
  };
  int64_t start = clamp(shape.integer("start", 0));
  int64_t end = clamp(shape.integer("end", rank));
  Exprs elements;
  for (int64_t index = start; index < end; ++index)
    elements.push_back((*data)[index]);
  shape.setDims(0, {shape.constant(elements.size())});
  shape.setElements(0, std::move(elements));
  return success();
}

static LogicalResult size(ShapeContext &shape) {
  shape.setDims(0, {});
  if (auto data = shape.dims(0))
    shape.setElements(0, {dim::product(shape.context(), *data)});
  return success();
}

/// The dim that stands for -1: the elements of the input over those of the
/// other dims, after what both have was cancelled.
static FailureOr<Expr> inferredDim(ShapeContext &shape, ArrayRef<Expr> data,
                                   ArrayRef<Expr> others) {
  Exprs left(data), right;
  for (Expr expr : others) {
    auto it = llvm::find(left, expr);
    if (it != left.end() && dim::constant(expr) != 0)
      left.erase(it);
    else
      right.push_back(expr);
  }
  Expr total = dim::product(shape.context(), left);
  Expr rest = dim::product(shape.context(), right);
  auto x = dim::constant(total), y = dim::constant(rest);
  if (y && *y == 0)
    return FailureOr<Expr>(
        shape.error("a dim cannot be inferred beside a dim of 0"));
  if (x && y && *x % *y != 0)
    return FailureOr<Expr>(shape.error(
        "the " + Twine(*x) + " elements cannot be divided by " + Twine(*y)));
  return dim::floorDivide(total, rest);
}

static LogicalResult reshape(ShapeContext &shape) {
  passElements(shape);
  auto target = shape.elementsOrSymbols(1);
  if (!target)
    return success();
  bool allowZero = shape.integer("allowzero", 0) != 0;
  auto data = shape.dims(0);
  Exprs result;
  std::optional<size_t> inferred;
  bool complete = true;
  for (auto [index, expr] : llvm::enumerate(*target)) {
    auto value = dim::constant(expr);
    if (value && *value == -1) {
      if (inferred)
        return shape.error("the shape has more than one -1");
      inferred = index;
      result.push_back({});
    } else if (value && *value < 0) {
      return shape.error("the shape has the value " + Twine(*value));
    } else if (value && *value == 0 && !allowZero) {
      if (!data) {
        complete = false;
        result.push_back({});
        continue;
      }
      if (index >= data->size())
        return shape.error("the shape copies dim " + Twine(index) +
                           " of an input of rank " + Twine(data->size()));
      result.push_back((*data)[index]);
    } else if (shape.readsData(expr)) {
      // May be 0 or -1 as well.
      complete = false;
      result.push_back({});
    } else {
      result.push_back(expr);
    }
  }
  if (data && complete) {
    if (inferred) {
      Exprs others(result);
      others.erase(others.begin() + *inferred);
      FailureOr<Expr> expr = inferredDim(shape, *data, others);
      if (failed(expr))
        return failure();
      result[*inferred] = *expr;
    } else {
      auto x = dim::constant(dim::product(shape.context(), *data));
      auto y = dim::constant(dim::product(shape.context(), result));
      if (x && y && *x != *y)
        return shape.error("an input of " + Twine(*x) +
                           " elements cannot have a shape of " + Twine(*y));
    }
  }
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult flatten(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data) {
    shape.setDims(0, {Expr(), Expr()});
    return success();
  }
  int64_t rank = data->size(), axis = shape.integer("axis", 1);
  if (axis < -rank || axis > rank)
    return shape.error("axis " + Twine(axis) + " is out of range for rank " +
                       Twine(rank));
  if (axis < 0)
    axis += rank;
  shape.setDims(0, {dim::product(shape.context(), data->take_front(axis)),
                    dim::product(shape.context(), data->drop_front(axis))});
  return success();
}

static LogicalResult squeeze(ShapeContext &shape) {
  passElements(shape);
  auto data = shape.dims(0);
  if (!data)
    return success();
  SmallVector<int64_t> axes;
  if (shape.present(1)) {
    auto values = shape.constants(1);
    if (!values) {
      if (auto count = shape.elementsOrSymbols(1);
          count && count->size() <= data->size())
        shape.setDims(0, Exprs(data->size() - count->size()));
      return success();
    }
    FailureOr<SmallVector<int64_t>> normal = shape.axes(*values, data->size());
    if (failed(normal))
      return failure();
    axes = *normal;
    for (int64_t axis : axes)
      if (auto value = dim::constant((*data)[axis]); value && *value != 1)
        return shape.error("dim " + Twine(axis) + " is " + Twine(*value) +
                           " and cannot be removed");
  } else {
    // All dims of 1 go, so the rank is known only when all dims are.
    for (auto [index, expr] : llvm::enumerate(*data)) {
      auto value = dim::constant(expr);
      if (!value)
        return success(); // folding may tell the rank
      if (*value == 1)
        axes.push_back(index);
    }
  }
  Exprs result;
  for (auto [index, expr] : llvm::enumerate(*data))
    if (!llvm::is_contained(axes, static_cast<int64_t>(index)))
      result.push_back(expr);
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult unsqueeze(ShapeContext &shape) {
  passElements(shape);
  auto data = shape.dims(0);
  if (!data)
    return success();
  auto values = shape.constants(1);
  if (!values) {
    if (auto count = shape.elementsOrSymbols(1))
      shape.setDims(0, Exprs(data->size() + count->size()));
    return success();
  }
  int64_t rank = data->size() + values->size();
  FailureOr<SmallVector<int64_t>> axes = shape.axes(*values, rank);
  if (failed(axes))
    return failure();
  Exprs result;
  size_t next = 0;
  for (int64_t index = 0; index < rank; ++index)
    result.push_back(llvm::is_contained(*axes, index) ? shape.constant(1)
                                                      : (*data)[next++]);
  shape.setDims(0, std::move(result));
  return success();
}

void onnxc::addReshapeShapes(ShapeRules &rules) {
  rules.onShape("Shape", shapeOf);
  rules.onShape("Size", size);
  rules.onShape("Reshape", reshape);
  rules.onShape("Flatten", flatten);
  rules.onShape("Squeeze", squeeze);
  rules.onShape("Unsqueeze", unsqueeze);
}
