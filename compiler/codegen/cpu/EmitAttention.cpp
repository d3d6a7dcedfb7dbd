//===- EmitAttention.cpp - kernel.attention, a block of queries at a time -===//
//
// A unit is a block of queries of one head. Its scores are computed transposed,
// keys by queries, for a block of keys at a time: so keys and values are read
// in place, row by row, the softmax runs down the lanes, and what it makes is
// the left side of the product with the values. With more than one block of
// keys, maximum and sum are those so far, and what the output has is scaled
// down when the maximum grows.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Epilogue.h"
#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/MicroKernel.h"
#include "compiler/codegen/cpu/SquareTranspose.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;
using namespace onnxc;

/// Keys in a block: their scores stay in the nearest cache.
static constexpr int64_t keyBlock = 256;

namespace {
/// How one attention divides.
struct Plan {
  Plan(Code &code, kernel::AttentionOp op, ArrayRef<BufferView> operands,
       const Target &target);

  /// With dims in the order of the op's description.
  BufferView query, key, value, output;
  TileSize tile;
  int64_t lanes, blockQueries;
  Index queries, keys, queryBlocks, batches;
  int64_t width;
};
} // namespace

static BufferView inOrder(const BufferView &view, ArrayRef<int64_t> order) {
  BufferView result = view;
  result.sizes = applyPermutation(view.sizes, order);
  result.strides = applyPermutation(view.strides, order);
  return result;
}

Plan::Plan(Code &code, kernel::AttentionOp op, ArrayRef<BufferView> operands,
           const Target &target)
    : query(inOrder(operands[0], op.getQueryOrder())),
      key(inOrder(operands[1], op.getKeyOrder())),
      value(inOrder(operands[2], op.getValueOrder())),
      output(inOrder(operands.back(), op.getInitOrder())),
      tile(fitTile({0, 0}, target, /*packed=*/false)), lanes(target.f32Lanes()),
      blockQueries(tile.vectors * lanes),
      queries(query.sizes[query.rank() - 2]), keys(key.sizes[key.rank() - 2]),
      queryBlocks(code.ceilDivide(queries, blockQueries)),
      batches(code.constant(1)), width(*Code::known(query.sizes.back())) {
  for (Index size : ArrayRef<Index>(output.sizes).drop_back(2))
    batches = code.multiply(batches, size);
}

ParallelExtent onnxc::attentionExtent(Code &code, kernel::AttentionOp op,
                                      ArrayRef<BufferView> operands,
                                      const Target &target) {
  Plan plan(code, op, operands, target);
  int64_t keys = Code::known(plan.keys).value_or(typicalSize);
  int64_t columns = Code::known(plan.value.sizes.back()).value_or(typicalSize);
  return {code.multiply(plan.batches, plan.queryBlocks),
          2 * plan.blockQueries * keys * (plan.width + columns)};
}

namespace {
/// Writes one unit.
class Writer {
public:
  Writer(Code &code, kernel::AttentionOp op, const KernelBody &body,
         const Plan &plan);

  LogicalResult check(std::string &reason) {
    return Epilogue(op.getEpilogueBlock(), op.getEpilogueMaps(),
                    epilogueOperands(), epilogueScalars(), plan.output)
        .check(reason);
  }
  void write(Index unit);

private:
  ArrayRef<BufferView> epilogueOperands() {
    return body.operands.slice(3, op.getEpilogueOperands().size());
  }
  ArrayRef<Value> epilogueScalars() {
    return body.scalars.slice(3, op.getEpilogueOperands().size());
  }
  Value splat(float value);
  void clear(Value memory, int64_t elements);
  void packQueries();
  void scoreKeys(Index first, Index count);
  void softmax(Index count, Value isLast);
  void addValues(Index first, Index count, Value isLast);
  void clearOutput();

  Code &code;
  kernel::AttentionOp op;
  const KernelBody &body;
  const Plan &plan;
  Type f32;

