//===- TransposesToReshapes.cpp - Transposes that move no data ------------===//

#include "compiler/layout/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace onnxc {
#define GEN_PASS_DEF_TRANSPOSESTORESHAPES
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;

namespace {

/// Groups the dims of `shape` so that each group holds one dim other than 1
/// (or all of them, when there is none).
SmallVector<ReassociationIndices> groupUnitDims(ArrayRef<int64_t> shape) {
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices group;
  bool hasLarge = false;
  for (auto [dim, size] : llvm::enumerate(shape)) {
    if (size != 1 && hasLarge) {
      groups.push_back(group);
      group.clear();
    }
    hasLarge |= size != 1;
    group.push_back(dim);
  }
  if (hasLarge)
    groups.push_back(group);
  return groups;
}

struct TransposeToReshape : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "works on buffers");
    auto source = cast<RankedTensorType>(op.getInput().getType());
    auto target = cast<RankedTensorType>(op->getResult(0).getType());
    SmallVector<int64_t> order;
    for (int64_t dim : op.getPermutation())
      if (source.getDimSize(dim) != 1)
        order.push_back(dim);
    if (!llvm::is_sorted(order))
      return rewriter.notifyMatchFailure(op, "moves dims larger than 1");
    Location loc = op.getLoc();
    Value collapsed = tensor::CollapseShapeOp::create(
        rewriter, loc, op.getInput(), groupUnitDims(source.getShape()));
    rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(
        op, target, collapsed, groupUnitDims(target.getShape()),
        tensor::getMixedSizes(rewriter, loc, op.getInit()));
    return success();
  }
};

struct TransposesToReshapesPass
    : onnxc::impl::TransposesToReshapesBase<TransposesToReshapesPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<TransposeToReshape>(&getContext());
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns,
                                                         &getContext());
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::DimOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
