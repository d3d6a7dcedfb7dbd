//===- EmitQuantizedMatmul.cpp - kernel.quantized_matmul ------------------===//
//
// One row streams the weights through the registers: each word is unpacked
// there, and a block's sum meets its scale once.
//
//   for each block of k       sum = 0
//     for each word             sum += lhs x unpacked
//                             total += scale x (sum - zero x sum of lhs)
//
// Several rows unpack a part of a column block to the stack, scaled, and then
// are an ordinary product in passes (DeepReduction.h).
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/DeepReduction.h"
#include "compiler/codegen/cpu/Epilogue.h"
#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/MicroKernel.h"
#include "compiler/codegen/cpu/QuantizedMatmulPlan.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <optional>

using namespace mlir;
using namespace onnxc;

static Epilogue makeEpilogue(kernel::QuantizedMatmulOp op,
                             ArrayRef<BufferView> operands,
                             ArrayRef<Value> scalars) {
  size_t first = QuantizedMatmulOperands::beforeEpilogue(op);
  size_t count = op.getEpilogueOperands().size();
  return Epilogue(
      op.getEpilogueBlock(), op.getEpilogueMaps(), operands.slice(first, count),
      scalars.empty() ? scalars : scalars.slice(first, count), operands.back());
}

/// Whether rows of lhs and of the output lie one after the other, and so do
/// those of the epilogue's operands.
static bool rowsFlatten(kernel::QuantizedMatmulOp op,
                        ArrayRef<BufferView> operands) {
  if (operands.back().rank() == 2)
    return true;
  SmallVector<bool> contiguous;
  for (Value operand : op.getEpilogueOperands())
    contiguous.push_back(isContiguous(operand));
  return isContiguous(op.getLhs()) && isContiguous(op.getInit()) &&
         makeEpilogue(op, operands, {}).rowsFlatten(contiguous);
}

ParallelExtent onnxc::quantizedMatmulExtent(Code &code,
                                            kernel::QuantizedMatmulOp op,
                                            ArrayRef<BufferView> operands,
                                            const Target &target) {
  QuantizedMatmulPlan plan(code, op, QuantizedMatmulOperands(op, operands),
                           rowsFlatten(op, operands), target);
  int64_t rows = plan.tilesPerBlock * plan.tile.rows;
  if (auto known = Code::known(plan.rows))
    rows = std::min(rows, *known);
  return {plan.units(code),
          2 * rows * plan.unitColumns() * static_cast<int64_t>(op.getDepth())};
}

namespace {
/// Writes the units of one product.
class QuantizedMatmulWriter {
public:
  QuantizedMatmulWriter(Code &code, kernel::QuantizedMatmulOp op,
                        KernelBody &body, const Epilogue &epilogue);

  void writeUnit(Index unit);

private:
  /// What a unit works on.
  struct Block {
    Value lhs; ///< of the batch, at row 0
    Index firstTile, lastTile;
    SmallVector<Index> position; ///< in the output, at row and column 0
  };

  void oneRow(const Block &block, Index columnBlock);
  SmallVector<Value> addBlock(Value row, Index columnBlock, Index block,
                              int64_t steps, ArrayRef<Value> sums);
  void addWord(Value row, Index columnBlock, Index word, int64_t steps,
               SmallVector<Value> &sums, Value &rowSum);

  void severalRows(const Block &block, Index firstColumnBlock);
  void unpack(Index columnBlock, int64_t vectors, Index first, Index count);
  void unpackBlock(Index columnBlock, int64_t vectors, Index block,
                   Index firstWord, Index words, Index to);
  ContractionTile tileAt(Value lhs, Index row, int64_t rows, int64_t vectors);

  /// Vector `vector` of row `row` of an operand in panels.
  Value load(const BufferView &operand, Index columnBlock, int64_t vector,
             Index row);
  /// A vector of words whose numbers are signed.
  Value loadWord(const BufferView &operand, Index columnBlock, int64_t vector,
                 Index row);
  /// Number `place` of each word, as f32, less 2^(bits - 1).
  Value number(Value words, Index place);
  Value scale(Index columnBlock, int64_t vector, Index block);
  /// Less 2^(bits - 1).
  Value zeroPoint(Index columnBlock, int64_t vector, Index block);
  void store(const Block &block, Index row, Index columnBlock,
             const ColumnBlock &columns, ArrayRef<Value> sums);

