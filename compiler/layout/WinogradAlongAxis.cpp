//===- WinogradAlongAxis.cpp - Convolutions along one axis by points ------===//

#include "compiler/codegen/cpu/Target.h"
#include "compiler/layout/Passes.h"
#include "compiler/layout/WinogradPoints.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

namespace onnxc {
#define GEN_PASS_DEF_WINOGRADALONGAXIS
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// Outputs along a dim where they are not known. Signals can be longer, but in
/// parts that come one by one they are short.
static constexpr int64_t typicalSize = 64;

namespace {

/// What the choice depends on.
struct Shape {
  int64_t lines;  ///< filtered one by one: images and the other dim
  int64_t length; ///< of the output, along the axis
  int64_t inputChannels, outputChannels;
};

} // namespace

/// Whether points take fewer cycles than taps: two multiply-adds a cycle, and
/// what has to come from the caches or memory.
static bool isFaster(const LineMethod &method, const Shape &shape,
                     int64_t lanes) {
  double inputVectors = llvm::divideCeil(shape.inputChannels, lanes);
  double outputVectors = llvm::divideCeil(shape.outputChannels, lanes);
  double tiles = static_cast<double>(shape.lines) *
                 llvm::divideCeil(shape.length, method.outputs());
  double points = method.points(), taps = method.taps();
  constexpr double filterBytesPerCycle = 2, productBytesPerCycle = 16;
  double tapBytes = 4.0 * shape.inputChannels * shape.outputChannels;
  double direct = taps / 2 * shape.lines * shape.length * shape.inputChannels *
                      outputVectors +
                  taps * tapBytes / filterBytesPerCycle;
  double byPoints =
      points / 2 * tiles * shape.inputChannels * outputVectors +
      // Each transform loads, adds and stores.
      3 * points * tiles * (inputVectors + outputVectors) +
      // What is multiplied and the products are written, then read.
      2 * points * 4 * tiles * (shape.inputChannels + shape.outputChannels) /
          productBytesPerCycle +
      (points + 2 * method.sums()) * tapBytes / filterBytesPerCycle;
  return byPoints < 0.9 * direct;
}

/// The sum of `values`, each times its factor.
static Value combine(OpBuilder &builder, Location loc, ArrayRef<double> factors,
                     ValueRange values) {
  Value sum;
  for (auto [factor, value] : llvm::zip_equal(factors, values)) {
    if (factor == 0)
      continue;
    assert((factor == 1 || factor == -1) && "a transform of data scales");
    if (!sum)
      sum = factor == 1 ? value
                        : Value(arith::NegFOp::create(builder, loc, value));
    else if (factor == 1)
      sum = arith::AddFOp::create(builder, loc, sum, value);
    else
      sum = arith::SubFOp::create(builder, loc, sum, value);
  }
  return sum;
}

namespace {

/// Sizes that may be known when compiling.
struct Sizes {
  OpBuilder &builder;
  Location loc;

  OpFoldResult constant(int64_t value) const {
    return builder.getIndexAttr(value);
  }
  Value index(OpFoldResult size) const {
    return getValueOrCreateConstantIndexOp(builder, loc, size);
  }
  OpFoldResult add(OpFoldResult size, int64_t more) const {
    if (std::optional<int64_t> known = getConstantIntValue(size))
      return constant(*known + more);
    return builder.createOrFold<arith::AddIOp>(loc, index(size),
                                               index(constant(more)));
  }
  OpFoldResult multiply(OpFoldResult size, int64_t times) const {
    if (std::optional<int64_t> known = getConstantIntValue(size))
      return constant(*known * times);
    return builder.createOrFold<arith::MulIOp>(loc, index(size),
                                               index(constant(times)));
  }
  OpFoldResult divideCeil(OpFoldResult size, int64_t by) const {
    if (std::optional<int64_t> known = getConstantIntValue(size))
      return constant(llvm::divideCeil(*known, by));
    return builder.createOrFold<arith::DivUIOp>(loc, index(add(size, by - 1)),
                                                index(constant(by)));
  }
};

/// One convolution on its way to points. Tensors have the dims
/// [N, H, W, C], with tiles in the place of positions along `axis`.
class Rewrite {
public:
  Rewrite(OpBuilder &builder, kernel::ConvOp op, const LineMethod &method,
          int64_t axis)
      : builder(builder), op(op), loc(op.getLoc()), method(method), axis(axis),
        sizes{builder, op.getLoc()},
        output(tensor::getMixedSizes(builder, loc, op.getInit())) {
    tiles = output;
    tiles[axis] = sizes.divideCeil(output[axis], method.outputs());
  }

