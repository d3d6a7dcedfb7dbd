//===- Window.h - Sliding windows of convolutions and pools -----*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_WINDOW_H
#define ONNXC_COMPILER_LOWER_WINDOW_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

/// The attributes of a sliding window over the spatial dims of an input
/// [N, C, spatial...], and the dims that follow.
struct Window {
  /// `kernel` has ShapedType::kDynamic where only a run tells a filter's dim.
  llvm::SmallVector<int64_t> kernel, strides, dilations;
  Dims before, after, outputs;

  size_t spatial() const { return kernel.size(); }
  /// Whether all pads are constants.
  bool hasStaticPads() const;
  bool hasNoPads() const;
};

/// Reads strides, dilations, pads, auto_pad and ceil_mode of a node.
mlir::FailureOr<Window> readWindow(Lowering &l, OnnxNode n,
                                   llvm::ArrayRef<mlir::OpFoldResult> input,
                                   llvm::ArrayRef<mlir::OpFoldResult> kernel);

/// Combines the taps of each window inside the input. `combine` gets the
/// accumulator, the tap, and index values of its place in the input and in the
/// output.
mlir::Value reduceWindow(
    Lowering &l, mlir::Value input, const Window &window, mlir::TypedAttr start,
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value, mlir::Value,
                                   llvm::ArrayRef<mlir::Value>,
                                   llvm::ArrayRef<mlir::Value>)>
        combine);

/// A copy of `tensor` with `value` around it.
mlir::Value padWith(Lowering &l, mlir::Value tensor,
                    llvm::ArrayRef<mlir::OpFoldResult> before,
                    llvm::ArrayRef<mlir::OpFoldResult> after,
                    mlir::TypedAttr value);

/// [N, C, L] -> [N, 1, L, C] and [N, C, H, W] -> [N, H, W, C].
mlir::Value toChannelsLast(Lowering &l, mlir::Value tensor);
/// The way back to `rank` dims.
mlir::Value fromChannelsLast(Lowering &l, mlir::Value tensor, int64_t rank);

/// `init[n, h, w, c] = ` the convolution of a channels-last input with zero
/// padding `before`; the filter is [G, KH, KW, IC, OC]. The output's dims are
/// given.
mlir::Value convolve(Lowering &l, mlir::Value input, mlir::Value filter,
                     llvm::ArrayRef<int64_t> strides,
                     llvm::ArrayRef<int64_t> dilations,
                     llvm::ArrayRef<mlir::OpFoldResult> before,
                     llvm::ArrayRef<mlir::OpFoldResult> after,
                     llvm::ArrayRef<mlir::OpFoldResult> outputs);

/// A convolution as linalg.generic on channels-first tensors of any rank and
/// of one element type, which accumulates in that type. Any dim may be known at
/// run time only.
mlir::Value convolveGeneric(Lowering &l, mlir::Value input, mlir::Value filter,
                            const Window &window, int64_t groups);

/// Adds `bias` [C] to dim `axis` of `tensor`.
mlir::Value addBias(Lowering &l, mlir::Value tensor, mlir::Value bias,
                    int64_t axis);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_WINDOW_H