  Value multiplyAdd(Value a, Value b, Value c) {
    return vector::FMAOp::create(code.builder, code.loc, a, b, c);
  }
  Value negated(Value a) {
    return arith::NegFOp::create(code.builder, code.loc, a);
  }
  Value words(uint32_t bits) {
    return code.splat(
        arith::ConstantOp::create(
            code.builder, code.loc,
            code.builder.getI32IntegerAttr(static_cast<int32_t>(bits))),
        plan.lanes);
  }

  Code &code;
  const Epilogue &epilogue;
  QuantizedMatmulOperands operands;
  QuantizedMatmulPlan plan;
  int64_t bits, blockDepth, depth, perWord;
  /// Sums of a vector of one row, so that an addition need not wait for the one
  /// before it.
  static constexpr int64_t parts = 4;
  Index lhsRowStride, lhsStride;
  Value unpacked; ///< [passDepth, columns of a tile] of f32
  std::optional<WaitingSums> waiting;
};
} // namespace

QuantizedMatmulWriter::QuantizedMatmulWriter(Code &code,
                                             kernel::QuantizedMatmulOp op,
                                             KernelBody &body,
                                             const Epilogue &epilogue)
    : code(code), epilogue(epilogue), operands(op, body.operands),
      plan(code, op, operands, rowsFlatten(op, body.operands), body.target),
      bits(op.getBits()), blockDepth(op.getBlock()), depth(op.getDepth()),
      perWord(op.stepsPerWord()),
      lhsRowStride(operands.lhs.strides[operands.lhs.rank() - 2]),
      lhsStride(operands.lhs.strides.back()) {
  if (Code::isKnown(plan.rows, 1))
    return;
  unpacked = code.stackMemory(code.builder.getF32Type(),
                              plan.passDepth * plan.tileColumns());
  waiting.emplace(code, plan.tilesPerBlock * plan.tile.rows, plan.unitColumns(),
                  plan.lanes);
}

//===----------------------------------------------------------------------===//
// QuantizedMatmulOperands
//===----------------------------------------------------------------------===//

Value QuantizedMatmulWriter::load(const BufferView &operand, Index columnBlock,
                                  int64_t vector, Index row) {
  WeightColumns columns{/*packed=*/true, operand.strides[0],
                        operand.strides.back(), plan.tile.vectors, plan.lanes};
  Index offset =
      code.add(columns.block(code, columnBlock), columns.vector(code, vector));
  return code.loadVector(
      operand.pointer, operand.elementType,
      code.add(offset, code.multiply(row, operand.strides[1])), plan.lanes);
}

Value QuantizedMatmulWriter::loadWord(const BufferView &operand,
                                      Index columnBlock, int64_t vector,
                                      Index row) {
  uint32_t signs = 0;
  for (int64_t place = 0; place < perWord; ++place)
    signs |= 1u << (place * bits + bits - 1);
  return arith::XOrIOp::create(code.builder, code.loc,
                               load(operand, columnBlock, vector, row),
                               words(signs));
}

Value QuantizedMatmulWriter::number(Value numbers, Index place) {
  OpBuilder &builder = code.builder;
  Index above =
      code.subtract(code.constant(32 - bits), code.multiply(place, bits));
  Value shift;
  if (auto known = Code::known(above))
    shift = words(static_cast<uint32_t>(*known));
  else
    shift = code.splat(arith::IndexCastOp::create(builder, code.loc,
                                                  builder.getI32Type(),
                                                  code.value(above)),
                       plan.lanes);
  Value highest = Code::isKnown(above, 0)
                      ? numbers
                      : arith::ShLIOp::create(builder, code.loc, numbers, shift)
                            .getResult();
  return code.toF32(arith::ShRSIOp::create(
      builder, code.loc, highest, words(static_cast<uint32_t>(32 - bits))));
}

Value QuantizedMatmulWriter::scale(Index columnBlock, int64_t vector,
                                   Index block) {
  return code.toF32(load(operands.scales, columnBlock, vector, block));
}

Value QuantizedMatmulWriter::zeroPoint(Index columnBlock, int64_t vector,
                                       Index block) {
  const BufferView &zeros = *operands.zeroPoints;
  if (zeros.elementType.isInteger(32))
    return number(
        loadWord(zeros, columnBlock, vector, code.divide(block, perWord)),
        code.remainder(block, code.constant(perWord)));
  Value middle = arith::ConstantOp::create(
      code.builder, code.loc,
      code.builder.getF32FloatAttr(static_cast<float>(1 << (bits - 1))));
  return arith::SubFOp::create(
      code.builder, code.loc,
      code.toF32(load(zeros, columnBlock, vector, block)),
      code.splat(middle, plan.lanes));
}

