//===- BufferPlan.h - What is decided about @main's buffers -----*- C++ -*-===//
//
// The two halves of PlanMemory: planBuffers decides, buildEntry rebuilds the
// function accordingly.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LAYOUT_BUFFERPLAN_H
#define ONNXC_COMPILER_LAYOUT_BUFFERPLAN_H

#include "compiler/layout/MemoryPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <optional>

namespace onnxc {

/// One memref.alloc of @main and what is decided about it.
struct Buffer {
  mlir::memref::AllocOp alloc;
  bool sizeKnownAtEntry = false;
  /// Whether it is dead when the iteration of the loop around it ends, so that
  /// the next one's can have its memory.
  bool perIteration = false;
  std::optional<int64_t> output; ///< index of the output that it holds
};

struct BufferPlan {
  llvm::SmallVector<Buffer> buffers;
  /// Of each output its dims (as i64, made by an op of their own, so that they
  /// outlive changes of what they follow from).
  llvm::SmallVector<llvm::SmallVector<mlir::Value>> outputDims;
  /// Those that get a place in the workspace, as indices into `buffers`.
  llvm::SmallVector<unsigned> inWorkspace;
  MemoryPlan places; ///< of `inWorkspace`
  /// What follows from the inputs alone stands before this op of @main.
  mlir::Operation *sizesEnd = nullptr;
};

/// Decides where the buffers of @main lie. Moves sizes and checks that follow
/// from the inputs to its beginning, allocs out of regions, and lets buffers
/// share memory; every output then has an alloc of its own.
BufferPlan planBuffers(mlir::func::FuncOp main);

/// Replaces @main by the function that the shell calls (EntryFunction.h).
mlir::LogicalResult buildEntry(mlir::func::FuncOp main, BufferPlan plan);

/// Bytes of one element in memory.
int64_t elementBytes(mlir::Type type);

} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_BUFFERPLAN_H
