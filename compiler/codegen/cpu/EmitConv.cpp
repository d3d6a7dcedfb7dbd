//===- EmitConv.cpp - kernel.conv as register tiles -----------------------===//
//
// The micro-kernel of the matrix product, its rows being output pixels and its
// reduction running over the taps.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/DeepReduction.h"
#include "compiler/codegen/cpu/Epilogue.h"
#include "compiler/codegen/cpu/IntegerTile.h"
#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/MicroKernel.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

#include <optional>

using namespace mlir;
using namespace onnxc;

namespace {
/// What the rows of a register tile are.
enum class Pixels {
  Flat,    ///< all pixels of all images, one after the other (1x1, stride 1)
  List,    ///< all pixels of one image, each with its own place in the input
  Row,     ///< pixels of one output row
  ManyRows ///< several short output rows
};

/// How one convolution divides.
struct ConvPlan {
  ConvPlan(Code &code, kernel::ConvOp op, ArrayRef<BufferView> operands,
           const Target &target);

  const BufferView &input, &filter, &output;
  Index channels; ///< output channels of a group
  TileSize tile;
  int64_t lanes;
  Pixels pixels;
  int64_t imageRows; ///< output rows in a tile of Pixels::ManyRows
  RowTiling rowTiling;
  ColumnTiling columnTiling;
  DeepReduction passes;
  Index columnGroups;
  int64_t blockSize; ///< of tiles; with Pixels::Row of output rows
  Index blocks, images;

  Index tap(int64_t i) const { return filter.sizes[filter.rank() - 4 + i]; }
  Index units(Code &code) const {
    return code.multiply(
        code.multiply(code.multiply(filter.sizes[0], images), blocks),
        columnGroups);
  }
  /// Columns of a unit.
  int64_t unitColumns() const { return passes.blocks * tile.vectors * lanes; }
};
} // namespace

static Epilogue makeEpilogue(kernel::ConvOp op, ArrayRef<BufferView> operands,
                             ArrayRef<Value> scalars) {
  size_t count = op.getEpilogueOperands().size();
  return Epilogue(
      op.getEpilogueBlock(), op.getEpilogueMaps(), operands.slice(2, count),
      scalars.empty() ? scalars : scalars.slice(2, count), operands.back());
}

static TileSize pickTile(kernel::ConvOp op, const Target &target,
                         Index channels) {
  TileSize wanted = {0, 0};
  if (auto tile = op.getTile())
    wanted = {tile->getRows(), tile->getVectors()};
  return fitTile(wanted, target, op.getPacked(), channels);
}

static Pixels classify(kernel::ConvOp op, ArrayRef<BufferView> operands,
                       int64_t tileRows) {
  const BufferView &filter = operands[1], &output = operands.back();
  int64_t taps = filter.rank() - 4;
  SmallVector<bool> contiguous;
  for (Value operand : op.getEpilogueOperands())
    contiguous.push_back(isContiguous(operand));
  bool joins = isContiguous(op.getInit()) &&
               makeEpilogue(op, operands, {}).rowsFlatten(contiguous);
  if (joins && isContiguous(op.getInput()) &&
      Code::isKnown(filter.sizes[taps], 1) &&
      Code::isKnown(filter.sizes[taps + 1], 1) && op.getStrides()[0] == 1 &&
      op.getStrides()[1] == 1)
    return Pixels::Flat;
  auto width = Code::known(output.sizes[2]),
       height = Code::known(output.sizes[1]);
  if (!width || *width == 0)
    return Pixels::Row;
  if (*width * 2 <= tileRows)
    return Pixels::ManyRows;
  // A list pays where the tiles of a row would be small, and is then short.
  int64_t ofRow = llvm::divideCeil(*width, llvm::divideCeil(*width, tileRows));
  bool isSmall = ofRow * 3 <= tileRows * 2;
  return joins && height && isSmall ? Pixels::List : Pixels::Row;
}

