//===- Unique.cpp - Unique ------------------------------------------------===//
//
// Slices along an axis are sorted by their elements, with a stable merge sort
// of their positions, or, where each is one number, by that number's digits;
// equal ones are neighbours then, the first of them first.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/ComplexNumbers.h"
#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/NarrowTypes.h"
#include "compiler/lower/Ranks.h"
#include "compiler/lower/Strings.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// A tensor's slices along an axis, as rows of a matrix.
struct Rows {
  Lowering &l;
  /// [count, width] each: elements are compared by the first, where they are
  /// equal by the next.
  SmallVector<Value> matrices;
  Value count, width; ///< of type index
  bool isUnsigned;

  Value at(Scalars &s, Value matrix, Value row, Value column) const {
    return tensor::ExtractOp::create(s.b, s.loc, matrix,
                                     ValueRange{row, column});
  }
  bool isSingle() const { return getConstantIntValue(width) == 1; }
  Value firstDifference(Scalars &s, Value x, Value y) const;
  Value sameAt(Scalars &s, Value x, Value y, Value column) const;
  Value lessAt(Scalars &s, Value x, Value y, Value column) const;
  Value equal(Scalars &s, Value x, Value y) const;
  Value less(Scalars &s, Value x, Value y) const;
  Value merge(Scalars &s, Value order, Value into, Value run) const;
  Value sorted() const;
  Value sortedByDigits() const;
};

/// The groups of equal rows: tensors with a place for each row, of which the
/// first `count` hold a group each.
struct Groups {
  Value groupOf; ///< of each row, the group
  Value first;   ///< of each group, the first row
  Value sizes;
  Value count;
};
} // namespace

/// Whether two elements are equal; a NaN equals another.
static Value sameElement(Scalars &s, Value x, Value y) {
  Value same = s.compare(Comparison::Equal, x, y, false);
  if (!Scalars::isFloat(x))
    return same;
  return s.logicalOr(same, s.logicalAnd(s.isNaN(x), s.isNaN(y)));
}

/// Whether `x` comes before `y`; NaN comes last.
static Value lessElement(Scalars &s, Value x, Value y, bool isUnsigned) {
  Value less = s.compare(Comparison::Less, x, y, isUnsigned);
  if (!Scalars::isFloat(x))
    return less;
  return s.logicalOr(less, s.logicalAnd(s.isNaN(y), s.logicalNot(s.isNaN(x))));
}

/// The first column in which rows `x` and `y` differ, or the width.
Value Rows::firstDifference(Scalars &s, Value x, Value y) const {
  Type index = s.b.getIndexType();
  return scf::WhileOp::create(
             s.b, s.loc, TypeRange{index}, ValueRange{s.integer(index, 0)},
             [&](OpBuilder &nested, Location loc, ValueRange state) {
               Scalars inner{nested, loc};
               Value inside =
                   inner.compare(Comparison::Less, state[0], width, false);
               auto goOn = scf::IfOp::create(
                   nested, loc, inside,
                   [&](OpBuilder &then, Location) {
                     Scalars t{then, loc};
                     scf::YieldOp::create(then, loc, sameAt(t, x, y, state[0]));
                   },
                   [&](OpBuilder &otherwise, Location) {
                     scf::YieldOp::create(otherwise, loc, inside);
                   });
               scf::ConditionOp::create(nested, loc, goOn.getResult(0), state);
             },
             [&](OpBuilder &nested, Location loc, ValueRange state) {
               Scalars inner{nested, loc};
               Value next = inner.add(state[0], inner.integer(index, 1));
               scf::YieldOp::create(nested, loc, next);
             })
      .getResult(0);
}

/// Whether rows `x` and `y` have equal elements in a column.
Value Rows::sameAt(Scalars &s, Value x, Value y, Value column) const {
  Value same;
  for (Value matrix : matrices) {
    Value equal =
        sameElement(s, at(s, matrix, x, column), at(s, matrix, y, column));
    same = same ? s.logicalAnd(same, equal) : equal;
  }
  return same;
}

/// Whether row `x` has the lesser element there.
Value Rows::lessAt(Scalars &s, Value x, Value y, Value column) const {
  Value before;
  for (Value matrix : llvm::reverse(matrices)) {
    Value a = at(s, matrix, x, column), b = at(s, matrix, y, column);
    Value less = lessElement(s, a, b, isUnsigned);
    before = before ? s.select(sameElement(s, a, b), before, less) : less;
  }
  return before;
}

// Rows of one element, the usual case, are compared without a branch: in a
// merge none could be foreseen.

Value Rows::equal(Scalars &s, Value x, Value y) const {
  if (isSingle())
    return sameAt(s, x, y, s.integer(s.b.getIndexType(), 0));
  return s.compare(Comparison::Equal, firstDifference(s, x, y), width, false);
}

