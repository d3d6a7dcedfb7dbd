//===- WinogradConvolutions.cpp - 3x3 convolutions by F(2x2, 3x3) ---------===//

#include "compiler/codegen/cpu/Target.h"
#include "compiler/layout/Passes.h"
#include "compiler/layout/WinogradPoints.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/MathExtras.h"

namespace onnxc {
#define GEN_PASS_DEF_WINOGRADCONVOLUTIONS
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// Products of a patch.
static constexpr int64_t points = 16;

/// Output rows and columns where they are not known.
static constexpr int64_t typicalSize = 64;

namespace {
/// What the choice depends on of the target.
struct Machine {
  int64_t lanes; ///< f32 in a vector
  int64_t cacheBytes;
};
/// A 3x3 convolution with stride 1.
struct Shape {
  int64_t images, height, width; ///< of the output
  int64_t inputChannels, outputChannels;
};
} // namespace

/// Whether Winograd's method takes fewer cycles: two multiply-adds a cycle, and
/// what has to come from the second cache or memory.
static bool isFaster(const Shape &shape, const Machine &machine) {
  double inputVectors = llvm::divideCeil(shape.inputChannels, machine.lanes);
  double outputVectors = llvm::divideCeil(shape.outputChannels, machine.lanes);
  double pixels =
      static_cast<double>(shape.images) * shape.height * shape.width;
  double patches = static_cast<double>(shape.images) *
                   llvm::divideCeil(shape.height, 2) *
                   llvm::divideCeil(shape.width, 2);
  constexpr double filterBytesPerCycle = 2, bandBytesPerCycle = 16;
  double tapBytes = 4.0 * shape.inputChannels * shape.outputChannels;
  double direct = 9 / 2.0 * pixels * shape.inputChannels * outputVectors +
                  9 * tapBytes / filterBytesPerCycle;
  // A patch's transform loads, computes and stores 16 vectors or more.
  constexpr double transformCycles = 48;
  double winograd =
      points / 2.0 * patches * shape.inputChannels * outputVectors +
      transformCycles * patches * (inputVectors + outputVectors) +
      points * tapBytes / filterBytesPerCycle;
  // All patches are written, then read.
  winograd +=
      2 * points * 4 * patches * shape.inputChannels / bandBytesPerCycle;
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
    Value transformed = transformFilter(rewriter, weight, filter);
    Band band = bandOf(rewriter, op);
    if (band.isWhole()) {
      Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
      Value patches =
          transformInput(rewriter, loc, zero, source, band.patches, pads);
      rewriter.replaceOp(op, convolve(rewriter, op, patches, transformed,
                                      op.getEpilogueOperands(), op.getInit()));
      return success();
    }

    auto index = [&](OpFoldResult size) {
      return getValueOrCreateConstantIndexOp(rewriter, loc, size);
    };
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    auto loop = scf::ForOp::create(rewriter, loc, zero, index(band.rows),
                                   index(band.patches[1]), op.getInit());
    rewriter.setInsertionPointToStart(loop.getBody());
    Value first = loop.getInductionVar();
    Value patches =
        transformInput(rewriter, loc, first, source, band.patches, pads);
    OpFoldResult outputRow =
        rewriter.createOrFold<arith::AddIOp>(loc, first, first);
    OpFoldResult height = band.outputRows(rewriter, loc, outputRow);
    auto slice = [&](Value tensor, Value sizesOf, AffineMap map) -> Value {
      SmallVector<OpFoldResult> sizes =
          tensor::getMixedSizes(rewriter, loc, sizesOf);
      SmallVector<OpFoldResult> offsets(sizes.size(), rewriter.getIndexAttr(0));
      SmallVector<OpFoldResult> strides(sizes.size(), rewriter.getIndexAttr(1));
      bool hasRows = false;
      for (auto [position, expr] : llvm::enumerate(map.getResults()))
        if (auto dim = dyn_cast<AffineDimExpr>(expr);
            dim && dim.getPosition() == 1) {
          offsets[position] = outputRow;
          sizes[position] = height;
          hasRows = true;
        }
      if (!hasRows)
        return tensor;
      return tensor::ExtractSliceOp::create(rewriter, loc, tensor, offsets,
                                            sizes, strides);
    };
    SmallVector<Value> operands;
    for (auto [operand, map] :
         llvm::zip_equal(op.getEpilogueOperands(),
                         op.getEpilogueMaps().getAsValueRange<AffineMapAttr>()))
      operands.push_back(slice(operand, operand, map));
    Value output = loop.getRegionIterArg(0);
    Value inside =
        slice(output, op.getInit(), rewriter.getMultiDimIdentityMap(4));
    Value part = convolve(rewriter, op, patches, transformed, operands, inside);
    auto place = inside.getDefiningOp<tensor::ExtractSliceOp>();
    Value whole = tensor::InsertSliceOp::create(
        rewriter, loc, part, output, place.getMixedOffsets(),
        place.getMixedSizes(), place.getMixedStrides());
    scf::YieldOp::create(rewriter, loc, whole);
    rewriter.replaceOp(op, loop);
    return success();
  }

private:
  /// The patches that are transformed at once.
  struct Band {
    OpFoldResult rows;                 ///< of patches in all
    OpFoldResult height;               ///< of the output
    SmallVector<OpFoldResult> patches; ///< dims of a band

