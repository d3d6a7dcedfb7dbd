//===- OnnxDialect.h - The onnx dialect and its types -----------*- C++ -*-===//
//
// Enough for code that works with operation names and generic accessors; the
// operation classes, which cost a file two seconds, are in OnnxOps.h.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_DIALECTS_ONNX_ONNXDIALECT_H
#define ONNXC_DIALECTS_ONNX_ONNXDIALECT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"

#include "dialects/onnx/OnnxDialect.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/onnx/OnnxTypes.h.inc"

namespace onnxc::op {

/// Whether `value` stands for an absent optional operand or result.
inline bool isNone(mlir::Value value) {
  return mlir::isa<mlir::NoneType>(value.getType());
}

/// The operator's name in its domain: "Conv", "Scaler".
llvm::StringRef operatorName(mlir::Operation *op);

/// The operator's domain, "" for ai.onnx: that of `onnx.ml.Scaler` is
/// "ai.onnx.ml".
llvm::StringRef operatorDomain(mlir::Operation *op);

} // namespace onnxc::op

#endif // ONNXC_DIALECTS_ONNX_ONNXDIALECT_H
