//===- WinogradConvolutions.cpp - 3x3 convolutions by F(2x2, 3x3) ---------===//

#include "compiler/codegen/cpu/Target.h"
#include "compiler/layout/Passes.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/MathExtras.h"

namespace onnxc {
#define GEN_PASS_DEF_WINOGRADCONVOLUTIONS
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// Output rows and columns where they are not known.
static constexpr int64_t typicalSize = 64;

namespace {
/// What the choice depends on of the target.
struct Machine {
  int64_t lanes; ///< f32 in a vector
  int64_t cacheBytes, lastCacheBytes;
};
/// A 3x3 convolution with stride 1.
struct Shape {
  int64_t images, height, width; ///< of the output
  int64_t inputChannels, outputChannels;
};
} // namespace

/// Whether Winograd's method takes fewer cycles: two multiply-adds a cycle, and
/// what has to come from memory or a cache farther than the second.
static bool isFaster(const Shape &shape, const Machine &machine) {
  double inputVectors = llvm::divideCeil(shape.inputChannels, machine.lanes);
  double outputVectors = llvm::divideCeil(shape.outputChannels, machine.lanes);
  double pixels =
      static_cast<double>(shape.images) * shape.height * shape.width;
  double patches = static_cast<double>(shape.images) *
                   llvm::divideCeil(shape.height, 2) *
                   llvm::divideCeil(shape.width, 2);
  constexpr double filterBytesPerCycle = 4, nearBytesPerCycle = 10,
                   memoryBytesPerCycle = 4;
  double tapBytes = 4.0 * shape.inputChannels * shape.outputChannels;
  double direct = 9 / 2.0 * pixels * shape.inputChannels * outputVectors +
                  9 * tapBytes / filterBytesPerCycle;
  // A patch's transform loads, computes and stores 16 vectors or more.
  constexpr double transformCycles = 48;
  double winograd = 16 / 2.0 * patches * shape.inputChannels * outputVectors +
                    transformCycles * patches * (inputVectors + outputVectors) +
                    16 * tapBytes / filterBytesPerCycle;
  // All patches are written, then read.
  double patchBytes = 16 * 4 * patches * shape.inputChannels;
  if (patchBytes > machine.lastCacheBytes)
    winograd += 2 * patchBytes / memoryBytesPerCycle;
  else if (patchBytes > machine.cacheBytes / 2.0)
    winograd += 2 * patchBytes / nearBytesPerCycle;
  return winograd < 0.9 * direct;
}

namespace {

struct ToWinograd : OpRewritePattern<kernel::ConvOp> {
  ToWinograd(MLIRContext *context, const Machine &machine)
      : OpRewritePattern(context), machine(machine) {}

  LogicalResult matchAndRewrite(kernel::ConvOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getResults().empty())
      return rewriter.notifyMatchFailure(op, "works on buffers");
    auto weight = op.getFilter().getDefiningOp<kernel::WeightOp>();
    if (op.getPacked() || !weight || weight.getPanelWidth())
      return rewriter.notifyMatchFailure(op, "filter is no unpacked constant");
    auto filter = cast<RankedTensorType>(op.getFilter().getType());
    auto input = cast<RankedTensorType>(op.getInput().getType());
    auto init = cast<RankedTensorType>(op.getInit().getType());
    if (filter.getDimSize(0) != 1 || filter.getDimSize(1) != 3 ||
        filter.getDimSize(2) != 3)
      return rewriter.notifyMatchFailure(op, "not 3x3 in one group");
    auto isOne = [](int64_t value) { return value == 1; };
    if (!llvm::all_of(op.getStrides(), isOne) ||
        !llvm::all_of(op.getDilations(), isOne))
      return rewriter.notifyMatchFailure(op, "strided or dilated");
    if (!input.getElementType().isF32() || !filter.getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "not of f32");
    auto knownOr = [&](int64_t dim, int64_t typical) {
      return init.isDynamicDim(dim) ? typical : init.getDimSize(dim);
    };
    int64_t inputChannels = filter.getDimSize(3);
    int64_t outputChannels = filter.getDimSize(4);
    if (!isFaster({knownOr(0, 1), knownOr(1, typicalSize),
                   knownOr(2, typicalSize), inputChannels, outputChannels},
                  machine))
      return rewriter.notifyMatchFailure(op, "direct is faster");

    Location loc = op.getLoc();
    Value source = op.getInput();
    auto pads = rewriter.getDenseI64ArrayAttr({0, 0});
    if (auto pad = source.getDefiningOp<kernel::PadOp>()) {
      source = pad.getInput();
      pads = pad.getPadsAttr();
    }
    constexpr int64_t points = 16;
    SmallVector<OpFoldResult> patchSizes =
        tensor::getMixedSizes(rewriter, loc, op.getInit());
    for (int dim : {1, 2})
      patchSizes[dim] = half(rewriter, loc, patchSizes[dim]);
    patchSizes[3] = rewriter.getIndexAttr(points * inputChannels +
                                          kernel::WinogradInputOp::gap);
    Value patchInit = tensor::EmptyOp::create(rewriter, loc, patchSizes,
                                              rewriter.getF32Type());
    Value patches = kernel::WinogradInputOp::create(
                        rewriter, loc, TypeRange(patchInit.getType()), source,
                        patchInit, pads)
                        ->getResult(0);
    int64_t panels = llvm::divideCeil(outputChannels, panelWidth);
    Value transformed = kernel::WeightOp::create(
        rewriter, weight.getLoc(),
        RankedTensorType::get({panels, points, inputChannels, panelWidth},
                              rewriter.getF32Type()),
        weight.getValue(), weight.getExpandedShapeAttr(),
        weight.getPermutationAttr(), rewriter.getUnitAttr(),
        rewriter.getI64IntegerAttr(panelWidth), rewriter.getI64IntegerAttr(0),
        IntegerAttr());
    auto conv = kernel::WinogradConvOp::create(
        rewriter, loc, op.getResultTypes(), patches, transformed,
        op.getEpilogueOperands(), op.getInit(), op.getEpilogueMaps(),
        kernel::TileAttr());
    conv.getEpilogue().takeBody(op.getEpilogue());
    rewriter.replaceOp(op, conv);
    return success();
  }

private:
  /// Half of `size`, rounded up.
  static OpFoldResult half(OpBuilder &builder, Location loc,
                           OpFoldResult size) {
    if (std::optional<int64_t> known = getConstantIntValue(size))
      return builder.getIndexAttr(llvm::divideCeil(*known, 2));
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value rounded = arith::AddIOp::create(builder, loc, cast<Value>(size), one);
    return arith::ShRUIOp::create(builder, loc, rounded, one).getResult();
  }

  Machine machine;
};

struct WinogradConvolutionsPass
    : onnxc::impl::WinogradConvolutionsBase<WinogradConvolutionsPass> {
  using WinogradConvolutionsBase::WinogradConvolutionsBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ToWinograd>(&getContext(),
                             Machine{std::max<int64_t>(1, vectorBits / 32),
                                     cacheBytes, lastCacheBytes});
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
