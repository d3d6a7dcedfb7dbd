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

def DifferentiateGradients : Pass<"onnx-differentiate-gradients", "mlir::func::FuncOp"> {
  let summary = "Replaces Gradient by the operators that compute it";
  let description = [{
    Reverse mode: from y back to xs each operator turns the gradient of its
    results into that of its operands (`gradients/`, one file a family).
    Values that the function computes anyway are used again; where an input is
    not the tensor that it stands for, the function is computed of the inputs
    first. Operators without a rule are refused by name.

    ```mlir
    %c = onnx.Mul(%a, %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %da = onnx.preview.training.Gradient(%a, %b, %a, %b, %c) {xs = ["a", "b"], y = "c"} : ...
    ```
    becomes
    ```mlir
    %one = onnx.ConstantOfShape(%shape) {value = dense<1.0> : tensor<1xf32>} : (tensor<1xi64>) -> tensor<4xf32>
    %da = onnx.Mul(%one, %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}

def InferLengths : Pass<"onnx-infer-lengths", "mlir::func::FuncOp"> {
  let summary = "Finds the lengths of operands that the ranks beside them decide";
  let description = [{
    The shape for a Reshape, the pads of a Pad, the starts of a Slice can be
    vectors whose length is not declared. But it follows from the ranks of the
    other operands or of the result. A Reshape to that length tells it to
    the passes behind, which read such operands element by element, and checks
    it when the model runs. Without it the operator would be refused.

    ```mlir
    %y = onnx.Tile(%x, %repeats) : (tensor<?x?xf32>, tensor<?xi64>) -> tensor<?x?xf32>
    ```
    becomes
    ```mlir
    %length = onnx.Constant() {value = dense<2> : tensor<1xi64>} : () -> tensor<1xi64>
    %0 = onnx.Reshape(%repeats, %length) : (tensor<?xi64>, tensor<1xi64>) -> tensor<2xi64>
    %y = onnx.Tile(%x, %0) : (tensor<?x?xf32>, tensor<2xi64>) -> tensor<?x?xf32>
    ```
  }];
}

def InferRanks : Pass<"onnx-infer-ranks", "mlir::func::FuncOp"> {
  let summary = "Gives tensors the only rank with which reading them is no error";
  let description = [{
    Where inference finds no rank, it is the one that the model declares for its
    output, or that a reader needs: a Transpose that of its permutation, a Conv
    that of its weights. What makes the tensor checks it when the model runs; of
    an If whose branches differ in rank, the other one fails when it is taken.
    With a rank every operator works on the tensor, and its memory is planned.

    ```mlir
    %y = onnx.SequenceAt(%s, %i) : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
    %z = onnx.Transpose(%y) {perm = array<i64: 1, 0>} : (tensor<*xf32>) -> tensor<*xf32>
    ```
    becomes
    ```mlir
    %y = onnx.SequenceAt(%s, %i) : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<?x?xf32>
    %z = onnx.Transpose(%y) {perm = array<i64: 1, 0>} : (tensor<?x?xf32>) -> tensor<*xf32>
    ```
    A branch reads a tensor from outside through an Identity to that rank: other
    readers may need another one.
  }];
}

def SinkIntoBranches : Pass<"onnx-sink-into-branches", "mlir::func::FuncOp"> {
  let summary = "Moves what reads a tensor whose rank differs by branch into the branches";
  let description = [{
    In each branch of an If the tensor has a rank, so that operators can be
    lowered there that need one. What has one rank behind the If again, or goes
    to an output, leaves the branches. Where that is an error in one branch, the
    tensor has the other one's rank instead, and the run fails when the branch
    is taken.

    ```mlir
    %y = onnx.If(%c) ({ onnx.Return %a : tensor<?xf32> }, { onnx.Return %b : tensor<?x?xf32> }) : (tensor<i1>) -> tensor<*xf32>
    %z = onnx.Softmax(%y) : (tensor<*xf32>) -> tensor<*xf32>
    ```
    becomes
    ```mlir
    %z = onnx.If(%c) ({
      %0 = onnx.Softmax(%a) : (tensor<?xf32>) -> tensor<*xf32>
      onnx.Return %0
    }, {
      %1 = onnx.Softmax(%b) : (tensor<?x?xf32>) -> tensor<*xf32>
      onnx.Return %1
    }) : (tensor<i1>) -> tensor<*xf32>
    ```
  }];
}

def SwitchRanks : Pass<"onnx-switch-ranks", "mlir::func::FuncOp"> {
  let summary = "Branches on the rank of an element where an operator needs one";
  let description = [{
    A sequence or optional that gets tensors of several ranks, and no others,
    has elements of one of these: `onnx-infer-sequence-types` left them in
    `onnx.ranks`. What reads the element then goes into the branches. Readers
    that take any rank need none.

    ```mlir
    %y = onnx.SequenceAt(%s, %i) {onnx.ranks = array<i64: 1, 2>} : (...) -> tensor<*xf32>
    %z = onnx.Softmax(%y) : (tensor<*xf32>) -> tensor<*xf32>
    ```
    becomes
    ```mlir
    %y = onnx.SequenceAt(%s, %i) : (...) -> tensor<*xf32>
    %shape = onnx.Shape(%y) : (tensor<*xf32>) -> tensor<?xi64>
    %rank = onnx.Size(%shape) : (tensor<?xi64>) -> tensor<i64>
    %is_vector = onnx.Equal(%rank, %one) : (tensor<i64>, tensor<i64>) -> tensor<i1>
    %0 = onnx.If(%is_vector) ({
      %1 = onnx.Identity(%y) : (tensor<*xf32>) -> tensor<?x?xf32>
      onnx.Return(%1)
    }, {
      %1 = onnx.Identity(%y) : (tensor<*xf32>) -> tensor<?xf32>
      onnx.Return(%1)
    }) : (tensor<i1>) -> tensor<*xf32>
    %z = onnx.Softmax(%0) : (tensor<*xf32>) -> tensor<*xf32>
    ```
  }];
}

def FlattenElementwise : Pass<"onnx-flatten-elementwise", "mlir::func::FuncOp"> {
  let summary = "Computes element by element on vectors where no rank is known";
  let description = [{
    What an operator does with each element needs no rank: tensors whose rank
    only a run tells become vectors for it, and get their shape back.

    ```mlir
    %y = onnx.Relu(%x) : (tensor<*xf32>) -> tensor<*xf32>
    ```
    becomes
    ```mlir
    %0 = onnx.Reshape(%x, %minus_one) : (tensor<*xf32>, tensor<1xi64>) -> tensor<?xf32>
    %1 = onnx.Shape(%x) : (tensor<*xf32>) -> tensor<?xi64>
    %2 = onnx.Relu(%0) : (tensor<?xf32>) -> tensor<?xf32>
    %y = onnx.Reshape(%2, %1) : (tensor<?xf32>, tensor<?xi64>) -> tensor<*xf32>
    ```
  }];
}

def FoldConstants : Pass<"onnx-fold-constants", "mlir::func::FuncOp"> {
  let summary = "Evaluates operators whose operands or results are known";
  let description = [{
    Replaces by `onnx.Constant`
    - results whose elements shape inference finds to be numbers (the shape
      arithmetic of exporters),
    - results of operators on constants: data movement, arithmetic,
      comparisons, casts, reductions.

    What is known need not be computed in each run, and weights that are
    transposed or scaled by the graph become weights that can be packed.
    A result larger than 64 KB and than twice its operands is left, so that
    compiling does not write expanded tensors into the file; splats of any size
    fold, for they take no space.

    ```mlir
    %1 = onnx.Transpose(%w) {perm = array<i64: 1, 0>} : (tensor<2x1xf32>) -> tensor<1x2xf32>
    ```
    with a constant `%w` becomes
    ```mlir
    %1 = onnx.Constant() {value = dense<[[1.0, 2.0]]> : tensor<1x2xf32>} : () -> tensor<1x2xf32>
    ```
  }];
}

def DequantizedWeights : Pass<"onnx-dequantized-weights", "mlir::func::FuncOp"> {
  let summary = "Products with dequantised constants keep them in few bits";
  let description = [{
    A MatMul or Gemm whose right operand is a DequantizeLinear of a constant matrix of 2, 4 or 8 bits, perhaps transposed, becomes
    MatMulNBits: the library then has the few bits, not floats, and the product reads no more than them. The scales may be one, one for each
    column, or one for each block of a column.

    ```mlir
    %w = onnx.DequantizeLinear(%q, %scales, %none) {axis = 0, block_size = 32} : (tensor<64x48xi4>, tensor<2x48xf32>, none) -> tensor<64x48xf32>
    %y = onnx.MatMul(%x, %w) : (tensor<?x64xf32>, tensor<64x48xf32>) -> tensor<?x48xf32>
    ```
    becomes
    ```mlir
    %y = onnx.com.microsoft.MatMulNBits(%x, %packed, %turned, %none, %none, %none) {K = 64, N = 48, bits = 4, block_size = 32} : ...
    ```
  }];
}

def Simplify : Pass<"onnx-simplify", "mlir::func::FuncOp"> {
  let summary = "Removes operators that change nothing";
  let description = [{
    Replaces by their operand: Identity, Dropout at inference, casts to the same
    type, reshapes, slices, expansions, pads and splits whose result has the
    operand's symbolic dims, transposes that keep the order, Concat and Sum of
    one tensor. An If with a constant condition becomes its branch. Each of
    these would otherwise be a copy of the tensor, and hides patterns.

    ```mlir
    %1 = onnx.Identity(%0) : (tensor<4xf32>) -> tensor<4xf32>
    %2 = onnx.Relu(%1) : (tensor<4xf32>) -> tensor<4xf32>
    ```
    becomes
    ```mlir
    %2 = onnx.Relu(%0) : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}

def SettleRanks : Pass<"onnx-settle-ranks", "mlir::func::FuncOp"> {
  let summary = "Decides ranks that dims leave open by how the tensors are read";
  let description = [{
    What has no rank when compiling cannot be lowered. Two such tensors have one
    in every run that is no error:

    - The result of a Squeeze without axes whose operand has dims that are not
      known, where a reader needs all of them: they are not squeezed. (A run in
      which one is 1 gives what it gives with that dim kept; the standard makes
      it an error.)
    - The result of an If whose branches differ in rank, where all readers
      broadcast it beside a tensor that has the greater rank: the lesser one
      gets dims of 1 in front, which changes no result.

    ```mlir
    %0 = onnx.Squeeze(%x, %none) : (tensor<?x1x3xf32>, none) -> tensor<*xf32>
    %1:3 = onnx.Split(%0, %none) {axis = 1, num_outputs = 3} : ...
    ```
    becomes
    ```mlir
    %axes = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
    %0 = onnx.Squeeze(%x, %axes) : (tensor<?x1x3xf32>, tensor<1xi64>) -> tensor<*xf32>
    ```
  }];
}

def SqueezeConditionals : Pass<"onnx-squeeze-conditionals", "mlir::func::FuncOp"> {
  let summary = "Replaces an If that squeezes a dim of 1 by the Squeeze";
  let description = [{
    PyTorch's `squeeze(dim)` of a dim that is not known when exporting becomes an
    If whose branches differ in rank. A rank must be known when compiling, and
    what follows was written for the squeezed one: the Squeeze takes the If's
    place. Lowering checks its dim, so a run whose dim is not 1 fails with a message.

    ```mlir
    %dim = onnx.Gather(%shape_of_x, %last)
    %condition = onnx.Equal(%dim, %one)
    %0 = onnx.If(%condition) ({ onnx.Return %x }, { %1 = onnx.Squeeze(%x, %last) onnx.Return %1 })
    // becomes
    %0 = onnx.Squeeze(%x, %last)
    ```
  }];
}

def FoldSequences : Pass<"onnx-fold-sequences", "mlir::func::FuncOp"> {
  let summary = "Replaces sequences and optionals whose elements are known by these elements";
  let description = [{
    What builds, changes and reads a sequence at constant positions, splits a
    tensor into parts of known number, or wraps an optional value, says which
    tensor is meant where: the tensors are then values like any other, with
    memory that is planned and shapes that are inferred one by one.

    ```mlir
    %s = onnx.SequenceConstruct(%a, %b) : (tensor<2xf32>, tensor<3xf32>) -> !onnx.seq<tensor<?xf32>>
    %t = onnx.SequenceInsert(%s, %c, %none) : ...
    %y = onnx.ConcatFromSequence(%t) {axis = 0 : i64} : (!onnx.seq<tensor<?xf32>>) -> tensor<?xf32>
    ```
    becomes
    ```mlir
    %y = onnx.Concat(%a, %b, %c) {axis = 0 : i64} : (tensor<2xf32>, tensor<3xf32>, tensor<4xf32>) -> tensor<9xf32>
    ```
    A sequence whose length follows from data, and one that is an input or
    output of the model, stays.
  }];
}

def StackLoopSequences : Pass<"onnx-stack-loop-sequences", "mlir::func::FuncOp"> {
  let summary = "Turns sequences that a Loop appends to into its scan outputs";
  let description = [{
    Exporters write a list that a loop appends to, and that is joined behind it,
    as a sequence. A scan output is the same without a sequence: its memory is
    one tensor, of the final size where the number of iterations is known.

    ```mlir
    %e = onnx.SequenceEmpty() : () -> !onnx.seq<tensor<?xf32>>
    %s = onnx.Loop(%n, %none, %e) ({
    ^bb0(%i: tensor<i64>, %c: tensor<i1>, %q: !onnx.seq<tensor<?xf32>>):
      ...
      %r = onnx.SequenceInsert(%q, %t, %none) : ...
      onnx.Return(%c, %r) : ...
    }) : ...
    %y = onnx.ConcatFromSequence(%s) {axis = 0 : i64, new_axis = 1 : i64} : ...
    ```
    becomes
    ```mlir
    %y = onnx.Loop(%n, %none) ({
    ^bb0(%i: tensor<i64>, %c: tensor<i1>):
      ...
      onnx.Return(%c, %t) : ...
    }) : ...
    ```
    Joined along a dim that the tensors have, which no iteration may change, the
    stack is reshaped.
  }];
}

def InferSequenceTypes : Pass<"onnx-infer-sequence-types", "mlir::func::FuncOp"> {
  let summary = "Finds the rank and dims of what sequences and optionals hold";
  let description = [{
    What is read from a sequence must have a rank when it is compiled, but an
    empty sequence and the variables of a loop often declare none. The type of
    a sequence's elements becomes what all tensors that are put into it have in
    common, and what is read from it gets that type.

    ```mlir
    %e = onnx.SequenceEmpty() : () -> !onnx.seq<tensor<*xf32>>
    %s = onnx.SequenceInsert(%e, %x, %none) : (..., tensor<?x4xf32>, none) -> !onnx.seq<tensor<*xf32>>
    %y = onnx.SequenceAt(%s, %i) : (...) -> tensor<*xf32>
    ```
    becomes
    ```mlir
    %s = onnx.SequenceInsert(%e, %x, %none) : (..., tensor<?x4xf32>, none) -> !onnx.seq<tensor<?x4xf32>>
    %y = onnx.SequenceAt(%s, %i) : (...) -> tensor<?x4xf32>
    ```
    A tensor whose rank is not known yet says nothing: the pass runs again when
    inference has gone on from its results. The generated code checks what it
    reads. Where there are several ranks, and no others, `onnx.ranks` lists them.
  }];
}

def FoldBatchNorm : Pass<"onnx-fold-batchnorm", "mlir::func::FuncOp"> {
  let summary = "Turns BatchNormalization with constant statistics into Mul and Add";
  let description = [{
    With scale, bias, mean and variance known, the normalisation is a factor
    and a term for each channel: a = scale / sqrt(variance + epsilon),
    b = bias - mean * a. `onnx-fold-channel-affine` then moves both into the
    weights of a preceding convolution, so that nothing is left to compute.

    ```mlir
    %1, %m, %v = onnx.BatchNormalization(%x, %scale, %bias, %mean, %variance) : ...
    ```
    becomes
    ```mlir
    %0 = onnx.Mul(%x, %a) : (tensor<?x4x?x?xf32>, tensor<4x1x1xf32>) -> tensor<?x4x?x?xf32>
    %1 = onnx.Add(%0, %b) : (tensor<?x4x?x?xf32>, tensor<4x1x1xf32>) -> tensor<?x4x?x?xf32>
    ```
  }];
}

def FoldChannelAffine : Pass<"onnx-fold-channel-affine", "mlir::func::FuncOp"> {
  let summary = "Folds constant factors and terms per channel into the weights before them";
  let description = [{
    Mul, Div, Add and Sub by a constant number, or by one constant number per
    output channel, after Conv, ConvTranspose or Gemm with constant weights
    (and Mul and Div after MatMul) change the weights and bias instead, when
    nothing else reads the product: a pass over the tensor less.

    ```mlir
    %0 = onnx.Conv(%x, %w, %none) : ...
    %1 = onnx.Mul(%0, %a) : (tensor<?x4x?x?xf32>, tensor<4x1x1xf32>) -> tensor<?x4x?x?xf32>
    ```
    becomes, with `%wa` the product of `%w` and `%a`,
    ```mlir
    %1 = onnx.Conv(%x, %wa, %none) : ...
    ```
  }];
}

def IntegerContractions : Pass<"onnx-integer-contractions", "mlir::func::FuncOp"> {
  let summary = "Multiplies quantised tensors as integers";
  let description = [{
    A Conv, MatMul or Gemm of two dequantised 8-bit tensors becomes one of the
    integers themselves, and the scales move behind it: the weights stay 8 bits
    wide in the library, products are exact and several times as fast, and what
    follows (scale, bias, activation, QuantizeLinear) is an epilogue.

    ```mlir
    %x = onnx.DequantizeLinear(%xq, %sx, %zx) : ... -> tensor<?x8x?x?xf32>
    %w = onnx.DequantizeLinear(%wq, %sw, %zw) : ... -> tensor<4x8x1x1xf32>
    %1 = onnx.Conv(%x, %w, %bias) : ... -> tensor<?x4x?x?xf32>
    ```
    becomes, with `%s` the product of the scales,
    ```mlir
    %0 = onnx.ConvInteger(%xq, %wq, %zx, %zw) : ... -> tensor<?x4x?x?xi32>
    %c = onnx.Cast(%0) {to = 1} : ... -> tensor<?x4x?x?xf32>
    %m = onnx.Mul(%c, %s) : ...
    %1 = onnx.Add(%m, %bias) : ...
    ```

    Scales must be constants: one for the activations, one or one for each
    output channel of the weights.
  }];
}

def FusePatterns : Pass<"onnx-fuse-patterns", "mlir::func::FuncOp"> {
  let summary = "Turns what exporters wrote as several operators back into one";
  let description = [{
    HardSigmoid, HardSwish, Swish, Mish, Gelu (by erf and by tanh) and
    LayerNormalization from the arithmetic that exporters write for them
    (`patterns/`, one file each). One operator has one lowering that reads its
    input once; a mean in a chain of primitives ends fusion.

    A product with one-hot rows becomes a Gather of rows of the matrix, which
    reads one row instead of all, and element-wise operators behind a Gather
    from a table smaller than its result are done to the table.

    ```mlir
    %0 = onnx.Sigmoid(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %1 = onnx.Mul(%x, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
    becomes
    ```mlir
    %1 = onnx.Swish(%x) : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}

#endif // ONNXC_GRAPH_PASSES