static Index tiledSize(Code &code, const BufferView &output, Pixels pixels) {
  if (pixels == Pixels::Flat)
    return code.multiply(code.multiply(output.sizes[0], output.sizes[1]),
                         output.sizes[2]);
  if (pixels == Pixels::List)
    return code.multiply(output.sizes[1], output.sizes[2]);
  return output.sizes[pixels == Pixels::Row ? 2 : 1];
}

/// The loops of the reduction: taps, then channels.
static SmallVector<ReductionLoop> reductionLoops(Code &code, kernel::ConvOp op,
                                                 const BufferView &input,
                                                 const BufferView &filter) {
  int64_t taps = filter.rank() - 4;
  return joinLoops(
      code,
      {{filter.sizes[taps],
        code.multiply(input.strides[1], op.getDilations()[0]),
        filter.strides[taps]},
       {filter.sizes[taps + 1],
        code.multiply(input.strides[2], op.getDilations()[1]),
        filter.strides[taps + 1]},
       {filter.sizes[taps + 2], input.strides[3], filter.strides[taps + 2]}});
}

static DeepReduction pickPasses(Code &code, kernel::ConvOp op,
                                const ConvPlan &plan, const Target &target) {
  if (!op.getPacked() ||
      isIntegerContraction(plan.input.elementType, plan.filter.elementType) ||
      (plan.pixels != Pixels::Flat && plan.pixels != Pixels::List))
    return {};
  Index depth =
      code.multiply(code.multiply(plan.tap(0), plan.tap(1)), plan.tap(2));
  return planPasses(
      target, plan.tile, tiledSize(code, plan.output, plan.pixels), depth,
      reductionLoops(code, op, plan.input, plan.filter).back().count,
      plan.columnTiling.blocks);
}

ConvPlan::ConvPlan(Code &code, kernel::ConvOp op, ArrayRef<BufferView> operands,
                   const Target &target)
    : input(operands[0]), filter(operands[1]), output(operands.back()),
      channels(code.divide(output.sizes[3], filter.sizes[0])),
      tile(pickTile(op, target, channels)), lanes(target.f32Lanes()),
      pixels(classify(op, operands, tile.rows)),
      imageRows(pixels == Pixels::ManyRows
                    ? tile.rows / *Code::known(output.sizes[2])
                    : 1),
      rowTiling(code, tiledSize(code, output, pixels),
                pixels == Pixels::ManyRows ? imageRows : tile.rows),
      columnTiling(code, channels, tile.vectors, lanes),
      passes(pickPasses(code, op, *this, target)),
      columnGroups(code.ceilDivide(columnTiling.blocks, passes.blocks)) {
  constexpr int64_t bytes = sizeof(float);
  images = pixels == Pixels::Flat ? code.constant(1) : output.sizes[0];
  int64_t inputChannels = Code::known(input.sizes[3]).value_or(typicalSize);
  if (pixels == Pixels::Row) {
    int64_t width = Code::known(input.sizes[2]).value_or(160);
    int64_t rowBytes = width * inputChannels * bytes * op.getStrides()[0];
    int64_t outputWidth = Code::known(output.sizes[2]).value_or(160);
    blockSize = std::clamp<int64_t>(
        target.l2Bytes / 2 / std::max<int64_t>(rowBytes, 1), 1,
        std::max<int64_t>(1, 1024 / std::max<int64_t>(outputWidth, 1)));
    blocks = code.ceilDivide(output.sizes[1], blockSize);
    return;
  }
  int64_t tileBytes =
      tile.rows * bytes *
      (passes ? passes.passDepth
              : inputChannels * op.getStrides()[0] * op.getStrides()[1]);
  blockSize = passes.tilesPerUnit(
      tilesPerUnit(target, rowTiling.tiles, tileBytes), tile, lanes);
  blocks = code.ceilDivide(rowTiling.tiles, blockSize);
}

ParallelExtent onnxc::convExtent(Code &code, kernel::ConvOp op,
                                 ArrayRef<BufferView> operands,
                                 const Target &target) {
  ConvPlan plan(code, op, operands, target);
  int64_t cost = 2 * plan.unitColumns() * plan.blockSize;
  cost *= plan.pixels == Pixels::Row
              ? Code::known(plan.output.sizes[2]).value_or(typicalSize)
              : plan.tile.rows;
  for (int64_t i = 0; i < 3; ++i)
    cost *= Code::known(plan.tap(i)).value_or(i == 2 ? typicalSize : 1);
  return {plan.units(code), cost};
}

