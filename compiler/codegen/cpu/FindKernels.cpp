//===- FindKernels.cpp - Which operations become kernels ------------------===//

#include "compiler/codegen/cpu/FindKernels.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace onnxc;

bool onnxc::isKernel(Operation *op) {
  return isa<linalg::LinalgOp, memref::CopyOp, kernel::MatmulOp,
             kernel::QuantizedMatmulOp, kernel::ConvOp, kernel::WinogradInputOp,
             kernel::WinogradConvOp, kernel::DepthwiseConvOp, kernel::SoftmaxOp,
             kernel::AttentionOp, kernel::RecurrenceOp, kernel::PoolOp,
             kernel::PadOp, kernel::PadBorderOp, kernel::CacheAppendOp,
             kernel::TreeWalkOp, kernel::TreeScanOp>(op);
}

bool onnxc::isLoopNest(Operation *op) {
  if (!isa<scf::ForOp, scf::WhileOp>(op))
    return false;
  auto isMemref = [](Type type) { return isa<BaseMemRefType>(type); };
  if (llvm::any_of(op->getResultTypes(), isMemref) ||
      llvm::any_of(op->getOperandTypes(), isMemref))
    return false;
  bool touchesMemory = false;
  WalkResult plain = op->walk([&](Operation *inner) {
    touchesMemory |= isa<memref::LoadOp, memref::StoreOp>(inner);
    if (isa<memref::LoadOp, memref::StoreOp, memref::DimOp,
            ViewLikeOpInterface>(inner) ||
        isa_and_nonnull<scf::SCFDialect>(inner->getDialect()) || isPure(inner))
      return WalkResult::advance();
    StringRef dialect = inner->getName().getDialectNamespace();
    return dialect == "arith" || dialect == "math" ? WalkResult::advance()
                                                   : WalkResult::interrupt();
  });
  return touchesMemory && !plain.wasInterrupted();
}

SmallVector<Operation *> onnxc::findKernels(func::FuncOp entry) {
  SmallVector<Operation *> found;
  entry.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (!isKernel(op) && !isLoopNest(op))
      return WalkResult::advance();
    found.push_back(op);
    return WalkResult::skip();
  });
  return found;
}
