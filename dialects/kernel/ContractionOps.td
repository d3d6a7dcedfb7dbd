//===- ContractionOps.td - Matrix products and convolutions ---------------===//
//
// Included by KernelOps.td.
//
//===----------------------------------------------------------------------===//

#ifndef ONNXC_KERNEL_CONTRACTIONOPS
#define ONNXC_KERNEL_CONTRACTIONOPS

class Kernel_ContractionOp<string mnemonic, list<Trait> traits = []>
    : Kernel_Op<mnemonic, traits # [DestinationStyleOpInterface,
        SingleBlock,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$epilogue);
  code dpsDeclaration = [{
    mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    /// The operands that only the epilogue reads.
    mlir::Block *getEpilogueBlock() { return &getEpilogue().front(); }
    /// Whether the epilogue stores the accumulator as it is.
    bool hasTrivialEpilogue();
  }];
}

def Kernel_MatmulOp : Kernel_ContractionOp<"matmul"> {
  let summary = "Matrix product with an epilogue";
  let description = [{
    `init[b..., m, n] = epilogue(sum_k lhs[b..., m, k] * rhs[b..., k, n])`.

    rhs is plain, `[b..., K, N]` (batch dims may be fewer than the output's, or 1: they broadcast, from the right), or packed, `[P, K, W]` with
    `packed`: panels of W columns, the last zero-padded; `paired`, too: integers whose K is even, as `kernel.weight` pairs them for
    instructions that add two products. lhs batch dims broadcast likewise; with
    a packed rhs lhs may have any number of leading dims, all equal to the output's.

    ```mlir
    %c = kernel.matmul ins(%a, %b : tensor<?x768xf32>, tensor<48x768x16xf32>)
           with(%bias : tensor<768xf32>) outs(%init : tensor<?x768xf32>)
           {packed, epilogue_maps = [affine_map<(m, n) -> (n)>]} -> tensor<?x768xf32> epilogue {
    ^bb0(%acc: f32, %bias_element: f32):
      %0 = arith.addf %acc, %bias_element : f32
      kernel.yield %0 : f32
    }
    ```
  }];
  let arguments = (ins AnyShaped:$lhs, AnyShaped:$rhs,
                       Variadic<AnyShaped>:$epilogue_operands, AnyShaped:$init,
                       AffineMapArrayAttr:$epilogue_maps, UnitAttr:$packed, UnitAttr:$paired,
                       OptionalAttr<Kernel_TileAttr>:$tile);
  let assemblyFormat = [{
    `ins` `(` $lhs `,` $rhs `:` type($lhs) `,` type($rhs) `)`
    (`with` `(` $epilogue_operands^ `:` type($epilogue_operands) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)? `epilogue` $epilogue
  }];
  let extraClassDeclaration = dpsDeclaration;
  let hasVerifier = 1;
}

def Kernel_QuantizedMatmulOp : Kernel_ContractionOp<"quantized_matmul", [AttrSizedOperandSegments]> {
  let summary = "Matrix product with weights of a few bits, which are scaled by blocks, with an epilogue";
  let description = [{
    ```
    init[b..., m, n] = epilogue(sum_{k < depth} lhs[b..., m, k] * w[k, n])
    w[k, n] = (q[k, n] - zero[k / block, n]) * scales[k / block, n]
    ```
    `q` are unsigned numbers of `bits` bits (2, 4 or 8). A word of `weights`, `[blocks * block / s, N]` of i32, holds s = 32 / bits steps
    of k, the first in the lowest bits; `block` is a multiple of s, and the last one is stored in full. `zero_points` are words, too, `[ceil(blocks / s), N]` of i32, or
    floats, `[blocks, N]`; without them zero is 2^(bits - 1). Weights stream through the registers as they lie in the library: a product
    with one row is as fast as memory gives these few bits.

    With `packed`, weights, scales and zero points are panels of W columns, `[P, ..., W]`, the last zero-padded. lhs may have any
    number of leading dims, all equal to the output's.

    ```mlir
    %c = kernel.quantized_matmul ins(%a, %q, %s : tensor<?x64xf32>, tensor<8x48xi32>, tensor<2x48xf32>) zero_points(%z : tensor<1x48xi32>)
           outs(%init : tensor<?x48xf32>) {bits = 4, block = 32, depth = 64, epilogue_maps = []} -> tensor<?x48xf32> epilogue {
    ^bb0(%acc: f32):
      kernel.yield %acc : f32
    }
    ```
  }];
  let arguments = (ins AnyShaped:$lhs, AnyShaped:$weights, AnyShaped:$scales, Optional<AnyShaped>:$zero_points,
                       Variadic<AnyShaped>:$epilogue_operands, AnyShaped:$init,
                       I64Attr:$bits, I64Attr:$block, I64Attr:$depth,
                       AffineMapArrayAttr:$epilogue_maps, UnitAttr:$packed);
  let assemblyFormat = [{
    `ins` `(` $lhs `,` $weights `,` $scales `:` type($lhs) `,` type($weights) `,` type($scales) `)`
    (`zero_points` `(` $zero_points^ `:` type($zero_points) `)`)?
    (`with` `(` $epilogue_operands^ `:` type($epilogue_operands) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)? `epilogue` $epilogue
  }];
  let extraClassDeclaration = dpsDeclaration # [{
    /// Steps of k that a word holds.
    int64_t stepsPerWord() { return 32 / getBits(); }
    /// Blocks of k that have a scale of their own.
    int64_t blocks() { return (getDepth() + getBlock() - 1) / getBlock(); }
  }];
  let hasVerifier = 1;
}