/// Whether row `x` comes before `y`.
Value Rows::less(Scalars &s, Value x, Value y) const {
  if (isSingle())
    return lessAt(s, x, y, s.integer(s.b.getIndexType(), 0));
  Value column = firstDifference(s, x, y);
  Value differ = s.compare(Comparison::Less, column, width, false);
  return scf::IfOp::create(
             s.b, s.loc, differ,
             [&](OpBuilder &then, Location loc) {
               Scalars t{then, loc};
               scf::YieldOp::create(then, loc, lessAt(t, x, y, column));
             },
             [&](OpBuilder &otherwise, Location loc) {
               scf::YieldOp::create(otherwise, loc, differ);
             })
      .getResult(0);
}

/// Merges neighbouring runs of `run` sorted rows each from `order` to `into`.
Value Rows::merge(Scalars &s, Value order, Value into, Value run) const {
  Type index = s.b.getIndexType();
  Value zero = s.integer(index, 0), one = s.integer(index, 1);
  auto pairs = scf::ForOp::create(
      s.b, s.loc, zero, count, s.add(run, run), into,
      [&](OpBuilder &nested, Location loc, Value low, ValueRange state) {
        Scalars inner{nested, loc};
        Value middle = inner.min(inner.add(low, run), count, false);
        Value high = inner.min(inner.add(middle, run), count, false);
        auto places = scf::ForOp::create(
            nested, loc, low, high, one, ValueRange{state[0], low, middle},
            [&](OpBuilder &b, Location, Value place, ValueRange now) {
              Scalars t{b, loc};
              Value left = now[1], right = now[2];
              auto read = [&](OpBuilder &builder, Value from) -> Value {
                return tensor::ExtractOp::create(builder, loc, order, from);
              };
              Value hasLeft = t.compare(Comparison::Less, left, middle, false);
              Value hasRight = t.compare(Comparison::Less, right, high, false);
              auto choice = scf::IfOp::create(
                  b, loc, t.logicalAnd(hasLeft, hasRight),
                  [&](OpBuilder &then, Location) {
                    Scalars both{then, loc};
                    Value isLess =
                        less(both, read(then, right), read(then, left));
                    scf::YieldOp::create(then, loc, both.logicalNot(isLess));
                  },
                  [&](OpBuilder &otherwise, Location) {
                    scf::YieldOp::create(otherwise, loc, hasLeft);
                  });
              Value fromLeft = choice.getResult(0);
              Value row = read(b, t.select(fromLeft, left, right));
              Value written =
                  tensor::InsertOp::create(b, loc, row, now[0], place);
              scf::YieldOp::create(
                  b, loc,
                  ValueRange{written,
                             t.select(fromLeft, t.add(left, one), left),
                             t.select(fromLeft, right, t.add(right, one))});
            });
        scf::YieldOp::create(nested, loc, places.getResult(0));
      });
  return pairs.getResult(0);
}

/// The same for rows of one number: by its lower half, then by its upper one.
Value Rows::sortedByDigits() const {
  Type index = l.b.getIndexType(), i64 = l.b.getI64Type();
  OpFoldResult size = getAsOpFoldResult(count);
  l.requireAtMost(size, l.attr(mostRanked), "the number of elements");
  // Not tensor.empty: equal ones may share their memory.
  Value ranks = destination(l, i64, {size});
  SortScratch scratch{destination(l, i64, {size}),
                      destination(l, index, {l.attr(SortScratch::digits)})};
  Value matrix = matrices.front();
  Type element = cast<RankedTensorType>(matrix.getType()).getElementType();
  Scalars outer{l.b, l.loc};
  for (int64_t half = 0; half * 32 < element.getIntOrFloatBitWidth(); ++half) {
    auto ranked = scf::ForOp::create(
        l.b, l.loc, l.index(0), count, l.index(1), ranks,
        [&](OpBuilder &b, Location loc, Value i, ValueRange state) {
          Scalars s{b, loc};
          Value position = s.fromIndex(i, i64);
          if (half)
            position =
                positionIn(s, tensor::ExtractOp::create(b, loc, state[0], i));
          Value x = at(s, matrix, s.toIndex(position), s.integer(index, 0));
          Value bits = orderedBits(s, x, isUnsigned);
          if (half)
            bits = arith::ShRUIOp::create(b, loc, bits, s.integer(i64, 32));
          if (bits.getType() == i64)
            bits = arith::TruncIOp::create(b, loc, b.getI32Type(), bits);
          Value rank = rankOfBits(s, bits, position, /*greaterFirst=*/false);
          scf::YieldOp::create(
              b, loc,
              tensor::InsertOp::create(b, loc, rank, state[0], i).getResult());
        });
    // Those that are equal in this half keep the order of the other.
    Value areInOrder = outer.integer(l.b.getI1Type(), 1);
    ranks = sortRanks(outer, ranked.getResult(0), count, areInOrder, scratch);
  }
  return l.pull(index, {size}, [&](OpBuilder &b, ArrayRef<Value> at) {
    Scalars s{b, l.loc};
    return s.toIndex(
        positionIn(s, tensor::ExtractOp::create(b, l.loc, ranks, at[0])));
  });
}

