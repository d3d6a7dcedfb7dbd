//===- EmitConv.cpp - kernel.conv as register tiles -----------------------===//
//
// The micro-kernel of the matrix product, its rows being output pixels and its
// reduction running over the taps.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Epilogue.h"
#include "compiler/codegen/cpu/IntegerTile.h"
#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/MicroKernel.h"
#include "compiler/codegen/cpu/Target.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// What the rows of a register tile are.
enum class Pixels {
  Flat,    ///< all pixels of all images, one after the other (1x1, stride 1)
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
  int64_t blockSize; ///< of tiles; with Pixels::Row of output rows
  Index blocks, images;

  Index tap(int64_t i) const { return filter.sizes[filter.rank() - 4 + i]; }
  Index units(Code &code) const {
    return code.multiply(
        code.multiply(code.multiply(filter.sizes[0], images), blocks),
        columnTiling.blocks);
  }
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
  const BufferView &filter = operands[1];
  int64_t taps = filter.rank() - 4;
  SmallVector<bool> contiguous;
  for (Value operand : op.getEpilogueOperands())
    contiguous.push_back(isContiguous(operand));
  if (Code::isKnown(filter.sizes[taps], 1) &&
      Code::isKnown(filter.sizes[taps + 1], 1) && op.getStrides()[0] == 1 &&
      op.getStrides()[1] == 1 && isContiguous(op.getInput()) &&
      isContiguous(op.getInit()) &&
      makeEpilogue(op, operands, {}).rowsFlatten(contiguous))
    return Pixels::Flat;
  auto width = Code::known(operands.back().sizes[2]);
  return width && *width > 0 && *width * 2 <= tileRows ? Pixels::ManyRows
                                                       : Pixels::Row;
}