void QuantizedMatmulWriter::store(const Block &block, Index row,
                                  Index columnBlock, const ColumnBlock &columns,
                                  ArrayRef<Value> sums) {
  SmallVector<Index> position = block.position;
  position[position.size() - 2] = row;
  position.back() = code.multiply(columnBlock, plan.tileColumns());
  epilogue.store(code, position, {RowSteps()}, sums, columns.masks, plan.lanes);
}

//===----------------------------------------------------------------------===//
// One row
//===----------------------------------------------------------------------===//

/// Adds the products of the first `steps` steps of a word; `rowSum`, unless
/// null, gathers the elements of lhs.
void QuantizedMatmulWriter::addWord(Value row, Index columnBlock, Index word,
                                    int64_t steps, SmallVector<Value> &sums,
                                    Value &rowSum) {
  Type element = operands.lhs.elementType;
  Value from = code.address(
      row, element, code.multiply(code.multiply(word, perWord), lhsStride));
  int64_t vectors = static_cast<int64_t>(sums.size()) / parts;
  SmallVector<Value> packed;
  for (int64_t j = 0; j < vectors; ++j)
    packed.push_back(loadWord(operands.weights, columnBlock, j, word));
  for (int64_t step = 0; step < steps; ++step) {
    Value factor =
        code.splat(code.toF32(code.loadScalar(from, element,
                                              code.multiply(lhsStride, step))),
                   plan.lanes);
    for (int64_t j = 0; j < vectors; ++j) {
      Value &sum = sums[j * parts + step % parts];
      sum = multiplyAdd(factor, number(packed[j], code.constant(step)), sum);
    }
  }
  if (!rowSum)
    return;
  Value mask = code.laneMask(code.constant(steps), perWord);
  rowSum = arith::AddFOp::create(
      code.builder, code.loc, rowSum,
      code.toF32(code.loadVector(from, element, code.constant(0), perWord, mask,
                                 lhsStride)));
}

/// Adds the products of the first `steps` steps of a block.
SmallVector<Value> QuantizedMatmulWriter::addBlock(Value row, Index columnBlock,
                                                   Index block, int64_t steps,
                                                   ArrayRef<Value> sums) {
  OpBuilder &builder = code.builder;
  Type f32 = builder.getF32Type();
  SmallVector<Value> state(sums.size() * parts, code.zeros(f32, plan.lanes));
  if (operands.zeroPoints)
    state.push_back(code.zeros(f32, perWord));
  Index firstWord = code.multiply(block, blockDepth / perWord);
  auto add = [&](Index word, int64_t count, ValueRange before) {
    SmallVector<Value> after(before);
    Value rowSum = operands.zeroPoints ? after.pop_back_val() : Value();
    addWord(row, columnBlock, code.add(firstWord, word), count, after, rowSum);
    if (rowSum)
      after.push_back(rowSum);
    return after;
  };
  int64_t whole = steps / perWord;
  state = code.loop(code.constant(0), code.constant(whole), 1, state,
                    [&](Index word, ValueRange before) {
                      return add(word, perWord, before);
                    });
  if (steps % perWord != 0)
    state = add(code.constant(whole), steps % perWord, state);

  Value rowSum;
  if (operands.zeroPoints)
    rowSum = code.splat(vector::ReductionOp::create(
                            builder, code.loc, vector::CombiningKind::ADD,
                            state.back(), arith::FastMathFlags::reassoc),
                        plan.lanes);
  SmallVector<Value> result;
  for (auto [j, sum] : llvm::enumerate(sums)) {
    auto vector = static_cast<int64_t>(j);
    auto part = [&](int64_t i) { return state[vector * parts + i]; };
    auto plus = [&](Value a, Value b) -> Value {
      return arith::AddFOp::create(builder, code.loc, a, b);
    };
    Value total = plus(plus(part(0), part(1)), plus(part(2), part(3)));
    if (rowSum)
      total = multiplyAdd(negated(zeroPoint(columnBlock, vector, block)),
                          rowSum, total);
    result.push_back(
        multiplyAdd(scale(columnBlock, vector, block), total, sum));
  }
  return result;
}

