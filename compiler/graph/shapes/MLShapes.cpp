//===- MLShapes.cpp - Shapes of ai.onnx.ml's operators --------------------===//
//
// Those whose results follow from the operands' dims alone; the others (trees,
// vectorisers) have the declared type's.
//
//===----------------------------------------------------------------------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

static LogicalResult sameAsFirst(ShapeContext &shape) {
  shape.setSame(0, 0);
  return success();
}

void onnxc::addMLShapes(ShapeRules &rules) {
  rules.onShape({"ml.Binarizer", "ml.Imputer", "ml.LabelEncoder",
                 "ml.Normalizer", "ml.Scaler"},
                sameAsFirst);
}
