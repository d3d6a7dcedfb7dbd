//===- ComplexNumbers.h - Operators on complex numbers by parts -*- C++ -*-===//
//
// A complex number is lowered to its bit pattern, the real part in the lower
// half. What is linear with real weights (sums, interpolation) is computed for
// each part on its own.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_COMPLEXNUMBERS_H
#define ONNXC_COMPILER_LOWER_COMPLEXNUMBERS_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

enum class ComplexPart { Real, Imaginary };

/// A part of the patterns of `type`, as a tensor of floats.
mlir::Value complexPart(Lowering &l, mlir::Value patterns,
                        mlir::ComplexType type, ComplexPart part);
/// Patterns from two tensors of floats of one shape.
mlir::Value complexPatterns(Lowering &l, mlir::Value real,
                            mlir::Value imaginary);
/// `compute(tensor, element)` of a lowered tensor whose onnx elements are of
/// type `element`; of complex numbers, of each part.
mlir::Value
byParts(Lowering &l, mlir::Value tensor, mlir::Type element,
        llvm::function_ref<mlir::Value(mlir::Value, mlir::Type, ComplexPart)>
            compute);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_COMPLEXNUMBERS_H
