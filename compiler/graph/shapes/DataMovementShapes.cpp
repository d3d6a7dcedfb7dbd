//===- DataMovementShapes.cpp - Shapes of Concat, Slice, Pad, ... ---------===//

#include "compiler/graph/shapes/ShapeContext.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace onnxc;

static LogicalResult transpose(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  int64_t rank = data->size();
  auto order = shape.integers("perm");
  if (!order) {
    order.emplace();
    for (int64_t index = rank - 1; index >= 0; --index)
      order->push_back(index);
  }
  if (static_cast<int64_t>(order->size()) != rank)
    return shape.error("perm has " + Twine(order->size()) +
                       " values for rank " + Twine(rank));
  FailureOr<SmallVector<int64_t>> axes = shape.axes(*order, rank);
  if (failed(axes))
    return failure();
  Exprs result;
  for (int64_t axis : *axes)
    result.push_back((*data)[axis]);
  shape.setDims(0, std::move(result));
  if (rank <= 1)
    if (auto values = shape.elements(0))
      shape.setElements(0, std::move(*values));
  return success();
}

static LogicalResult concat(ShapeContext &shape) {
  std::optional<Exprs> result;
  int64_t axis = 0;
  for (unsigned index = 0; index < shape.numOperands(); ++index) {
    auto dims = shape.dims(index);
    if (!dims)
      return success();
    if (!result) {
      FailureOr<int64_t> normal =
          shape.axis(shape.integer("axis", 0), dims->size());
      if (failed(normal))
        return failure();
      axis = *normal;
      result = Exprs(*dims);
      continue;
    }
    if (dims->size() != result->size())
      return shape.error("inputs have ranks " + Twine(result->size()) +
                         " and " + Twine(dims->size()));
    for (int64_t position = 0; position < static_cast<int64_t>(dims->size());
         ++position) {
      Expr &own = (*result)[position];
      if (position == axis) {
        own = dim::add(own, (*dims)[position]);
        continue;
      }
      FailureOr<Expr> merged = shape.same(
          own, (*dims)[position], "dims " + Twine(position) + " of inputs");
      if (failed(merged))
        return failure();
      own = *merged;
    }
  }
  if (!result)
    return success();
  bool isVector = result->size() == 1;
  shape.setDims(0, std::move(*result));
  if (!isVector)
    return success();
  // A shape of which some elements are expressions and others are data.
  bool any = false;
  for (unsigned index = 0; index < shape.numOperands(); ++index)
    any |= shape.elements(index).has_value();
  Exprs elements;
  for (unsigned index = 0; any && index < shape.numOperands(); ++index) {
    auto values = shape.elementsOrSymbols(index);
    if (!values)
      return success();
    elements.append(*values);
  }
  if (any)
    shape.setElements(0, std::move(elements));
  return success();
}

