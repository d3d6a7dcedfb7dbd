//===- Pipeline.h - The layout stage ----------------------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LAYOUT_PIPELINE_H
#define ONNXC_COMPILER_LAYOUT_PIPELINE_H

#include "mlir/Pass/PassManager.h"

namespace onnxc {

struct Target;

/// The part of buildLayoutPipeline that works on tensors.
void buildTensorPipeline(mlir::OpPassManager &pm, const Target &target);

/// Tensors to planned buffers. Ends before `plan-memory`, which needs the
/// places of the weights (kernel::placeWeights): see buildMemoryPipeline.
void buildLayoutPipeline(mlir::OpPassManager &pm, const Target &target);

/// After kernel::placeWeights: the entry function with every buffer in its
/// place.
void buildMemoryPipeline(mlir::OpPassManager &pm);

} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_PIPELINE_H