/// The rows' numbers in order.
Value Rows::sorted() const {
  if (isSingle() && matrices.size() == 1)
    return sortedByDigits();
  Type index = l.b.getIndexType();
  OpFoldResult size = getAsOpFoldResult(count);
  Value order = l.pull(index, {size},
                       [](OpBuilder &, ArrayRef<Value> at) { return at[0]; });
  Value scratch = l.empty(index, {size});
  auto loop = scf::WhileOp::create(
      l.b, l.loc, TypeRange{order.getType(), scratch.getType(), index},
      ValueRange{order, scratch, l.index(1)},
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Value isUnsorted = Scalars{nested, loc}.compare(Comparison::Less,
                                                        state[2], count, false);
        scf::ConditionOp::create(nested, loc, isUnsorted, state);
      },
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Scalars s{nested, loc};
        Value merged = merge(s, state[0], state[1], state[2]);
        Value back =
            linalg::CopyOp::create(nested, loc, merged, state[0]).getResult(0);
        scf::YieldOp::create(
            nested, loc, ValueRange{back, merged, s.add(state[2], state[2])});
      });
  return loop.getResult(0);
}

/// The groups in the order of their rows.
static Groups groupsOf(const Rows &rows) {
  Lowering &l = rows.l;
  Value order = rows.sorted();
  Type index = l.b.getIndexType();
  OpFoldResult size = getAsOpFoldResult(rows.count);
  Value none = l.empty(index, {size});
  auto loop = scf::ForOp::create(
      l.b, l.loc, l.index(0), rows.count, l.index(1),
      ValueRange{none, l.filled(index, {size}, l.b.getIndexAttr(0)),
                 l.filled(index, {size}, l.b.getIndexAttr(0)), l.index(0)},
      [&](OpBuilder &b, Location loc, Value place, ValueRange state) {
        Scalars s{b, loc};
        Value zero = s.integer(index, 0), one = s.integer(index, 1);
        Value row = tensor::ExtractOp::create(b, loc, order, place);
        Value isStart = s.compare(Comparison::Equal, place, zero, false);
        auto choice = scf::IfOp::create(
            b, loc, isStart,
            [&](OpBuilder &then, Location) {
              scf::YieldOp::create(then, loc, isStart);
            },
            [&](OpBuilder &otherwise, Location) {
              Scalars t{otherwise, loc};
              Value previous = tensor::ExtractOp::create(otherwise, loc, order,
                                                         t.sub(place, one));
              Value same = rows.equal(t, previous, row);
              scf::YieldOp::create(otherwise, loc, t.logicalNot(same));
            });
        Value isNew = choice.getResult(0);
        Value count = s.select(isNew, s.add(state[3], one), state[3]);
        Value group = s.sub(count, one);
        Value first = s.select(
            isNew, row,
            tensor::ExtractOp::create(b, loc, state[1], group).getResult());
        Value members =
            s.add(tensor::ExtractOp::create(b, loc, state[2], group), one);
        scf::YieldOp::create(
            b, loc,
            ValueRange{
                tensor::InsertOp::create(b, loc, group, state[0], row),
                tensor::InsertOp::create(b, loc, first, state[1], group),
                tensor::InsertOp::create(b, loc, members, state[2], group),
                count});
      });
  return {loop.getResult(0), loop.getResult(1), loop.getResult(2),
          loop.getResult(3)};
}

