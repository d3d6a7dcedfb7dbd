//===- IndexingShapes.cpp - Shapes of Gather, Scatter, TopK, ... ----------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

static LogicalResult gather(ShapeContext &shape) {
  auto data = shape.dims(0), indices = shape.dims(1);
  if (!data || !indices)
    return success();
  FailureOr<int64_t> axis = shape.axis(shape.integer("axis", 0), data->size());
  if (failed(axis))
    return failure();
  bool isVector = data->size() == 1;
  Exprs result(data->take_front(*axis));
  result.append(indices->begin(), indices->end());
  result.append(data->begin() + *axis + 1, data->end());
  shape.setDims(0, std::move(result));
  auto places = shape.constants(1);
  if (!isVector || !places)
    return success();
  auto take = [&](auto values, auto set) {
    if (!values)
      return;
    std::decay_t<decltype(*values)> taken;
    for (int64_t place : *places) {
      int64_t n = values->size();
      if (place < -n || place >= n)
        return;
      taken.push_back((*values)[place < 0 ? place + n : place]);
    }
    set(std::move(taken));
  };
  take(shape.elements(0),
       [&](Exprs values) { shape.setElements(0, std::move(values)); });
  take(shape.ratios(0),
       [&](Ratios values) { shape.setRatios(0, std::move(values)); });
  return success();
}

static LogicalResult gatherElements(ShapeContext &shape) {
  shape.setSame(0, 1);
  auto data = shape.rank(0), indices = shape.rank(1);
  if (!data || !indices)
    return success();
  if (*data != *indices)
    return shape.error("data and indices have ranks " + Twine(*data) + " and " +
                       Twine(*indices));
  return success(succeeded(shape.axis(shape.integer("axis", 0), *data)));
}