def Kernel_ConvOp : Kernel_ContractionOp<"conv"> {
  let summary = "Convolution of an already padded channels-last input, with an epilogue";
  let description = [{
    ```
    init[n, oh, ow, g*OC + oc] = epilogue(sum_{kh, kw, ic}
        input[n, oh*strides[0] + kh*dilations[0], ow*strides[1] + kw*dilations[1], g*IC + ic]
        * filter[g, kh, kw, ic, oc])
    ```
    The input is padded beforehand: every tap is inside. The filter is plain,
    `[G, KH, KW, IC, OC]`, or packed, `[G, P, KH, KW, IC, W]` with `packed`, and perhaps `paired` (see kernel.matmul; IC is even).
  }];
  let arguments = (ins AnyShaped:$input, AnyShaped:$filter,
                       Variadic<AnyShaped>:$epilogue_operands, AnyShaped:$init,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
                       AffineMapArrayAttr:$epilogue_maps, UnitAttr:$packed, UnitAttr:$paired,
                       OptionalAttr<Kernel_TileAttr>:$tile);
  let assemblyFormat = [{
    `ins` `(` $input `,` $filter `:` type($input) `,` type($filter) `)`
    (`with` `(` $epilogue_operands^ `:` type($epilogue_operands) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)? `epilogue` $epilogue
  }];
  let extraClassDeclaration = dpsDeclaration;
  let hasVerifier = 1;
}

def Kernel_WinogradInputOp : Kernel_Op<"winograd_input", [DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Input transform of a Winograd convolution F(2x2, 3x3)";
  let description = [{
    Cuts the input `[N, H, W, C]` into overlapping patches of 4x4 pixels, two apart, the first at `(-pads[0], -pads[1])`;
    pixels outside the input are zero. With d the 4x4 pixels of one channel and B the matrix of F(2x2, 3x3):

    `init[n, i, j, (4a + b) * C + c] = (B^T d B)[a, b]` for patch (first + i, j): init may hold a band of all patches.

    The last dim of init is 16 C + 16: the gap, which is not written, keeps neighbouring patches out of the same cache set.
  }];
  let arguments = (ins Index:$first, AnyShaped:$input, AnyShaped:$init, DenseI64ArrayAttr:$pads);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `from` `(` $first `)` `ins` `(` $input `:` type($input) `)` `outs` `(` $init `:` type($init) `)` attr-dict
    (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    /// What the last dim of init has beyond 16 C.
    static constexpr int64_t gap = 16;
  }];
  let hasVerifier = 1;
}

def Kernel_WinogradConvOp : Kernel_ContractionOp<"winograd_conv"> {
  let summary = "Products and output transform of a Winograd convolution F(2x2, 3x3), with an epilogue";
  let description = [{
    ```
    m[n, i, j, p, oc] = sum_ic patches[n, i, j, p * IC + ic] * filter[., p, ic, .]      16 matrix products
    init[n, 2i + y, 2j + x, oc] = epilogue((A^T m A)[y, x])
    ```
    `patches` comes from `winograd_input`, `filter` is a `kernel.weight` with `point_transform`, in panels: `[P, 16, IC, W]`. Where the
    output's height or width is odd, the last patches give one row or column; rows of patches that lie below the output
    give nothing.

    Four outputs take 16 multiplications instead of 36; products of f32 keep the error of a direct convolution.
  }];
  let arguments = (ins AnyShaped:$patches, AnyShaped:$filter,
                       Variadic<AnyShaped>:$epilogue_operands, AnyShaped:$init,
                       AffineMapArrayAttr:$epilogue_maps,
                       OptionalAttr<Kernel_TileAttr>:$tile);
  let assemblyFormat = [{
    `ins` `(` $patches `,` $filter `:` type($patches) `,` type($filter) `)`
    (`with` `(` $epilogue_operands^ `:` type($epilogue_operands) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)? `epilogue` $epilogue
  }];
  let extraClassDeclaration = dpsDeclaration;
  let hasVerifier = 1;
}

def Kernel_DepthwiseConvOp : Kernel_ContractionOp<"depthwise_conv"> {
  let summary = "Depthwise convolution, channels last, with an epilogue";
  let description = [{
    ```
    init[n, oh, ow, c] = epilogue(sum_{kh, kw}
        input[n, oh*strides[0] + kh*dilations[0] - pads[0], ow*strides[1] + kw*dilations[1] - pads[1], c]
        * filter[kh, kw, c])
    ```
    Taps outside the input count as zero; they are clipped, not padded: a
    padded copy would double the traffic of a memory-bound kernel. The sum of
    integers must be below 2^24, where f32 holds it. `pads` are
    those before the first row and column; what is after follows from the
    output's size.
  }];
  let arguments = (ins AnyShaped:$input, AnyShaped:$filter,
                       Variadic<AnyShaped>:$epilogue_operands, AnyShaped:$init,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
                       DenseI64ArrayAttr:$pads,
                       AffineMapArrayAttr:$epilogue_maps,
                       OptionalAttr<Kernel_TileAttr>:$tile);
  let assemblyFormat = [{
    `ins` `(` $input `,` $filter `:` type($input) `,` type($filter) `)`
    (`with` `(` $epilogue_operands^ `:` type($epilogue_operands) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)? `epilogue` $epilogue
  }];
  let extraClassDeclaration = dpsDeclaration;
  let hasVerifier = 1;
}

def Kernel_YieldOp : Kernel_Op<"yield", [Pure, Terminator, ReturnLike,
    ParentOneOf<["MatmulOp", "QuantizedMatmulOp", "ConvOp", "WinogradConvOp", "DepthwiseConvOp", "AttentionOp"]>]> {
  let summary = "The value that an epilogue stores";
  let arguments = (ins AnyType:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

#endif // ONNXC_KERNEL_CONTRACTIONOPS
