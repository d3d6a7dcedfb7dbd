//===- Pipeline.h - The passes on the onnx dialect, in order ----*- C++ -*-===//
#ifndef ONNXC_COMPILER_GRAPH_PIPELINE_H
#define ONNXC_COMPILER_GRAPH_PIPELINE_H

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace onnxc {

/// Appends what makes an imported module ready for lowering.
void buildGraphPipeline(mlir::OpPassManager &manager);

/// Registers it as `onnxc-graph`.
void registerGraphPipeline();

} // namespace onnxc

#endif // ONNXC_COMPILER_GRAPH_PIPELINE_H