  // On the stack of the kernel's function.
  Value packedQueries; ///< [width, blockQueries]
  Value scores;        ///< [keyBlock, blockQueries]
  Value maxima, sums;  ///< [blockQueries], so far
  Value shrink;        ///< by which the output so far is multiplied
  Value finish;        ///< by which the output is multiplied at last, else 1

  /// For each epilogue operand that has a row for each query, a block of it:
  /// [keyBlock, blockQueries].
  SmallVector<Value> masks;

  // Of the unit.
  SmallVector<Index> batch;
  Index firstQuery, countQueries;
  Value query, key, value, output;
};
} // namespace

Writer::Writer(Code &code, kernel::AttentionOp op, const KernelBody &body,
               const Plan &plan)
    : code(code), op(op), body(body), plan(plan),
      f32(code.builder.getF32Type()) {
  packedQueries = code.stackMemory(f32, plan.width * plan.blockQueries);
  scores = code.stackMemory(f32, keyBlock * plan.blockQueries);
  for (Value *each : {&maxima, &sums, &shrink, &finish})
    *each = code.stackMemory(f32, plan.blockQueries);
  // Lanes without a query are computed, too: they need some number.
  clear(scores, keyBlock * plan.blockQueries);
  int64_t rank = plan.output.rank();
  for (Attribute attribute : op.getEpilogueMaps()) {
    AffineMap map = cast<AffineMapAttr>(attribute).getValue();
    bool isMatrix =
        map.isFunctionOfDim(rank - 2) && map.isFunctionOfDim(rank - 1);
    masks.push_back(isMatrix
                        ? code.stackMemory(f32, keyBlock * plan.blockQueries)
                        : Value());
    if (isMatrix)
      clear(masks.back(), keyBlock * plan.blockQueries);
  }
}

Value Writer::splat(float value) {
  Value scalar = arith::ConstantOp::create(
      code.builder, code.loc, code.builder.getFloatAttr(f32, value));
  return code.splat(scalar, plan.lanes);
}

void Writer::clear(Value memory, int64_t elements) {
  Value zero = code.zeros(f32, plan.lanes);
  code.loop(code.constant(0), code.constant(elements), plan.lanes,
            [&](Index at) { code.storeVector(zero, memory, at); });
}

/// Queries as columns: `packed[d][s]`.
void Writer::packQueries() {
  code.branch(code.less(countQueries, code.constant(plan.blockQueries)),
              [&] { clear(packedQueries, plan.width * plan.blockQueries); });
  copyTransposed(code,
                 {query, countQueries, code.constant(plan.width),
                  plan.query.strides[plan.query.rank() - 2],
                  plan.query.strides.back()},
                 packedQueries, plan.blockQueries, plan.lanes);
}

