//===- BoxedValues.h - Sequences, optionals and maps ------------*- C++ -*-===//
//
// Builds the kernel dialect's operations on boxed values. A boxed value is of
// type index; the shell (compiler/emit/shell/boxed.c) says what it points to.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_BOXEDVALUES_H
#define ONNXC_COMPILER_LOWER_BOXEDVALUES_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

/// The lowered tensor of an onnx value, copied to a boxed value.
mlir::Value boxTensor(Lowering &l, mlir::Value tensor, mlir::Type onnxElement);

/// An onnx value boxed: as it is lowered, or a copy of the tensor.
mlir::Value asBoxed(Lowering &l, mlir::Value onnx);
/// The elements of an onnx tensor, [count] where only a run tells its rank.
mlir::Value anyElements(Lowering &l, mlir::Value onnx);

/// The elements of a boxed tensor whose rank and dims are as `type` and `sizes`
/// (of the dynamic dims) say.
mlir::Value unboxedElements(Lowering &l, mlir::Value boxed,
                            mlir::RankedTensorType type, mlir::ValueRange sizes,
                            mlir::Type onnxElement);

/// Calls that make a boxed value: "sequence", "insert", "erase", ...
mlir::Value makeValue(Lowering &l, llvm::StringRef kind,
                      mlir::ValueRange operands = {},
                      llvm::StringRef text = {});
/// Facts of one: "length", "kind", "rank", "dim"; "at" is an element.
mlir::Value readValue(Lowering &l, llvm::StringRef fact,
                      mlir::ValueRange operands);

/// `element` behind all others.
mlir::Value appended(Lowering &l, mlir::Value sequence, mlir::Value element);

/// Whether values of the two types are of one kind and hold tensors of one
/// element type: what they hold is not checked when the model runs.
bool holdAlike(mlir::Type a, mlir::Type b);
/// The same of what a sequence or optional of type `boxed` holds and `value`.
/// Refuses otherwise.
mlir::LogicalResult canHold(Lowering &l, mlir::Type boxed, mlir::Value value);

/// The boxed tensor as the lowered form of `onnx`, whose rank and static dims
/// it must have; checked when the model runs. `what` names it in messages.
mlir::Value unboxTensor(Lowering &l, mlir::Value boxed, mlir::Value onnx,
                        llvm::StringRef what);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_BOXEDVALUES_H
