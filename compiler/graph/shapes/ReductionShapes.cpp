//===- ReductionShapes.cpp - Shapes of reductions -------------------------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

/// `dims` without `axes`, or with 1 there.
static Exprs reduced(ShapeContext &shape, ArrayRef<Expr> dims,
                     ArrayRef<int64_t> axes, bool keep) {
  Exprs result;
  for (auto [index, expr] : llvm::enumerate(dims)) {
    bool gone = llvm::is_contained(axes, static_cast<int64_t>(index));
    if (!gone)
      result.push_back(expr);
    else if (keep)
      result.push_back(shape.constant(1));
  }
  return result;
}

static LogicalResult reduce(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  int64_t rank = data->size();
  bool keep = shape.integer("keepdims", 1) != 0;
  SmallVector<int64_t> axes;
  bool all = !shape.present(1);
  if (!all) {
    auto values = shape.constants(1);
    if (!values) {
      // Which axes go is known only at run time.
      if (auto count = shape.elementsOrSymbols(1); count && !count->empty()) {
        if (keep)
          shape.setDims(0, Exprs(rank));
        else if (static_cast<int64_t>(count->size()) <= rank)
          shape.setDims(0, Exprs(rank - count->size()));
      } else if (keep) {
        shape.setDims(0, Exprs(rank));
      }
      return success();
    }
    FailureOr<SmallVector<int64_t>> normal = shape.axes(*values, rank);
    if (failed(normal))
      return failure();
    axes = *normal;
    all = axes.empty();
  }
  if (all) {
    if (shape.integer("noop_with_empty_axes", 0)) {
      shape.setSame(0, 0);
      return success();
    }
    axes.assign(llvm::to_vector(llvm::seq<int64_t>(rank)));
  }
  shape.setDims(0, reduced(shape, *data, axes, keep));
  return success();
}

/// ReduceProd, ReduceSum, ReduceMin and ReduceMax of a vector of known
/// elements, as in the count of elements of a shape.
static LogicalResult
reduceElements(ShapeContext &shape,
               llvm::function_ref<Expr(Expr, Expr)> combine) {
  if (failed(reduce(shape)))
    return failure();
  auto values = shape.elements(0);
  auto result = shape.inference.shapes.dims(shape.op->getResult(0));
  if (!values || values->empty() || shape.rank(0).value_or(2) > 1 || !result ||
      (result->size() == 1 && dim::constant(result->front()) != 1))
    return success();
  // A noop keeps more than one element, which the size above rules out.
  Expr total = values->front();
  for (Expr value : llvm::drop_begin(*values))
    total = total ? combine(total, value) : total;
  shape.setElements(0, {total});
  return success();
}

static LogicalResult reduceProd(ShapeContext &shape) {
  return reduceElements(shape,
                        [](Expr a, Expr b) { return dim::multiply(a, b); });
}
static LogicalResult reduceSum(ShapeContext &shape) {
  return reduceElements(shape, [](Expr a, Expr b) { return dim::add(a, b); });
}
static LogicalResult reduceMax(ShapeContext &shape) {
  return reduceElements(shape,
                        [&](Expr a, Expr b) { return shape.maximum(a, b); });
}
static LogicalResult reduceMin(ShapeContext &shape) {
  return reduceElements(shape,
                        [&](Expr a, Expr b) { return shape.minimum(a, b); });
}

static LogicalResult argument(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  FailureOr<int64_t> axis = shape.axis(shape.integer("axis", 0), data->size());
  if (failed(axis))
    return failure();
  shape.setDims(
      0, reduced(shape, *data, {*axis}, shape.integer("keepdims", 1) != 0));
  return success();
}

/// Losses: one number unless the reduction is "none".
static LogicalResult loss(ShapeContext &shape) {
  shape.setSame(1, 0);
  if (shape.string("reduction", "mean") != "none")
    shape.setDims(0, {});
  else
    shape.setSame(0, 1);
  return success();
}

static LogicalResult determinant(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  if (data->size() < 2)
    return shape.error("the input is no matrix");
  if (failed(shape.same((*data)[data->size() - 2], data->back(),
                        "sides of the matrix")))
    return failure();
  shape.setDims(0, Exprs(data->drop_back(2)));
  return success();
}

void onnxc::addReductionShapes(ShapeRules &rules) {
  rules.onShape({"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
                 "ReduceMean", "ReduceSumSquare"},
                reduce);
  rules.onShape("ReduceProd", reduceProd);
  rules.onShape("ReduceSum", reduceSum);
  rules.onShape("ReduceMax", reduceMax);
  rules.onShape("ReduceMin", reduceMin);
  rules.onShape({"ArgMax", "ArgMin"}, argument);
  rules.onShape({"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}, loss);
  rules.onShape("Det", determinant);
}
