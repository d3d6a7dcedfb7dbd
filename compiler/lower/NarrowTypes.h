//===- NarrowTypes.h - Elements of 8 bits and fewer -------------*- C++ -*-===//
//
// Floats of 8, 6 and 4 bits and integers of 4 and 2 are computed with as their
// bit patterns, each in a byte of its own whose upper bits are 0. At the
// model's boundary and in boxed values they share bytes, low bits first, as in
// a TensorProto.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_NARROWTYPES_H
#define ONNXC_COMPILER_LOWER_NARROWTYPES_H

#include "compiler/lower/Lowering.h"
#include "compiler/lower/Scalars.h"

namespace onnxc {

/// Whether `type` is a float of 8, 6 or 4 bits.
bool isNarrowFloat(mlir::Type type);
/// Whether `type` is an integer of 4 or 2 bits.
bool isNarrowInteger(mlir::Type type);
/// Bits of an element where they share bytes at the boundary, else 0.
int64_t packedBits(mlir::Type type);

/// The f32 that the pattern `bits` (i8) of a narrow float stands for.
mlir::Value decodeFloat(Scalars &s, mlir::Value bits, mlir::FloatType from);
/// The pattern (i8) of `to` nearest to `x` (f32), by the tables of Cast.
mlir::Value encodeFloat(Scalars &s, mlir::Value x, mlir::FloatType to,
                        const NarrowRounding &how);

/// A tensor of patterns from one of the same shape in whose first bytes they
/// share bytes.
mlir::Value unpackElements(Lowering &l, mlir::Value packed, mlir::Type element);
/// The bytes [bytes] that the patterns of a tensor share.
mlir::Value packedBytes(Lowering &l, mlir::Value tensor, mlir::Type element);
/// The reverse of unpackElements: only the first bytes are written.
mlir::Value packElements(Lowering &l, mlir::Value tensor, mlir::Type element);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_NARROWTYPES_H
