//===- ControlFlow.h - What subgraphs' lowerings share ----------*- C++ -*-===//
//
// Values that leave a branch or pass from one iteration of a loop to the next.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_CONTROLFLOW_H
#define ONNXC_COMPILER_LOWER_CONTROLFLOW_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

/// The body of a subgraph; null when it is not one block with a terminator.
mlir::Block *subgraph(mlir::Region &region);

/// The element of a tensor that must have exactly one: known when compiling,
/// or checked when the model runs. Null after `refuse`.
mlir::Value onlyElement(Lowering &l, mlir::Value onnx, llvm::StringRef what);

/// The signless type with the static dims that are known of `onnx`.
mlir::RankedTensorType loweredType(Lowering &l, mlir::Value onnx);

/// Whether a value like `from` can be handed on as one like `to`: both tensors
/// of one element type and rank. Refuses otherwise.
mlir::LogicalResult fits(Lowering &l, mlir::Value from, mlir::Value to,
                         const llvm::Twine &what);

/// `tensor` cast to `type`.
mlir::Value castTo(Lowering &l, mlir::Value tensor, mlir::Type type);

/// `tensor` written to the buffer that `destination` is.
mlir::Value writeInto(Lowering &l, mlir::Value tensor, mlir::Value destination);

/// `tensor` in a buffer that nothing else shows.
mlir::Value ownCopy(Lowering &l, mlir::Value tensor);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_CONTROLFLOW_H
