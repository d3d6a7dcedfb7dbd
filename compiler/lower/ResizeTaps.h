//===- ResizeTaps.h - What an element of a Resize is made of ----*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_RESIZETAPS_H
#define ONNXC_COMPILER_LOWER_RESIZETAPS_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

/// What is known of the resizing before the loops.
struct ResizeAxis {
  int64_t axis;
  mlir::OpFoldResult in, out;
  mlir::Value scale;              // f32
  mlir::Value exactLength;        // f32; of the output, before rounding down
  std::optional<double> constant; // of the scale
  mlir::Value roiStart, roiEnd;   // f32, tf_crop_and_resize only
};

struct ResizeMode {
  llvm::StringRef mode, coordinates, nearest;
  double cubicCoefficient, extrapolation;
  bool excludeOutside;

  int64_t tapsOfAxis() const {
    return mode == "nearest" ? 1 : mode == "linear" ? 2 : 4;
  }
};

/// The taps of all positions along an axis.
struct TapTables {
  mlir::Value positions; ///< [out, taps] of i64
  mlir::Value weights;   ///< [out, taps] of f32; null: all 1
  mlir::Value outside; ///< [out] of i1, whether beyond the input; null: none is
};

/// Nothing where the taps are known without (isWholeUpscale).
TapTables makeTables(Lowering &l, const ResizeMode &mode,
                     const ResizeAxis &axis);

/// The tap of each element, for nearest: a new tensor of `dims`.
mlir::Value pickTaps(Lowering &l, mlir::Value tensor,
                     llvm::ArrayRef<ResizeAxis> axes,
                     llvm::ArrayRef<TapTables> tables,
                     llvm::ArrayRef<mlir::OpFoldResult> dims);

/// One axis of a tensor of floats resized, in the type that is computed in.
mlir::Value sumTaps(Lowering &l, mlir::Value tensor, const ResizeMode &mode,
                    const ResizeAxis &axis, const TapTables &tables);

/// One axis of an antialiased resize of a float tensor: where it shrinks the
/// filter is stretched so that each input counts.
mlir::Value antialias(Lowering &l, mlir::Value tensor, const ResizeMode &mode,
                      const ResizeAxis &axis);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_RESIZETAPS_H
