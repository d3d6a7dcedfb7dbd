//===- Passes.h - Passes of lowering -*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_PASSES_H
#define ONNXC_COMPILER_LOWER_PASSES_H

#include "mlir/Pass/Pass.h"

namespace onnxc {
#define GEN_PASS_DECL
#include "compiler/lower/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "compiler/lower/Passes.h.inc"
} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_PASSES_H
