//===- EmitMatmul.cpp - kernel.matmul as register tiles -------------------===//
//
// Rows in blocks, then blocks of columns, then the row tiles of the block:
// the weights of one column block stay near while the rows stream past.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Epilogue.h"
#include "compiler/codegen/cpu/IntegerTile.h"
#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/MicroKernel.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

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
  int64_t tilesPerBlock;
  Index rowBlocks, batches;

  Index units(Code &code) const {
    return code.multiply(code.multiply(batches, rowBlocks),
                         columnTiling.blocks);
  }
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

static TileSize pickTile(kernel::MatmulOp op, const Target &target) {
  TileSize wanted = {0, 0};
  if (auto tile = op.getTile())
    wanted = {tile->getRows(), tile->getVectors()};
  return fitTile(wanted, target, op.getPacked());
}

MatmulPlan::MatmulPlan(Code &code, kernel::MatmulOp op,
                       ArrayRef<BufferView> operands, const Target &target)
    : lhs(operands[0]), rhs(operands[1]), output(operands.back()),
      flat(rowsFlatten(op, operands)), rows(countRows(code, output, flat)),
      depth(lhs.sizes.back()), columns(output.sizes.back()),
      tile(pickTile(op, target)), lanes(target.f32Lanes()),
      rowTiling(code, rows, tile.rows),
      columnTiling(code, columns, tile.vectors, lanes) {
  int64_t tileBytes = tile.rows * Code::known(depth).value_or(512) *
                      static_cast<int64_t>(sizeof(float));
  tilesPerBlock = tilesPerUnit(target, rowTiling.tiles, tileBytes);
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
  return {plan.units(code), 2 * tiles * plan.tile.rows * plan.tile.vectors *
                                plan.lanes *
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

LogicalResult onnxc::emitMatmul(kernel::MatmulOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  Epilogue epilogue = makeEpilogue(op, body.operands, body.scalars);
  std::string reason;
  if (failed(epilogue.check(reason)))
    return op.emitOpError() << reason;
  const BufferView &rhs = body.operands[1];
  const BufferView &output = body.operands.back();
  bool integers =
      isIntegerContraction(body.operands[0].elementType, rhs.elementType);
  if (!integers && (!isa<FloatType>(body.operands[0].elementType) ||
                    !isa<FloatType>(rhs.elementType)))
    return op.emitOpError("operands must be of floating point, or signed "
                          "integers of 8 or 16 bits");

  MatmulPlan plan(code, op, body.operands, body.target);
  WeightColumns weights{op.getPacked(),
                        op.getPacked() ? rhs.strides[0] : Index(),
                        rhs.strides.back(), plan.tile.vectors, plan.lanes};
  const BufferView &lhs = plan.lhs;
  Index lhsRowStride = lhs.strides[lhs.rank() - 2];
  ReductionLoop reduction{plan.depth, lhs.strides.back(),
                          rhs.strides[rhs.rank() - 2]};
  unsigned rowDim = output.rank() - 2;

  code.loop(body.begin, body.end, 1, [&](Index unit) {
    Index columnBlock = code.remainder(unit, plan.columnTiling.blocks);
    Index rest = code.divide(unit, plan.columnTiling.blocks);
    Index rowBlock = code.remainder(rest, plan.rowBlocks);
    Index batch = code.divide(rest, plan.rowBlocks);

    SmallVector<Index> position(output.rank(), code.constant(0));
    Value lhsBatch = lhs.pointer, rhsBatch = rhs.pointer;
    if (!plan.flat) {
      for (int64_t dim = output.rank() - 3; dim >= 0; --dim) {
        position[dim] =
            dim == 0 ? batch : code.remainder(batch, output.sizes[dim]);
        batch = code.divide(batch, output.sizes[dim]);
      }
      auto batchPosition = ArrayRef<Index>(position).drop_back(2);
      lhsBatch = code.address(lhsBatch, lhs.elementType,
                              batchOffset(code, lhs, batchPosition));
      if (!op.getPacked())
        rhsBatch = code.address(rhsBatch, rhs.elementType,
                                batchOffset(code, rhs, batchPosition));
    }
    Value rhsBlock = code.address(rhsBatch, rhs.elementType,
                                  weights.block(code, columnBlock));
    position.back() =
        code.multiply(columnBlock, plan.tile.vectors * plan.lanes);
    Index first = code.multiply(rowBlock, plan.tilesPerBlock);
    Index last =
        code.minimum(code.add(first, code.constant(plan.tilesPerBlock)),
                     plan.rowTiling.tiles);

    plan.columnTiling.emit(code, columnBlock, [&](const ColumnBlock &columns) {
      plan.rowTiling.emit(code, first, last, [&](Index start, int64_t rows) {
        ContractionTile tile;
        tile.lhs = code.address(lhsBatch, lhs.elementType,
                                code.multiply(start, lhsRowStride));
        tile.lhsElement = lhs.elementType;
        tile.rhs = rhsBlock;
        tile.rhsColumnStride = rhs.strides.back();
        tile.rhsElement = rhs.elementType;
        SmallVector<RowSteps> steps;
        for (int64_t r = 0; r < rows; ++r) {
          tile.lhsRows.push_back(code.multiply(lhsRowStride, r));
          steps.push_back({Step{rowDim, r}});
        }
        for (int64_t j = 0; j < columns.vectors(); ++j)
          tile.rhsVectors.push_back(weights.vector(code, j));
        if (op.getPacked())
          tile.rhsMasks.assign(columns.vectors(), Value());
        else
          tile.rhsMasks = columns.masks;
        tile.halfLast = op.getPacked() && columns.halfLast && !integers;
        tile.prefetchDistance =
            weights.prefetchDistance(code, code.divide(start, plan.tile.rows));
        SmallVector<Value> sums =
            integers ? emitIntegerContraction(code, tile, reduction, plan.lanes,
                                              body.target)
                     : emitContraction(code, tile, reduction, plan.lanes);
        position[rowDim] = start;
        epilogue.store(code, position, steps, sums, columns.masks, plan.lanes);
      });
    });
  });
  return success();
}
