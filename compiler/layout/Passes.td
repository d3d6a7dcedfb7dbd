//===- Passes.td - Passes of layout, fusion and memory --------------------===//
#ifndef ONNXC_LAYOUT_PASSES
#define ONNXC_LAYOUT_PASSES

include "mlir/Pass/PassBase.td"

def PropagateTransposes : Pass<"propagate-transposes", "mlir::func::FuncOp"> {
  let summary = "Move transposes towards their users until they cancel";
  let description = [{
    Lowering puts a `linalg.transpose` before and after each channels-last
    kernel. This pass moves them down through element-wise operations,
    concatenations and slices, and absorbs them into reductions and gathers, so
    that between two convolutions they meet their inverse and vanish: a
    transpose is a full trip through memory.

    ```mlir
    %y = linalg.transpose ins(%conv : [N, H, W, C]) permutation = [0, 3, 1, 2]
    %z = linalg.generic (relu) ins(%y : [N, C, H, W])
    // becomes
    %r = linalg.generic (relu) ins(%conv : [N, H, W, C])
    %z = linalg.transpose ins(%r) permutation = [0, 3, 1, 2]
    ```

    An element-wise operation follows the layout of most of its full-rank
    operands; the others are transposed for it (constants at compile time).
  }];
  let dependentDialects = ["mlir::linalg::LinalgDialect", "mlir::tensor::TensorDialect",
                           "::onnxc::kernel::KernelDialect"];
}

def TransposesToReshapes : Pass<"transposes-to-reshapes", "mlir::func::FuncOp"> {
  let summary = "Turn transposes that only move dims of size 1 into reshapes";
  let description = [{
    `[N, C, 1, 1]` to `[N, 1, 1, C]` moves no data: a `collapse_shape` and an
    `expand_shape`, which are views, take the transpose's place.
  }];
  let dependentDialects = ["mlir::tensor::TensorDialect"];
}

def FuseElementwise : Pass<"fuse-elementwise", "mlir::func::FuncOp"> {
  let summary = "Fuse chains of element-wise operations";
  let description = [{
    An element-wise producer whose only users are one consumer moves into that
    consumer's body, which saves writing and reading a tensor. Constants move
    into bodies as scalars.
  }];
  let dependentDialects = ["mlir::linalg::LinalgDialect", "mlir::tensor::TensorDialect",
                           "mlir::arith::ArithDialect"];
}

def FuseEpilogues : Pass<"fuse-epilogues", "mlir::func::FuncOp"> {
  let summary = "Move element-wise users of a contraction into its epilogue";
  let description = [{
    When the only user of a `kernel.matmul`, `kernel.conv` or
    `kernel.depthwise_conv` is an element-wise `linalg.generic` that reads it
    with the identity map, the body of the generic is appended to the epilogue,
    where it works on the accumulator registers: bias, activation and residual
    then cost no trip through memory.

    ```mlir
    %c = kernel.conv ins(%x, %w) epilogue { ^bb0(%acc): kernel.yield %acc }
    %r = linalg.generic ins(%c, %bias) { ^bb0(%a, %b, %o): add, max 0, yield }
    // becomes
    %r = kernel.conv ins(%x, %w) with(%bias) epilogue { ^bb0(%acc, %b): add, max 0, yield }
    ```
  }];
  let dependentDialects = ["::onnxc::kernel::KernelDialect"];
}

def PackWeights : Pass<"pack-weights", "mlir::func::FuncOp"> {
  let summary = "Pack the constant operands of contractions into panels";
  let description = [{
    A constant filter or right-hand side is stored as panels of 16 columns,
    `[..., N/16, K, 16]`: the inner loop reads it with unit stride, whole cache
    lines at a time. The packing happens while the library is written.

    ```mlir
    %w = kernel.weight W -> tensor<768x768xf32>
    %c = kernel.matmul ins(%x, %w)
    // becomes
    %w = kernel.weight W {panel_width = 16, panel_axis = 0} -> tensor<48x768x16xf32>
    %c = kernel.matmul ins(%x, %w) {packed}
    ```
  }];
  let dependentDialects = ["::onnxc::kernel::KernelDialect"];
}

#endif // ONNXC_LAYOUT_PASSES
