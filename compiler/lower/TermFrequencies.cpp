//===- TermFrequencies.cpp - TfIdfVectorizer ------------------------------===//
//
// How often each n-gram of a pool occurs in a row of numbers. The pool's
// n-grams of each length are sorted when compiling, so that each sequence of
// the input is looked up by bisection.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Lowering.h"
#include "compiler/lower/Scalars.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

/// Of the result, and of the table of their weights.
static constexpr int64_t mostColumns = 1 << 24;

namespace {
/// The n-grams of one length, in order, and the columns they are counted in.
struct Grams {
  int64_t length;
  SmallVector<SmallVector<int64_t>> grams;
  SmallVector<int64_t> columns;
};

class TermFrequencies {
public:
  TermFrequencies(Lowering &l, OnnxNode n) : l(l), n(n) {}
  LogicalResult lower();

private:
  LogicalResult readPool();
  Value count(Value counts, const Grams &grams);
  Value find(Scalars &s, const Grams &grams, Value table, Value row,
             Value start, Value stride);
  Value weighted(Value counts);

  Lowering &l;
  OnnxNode n;
  SmallVector<Grams> pool;
  int64_t columns = 0, shortest = 1, longest = 1, strides = 1;
  SmallVector<float> weights; ///< of the columns, where any are given
  Value input;                ///< [rows, length]
  Value rows, length;         ///< of type index
};
} // namespace

LogicalResult TermFrequencies::readPool() {
  auto values = n.integers("pool_int64s");
  auto begins = n.integers("ngram_counts"), at = n.integers("ngram_indexes");
  shortest = n.integer("min_gram_length", 1);
  longest = n.integer("max_gram_length", 1);
  int64_t skips = n.integer("max_skip_count", 0);
  if (!values || !begins || !at)
    return l.refuse("a pool of strings, or no pool, is not supported yet");
  if (shortest < 1 || longest < shortest || skips < 0 || skips == INT64_MAX)
    return l.refuse("the lengths of n-grams, or the skips, are out of range");
  strides = skips + 1;
  for (int64_t column : *at) {
    if (column < 0 || column >= mostColumns)
      return l.refuse("index " + Twine(column) +
                      " of ngram_indexes is not supported: there are " +
                      Twine(mostColumns) + " columns at most");
    columns = std::max(columns, column + 1);
  }
  if (auto given = n.op->getAttrOfType<DenseF32ArrayAttr>("weights");
      given && !given.empty()) {
    if (static_cast<size_t>(given.size()) != at->size())
      return l.refuse("weights and ngram_indexes differ in length");
    weights.resize(columns, 0);
    for (auto [column, weight] : llvm::zip(*at, given.asArrayRef()))
      weights[column] = weight;
  }
  size_t next = 0;
  auto size = static_cast<int64_t>(values->size());
  for (auto [i, begin] : llvm::enumerate(*begins)) {
    int64_t end = i + 1 < begins->size() ? (*begins)[i + 1] : size;
    auto length = static_cast<int64_t>(i) + 1;
    if (begin < 0 || end < begin || end > size || (end - begin) % length)
      return l.refuse("ngram_counts do not divide the pool into n-grams of " +
                      Twine(length));
    SmallVector<std::pair<SmallVector<int64_t>, int64_t>> found;
    for (int64_t from = begin; from < end; from += length, ++next) {
      if (next >= at->size())
        return l.refuse("ngram_indexes has fewer values than the pool n-grams");
      ArrayRef<int64_t> gram = ArrayRef(*values).slice(from, length);
      found.push_back({llvm::to_vector(gram), (*at)[next]});
    }
    llvm::sort(found);
    Grams grams{length, {}, {}};
    for (auto &[gram, column] : found) {
      if (!grams.grams.empty() && grams.grams.back() == gram)
        return l.refuse("an n-gram occurs twice in the pool");
      grams.grams.push_back(gram);
      grams.columns.push_back(column);
    }
    if (length >= shortest && length <= longest && !found.empty())
      pool.push_back(std::move(grams));
  }
  return success();
}

