//===- NodeLocation.h - Which nodes an operation comes from -----*- C++ -*-===//
#ifndef ONNXC_DIALECTS_ONNX_NODELOCATION_H
#define ONNXC_DIALECTS_ONNX_NODELOCATION_H

#include "mlir/IR/Location.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/SetVector.h"

namespace onnxc {

/// The name of the node that `location` comes from, "" where it has none.
llvm::StringRef nodeName(mlir::Location location);

/// The location of what an onnx op is lowered to: its own, fused with the
/// operator's name as metadata, `fused<"Conv">["conv1"]`.
mlir::Location loweredLocation(mlir::Operation *onnxOp);

/// A node as a lowered operation's location tells it.
struct SourceNode {
  mlir::StringAttr name, op;
  bool operator==(const SourceNode &other) const {
    return name == other.name && op == other.op;
  }
};

/// The nodes of which a lowered operation computes something, several where
/// passes fused them: those of its own location and of the operations in its
/// regions, in the order in which they compute.
llvm::SmallVector<SourceNode> sourceNodes(mlir::Operation *lowered);

} // namespace onnxc

#endif // ONNXC_DIALECTS_ONNX_NODELOCATION_H
