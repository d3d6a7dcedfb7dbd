//===- EmitMatmul.cpp - kernel.matmul as register tiles -------------------===//
//
// Rows in blocks, then blocks of columns, then the row tiles of the block:
// the weights of one column block stay near while the rows stream past.
//
// A deep one goes in passes (DeepReduction.h). Weights that only a run tells
// are copied panel by panel (PanelCopy.h), or stream past the sums of few rows.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/DeepReduction.h"
#include "compiler/codegen/cpu/Epilogue.h"
#include "compiler/codegen/cpu/IntegerTile.h"
#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/MicroKernel.h"
#include "compiler/codegen/cpu/PanelCopy.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <optional>

using namespace mlir;
using namespace onnxc;

namespace {
/// How one matrix product divides.
struct MatmulPlan {
  MatmulPlan(Code &code, kernel::MatmulOp op, ArrayRef<BufferView> operands,
             const Target &target);

  const BufferView &lhs, &rhs, &output;
  bool flat; ///< all leading dims count as rows
  Index rows, depth, columns;
  TileSize tile;
  int64_t lanes;
  RowTiling rowTiling;
  ColumnTiling columnTiling;
  int64_t panelDepth; ///< steps of a copied panel; 0: none is copied
  DeepReduction passes;
  Index columnGroups;
  int64_t tilesPerBlock; ///< row tiles of one unit
  Index rowBlocks, batches;

  Index units(Code &code) const {
    return code.multiply(code.multiply(batches, rowBlocks), columnGroups);
  }
  /// Columns of a unit.
  int64_t unitColumns() const { return passes.blocks * tile.vectors * lanes; }
};
} // namespace

static Epilogue makeEpilogue(kernel::MatmulOp op, ArrayRef<BufferView> operands,
                             ArrayRef<Value> scalars) {
  size_t count = op.getEpilogueOperands().size();
  return Epilogue(
      op.getEpilogueBlock(), op.getEpilogueMaps(), operands.slice(2, count),
      scalars.empty() ? scalars : scalars.slice(2, count), operands.back());
}

/// Whether every row of the product sees the same rhs, rows of lhs and of the
/// output lie one after the other, and so do those of the epilogue's operands.
static bool rowsFlatten(kernel::MatmulOp op, ArrayRef<BufferView> operands) {
  if (operands.back().rank() == 2)
    return true;
  if (operands[1].rank() > 2 && !op.getPacked())
    return false;
  SmallVector<bool> contiguous;
  for (Value operand : op.getEpilogueOperands())
    contiguous.push_back(isContiguous(operand));
  return operands[0].rank() == operands.back().rank() &&
         isContiguous(op.getLhs()) && isContiguous(op.getInit()) &&
         makeEpilogue(op, operands, {}).rowsFlatten(contiguous);
}

static Index countRows(Code &code, const BufferView &output, bool flat) {
  ArrayRef<Index> sizes(output.sizes);
  if (!flat)
    return sizes[sizes.size() - 2];
  Index rows = code.constant(1);
  for (Index size : sizes.drop_back())
    rows = code.multiply(rows, size);
  return rows;
}

static TileSize pickTile(kernel::MatmulOp op, const Target &target,
                         Index columns) {
  TileSize wanted = {0, 0};
  if (auto tile = op.getTile())
    wanted = {tile->getRows(), tile->getVectors()};
  return fitTile(wanted, target, op.getPacked(), columns);
}

/// A copied panel of this size stays in the second cache.
static constexpr int64_t panelBytes = 48 * 1024;

/// Whether the weights lie in rows, too many for the nearest cache.
static bool areRowsOfWeights(kernel::MatmulOp op, const MatmulPlan &plan,
                             const Target &target) {
  if (op.getPacked() ||
      isIntegerContraction(plan.lhs.elementType, plan.rhs.elementType))
    return false;
  auto depth = Code::known(plan.depth), columns = Code::known(plan.columns);
  return !depth || !columns ||
         *depth * *columns * static_cast<int64_t>(sizeof(float)) >
             target.l1Bytes / 2;
}

static int64_t pickPanelDepth(kernel::MatmulOp op, const MatmulPlan &plan,
                              const Target &target) {
  if (!areRowsOfWeights(op, plan, target) ||
      Code::isKnown(plan.rowTiling.tiles, 1))
    return 0;
  int64_t stepBytes =
      plan.tile.vectors * plan.lanes * static_cast<int64_t>(sizeof(float));
  int64_t most = std::max<int64_t>(panelBytes / stepBytes, 1);
  auto depth = Code::known(plan.depth);
  if (!depth)
    return most;
  return llvm::divideCeil(*depth,
                          std::max<int64_t>(llvm::divideCeil(*depth, most), 1));
}

