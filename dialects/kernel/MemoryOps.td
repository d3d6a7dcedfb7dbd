//===- MemoryOps.td - Memory that grows, boxed values and strings ---------===//
//
// Included by KernelOps.td.
//
//===----------------------------------------------------------------------===//

#ifndef ONNXC_KERNEL_MEMORYOPS
#define ONNXC_KERNEL_MEMORYOPS

//===----------------------------------------------------------------------===//
// Memory that grows
//===----------------------------------------------------------------------===//

def Kernel_SlotOp : Kernel_Op<"slot", [MemoryEffects<[MemAlloc]>]> {
  let summary = "A place of a run whose memory grows as needed";
  let description = [{
    Holds what a loop hands on where its size follows from data. Memory that is
    too small is replaced by one of at least twice the size, so that all of a
    run's together are at most twice the last, and an iteration that needs no
    more than one before allocates nothing.

    ```mlir
    %s = kernel.slot
    kernel.slot_write %x, %s at %i : tensor<?x4xf32>
    %all = kernel.slot_read %s [%n, %d] : tensor<?x?x4xf32>
    ```
  }];
  let results = (outs Index:$slot);
  let assemblyFormat = "attr-dict";
}

def Kernel_SlotWriteOp : Kernel_Op<"slot_write", [MemoryEffects<[MemWrite]>]> {
  let summary = "Copy a tensor to a slot";
  let description = [{
    The tensor goes behind `position` others of its size, which are kept.
  }];
  let arguments = (ins AnyRankedTensor:$tensor, Index:$slot, Index:$position);
  let assemblyFormat = "$tensor `,` $slot `at` $position attr-dict `:` type($tensor)";
}

def Kernel_SlotReadOp : Kernel_Op<"slot_read", [MemoryEffects<[MemRead]>]> {
  let summary = "What a slot holds, seen as a tensor";
  let description = [{
    Shows the slot's memory until the slot is written again. `sizes` are the
    dims that the type does not tell; the whole must have been written.
  }];
  let arguments = (ins Index:$slot, Variadic<Index>:$sizes);
  let results = (outs AnyRankedTensor:$tensor);
  let assemblyFormat = "$slot `[` $sizes `]` attr-dict `:` type($tensor)";
  let hasVerifier = 1;
}

def Kernel_ReserveOp : Kernel_Op<"reserve", [MemoryEffects<[MemAlloc, MemRead, MemWrite]>]> {
  let summary = "A buffer in a slot, which grows to hold it";
  let description = [{
    What the two operations above become: the buffer lies behind `position`
    others of its size, which are kept.
  }];
  let arguments = (ins Index:$slot, Index:$position, Variadic<Index>:$sizes);
  let results = (outs AnyMemRef:$buffer);
  let assemblyFormat = "$slot `at` $position `[` $sizes `]` attr-dict `:` type($buffer)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Boxed values
//
// A sequence, an optional, a map, or a tensor whose rank the type does not
// tell: an immutable onnxc_value (model_abi.h) in memory that lives until the
// run ends. In the program it is its address, an index, so that it passes
// through branches and loops as any scalar does.
//===----------------------------------------------------------------------===//

def Kernel_BoxOp : Kernel_Op<"box", [MemoryEffects<[MemAlloc, MemRead, MemWrite]>]> {
  let summary = "Copy a tensor to a boxed value";
  let description = [{
    `elem_type` is the onnxc_elem_type, which tells signedness and bool.

    ```mlir
    %e = kernel.box %x as 1 : tensor<?x4xf32>
    %t = kernel.make_value "insert"(%s, %e, %i)
    %n = kernel.read_value "length"(%t)
    %d = kernel.read_value "dim"(%e, %axis)
    %y = kernel.unbox %e [%d] : tensor<?x4xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$tensor, I64Attr:$elem_type);
  let results = (outs Index:$boxed);
  let assemblyFormat = "$tensor `as` $elem_type attr-dict `:` type($tensor)";
}

def Kernel_NewBoxOp : Kernel_Op<"new_box", [MemoryEffects<[MemAlloc]>]> {
  let summary = "A boxed tensor and the buffer of its elements";
  let description = [{
    What `kernel.box` becomes, followed by a copy to `buffer`.
  }];
  let arguments = (ins Variadic<Index>:$sizes, I64Attr:$elem_type);
  let results = (outs Index:$boxed, AnyMemRef:$buffer);
  let assemblyFormat = "`[` $sizes `]` `as` $elem_type attr-dict `:` type($buffer)";
  let hasVerifier = 1;
}

def Kernel_UnboxOp : Kernel_Op<"unbox", [MemoryEffects<[MemRead]>]> {
  let summary = "The elements of a boxed tensor";
  let description = [{
    Shows the boxed value's memory. `sizes` are the dims that the type does not
    tell; rank and dims must have been checked.
  }];
  let arguments = (ins Index:$boxed, Variadic<Index>:$sizes);
  let results = (outs AnyTypeOf<[AnyRankedTensor, AnyMemRef]>:$tensor);
  let assemblyFormat = "$boxed `[` $sizes `]` attr-dict `:` type($tensor)";
  let hasVerifier = 1;
}

def Kernel_MakeValueOp : Kernel_Op<"make_value", [MemoryEffects<[MemAlloc, MemRead, MemWrite]>]> {
  let summary = "Make a boxed value";
  let description = [{
    Calls `onnxc_shell_value_<kind>` (compiler/emit/shell/shell.h). The run ends
    with an error where that fails. `text` goes to `host`: the operator's name.
  }];
  let arguments = (ins StrAttr:$kind, Variadic<Index>:$operands,
                       OptionalAttr<StrAttr>:$text);
  let results = (outs Index:$boxed);
  let assemblyFormat = "$kind `(` $operands `)` (`of` $text^)? attr-dict";
}

def Kernel_ReadValueOp : Kernel_Op<"read_value", [MemoryEffects<[MemRead]>]> {
  let summary = "A fact of a boxed value";
  let description = [{
    Calls `onnxc_shell_value_<fact>` (compiler/emit/shell/shell.h), which cannot
    fail on operands that were checked.
  }];
  let arguments = (ins StrAttr:$fact, Variadic<Index>:$operands);
  let results = (outs Index:$result);
  let assemblyFormat = "$fact `(` $operands `)` attr-dict";
}

def Kernel_StringsOp : Kernel_Op<"strings", [Pure]> {
  let summary = "A constant tensor of strings";
  let description = [{
    Its elements are the addresses of NUL-terminated texts, as i64.
  }];
  let arguments = (ins StrArrayAttr:$values);
  let results = (outs AnyTypeOf<[AnyRankedTensor, AnyMemRef]>:$tensor);
  let assemblyFormat = "$values attr-dict `:` type($tensor)";
}

#endif // ONNXC_KERNEL_MEMORYOPS
