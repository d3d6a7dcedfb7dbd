//===- OptimizerShapes.cpp - Shapes of ai.onnx.preview.training -----------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

/// Behind two scalars `tensors` values for each of X, G and the states: the new
/// X and states have the dims of the old.
template <unsigned states> static LogicalResult optimizer(ShapeContext &shape) {
  unsigned tensors = shape.numResults() / (states + 1);
  for (unsigned result = 0; result < shape.numResults(); ++result) {
    unsigned operand = 2 + result + (result < tensors ? 0 : tensors);
    if (operand < shape.numOperands())
      shape.setSame(result, operand);
  }
  return success();
}

void onnxc::addOptimizerShapes(ShapeRules &rules) {
  rules.onShape("preview.training.Adagrad", optimizer<1>);
  rules.onShape("preview.training.Momentum", optimizer<1>);
  rules.onShape("preview.training.Adam", optimizer<2>);
}
