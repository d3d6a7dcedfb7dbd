//===- Transpose.h - Making transposes ---------------------------*- C++
//-*-===//
#ifndef ONNXC_COMPILER_LAYOUT_TRANSPOSE_H
#define ONNXC_COMPILER_LAYOUT_TRANSPOSE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace onnxc {

/// `value` with result dim i = dim permutation[i] of `value`. Composes with a
/// transpose that made `value`, permutes constants and empty tensors at once,
/// and otherwise makes a linalg.transpose.
mlir::Value createTranspose(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value value,
                            llvm::ArrayRef<int64_t> permutation);

} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_TRANSPOSE_H
