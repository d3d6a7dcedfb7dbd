//===- KernelEmitter.h - How a kernel's body is written ---------*- C++ -*-===//
//
// After bufferization each linalg and kernel op of @main is outlined into a
// function of its own (OutlineKernels). The body of that function is written
// by the emitter of the op's family, declared here.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_KERNELEMITTER_H
#define ONNXC_COMPILER_CODEGEN_CPU_KERNELEMITTER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"

namespace onnxc {

struct Target;

/// A buffer as kernel code sees it. The view's offset is already added to the
/// pointer. Sizes and strides are in elements; what is static is an attribute.
struct BufferView {
  mlir::Value pointer; ///< !llvm.ptr
  mlir::Type elementType;
  llvm::SmallVector<mlir::OpFoldResult> sizes;
  llvm::SmallVector<mlir::OpFoldResult> strides;

  int64_t rank() const { return static_cast<int64_t>(sizes.size()); }
};

/// The function that is being written: `builder` stands in its body.
struct KernelBody {
  mlir::OpBuilder &builder;
  mlir::Location loc;
  const Target &target;
  /// The part of the outermost parallel loop to compute, of type index.
  mlir::Value begin, end;
  /// One per operand of the op, in order; a scalar operand has rank 0 and a
  /// null pointer, its value in `scalars` at the same position.
  llvm::ArrayRef<BufferView> operands;
  llvm::ArrayRef<mlir::Value> scalars;
};

/// How an op's work divides: `count` independent units (begin and end of
/// KernelBody count them), each of about `cost` floating-point operations at
/// the speed of a matrix product, where that is known at compile time
/// (otherwise 0).
struct ParallelExtent {
  mlir::OpFoldResult count;
  int64_t cost;
};

/// What an element that is moved, or computed by itself, costs.
constexpr int64_t elementCost = 4;

/// Number of units of `op`, computed at the call. `op` is a kernel op.
ParallelExtent kernelExtent(mlir::OpBuilder &builder, mlir::Operation *op,
                            llvm::ArrayRef<BufferView> operands,
                            const Target &target);

/// Writes units [begin, end) of `op`, one of kernel.matmul, kernel.conv,
/// kernel.winograd_input, kernel.winograd_conv, kernel.depthwise_conv,
/// kernel.pool, kernel.pad, kernel.pad_border, kernel.recurrence. Uses scf,
/// arith, vector and
/// llvm load/store/getelementptr; ops of an epilogue's region are cloned onto
/// vectors.
mlir::LogicalResult emitKernel(mlir::Operation *op, KernelBody &body);

/// What the regions of `op` use from outside, in order of first use. For
/// linalg ops these follow the op's operands in KernelBody.
llvm::SmallVector<mlir::Value> capturedValues(mlir::Operation *op);

/// The same two for linalg ops on memrefs.
ParallelExtent linalgExtent(mlir::OpBuilder &builder, mlir::Operation *op,
                            llvm::ArrayRef<BufferView> operands,
                            const Target &target);
mlir::LogicalResult emitLinalg(mlir::Operation *op, KernelBody &body);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_KERNELEMITTER_H
