//===- Passes.td - Passes of lowering ---------===//
#ifndef ONNXC_LOWER_PASSES
#define ONNXC_LOWER_PASSES

include "mlir/Pass/PassBase.td"

#endif // ONNXC_LOWER_PASSES
