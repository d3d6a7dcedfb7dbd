//===- Passes.h - Passes of lowering -*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_PASSES_H
#define ONNXC_COMPILER_LOWER_PASSES_H

#include "mlir/Pass/Pass.h"
#include "llvm/ADT/StringRef.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace onnxc {
#define GEN_PASS_DECL
#include "compiler/lower/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "compiler/lower/Passes.h.inc"

/// lower-onnx and the simplification of what it leaves.
void buildLowerPipeline(mlir::OpPassManager &manager);

/// Whether lower-onnx takes an operation ("onnx.Gelu").
bool hasLowering(llvm::StringRef operation);
} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_PASSES_H
