//===- FuseEpilogues.cpp - Element-wise users into epilogues --------------===//

#include "compiler/layout/Passes.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace onnxc {
#define GEN_PASS_DEF_FUSEEPILOGUES
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

bool isDimsOrZeros(AffineMap map) {
  return llvm::all_of(map.getResults(), [](AffineExpr expr) {
    auto constant = dyn_cast<AffineConstantExpr>(expr);
    return isa<AffineDimExpr>(expr) || (constant && constant.getValue() == 0);
  });
}

/// What an epilogue reads and stores: f32, and what converts to or from the
/// accumulator's type in a vector.
bool isEpilogueElement(Type type) {
  return type.isF32() || type.isF16() || type.isBF16() || type.isInteger(8) ||
         type.isInteger(16) || type.isInteger(32);
}

/// Whether an epilogue can hold `op`: arithmetic that has a vector form.
bool isVectorizable(Operation &op) {
  if (!isa<arith::ArithDialect, math::MathDialect>(op.getDialect()))
    return false;
  auto fits = [](Type type) {
    return type.isInteger(1) || isEpilogueElement(type);
  };
  return llvm::all_of(op.getOperandTypes(), fits) &&
         llvm::all_of(op.getResultTypes(), fits);
}

template <typename KernelOp>
struct FuseEpilogue : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern<linalg::GenericOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    KernelOp kernel;
    for (Value input : op.getInputs())
      if (auto producer = input.getDefiningOp<KernelOp>();
          producer && producer->getBlock() == op->getBlock() &&
          llvm::all_of(producer->getUsers(),
                       [&](Operation *user) { return user == op; })) {
        kernel = producer;
        break;
      }
    if (!kernel)
      return rewriter.notifyMatchFailure(
          op, "no operand is a kernel of which this is the only user");
    if (op.getNumParallelLoops() != op.getNumLoops() || op.getNumResults() != 1)
      return rewriter.notifyMatchFailure(op, "not element-wise");
    Value result = kernel->getResult(0);
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    if (!maps.back().isIdentity())
      return rewriter.notifyMatchFailure(op, "output map not the identity");
    if (!op.getRegionOutputArgs()[0].use_empty())
      return rewriter.notifyMatchFailure(op, "reads its init");
    for (auto [input, map] : llvm::zip(op.getInputs(), maps)) {
      auto type = dyn_cast<RankedTensorType>(input.getType());
      if (!type || !isEpilogueElement(type.getElementType()))
        return rewriter.notifyMatchFailure(op, "operand of another type");
      if (input == result ? !map.isIdentity() : !isDimsOrZeros(map))
        return rewriter.notifyMatchFailure(op, "operand read by another map");
    }
    if (!isEpilogueElement(
            cast<ShapedType>(op.getResult(0).getType()).getElementType()))
      return rewriter.notifyMatchFailure(op, "result of another type");
    for (Operation &inner : op.getBody()->without_terminator())
      if (!isVectorizable(inner))
        return rewriter.notifyMatchFailure(op, "body has no vector form");

    SmallVector<Value> operands(kernel.getEpilogueOperands());
    SmallVector<Attribute> operandMaps(kernel.getEpilogueMaps().begin(),
                                       kernel.getEpilogueMaps().end());
    IRMapping kernelMapping;
    kernelMapping.map(kernel.getInit(), op.getOutputs()[0]);
    rewriter.setInsertionPoint(op);
    auto fused = cast<KernelOp>(rewriter.clone(*kernel, kernelMapping));
    fused->getResult(0).setType(op.getResult(0).getType());
    Block *body = fused.getEpilogueBlock();
    auto yield = cast<kernel::YieldOp>(body->getTerminator());
    IRMapping mapping;
    for (auto [input, map, argument] :
         llvm::zip(op.getInputs(), maps, op.getRegionInputArgs())) {
      if (input == result) {
        mapping.map(argument, yield.getValue());
        continue;
      }
      operands.push_back(input);
      operandMaps.push_back(AffineMapAttr::get(map));
      mapping.map(argument,
                  body->addArgument(argument.getType(), argument.getLoc()));
    }
    rewriter.setInsertionPoint(yield);
    for (Operation &inner : op.getBody()->without_terminator())
      rewriter.clone(inner, mapping);
    Value stored =
        mapping.lookupOrDefault(op.getBody()->getTerminator()->getOperand(0));
    rewriter.modifyOpInPlace(yield, [&] { yield->setOperand(0, stored); });
    rewriter.modifyOpInPlace(fused, [&] {
      fused.getEpilogueOperandsMutable().assign(operands);
      fused.setEpilogueMapsAttr(rewriter.getArrayAttr(operandMaps));
    });
    rewriter.replaceOp(op, fused->getResults());
    rewriter.eraseOp(kernel);
    return success();
  }
};

struct FuseEpiloguesPass : onnxc::impl::FuseEpiloguesBase<FuseEpiloguesPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<
        FuseEpilogue<kernel::MatmulOp>, FuseEpilogue<kernel::QuantizedMatmulOp>,
        FuseEpilogue<kernel::ConvOp>, FuseEpilogue<kernel::DepthwiseConvOp>>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