    bool isWhole() const { return isEqualConstantIntOrValue(rows, patches[1]); }
    /// Rows of the output that the band from `outputRow` on makes.
    OpFoldResult outputRows(OpBuilder &builder, Location loc,
                            OpFoldResult outputRow) const;
  };

  Band bandOf(OpBuilder &builder, kernel::ConvOp op) const;

  static Value transformFilter(OpBuilder &builder, kernel::WeightOp weight,
                               RankedTensorType filter) {
    int64_t panels = llvm::divideCeil(filter.getDimSize(4), panelWidth);
    // Of rows and of columns.
    Matrix matrix = minimalFilter(3).filter;
    SmallVector<double> transform;
    for (const auto &row : matrix)
      for (const auto &column : matrix)
        for (double y : row)
          for (double x : column)
            transform.push_back(y * x);
    return kernel::WeightOp::create(
        builder, weight.getLoc(),
        RankedTensorType::get(
            {panels, points, filter.getDimSize(3), panelWidth},
            builder.getF32Type()),
        weight.getValue(), weight.getExpandedShapeAttr(),
        weight.getPermutationAttr(), builder.getDenseF64ArrayAttr(transform),
        builder.getI64IntegerAttr(panelWidth), builder.getI64IntegerAttr(0),
        /*paired=*/nullptr, IntegerAttr());
  }

  static Value transformInput(OpBuilder &builder, Location loc, Value first,
                              Value source, ArrayRef<OpFoldResult> sizes,
                              DenseI64ArrayAttr pads) {
    Value init =
        tensor::EmptyOp::create(builder, loc, sizes, builder.getF32Type());
    return kernel::WinogradInputOp::create(builder, loc,
                                           TypeRange(init.getType()), first,
                                           source, init, pads)
        ->getResult(0);
  }

  /// The products, with a copy of the epilogue of `op`.
  static Value convolve(OpBuilder &builder, kernel::ConvOp op, Value patches,
                        Value filter, ValueRange operands, Value init) {
    auto conv = kernel::WinogradConvOp::create(
        builder, op.getLoc(), TypeRange(init.getType()), patches, filter,
        operands, init, op.getEpilogueMaps(), kernel::TileAttr());
    IRMapping mapping;
    op.getEpilogue().cloneInto(&conv.getEpilogue(), mapping);
    return conv->getResult(0);
  }

  Machine machine;
};

} // namespace

