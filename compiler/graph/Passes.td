//===- Passes.td - Passes of the onnx dialect ---------===//
#ifndef ONNXC_GRAPH_PASSES
#define ONNXC_GRAPH_PASSES

include "mlir/Pass/PassBase.td"

def InferShapes : Pass<"onnx-infer-shapes", "mlir::func::FuncOp"> {
  let summary = "Gives every tensor the rank and static dims that follow from the function's arguments";
  let description = [{
    Runs the analysis of `SymbolicShapes.h` and writes what it finds into the
    types: of results, of the arguments of regions, and of the function's
    results. Later stages need ranks, and every static dim is a loop bound that
    code generation knows.

    A model whose operands contradict each other is refused with the node's name.

    ```mlir
    func.func @main(%x: tensor<?x3x8x8xf32> {onnx.dims = ["N", "", "", ""]}) -> tensor<*xf32> {
      %0 = onnx.Flatten(%x) : (tensor<?x3x8x8xf32>) -> tensor<*xf32>
    ```
    becomes
    ```mlir
      %0 = onnx.Flatten(%x) : (tensor<?x3x8x8xf32>) -> tensor<?x192xf32>
    ```
    and with `annotate` the operation has the attribute
    `onnx.shape = ["[N, 192]"]`.
  }];
  let options = [Option<"annotate", "annotate", "bool", "false",
      "Write the symbolic dims, and elements where known, as attribute onnx.shape">];
}

#endif // ONNXC_GRAPH_PASSES
