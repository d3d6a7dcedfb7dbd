//===- Passes.td - Passes of CPU code generation ---------===//
#ifndef ONNXC_CPUCODEGEN_PASSES
#define ONNXC_CPUCODEGEN_PASSES

include "mlir/Pass/PassBase.td"

def TestEmitKernel : Pass<"test-emit-kernel", "mlir::ModuleOp"> {
  let summary = "Write each function's one kernel op as code, for tests";
  let description = [{
    Calls the kernel emitters without the passes around them. A function that
    holds one kernel op on its own contiguous memref arguments becomes two:

    ```mlir
    func.func @f(%a: memref<?x64xf32>, ...) { kernel.matmul ... }
    // becomes
    func.func @f(%begin: index, %end: index, %a: !llvm.ptr, ..., %a_dim0: index, ...)
    func.func @f_units(%a_dim0: index, ...) -> index
    ```
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512", "Width of a vector register">,
    Option<"vectorRegisters", "vector-registers", "int64_t", "32", "Number of vector registers">
  ];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::LLVM::LLVMDialect",
                           "mlir::scf::SCFDialect", "mlir::vector::VectorDialect"];
}

#endif // ONNXC_CPUCODEGEN_PASSES
