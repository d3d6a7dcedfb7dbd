//===- Types.h - ONNX types as MLIR types -----------------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_IMPORT_TYPES_H
#define ONNXC_COMPILER_IMPORT_TYPES_H

#include "mlir/IR/BuiltinTypes.h"

#include "onnx/onnx_pb.h"

#include <string>

namespace onnxc {

/// The type of an element, null for a number that is no
/// `TensorProto::DataType`.
mlir::Type elementType(int32_t dataType, mlir::MLIRContext *context);

/// The type of a value, null where `type` does not say what it is (or is a
/// sparse tensor). Dims without a value are dynamic.
mlir::Type valueType(const onnx::TypeProto &type, mlir::MLIRContext *context);

/// The type that a schema's type string ("tensor(float)") names, tensors
/// unranked; null for a type variable.
mlir::Type namedType(llvm::StringRef name, mlir::MLIRContext *context);

/// `type` as a schema spells it, "tensor(float)"; "" for a type without such a
/// name.
std::string typeName(mlir::Type type);

/// `type` with all tensors unranked, so that types that differ in shape alone
/// become equal.
mlir::Type withoutShape(mlir::Type type);

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_TYPES_H
