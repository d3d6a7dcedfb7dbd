//===- Passes.td - Passes of CPU code generation ---------===//
#ifndef ONNXC_CPUCODEGEN_PASSES
#define ONNXC_CPUCODEGEN_PASSES

include "mlir/Pass/PassBase.td"

def TestEmitKernel : Pass<"test-emit-kernel", "mlir::ModuleOp"> {
  let summary = "Write each function's one kernel op as code, for tests";
  let description = [{
    Calls the kernel emitters without the passes around them. A function that
    holds one kernel op on its own contiguous memref arguments, and constants, becomes two:

    ```mlir
    func.func @f(%a: memref<?x64xf32>, ...) { kernel.matmul ... }
    // becomes
    func.func @f(%begin: index, %end: index, %a: !llvm.ptr, ..., %a_dim0: index, ...)
    func.func @f_units(%a_dim0: index, ...) -> index
    ```
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512", "Width of a vector register">,
    Option<"vectorRegisters", "vector-registers", "int64_t", "32", "Number of vector registers">,
    Option<"pairProducts", "pair-products", "bool", "false", "Whether the target has pmaddwd">
  ];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::LLVM::LLVMDialect",
                           "mlir::scf::SCFDialect", "mlir::vector::VectorDialect"];
}

def OutlineKernels : Pass<"outline-kernels", "mlir::ModuleOp"> {
  let summary = "Write each kernel as a function and call it";
  let description = [{
    Each linalg op, kernel op, copy and loop nest of the entry becomes a call
    of a private function whose body is loops over bare pointers. Identical
    functions are written once, so that a network of a hundred like layers has
    the code of one. Pointers are `noalias` where their buffers differ. Work
    that is worth it is shared among threads by the shell.

    ```mlir
    // before
    linalg.fill ins(%zero : f32) outs(%b : memref<?x64xf32>)
    // after
    call @onnxc_shell_parallel(%frame, %count, %grain, @kernel_fill_0_part, %arguments)

    func.func private @kernel_fill_0(%begin: index, %end: index, %b: !llvm.ptr, %n: index, %zero: f32)
    ```
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512", "Width of a vector register">,
    Option<"vectorRegisters", "vector-registers", "int64_t", "32", "Number of vector registers">,
    Option<"l1Bytes", "l1-bytes", "int64_t", "32768", "Size of the first data cache">,
    Option<"l2Bytes", "l2-bytes", "int64_t", "1048576", "Size of the second cache">,
    Option<"pairProducts", "pair-products", "bool", "false", "Whether the target has pmaddwd">
  ];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::func::FuncDialect",
    "mlir::linalg::LinalgDialect", "mlir::LLVM::LLVMDialect",
    "mlir::memref::MemRefDialect", "mlir::scf::SCFDialect",
    "mlir::vector::VectorDialect"];
}

def ProfileKernels : Pass<"profile-kernels", "mlir::ModuleOp"> {
  let summary = "Put time stamps around each kernel";
  let description = [{
    Before and after each operation that outline-kernels will make a call of,
    calls the shell, which tells the host: which kernel, its floating-point
    operations and bytes (computed from the dims), and the sizes that only this
    run knows. What does not change from run to run is listed in the module's
    attribute `onnxc.kernels`, which becomes the model's table of kernels: the
    nodes that were fused into it, from its locations, and its shapes. Runs only when
    asked for (`--profile`): a model without it has no trace of it.

    ```mlir
    // before
    linalg.exp ins(%a : memref<?x8xf32>) outs(%b : memref<?x8xf32>)
    // after
    call @onnxc_shell_kernel_begin(%frame, %c0)
    linalg.exp ins(%a : memref<?x8xf32>) outs(%b : memref<?x8xf32>)
    call @onnxc_shell_kernel_end(%frame, %c0, %flops, %bytes, %sizes)
    ```
  }];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::func::FuncDialect",
    "mlir::LLVM::LLVMDialect", "mlir::memref::MemRefDialect"];
}

def TerminateRuns : Pass<"terminate-runs", "mlir::ModuleOp"> {
  let summary = "Let the host end a run between kernels";
  let description = [{
    Before each call of a kernel the entry asks the shell whether the host has set `terminate`, and returns if so. It
    costs two loads and a branch. The entry must be blocks, without regions in it, so that it can return anywhere.

    ```mlir
    // before
    call @kernel_fill_0(%begin, %end, %b, %n, %zero)
    // after
    %status = call @onnxc_shell_terminated(%frame)
    cf.cond_br %is_ok, ^next, ^return(%status)
    ^next:
    call @kernel_fill_0(%begin, %end, %b, %n, %zero)
    ```
  }];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::cf::ControlFlowDialect", "mlir::func::FuncDialect"];
}

def RoundedQuotients : Pass<"rounded-quotients", "mlir::ModuleOp"> {
  let summary = "Rounded quotients by a constant as multiplications";
  let description = [{
    What quantises divides by a scale and rounds. A division takes the time of five multiplications; with fused multiply-adds,
    which the target must have, the quotient follows exactly from the rounded inverse:

    ```mlir
    // before
    %q = arith.divf %x, %s : vector<8xf32>
    %0 = math.roundeven %q : vector<8xf32>
    // after
    %q = arith.mulf %x, %inverse : vector<8xf32>
    %minus = arith.negf %q : vector<8xf32>
    %rest = math.fma %minus, %s, %x : vector<8xf32>
    %better = math.fma %rest, %inverse, %q : vector<8xf32>
    %counts = arith.cmpf one, %better, %q : vector<8xf32>
    %exact = arith.select %counts, %better, %q : vector<8xi1>, vector<8xf32>
    %0 = math.roundeven %exact : vector<8xf32>
    ```

    Quotients that are no normal numbers may be others, which rounding makes good.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect"];
}

def ExpandMath : Pass<"expand-math", "mlir::ModuleOp"> {
  let summary = "Write elementary functions as arithmetic, or as calls of the shell's own";
  let description = [{
    A compiled model has no library to call. Exponentials, logarithms, powers,
    circular and hyperbolic functions, their inverses, erf and round on f32,
    scalars and vectors, become polynomials without branches, so that LLVM
    vectorises a loop of them: an exp costs 0.15 ns an element, a call of a
    library's 2 ns or more. f16 and bf16 are computed in f32. What is rare (f64,
    cbrt, arith.remf, ...) becomes a call of a function of the shell, one for
    each element of a vector.

    ```mlir
    // before
    %0 = math.exp %x : vector<16xf32>
    %1 = math.cbrt %y : f32
    // after
    %n = vector.fma %x, %log2e, %magic : vector<16xf32>
    ...
    %1 = call @onnxc_math_cbrt_f32(%y) : (f32) -> f32
    ```
  }];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::func::FuncDialect", "mlir::math::MathDialect",
    "mlir::vector::VectorDialect"];
}

#endif // ONNXC_CPUCODEGEN_PASSES