/// The place in the table of the n-gram that begins at `start` of a row and
/// takes every `stride`th element, or the table's size.
Value TermFrequencies::find(Scalars &s, const Grams &grams, Value table,
                            Value row, Value start, Value stride) {
  Type index = s.b.getIndexType(), i64 = s.b.getI64Type();
  Type type = l.elementType(n.in(0));
  SmallVector<Value> wanted;
  Value place = start;
  for (int64_t i = 0; i < grams.length; ++i) {
    Value x =
        tensor::ExtractOp::create(s.b, s.loc, input, ValueRange{row, place});
    wanted.push_back(s.convert(x, type, i64));
    place = s.add(place, stride);
  }
  Value size = s.integer(index, static_cast<int64_t>(grams.grams.size()));
  Value one = s.integer(index, 1);
  // Whether the n-gram at `at` is less than the wanted one, and equal to it.
  auto compare = [&](Scalars &t, Value at) {
    Value less = t.integer(t.b.getI1Type(), 0);
    Value equal = t.integer(t.b.getI1Type(), 1);
    for (int64_t i = 0; i < grams.length; ++i) {
      Value x = tensor::ExtractOp::create(t.b, t.loc, table,
                                          ValueRange{at, t.integer(index, i)});
      Value isLess = t.compare(Comparison::Less, x, wanted[i], false);
      less = t.logicalOr(less, t.logicalAnd(equal, isLess));
      equal = t.logicalAnd(equal,
                           t.compare(Comparison::Equal, x, wanted[i], false));
    }
    return std::pair(less, equal);
  };
  // The first that is not less lies in [low, high].
  auto loop = scf::WhileOp::create(
      s.b, s.loc, TypeRange{index, index},
      ValueRange{s.integer(index, 0), size},
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Value open = Scalars{nested, loc}.compare(Comparison::Less, state[0],
                                                  state[1], false);
        scf::ConditionOp::create(nested, loc, open, state);
      },
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Scalars t{nested, loc};
        Value middle = arith::ShRUIOp::create(
            nested, loc, t.add(state[0], state[1]), t.integer(index, 1));
        Value less = compare(t, middle).first;
        scf::YieldOp::create(
            nested, loc,
            ValueRange{t.select(less, t.add(middle, one), state[0]),
                       t.select(less, state[1], middle)});
      });
  Value low = loop.getResult(0);
  Value last = s.integer(index, static_cast<int64_t>(grams.grams.size()) - 1);
  Value inside = s.compare(Comparison::Less, low, size, false);
  Value equal = compare(s, s.select(inside, low, last)).second;
  return s.select(s.logicalAnd(inside, equal), low, size);
}

