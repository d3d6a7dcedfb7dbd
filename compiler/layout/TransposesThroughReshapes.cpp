//===- TransposesThroughReshapes.cpp - Reshapes off a transpose -----------===//

#include "compiler/layout/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace onnxc {
#define GEN_PASS_DEF_TRANSPOSESTHROUGHRESHAPES
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;

/// Whether dims that multiply to the same number are pairwise the same: all
/// are static, or one is not, in the same place.
static bool sameDims(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  return a == b && llvm::count_if(a, ShapedType::isDynamic) <= 1;
}

namespace {

struct ThroughReshapes : OpRewritePattern<tensor::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getSrc().getDefiningOp<linalg::TransposeOp>();
    if (!transpose)
      return rewriter.notifyMatchFailure(op, "no transpose is expanded");
    auto collapse =
        transpose.getInput().getDefiningOp<tensor::CollapseShapeOp>();
    if (!collapse)
      return rewriter.notifyMatchFailure(op, "no dims were collapsed before");
    SmallVector<ReassociationIndices> before =
        collapse.getReassociationIndices();
    SmallVector<ReassociationIndices> after = op.getReassociationIndices();
    auto dimsOf = [](RankedTensorType type, ArrayRef<int64_t> group) {
      return type.getShape().slice(group.front(), group.size());
    };
    SmallVector<int64_t> permutation;
    for (auto [group, source] : llvm::zip(after, transpose.getPermutation())) {
      if (!sameDims(dimsOf(op.getResultType(), group),
                    dimsOf(collapse.getSrcType(), before[source])))
        return rewriter.notifyMatchFailure(op, "the dims are others");
      llvm::append_range(permutation, before[source]);
    }
    Value init =
        tensor::EmptyOp::create(rewriter, op.getLoc(), op.getMixedOutputShape(),
                                op.getResultType().getElementType());
    rewriter.replaceOpWithNewOp<linalg::TransposeOp>(op, collapse.getSrc(),
                                                     init, permutation);
    return success();
  }
};

struct TransposesThroughReshapesPass
    : onnxc::impl::TransposesThroughReshapesBase<
          TransposesThroughReshapesPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ThroughReshapes>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
