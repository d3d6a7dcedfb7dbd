//===- Passes.td - Passes of lowering ---------===//
#ifndef ONNXC_LOWER_PASSES
#define ONNXC_LOWER_PASSES

include "mlir/Pass/PassBase.td"

def LowerOnnx : Pass<"lower-onnx", "::mlir::ModuleOp"> {
  let summary = "Lower onnx operators to linalg, kernel, tensor and scf";
  let description = [{
    Rewrites `func.func @main` from the onnx dialect to tensors of signless
    types, one operator after the other. Contractions, convolutions and pools
    become `kernel` operations, for which onnxc has schedules of its own; the
    rest becomes `linalg` on tensors, which the layout passes fuse. Dims become
    index values computed from the dims of the arguments, so that no shape
    tensor is built at run time unless an operator reads one as data.

    Arguments and results keep their attributes and get `onnx.elem_type`, the
    ONNX element type that the signless tensor type no longer tells.

    Reports every node that cannot be lowered, then fails.

    ```mlir
    func.func @main(%x: tensor<?xui8> {onnx.name = "x"}) -> (tensor<?xui8>) {
      %0 = onnx.Add(%x, %x) : ...
    // becomes
    func.func @main(%x: tensor<?xi8> {onnx.elem_type = 2, onnx.name = "x"}) -> tensor<?xi8> {
      %d = tensor.dim %x, %c0
      %e = tensor.empty(%d)
      %0 = linalg.generic ins(%x, %x) outs(%e) { arith.addi }
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::bufferization::BufferizationDialect",
    "::mlir::cf::ControlFlowDialect", "::mlir::func::FuncDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::onnxc::kernel::KernelDialect"];
}

#endif // ONNXC_LOWER_PASSES