static LogicalResult gatherND(ShapeContext &shape) {
  auto data = shape.dims(0), indices = shape.dims(1);
  if (!data || !indices)
    return success();
  int64_t batch = shape.integer("batch_dims", 0);
  if (indices->empty() || batch < 0 ||
      batch >= static_cast<int64_t>(indices->size()) ||
      batch >= static_cast<int64_t>(data->size()))
    return shape.error("batch_dims " + Twine(batch) +
                       " does not fit data and indices");
  auto depth = dim::constant(indices->back());
  if (!depth)
    return success();
  if (*depth < 1 || batch + *depth > static_cast<int64_t>(data->size()))
    return shape.error("indices of " + Twine(*depth) +
                       " dims do not fit data of rank " + Twine(data->size()));
  Exprs result;
  for (int64_t index = 0; index < batch; ++index) {
    FailureOr<Expr> merged =
        shape.same((*data)[index], (*indices)[index], "batch dims");
    if (failed(merged))
      return failure();
    result.push_back(*merged);
  }
  result.append(indices->begin() + batch, indices->end() - 1);
  result.append(data->begin() + batch + *depth, data->end());
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult scatterElements(ShapeContext &shape) {
  shape.setSame(0, 0);
  auto data = shape.rank(0);
  auto indices = shape.dims(1), updates = shape.dims(2);
  if (data && failed(shape.axis(shape.integer("axis", 0), *data)))
    return failure();
  if (!data || !indices || !updates)
    return success();
  if (static_cast<int64_t>(indices->size()) != *data ||
      indices->size() != updates->size())
    return shape.error("data, indices and updates have ranks " + Twine(*data) +
                       ", " + Twine(indices->size()) + " and " +
                       Twine(updates->size()));
  for (auto [a, b] : llvm::zip_equal(*indices, *updates))
    if (failed(shape.same(a, b, "dims of indices and updates")))
      return failure();
  return success();
}

static LogicalResult scatterND(ShapeContext &shape) {
  shape.setSame(0, 0);
  auto data = shape.dims(0), indices = shape.dims(1), updates = shape.dims(2);
  if (!data || !indices || !updates)
    return success();
  if (indices->empty())
    return shape.error("indices is a scalar");
  auto depth = dim::constant(indices->back());
  if (!depth)
    return success();
  if (*depth < 0 || *depth > static_cast<int64_t>(data->size()))
    return shape.error("indices of " + Twine(*depth) +
                       " dims do not fit data of rank " + Twine(data->size()));
  Exprs wanted(indices->drop_back());
  wanted.append(data->begin() + *depth, data->end());
  if (wanted.size() != updates->size())
    return shape.error("updates has rank " + Twine(updates->size()) +
                       " where " + Twine(wanted.size()) + " is needed");
  for (auto [a, b] : llvm::zip_equal(wanted, *updates))
    if (failed(shape.same(a, b, "dims of updates and their places")))
      return failure();
  return success();
}

static LogicalResult sameAsFirst(ShapeContext &shape) {
  shape.setSame(0, 0);
  return success();
}

static LogicalResult topK(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  FailureOr<int64_t> axis = shape.axis(shape.integer("axis", -1), data->size());
  if (failed(axis))
    return failure();
  Exprs result(*data);
  auto count = shape.elements(1);
  Expr k = count && count->size() == 1 ? count->front() : Expr();
  auto x = dim::constant(k), y = dim::constant(result[*axis]);
  if (x && (*x < 0 || (y && *x > *y)))
    return shape.error("K is " + Twine(*x) +
                       (y ? " of " + std::to_string(*y) : std::string()));
  // The indices share the values' symbol where K is data.
  result[*axis] =
      k && !shape.readsData(k)
          ? k
          : shape.inference.dimSymbol(shape.op->getResult(0), *axis);
  shape.setDims(1, result);
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult oneHot(ShapeContext &shape) {
  auto indices = shape.dims(0);
  if (!indices)
    return success();
  int64_t rank = indices->size() + 1;
  FailureOr<int64_t> axis = shape.axis(shape.integer("axis", -1), rank);
  if (failed(axis))
    return failure();
  auto depth = shape.elements(1);
  Expr size = depth && depth->size() == 1 && !shape.readsData(depth->front())
                  ? depth->front()
                  : Expr();
  // A constant float depth is allowed too.
  if (auto ratio = shape.ratios(1);
      !size && ratio && ratio->size() == 1 && ratio->front().denominator == 1)
    size = ratio->front().numerator;
  Exprs result(*indices);
  result.insert(result.begin() + *axis, size);
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult nonZero(ShapeContext &shape) {
  if (auto rank = shape.rank(0))
    shape.setDims(0, {shape.constant(*rank), Expr()});
  return success();
}

static LogicalResult compress(ShapeContext &shape) {
  auto data = shape.dims(0);
  auto given = shape.integer("axis");
  if (!given) {
    shape.setDims(0, Exprs(1));
    return success();
  }
  if (!data)
    return success();
  FailureOr<int64_t> axis = shape.axis(*given, data->size());
  if (failed(axis))
    return failure();
  Exprs result(*data);
  result[*axis] = {};
  if (auto kept = shape.constants(1))
    result[*axis] = shape.constant(
        llvm::count_if(*kept, [](int64_t value) { return value != 0; }));
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult unique(ShapeContext &shape) {
  auto data = shape.dims(0);
  auto given = shape.integer("axis");
  // How many there are is one symbol, which all outputs share.
  Expr count;
  if (!given) {
    count = shape.inference.dimSymbol(shape.op->getResult(0), 0);
    shape.setDims(0, {count});
    shape.setDims(2, {data ? dim::product(shape.context(), *data) : Expr()});
  } else {
    if (!data)
      return success();
    FailureOr<int64_t> axis = shape.axis(*given, data->size());
    if (failed(axis))
      return failure();
    Exprs result(*data);
    count = shape.inference.dimSymbol(shape.op->getResult(0), *axis);
    result[*axis] = count;
    shape.setDims(2, {(*data)[*axis]});
    shape.setDims(0, std::move(result));
  }
  shape.setDims(1, {count});
  shape.setDims(3, {count});
  return success();
}

void onnxc::addIndexingShapes(ShapeRules &rules) {
  rules.onShape("Gather", gather);
  rules.onShape("GatherElements", gatherElements);
  rules.onShape("GatherND", gatherND);
  rules.onShape("ScatterElements", scatterElements);
  rules.onShape("ScatterND", scatterND);
  rules.onShape("TensorScatter", sameAsFirst);
  rules.onShape("TopK", topK);
  rules.onShape("OneHot", oneHot);
  rules.onShape("NonZero", nonZero);
  rules.onShape("Compress", compress);
  rules.onShape("Unique", unique);
}
