//===- Elementwise.h - Element-wise operators -------------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_ELEMENTWISE_H
#define ONNXC_COMPILER_LOWER_ELEMENTWISE_H

#include "compiler/lower/Lowering.h"
#include "compiler/lower/Scalars.h"

namespace onnxc {

using ScalarBody =
    llvm::function_ref<mlir::Value(Scalars &, llvm::ArrayRef<mlir::Value>)>;

/// A broadcasting element-wise operation on onnx values whose body computes in
/// f32 where the element type is f16 or bf16.
mlir::Value elementwise(Lowering &l, mlir::Type resultElement,
                        llvm::ArrayRef<mlir::Value> onnx, ScalarBody body);

/// The same for node `n`: all operands that are present, into result 0.
mlir::LogicalResult elementwiseNode(Lowering &l, OnnxNode n, ScalarBody body);

/// Widens f16 and bf16 to f32.
mlir::Value widen(Scalars &s, mlir::Value x);
/// Brings a float to the type that is computed in, or back: `contract` allows
/// one that is rounded for the next operator to keep its digits instead. (What
/// a Cast asks for is rounded: Scalars::convert.)
mlir::Value toFloat(Scalars &s, mlir::Value x, mlir::Type type);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_ELEMENTWISE_H
