//===- Determinant.cpp - Det ----------------------------------------------===//

#include "compiler/lower/Elementwise.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// A square matrix in a tensor that loops hand on.
struct Elimination {
  Location loc;
  Value size;
  Type element;

  Value at(OpBuilder &b, Value matrix, Value row, Value column) const {
    return tensor::ExtractOp::create(b, loc, matrix, ValueRange{row, column});
  }
  Value findPivot(OpBuilder &b, Value matrix, Value step) const;
  Value swapRows(OpBuilder &b, Value matrix, Value step, Value other) const;
  Value eliminate(OpBuilder &b, Value matrix, Value step, Value pivot) const;
  Value determinant(OpBuilder &b, Value matrix) const;
};
} // namespace

/// The row from `step` on whose element in that column has the greatest size.
Value Elimination::findPivot(OpBuilder &b, Value matrix, Value step) const {
  Scalars s{b, loc};
  Value one = s.integer(b.getIndexType(), 1);
  return scf::ForOp::create(
             b, loc, s.add(step, one), size, one,
             ValueRange{step, s.abs(at(b, matrix, step, step))},
             [&](OpBuilder &nested, Location, Value row, ValueRange state) {
               Scalars inner{nested, loc};
               Value x = inner.abs(at(nested, matrix, row, step));
               Value more =
                   inner.compare(Comparison::Greater, x, state[1], false);
               scf::YieldOp::create(
                   nested, loc,
                   ValueRange{inner.select(more, row, state[0]),
                              inner.select(more, x, state[1])});
             })
      .getResult(0);
}

/// Exchanges what is from column `step` on in the rows `step` and `other`.
Value Elimination::swapRows(OpBuilder &b, Value matrix, Value step,
                            Value other) const {
  Value one = Scalars{b, loc}.integer(b.getIndexType(), 1);
  return scf::ForOp::create(
             b, loc, step, size, one, matrix,
             [&](OpBuilder &nested, Location, Value column, ValueRange state) {
               Value x = at(nested, state[0], step, column);
               Value y = at(nested, state[0], other, column);
               Value half = tensor::InsertOp::create(nested, loc, y, state[0],
                                                     ValueRange{step, column});
               Value done = tensor::InsertOp::create(nested, loc, x, half,
                                                     ValueRange{other, column});
               scf::YieldOp::create(nested, loc, done);
             })
      .getResult(0);
}

/// Subtracts from the rows below `step` its multiples that clear the column.
Value Elimination::eliminate(OpBuilder &b, Value matrix, Value step,
                             Value pivot) const {
  Scalars s{b, loc};
  Value one = s.integer(b.getIndexType(), 1), next = s.add(step, one);
  // Below a pivot of 0 all is 0, and so is the determinant.
  Value isZero =
      s.compare(Comparison::Equal, pivot, s.constant(element, 0), false);
  Value divisor = s.select(isZero, s.constant(element, 1), pivot);
  auto columns = [&](OpBuilder &nested, Value row, Value rows) -> Value {
    Scalars inner{nested, loc};
    Value factor = inner.div(at(nested, rows, row, step), divisor, false);
    return scf::ForOp::create(
               nested, loc, next, size, one, rows,
               [&](OpBuilder &body, Location, Value column, ValueRange state) {
                 Scalars t{body, loc};
                 Value upper = at(body, state[0], step, column);
                 Value x = t.sub(at(body, state[0], row, column),
                                 t.mul(factor, upper));
                 Value written = tensor::InsertOp::create(
                     body, loc, x, state[0], ValueRange{row, column});
                 scf::YieldOp::create(body, loc, written);
               })
        .getResult(0);
  };
  return scf::ForOp::create(
             b, loc, next, size, one, matrix,
             [&](OpBuilder &nested, Location, Value row, ValueRange state) {
               scf::YieldOp::create(nested, loc,
                                    columns(nested, row, state[0]));
             })
      .getResult(0);
}

/// The product of the pivots, negated by each exchange of rows.
Value Elimination::determinant(OpBuilder &b, Value matrix) const {
  Scalars s{b, loc};
  Type index = b.getIndexType();
  auto loop = scf::ForOp::create(
      b, loc, s.integer(index, 0), size, s.integer(index, 1),
      ValueRange{matrix, s.constant(element, 1)},
      [&](OpBuilder &nested, Location, Value step, ValueRange state) {
        Scalars inner{nested, loc};
        Value row = findPivot(nested, state[0], step);
        Value swapped = swapRows(nested, state[0], step, row);
        Value pivot = at(nested, swapped, step, step);
        Value isSame = inner.compare(Comparison::Equal, row, step, false);
        Value product = inner.mul(state[1], pivot);
        product = inner.select(isSame, product, inner.negate(product));
        Value rest = eliminate(nested, swapped, step, pivot);
        scf::YieldOp::create(nested, loc, ValueRange{rest, product});
      });
  return loop.getResult(1);
}

/// Of each matrix [M, M] in the last two dims, by elimination with the greatest
/// pivot of a column.
static LogicalResult lowerDet(Lowering &l, OnnxNode n) {
  Value input = n.in(0);
  int64_t rank = l.rank(input);
  if (rank < 2)
    return l.refuse("the input must have rank 2 or more");
  Dims dims = l.dims(input);
  l.requireEqual(dims[rank - 2], dims[rank - 1], "the sides of a matrix");
  Type element = l.elementType(input), compute = computeType(element);
  Value tensor = l.convert(l.value(input), element, compute);
  OpFoldResult size = dims.back();
  Dims outer(ArrayRef(dims).drop_back(2));
  SmallVector<Value> low, high, step;
  for (OpFoldResult dim : outer) {
    low.push_back(l.index(0));
    high.push_back(l.index(dim));
    step.push_back(l.index(1));
  }
  Elimination elimination{l.loc, l.index(size), compute};
  auto one = [&](OpBuilder &nested, Location loc, ValueRange at,
                 ValueRange state) -> scf::ValueVector {
    // Works on a copy of the matrix.
    Scalars s{nested, loc};
    Type index = nested.getIndexType();
    Value zero = s.integer(index, 0), unit = s.integer(index, 1);
    Value scratch =
        tensor::EmptyOp::create(nested, loc, Dims{size, size}, compute);
    Value matrix =
        scf::buildLoopNest(
            nested, loc, {zero, zero}, {elimination.size, elimination.size},
            {unit, unit}, scratch,
            [&](OpBuilder &body, Location, ValueRange place,
                ValueRange copied) -> scf::ValueVector {
              SmallVector<Value> from(at);
              llvm::append_range(from, place);
              Value x = tensor::ExtractOp::create(body, loc, tensor, from);
              return {tensor::InsertOp::create(body, loc, x, copied[0], place)};
            })
            .results[0];
    Value result = elimination.determinant(nested, matrix);
    return {tensor::InsertOp::create(nested, loc, result, state[0], at)};
  };
  SmallVector<Value> results{l.empty(compute, outer)};
  results = outer.empty()
                ? one(l.b, l.loc, {}, results)
                : scf::buildLoopNest(l.b, l.loc, low, high, step, results, one)
                      .results;
  l.set(n.out(), l.convert(results[0], compute, element));
  return success();
}

void onnxc::addDeterminant(LoweringTable &table) {
  table.onOp("Det", lowerDet);
}
