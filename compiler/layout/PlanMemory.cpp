//===- PlanMemory.cpp - Every buffer gets a place -------------------------===//

#include "compiler/layout/BufferPlan.h"
#include "compiler/layout/Passes.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace onnxc {
#define GEN_PASS_DEF_PLANMEMORY
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

static LogicalResult verify(func::FuncOp main) {
  if (!main.getBody().hasOneBlock())
    return main.emitError("@main must have one block");
  for (Type type : llvm::concat<const Type>(main.getArgumentTypes(),
                                            main.getResultTypes())) {
    if (type.isIndex())
      continue; // a boxed value
    auto memref = dyn_cast<MemRefType>(type);
    if (!memref || !memref.getLayout().isIdentity())
      return main.emitError("@main takes and returns contiguous buffers, not ")
             << type;
  }
  WalkResult placed = main.walk([&](kernel::WeightOp weight) {
    if (weight.getOffset())
      return WalkResult::advance();
    weight.emitError("weight has no offset in the weight section");
    return WalkResult::interrupt();
  });
  return failure(placed.wasInterrupted());
}

namespace {
class PlanMemoryPass : public onnxc::impl::PlanMemoryBase<PlanMemoryPass> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main) {
      getOperation().emitError("module has no function @main");
      return signalPassFailure();
    }
    if (failed(verify(main)) || failed(buildEntry(main, planBuffers(main))))
      return signalPassFailure();
  }
};
} // namespace
