//===- Passes.h - Passes of CPU code generation -*- C++ -*-===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_PASSES_H
#define ONNXC_COMPILER_CODEGEN_CPU_PASSES_H

#include "mlir/Pass/Pass.h"

namespace onnxc {
#define GEN_PASS_DECL
#include "compiler/codegen/cpu/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_PASSES_H
