//===- EmitRecurrence.cpp - kernel.recurrence -----------------------------===//
//
// Rows of the batch in groups of tiles; each group runs through all steps on
// its own. A step takes the hidden units in blocks of columns, and a block's
// weights serve all tiles of the group: the sums of all gates of a tile stay
// in registers while the stage's region turns them into the next state. The
// next hidden state waits in the room until every block has read the present
// one.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Epilogue.h"
#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/MicroKernel.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace onnxc;

/// Sums that a core needs in flight to add without waiting.
static constexpr int64_t sumsInFlight = 8;

static kernel::TileAttr tileOf(kernel::RecurrenceOp op) {
  if (auto tile = op.getTile())
    return *tile;
  return kernel::TileAttr::get(op.getContext(), 1, sumsInFlight);
}

/// Rows of the batch that a group has: enough to read a block's weights from
/// the nearest cache most of the time.
static int64_t groupRows(kernel::RecurrenceOp op) {
  int64_t rows = std::clamp<int64_t>(tileOf(op).getRows(), 1, 16);
  return 16 / rows * rows;
}

ParallelExtent onnxc::recurrenceExtent(Code &code, kernel::RecurrenceOp op,
                                       ArrayRef<BufferView> operands,
                                       const Target &target) {
  const BufferView &input = operands[0];
  int64_t width = Code::known(input.sizes[4]).value_or(typicalSize);
  int64_t gates = *Code::known(input.sizes[3]);
  int64_t steps = Code::known(input.sizes[0]).value_or(typicalSize);
  Index groups = code.ceilDivide(input.sizes[1], groupRows(op));
  return {code.multiply(input.sizes[2], groups),
          2 * groupRows(op) * steps * gates * width * width};
}

namespace {
class Recurrence {
public:
  Recurrence(Code &code, kernel::RecurrenceOp op, const KernelBody &body);

  void emitUnit(Index unit);

private:
  /// Rows of the batch from `start` on: `tiles` tiles of `rows` rows.
  struct Group {
    Index start, tiles;
    int64_t rows;
  };

  /// One row of a tile in the current step.
  struct Row {
    Index batch;
    Index time;   ///< place of this step in the sequence
    Value active; ///< i1: whether the row has this step; null: always
  };

  void emitGroup(const Group &group);
  void emitStage(unsigned stage, const Group &group, Index step);
  Index lengthOf(Index batch);
  SmallVector<Row> rowsAt(Index start, int64_t count, Index step);
  void emitCell(unsigned stage, Index column, ArrayRef<Row> rows,
                ArrayRef<Value> sums, const ColumnBlock &block);
  void finishStep(const Group &group);
  int64_t columnVectors(unsigned stage, int64_t rows);
  Index reversal();
  Value load(const BufferView &view, ArrayRef<Index> position, Value mask);
  void store(Value vector, const BufferView &view, ArrayRef<Index> position,
             Value mask);
  Index offset(const BufferView &view, ArrayRef<Index> position);
  /// Where the room keeps what stage `stage` yields first.
  Index roomOf(unsigned stage);

  Code &code;
  kernel::RecurrenceOp op;
  const Target &target;
  const BufferView &input;
  ArrayRef<BufferView> weights, states;
  const BufferView *coefficients = nullptr, *lengths = nullptr,
                   *sequence = nullptr;
  const BufferView &room;
  Index steps, hidden;
  Type element;
  int64_t lanes;
  Index direction;
};
} // namespace

Recurrence::Recurrence(Code &code, kernel::RecurrenceOp op,
                       const KernelBody &body)
    : code(code), op(op), target(body.target), input(body.operands[0]),
      weights(body.operands.slice(1, op.getWeights().size())),
      room(body.operands.back()), steps(input.sizes[0]), hidden(input.sizes[4]),
      element(input.elementType),
      lanes(target.vectorBits / element.getIntOrFloatBitWidth()) {
  ArrayRef<BufferView> rest = body.operands.drop_front(1 + weights.size());
  auto next = [&] {
    const BufferView *view = &rest.front();
    rest = rest.drop_front();
    return view;
  };
  if (op.getCoefficients())
    coefficients = next();
  if (op.getLengths())
    lengths = next();
  if (op.getHasSequence())
    sequence = next();
  states = rest.drop_back();
}