static Index tiledSize(Code &code, const BufferView &output, Pixels pixels) {
  if (pixels == Pixels::Flat)
    return code.multiply(code.multiply(output.sizes[0], output.sizes[1]),
                         output.sizes[2]);
  return output.sizes[pixels == Pixels::Row ? 2 : 1];
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
      columnTiling(code, channels, tile.vectors, lanes) {
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
  int64_t tileBytes = tile.rows * inputChannels * bytes * op.getStrides()[0] *
                      op.getStrides()[1];
  blockSize = tilesPerUnit(target, rowTiling.tiles, tileBytes);
  blocks = code.ceilDivide(rowTiling.tiles, blockSize);
}

ParallelExtent onnxc::convExtent(Code &code, kernel::ConvOp op,
                                 ArrayRef<BufferView> operands,
                                 const Target &target) {
  ConvPlan plan(code, op, operands, target);
  int64_t cost = 2 * plan.tile.vectors * plan.lanes * plan.blockSize;
  cost *= plan.pixels == Pixels::Row
              ? Code::known(plan.output.sizes[2]).value_or(typicalSize)
              : plan.tile.rows;
  for (int64_t i = 0; i < 3; ++i)
    cost *= Code::known(plan.tap(i)).value_or(i == 2 ? typicalSize : 1);
  return {plan.units(code), cost};
}

LogicalResult onnxc::emitConv(kernel::ConvOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  Epilogue epilogue = makeEpilogue(op, body.operands, body.scalars);
  std::string reason;
  if (failed(epilogue.check(reason)))
    return op.emitOpError() << reason;
  ConvPlan plan(code, op, body.operands, body.target);
  const BufferView &input = plan.input, &filter = plan.filter,
                   &output = plan.output;
  bool integers = isIntegerContraction(input.elementType, filter.elementType);
  if (!integers && (!isa<FloatType>(input.elementType) ||
                    !isa<FloatType>(filter.elementType)))
    return op.emitOpError("operands must be of floating point, or signed "
                          "integers of 8 or 16 bits");

  int64_t strideH = op.getStrides()[0], strideW = op.getStrides()[1];
  Index filterRow = filter.strides[filter.rank() - 4];
  SmallVector<ReductionLoop> reduction = joinLoops(
      code,
      {{plan.tap(0), code.multiply(input.strides[1], op.getDilations()[0]),
        filterRow},
       {plan.tap(1), code.multiply(input.strides[2], op.getDilations()[1]),
        filter.strides[filter.rank() - 3]},
       {plan.tap(2), input.strides[3], filter.strides[filter.rank() - 2]}});
  WeightColumns weights{op.getPacked(),
                        op.getPacked() ? filter.strides[1] : Index(),
                        filter.strides.back(), plan.tile.vectors, plan.lanes};
  Index rowStep = code.multiply(input.strides[1], strideH);
  Index pixelStep = code.multiply(input.strides[2], strideW);

  code.loop(body.begin, body.end, 1, [&](Index unit) {
    Index columnBlock = code.remainder(unit, plan.columnTiling.blocks);
    Index rest = code.divide(unit, plan.columnTiling.blocks);
    Index block = code.remainder(rest, plan.blocks);
    rest = code.divide(rest, plan.blocks);
    Index image = code.remainder(rest, plan.images);
    Index group = Code::isKnown(filter.sizes[0], 1)
                      ? code.constant(0)
                      : code.divide(rest, plan.images);

    Index inputOffset = code.add(
        code.multiply(image, input.strides[0]),
        code.multiply(group, code.multiply(plan.tap(2), input.strides[3])));
    Value inputImage =
        code.address(input.pointer, input.elementType, inputOffset);
    Value filterBlock =
        code.address(filter.pointer, filter.elementType,
                     code.add(code.multiply(group, filter.strides[0]),
                              weights.block(code, columnBlock)));
    Index channel =
        code.add(code.multiply(group, plan.channels),
                 code.multiply(columnBlock, plan.tile.vectors * plan.lanes));

    // One register tile: `pixels` of them from (row, column) on.
    auto emitTile = [&](const ColumnBlock &columns, Index row, Index column,
                        int64_t pixels, Index number) {
      ContractionTile tile;
      tile.lhs = code.address(inputImage, input.elementType,
                              code.add(code.multiply(row, rowStep),
                                       code.multiply(column, pixelStep)));
      tile.lhsElement = input.elementType;
      tile.rhs = filterBlock;
      tile.rhsColumnStride = filter.strides.back();
      tile.rhsElement = filter.elementType;
      SmallVector<RowSteps> steps;
      int64_t width = plan.pixels == Pixels::ManyRows
                          ? *Code::known(output.sizes[2])
                          : pixels;
      for (int64_t r = 0; r < pixels; ++r) {
        tile.lhsRows.push_back(code.add(code.multiply(rowStep, r / width),
                                        code.multiply(pixelStep, r % width)));
        steps.push_back({Step{1, r / width}, Step{2, r % width}});
      }
      for (int64_t j = 0; j < columns.vectors(); ++j)
        tile.rhsVectors.push_back(weights.vector(code, j));
      if (op.getPacked())
        tile.rhsMasks.assign(columns.vectors(), Value());
      else
        tile.rhsMasks = columns.masks;
      tile.halfLast = op.getPacked() && columns.halfLast && !integers;
      tile.prefetchDistance = weights.prefetchDistance(code, number);
      SmallVector<Value> sums =
          integers ? emitIntegerContraction(code, tile, reduction, plan.lanes,
                                            body.target)
                   : emitContraction(code, tile, reduction, plan.lanes);
      epilogue.store(code, {image, row, column, channel}, steps, sums,
                     columns.masks, plan.lanes);
    };

    Index limit =
        plan.pixels == Pixels::Row ? output.sizes[1] : plan.rowTiling.tiles;
    Index first = code.multiply(block, plan.blockSize);
    Index last =
        code.minimum(code.add(first, code.constant(plan.blockSize)), limit);
    Index zero = code.constant(0);
    plan.columnTiling.emit(code, columnBlock, [&](const ColumnBlock &columns) {
      switch (plan.pixels) {
      case Pixels::Flat:
        plan.rowTiling.emit(code, first, last, [&](Index start, int64_t rows) {
          emitTile(columns, zero, start, rows,
                   code.divide(start, plan.tile.rows));
        });
        break;
      case Pixels::Row:
        code.loop(first, last, 1, [&](Index row) {
          plan.rowTiling.emit(code, [&](Index start, int64_t rows) {
            emitTile(columns, row, start, rows, row);
          });
        });
        break;
      case Pixels::ManyRows:
        plan.rowTiling.emit(code, first, last, [&](Index start, int64_t rows) {
          emitTile(columns, start, zero, rows * *Code::known(output.sizes[2]),
                   code.divide(start, plan.imageRows));
        });
        break;
      }
    });
  });
  return success();
}