namespace {
/// Writes the units of one convolution.
class ConvWriter {
public:
  ConvWriter(Code &code, kernel::ConvOp op, KernelBody &body,
             const Epilogue &epilogue);

  void writeUnit(Index unit);

private:
  /// What a unit works on.
  struct Block {
    Value input, filter; ///< of image and group, at column 0 of the group
    Index image, firstChannel;
    Index first, last; ///< tiles; with Pixels::Row output rows
  };
  /// A run of output pixels.
  struct Run {
    Index row, column; ///< of the first one; of lists: 0 and its number
    int64_t pixels;
    Index number; ///< counts the runs of a block
  };
  using RunBody = llvm::function_ref<void(const Run &, const ColumnBlock &)>;

  void atOnce(const Block &block, Index columnBlock);
  void inPasses(const Block &block, Index firstColumnBlock);

  void eachRun(const Block &block, Index columnBlock, RunBody body);
  ContractionTile tileAt(const Block &block, const Run &run, Index columnBlock,
                         const ColumnBlock &columns);
  void store(const Block &block, const Run &run, Index columnBlock,
             const ColumnBlock &columns, ArrayRef<Value> sums);
  /// Output pixels of a row of `run`.
  int64_t width(const Run &run) const {
    return plan.pixels == Pixels::ManyRows ? *Code::known(plan.output.sizes[2])
                                           : run.pixels;
  }
  void fillPixelOffsets();

  Code &code;
  const Target &target;
  const Epilogue &epilogue;
  ConvPlan plan;
  bool packed, integers;
  WeightColumns weights;
  SmallVector<ReductionLoop> reduction;
  Index rowStep, pixelStep; ///< of the input, for one of the output
  Value pixelOffsets;       ///< with Pixels::List: i64, one for each pixel
  std::optional<WaitingSums> waiting;
};
} // namespace

ConvWriter::ConvWriter(Code &code, kernel::ConvOp op, KernelBody &body,
                       const Epilogue &epilogue)
    : code(code), target(body.target), epilogue(epilogue),
      plan(code, op, body.operands, body.target), packed(op.getPacked()),
      integers(isIntegerContraction(plan.input.elementType,
                                    plan.filter.elementType)),
      weights{packed,
              packed ? plan.filter.strides[1] : Index(),
              plan.filter.strides.back(),
              plan.tile.vectors,
              plan.lanes,
              op.getPaired()},
      reduction(reductionLoops(code, op, plan.input, plan.filter)),
      rowStep(code.multiply(plan.input.strides[1], op.getStrides()[0])),
      pixelStep(code.multiply(plan.input.strides[2], op.getStrides()[1])) {
  if (plan.pixels == Pixels::List)
    fillPixelOffsets();
  if (plan.passes)
    waiting.emplace(code, plan.blockSize * plan.tile.rows, plan.unitColumns(),
                    plan.lanes);
}

void ConvWriter::fillPixelOffsets() {
  Type word = code.builder.getI64Type();
  Index zero = code.constant(0);
  Index height = plan.output.sizes[1], width = plan.output.sizes[2];
  pixelOffsets =
      code.stackMemory(word, *Code::known(height) * *Code::known(width));
  code.loop(zero, height, 1, [&](Index row) {
    code.loop(zero, width, 1, [&](Index column) {
      Index offset = code.add(code.multiply(row, rowStep),
                              code.multiply(column, pixelStep));
      code.storeScalar(arith::IndexCastOp::create(code.builder, code.loc, word,
                                                  code.value(offset)),
                       pixelOffsets, word,
                       code.add(code.multiply(row, width), column));
    });
  });
}