static DeepReduction pickPasses(kernel::MatmulOp op, const MatmulPlan &plan,
                                const Target &target) {
  if (isIntegerContraction(plan.lhs.elementType, plan.rhs.elementType))
    return {};
  if (op.getPacked())
    return planPasses(target, plan.tile, plan.rows, plan.depth, plan.depth,
                      plan.columnTiling.blocks);
  if (plan.panelDepth && !Code::isKnown(plan.depth, plan.panelDepth))
    return {plan.panelDepth, /*blocks=*/1};
  auto rows = Code::known(plan.rows);
  if (!plan.panelDepth && rows && areRowsOfWeights(op, plan, target) &&
      Code::isKnown(plan.rhs.strides.back(), 1))
    return planStreaming(target, plan.tile, *rows, plan.columnTiling.blocks);
  return {};
}

MatmulPlan::MatmulPlan(Code &code, kernel::MatmulOp op,
                       ArrayRef<BufferView> operands, const Target &target)
    : lhs(operands[0]), rhs(operands[1]), output(operands.back()),
      flat(rowsFlatten(op, operands)), rows(countRows(code, output, flat)),
      depth(lhs.sizes.back()), columns(output.sizes.back()),
      tile(pickTile(op, target, columns)), lanes(target.f32Lanes()),
      rowTiling(code, rows, tile.rows),
      columnTiling(code, columns, tile.vectors, lanes),
      panelDepth(pickPanelDepth(op, *this, target)),
      passes(pickPasses(op, *this, target)),
      columnGroups(code.ceilDivide(columnTiling.blocks, passes.blocks)) {
  int64_t rowBytes =
      (passes ? passes.passDepth : Code::known(depth).value_or(512)) *
      static_cast<int64_t>(sizeof(float));
  tilesPerBlock = passes.tilesPerUnit(
      tilesPerUnit(target, rowTiling.tiles, tile.rows * rowBytes), tile, lanes);
  rowBlocks = code.ceilDivide(rowTiling.tiles, tilesPerBlock);
  batches = code.constant(1);
  if (!flat)
    for (Index size : ArrayRef<Index>(output.sizes).drop_back(2))
      batches = code.multiply(batches, size);
}

ParallelExtent onnxc::matmulExtent(Code &code, kernel::MatmulOp op,
                                   ArrayRef<BufferView> operands,
                                   const Target &target) {
  MatmulPlan plan(code, op, operands, target);
  int64_t tiles = plan.tilesPerBlock;
  if (auto known = Code::known(plan.rowTiling.tiles))
    tiles = std::min(tiles, *known);
  return {plan.units(code), 2 * tiles * plan.tile.rows * plan.unitColumns() *
                                Code::known(plan.depth).value_or(typicalSize)};
}

Index onnxc::batchOffset(Code &code, const BufferView &view,
                         ArrayRef<Index> batch) {
  int64_t own = view.rank() - 2;
  Index offset = code.constant(0);
  for (int64_t dim = 0; dim < own; ++dim) {
    Index size = view.sizes[dim], stride = view.strides[dim];
    if (Code::isKnown(size, 1))
      continue;
    if (!Code::known(size)) {
      Value one = arith::CmpIOp::create(
          code.builder, code.loc, arith::CmpIPredicate::eq, code.value(size),
          code.value(code.constant(1)));
      stride = arith::SelectOp::create(code.builder, code.loc, one,
                                       code.value(code.constant(0)),
                                       code.value(stride))
                   .getResult();
    }
    Index position = batch[batch.size() - own + dim];
    offset = code.add(offset, code.multiply(position, stride));
  }
  return offset;
}

namespace {
/// Writes the units of one matrix product.
class MatmulWriter {
public:
  MatmulWriter(Code &code, kernel::MatmulOp op, KernelBody &body,
               const Epilogue &epilogue);

  void writeUnit(Index unit);

private:
  /// What a unit works on.
  struct Block {
    Value lhs, rhs; ///< of the batch, at row and column 0
    Index firstTile, lastTile;
    SmallVector<Index> position; ///< in the output, at row and column 0
  };
  using TileBody =
      llvm::function_ref<void(Index row, int64_t rows, const ColumnBlock &)>;

  void atOnce(const Block &block, Index columnBlock);
  void inPasses(const Block &block, Index firstColumnBlock);

  void eachTile(const Block &block, Index columnBlock,
                const ReductionLoop &reduction, TileBody body);
  /// In passes a tile is little code: it has no epilogue.
  RowTiling::Tail tail() const {
    return plan.passes ? RowTiling::Tail::OneTile
                       : RowTiling::Tail::PowersOfTwo;
  }
  ContractionTile tileAt(const Block &block, Index row, int64_t rows,
                         Index columnBlock, const ColumnBlock &columns);
  void store(const Block &block, Index row, int64_t rows, Index columnBlock,
             const ColumnBlock &columns, ArrayRef<Value> sums);

