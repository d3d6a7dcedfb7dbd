//===- Passes.td - Passes of CPU code generation ---------===//
#ifndef ONNXC_CPUCODEGEN_PASSES
#define ONNXC_CPUCODEGEN_PASSES

include "mlir/Pass/PassBase.td"

#endif // ONNXC_CPUCODEGEN_PASSES