static LogicalResult split(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  FailureOr<int64_t> axis = shape.axis(shape.integer("axis", 0), data->size());
  if (failed(axis))
    return failure();
  Exprs sizes;
  Expr whole = (*data)[*axis];
  int64_t count = shape.numResults();
  if (count == 0)
    return success();
  if (shape.present(1)) {
    auto values = shape.elementsOrSymbols(1);
    if (values && static_cast<int64_t>(values->size()) != count)
      return shape.error("split has " + Twine(values->size()) + " values for " +
                         Twine(count) + " outputs");
    if (values)
      sizes.append(*values);
    else
      sizes.resize(count);
    Expr total = shape.constant(0);
    for (Expr &size : sizes) {
      total = dim::add(total, size);
      if (size && shape.readsData(size))
        size = {};
    }
    auto x = dim::constant(total), y = dim::constant(whole);
    if (x && y && *x != *y)
      return shape.error("split adds up to " + Twine(*x) + ", but the dim is " +
                         Twine(*y));
  } else {
    // Equal parts, the last one smaller.
    Expr part = dim::ceilDivide(whole, count);
    sizes.assign(count, part);
    sizes.back() = dim::subtract(whole, dim::multiply(part, count - 1));
  }
  for (int64_t index = 0; index < count; ++index) {
    Exprs dims(*data);
    dims[*axis] = sizes[index];
    shape.setDims(index, std::move(dims));
  }
  // Parts of a shape.
  auto values = shape.elements(0);
  size_t next = 0;
  for (int64_t index = 0; values && data->size() == 1 && index < count;
       ++index) {
    auto size = dim::constant(sizes[index]);
    if (!size || *size < 0 || next + *size > values->size())
      break;
    shape.setElements(index, Exprs(ArrayRef<Expr>(*values).slice(next, *size)));
    next += *size;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Slice
//===----------------------------------------------------------------------===//

/// Ends beyond this mean "to the end".
static constexpr int64_t farAway = (int64_t(1) << 31) - 1;

/// The length of start : end : step of a dim of `size`, as dim `index` of the
/// result. One symbol stands for a length that no expression gives.
static Expr sliceLength(ShapeContext &shape, Expr size, Expr start, Expr end,
                        int64_t step, unsigned index) {
  auto whole = dim::constant(size), first = dim::constant(start),
       last = dim::constant(end);
  if (whole && first && last) {
    int64_t n = *whole;
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    auto clamp = [&](int64_t value) {
      return std::clamp(value < 0 ? value + n : value, low, high);
    };
    int64_t a = clamp(*first), b = clamp(*last);
    int64_t distance = step > 0 ? b - a : a - b;
    int64_t stride = step > 0 ? step : -std::max(step, -farAway);
    return shape.constant(distance <= 0 ? 0 : (distance + stride - 1) / stride);
  }
  auto opaque = [&] {
    return shape.derived("slice" + std::to_string(step), {size, start, end}, 0,
                         index);
  };
  if (shape.readsData(start) || shape.readsData(end))
    return opaque();
  if (step < 0) {
    // Only the reversal of the whole dim.
    if (first && last && (*first == -1 || *first >= farAway) &&
        *last <= -farAway)
      return dim::ceilDivide(size, -std::max(step, -farAway));
    return opaque();
  }
  // Positions from the end, where the sign is certain.
  auto position = [&](Expr expr) -> Expr {
    auto value = dim::constant(expr);
    if (value && *value >= farAway)
      return size;
    if (value && *value <= -farAway)
      return shape.constant(0);
    if (value && *value < 0)
      return dim::add(size, expr);
    if (shape.isNonNegative(expr) || !value)
      return expr;
    return {};
  };
  Expr a = position(start), b = position(end);
  if (!a || !b)
    return opaque();
  // An end that the size surely reaches stays, one beyond is the size.
  Expr clampedEnd = shape.minimum(b, size);
  Expr length;
  if (clampedEnd && shape.isNonNegative(a) &&
      shape.isNonNegative(dim::subtract(clampedEnd, a)))
    length = dim::subtract(clampedEnd, a);
  else if (b == size && first && *first > 0) // max(0, size - start)
    length = shape.derived("max0", {dim::subtract(size, a)}, 0, index);
  else if (dim::constant(a) == 0 && last && *last < 0)
    length = shape.derived("max0", {b}, 0, index);
  else if (b == size && first && *first < 0) // min(-start, size)
    length = shape.derivedMinimum(shape.constant(-*first), size, 0, index);
  else if (dim::constant(a) == 0 && shape.isNonNegative(b))
    length = shape.derivedMinimum(b, size, 0, index);
  else
    return opaque();
  return dim::ceilDivide(length, step);
}

static LogicalResult slice(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  int64_t rank = data->size();
  auto starts = shape.elementsOrSymbols(1);
  auto ends = shape.elementsOrSymbols(2);
  if (!starts || !ends) {
    shape.setDims(0, Exprs(rank));
    return success();
  }
  if (starts->size() != ends->size())
    return shape.error("starts and ends have " + Twine(starts->size()) +
                       " and " + Twine(ends->size()) + " values");
  SmallVector<int64_t> axes =
      llvm::to_vector(llvm::seq<int64_t>(starts->size()));
  if (shape.present(3)) {
    auto values = shape.constants(3);
    if (!values) {
      shape.setDims(0, Exprs(rank));
      return success();
    }
    axes = *values;
  }
  if (axes.size() != starts->size())
    return shape.error("axes has " + Twine(axes.size()) + " values for " +
                       Twine(starts->size()) + " starts");
  FailureOr<SmallVector<int64_t>> normal = shape.axes(axes, rank);
  if (failed(normal))
    return failure();
  SmallVector<int64_t> steps(axes.size(), 1);
  if (shape.present(4)) {
    auto values = shape.constants(4);
    if (!values) {
      Exprs result(*data);
      for (int64_t axis : *normal)
        result[axis] = {};
      shape.setDims(0, std::move(result));
      return success();
    }
    if (values->size() != axes.size())
      return shape.error("steps has " + Twine(values->size()) + " values for " +
                         Twine(axes.size()) + " axes");
    steps = *values;
  }
  Exprs result(*data);
  for (auto [index, axis] : llvm::enumerate(*normal)) {
    if (steps[index] == 0)
      return shape.error("a step is 0");
    result[axis] = sliceLength(shape, (*data)[axis], (*starts)[index],
                               (*ends)[index], steps[index], axis);
  }
  bool isVector = rank == 1;
  Expr length = isVector ? result[0] : Expr();
  shape.setDims(0, std::move(result));
  // Elements of a vector.
  auto size = dim::constant(length);
  if (!isVector || normal->size() != 1 || !size)
    return success();
  auto first = dim::constant((*starts)[0]);
  auto take = [&](auto values, auto set) {
    if (!values || !first)
      return;
    int64_t n = values->size(), step = steps[0];
    if (n == 0)
      return;
    int64_t position = std::clamp<int64_t>(*first < 0 ? *first + n : *first, 0,
                                           step > 0 ? n : n - 1);
    std::decay_t<decltype(*values)> taken;
    for (int64_t i = 0; i < *size; ++i, position += step) {
      if (position < 0 || position >= n)
        return;
      taken.push_back((*values)[position]);
    }
    set(std::move(taken));
  };
  take(shape.elements(0),
       [&](Exprs values) { shape.setElements(0, std::move(values)); });
  take(shape.ratios(0),
       [&](Ratios values) { shape.setRatios(0, std::move(values)); });
  return success();
}

//===----------------------------------------------------------------------===//
// Pad, Tile, Expand, blocks
//===----------------------------------------------------------------------===//

static LogicalResult pad(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  int64_t rank = data->size();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(rank));
  auto pads = shape.elementsOrSymbols(1);
  if (shape.present(3)) {
    auto values = shape.constants(3);
    if (!values)
      pads.reset();
    else {
      FailureOr<SmallVector<int64_t>> normal = shape.axes(*values, rank);
      if (failed(normal))
        return failure();
      axes = *normal;
    }
  }
  if (!pads) {
    shape.setDims(0, Exprs(rank));
    return success();
  }
  if (pads->size() != 2 * axes.size())
    return shape.error("pads has " + Twine(pads->size()) + " values for " +
                       Twine(axes.size()) + " axes");
  Exprs result(*data);
  for (auto [index, axis] : llvm::enumerate(axes)) {
    Expr both = dim::add((*pads)[index], (*pads)[index + axes.size()]);
    result[axis] =
        shape.readsData(both) ? Expr() : dim::add(result[axis], both);
  }
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult tile(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  auto repeats = shape.elementsOrSymbols(1);
  if (repeats && repeats->size() != data->size())
    return shape.error("repeats has " + Twine(repeats->size()) +
                       " values for rank " + Twine(data->size()));
  Exprs result(data->size());
  for (size_t index = 0; repeats && index < result.size(); ++index) {
    Expr times = (*repeats)[index];
    if (auto value = dim::constant(times); value && *value < 0)
      return shape.error("repeats has the value " + Twine(*value));
    if (!shape.readsData(times))
      result[index] = dim::multiply((*data)[index], times);
  }
  auto values = shape.elements(0);
  bool isVector = data->size() == 1;
  shape.setDims(0, std::move(result));
  if (auto times = shape.constantScalar(1);
      values && isVector && times && *times <= SymbolicShapes::maxElements) {
    Exprs repeated;
    for (int64_t i = 0; i < *times; ++i)
      repeated.append(*values);
    shape.setElements(0, std::move(repeated));
  }
  return success();
}

static LogicalResult expand(ShapeContext &shape) {
  auto data = shape.dims(0);
  auto target = shape.elementsOrSymbols(1);
  if (!data || !target)
    return success();
  for (Expr &expr : *target) {
    if (auto value = dim::constant(expr); value && *value < 0)
      return shape.error("the shape has the value " + Twine(*value));
  }
  size_t rank = std::max(data->size(), target->size());
  Exprs result;
  for (size_t index = 0; index < rank; ++index) {
    Exprs column;
    bool reads = false;
    if (index + data->size() >= rank)
      column.push_back((*data)[index + data->size() - rank]);
    if (index + target->size() >= rank) {
      Expr expr = (*target)[index + target->size() - rank];
      // 1 keeps the input's dim; beside a dim of 1, the shape's value counts.
      reads = shape.readsData(expr);
      column.push_back(expr);
    }
    FailureOr<Expr> merged =
        reads ? FailureOr<Expr>(Expr()) : shape.broadcastDim(column, 0, index);
    if (failed(merged))
      return failure();
    result.push_back(*merged);
  }
  auto values = shape.elements(0);
  auto size = rank == 1 ? dim::constant(result[0]) : std::nullopt;
  shape.setDims(0, std::move(result));
  if (values && values->size() == 1 && size &&
      *size <= SymbolicShapes::maxElements)
    shape.setElements(0, Exprs(*size, values->front()));
  return success();
}

static LogicalResult depthToSpace(ShapeContext &shape) {
  auto data = shape.dimsOfRank(0, 4);
  if (failed(data))
    return failure();
  int64_t block = shape.integer("blocksize", 0);
  if (block < 1 || block > farAway)
    return shape.error("blocksize is " + Twine(block));
  if (!*data)
    return success();
  Exprs dims = **data;
  if (auto channels = dim::constant(dims[1]);
      channels && *channels % (block * block))
    return shape.error("the block does not divide the " + Twine(*channels) +
                       " channels");
  shape.setDims(0,
                {dims[0], dim::floorDivide(dims[1], block * block),
                 dim::multiply(dims[2], block), dim::multiply(dims[3], block)});
  return success();
}

static LogicalResult spaceToDepth(ShapeContext &shape) {
  auto data = shape.dimsOfRank(0, 4);
  if (failed(data))
    return failure();
  int64_t block = shape.integer("blocksize", 0);
  if (block < 1 || block > farAway)
    return shape.error("blocksize is " + Twine(block));
  if (!*data)
    return success();
  Exprs dims = **data;
  for (Expr side : {dims[2], dims[3]})
    if (auto size = dim::constant(side); size && *size % block)
      return shape.error("the block does not divide the side of " +
                         Twine(*size));
  shape.setDims(0, {dims[0], dim::multiply(dims[1], block * block),
                    dim::floorDivide(dims[2], block),
                    dim::floorDivide(dims[3], block)});
  return success();
}

static LogicalResult centerCropPad(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  int64_t rank = data->size();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(rank));
  if (auto values = shape.integers("axes")) {
    FailureOr<SmallVector<int64_t>> normal = shape.axes(*values, rank);
    if (failed(normal))
      return failure();
    axes = *normal;
  }
  auto target = shape.elementsOrSymbols(1);
  if (target && target->size() != axes.size())
    return shape.error("the shape has " + Twine(target->size()) +
                       " values for " + Twine(axes.size()) + " axes");
  Exprs result(*data);
  for (auto [index, axis] : llvm::enumerate(axes))
    result[axis] = !target || shape.readsData((*target)[index])
                       ? Expr()
                       : (*target)[index];
  shape.setDims(0, std::move(result));
  return success();
}

void onnxc::addDataMovementShapes(ShapeRules &rules) {
  rules.onShape("Transpose", transpose);
  rules.onShape("Concat", concat);
  rules.onShape("Split", split);
  rules.onShape("Slice", slice);
  rules.onShape("Pad", pad);
  rules.onShape("Tile", tile);
  rules.onShape("Expand", expand);
  rules.onShape("DepthToSpace", depthToSpace);
  rules.onShape("SpaceToDepth", spaceToDepth);
  rules.onShape("CenterCropPad", centerCropPad);
}