void QuantizedMatmulWriter::oneRow(const Block &block, Index columnBlock) {
  Index row = plan.rowTiling.start(code, block.firstTile);
  Value lhs = code.address(block.lhs, operands.lhs.elementType,
                           code.multiply(row, lhsRowStride));
  int64_t whole = depth / blockDepth;
  plan.columnTiling.emit(code, columnBlock, [&](const ColumnBlock &columns) {
    SmallVector<Value> sums(columns.vectors(),
                            code.zeros(code.builder.getF32Type(), plan.lanes));
    sums = code.loop(code.constant(0), code.constant(whole), 1, sums,
                     [&](Index number, ValueRange before) {
                       return addBlock(lhs, columnBlock, number, blockDepth,
                                       SmallVector<Value>(before));
                     });
    if (depth % blockDepth != 0)
      sums = addBlock(lhs, columnBlock, code.constant(whole),
                      depth % blockDepth, sums);
    store(block, row, columnBlock, columns, sums);
  });
}

//===----------------------------------------------------------------------===//
// Several rows
//===----------------------------------------------------------------------===//

/// Unpacks `words` words of one block from `firstWord` on to row `to`.
void QuantizedMatmulWriter::unpackBlock(Index columnBlock, int64_t vectors,
                                        Index block, Index firstWord,
                                        Index words, Index to) {
  Type f32 = code.builder.getF32Type();
  SmallVector<Value> scales, terms;
  for (int64_t j = 0; j < vectors; ++j) {
    scales.push_back(scale(columnBlock, j, block));
    if (operands.zeroPoints)
      terms.push_back(
          negated(arith::MulFOp::create(code.builder, code.loc, scales.back(),
                                        zeroPoint(columnBlock, j, block))));
  }
  code.loop(code.constant(0), words, 1, [&](Index word) {
    Index row = code.add(to, code.multiply(word, perWord));
    Value place =
        code.address(unpacked, f32, code.multiply(row, plan.tileColumns()));
    for (int64_t j = 0; j < vectors; ++j) {
      Value packed =
          loadWord(operands.weights, columnBlock, j, code.add(firstWord, word));
      for (int64_t step = 0; step < perWord; ++step) {
        Value weight = number(packed, code.constant(step));
        weight = terms.empty() ? arith::MulFOp::create(code.builder, code.loc,
                                                       weight, scales[j])
                                     .getResult()
                               : multiplyAdd(weight, scales[j], terms[j]);
        code.storeVector(
            weight, place,
            code.constant(step * plan.tileColumns() + j * plan.lanes));
      }
    }
  });
}

/// Unpacks `count` steps of k from `first` on.
void QuantizedMatmulWriter::unpack(Index columnBlock, int64_t vectors,
                                   Index first, Index count) {
  Index block = code.divide(first, blockDepth);
  if (blockDepth > plan.passDepth)
    return unpackBlock(columnBlock, vectors, block, code.divide(first, perWord),
                       code.ceilDivide(count, perWord), code.constant(0));
  code.loop(code.constant(0), code.ceilDivide(count, blockDepth), 1,
            [&](Index number) {
              Index here = code.add(block, number);
              int64_t words = blockDepth / perWord;
              unpackBlock(columnBlock, vectors, here,
                          code.multiply(here, words), code.constant(words),
                          code.multiply(number, blockDepth));
            });
}

ContractionTile QuantizedMatmulWriter::tileAt(Value lhs, Index row,
                                              int64_t rows, int64_t vectors) {
  ContractionTile tile;
  tile.lhs = code.address(lhs, operands.lhs.elementType,
                          code.multiply(row, lhsRowStride));
  tile.lhsElement = operands.lhs.elementType;
  tile.rhs = unpacked;
  tile.rhsElement = code.builder.getF32Type();
  for (int64_t r = 0; r < rows; ++r)
    tile.lhsRows.push_back(code.multiply(lhsRowStride, r));
  for (int64_t j = 0; j < vectors; ++j)
    tile.rhsVectors.push_back(code.constant(j * plan.lanes));
  tile.rhsMasks.assign(vectors, Value());
  return tile;
}