/// Scores of `count` keys from `first` on.
void Writer::scoreKeys(Index first, Index count) {
  int64_t rank = plan.output.rank(), lanes = plan.lanes;
  // The epilogue as it is seen from a tile of keys by queries.
  SmallVector<AffineExpr> swapped;
  for (int64_t dim = 0; dim < rank; ++dim)
    swapped.push_back(code.builder.getAffineDimExpr(dim));
  std::swap(swapped[rank - 2], swapped[rank - 1]);
  AffineMap swap = AffineMap::get(rank, 0, swapped, code.builder.getContext());
  SmallVector<Index> origin(batch);
  origin.append({first, firstQuery});
  SmallVector<Attribute> maps;
  SmallVector<BufferView> operands(epilogueOperands());
  bool alongQueries = false;
  for (auto [number, view] : llvm::enumerate(operands)) {
    AffineMap map = cast<AffineMapAttr>(op.getEpilogueMaps()[number])
                        .getValue()
                        .compose(swap);
    maps.push_back(AffineMapAttr::get(map));
    if (!view.pointer)
      continue;
    std::optional<unsigned> keyDim, queryDim;
    for (auto [position, expr] : llvm::enumerate(map.getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
        if (dim.getPosition() == rank - 2)
          keyDim = position;
        if (dim.getPosition() == rank - 1)
          queryDim = position;
        view.pointer = code.address(
            view.pointer, view.elementType,
            code.multiply(origin[dim.getPosition()], view.strides[position]));
      }
    alongQueries |= queryDim && !keyDim;
    if (!queryDim || !keyDim)
      continue;
    // A mask has a row for each query: transposed, too, it is read by vectors.
    copyTransposed(code,
                   {view.pointer, countQueries, count, view.strides[*queryDim],
                    view.strides[*keyDim]},
                   masks[number], plan.blockQueries, lanes);
    view.pointer = masks[number];
    view.strides[*queryDim] = code.constant(1);
    view.strides[*keyDim] = code.constant(plan.blockQueries);
  }
  BufferView tileOutput;
  tileOutput.pointer = scores;
  tileOutput.elementType = f32;
  tileOutput.strides.assign(rank, code.constant(0));
  tileOutput.sizes.assign(rank, code.constant(1));
  tileOutput.strides[rank - 2] = code.constant(plan.blockQueries);
  tileOutput.strides[rank - 1] = code.constant(1);
  Epilogue epilogue(op.getEpilogueBlock(), code.builder.getArrayAttr(maps),
                    operands, epilogueScalars(), tileOutput);

  SmallVector<Value> queryMasks(plan.tile.vectors);
  if (alongQueries)
    for (auto [j, mask] : llvm::enumerate(queryMasks))
      mask = code.laneMask(
          code.subtract(countQueries, code.constant(j * lanes)), lanes);
  Index keyRow = plan.key.strides[rank - 2];
  ReductionLoop reduction{code.constant(plan.width), plan.key.strides.back(),
                          code.constant(plan.blockQueries)};
  SmallVector<Index> position(rank, code.constant(0));
  RowTiling(code, count, plan.tile.rows)
      .emit(code, [&](Index start, int64_t rows) {
        ContractionTile tile;
        tile.lhs = code.address(key, f32,
                                code.multiply(code.add(first, start), keyRow));
        tile.lhsElement = tile.rhsElement = f32;
        tile.rhs = packedQueries;
        SmallVector<RowSteps> steps;
        for (int64_t r = 0; r < rows; ++r) {
          tile.lhsRows.push_back(code.multiply(keyRow, r));
          steps.push_back({Step{static_cast<unsigned>(rank - 2), r}});
        }
        for (int64_t j = 0; j < plan.tile.vectors; ++j)
          tile.rhsVectors.push_back(code.constant(j * lanes));
        tile.rhsMasks.assign(plan.tile.vectors, Value());
        SmallVector<Value> products =
            emitContraction(code, tile, reduction, lanes);
        position[rank - 2] = start;
        epilogue.store(code, position, steps, products, queryMasks, lanes);
      });
}

/// Scores become exponentials; maxima, sums and factors follow. A NaN is not a
/// maximum: its exponential is NaN, and so is the sum.
void Writer::softmax(Index count, Value isLast) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  int64_t lanes = plan.lanes;
  Value zero = code.zeros(f32, lanes), one = splat(1);
  Value lowest = splat(-std::numeric_limits<float>::infinity());
  auto larger = [&](Value a, Value c) {
    Value more = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, a, c);
    return arith::SelectOp::create(b, loc, more, a, c).getResult();
  };
  for (int64_t j = 0; j < plan.tile.vectors; ++j) {
    Index lane = code.constant(j * lanes);
    auto at = [&](Index keyIndex) {
      return code.add(code.multiply(keyIndex, plan.blockQueries), lane);
    };
    Value before = code.loadVector(maxima, f32, lane, lanes);
    Value maximum = code.loop(
        code.constant(0), count, 1, before, [&](Index t, ValueRange carried) {
          Value x = code.loadVector(scores, f32, at(t), lanes);
          return SmallVector<Value>{larger(x, carried.front())};
        })[0];
    // With nothing but -inf, exponentials of -inf, not of a NaN.
    Value isEmpty = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ,
                                          maximum, lowest);
    Value shift = arith::SelectOp::create(b, loc, isEmpty, zero, maximum);
    Value factor = math::ExpOp::create(
        b, loc, arith::SubFOp::create(b, loc, before, shift));
    Value sum = arith::MulFOp::create(
        b, loc, code.loadVector(sums, f32, lane, lanes), factor);
    sum = code.loop(code.constant(0), count, 1, sum,
                    [&](Index t, ValueRange carried) {
                      Value x = code.loadVector(scores, f32, at(t), lanes);
                      x = math::ExpOp::create(
                          b, loc, arith::SubFOp::create(b, loc, x, shift));
                      code.storeVector(x, scores, at(t));
                      return SmallVector<Value>{
                          arith::AddFOp::create(b, loc, carried.front(), x)};
                    })[0];
    code.storeVector(maximum, maxima, lane);
    code.storeVector(sum, sums, lane);
    code.storeVector(factor, shrink, lane);
    Value scale = arith::DivFOp::create(b, loc, one, sum);
    code.storeVector(arith::SelectOp::create(b, loc, isLast, scale, one),
                     finish, lane);
  }
}