/// `counts`, [rows, columns], with one more for each n-gram of this length.
Value TermFrequencies::count(Value counts, const Grams &grams) {
  auto size = static_cast<int64_t>(grams.grams.size());
  SmallVector<int64_t> flat;
  for (const auto &gram : grams.grams)
    llvm::append_range(flat, gram);
  Type i64 = l.b.getI64Type(), f32 = l.b.getF32Type();
  auto constant = [&](ArrayRef<int64_t> shape, ArrayRef<int64_t> values) {
    return l.constantTensor(
        DenseElementsAttr::get(RankedTensorType::get(shape, i64), values));
  };
  Value table = constant({size, grams.length}, flat);
  Value columnOf = constant({size}, grams.columns);
  Value zero = l.index(0), one = l.index(1);
  // A stride beyond the row reaches nothing; single numbers have none.
  Value most = grams.length == 1
                   ? one
                   : l.index(l.min(l.attr(strides), getAsOpFoldResult(length)));
  auto place = [&](OpBuilder &b, Location loc, Value row, Value start,
                   Value stride, Value state) -> Value {
    Scalars s{b, loc};
    Value found = find(s, grams, table, row, start, stride);
    Value isThere = s.compare(Comparison::Less, found,
                              s.integer(b.getIndexType(), size), false);
    return scf::IfOp::create(
               b, loc, isThere,
               [&](OpBuilder &then, Location) {
                 Scalars t{then, loc};
                 Value column = t.toIndex(
                     tensor::ExtractOp::create(then, loc, columnOf, found));
                 SmallVector<Value> at{row, column};
                 Value old = tensor::ExtractOp::create(then, loc, state, at);
                 Value next = tensor::InsertOp::create(
                     then, loc, t.add(old, t.constant(f32, 1)), state, at);
                 scf::YieldOp::create(then, loc, next);
               },
               [&](OpBuilder &otherwise, Location) {
                 scf::YieldOp::create(otherwise, loc, state);
               })
        .getResult(0);
  };
  auto loop = scf::ForOp::create(
      l.b, l.loc, zero, rows, one, counts,
      [&](OpBuilder &b, Location loc, Value row, ValueRange state) {
        auto overStrides = scf::ForOp::create(
            b, loc, one, Scalars{b, loc}.add(most, one), one, state,
            [&](OpBuilder &b, Location, Value stride, ValueRange state) {
              Scalars s{b, loc};
              Value beyond =
                  s.mul(stride, s.integer(b.getIndexType(), grams.length - 1));
              auto starts = scf::ForOp::create(
                  b, loc, zero, s.sub(length, beyond), one, state,
                  [&](OpBuilder &b, Location, Value start, ValueRange state) {
                    scf::YieldOp::create(
                        b, loc, place(b, loc, row, start, stride, state[0]));
                  });
              scf::YieldOp::create(b, loc, starts.getResults());
            });
        scf::YieldOp::create(b, loc, overStrides.getResults());
      });
  return loop.getResult(0);
}

/// By the attribute `mode`: the counts, the weights of those that occur, or
/// both multiplied.
Value TermFrequencies::weighted(Value counts) {
  StringRef mode = n.string("mode", "TF");
  if (mode == "TF")
    return counts;
  bool isBinary = mode == "IDF";
  if (!isBinary && mode != "TFIDF") {
    (void)l.refuse("there is no mode '" + mode + "'");
    return nullptr;
  }
  Type f32 = l.b.getF32Type();
  Value table;
  if (!weights.empty())
    table = l.constantTensor(DenseElementsAttr::get(
        RankedTensorType::get({columns}, f32), ArrayRef(weights)));
  return l.pull(
      f32, l.sizes(counts), [&](OpBuilder &nested, ArrayRef<Value> at) {
        Scalars s{nested, l.loc};
        Value x = tensor::ExtractOp::create(nested, l.loc, counts, at);
        Value weight = s.constant(f32, 1);
        if (table)
          weight = tensor::ExtractOp::create(nested, l.loc, table, at[1]);
        if (!isBinary)
          return s.mul(x, weight);
        Value zero = s.constant(f32, 0);
        return s.select(s.compare(Comparison::Greater, x, zero, false), weight,
                        zero);
      });
}

LogicalResult TermFrequencies::lower() {
  int64_t rank = l.rank(n.in(0));
  if (rank != 1 && rank != 2)
    return l.refuse("the input must have rank 1 or 2");
  if (failed(readPool()))
    return failure();
  Dims dims = l.dims(n.in(0));
  OpFoldResult count = rank == 2 ? dims[0] : l.attr(1);
  input = l.reshape(l.value(n.in(0)), {count, dims.back()});
  rows = l.index(count);
  length = l.index(dims.back());
  Type f32 = l.b.getF32Type();
  Dims shape{count, l.attr(columns)};
  l.requireAllocatable(shape);
  Value counts = l.filled(f32, shape, numberAttr(f32, 0));
  for (const Grams &grams : pool)
    counts = this->count(counts, grams);
  Value result = weighted(counts);
  if (!result)
    return failure();
  if (rank == 1)
    result = l.reshape(result, {l.attr(columns)});
  l.set(n.out(), result);
  return success();
}

void onnxc::addTermFrequencies(LoweringTable &table) {
  table.onOp("TfIdfVectorizer", [](Lowering &l, OnnxNode n) {
    return TermFrequencies(l, n).lower();
  });
}
