//===- QuantizationShapes.cpp - Shapes of (de)quantisation ----------------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

static LogicalResult linear(ShapeContext &shape) {
  shape.setSame(0, 0);
  auto data = shape.dims(0), scale = shape.dims(1);
  if (!data || !scale || scale->size() != 1 || data->empty() ||
      shape.integer("block_size", 0) != 0)
    return success();
  if (dim::constant(scale->front()) == 1)
    return success();
  FailureOr<int64_t> axis = shape.axis(shape.integer("axis", 1), data->size());
  return success(succeeded(axis) &&
                 succeeded(shape.same((*data)[*axis], scale->front(),
                                      "sizes of the axis and the scale")));
}

static LogicalResult dynamicQuantize(ShapeContext &shape) {
  shape.setSame(0, 0);
  shape.setDims(1, {});
  shape.setDims(2, {});
  return success();
}

void onnxc::addQuantizationShapes(ShapeRules &rules) {
  rules.onShape({"QuantizeLinear", "DequantizeLinear"}, linear);
  rules.onShape("DynamicQuantizeLinear", dynamicQuantize);
}
