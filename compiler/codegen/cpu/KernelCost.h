//===- KernelCost.h - The work and the traffic of a kernel ------*- C++ -*-===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_KERNELCOST_H
#define ONNXC_COMPILER_CODEGEN_CPU_KERNELCOST_H

#include "compiler/codegen/cpu/Code.h"

namespace onnxc {

/// flops: additions, multiplications and other floating-point functions, a
/// fused multiply-add being two, also in contractions of integers; a window's
/// taps outside the input count as if they were inside. bytes: each buffer read
/// or written once, elements picked by an index once each; what a kernel must
/// move at least. 0 where the operation does not tell.
struct KernelCost {
  Index flops, bytes;
};

/// Written at the builder's position as arithmetic on the dims of the op's
/// buffers, so that it holds for dynamic shapes. `op` is one that findKernels
/// finds.
KernelCost kernelCost(Code &code, mlir::Operation *op);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_KERNELCOST_H