Index Recurrence::offset(const BufferView &view, ArrayRef<Index> position) {
  Index result = code.constant(0);
  for (auto [at, stride] : llvm::zip_equal(position, view.strides))
    result = code.add(result, code.multiply(at, stride));
  return result;
}

Value Recurrence::load(const BufferView &view, ArrayRef<Index> position,
                       Value mask) {
  return code.loadVector(view.pointer, element, offset(view, position), lanes,
                         mask, view.strides.back());
}

void Recurrence::store(Value vector, const BufferView &view,
                       ArrayRef<Index> position, Value mask) {
  code.storeVector(vector, view.pointer, offset(view, position), mask,
                   view.strides.back());
}

Index Recurrence::roomOf(unsigned stage) {
  int64_t place = 0;
  for (unsigned before = 0; before < stage; ++before)
    place += op.getYieldCount(before);
  return code.constant(place);
}

/// Vectors of one gate: the tile's are shared among the gates, and a few rows
/// take more. Of packed weights whole panels or an even part of one.
int64_t Recurrence::columnVectors(unsigned stage, int64_t rows) {
  int64_t gates = *Code::known(weights[stage].sizes[1]);
  int64_t all = std::max<int64_t>(tileOf(op).getVectors(), sumsInFlight / rows);
  int64_t vectors = std::clamp<int64_t>(all / gates, 1, 8);
  while (op.getPacked() && vectors > 1 && (vectors * lanes) % panelWidth != 0 &&
         panelWidth % (vectors * lanes) != 0)
    --vectors;
  return vectors;
}

/// 1 where this direction runs from the end, otherwise 0.
Index Recurrence::reversal() {
  int64_t first = op.getReversed().front(), last = op.getReversed().back();
  return code.add(code.constant(first), code.multiply(direction, last - first));
}

void Recurrence::emitUnit(Index unit) {
  Index batch = input.sizes[1];
  int64_t most = groupRows(op);
  Index groups = code.ceilDivide(batch, most);
  direction = op.getReversed().size() == 1 ? code.constant(0)
                                           : code.divide(unit, groups);
  Index start = code.constant(0);
  if (!Code::isKnown(groups, 1))
    start = code.multiply(code.remainder(unit, groups), most);
  Index count = code.minimum(code.subtract(batch, start), code.constant(most));
  int64_t rows = std::clamp<int64_t>(tileOf(op).getRows(), 1, 16);
  Index full = code.divide(count, rows);
  code.branch(code.less(code.constant(0), full),
              [&] { emitGroup({start, full, rows}); });
  Index left = code.remainder(count, code.constant(rows));
  start = code.add(start, code.multiply(full, rows));
  if (auto fixed = Code::known(left)) {
    if (*fixed > 0)
      emitGroup({start, code.constant(1), *fixed});
    return;
  }
  for (int64_t part = llvm::bit_floor<uint64_t>(rows - 1); part > 0;
       part /= 2) {
    Index here = code.remainder(code.divide(left, part), code.constant(2));
    code.branch(code.less(code.constant(0), here),
                [&] { emitGroup({start, code.constant(1), part}); });
    start = code.add(start, code.multiply(here, part));
  }
}

void Recurrence::emitGroup(const Group &group) {
  Index longest = steps;
  if (lengths) {
    Value none = code.value(code.constant(0));
    longest = code.loop(code.constant(0),
                        code.multiply(group.tiles, group.rows), 1, none,
                        [&](Index row, ValueRange carried) {
                          Index length = lengthOf(code.add(group.start, row));
                          return SmallVector<Value>{
                              code.value(code.maximum(carried[0], length))};
                        })
                  .front();
  }
  code.loop(code.constant(0), longest, 1, [&](Index step) {
    for (unsigned stage = 0; stage < weights.size(); ++stage)
      emitStage(stage, group, step);
    finishStep(group);
  });
}

