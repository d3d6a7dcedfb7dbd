//===- MLShapes.cpp - Shapes of ai.onnx.ml's operators --------------------===//
//
// Those whose results follow from the operands' dims and from attributes; the
// others (vectorisers of maps) have the declared type's.
//
//===----------------------------------------------------------------------===//

#include "compiler/graph/shapes/ShapeContext.h"

#include <numeric>

using namespace mlir;
using namespace onnxc;

static LogicalResult sameAsFirst(ShapeContext &shape) {
  shape.setSame(0, 0);
  return success();
}

/// Samples are rows: [N, F], or one of [F].
static std::optional<Expr> sampleCount(ShapeContext &shape) {
  auto dims = shape.dims(0);
  if (!dims || dims->empty() || dims->size() > 2)
    return std::nullopt;
  return dims->size() == 1 ? shape.constant(1) : dims->front();
}

static LogicalResult linearRegressor(ShapeContext &shape) {
  if (auto count = sampleCount(shape))
    shape.setDims(0, {*count, shape.constant(shape.integer("targets", 1))});
  return success();
}

static LogicalResult treeRegressor(ShapeContext &shape) {
  if (auto count = sampleCount(shape))
    shape.setDims(0, {*count, shape.constant(shape.integer("n_targets", 1))});
  return success();
}

/// A label and a score for each class.
static LogicalResult classifier(ShapeContext &shape) {
  auto count = sampleCount(shape);
  auto labels = shape.integers("classlabels_ints");
  if (!labels)
    labels = shape.integers("classlabels_int64s");
  auto texts = shape.op->getAttrOfType<ArrayAttr>("classlabels_strings");
  if (!count)
    return success();
  shape.setDims(0, {*count});
  if (texts && !texts.empty())
    shape.setDims(1,
                  {*count, shape.constant(static_cast<int64_t>(texts.size()))});
  else if (labels)
    shape.setDims(
        1, {*count, shape.constant(static_cast<int64_t>(labels->size()))});
  return success();
}

/// A machine with support vectors has a score for each pair of classes; two
/// classes have two all the same.
static LogicalResult svmClassifier(ShapeContext &shape) {
  auto count = sampleCount(shape);
  auto labels = shape.integers("classlabels_ints");
  auto texts = shape.op->getAttrOfType<ArrayAttr>("classlabels_strings");
  bool isText = texts && !texts.empty();
  if (!count)
    return success();
  shape.setDims(0, {*count});
  if (!labels && !isText)
    return success();
  auto classes = static_cast<int64_t>(isText ? texts.size() : labels->size());
  auto vectors = shape.integers("vectors_per_class");
  auto slopes = shape.op->getAttrOfType<DenseF32ArrayAttr>("prob_a");
  bool hasPairs = vectors && !vectors->empty() && classes > 2 &&
                  (!slopes || slopes.empty());
  shape.setDims(
      1, {*count,
          shape.constant(hasPairs ? classes * (classes - 1) / 2 : classes)});
  return success();
}

static LogicalResult svmRegressor(ShapeContext &shape) {
  if (auto count = sampleCount(shape))
    shape.setDims(0, {*count, shape.constant(1)});
  return success();
}

static LogicalResult featureVectorizer(ShapeContext &shape) {
  auto count = sampleCount(shape);
  auto features = shape.integers("inputdimensions");
  if (count && features)
    shape.setDims(
        0, {*count, shape.constant(std::accumulate(
                        features->begin(), features->end(), int64_t(0)))});
  return success();
}

static LogicalResult arrayFeatureExtractor(ShapeContext &shape) {
  auto data = shape.dims(0), indices = shape.dims(1);
  if (!data || !indices || data->empty())
    return success();
  Exprs dims(*data);
  if (dims.size() == 1)
    dims.insert(dims.begin(), shape.constant(1));
  dims.back() = dim::product(shape.context(), *indices);
  shape.setDims(0, dims);
  return success();
}

static LogicalResult dictVectorizer(ShapeContext &shape) {
  auto texts = shape.op->getAttrOfType<ArrayAttr>("string_vocabulary");
  auto integers = shape.integers("int64_vocabulary");
  size_t size = texts && !texts.empty() ? texts.size()
                : integers              ? integers->size()
                                        : 0;
  if (size)
    shape.setDims(
        0, {shape.constant(1), shape.constant(static_cast<int64_t>(size))});
  return success();
}

static LogicalResult castMap(ShapeContext &shape) {
  auto form = shape.op->getAttrOfType<StringAttr>("map_form");
  auto size = shape.op->getAttrOfType<IntegerAttr>("max_map");
  bool isSparse = form && form.getValue() == "SPARSE";
  Expr count; // as many as the map has
  if (isSparse)
    count = shape.constant(size ? size.getInt() : 1);
  shape.setDims(0, {shape.constant(1), count});
  return success();
}

static LogicalResult oneHotEncoder(ShapeContext &shape) {
  auto data = shape.dims(0);
  auto categories = shape.integers("cats_int64s");
  auto texts = shape.op->getAttrOfType<ArrayAttr>("cats_strings");
  bool isText = texts && !texts.empty();
  if (!data || (!categories && !isText))
    return success();
  Exprs dims(*data);
  dims.push_back(shape.constant(
      static_cast<int64_t>(isText ? texts.size() : categories->size())));
  shape.setDims(0, dims);
  return success();
}

void onnxc::addMLShapes(ShapeRules &rules) {
  rules.onShape({"ml.Binarizer", "ml.CategoryMapper", "ml.Imputer",
                 "ml.LabelEncoder", "ml.Normalizer", "ml.Scaler"},
                sameAsFirst);
  rules.onShape("ml.LinearRegressor", linearRegressor);
  rules.onShape({"ml.TreeEnsemble", "ml.TreeEnsembleRegressor"}, treeRegressor);
  rules.onShape({"ml.LinearClassifier", "ml.TreeEnsembleClassifier"},
                classifier);
  rules.onShape("ml.SVMClassifier", svmClassifier);
  rules.onShape("ml.SVMRegressor", svmRegressor);
  rules.onShape("ml.FeatureVectorizer", featureVectorizer);
  rules.onShape("ml.ArrayFeatureExtractor", arrayFeatureExtractor);
  rules.onShape("ml.DictVectorizer", dictVectorizer);
  rules.onShape("ml.OneHotEncoder", oneHotEncoder);
  rules.onShape("ml.CastMap", castMap);
}