/// Adds exponentials times values to the output.
void Writer::addValues(Index first, Index count, Value isLast) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  int64_t rank = plan.output.rank(), lanes = plan.lanes;
  Index valueRow = plan.value.strides[rank - 2],
        valueColumn = plan.value.strides.back(),
        outputRow = plan.output.strides[rank - 2],
        outputColumn = plan.output.strides.back();
  Value block = code.address(value, f32, code.multiply(first, valueRow));
  ReductionLoop reduction{count, code.constant(plan.blockQueries), valueRow};
  ColumnTiling columnTiling(code, plan.value.sizes.back(), plan.tile.vectors,
                            lanes);
  code.loop(code.constant(0), columnTiling.blocks, 1, [&](Index columnBlock) {
    Index column = code.multiply(columnBlock, plan.tile.vectors * lanes);
    columnTiling.emit(code, columnBlock, [&](const ColumnBlock &columns) {
      auto tileOf = [&](Index start, int64_t rows) {
        ContractionTile tile;
        tile.lhs = code.address(scores, f32, start);
        tile.lhsElement = tile.rhsElement = f32;
        tile.rhs = code.address(block, f32, code.multiply(column, valueColumn));
        tile.rhsColumnStride = valueColumn;
        tile.rhsMasks = columns.masks;
        for (int64_t r = 0; r < rows; ++r)
          tile.lhsRows.push_back(code.constant(r));
        for (int64_t j = 0; j < columns.vectors(); ++j)
          tile.rhsVectors.push_back(code.multiply(valueColumn, j * lanes));
        SmallVector<Value> products =
            emitContraction(code, tile, reduction, lanes);
        Value to = code.address(
            code.address(output, f32, code.multiply(start, outputRow)), f32,
            code.multiply(column, outputColumn));
        auto store = [&](bool isFirst) {
          for (int64_t r = 0; r < rows; ++r) {
            Index at = code.add(start, code.constant(r));
            auto perRow = [&](Value array) {
              return code.splat(code.loadScalar(array, f32, at), lanes);
            };
            Value factor = perRow(finish), shrunk;
            if (!isFirst)
              shrunk = perRow(shrink);
            Value keeps;
            if (op.getZeroNanRows()) {
              // A sum that is 0 or NaN is that of such a row.
              Value zero =
                  arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0));
              Value good =
                  arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT,
                                        code.loadScalar(sums, f32, at), zero);
              Value yes =
                  arith::ConstantOp::create(b, loc, b.getBoolAttr(true));
              Value open = arith::XOrIOp::create(b, loc, isLast, yes);
              keeps = arith::OrIOp::create(b, loc, good, open);
            }
            for (int64_t j = 0; j < columns.vectors(); ++j) {
              Index place = code.add(code.multiply(outputRow, r),
                                     code.multiply(outputColumn, j * lanes));
              Value sum = products[r * columns.vectors() + j];
              if (!isFirst)
                sum = vector::FMAOp::create(
                    b, loc,
                    code.loadVector(to, f32, place, lanes, columns.masks[j],
                                    outputColumn),
                    shrunk, sum);
              sum = arith::MulFOp::create(b, loc, sum, factor);
              if (keeps)
                sum = arith::SelectOp::create(b, loc, keeps, sum,
                                              code.zeros(f32, lanes));
              code.storeVector(sum, to, place, columns.masks[j], outputColumn);
            }
          }
        };
        code.branch(
            code.less(code.constant(0), first), [&] { store(false); },
            [&] { store(true); });
      };
      RowTiling(code, countQueries, plan.tile.rows).emit(code, tileOf);
    });
  });
}

