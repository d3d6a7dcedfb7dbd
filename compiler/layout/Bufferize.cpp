//===- Bufferize.cpp - Tensors of the model become buffers ----------------===//

#include "compiler/layout/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

namespace onnxc {
#define GEN_PASS_DEF_BUFFERIZEMODEL
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;

namespace {

/// tensor.reshape by a shape made of scalars becomes a collapse to one dim and
/// an expansion, which carry the dims as values: a shape in memory would make
/// every later size depend on data.
struct ReshapeByScalars : OpRewritePattern<tensor::ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto source = dyn_cast<RankedTensorType>(op.getSource().getType());
    auto result = dyn_cast<RankedTensorType>(op.getType());
    if (!source || !result)
      return rewriter.notifyMatchFailure(op, "rank is not known");
    SmallVector<OpFoldResult> sizes;
    auto elements = op.getShape().getDefiningOp<tensor::FromElementsOp>();
    for (int64_t i = 0; i < result.getRank(); ++i) {
      if (!result.isDynamicDim(i)) {
        sizes.push_back(rewriter.getIndexAttr(result.getDimSize(i)));
        continue;
      }
      if (!elements)
        return rewriter.notifyMatchFailure(op, "shape is not made of scalars");
      Value size = elements.getElements()[i];
      if (!size.getType().isIndex())
        size = arith::IndexCastOp::create(rewriter, op.getLoc(),
                                          rewriter.getIndexType(), size);
      sizes.push_back(size);
    }
    Value value = op.getSource();
    if (source.getRank() != 1) {
      ReassociationIndices all(
          llvm::to_vector(llvm::seq<int64_t>(0, source.getRank())));
      SmallVector<ReassociationIndices> groups;
      if (!all.empty())
        groups.push_back(all);
      if (all.empty())
        value = tensor::ExpandShapeOp::create(
            rewriter, op.getLoc(),
            RankedTensorType::get({1}, source.getElementType()), value,
            ArrayRef<ReassociationIndices>{});
      else
        value = tensor::CollapseShapeOp::create(rewriter, op.getLoc(), value,
                                                groups);
    }
    auto flat = cast<RankedTensorType>(value.getType());
    if (result.getRank() == 0) {
      if (flat.getDimSize(0) != 1)
        value = tensor::CastOp::create(
            rewriter, op.getLoc(),
            RankedTensorType::get({1}, flat.getElementType()), value);
      rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(
          op, result, value, ArrayRef<ReassociationIndices>{});
      return success();
    }
    // The two types must agree on whether the element count is static.
    int64_t count = result.hasStaticShape() ? result.getNumElements()
                                            : ShapedType::kDynamic;
    if (flat.getDimSize(0) != count)
      value = tensor::CastOp::create(
          rewriter, op.getLoc(),
          RankedTensorType::get({count}, flat.getElementType()), value);
    if (result.getRank() == 1) {
      rewriter.replaceOp(op, value);
      return success();
    }
    ReassociationIndices all(
        llvm::to_vector(llvm::seq<int64_t>(0, result.getRank())));
    rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(
        op, result, value, ArrayRef<ReassociationIndices>{all}, sizes);
    return success();
  }
};

/// The dims of a contiguous buffer as a reinterpret_cast.
Value castContiguous(PatternRewriter &rewriter, Location loc, MemRefType type,
                     Value source, ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> strides(sizes.size());
  OpFoldResult stride = rewriter.getIndexAttr(1);
  AffineExpr a, b;
  bindSymbols(rewriter.getContext(), a, b);
  for (int64_t i = static_cast<int64_t>(sizes.size()) - 1; i >= 0; --i) {
    strides[i] = stride;
    stride = affine::makeComposedFoldedAffineApply(rewriter, loc, a * b,
                                                   {stride, sizes[i]});
  }
  // Built with the strides that are known, then seen as the identity layout.
  SmallVector<int64_t> shape, staticStrides;
  SmallVector<Value> ignored;
  dispatchIndexOpFoldResults(sizes, ignored, shape);
  dispatchIndexOpFoldResults(strides, ignored, staticStrides);
  Value result = memref::ReinterpretCastOp::create(
      rewriter, loc,
      MemRefType::get(
          shape, type.getElementType(),
          StridedLayoutAttr::get(rewriter.getContext(), 0, staticStrides)),
      source, rewriter.getIndexAttr(0), sizes, strides);
  return memref::CastOp::create(rewriter, loc, type, result);
}

