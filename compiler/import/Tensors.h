//===- Tensors.h - TensorProto as an attribute ------------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_IMPORT_TENSORS_H
#define ONNXC_COMPILER_IMPORT_TENSORS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/Support/Error.h"

#include "onnx/onnx_pb.h"

namespace onnxc {

/// The constant that `tensor` holds. Large raw data is referred to where it
/// lies: in `tensor`, or in `external` when the tensor is stored externally.
llvm::Expected<mlir::ElementsAttr>
tensorElements(const onnx::TensorProto &tensor, llvm::ArrayRef<char> external,
               mlir::MLIRContext *context);

/// A tensor of strings.
mlir::ElementsAttr stringElements(llvm::ArrayRef<int64_t> dims,
                                  llvm::ArrayRef<llvm::StringRef> values,
                                  mlir::MLIRContext *context);

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_TENSORS_H
