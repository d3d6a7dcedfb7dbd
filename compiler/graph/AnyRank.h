//===- AnyRank.h - Who works on tensors of any rank -------------*- C++ -*-===//
//
// A tensor whose rank only a run tells is lowered to a boxed value, which these
// operators take and give.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_GRAPH_ANYRANK_H
#define ONNXC_COMPILER_GRAPH_ANYRANK_H

#include "mlir/IR/Operation.h"

namespace onnxc {

/// Whether the operand may be a tensor whose rank only a run tells.
bool takesAnyRank(mlir::OpOperand &operand);
/// Whether a result of `op` may be.
bool givesAnyRank(mlir::Operation *op);

} // namespace onnxc

#endif // ONNXC_COMPILER_GRAPH_ANYRANK_H
