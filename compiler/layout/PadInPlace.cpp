//===- PadInPlace.cpp - Write straight into padded tensors ----------------===//

#include "compiler/layout/Passes.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace onnxc {
#define GEN_PASS_DEF_PADINPLACE
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

/// Whether `op` can write into a tensor with gaps between its rows at no cost:
/// its loops follow the rows of its output anyway.
bool writesRows(Operation *op) {
  if (isa<kernel::WinogradConvOp, kernel::DepthwiseConvOp, kernel::PoolOp>(op))
    return true;
  if (auto conv = dyn_cast<kernel::ConvOp>(op)) {
    // Rows of fewer pixels than a register tile holds are joined when they
    // adjoin, which is worth more than the copy.
    constexpr int64_t longRow = 14;
    int64_t width = cast<ShapedType>(conv.getInit().getType()).getDimSize(2);
    return ShapedType::isDynamic(width) || width >= longRow;
  }
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return generic.getNumParallelLoops() == generic.getNumLoops() &&
           generic.getNumResults() == 1;
  return false;
}

struct PadProducerInPlace : OpRewritePattern<kernel::PadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(kernel::PadOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getResults().empty())
      return rewriter.notifyMatchFailure(op, "works on buffers");
    auto producer = op.getInput().getDefiningOp<DestinationStyleOpInterface>();
    if (!producer || producer->getBlock() != op->getBlock() ||
        !writesRows(producer))
      return rewriter.notifyMatchFailure(op, "input is not written row by row");
    OpOperand *init = producer.getDpsInitOperand(0);
    auto inside = init->get().getDefiningOp<tensor::EmptyOp>();
    auto padded = op.getInit().getDefiningOp<tensor::EmptyOp>();
    if (!inside || !padded)
      return rewriter.notifyMatchFailure(op, "init is not an empty tensor");

    // The padded tensor has to exist where the producer stands; its sizes do.
    for (Value size : padded.getDynamicSizes())
      if (Operation *definition = size.getDefiningOp())
        if (definition->getBlock() == producer->getBlock() &&
            !definition->isBeforeInBlock(producer))
          return rewriter.notifyMatchFailure(
              op, "the padded size is computed after the producer");

    rewriter.setInsertionPoint(producer);
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> sizes = inside.getMixedSizes();
    Value empty = tensor::EmptyOp::create(rewriter, loc, padded.getMixedSizes(),
                                          padded.getType().getElementType());
    auto index = [&](OpFoldResult size) {
      return getValueOrCreateConstantIndexOp(rewriter, loc, size);
    };
    Value border =
        kernel::PadBorderOp::create(rewriter, loc, TypeRange(empty.getType()),
                                    index(sizes[1]), index(sizes[2]), empty,
                                    op.getPadsAttr())
            ->getResult(0);
    OpFoldResult zero = rewriter.getIndexAttr(0);
    SmallVector<OpFoldResult> offsets = {
        zero, rewriter.getIndexAttr(op.getPads()[0]),
        rewriter.getIndexAttr(op.getPads()[1]), zero};
    SmallVector<OpFoldResult> strides(4, rewriter.getIndexAttr(1));
    Value slice = tensor::ExtractSliceOp::create(
        rewriter, loc, inside.getType(), border, offsets, sizes, strides);
    rewriter.modifyOpInPlace(producer, [&] { init->set(slice); });
    rewriter.setInsertionPoint(op);
    rewriter.replaceOpWithNewOp<tensor::InsertSliceOp>(
        op, op.getInput(), border, offsets, sizes, strides);
    return success();
  }
};

struct PadInPlacePass : onnxc::impl::PadInPlaceBase<PadInPlacePass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<PadProducerInPlace>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