void ConvWriter::eachRun(const Block &block, Index columnBlock, RunBody body) {
  Index zero = code.constant(0);
  plan.columnTiling.emit(code, columnBlock, [&](const ColumnBlock &columns) {
    switch (plan.pixels) {
    case Pixels::Flat:
    case Pixels::List:
      plan.rowTiling.emit(
          code, block.first, block.last,
          [&](Index start, int64_t rows) {
            body({zero, start, rows, code.divide(start, plan.tile.rows)},
                 columns);
          },
          // In passes a tile is little code: it has no epilogue.
          plan.passes ? RowTiling::Tail::OneTile
                      : RowTiling::Tail::PowersOfTwo);
      break;
    case Pixels::Row:
      code.loop(block.first, block.last, 1, [&](Index row) {
        plan.rowTiling.emit(code, [&](Index start, int64_t rows) {
          body({row, start, rows, row}, columns);
        });
      });
      break;
    case Pixels::ManyRows:
      plan.rowTiling.emit(
          code, block.first, block.last, [&](Index start, int64_t rows) {
            body({start, zero, rows * *Code::known(plan.output.sizes[2]),
                  code.divide(start, plan.imageRows)},
                 columns);
          });
      break;
    }
  });
}

ContractionTile ConvWriter::tileAt(const Block &block, const Run &run,
                                   Index columnBlock,
                                   const ColumnBlock &columns) {
  ContractionTile tile;
  tile.lhsElement = plan.input.elementType;
  if (plan.pixels == Pixels::List) {
    tile.lhs = block.input;
    Type word = code.builder.getI64Type();
    for (int64_t r = 0; r < run.pixels; ++r) {
      Value offset = code.loadScalar(pixelOffsets, word,
                                     code.add(run.column, code.constant(r)));
      tile.lhsRows.push_back(
          arith::IndexCastOp::create(code.builder, code.loc,
                                     code.builder.getIndexType(), offset)
              .getResult());
    }
  } else {
    tile.lhs = code.address(block.input, plan.input.elementType,
                            code.add(code.multiply(run.row, rowStep),
                                     code.multiply(run.column, pixelStep)));
    for (int64_t r = 0; r < run.pixels; ++r)
      tile.lhsRows.push_back(
          code.add(code.multiply(rowStep, r / width(run)),
                   code.multiply(pixelStep, r % width(run))));
  }
  tile.rhs = code.address(block.filter, plan.filter.elementType,
                          weights.block(code, columnBlock));
  tile.rhsColumnStride = plan.filter.strides.back();
  tile.rhsElement = plan.filter.elementType;
  for (int64_t j = 0; j < columns.vectors(); ++j)
    tile.rhsVectors.push_back(weights.vector(code, j));
  if (packed)
    tile.rhsMasks.assign(columns.vectors(), Value());
  else
    tile.rhsMasks = columns.masks;
  tile.rhsPaired = weights.paired;
  tile.prefetchDistance = weights.prefetchDistance(code, run.number);
  return tile;
}

void ConvWriter::store(const Block &block, const Run &run, Index columnBlock,
                       const ColumnBlock &columns, ArrayRef<Value> sums) {
  SmallVector<RowSteps> steps;
  for (int64_t r = 0; r < run.pixels; ++r)
    steps.push_back({Step{1, r / width(run)}, Step{2, r % width(run)}});
  Index channel =
      code.add(block.firstChannel,
               code.multiply(columnBlock, plan.tile.vectors * plan.lanes));
  epilogue.store(code, {block.image, run.row, run.column, channel}, steps, sums,
                 columns.masks, plan.lanes);
}

void ConvWriter::atOnce(const Block &block, Index columnBlock) {
  eachRun(block, columnBlock, [&](const Run &run, const ColumnBlock &columns) {
    ContractionTile tile = tileAt(block, run, columnBlock, columns);
    tile.halfLast = packed && columns.halfLast && !integers;
    SmallVector<Value> sums =
        integers
            ? emitIntegerContraction(code, tile, reduction, plan.lanes, target)
            : emitContraction(code, tile, reduction, plan.lanes);
    store(block, run, columnBlock, columns, sums);
  });
}