  Code &code;
  const Target &target;
  const Epilogue &epilogue;
  MatmulPlan plan;
  bool packed, integers;
  WeightColumns weights;
  Index lhsRowStride;
  std::optional<WaitingSums> waiting;
  std::optional<PanelCopy> panel;
};
} // namespace

MatmulWriter::MatmulWriter(Code &code, kernel::MatmulOp op, KernelBody &body,
                           const Epilogue &epilogue)
    : code(code), target(body.target), epilogue(epilogue),
      plan(code, op, body.operands, body.target), packed(op.getPacked()),
      integers(
          isIntegerContraction(plan.lhs.elementType, plan.rhs.elementType)),
      weights{packed,
              packed ? plan.rhs.strides[0] : Index(),
              plan.rhs.strides.back(),
              plan.tile.vectors,
              plan.lanes,
              op.getPaired()},
      lhsRowStride(plan.lhs.strides[plan.lhs.rank() - 2]) {
  if (plan.passes)
    waiting.emplace(code, plan.tilesPerBlock * plan.tile.rows,
                    plan.unitColumns(), plan.lanes);
  if (plan.panelDepth)
    panel.emplace(code, plan.panelDepth, plan.tile.vectors, plan.lanes);
}

void MatmulWriter::eachTile(const Block &block, Index columnBlock,
                            const ReductionLoop &reduction, TileBody body) {
  plan.columnTiling.emit(code, columnBlock, [&](const ColumnBlock &columns) {
    if (panel)
      panel->fill(code.address(block.rhs, plan.rhs.elementType,
                               weights.block(code, columnBlock)),
                  plan.rhs.elementType, reduction, plan.rhs.strides.back(),
                  columns);
    plan.rowTiling.emit(
        code, block.firstTile, block.lastTile,
        [&](Index row, int64_t rows) { body(row, rows, columns); }, tail());
  });
}

ContractionTile MatmulWriter::tileAt(const Block &block, Index row,
                                     int64_t rows, Index columnBlock,
                                     const ColumnBlock &columns) {
  ContractionTile tile;
  tile.lhs = code.address(block.lhs, plan.lhs.elementType,
                          code.multiply(row, lhsRowStride));
  tile.lhsElement = plan.lhs.elementType;
  tile.rhs = code.address(block.rhs, plan.rhs.elementType,
                          weights.block(code, columnBlock));
  tile.rhsColumnStride = plan.rhs.strides.back();
  tile.rhsElement = plan.rhs.elementType;
  for (int64_t r = 0; r < rows; ++r)
    tile.lhsRows.push_back(code.multiply(lhsRowStride, r));
  for (int64_t j = 0; j < columns.vectors(); ++j)
    tile.rhsVectors.push_back(weights.vector(code, j));
  if (packed)
    tile.rhsMasks.assign(columns.vectors(), Value());
  else
    tile.rhsMasks = columns.masks;
  tile.rhsPaired = weights.paired;
  tile.prefetchDistance =
      weights.prefetchDistance(code, code.divide(row, plan.tile.rows));
  if (panel)
    panel->use(tile);
  return tile;
}

void MatmulWriter::store(const Block &block, Index row, int64_t rows,
                         Index columnBlock, const ColumnBlock &columns,
                         ArrayRef<Value> sums) {
  unsigned rowDim = plan.output.rank() - 2;
  SmallVector<Index> position = block.position;
  position[rowDim] = row;
  position.back() = code.multiply(columnBlock, plan.tile.vectors * plan.lanes);
  SmallVector<RowSteps> steps;
  for (int64_t r = 0; r < rows; ++r)
    steps.push_back({Step{rowDim, r}});
  epilogue.store(code, position, steps, sums, columns.masks, plan.lanes);
}

void MatmulWriter::atOnce(const Block &block, Index columnBlock) {
  ReductionLoop reduction{plan.depth, plan.lhs.strides.back(),
                          plan.rhs.strides[plan.rhs.rank() - 2]};
  eachTile(block, columnBlock, reduction,
           [&](Index row, int64_t rows, const ColumnBlock &columns) {
             ContractionTile tile =
                 tileAt(block, row, rows, columnBlock, columns);
             tile.halfLast = packed && columns.halfLast && !integers;
             ReductionLoop loop = panel ? panel->over(reduction) : reduction;
             SmallVector<Value> sums =
                 integers ? emitIntegerContraction(code, tile, loop, plan.lanes,
                                                   target)
                          : emitContraction(code, tile, loop, plan.lanes);
             store(block, row, rows, columnBlock, columns, sums);
           });
}

