//===- SignalShapes.cpp - Shapes of DFT, STFT, windows, text features -----===//

#include "compiler/graph/shapes/ShapeContext.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace onnxc;

/// The one element of `operand` as a size; null when it is data.
static Expr sizeFrom(ShapeContext &shape, unsigned operand) {
  auto values = shape.elements(operand);
  if (!values || values->size() != 1 || shape.readsData(values->front()))
    return {};
  return values->front();
}

static LogicalResult window(ShapeContext &shape) {
  shape.setDims(0, {sizeFrom(shape, 0)});
  return success();
}

static LogicalResult melWeightMatrix(ShapeContext &shape) {
  Expr bins = sizeFrom(shape, 0), length = sizeFrom(shape, 1);
  shape.setDims(0, {dim::add(dim::floorDivide(length, 2), 1), bins});
  return success();
}

static LogicalResult dft(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  int64_t rank = data->size();
  if (rank < 2)
    return shape.error("the input has no dim beside the complex parts");
  bool oneSided = shape.integer("onesided", 0) != 0;
  bool inverse = shape.integer("inverse", 0) != 0;
  std::optional<int64_t> given = -2;
  if (shape.present(2))
    given = shape.constantScalar(2);
  Exprs result(*data);
  if (!given) {
    std::fill(result.begin(), result.end() - 1, Expr());
    result.back() = oneSided && inverse ? shape.constant(1) : shape.constant(2);
    shape.setDims(0, std::move(result));
    return success();
  }
  FailureOr<int64_t> axis = shape.axis(*given, rank);
  if (failed(axis))
    return failure();
  if (*axis == rank - 1)
    return shape.error("the axis is that of the complex parts");
  if (shape.present(1))
    result[*axis] = sizeFrom(shape, 1);
  else if (oneSided && inverse) // of the 2 * (n - 1) real values
    result[*axis] = dim::multiply(dim::add(result[*axis], -1), 2);
  if (oneSided && !inverse)
    result[*axis] = dim::add(dim::floorDivide(result[*axis], 2), 1);
  result.back() = shape.constant(oneSided && inverse ? 1 : 2);
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult stft(ShapeContext &shape) {
  auto signal = shape.dims(0);
  if (!signal)
    return success();
  if (signal->size() < 2)
    return shape.error("the signal has no batch and length");
  Expr step = sizeFrom(shape, 1), length;
  if (shape.present(3))
    length = sizeFrom(shape, 3);
  else if (shape.present(2))
    if (auto dims = shape.dims(2); dims && dims->size() == 1)
      length = dims->front();
  if (auto value = dim::constant(step); value && *value < 1)
    return shape.error("frame_step is " + Twine(*value));
  Expr frames =
      dim::add(dim::floorDivide(dim::subtract((*signal)[1], length), step), 1);
  Expr bins = shape.integer("onesided", 1)
                  ? dim::add(dim::floorDivide(length, 2), 1)
                  : length;
  shape.setDims(0, {(*signal)[0], frames, bins, shape.constant(2)});
  return success();
}

static LogicalResult tfIdf(ShapeContext &shape) {
  auto data = shape.dims(0);
  auto indexes = shape.integers("ngram_indexes");
  if (!data || !indexes)
    return success();
  int64_t size = 0;
  for (int64_t index : *indexes)
    size = std::max(size, index + 1);
  Exprs result;
  if (data->size() == 2)
    result.push_back((*data)[0]);
  result.push_back(shape.constant(size));
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult stringNormalizer(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  auto words = shape.op->getAttrOfType<ArrayAttr>("stopwords");
  Exprs result(*data);
  if (words && !words.empty() && !result.empty())
    result.back() = {};
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult stringSplit(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  Exprs result(*data);
  result.push_back({});
  shape.setDims(1, Exprs(*data));
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult tokenizer(ShapeContext &shape) {
  if (auto data = shape.dims(0)) {
    Exprs result(*data);
    result.push_back({});
    shape.setDims(0, std::move(result));
  }
  return success();
}

void onnxc::addSignalShapes(ShapeRules &rules) {
  rules.onShape({"BlackmanWindow", "HammingWindow", "HannWindow"}, window);
  rules.onShape("MelWeightMatrix", melWeightMatrix);
  rules.onShape("DFT", dft);
  rules.onShape("STFT", stft);
  rules.onShape("TfIdfVectorizer", tfIdf);
  rules.onShape("StringNormalizer", stringNormalizer);
  rules.onShape("StringSplit", stringSplit);
  rules.onShape("com.microsoft.Tokenizer", tokenizer);
}
