//===- Passes.h - Passes of layout, fusion and memory -*- C++ -*-===//
#ifndef ONNXC_COMPILER_LAYOUT_PASSES_H
#define ONNXC_COMPILER_LAYOUT_PASSES_H

#include "mlir/Pass/Pass.h"

namespace onnxc {
#define GEN_PASS_DECL
#include "compiler/layout/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_PASSES_H
