//===- OnnxDialect.td - The onnx dialect, its types and own ops -----------===//
//
// The operators themselves are generated (generate_ods.py, OnnxOps.td in the
// build folder), which includes this file.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_ONNX_DIALECT
#define ONNXC_ONNX_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Onnx_Dialect : Dialect {
  let name = "onnx";
  let cppNamespace = "::onnxc::op";
  let summary = "The operators of the ONNX standard";
  let description = [{
    One operation per operator, always meaning its newest version. Operands and
    results are positional; an absent optional operand is the result of
    `onnx.None`, an absent optional result has type `none`. Assembly:

    ```mlir
    %y = onnx.Conv(%x, %w, %none) {group = 1 : i64}
        : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, none) -> tensor<1x4x6x6xf32>
    %z = onnx.If(%c) ({ ... onnx.Return(%a) : (tensor<f32>) -> () }, { ... })
        : (tensor<i1>) -> tensor<f32>
    ```
  }];
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

class Onnx_Type<string name, string typeMnemonic> : TypeDef<Onnx_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Onnx_StringType : Onnx_Type<"String", "string"> {
  let summary = "A string, an element of a tensor";
}

def Onnx_SequenceType : Onnx_Type<"Sequence", "seq"> {
  let summary = "A sequence of values of one type";
  let parameters = (ins "::mlir::Type":$element);
  let assemblyFormat = "`<` $element `>`";
}

def Onnx_OptionalType : Onnx_Type<"Optional", "opt"> {
  let summary = "A value of a type, or nothing";
  let parameters = (ins "::mlir::Type":$element);
  let assemblyFormat = "`<` $element `>`";
}

def Onnx_MapType : Onnx_Type<"Map", "map"> {
  let summary = "A map from integers or strings to values of one type";
  let parameters = (ins "::mlir::Type":$key, "::mlir::Type":$value);
  let assemblyFormat = "`<` $key `,` $value `>`";
}

// All operations share one assembly format (OnnxAssembly.cpp).
def Onnx_Assembly {
  code definition = [{
    ::mlir::ParseResult $cppClass::parse(::mlir::OpAsmParser &parser, ::mlir::OperationState &result) {
      return ::onnxc::op::parseOperation(parser, result);
    }
    void $cppClass::print(::mlir::OpAsmPrinter &printer) {
      ::onnxc::op::printOperation(printer, *this);
    }
  }];
}

class Onnx_Op<string mnemonic, list<Trait> traits = []>
    : Op<Onnx_Dialect, mnemonic, traits> {
  let hasCustomAssemblyFormat = 1;
  let extraClassDefinition = Onnx_Assembly.definition;
}

// A generated operation, verified by one table (Verify.cpp).
class Onnx_Operator<string mnemonic, list<Trait> traits = []>
    : Onnx_Op<mnemonic, traits> {
  let hasVerifier = 1;
  let extraClassDefinition = Onnx_Assembly.definition # [{
    ::llvm::LogicalResult $cppClass::verify() {
      return ::onnxc::op::verifyOperation(*this);
    }
  }];
}

def Onnx_ConstantOp : Onnx_Op<"Constant", [Pure, ConstantLike]> {
  let summary = "A tensor known at compile time";
  let description = [{
    `dense` up to 1 KB or for a splat, otherwise a `dense_resource` whose blob
    points into the model: weights are referenced, never copied.
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyType:$output);
  let hasFolder = 1;
  let hasVerifier = 1;
}

def Onnx_NoneOp : Onnx_Op<"None", [Pure, ConstantLike]> {
  let summary = "Stands for an optional operand that is absent";
  let results = (outs NoneType:$output);
  let hasFolder = 1;
}

def Onnx_ReturnOp : Onnx_Op<"Return", [Pure, Terminator]> {
  let summary = "Ends a subgraph (a region of If, Loop, Scan, ...)";
  let arguments = (ins Variadic<AnyType>:$values);
}

// ONNX Runtime's own operators give way to the standard's; these have no equal
// there. sklearn-onnx writes this one for texts.
def Onnx_TokenizerOp : Onnx_Op<"com.microsoft.Tokenizer", [Pure]> {
  let summary = "The tokens of texts";
  let description = [{
    `[C]` or `[N, C]` of strings to `[..., D]`, D the greatest number of tokens, padded with `pad_value`. A token is a match of the
    regular expression `tokenexp`, or what is between matches of `separators`, of at least `mincharnum` characters; `mark`
    puts "\x02" and "\x03" around them.
  }];
  let arguments = (ins AnyType:$X, DefaultValuedAttr<I64Attr, "0">:$mark, DefaultValuedAttr<I64Attr, "1">:$mincharnum,
                       StrAttr:$pad_value, OptionalAttr<StrArrayAttr>:$separators, OptionalAttr<StrAttr>:$tokenexp);
  let results = (outs AnyType:$Y);
}

// Tools for language models write this one: weights keep their few bits.
def Onnx_MatMulNBitsOp : Onnx_Op<"com.microsoft.MatMulNBits", [Pure]> {
  let summary = "Product with a constant matrix of numbers of a few bits";
  let description = [{
    `Y[..., n] = sum_k A[..., k] * (B[n, k] - zero_points[n, k / block_size]) * scales[n, k / block_size] + bias[n]`.

    `B`, `[N, blocks, block_size * bits / 8]` of ui8, holds unsigned numbers of `bits` (2, 4 or 8) bits, the first in the lowest bits;
    `scales` is `[N, blocks]` (or flat), `zero_points` likewise, of floats, or `[N, ceil(blocks * bits / 8)]` of numbers as B's; absent:
    2^(bits - 1). All three are constants. `bias` is `[N]`.
  }];
  let arguments = (ins AnyType:$A, AnyType:$B, AnyType:$scales, AnyType:$zero_points, AnyType:$g_idx, AnyType:$bias,
                       I64Attr:$K, I64Attr:$N, DefaultValuedAttr<I64Attr, "0">:$accuracy_level,
                       DefaultValuedAttr<I64Attr, "4">:$bits, I64Attr:$block_size,
                       DefaultValuedAttr<I64Attr, "0">:$weight_prepacked);
  let results = (outs AnyType:$Y);
}

// A part of ONNX Runtime's GroupQueryAttention.
def Onnx_AppendToCacheOp : Onnx_Op<"com.microsoft.AppendToCache", [Pure]> {
  let summary = "Keys or values behind those of earlier steps";
  let description = [{
    `[B, G, max(P, total), h]`: of past, `[B, G, P, h]` or none, the first `starts[b]` rows, then those of fresh, `[B, S, G, h]`, then zeros.
    `starts` is `[B]` of i64, `total` one i64. A caller who gives past's memory for the result has the new rows written there, and
    nothing else.
  }];
  let arguments = (ins AnyType:$past, AnyType:$fresh, AnyType:$starts, AnyType:$total);
  let results = (outs AnyType:$present);
}

#endif // ONNXC_ONNX_DIALECT
