//===- KernelBufferization.h - Buffers of the kernel dialect ----*- C++ -*-===//
#ifndef ONNXC_COMPILER_LAYOUT_KERNELBUFFERIZATION_H
#define ONNXC_COMPILER_LAYOUT_KERNELBUFFERIZATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace onnxc {
/// Tells one-shot bufferization how the ops of the kernel dialect use memory.
void registerKernelBufferization(mlir::DialectRegistry &registry);
} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_KERNELBUFFERIZATION_H
