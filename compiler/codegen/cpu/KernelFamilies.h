//===- KernelFamilies.h - The emitters behind emitKernel --------*- C++ -*-===//
//
// One pair of functions per kernel op; EmitKernel.cpp picks among them.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_KERNELFAMILIES_H
#define ONNXC_COMPILER_CODEGEN_CPU_KERNELFAMILIES_H

#include "compiler/codegen/cpu/Code.h"
#include "compiler/codegen/cpu/KernelEmitter.h"
#include "dialects/kernel/KernelDialect.h"

namespace onnxc {

ParallelExtent matmulExtent(Code &code, kernel::MatmulOp op,
                            llvm::ArrayRef<BufferView> operands,
                            const Target &target);
mlir::LogicalResult emitMatmul(kernel::MatmulOp op, KernelBody &body);

ParallelExtent quantizedMatmulExtent(Code &code, kernel::QuantizedMatmulOp op,
                                     llvm::ArrayRef<BufferView> operands,
                                     const Target &target);
mlir::LogicalResult emitQuantizedMatmul(kernel::QuantizedMatmulOp op,
                                        KernelBody &body);

ParallelExtent convExtent(Code &code, kernel::ConvOp op,
                          llvm::ArrayRef<BufferView> operands,
                          const Target &target);
mlir::LogicalResult emitConv(kernel::ConvOp op, KernelBody &body);

ParallelExtent winogradInputExtent(Code &code, kernel::WinogradInputOp op,
                                   llvm::ArrayRef<BufferView> operands);
mlir::LogicalResult emitWinogradInput(kernel::WinogradInputOp op,
                                      KernelBody &body);

ParallelExtent winogradConvExtent(Code &code, kernel::WinogradConvOp op,
                                  llvm::ArrayRef<BufferView> operands,
                                  const Target &target);
mlir::LogicalResult emitWinogradConv(kernel::WinogradConvOp op,
                                     KernelBody &body);

ParallelExtent depthwiseConvExtent(Code &code, kernel::DepthwiseConvOp op,
                                   llvm::ArrayRef<BufferView> operands,
                                   const Target &target);
mlir::LogicalResult emitDepthwiseConv(kernel::DepthwiseConvOp op,
                                      KernelBody &body);

ParallelExtent softmaxExtent(Code &code, llvm::ArrayRef<BufferView> operands);
mlir::LogicalResult emitSoftmax(kernel::SoftmaxOp op, KernelBody &body);

ParallelExtent attentionExtent(Code &code, kernel::AttentionOp op,
                               llvm::ArrayRef<BufferView> operands,
                               const Target &target);
mlir::LogicalResult emitAttention(kernel::AttentionOp op, KernelBody &body);

ParallelExtent poolExtent(Code &code, kernel::PoolOp op,
                          llvm::ArrayRef<BufferView> operands,
                          const Target &target);
mlir::LogicalResult emitPool(kernel::PoolOp op, KernelBody &body);

ParallelExtent padExtent(Code &code, kernel::PadOp op,
                         llvm::ArrayRef<BufferView> operands,
                         const Target &target);
mlir::LogicalResult emitPad(kernel::PadOp op, KernelBody &body);

ParallelExtent padBorderExtent(Code &code, llvm::ArrayRef<BufferView> operands);
mlir::LogicalResult emitPadBorder(kernel::PadBorderOp op, KernelBody &body);

ParallelExtent cacheAppendExtent(Code &code,
                                 llvm::ArrayRef<BufferView> operands);
mlir::LogicalResult emitCacheAppend(kernel::CacheAppendOp op, KernelBody &body);

ParallelExtent recurrenceExtent(Code &code, kernel::RecurrenceOp op,
                                llvm::ArrayRef<BufferView> operands,
                                const Target &target);
mlir::LogicalResult emitRecurrence(kernel::RecurrenceOp op, KernelBody &body);

ParallelExtent treeWalkExtent(kernel::TreeWalkOp op,
                              llvm::ArrayRef<BufferView> operands);
mlir::LogicalResult emitTreeWalk(kernel::TreeWalkOp op, KernelBody &body);

ParallelExtent treeScanExtent(Code &code, kernel::TreeScanOp op,
                              llvm::ArrayRef<BufferView> operands);
mlir::LogicalResult emitTreeScan(kernel::TreeScanOp op, KernelBody &body);

/// What a size that only a run knows counts as in estimates.
constexpr int64_t typicalSize = 64;

/// Whether a memref has no gaps between its elements.
inline bool isContiguous(mlir::Value buffer) {
  auto type = mlir::dyn_cast<mlir::MemRefType>(buffer.getType());
  return type && type.getLayout().isIdentity();
}

/// Displacement of `view` at the position `batch` of the output's leading dims,
/// which are all but the last two; dims of `view` that are 1 or missing repeat.
Index batchOffset(Code &code, const BufferView &view,
                  llvm::ArrayRef<Index> batch);

/// How many row tiles make a unit of work: enough that the weights of a
/// column block are read several times from the nearest cache, few enough
/// that the rows stay in half of the second one. `tileBytes` is what one tile
/// brings in.
int64_t tilesPerUnit(const Target &target, Index tiles, int64_t tileBytes);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_KERNELFAMILIES_H
