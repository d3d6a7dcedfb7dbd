//===- Passes.td - Passes of the onnx dialect ---------===//
#ifndef ONNXC_GRAPH_PASSES
#define ONNXC_GRAPH_PASSES

include "mlir/Pass/PassBase.td"

#endif // ONNXC_GRAPH_PASSES
