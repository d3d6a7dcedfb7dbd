//===- OnnxSupport.h - What the generated operations call -------*- C++ -*-===//
#ifndef ONNXC_DIALECTS_ONNX_ONNXSUPPORT_H
#define ONNXC_DIALECTS_ONNX_ONNXSUPPORT_H

#include "mlir/IR/OpImplementation.h"

namespace onnxc::op {

/// The types that an operand or result may have. Masks have bit
/// `TensorProto::DataType` set for each element type.
struct AllowedTypes {
  uint64_t tensors, sequences, optionals, optionalSequences;
  bool maps, sequencesOfMaps, none;
};

bool isAllowed(mlir::Type type, AllowedTypes allowed);

mlir::ParseResult parseOperation(mlir::OpAsmParser &parser,
                                 mlir::OperationState &result);
void printOperation(mlir::OpAsmPrinter &printer, mlir::Operation *op);

/// Checks what the schema's types do not say.
mlir::LogicalResult verifyOperation(mlir::Operation *op);

} // namespace onnxc::op

#endif // ONNXC_DIALECTS_ONNX_ONNXSUPPORT_H