/// The groups in the order in which their first rows occur.
static Groups byOccurrence(Lowering &l, const Groups &groups, Value rows) {
  Type index = l.b.getIndexType();
  OpFoldResult size = getAsOpFoldResult(rows);
  auto read = [&](OpBuilder &b, Value tensor, Value at) -> Value {
    return tensor::ExtractOp::create(b, l.loc, tensor, at);
  };
  auto write = [&](OpBuilder &b, Value x, Value into, Value at) -> Value {
    return tensor::InsertOp::create(b, l.loc, x, into, at);
  };
  Value empty = l.filled(index, {size}, l.b.getIndexAttr(0));
  auto loop = scf::ForOp::create(
      l.b, l.loc, l.index(0), rows, l.index(1),
      ValueRange{empty, empty, empty, l.index(0)},
      [&](OpBuilder &b, Location loc, Value row, ValueRange state) {
        Scalars s{b, loc};
        Value group = read(b, groups.groupOf, row);
        Value isFirst = s.compare(Comparison::Equal,
                                  read(b, groups.first, group), row, false);
        auto choice = scf::IfOp::create(
            b, loc, isFirst,
            [&](OpBuilder &then, Location) {
              Scalars t{then, loc};
              Value members = read(then, groups.sizes, group);
              scf::YieldOp::create(
                  then, loc,
                  ValueRange{write(then, state[3], state[0], group),
                             write(then, row, state[1], state[3]),
                             write(then, members, state[2], state[3]),
                             t.add(state[3], t.integer(index, 1))});
            },
            [&](OpBuilder &otherwise, Location) {
              scf::YieldOp::create(otherwise, loc, state);
            });
        scf::YieldOp::create(b, loc, choice.getResults());
      });
  Value places = loop.getResult(0);
  Value groupOf = l.pull(index, {size}, [&](OpBuilder &b, ArrayRef<Value> at) {
    return read(b, places, read(b, groups.groupOf, at[0]));
  });
  return {groupOf, loop.getResult(1), loop.getResult(2), groups.count};
}

namespace {
/// What elements are ordered by: tensors like theirs, the first before others.
struct Keys {
  SmallVector<Value> tensors;
  bool isUnsigned = false;
};
} // namespace

/// Complex numbers are in the order of their real, then their imaginary parts,
/// as numpy sorts them; strings in that of their bytes.
static FailureOr<Keys> keysOf(Lowering &l, Value tensor, Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return Keys{{complexPart(l, tensor, complex, ComplexPart::Real),
                 complexPart(l, tensor, complex, ComplexPart::Imaginary)}};
  if (isString(type))
    return Keys{{ranksOf(l, tensor)}};
  if (isNarrowFloat(type) || isNarrowInteger(type))
    return l.refuse("elements of this type are not ordered yet");
  return Keys{{tensor}, isUnsigned(type) || type.isInteger(1)};
}

static LogicalResult lowerUnique(Lowering &l, OnnxNode n) {
  Value input = n.in(0);
  Type type = l.elementType(input), element = signless(type);
  Dims dims = l.dims(input);
  Value tensor = l.value(input);
  int64_t axis = 0;
  if (n.has("axis")) {
    auto normal =
        normalizeAxis(n.integer("axis", 0), static_cast<int64_t>(dims.size()));
    if (!normal)
      return l.refuse("axis is out of range");
    axis = *normal;
  } else {
    dims = {l.product(dims)};
    tensor = l.reshape(tensor, dims);
  }

  // The axis first, the others counted together.
  SmallVector<int64_t> order{axis};
  for (int64_t d = 0, e = dims.size(); d < e; ++d)
    if (d != axis)
      order.push_back(d);
  Dims others = dims;
  others.erase(others.begin() + axis);
  OpFoldResult count = dims[axis], width = l.product(others);
  FailureOr<Keys> keys = keysOf(l, tensor, type);
  if (failed(keys))
    return failure();
  SmallVector<Value> columns;
  for (Value key : keys->tensors)
    columns.push_back(
        l.reshape(axis ? l.transpose(key, order) : key, {count, width}));
  Rows rows{l, columns, l.index(count), l.index(width), keys->isUnsigned};
  Groups groups = groupsOf(rows);
  if (!n.integer("sorted", 1))
    groups = byOccurrence(l, groups, rows.count);

  OpFoldResult found = getAsOpFoldResult(groups.count);
  Dims result = dims;
  result[axis] = found;
  l.set(n.out(0),
        l.pull(element, result, [&](OpBuilder &b, ArrayRef<Value> at) -> Value {
          SmallVector<Value> from(at);
          from[axis] =
              tensor::ExtractOp::create(b, l.loc, groups.first, at[axis]);
          return tensor::ExtractOp::create(b, l.loc, tensor, from);
        }));
  Type i64 = l.b.getI64Type();
  for (auto [output, list, size] : {std::tuple{1u, groups.first, found},
                                    {2u, groups.groupOf, count},
                                    {3u, groups.sizes, found}})
    if (output < n.outputs() && n.out(output))
      l.set(n.out(output),
            l.pull(i64, {size},
                   [&, list = list](OpBuilder &b, ArrayRef<Value> at) {
                     Value x = tensor::ExtractOp::create(b, l.loc, list, at[0]);
                     return Scalars{b, l.loc}.fromIndex(x, i64);
                   }));
  return success();
}

void onnxc::addUnique(LoweringTable &table) {
  table.onOp("Unique", lowerUnique);
}
