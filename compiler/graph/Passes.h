//===- Passes.h - Passes of the onnx dialect -*- C++ -*-===//
#ifndef ONNXC_COMPILER_GRAPH_PASSES_H
#define ONNXC_COMPILER_GRAPH_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace onnxc {
#define GEN_PASS_DECL
#include "compiler/graph/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

#endif // ONNXC_COMPILER_GRAPH_PASSES_H
