//===- Convolutions.h - Convolutions of any element type --------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_CONVOLUTIONS_H
#define ONNXC_COMPILER_LOWER_CONVOLUTIONS_H

#include "compiler/lower/Window.h"

namespace onnxc {

/// A filter [OC, IC / G, K...]: the constant, which keeps its type in the
/// library, or else a lowered tensor.
struct Filter {
  mlir::ElementsAttr constant;
  mlir::Value tensor;
  llvm::SmallVector<int64_t> shape; ///< kDynamic where only a run tells a dim
  mlir::Type element;               ///< f32, f16, bf16, f64; i8 or i16
};

/// What a node says of its convolution.
struct Convolution {
  Window window;
  int64_t groups = 1, rank = 0;
};

/// Checks input and filter of Conv, ConvInteger or QLinearConv, and reads the
/// attributes.
mlir::FailureOr<Convolution> readConvolution(Lowering &l, OnnxNode n,
                                             mlir::Value x, mlir::Value w);

/// The dims as far as they are known when compiling; kDynamic for the others.
llvm::SmallVector<int64_t> filterShape(Lowering &l, mlir::Value onnx);

/// The spatial dims of the filter of `n`; those of `kernel_shape` where it is
/// given, after a check that the filter's are these.
mlir::FailureOr<Dims> kernelDims(Lowering &l, OnnxNode n, mlir::Value w);

/// A filter of f32, f16, bf16 or f64.
Filter floatFilter(Lowering &l, mlir::Value onnx);

/// The input [N, C, ...] with C as a constant, which it is checked to be.
mlir::Value withChannels(Lowering &l, mlir::Value input, int64_t channels);

/// The convolution of a lowered input [N, C, ...]: of f32 with a float filter,
/// of i16 with an integer one (sums in i32), or of f64. `bias` [OC] has the
/// type of the sums and may be null.
mlir::Value convolution(Lowering &l, const Convolution &c, mlir::Value input,
                        const Filter &filter, mlir::Value bias);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_CONVOLUTIONS_H
