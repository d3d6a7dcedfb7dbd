//===- EmitKernel.cpp - Picks the emitter of a kernel op ------------------===//

#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/Target.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace onnxc;

int64_t onnxc::tilesPerUnit(const Target &target, Index tiles,
                            int64_t tileBytes) {
  int64_t count = std::clamp<int64_t>(
      target.l2Bytes / 2 / std::max<int64_t>(tileBytes, 1), 4, 128);
  auto known = Code::known(tiles);
  if (!known || *known <= 0)
    return std::min<int64_t>(count, 32);
  // Equal blocks.
  int64_t blocks = llvm::divideCeil(*known, count);
  return llvm::divideCeil(*known, blocks);
}

ParallelExtent onnxc::kernelExtent(OpBuilder &builder, Operation *op,
                                   ArrayRef<BufferView> operands,
                                   const Target &target) {
  Code code(builder, op->getLoc());
  return llvm::TypeSwitch<Operation *, ParallelExtent>(op)
      .Case([&](kernel::MatmulOp matmul) {
        return matmulExtent(code, matmul, operands, target);
      })
      .Case([&](kernel::QuantizedMatmulOp matmul) {
        return quantizedMatmulExtent(code, matmul, operands, target);
      })
      .Case([&](kernel::ConvOp conv) {
        return convExtent(code, conv, operands, target);
      })
      .Case([&](kernel::WinogradInputOp input) {
        return winogradInputExtent(code, input, operands);
      })
      .Case([&](kernel::WinogradConvOp conv) {
        return winogradConvExtent(code, conv, operands, target);
      })
      .Case([&](kernel::DepthwiseConvOp conv) {
        return depthwiseConvExtent(code, conv, operands, target);
      })
      .Case([&](kernel::SoftmaxOp) { return softmaxExtent(code, operands); })
      .Case([&](kernel::AttentionOp attention) {
        return attentionExtent(code, attention, operands, target);
      })
      .Case([&](kernel::PoolOp pool) {
        return poolExtent(code, pool, operands, target);
      })
      .Case([&](kernel::PadOp pad) {
        return padExtent(code, pad, operands, target);
      })
      .Case(
          [&](kernel::PadBorderOp) { return padBorderExtent(code, operands); })
      .Case([&](kernel::CacheAppendOp) {
        return cacheAppendExtent(code, operands);
      })
      .Case([&](kernel::RecurrenceOp recurrence) {
        return recurrenceExtent(code, recurrence, operands, target);
      })
      .Case([&](kernel::TreeWalkOp walk) {
        return treeWalkExtent(walk, operands);
      })
      .Case([&](kernel::TreeScanOp scan) {
        return treeScanExtent(code, scan, operands);
      })
      .Default(
          [&](Operation *) { return ParallelExtent{code.constant(1), 0}; });
}

LogicalResult onnxc::emitKernel(Operation *op, KernelBody &body) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](kernel::MatmulOp matmul) { return emitMatmul(matmul, body); })
      .Case([&](kernel::QuantizedMatmulOp matmul) {
        return emitQuantizedMatmul(matmul, body);
      })
      .Case([&](kernel::ConvOp conv) { return emitConv(conv, body); })
      .Case([&](kernel::WinogradInputOp input) {
        return emitWinogradInput(input, body);
      })
      .Case([&](kernel::WinogradConvOp conv) {
        return emitWinogradConv(conv, body);
      })
      .Case([&](kernel::DepthwiseConvOp conv) {
        return emitDepthwiseConv(conv, body);
      })
      .Case(
          [&](kernel::SoftmaxOp softmax) { return emitSoftmax(softmax, body); })
      .Case([&](kernel::AttentionOp attention) {
        return emitAttention(attention, body);
      })
      .Case([&](kernel::PoolOp pool) { return emitPool(pool, body); })
      .Case([&](kernel::PadOp pad) { return emitPad(pad, body); })
      .Case([&](kernel::PadBorderOp pad) { return emitPadBorder(pad, body); })
      .Case([&](kernel::CacheAppendOp append) {
        return emitCacheAppend(append, body);
      })
      .Case([&](kernel::RecurrenceOp recurrence) {
        return emitRecurrence(recurrence, body);
      })
      .Case([&](kernel::TreeWalkOp walk) { return emitTreeWalk(walk, body); })
      .Case([&](kernel::TreeScanOp scan) { return emitTreeScan(scan, body); })
      .Default([](Operation *op) {
        return op->emitOpError("has no CPU code generator");
      });
}