void ConvWriter::inPasses(const Block &block, Index firstColumnBlock) {
  Index zero = code.constant(0);
  Index firstPixel = plan.rowTiling.start(code, block.first);
  Index pixels =
      code.subtract(plan.rowTiling.start(code, block.last), firstPixel);
  if (!Code::known(plan.rowTiling.tiles))
    pixels = code.minimum(
        pixels,
        code.subtract(tiledSize(code, plan.output, plan.pixels), firstPixel));
  Index columnBlocks =
      code.minimum(code.constant(plan.passes.blocks),
                   code.subtract(plan.columnTiling.blocks, firstColumnBlock));
  auto eachColumnBlock = [&](llvm::function_ref<void(Index, Index)> body) {
    code.loop(zero, columnBlocks, 1, [&](Index number) {
      body(code.add(firstColumnBlock, number),
           code.multiply(number, plan.tile.vectors * plan.lanes));
    });
  };
  waiting->clear(pixels);
  eachPass(
      code, reduction, plan.passes.passDepth, [&](const ReductionPass &pass) {
        Block here = block;
        here.input =
            code.address(block.input, plan.input.elementType, pass.lhsOffset);
        here.filter =
            code.address(block.filter, plan.filter.elementType, pass.rhsOffset);
        eachColumnBlock([&](Index columnBlock, Index column) {
          eachRun(here, columnBlock,
                  [&](const Run &run, const ColumnBlock &columns) {
                    Index place = code.subtract(run.column, firstPixel);
                    SmallVector<Value> sums = emitContraction(
                        code, tileAt(here, run, columnBlock, columns),
                        pass.loop, plan.lanes,
                        waiting->load(place, column, run.pixels,
                                      columns.vectors()));
                    waiting->store(place, column, columns.vectors(), sums);
                  });
        });
      });
  code.loop(zero, pixels, 1, [&](Index pixel) {
    eachColumnBlock([&](Index columnBlock, Index column) {
      plan.columnTiling.emit(
          code, columnBlock, [&](const ColumnBlock &columns) {
            store(block, {zero, code.add(firstPixel, pixel), 1, zero},
                  columnBlock, columns,
                  waiting->load(pixel, column, 1, columns.vectors()));
          });
    });
  });
}

void ConvWriter::writeUnit(Index unit) {
  Index columnGroup = code.remainder(unit, plan.columnGroups);
  Index rest = code.divide(unit, plan.columnGroups);
  Index number = code.remainder(rest, plan.blocks);
  rest = code.divide(rest, plan.blocks);
  Index image = code.remainder(rest, plan.images);
  Index group = Code::isKnown(plan.filter.sizes[0], 1)
                    ? code.constant(0)
                    : code.divide(rest, plan.images);

  Block block;
  block.image = image;
  block.firstChannel = code.multiply(group, plan.channels);
  block.input = code.address(
      plan.input.pointer, plan.input.elementType,
      code.add(code.multiply(image, plan.input.strides[0]),
               code.multiply(
                   group, code.multiply(plan.tap(2), plan.input.strides[3]))));
  block.filter = code.address(plan.filter.pointer, plan.filter.elementType,
                              code.multiply(group, plan.filter.strides[0]));
  Index limit =
      plan.pixels == Pixels::Row ? plan.output.sizes[1] : plan.rowTiling.tiles;
  block.first = code.multiply(number, plan.blockSize);
  block.last =
      code.minimum(code.add(block.first, code.constant(plan.blockSize)), limit);
  if (plan.passes)
    inPasses(block, code.multiply(columnGroup, plan.passes.blocks));
  else
    atOnce(block, columnGroup);
}

LogicalResult onnxc::emitConv(kernel::ConvOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  Epilogue epilogue = makeEpilogue(op, body.operands, body.scalars);
  std::string reason;
  if (failed(epilogue.check(reason)))
    return op.emitOpError() << reason;
  Type input = body.operands[0].elementType,
       filter = body.operands[1].elementType;
  if (!isIntegerContraction(input, filter) &&
      (!isa<FloatType>(input) || !isa<FloatType>(filter)))
    return op.emitOpError("operands must be of floating point, or signed "
                          "integers of 8 or 16 bits");
  ConvWriter writer(code, op, body, epilogue);
  code.loop(body.begin, body.end, 1,
            [&](Index unit) { writer.writeUnit(unit); });
  return success();
}