/// Steps of a row of the batch.
Index Recurrence::lengthOf(Index batch) {
  if (!lengths)
    return steps;
  Value length = arith::IndexCastOp::create(
      code.builder, code.loc, code.builder.getIndexType(),
      code.loadScalar(lengths->pointer, lengths->elementType,
                      offset(*lengths, batch)));
  return code.minimum(code.maximum(length, code.constant(0)), steps);
}

SmallVector<Recurrence::Row> Recurrence::rowsAt(Index start, int64_t count,
                                                Index step) {
  SmallVector<Row> rows(count);
  Index reversed = reversal();
  for (auto [r, row] : llvm::enumerate(rows)) {
    row.batch = code.add(start, code.constant(r));
    Index length = lengthOf(row.batch);
    // From the end: length - 1 - step.
    Index back = code.subtract(code.subtract(length, code.constant(1)),
                               code.multiply(step, 2));
    row.time = code.add(step, code.multiply(reversed, back));
    if (!lengths)
      continue;
    row.time = code.maximum(row.time, code.constant(0));
    row.active = code.value(code.less(step, length));
  }
  return rows;
}

void Recurrence::emitStage(unsigned stage, const Group &group, Index step) {
  const BufferView &weight = weights[stage];
  int64_t gates = *Code::known(weight.sizes[1]);
  int64_t vectors = columnVectors(stage, group.rows);
  bool packed = op.getPacked();
  WeightColumns columns{packed, packed ? weight.strides[2] : Index(),
                        weight.strides.back(), vectors, lanes};
  // The rows that the weights multiply.
  const BufferView &factor = stage == 0 ? states[0] : room;
  ReductionLoop reduction{hidden, factor.strides.back(),
                          weight.strides[packed ? 3 : 2]};
  Value weightStart = code.address(weight.pointer, element,
                                   code.multiply(direction, weight.strides[0]));

  ColumnTiling tiling(code, hidden, vectors, lanes);
  code.loop(code.constant(0), tiling.blocks, 1, [&](Index block) {
    tiling.emit(code, block, [&](const ColumnBlock &columnBlock) {
      ContractionTile tile;
      tile.lhsElement = tile.rhsElement = element;
      if (!element.isF32())
        tile.sumElement = element;
      for (int64_t r = 0; r < group.rows; ++r)
        tile.lhsRows.push_back(code.multiply(factor.strides[1], r));
      tile.rhs = code.address(weightStart, element, columns.block(code, block));
      tile.rhsColumnStride = weight.strides.back();
      for (int64_t gate = 0; gate < gates; ++gate)
        for (int64_t j = 0; j < columnBlock.vectors(); ++j) {
          tile.rhsVectors.push_back(code.add(
              code.multiply(weight.strides[1], gate), columns.vector(code, j)));
          tile.rhsMasks.push_back(packed ? Value() : columnBlock.masks[j]);
        }
      code.loop(code.constant(0), group.tiles, 1, [&](Index number) {
        Index start = code.add(group.start, code.multiply(number, group.rows));
        SmallVector<Index> place{direction, start, code.constant(0)};
        if (stage > 0)
          place.insert(place.begin() + 2, roomOf(stage - 1));
        tile.lhs = code.address(factor.pointer, element, offset(factor, place));
        SmallVector<Value> sums = emitContraction(code, tile, reduction, lanes);
        emitCell(stage, code.multiply(block, vectors * lanes),
                 rowsAt(start, group.rows, step), sums, columnBlock);
      });
    });
  });
}

