//===- NodeError.h - Errors that name the ONNX node -------------*- C++ -*-===//
#ifndef ONNXC_DIALECTS_ONNX_NODEERROR_H
#define ONNXC_DIALECTS_ONNX_NODEERROR_H

#include "dialects/onnx/NodeLocation.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Operation.h"

namespace onnxc {

/// Starts an error at `op`: `node '<name>' (<operator>, opset <n>): `. The
/// opset is that of the model, of the operator's domain.
mlir::InFlightDiagnostic nodeError(mlir::Operation *op);

} // namespace onnxc

#endif // ONNXC_DIALECTS_ONNX_NODEERROR_H
