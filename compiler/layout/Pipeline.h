//===- Pipeline.h - The layout stage ----------------------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LAYOUT_PIPELINE_H
#define ONNXC_COMPILER_LAYOUT_PIPELINE_H

#include "mlir/Pass/PassManager.h"

namespace onnxc {

struct Target;

/// What is the same for all CPUs of a library: it settles the weights' layout.
/// Methods that differ in it (Winograd) are chosen for `target`.
void buildLayoutPipeline(mlir::OpPassManager &pm, const Target &target);

/// Chooses how each kernel works on `target`.
void buildStrategyPipeline(mlir::OpPassManager &pm, const Target &target);

/// Tensors to buffers. Ends before `plan-memory`, which needs the places of the
/// weights (kernel::placeWeights): see buildMemoryPipeline.
void buildBufferPipeline(mlir::OpPassManager &pm);

/// After kernel::placeWeights: the entry function with every buffer in its
/// place.
void buildMemoryPipeline(mlir::OpPassManager &pm);

} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_PIPELINE_H
