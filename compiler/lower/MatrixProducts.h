//===- MatrixProducts.h - Products of lowered tensors -----------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_MATRIXPRODUCTS_H
#define ONNXC_COMPILER_LOWER_MATRIXPRODUCTS_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

/// kernel.matmul of f32 tensors into a new tensor of `dims`.
mlir::Value kernelMatmul(Lowering &l, mlir::Value lhs, mlir::Value rhs,
                         llvm::ArrayRef<mlir::OpFoldResult> dims);

/// The product as linalg.generic, for the types without a kernel.
mlir::Value contract(Lowering &l, mlir::Value lhs, mlir::Value rhs,
                     llvm::ArrayRef<mlir::OpFoldResult> dims);

/// numpy's matmul of two lowered tensors of one element type.
mlir::Value matmulTensors(Lowering &l, mlir::Value lhs, mlir::Value rhs);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_MATRIXPRODUCTS_H
