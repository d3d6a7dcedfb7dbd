//===- ExtremePositions.h - Where the extreme elements are ------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_EXTREMEPOSITIONS_H
#define ONNXC_COMPILER_LOWER_EXTREMEPOSITIONS_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

/// Of each line of `tensor` along `axis` the position of the first (last)
/// element that equals that of `extremes`, which lacks the axis; a NaN equals a
/// NaN. The positions are i32 where the axis is known to be short, else i64.
mlir::Value extremePositions(Lowering &l, mlir::Value tensor,
                             mlir::Value extremes, int64_t axis,
                             bool last = false);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_EXTREMEPOSITIONS_H
