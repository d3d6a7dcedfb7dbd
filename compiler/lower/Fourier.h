//===- Fourier.h - Fourier transforms of rows -------------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_FOURIER_H
#define ONNXC_COMPILER_LOWER_FOURIER_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

/// What is to be computed for each row of a tensor.
struct FourierTransform {
  mlir::OpFoldResult rows, length;
  /// The first `bins` are wanted, of them `parts`: 1 is the real one.
  mlir::OpFoldResult bins;
  int64_t parts;
  /// With the positive exponent, and divided by the length.
  bool inverse;
};

/// Two tensors of one shape; no imaginary part: zero.
struct ComplexTensors {
  mlir::Value real, imaginary;
};

/// The first `bins` of the transforms of the rows of `x`, [rows, n] of
/// `element`, with the exponent's sign and not scaled, as [rows, bins] of f64;
/// where only a run tells `n`, in time n log n.
ComplexTensors bluesteinTransform(Lowering &l, ComplexTensors x,
                                  mlir::Type element, double sign,
                                  mlir::OpFoldResult rows, mlir::OpFoldResult n,
                                  mlir::OpFoldResult bins);

/// The transforms of `x`, [rows, length, parts of it] of f32 or f64, as
/// [rows, bins, parts]; null, with a refusal, when too long.
mlir::Value fourierTransform(Lowering &l, mlir::Value x, int64_t parts,
                             const FourierTransform &transform);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_FOURIER_H