/// No keys: a product over nothing.
void Writer::clearOutput() {
  int64_t rank = plan.output.rank(), lanes = plan.lanes;
  Index columns = plan.output.sizes.back();
  code.loop(code.constant(0), countQueries, 1, [&](Index s) {
    Value row = code.address(output, f32,
                             code.multiply(s, plan.output.strides[rank - 2]));
    code.loop(code.constant(0), columns, lanes, [&](Index column) {
      Index stride = plan.output.strides.back();
      code.storeVector(
          code.zeros(f32, lanes), row, code.multiply(column, stride),
          code.laneMask(code.subtract(columns, column), lanes), stride);
    });
  });
}

void Writer::write(Index unit) {
  int64_t rank = plan.output.rank();
  Index rest = code.divide(unit, plan.queryBlocks);
  firstQuery =
      code.multiply(code.remainder(unit, plan.queryBlocks), plan.blockQueries);
  countQueries = code.minimum(code.subtract(plan.queries, firstQuery),
                              code.constant(plan.blockQueries));
  batch.assign(rank - 2, code.constant(0));
  for (int64_t dim = rank - 3; dim >= 0; --dim) {
    batch[dim] = dim == 0 ? rest : code.remainder(rest, plan.output.sizes[dim]);
    rest = code.divide(rest, plan.output.sizes[dim]);
  }
  auto place = [&](const BufferView &view, Index row) {
    Index offset = code.add(batchOffset(code, view, batch),
                            code.multiply(row, view.strides[rank - 2]));
    return code.address(view.pointer, f32, offset);
  };
  query = place(plan.query, firstQuery);
  key = place(plan.key, code.constant(0));
  value = place(plan.value, code.constant(0));
  output = place(plan.output, firstQuery);

  Value lowest = splat(-std::numeric_limits<float>::infinity());
  Value zero = code.zeros(f32, plan.lanes);
  for (int64_t lane = 0; lane < plan.blockQueries; lane += plan.lanes) {
    code.storeVector(lowest, maxima, code.constant(lane));
    code.storeVector(zero, sums, code.constant(lane));
  }
  packQueries();
  code.loop(code.constant(0), plan.keys, keyBlock, [&](Index first) {
    Index left = code.subtract(plan.keys, first);
    Index count = code.minimum(left, code.constant(keyBlock));
    Value isLast = arith::CmpIOp::create(
        code.builder, code.loc, arith::CmpIPredicate::sle, code.value(left),
        code.value(code.constant(keyBlock)));
    scoreKeys(first, count);
    softmax(count, isLast);
    addValues(first, count, isLast);
  });
  code.branch(
      code.less(code.constant(0), plan.keys), [] {}, [&] { clearOutput(); });
}

LogicalResult onnxc::emitAttention(kernel::AttentionOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  Plan plan(code, op, body.operands, body.target);
  Writer writer(code, op, body, plan);
  std::string reason;
  if (failed(writer.check(reason)))
    return op.emitOpError() << reason;
  code.loop(body.begin, body.end, 1, [&](Index unit) { writer.write(unit); });
  return success();
}