  Value run(kernel::WeightOp filter) {
    SmallVector<Value> points = transformInput();
    SmallVector<Value> products;
    size_t next = 0;
    method.forEachPoint([&](int64_t row, int64_t column) {
      products.push_back(
          multiply(points[next++], pointFilter(filter, row, column)));
    });
    return transformOutput(products);
  }

private:
  Type elementType() const { return builder.getF32Type(); }

  /// [N, H, W, C] with the axis cut into tiles: [.., tiles, outputs, ..].
  SmallVector<ReassociationIndices> cut() const {
    SmallVector<ReassociationIndices> groups;
    for (int64_t dim = 0, next = 0; dim < 4; ++dim) {
      groups.push_back({next++});
      if (dim == axis)
        groups.back().push_back(next++);
    }
    return groups;
  }
  /// Positions `place` of all tiles from `first` on, of the cut tensor.
  void positions(int64_t first, int64_t place, OpFoldResult channels,
                 SmallVector<OpFoldResult> &offsets,
                 SmallVector<OpFoldResult> &extents) const {
    offsets.assign(5, sizes.constant(0));
    offsets[axis] = sizes.constant(first);
    offsets[axis + 1] = sizes.constant(place);
    extents = tiles;
    extents.back() = channels;
    extents.insert(extents.begin() + axis + 1, sizes.constant(1));
  }

  /// The input with whole tiles, cut; zeros are behind its end.
  Value cutInput() {
    Value source = op.getInput();
    auto pads = builder.getDenseI64ArrayAttr({0, 0});
    SmallVector<OpFoldResult> padded =
        tensor::getMixedSizes(builder, loc, source);
    // A tile's samples reach into the next ones.
    int64_t reach = llvm::divideCeil(method.samples(), method.outputs()) - 1;
    OpFoldResult count = sizes.add(tiles[axis], reach);
    OpFoldResult length = sizes.multiply(count, method.outputs());
    if (!isEqualConstantIntOrValue(length, padded[axis])) {
      if (auto pad = source.getDefiningOp<kernel::PadOp>()) {
        source = pad.getInput();
        pads = pad.getPadsAttr();
      }
      padded[axis] = length;
      Value init = tensor::EmptyOp::create(builder, loc, padded, elementType());
      source = kernel::PadOp::create(builder, loc, TypeRange(init.getType()),
                                     source, init, pads)
                   ->getResult(0);
    }
    SmallVector<OpFoldResult> extents = padded;
    extents[axis] = count;
    extents.insert(extents.begin() + axis + 1,
                   sizes.constant(method.outputs()));
    auto [shape, dynamic] = decomposeMixedValues(extents);
    return tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(shape, elementType()), source,
        cut(), extents);
  }

  /// Of each point what its filter multiplies.
  SmallVector<Value> transformInput() {
    Value input = cutInput();
    auto type = cast<RankedTensorType>(op.getInput().getType());
    OpFoldResult channels = sizes.constant(type.getDimSize(3));
    SmallVector<OpFoldResult> each = tiles;
    each.back() = channels;
    SmallVector<int64_t> shape = decomposeMixedValues(each).first;
    auto eachType = RankedTensorType::get(shape, elementType());

    SmallVector<Value> samples, inits;
    for (int64_t sample = 0; sample < method.samples(); ++sample) {
      SmallVector<OpFoldResult> offsets, extents;
      positions(sample / method.outputs(), sample % method.outputs(), channels,
                offsets, extents);
      SmallVector<OpFoldResult> strides(5, sizes.constant(1));
      samples.push_back(tensor::ExtractSliceOp::create(
          builder, loc, eachType, input, offsets, extents, strides));
    }
    for (int64_t point = 0; point < method.points(); ++point)
      inits.push_back(
          tensor::EmptyOp::create(builder, loc, each, elementType()));
    auto body = [&](OpBuilder &inner, Location, ValueRange values) {
      SmallVector<Value> results;
      method.forEachPoint([&](int64_t row, int64_t column) {
        SmallVector<Value> rows;
        for (int64_t r = 0; r < method.rows().samples(); ++r) {
          SmallVector<Value> line;
          SmallVector<double> factors;
          for (int64_t c = 0; c < method.columns().samples(); ++c)
            if (int64_t sample = method.sample(r, c);
                sample < method.samples()) {
              line.push_back(values[sample]);
              factors.push_back(method.columns().input[column][c]);
            }
          rows.push_back(combine(inner, loc, factors, line));
        }
        results.push_back(combine(inner, loc, method.rows().input[row], rows));
      });
      linalg::YieldOp::create(inner, loc, results);
    };
    return elementwise(samples, inits, {}, body)->getResults();
  }