/// An expansion with several dynamic dims in one group, which upstream's
/// lowering does not take.
struct ExpandBySizes : OpRewritePattern<memref::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(memref::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    MemRefType type = op.getResultType();
    if (!type.getLayout().isIdentity() ||
        !cast<MemRefType>(op.getSrc().getType()).getLayout().isIdentity())
      return rewriter.notifyMatchFailure(op, "not contiguous");
    bool several = false;
    for (const ReassociationIndices &group : op.getReassociationIndices())
      several |= llvm::count_if(group, [&](int64_t dim) {
                   return type.isDynamicDim(dim);
                 }) > 1;
    if (!several)
      return rewriter.notifyMatchFailure(op, "at most one dynamic dim a group");
    rewriter.replaceOp(op,
                       castContiguous(rewriter, op.getLoc(), type, op.getSrc(),
                                      op.getMixedOutputShape()));
    return success();
  }
};

/// A reshape by a shape in memory: the dims are loaded.
struct ReshapeByMemory : OpRewritePattern<memref::ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(memref::ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<MemRefType>(op.getType());
    auto source = dyn_cast<MemRefType>(op.getSource().getType());
    if (!type || !source || !source.getLayout().isIdentity())
      return rewriter.notifyMatchFailure(op, "rank or layout is not known");
    SmallVector<OpFoldResult> sizes;
    for (int64_t i = 0; i < type.getRank(); ++i) {
      if (!type.isDynamicDim(i)) {
        sizes.push_back(rewriter.getIndexAttr(type.getDimSize(i)));
        continue;
      }
      Value position = arith::ConstantIndexOp::create(rewriter, op.getLoc(), i);
      Value size = memref::LoadOp::create(rewriter, op.getLoc(), op.getShape(),
                                          position);
      if (!size.getType().isIndex())
        size = arith::IndexCastOp::create(rewriter, op.getLoc(),
                                          rewriter.getIndexType(), size);
      sizes.push_back(size);
    }
    rewriter.replaceOp(
        op, castContiguous(rewriter, op.getLoc(), type, op.getSource(), sizes));
    return success();
  }
};

class BufferizeModelPass
    : public onnxc::impl::BufferizeModelBase<BufferizeModelPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    {
      RewritePatternSet patterns(context);
      patterns.add<ReshapeByScalars>(context);
      if (failed(applyPatternsGreedily(module, std::move(patterns))))
        return signalPassFailure();
    }
    // What the caller hands in is not ours to write.
    for (auto function : module.getOps<func::FuncOp>())
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        if (isa<TensorType>(function.getArgument(i).getType()))
          function.setArgAttr(
              i, bufferization::BufferizationDialect::kWritableAttrName,
              BoolAttr::get(context, false));
    IRRewriter rewriter(context);
    if (failed(bufferization::eliminateEmptyTensors(rewriter, module)))
      return signalPassFailure();

    bufferization::OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.allowReturnAllocsFromLoops = true;
    options.setFunctionBoundaryTypeConversion(
        bufferization::LayoutMapOption::IdentityLayoutMap);
    options.unknownTypeConverterFn =
        [](TensorType type, Attribute memorySpace,
           const bufferization::BufferizationOptions &) {
          return bufferization::getMemRefTypeWithStaticIdentityLayout(
              type, memorySpace);
        };
    bufferization::BufferizationState state;
    if (failed(
            bufferization::runOneShotModuleBufferize(module, options, state)))
      return signalPassFailure();
    bufferization::removeBufferizationAttributesInModule(module);

    {
      RewritePatternSet patterns(context);
      patterns.add<ExpandBySizes, ReshapeByMemory>(context);
      memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
      memref::populateResolveShapedTypeResultDimsPatterns(patterns);
      if (failed(applyPatternsGreedily(module, std::move(patterns))))
        return signalPassFailure();
    }
    OpPassManager cleanup(ModuleOp::getOperationName());
    cleanup.addPass(createCanonicalizerPass());
    cleanup.addPass(createCSEPass());
    cleanup.addPass(createCanonicalizerPass());
    if (failed(runPipeline(cleanup, module)))
      return signalPassFailure();
  }
};

} // namespace
