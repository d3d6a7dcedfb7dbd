//===- VisionShapes.cpp - Shapes of RoI pooling, Col2Im, suppression ------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

static LogicalResult roiAlign(ShapeContext &shape) {
  auto data = shape.dimsOfRank(0, 4), rois = shape.dimsOfRank(1, 2);
  if (failed(data) || failed(rois))
    return failure();
  if (*data && *rois)
    shape.setDims(0, {(**rois)[0], (**data)[1],
                      shape.constant(shape.integer("output_height", 1)),
                      shape.constant(shape.integer("output_width", 1))});
  return success();
}

static LogicalResult maxRoiPool(ShapeContext &shape) {
  auto data = shape.dimsOfRank(0, 4), rois = shape.dimsOfRank(1, 2);
  auto pooled = shape.integers("pooled_shape");
  if (failed(data) || failed(rois))
    return failure();
  if (!pooled || pooled->size() != 2)
    return shape.error("pooled_shape does not have two values");
  if (*data && *rois)
    shape.setDims(0, {(**rois)[0], (**data)[1], shape.constant((*pooled)[0]),
                      shape.constant((*pooled)[1])});
  return success();
}

/// Col2Im: [N, C * block, L] -> [N, C, image...].
static LogicalResult col2Im(ShapeContext &shape) {
  auto data = shape.dimsOfRank(0, 3);
  if (failed(data))
    return failure();
  auto image = shape.elementsOrSymbols(1), block = shape.elementsOrSymbols(2);
  if (!*data || !image)
    return success();
  Exprs result{(**data)[0], Expr()};
  if (block) {
    Expr size = dim::product(shape.context(), *block);
    if (auto value = dim::constant(size); value && *value < 1)
      return shape.error("the block is empty");
    if (!shape.readsData(size))
      result[1] = dim::floorDivide((**data)[1], size);
  }
  for (Expr size : *image)
    result.push_back(shape.readsData(size) ? Expr() : size);
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult nonMaxSuppression(ShapeContext &shape) {
  shape.setDims(0, {Expr(), shape.constant(3)});
  return success();
}

static LogicalResult imageDecoder(ShapeContext &shape) {
  bool gray = shape.string("pixel_format", "RGB") == "Grayscale";
  shape.setDims(0, {Expr(), Expr(), shape.constant(gray ? 1 : 3)});
  return success();
}

void onnxc::addVisionShapes(ShapeRules &rules) {
  rules.onShape("RoiAlign", roiAlign);
  rules.onShape("MaxRoiPool", maxRoiPool);
  rules.onShape("Col2Im", col2Im);
  rules.onShape("NonMaxSuppression", nonMaxSuppression);
  rules.onShape("ImageDecoder", imageDecoder);
}