void QuantizedMatmulWriter::severalRows(const Block &block,
                                        Index firstColumnBlock) {
  Index zero = code.constant(0);
  Index firstRow = plan.rowTiling.start(code, block.firstTile);
  Index rows = code.subtract(
      code.minimum(plan.rowTiling.start(code, block.lastTile), plan.rows),
      firstRow);
  Index columnBlocks =
      code.minimum(code.constant(plan.columnBlocks),
                   code.subtract(plan.columnTiling.blocks, firstColumnBlock));
  auto eachColumnBlock = [&](llvm::function_ref<void(Index, Index)> body) {
    code.loop(zero, columnBlocks, 1, [&](Index number) {
      body(code.add(firstColumnBlock, number),
           code.multiply(number, plan.tileColumns()));
    });
  };
  auto pass = [&](Index first, Index count) {
    Value lhs = code.address(block.lhs, operands.lhs.elementType,
                             code.multiply(first, lhsStride));
    ReductionLoop reduction{count, lhsStride,
                            code.constant(plan.tileColumns())};
    eachColumnBlock([&](Index columnBlock, Index column) {
      plan.columnTiling.emit(
          code, columnBlock, [&](const ColumnBlock &columns) {
            int64_t vectors = columns.vectors();
            unpack(columnBlock, vectors, first, count);
            plan.rowTiling.emit(
                code, block.firstTile, block.lastTile,
                [&](Index row, int64_t number) {
                  Index place = code.subtract(row, firstRow);
                  SmallVector<Value> sums = emitContraction(
                      code, tileAt(lhs, row, number, vectors), reduction,
                      plan.lanes,
                      waiting->load(place, column, number, vectors));
                  waiting->store(place, column, vectors, sums);
                },
                RowTiling::Tail::OneTile);
          });
    });
  };
  waiting->clear(rows);
  int64_t whole = depth / plan.passDepth * plan.passDepth;
  code.loop(zero, code.constant(whole), plan.passDepth,
            [&](Index first) { pass(first, code.constant(plan.passDepth)); });
  if (whole < depth)
    pass(code.constant(whole), code.constant(depth - whole));
  code.loop(zero, rows, 1, [&](Index row) {
    eachColumnBlock([&](Index columnBlock, Index column) {
      plan.columnTiling.emit(
          code, columnBlock, [&](const ColumnBlock &columns) {
            store(block, code.add(firstRow, row), columnBlock, columns,
                  waiting->load(row, column, 1, columns.vectors()));
          });
    });
  });
}

void QuantizedMatmulWriter::writeUnit(Index unit) {
  Index columnGroup = code.remainder(unit, plan.columnGroups);
  Index rest = code.divide(unit, plan.columnGroups);
  Index rowBlock = code.remainder(rest, plan.rowBlocks);
  Index batch = code.divide(rest, plan.rowBlocks);

  Block block{operands.lhs.pointer, {}, {}, {}};
  const BufferView &output = operands.output;
  block.position.assign(output.rank(), code.constant(0));
  if (!plan.flat) {
    for (int64_t dim = output.rank() - 3; dim >= 0; --dim) {
      block.position[dim] =
          dim == 0 ? batch : code.remainder(batch, output.sizes[dim]);
      batch = code.divide(batch, output.sizes[dim]);
    }
    block.lhs =
        code.address(block.lhs, operands.lhs.elementType,
                     batchOffset(code, operands.lhs,
                                 ArrayRef<Index>(block.position).drop_back(2)));
  }
  block.firstTile = code.multiply(rowBlock, plan.tilesPerBlock);
  block.lastTile =
      code.minimum(code.add(block.firstTile, code.constant(plan.tilesPerBlock)),
                   plan.rowTiling.tiles);
  Index first = code.multiply(columnGroup, plan.columnBlocks);
  code.branch(
      code.less(plan.rows, code.constant(2)),
      [&] {
        Index last =
            code.minimum(code.add(first, code.constant(plan.columnBlocks)),
                         plan.columnTiling.blocks);
        code.loop(first, last, 1,
                  [&](Index columnBlock) { oneRow(block, columnBlock); });
      },
      [&] { severalRows(block, first); });
}

LogicalResult onnxc::emitQuantizedMatmul(kernel::QuantizedMatmulOp op,
                                         KernelBody &body) {
  Code code(body.builder, body.loc);
  Epilogue epilogue = makeEpilogue(op, body.operands, body.scalars);
  std::string reason;
  if (failed(epilogue.check(reason)))
    return op.emitOpError() << reason;
  if (!op.getPacked())
    return op.emitOpError("weights must be packed");
  QuantizedMatmulWriter writer(code, op, body, epilogue);
  code.loop(body.begin, body.end, 1,
            [&](Index unit) { writer.writeUnit(unit); });
  return success();
}