  /// A loop over tiles and channels; `operandMaps` are of the last operands,
  /// all others are read and written in place.
  linalg::GenericOp elementwise(
      ValueRange operands, ValueRange inits, ArrayRef<AffineMap> operandMaps,
      llvm::function_ref<void(OpBuilder &, Location, ValueRange)> body) {
    SmallVector<AffineMap> maps(operands.size() - operandMaps.size(),
                                builder.getMultiDimIdentityMap(4));
    llvm::append_range(maps, operandMaps);
    maps.append(inits.size(), builder.getMultiDimIdentityMap(4));
    SmallVector<utils::IteratorType> loops(4, utils::IteratorType::parallel);
    return linalg::GenericOp::create(builder, loc, TypeRange(inits), operands,
                                     inits, maps, loops, body);
  }

  /// The filter of a point, in panels.
  Value pointFilter(kernel::WeightOp filter, int64_t row, int64_t column) {
    if (method.isSum(column)) {
      if (!method.counts(row, 2))
        return pointFilter(filter, row, 0);
      Value first = pointFilter(filter, row, 0);
      Value second = pointFilter(filter, row, 2);
      auto type = cast<RankedTensorType>(first.getType());
      Value init =
          tensor::EmptyOp::create(builder, loc, type.getShape(), elementType());
      SmallVector<AffineMap> maps(3, builder.getMultiDimIdentityMap(3));
      SmallVector<utils::IteratorType> loops(3, utils::IteratorType::parallel);
      return linalg::GenericOp::create(
                 builder, loc, TypeRange(type), ValueRange{first, second},
                 ValueRange(init), maps, loops,
                 [&](OpBuilder &inner, Location, ValueRange values) {
                   Value sum =
                       arith::AddFOp::create(inner, loc, values[0], values[1]);
                   linalg::YieldOp::create(inner, loc, sum);
                 })
          .getResult(0);
    }
    auto type = cast<RankedTensorType>(filter.getType());
    int64_t panels = llvm::divideCeil(type.getDimSize(4), panelWidth);
    return kernel::WeightOp::create(
        builder, filter.getLoc(),
        RankedTensorType::get({panels, type.getDimSize(3), panelWidth},
                              elementType()),
        filter.getValue(), filter.getExpandedShapeAttr(),
        filter.getPermutationAttr(),
        builder.getDenseF64ArrayAttr(method.pointFilter(row, column)),
        builder.getI64IntegerAttr(panelWidth), builder.getI64IntegerAttr(0),
        /*paired=*/nullptr, IntegerAttr());
  }

  Value multiply(Value point, Value filter) {
    Value init = tensor::EmptyOp::create(builder, loc, tiles, elementType());
    auto product = kernel::MatmulOp::create(
        builder, loc, TypeRange(init.getType()), point, filter, ValueRange(),
        init, builder.getAffineMapArrayAttr({}), /*packed=*/true,
        /*paired=*/false, kernel::TileAttr());
    OpBuilder::InsertionGuard guard(builder);
    Block *block = builder.createBlock(&product.getEpilogue());
    Value sum = block->addArgument(elementType(), loc);
    kernel::YieldOp::create(builder, loc, sum);
    return product->getResult(0);
  }

  /// Outputs of the products, through the epilogue, without those behind the
  /// end.
  Value transformOutput(ValueRange products) {
    SmallVector<OpFoldResult> whole = tiles;
    whole.insert(whole.begin() + axis + 1, sizes.constant(method.outputs()));
    Value result = tensor::EmptyOp::create(builder, loc, whole, elementType());
    SmallVector<int64_t> shape = decomposeMixedValues(tiles).first;
    auto eachType = RankedTensorType::get(shape, elementType());
    SmallVector<OpFoldResult> strides(5, sizes.constant(1));
    SmallVector<SmallVector<OpFoldResult>> places(method.outputs());
    SmallVector<OpFoldResult> extents;
    SmallVector<Value> inits;
    for (int64_t place = 0; place < method.outputs(); ++place) {
      positions(0, place, tiles.back(), places[place], extents);
      inits.push_back(tensor::ExtractSliceOp::create(
          builder, loc, eachType, result, places[place], extents, strides));
    }
    SmallVector<Value> operands(products);
    llvm::append_range(operands, op.getEpilogueOperands());
    SmallVector<AffineMap> maps(
        op.getEpilogueMaps().getAsValueRange<AffineMapAttr>());
    auto body = [&](OpBuilder &inner, Location, ValueRange values) {
      linalg::YieldOp::create(inner, loc, outputs(inner, values));
    };
    linalg::GenericOp transform = elementwise(operands, inits, maps, body);
    for (auto [place, part] : llvm::enumerate(transform->getResults()))
      result = tensor::InsertSliceOp::create(builder, loc, part, result,
                                             places[place], extents, strides);
    Value joined = tensor::CollapseShapeOp::create(builder, loc, result, cut());
    if (isEqualConstantIntOrValue(
            output[axis], sizes.multiply(tiles[axis], method.outputs())))
      return joined;
    SmallVector<OpFoldResult> offsets(4, sizes.constant(0));
    SmallVector<OpFoldResult> steps(4, sizes.constant(1));
    return tensor::ExtractSliceOp::create(
        builder, loc, cast<RankedTensorType>(op.getInit().getType()), joined,
        offsets, output, steps);
  }

