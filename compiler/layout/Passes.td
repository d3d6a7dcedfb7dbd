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
    operands; the others are transposed for it (constants at compile time). A
    long one whose innermost loop only repeats a little of it (GridSample: the
    channels at a place that took long to find) keeps its own layout.
  }];
  let dependentDialects = ["mlir::linalg::LinalgDialect", "mlir::tensor::TensorDialect",
                           "::onnxc::kernel::KernelDialect"];
}

def TransposesThroughReshapes : Pass<"transposes-through-reshapes", "mlir::func::FuncOp"> {
  let summary = "Take the reshapes off a transpose between collapsed dims";
  let description = [{
    Exporters collapse batch and heads into one dim before they transpose keys, and expand them afterwards. Without the
    two reshapes the transpose can meet others, and vanish.

    ```mlir
    %c = tensor.collapse_shape %x [[0, 1], [2], [3]] : [B, H, S, D] into [BH, S, D]
    %t = linalg.transpose ins(%c) permutation = [0, 2, 1]
    %e = tensor.expand_shape %t [[0, 1], [2], [3]] : [BH, D, S] into [B, H, D, S]
    // becomes
    %e = linalg.transpose ins(%x) permutation = [0, 1, 3, 2]
    ```
  }];
  let dependentDialects = ["mlir::linalg::LinalgDialect", "mlir::tensor::TensorDialect"];
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

def WinogradConvolutions : Pass<"winograd-convolutions", "mlir::func::FuncOp"> {
  let summary = "Compute 3x3 convolutions by Winograd's F(2x2, 3x3)";
  let description = [{
    A 3x3 convolution with stride 1 and a constant filter becomes an input transform and 16 matrix products over patches
    of 4x4 pixels, which give 2x2 outputs each: 16 multiplications for four outputs instead of 36, with the error
    of a direct convolution. The filter is transformed while the library is written; it takes 16/9 of the space. A
    `kernel.pad` in front is not needed: the transform clips its patches.

    ```mlir
    %p = kernel.pad ins(%x : tensor<1x56x56x64xf32>) {pads = [1, 1]}
    %y = kernel.conv ins(%p, %f : tensor<1x58x58x64xf32>, tensor<1x3x3x64x64xf32>)
    // becomes
    %v = kernel.winograd_input from(%c0) ins(%x) {pads = [1, 1]} -> tensor<1x28x28x1040xf32>
    %y = kernel.winograd_conv ins(%v, %u : tensor<1x28x28x1040xf32>, tensor<4x16x64x16xf32>)
    ```

    Patches take four times the space of the input. Where they would not stay in the second cache, a loop over bands of
    output rows transforms and multiplies one band at a time.

    It pays where the cycles saved in products outweigh those of the transforms and of reading the longer filter, which
    an estimate from channels, output size, vector width and caches decides; an unknown output size counts as large.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512", "Width of a vector register">,
    Option<"cacheBytes", "cache-bytes", "int64_t", "1048576", "Size of the second-level cache">
  ];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::scf::SCFDialect", "mlir::tensor::TensorDialect", "::onnxc::kernel::KernelDialect"];
}

def WinogradAlongAxis : Pass<"winograd-along-axis", "mlir::func::FuncOp"> {
  let summary = "Compute convolutions along one axis by Winograd's F(2, 2) and F(2, 3)";
  let description = [{
    A convolution whose filter is 1 in one of its dims, and two to six taps in the other, with stride 1 and a constant
    filter, becomes element-wise transforms around matrix products, one for each point. Two or three taps are F(2, 2) or
    F(2, 3). More are a matrix of two columns, F(2, 2) over the columns of F(2, 3) over the rows: five taps give four outputs
    by 11 multiplications instead of 20, with points 0, 1, -1 and infinity alone, so that the error is that of
    a 3x3 convolution by F(2x2, 3x3).

    ```mlir
    %y = kernel.conv ins(%x, %f : tensor<1x512x1x256xf32>, tensor<1x5x1x256x512xf32>) -> tensor<1x508x1x512xf32>
    // becomes
    %t = tensor.expand_shape %x [[0], [1, 2], [3], [4]] : tensor<1x128x4x1x256xf32>
    %v:11 = linalg.generic ins(8 slices of %t) -> (tensor<1x127x1x256xf32>, ...)
    %f0 = kernel.weight ... {point_transform = [1, 0, 0, 0, 0], ...} -> tensor<32x256x16xf32>
    %m0 = kernel.matmul ins(%v#0, %f0)                  // and ten more
    %w:4 = linalg.generic ins(%m0, ..., %m10)           // and the epilogue
    ```

    A third of the points of five taps have the sum of two others' filters, which is computed in each run: the library
    holds 7/5 of the filter instead of 11/5.

    It pays where the cycles saved in products outweigh those of the transforms and of the filters' memory, which
    an estimate decides; an unknown output size counts as middling.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512", "Width of a vector register">
  ];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect", "mlir::tensor::TensorDialect", "::onnxc::kernel::KernelDialect"];
}

def FuseAttention : Pass<"fuse-attention", "mlir::func::FuncOp"> {
  let summary = "Two products around a softmax become one kernel";
  let description = [{
    The scores of attention are a tensor of heads x queries x keys, written and read four times. `kernel.attention`
    keeps a block of them in the nearest cache. What was done to the scores (scale, mask) is already in the first
    product's epilogue; a scale of queries or keys joins it. Transposes before and after become the orders in which the
    kernel reads and writes.

    ```mlir
    %q = linalg.transpose ins(%query) permutation = [0, 2, 1, 3]
    %s = kernel.matmul ins(%q, %k) with(%mask) epilogue { add }
    %p = kernel.softmax ins(%s)
    %y = kernel.matmul ins(%p, %value)
    // becomes
    %y = kernel.attention ins(%query, %key, %value) with(%mask) {query_order = [0, 2, 1, 3], ...} epilogue { add }
    ```

    A NaN that becomes 0 between softmax and product becomes `zero_nan_rows`. The kernel works in
    f32: a mask of f16 or bf16 is widened before it, and where the second product's epilogue rounds to such a type, an
    element-wise op behind the kernel does.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::tensor::TensorDialect", "::onnxc::kernel::KernelDialect"];
}

def PadInPlace : Pass<"pad-in-place", "mlir::func::FuncOp"> {
  let summary = "Let a kernel write straight into the padded tensor of its user";
  let description = [{
    When a convolution's padded input is made by `kernel.pad` from the result of
    a kernel or an element-wise operation, that operation gets the inside of the
    padded tensor as its init, and only the border is zeroed: the padded copy,
    a trip through memory, is gone.

    ```mlir
    %r = kernel.conv ... outs(%e)
    %p = kernel.pad ins(%r) outs(%f)
    // becomes
    %b = kernel.pad_border around(%h, %w) outs(%f)
    %s = tensor.extract_slice %b[0, 1, 1, 0]
    %r = kernel.conv ... outs(%s)
    %p = tensor.insert_slice %r into %b[0, 1, 1, 0]
    ```

    A convolution whose rows are flattened pixels (1x1, stride 1) and short
    would lose by it: the pixels of a padded tensor do not adjoin.
  }];
  let dependentDialects = ["mlir::tensor::TensorDialect", "::onnxc::kernel::KernelDialect"];
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

    A large matrix that is read element by element, too, such as an embedding
    that is also the last product's matrix, is then read from the panels, and
    stored once:

    ```mlir
    %m = kernel.weight W -> tensor<50257x768xf32>
    %e = tensor.extract %m[%i, %k]
    // becomes
    %w = kernel.weight W {permutation = [1, 0], panel_width = 16, panel_axis = 0} -> tensor<3142x768x16xf32>
    %e = tensor.extract %w[%i / 16, %k, %i % 16]
    ```
  }];
  let dependentDialects = ["::onnxc::kernel::KernelDialect", "::mlir::arith::ArithDialect"];
}

def BufferizeModel : Pass<"bufferize-model", "mlir::ModuleOp"> {
  let summary = "Tensors of the model become buffers";
  let description = [{
    One-shot bufferization of the whole module: every tensor becomes a memref,
    results are computed where they are needed (into a slice of a
    concatenation, over an input that is dead), and a copy appears only where
    two versions of a tensor are alive at once. Arguments and weights are
    never written. Each `memref.alloc` left is a buffer whose place
    `plan-memory` decides; nothing is freed.

    ```mlir
    // before
    %e = tensor.empty(%n) : tensor<?xf32>
    %r = linalg.map { math.absf } ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>)
    // after
    %e = memref.alloc(%n) : memref<?xf32>
    linalg.map { math.absf } ins(%x : memref<?xf32>) outs(%e : memref<?xf32>)
    ```
  }];
  let dependentDialects = [
    "mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
    "mlir::bufferization::BufferizationDialect", "mlir::linalg::LinalgDialect",
    "mlir::memref::MemRefDialect", "mlir::scf::SCFDialect"];
}

def PlanMemory : Pass<"plan-memory", "mlir::ModuleOp"> {
  let summary = "Every buffer gets a place; @main becomes the shell's entry";
  let description = [{
    A buffer whose value is returned lives in the output's memory. All others
    share one workspace: two buffers may overlap when they are never alive at
    once. Their order in memory is fixed at compile time by a best-fit
    placement (with guesses for dims that are not known), the offsets are
    computed at run time from the actual dims, so the workspace is as small
    for one shape as for another and nothing is allocated during a run.
    Buffers whose size depends on computed data come from the shell; one that
    is dead when its loop's iteration ends from a slot, memory that grows and
    that the next iteration uses again.

    ```mlir
    // before
    func.func @main(%x: memref<?xf32>) -> memref<?xf32> {
      %0 = memref.alloc(%n) : memref<?xf32>
      %1 = memref.alloc(%n) : memref<?xf32>
      ...
      return %1
    // after
    func.func @onnxc_generated_run(%frame: !llvm.ptr) -> i32 {
      %out = call @onnxc_shell_output(%frame, 0, 1, [%n])
      %ws = call @onnxc_shell_workspace(%frame, align(%n * 4))
      %0 = memref.view %ws[%c0][%n] : memref<?xi8> to memref<?xf32>
      %1 = memref.view %out[%c0][%n] : memref<?xi8> to memref<?xf32>
    ```
  }];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::cf::ControlFlowDialect",
    "mlir::func::FuncDialect", "mlir::LLVM::LLVMDialect",
    "mlir::memref::MemRefDialect"];
}

def SelectTiles : Pass<"select-tiles", "mlir::func::FuncOp"> {
  let summary = "Choose the register tile of each matrix product and convolution";
  let description = [{
    One table by shape and target: how many rows by how many vectors of columns
    are kept in registers. Static sizes decide by the cycles that balanced
    tiles take; a size that is unknown counts as a typical one. An op that has
    a tile keeps it.

    ```mlir
    kernel.matmul ins(%a, %b : tensor<49x512xf32>, tensor<32x512x16xf32>) ... {packed}
    // becomes
    kernel.matmul ins(%a, %b) ... {packed, tile = #kernel.tile<rows = 6, vectors = 4>}
    ```
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512", "Width of a vector register">,
    Option<"vectorRegisters", "vector-registers", "int64_t", "32", "Number of vector registers">,
    Option<"cacheBytes", "cache-bytes", "int64_t", "1048576", "Size of the second-level cache">
  ];
  let dependentDialects = ["::onnxc::kernel::KernelDialect"];
}

#endif // ONNXC_LAYOUT_PASSES