/// Hands the sums of a block to the stage's region and stores what it yields.
void Recurrence::emitCell(unsigned stage, Index column, ArrayRef<Row> rows,
                          ArrayRef<Value> sums, const ColumnBlock &block) {
  Block &cell = op.getStages()[stage].front();
  Operation *yield = cell.getTerminator();
  bool last = stage + 1 == weights.size();
  int64_t gates = *Code::known(weights[stage].sizes[1]);
  IRMapping constants;
  mapConstants(code, cell, constants, lanes);
  for (int64_t j = 0; j < block.vectors(); ++j) {
    Value mask = block.masks[j];
    Index at = code.add(column, code.constant(j * lanes));
    SmallVector<Value> shared;
    if (coefficients)
      for (int64_t i = 0, e = *Code::known(coefficients->sizes[1]); i < e; ++i)
        shared.push_back(
            load(*coefficients, {direction, code.constant(i), at}, mask));
    for (size_t r = 0; r < rows.size(); ++r) {
      const Row &row = rows[r];
      SmallVector<Value> arguments;
      for (int64_t gate = 0; gate < gates; ++gate)
        arguments.push_back(sums[(r * gates + gate) * block.vectors() + j]);
      for (int64_t i = 0, e = *Code::known(input.sizes[3]); i < e; ++i)
        arguments.push_back(
            load(input, {row.time, row.batch, direction, code.constant(i), at},
                 mask));
      SmallVector<Value> present;
      for (const BufferView &state : states)
        present.push_back(load(state, {direction, row.batch, at}, mask));
      llvm::append_range(arguments, present);
      auto roomAt = [&](unsigned stage, unsigned value) {
        return SmallVector<Index>{direction, row.batch,
                                  code.add(roomOf(stage), code.constant(value)),
                                  at};
      };
      if (stage > 0)
        for (unsigned i = 0; i < op.getYieldCount(stage - 1); ++i)
          arguments.push_back(load(room, roomAt(stage - 1, i), mask));
      llvm::append_range(arguments, shared);

      IRMapping mapping = constants;
      mapping.map(cell.getArguments(), arguments);
      cloneOnVectors(code, cell, mapping, lanes);
      for (auto [i, yielded] : llvm::enumerate(yield->getOperands())) {
        if (!mapping.contains(yielded))
          mapping.map(yielded, code.splat(yielded, lanes));
        Value value = mapping.lookup(yielded);
        if (!last) {
          store(value, room, roomAt(stage, i), mask);
          continue;
        }
        Value kept = value, sequenceMask = mask;
        if (row.active) {
          Value active = code.splat(row.active, lanes);
          kept = arith::SelectOp::create(code.builder, code.loc, active, value,
                                         present[i]);
          sequenceMask =
              mask ? arith::AndIOp::create(code.builder, code.loc, active, mask)
                         .getResult()
                   : active;
        }
        if (i == 0 && sequence)
          store(value, *sequence, {row.time, direction, row.batch, at},
                sequenceMask);
        if (i == 0)
          store(kept, room, roomAt(stage, 0), mask);
        else
          store(kept, states[i], {direction, row.batch, at}, mask);
      }
    }
  }
}

/// The next hidden state becomes the present one.
void Recurrence::finishStep(const Group &group) {
  Index next = roomOf(weights.size() - 1);
  ColumnTiling tiling(code, hidden, 1, lanes);
  Index rows = code.multiply(group.tiles, group.rows);
  code.loop(code.constant(0), rows, 1, [&](Index row) {
    Index batch = code.add(group.start, row);
    code.loop(code.constant(0), tiling.blocks, 1, [&](Index block) {
      Index at = code.multiply(block, lanes);
      tiling.emit(code, block, [&](const ColumnBlock &columns) {
        Value mask = columns.masks[0];
        store(load(room, {direction, batch, next, at}, mask), states[0],
              {direction, batch, at}, mask);
      });
    });
  });
}

LogicalResult onnxc::emitRecurrence(kernel::RecurrenceOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  std::string reason;
  for (Region &stage : op.getStages())
    if (failed(checkScalars(stage.front(), reason)))
      return op.emitOpError() << reason;
  Recurrence recurrence(code, op, body);
  code.loop(body.begin, body.end, 1,
            [&](Index unit) { recurrence.emitUnit(unit); });
  return success();
}
