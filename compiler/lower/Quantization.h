//===- Quantization.h - Scales and zero points ------------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_QUANTIZATION_H
#define ONNXC_COMPILER_LOWER_QUANTIZATION_H

#include "compiler/lower/Lowering.h"
#include "compiler/lower/Scalars.h"

namespace onnxc {

/// Whether a scale or zero point is one number.
bool isSingle(Lowering &l, mlir::Value onnx);

/// How an element-wise operation over `dims` reads a scale or zero point: one
/// number, or one for each index of dim `axis`, or of full rank with dims that
/// broadcast to `dims`. What does not fit fails, perhaps the run.
MappedOperand parameterOf(Lowering &l, mlir::Value onnx, int64_t axis,
                          llvm::ArrayRef<mlir::OpFoldResult> dims);

/// saturate(round(x) + zero) for a float `x`; `zero`, of type `zeroType`, may
/// be null. `result` is an integer type with its signedness. NaN gives the
/// lowest value, as in ONNX Runtime.
mlir::Value quantize(Scalars &s, mlir::Value x, mlir::Value zero,
                     mlir::Type zeroType, mlir::Type result);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_QUANTIZATION_H
