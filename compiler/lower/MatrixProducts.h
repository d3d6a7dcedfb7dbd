//===- MatrixProducts.h - Products of lowered tensors -----------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_MATRIXPRODUCTS_H
#define ONNXC_COMPILER_LOWER_MATRIXPRODUCTS_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

/// kernel.matmul of tensors into a new tensor of `dims`: of f32 with f32, f16
/// or bf16 to f32; of i16 with i16 or i8 to i32.
mlir::Value kernelMatmul(Lowering &l, mlir::Value lhs, mlir::Value rhs,
                         llvm::ArrayRef<mlir::OpFoldResult> dims);

/// The product as linalg.generic, for the types without a kernel.
mlir::Value contract(Lowering &l, mlir::Value lhs, mlir::Value rhs,
                     llvm::ArrayRef<mlir::OpFoldResult> dims);

/// A constant matrix as plain weight of its type, perhaps transposed.
mlir::Value weightOperand(Lowering &l, mlir::ElementsAttr value,
                          bool transposed);

/// numpy's matmul of two lowered tensors: of one element type, or a pair that
/// kernelMatmul takes.
mlir::Value matmulTensors(Lowering &l, mlir::Value lhs, mlir::Value rhs);
/// The same for tensors whose dims are known. Batch dims that are equal are the
/// same value then; of others, one may be 1 in a run, and is repeated.
mlir::Value matmulTensors(Lowering &l, mlir::Value lhs, mlir::Value rhs,
                          Dims left, Dims right);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_MATRIXPRODUCTS_H