void MatmulWriter::inPasses(const Block &block, Index firstColumnBlock) {
  Index zero = code.constant(0);
  Index firstRow = plan.rowTiling.start(code, block.firstTile);
  Index rows = code.subtract(
      code.minimum(plan.rowTiling.start(code, block.lastTile), plan.rows),
      firstRow);
  Index columnBlocks =
      code.minimum(code.constant(plan.passes.blocks),
                   code.subtract(plan.columnTiling.blocks, firstColumnBlock));
  ReductionLoop reduction{plan.depth, plan.lhs.strides.back(),
                          plan.rhs.strides[plan.rhs.rank() - 2]};

  auto eachColumnBlock = [&](llvm::function_ref<void(Index, Index)> body) {
    code.loop(zero, columnBlocks, 1, [&](Index number) {
      body(code.add(firstColumnBlock, number),
           code.multiply(number, plan.tile.vectors * plan.lanes));
    });
  };
  waiting->clear(rows);
  eachPass(
      code, reduction, plan.passes.passDepth, [&](const ReductionPass &pass) {
        Block here = block;
        here.lhs =
            code.address(block.lhs, plan.lhs.elementType, pass.lhsOffset);
        here.rhs =
            code.address(block.rhs, plan.rhs.elementType, pass.rhsOffset);
        eachColumnBlock([&](Index columnBlock, Index column) {
          eachTile(
              here, columnBlock, pass.loop,
              [&](Index row, int64_t count, const ColumnBlock &columns) {
                Index place = code.subtract(row, firstRow);
                SmallVector<Value> sums = emitContraction(
                    code, tileAt(here, row, count, columnBlock, columns),
                    panel ? panel->over(pass.loop) : pass.loop, plan.lanes,
                    waiting->load(place, column, count, columns.vectors()));
                waiting->store(place, column, columns.vectors(), sums);
              });
        });
      });
  code.loop(zero, rows, 1, [&](Index row) {
    eachColumnBlock([&](Index columnBlock, Index column) {
      plan.columnTiling.emit(
          code, columnBlock, [&](const ColumnBlock &columns) {
            store(block, code.add(firstRow, row), 1, columnBlock, columns,
                  waiting->load(row, column, 1, columns.vectors()));
          });
    });
  });
}

void MatmulWriter::writeUnit(Index unit) {
  Index columnGroup = code.remainder(unit, plan.columnGroups);
  Index rest = code.divide(unit, plan.columnGroups);
  Index rowBlock = code.remainder(rest, plan.rowBlocks);
  Index batch = code.divide(rest, plan.rowBlocks);

  Block block{plan.lhs.pointer, plan.rhs.pointer, {}, {}, {}};
  block.position.assign(plan.output.rank(), code.constant(0));
  if (!plan.flat) {
    for (int64_t dim = plan.output.rank() - 3; dim >= 0; --dim) {
      block.position[dim] =
          dim == 0 ? batch : code.remainder(batch, plan.output.sizes[dim]);
      batch = code.divide(batch, plan.output.sizes[dim]);
    }
    auto batchPosition = ArrayRef<Index>(block.position).drop_back(2);
    block.lhs = code.address(block.lhs, plan.lhs.elementType,
                             batchOffset(code, plan.lhs, batchPosition));
    if (!packed)
      block.rhs = code.address(block.rhs, plan.rhs.elementType,
                               batchOffset(code, plan.rhs, batchPosition));
  }
  block.firstTile = code.multiply(rowBlock, plan.tilesPerBlock);
  block.lastTile =
      code.minimum(code.add(block.firstTile, code.constant(plan.tilesPerBlock)),
                   plan.rowTiling.tiles);
  if (plan.passes)
    inPasses(block, code.multiply(columnGroup, plan.passes.blocks));
  else
    atOnce(block, columnGroup);
}

LogicalResult onnxc::emitMatmul(kernel::MatmulOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  Epilogue epilogue = makeEpilogue(op, body.operands, body.scalars);
  std::string reason;
  if (failed(epilogue.check(reason)))
    return op.emitOpError() << reason;
  Type lhs = body.operands[0].elementType, rhs = body.operands[1].elementType;
  if (!isIntegerContraction(lhs, rhs) &&
      (!isa<FloatType>(lhs) || !isa<FloatType>(rhs)))
    return op.emitOpError("operands must be of floating point, or signed "
                          "integers of 8 or 16 bits");
  MatmulWriter writer(code, op, body, epilogue);
  code.loop(body.begin, body.end, 1,
            [&](Index unit) { writer.writeUnit(unit); });
  return success();
}
