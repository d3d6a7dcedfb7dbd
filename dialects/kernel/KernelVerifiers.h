//===- KernelVerifiers.h - Shared by the kernels' verifiers -----*- C++ -*-===//
#ifndef ONNXC_DIALECTS_KERNEL_KERNELVERIFIERS_H
#define ONNXC_DIALECTS_KERNEL_KERNELVERIFIERS_H

#include "dialects/kernel/KernelDialect.h"

namespace onnxc::kernel {

/// After bufferization a kernel reads its inputs and writes its init.
template <typename OpTy>
void memrefEffects(
    OpTy op,
    mlir::SmallVectorImpl<mlir::MemoryEffects::EffectInstance> &effects) {
  for (mlir::OpOperand &operand : op->getOpOperands()) {
    if (!mlir::isa<mlir::MemRefType>(operand.get().getType()))
      continue;
    if (op.isDpsInit(&operand))
      effects.emplace_back(mlir::MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(mlir::MemoryEffects::Read::get(), &operand);
  }
}

/// Whether two dims can be the same.
inline bool compatible(int64_t a, int64_t b) {
  return a == b || mlir::ShapedType::isDynamic(a) ||
         mlir::ShapedType::isDynamic(b);
}

/// Fails unless an attribute has so many values, none too small.
mlir::LogicalResult verifySpatialAttr(mlir::Operation *op, llvm::StringRef name,
                                      llvm::ArrayRef<int64_t> values,
                                      size_t size, int64_t least);

/// Fails unless both are [N, H, W, C] with the same N.
mlir::LogicalResult verifyChannelsLast(mlir::Operation *op, mlir::Value input,
                                       mlir::Value init);

} // namespace onnxc::kernel

#endif // ONNXC_DIALECTS_KERNEL_KERNELVERIFIERS_H
