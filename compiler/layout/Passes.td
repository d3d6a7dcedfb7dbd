//===- Passes.td - Passes of layout, fusion and memory ---------===//
#ifndef ONNXC_LAYOUT_PASSES
#define ONNXC_LAYOUT_PASSES

include "mlir/Pass/PassBase.td"

#endif // ONNXC_LAYOUT_PASSES
