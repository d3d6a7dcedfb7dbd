//===- Pipeline.h - The layout stage ----------------------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LAYOUT_PIPELINE_H
#define ONNXC_COMPILER_LAYOUT_PIPELINE_H

#include "mlir/Pass/PassManager.h"

namespace onnxc {

struct Target;

/// Tensors to planned buffers. Ends before `plan-memory`, which needs the
/// places of the weights (collectWeights): see buildMemoryPipeline.
void buildLayoutPipeline(mlir::OpPassManager &pm, const Target &target);

/// After collectWeights: the entry function with every buffer in its place.
void buildMemoryPipeline(mlir::OpPassManager &pm);

} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_PIPELINE_H
