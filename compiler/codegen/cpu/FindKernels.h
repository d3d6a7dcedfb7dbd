//===- FindKernels.h - Which operations become kernels ----------*- C++ -*-===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_FINDKERNELS_H
#define ONNXC_COMPILER_CODEGEN_CPU_FINDKERNELS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace onnxc {

/// A linalg op, copy or kernel op: its body is written by an emitter.
bool isKernel(mlir::Operation *op);

/// A loop nest that only computes, loads and stores: a kernel of its own, run
/// by one thread.
bool isLoopNest(mlir::Operation *op);

/// The outermost operations of the entry that are one or the other, in order.
llvm::SmallVector<mlir::Operation *> findKernels(mlir::func::FuncOp entry);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_FINDKERNELS_H
