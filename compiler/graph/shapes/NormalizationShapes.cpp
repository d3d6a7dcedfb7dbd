//===- NormalizationShapes.cpp - Shapes of normalisations -----------------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

/// The operand's sole dim must be the input's channels.
static LogicalResult checkChannels(ShapeContext &shape, unsigned operand) {
  auto data = shape.dims(0);
  auto vector = shape.present(operand) ? shape.dims(operand) : std::nullopt;
  if (!data || !vector)
    return success();
  if (vector->size() != 1)
    return shape.error("input " + Twine(operand) + " is no vector");
  Expr channels = data->size() > 1 ? (*data)[1] : shape.constant(1);
  return success(succeeded(
      shape.same(channels, vector->front(),
                 "channels and the size of input " + Twine(operand))));
}

static LogicalResult batchNormalization(ShapeContext &shape) {
  shape.setSame(0, 0);
  for (unsigned operand : {1, 2, 3, 4})
    if (failed(checkChannels(shape, operand)))
      return failure();
  shape.setSame(1, 3);
  shape.setSame(2, 4);
  return success();
}

static LogicalResult instanceNormalization(ShapeContext &shape) {
  shape.setSame(0, 0);
  for (unsigned operand : {1, 2})
    if (failed(checkChannels(shape, operand)))
      return failure();
  return success();
}

static LogicalResult groupNormalization(ShapeContext &shape) {
  if (failed(instanceNormalization(shape)))
    return failure();
  int64_t groups = shape.integer("num_groups", 1);
  auto data = shape.dims(0);
  if (groups < 1)
    return shape.error("num_groups is " + Twine(groups));
  if (data && data->size() > 1)
    if (auto channels = dim::constant((*data)[1]);
        channels && *channels % groups)
      return shape.error("the " + Twine(groups) + " groups do not divide the " +
                         Twine(*channels) + " channels");
  return success();
}

/// LayerNormalization and RMSNormalization; the former can give the mean and
/// inverse deviation too, with dims of 1 from the axis on.
static LogicalResult layerNormalization(ShapeContext &shape) {
  shape.setSame(0, 0);
  auto data = shape.dims(0);
  if (!data)
    return success();
  FailureOr<int64_t> axis = shape.axis(shape.integer("axis", -1), data->size());
  if (failed(axis))
    return failure();
  for (unsigned operand : {1, 2}) {
    auto other = shape.present(operand) ? shape.dims(operand) : std::nullopt;
    if (!other)
      continue;
    FailureOr<Exprs> merged = shape.broadcast({*data, *other});
    if (failed(merged))
      return failure();
    if (other->size() > data->size())
      return shape.error("input " + Twine(operand) +
                         " has a higher rank than the data");
  }
  Exprs statistics(*data);
  for (size_t index = *axis; index < statistics.size(); ++index)
    statistics[index] = shape.constant(1);
  shape.setDims(1, statistics);
  shape.setDims(2, std::move(statistics));
  return success();
}

static LogicalResult sameAsFirst(ShapeContext &shape) {
  shape.setSame(0, 0);
  return success();
}

void onnxc::addNormalizationShapes(ShapeRules &rules) {
  rules.onShape("BatchNormalization", batchNormalization);
  rules.onShape("InstanceNormalization", instanceNormalization);
  rules.onShape("GroupNormalization", groupNormalization);
  rules.onShape({"LayerNormalization", "RMSNormalization"}, layerNormalization);
  rules.onShape("RotaryEmbedding", sameAsFirst);
}