OpFoldResult ToWinograd::Band::outputRows(OpBuilder &builder, Location loc,
                                          OpFoldResult outputRow) const {
  std::optional<int64_t> all = getConstantIntValue(height);
  std::optional<int64_t> each = getConstantIntValue(patches[1]);
  if (all && each && *all % (2 * *each) == 0)
    return builder.getIndexAttr(2 * *each);
  auto index = [&](OpFoldResult size) {
    return getValueOrCreateConstantIndexOp(builder, loc, size);
  };
  Value twice = builder.createOrFold<arith::AddIOp>(loc, index(patches[1]),
                                                    index(patches[1]));
  Value left =
      builder.createOrFold<arith::SubIOp>(loc, index(height), index(outputRow));
  return builder.createOrFold<arith::MinSIOp>(loc, twice, left);
}

/// As many rows of patches as fit into the second cache twice: what one kernel
/// writes the next one reads from near.
ToWinograd::Band ToWinograd::bandOf(OpBuilder &builder,
                                    kernel::ConvOp op) const {
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, op.getInit());
  auto index = [&](OpFoldResult size) {
    return getValueOrCreateConstantIndexOp(builder, loc, size);
  };
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  // Half of a size, rounded up.
  auto half = [&](OpFoldResult size) -> OpFoldResult {
    if (std::optional<int64_t> known = getConstantIntValue(size))
      return builder.getIndexAttr(llvm::divideCeil(*known, 2));
    Value rounded = builder.createOrFold<arith::AddIOp>(loc, cast<Value>(size),
                                                        constant(1));
    return builder.createOrFold<arith::ShRUIOp>(loc, rounded, constant(1));
  };
  int64_t channels =
      cast<RankedTensorType>(op.getFilter().getType()).getDimSize(3);
  int64_t patchFloats = points * channels + kernel::WinogradInputOp::gap;
  Band band{half(sizes[1]), sizes[1], {}};
  band.patches = {sizes[0], band.rows, half(sizes[2]),
                  builder.getIndexAttr(patchFloats)};

  int64_t bandPatches = std::max<int64_t>(
      1, 2 * machine.cacheBytes /
             (patchFloats * static_cast<int64_t>(sizeof(float))));
  std::optional<int64_t> rows = getConstantIntValue(band.rows);
  std::optional<int64_t> images = getConstantIntValue(sizes[0]);
  std::optional<int64_t> columns = getConstantIntValue(band.patches[2]);
  if (rows && images && columns) {
    int64_t perRow = std::max<int64_t>(1, *images * *columns);
    // What is a little too large is not worth a loop.
    if (*rows * perRow <= bandPatches + bandPatches / 2)
      return band;
    int64_t most = std::max<int64_t>(1, bandPatches / perRow);
    // The last band is computed whole: take the height that wastes least.
    int64_t best = most;
    auto waste = [&](int64_t each) {
      return llvm::divideCeil(*rows, each) * each - *rows;
    };
    for (int64_t each = most; each > most / 2; --each)
      if (waste(each) < waste(best))
        best = each;
    band.patches[1] = builder.getIndexAttr(best);
    return band;
  }
  Value perRow = builder.createOrFold<arith::MulIOp>(loc, index(sizes[0]),
                                                     index(band.patches[2]));
  perRow = builder.createOrFold<arith::MaxSIOp>(loc, perRow, constant(1));
  Value each =
      builder.createOrFold<arith::DivSIOp>(loc, constant(bandPatches), perRow);
  each = builder.createOrFold<arith::MaxSIOp>(loc, each, constant(1));
  // No more than there are.
  Value all =
      builder.createOrFold<arith::MaxSIOp>(loc, index(band.rows), constant(1));
  band.patches[1] = builder.createOrFold<arith::MinSIOp>(loc, each, all);
  return band;
}

namespace {

struct WinogradConvolutionsPass
    : onnxc::impl::WinogradConvolutionsBase<WinogradConvolutionsPass> {
  using WinogradConvolutionsBase::WinogradConvolutionsBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ToWinograd>(
        &getContext(),
        Machine{std::max<int64_t>(1, vectorBits / 32), cacheBytes});
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