  /// The outputs of one tile, from its products and the epilogue's operands.
  SmallVector<Value> outputs(OpBuilder &inner, ValueRange values) {
    DenseMap<std::pair<int64_t, int64_t>, Value> products;
    size_t next = 0;
    method.forEachPoint([&](int64_t row, int64_t column) {
      products[{row, column}] = values[next++];
    });
    ValueRange operands = values.slice(next, op.getEpilogueOperands().size());
    SmallVector<Value> results;
    for (int64_t r = 0; r < method.rows().outputs(); ++r)
      for (int64_t c = 0; c < method.columns().outputs(); ++c) {
        SmallVector<Value> terms;
        SmallVector<double> factors;
        for (int64_t row = 0; row < method.rows().points(); ++row) {
          SmallVector<Value> line;
          SmallVector<double> lineFactors;
          for (int64_t column = 0; column < method.columns().points(); ++column)
            if (Value product = products.lookup({row, column})) {
              line.push_back(product);
              lineFactors.push_back(method.columns().output[c][column]);
            }
          if (Value sum = combine(inner, loc, lineFactors, line)) {
            terms.push_back(sum);
            factors.push_back(method.rows().output[r][row]);
          }
        }
        results.push_back(
            epilogue(inner, combine(inner, loc, factors, terms), operands));
      }
    return results;
  }

  Value epilogue(OpBuilder &inner, Value sum, ValueRange operands) {
    Block &block = op.getEpilogue().front();
    IRMapping mapping;
    mapping.map(block.getArgument(0), sum);
    mapping.map(block.getArguments().drop_front(), operands);
    for (Operation &step : block.without_terminator())
      inner.clone(step, mapping);
    return mapping.lookupOrDefault(block.getTerminator()->getOperand(0));
  }

  OpBuilder &builder;
  kernel::ConvOp op;
  Location loc;
  const LineMethod &method;
  int64_t axis; ///< 1 or 2
  Sizes sizes;
  SmallVector<OpFoldResult> output, tiles;
};

struct AlongAxis : OpRewritePattern<kernel::ConvOp> {
  AlongAxis(MLIRContext *context, int64_t lanes)
      : OpRewritePattern(context), lanes(lanes) {}

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
    if (!input.getElementType().isF32() || !filter.getElementType().isF32() ||
        !init.getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "not of f32");
    if (filter.getDimSize(0) != 1)
      return rewriter.notifyMatchFailure(op, "in groups");
    int64_t axis = filter.getDimSize(2) == 1 ? 1 : 2;
    if (filter.getDimSize(3 - axis) != 1)
      return rewriter.notifyMatchFailure(op, "along two axes");
    int64_t taps = filter.getDimSize(axis);
    if (!LineMethod::exists(taps))
      return rewriter.notifyMatchFailure(op, "no method for so many taps");
    auto isOne = [](int64_t value) { return value == 1; };
    if (!llvm::all_of(op.getStrides(), isOne) ||
        op.getDilations()[axis - 1] != 1)
      return rewriter.notifyMatchFailure(op, "strided or dilated");
    if (llvm::any_of(op.getEpilogueMaps().getAsValueRange<AffineMapAttr>(),
                     [&](AffineMap map) { return map.isFunctionOfDim(axis); }))
      return rewriter.notifyMatchFailure(
          op, "the epilogue reads an operand along the axis");
    auto knownOr = [&](int64_t dim, int64_t typical) {
      return init.isDynamicDim(dim) ? typical : init.getDimSize(dim);
    };
    LineMethod method(taps);
    if (!isFaster(method,
                  {knownOr(0, 1) * knownOr(3 - axis, typicalSize),
                   knownOr(axis, typicalSize), filter.getDimSize(3),
                   filter.getDimSize(4)},
                  lanes))
      return rewriter.notifyMatchFailure(op, "direct is faster");
    rewriter.replaceOp(op, Rewrite(rewriter, op, method, axis).run(weight));
    return success();
  }

private:
  int64_t lanes; ///< f32 in a vector
};

struct WinogradAlongAxisPass
    : onnxc::impl::WinogradAlongAxisBase<WinogradAlongAxisPass> {
  using WinogradAlongAxisBase::WinogradAlongAxisBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<AlongAxis>(&getContext(),
                            std::max<int64_t>(1, vectorBits / 32));
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
