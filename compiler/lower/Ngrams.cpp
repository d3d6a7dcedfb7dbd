//===- Ngrams.cpp - TfIdfVectorizer ---------------------------------------===//

#include "compiler/lower/Scalars.h"
#include "compiler/lower/Strings.h"

#include "llvm/ADT/MapVector.h"

#include <set>
#include <vector>

using namespace mlir;
using namespace onnxc;

namespace {
/// The n-grams of one length that are looked for.
struct Ngrams {
  int64_t length;
  SmallVector<int64_t> items; ///< one n-gram behind the other
  int64_t count() const { return static_cast<int64_t>(items.size()) / length; }
};
} // namespace

/// A constant i64 tensor.
static Value integers(Lowering &l, ArrayRef<int64_t> shape,
                      ArrayRef<int64_t> values) {
  return l.constantTensor(DenseElementsAttr::get(
      RankedTensorType::get(shape, l.b.getI64Type()), values));
}

/// How often each n-gram is in each row of `x`, [N, L] of i64: [N, P] of f32.
/// Its items may be 1 to `skips` places apart, all as far.
static Value countNgrams(Lowering &l, Value x, const Ngrams &ngrams,
                         int64_t skips) {
  Type f32 = l.b.getF32Type();
  MLIRContext *context = l.b.getContext();
  Dims dims = l.sizes(x);
  int64_t count = ngrams.count();
  Value pool = integers(l, {count, ngrams.length}, ngrams.items);
  // One item has no distance to another.
  int64_t steps = ngrams.length == 1 ? 1 : skips;
  Value distances =
      integers(l, steps, llvm::to_vector(llvm::seq<int64_t>(1, steps + 1)));
  Value length = l.index(dims[1]);
  AffineExpr row, ngram, step, place;
  bindDims(context, row, ngram, step, place);
  auto parallel = utils::IteratorType::parallel,
       reduction = utils::IteratorType::reduction;
  return l.generic(
      l.filled(f32, {dims[0], l.attr(count)}, l.b.getF32FloatAttr(0)),
      AffineMap::get(4, 0, {row, ngram}, context),
      {{x, AffineMap::get(4, 0, {row, place}, context)},
       {distances, AffineMap::get(4, 0, {step}, context)}},
      {parallel, parallel, reduction, reduction},
      [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        auto at = [&](int64_t dim) -> Value {
          return linalg::IndexOp::create(nested, l.loc, dim);
        };
        auto item = [&](int64_t position) -> Value {
          return tensor::ExtractOp::create(
              nested, l.loc, pool,
              ValueRange{at(1), s.integer(nested.getIndexType(), position)});
        };
        Value matches = s.compare(Comparison::Equal, in[0], item(0), false);
        Value last = s.sub(length, s.integer(nested.getIndexType(), 1));
        Value position = at(3), distance = s.toIndex(in[1]);
        for (int64_t i = 1; i < ngrams.length; ++i) {
          position = s.add(position, distance);
          Value isInside =
              s.compare(Comparison::LessOrEqual, position, last, false);
          Value element = tensor::ExtractOp::create(
              nested, l.loc, x,
              ValueRange{at(0), s.select(isInside, position, last)});
          Value isEqual = s.compare(Comparison::Equal, element, item(i), false);
          matches = s.logicalAnd(matches, s.logicalAnd(isInside, isEqual));
        }
        return s.add(in[2],
                     s.select(matches, s.constant(f32, 1), s.constant(f32, 0)));
      });
}

/// The pool as numbers; `x`, of strings, becomes their positions among the
/// pool's different ones.
static SmallVector<int64_t> numberPool(Lowering &l, ArrayRef<StringRef> pool,
                                       Value &x) {
  llvm::MapVector<StringRef, int64_t> numbers;
  SmallVector<int64_t> result;
  for (StringRef text : pool)
    result.push_back(
        numbers.try_emplace(text, static_cast<int64_t>(numbers.size()))
            .first->second);
  SmallVector<StringRef> keys;
  for (const auto &entry : numbers)
    keys.push_back(entry.first);
  x = positionsOf(l, x, keys);
  return result;
}

/// `ngram_counts` says where in the pool the n-grams of 1, 2, ... items begin.
static std::optional<SmallVector<Ngrams>>
dividePool(Lowering &l, ArrayRef<int64_t> pool, ArrayRef<int64_t> starts) {
  SmallVector<Ngrams> result;
  for (size_t i = 0; i < starts.size(); ++i) {
    int64_t length = static_cast<int64_t>(i) + 1, begin = starts[i],
            end = i + 1 < starts.size() ? starts[i + 1]
                                        : static_cast<int64_t>(pool.size());
    if (begin < 0 || begin > end || end > static_cast<int64_t>(pool.size()) ||
        (end - begin) % length) {
      (void)l.refuse("ngram_counts does not divide the pool into n-grams");
      return std::nullopt;
    }
    result.push_back(
        {length, SmallVector<int64_t>(pool.slice(begin, end - begin))});
  }
  return result;
}

static LogicalResult lowerTfIdfVectorizer(Lowering &l, OnnxNode n) {
  Type f32 = l.b.getF32Type(), i64 = l.b.getI64Type();
  Type element = l.elementType(n.in(0));
  int64_t rank = l.rank(n.in(0)), skips = n.integer("max_skip_count", 0);
  int64_t least = n.integer("min_gram_length", 1),
          most = n.integer("max_gram_length", 1);
  StringRef mode = n.string("mode", "TF");
  auto starts = n.integers("ngram_counts"),
       columns = n.integers("ngram_indexes");
  auto numbers = n.integers("pool_int64s");
  auto texts = stringAttribute(n, "pool_strings");
  auto weights = n.reals("weights");
  if (rank < 1 || rank > 2)
    return l.refuse("the input must have rank 1 or 2");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
    return l.refuse("there is no mode '" + mode + "'");
  if (!starts || !columns || skips < 0 || least < 1 || most < least)
    return l.refuse("its attributes do not describe n-grams");
  if (isString(element) ? !texts : !numbers)
    return l.refuse("there is no pool of the input's type");
  if (weights && weights->size() != columns->size())
    return l.refuse("there are not as many weights as n-grams");

  Value x = l.value(n.in(0));
  SmallVector<int64_t> pool;
  if (isString(element))
    pool = numberPool(l, *texts, x);
  else
    pool = *numbers, x = l.convert(x, element, i64);
  if (rank == 1)
    x = l.reshape(x, {l.attr(1), l.sizes(x)[0]});
  auto divided = dividePool(l, pool, *starts);
  if (!divided)
    return failure();

  // For each column its n-gram, and what that is multiplied by.
  int64_t width = 0, total = 0;
  constexpr int64_t mostColumns = int64_t(1) << 24;
  for (int64_t column : *columns)
    if (column >= mostColumns)
      return l.refuse("a column above " + Twine(mostColumns) +
                      " is not supported");
    else
      width = std::max(width, column + 1);
  SmallVector<int64_t> sources(width, -1);
  SmallVector<float> factors(width, 0);
  SmallVector<Value> counts;
  int64_t next = 0;
  for (const Ngrams &ngrams : *divided) {
    bool isWanted = ngrams.length >= least && ngrams.length <= most;
    std::set<std::vector<int64_t>> seen;
    for (int64_t i = 0; i < ngrams.count(); ++i) {
      auto ngram =
          ArrayRef(ngrams.items).slice(i * ngrams.length, ngrams.length);
      if (!seen.insert(ngram.vec()).second)
        return l.refuse("an n-gram occurs twice in the pool");
    }
    for (int64_t i = 0; i < ngrams.count(); ++i, ++next) {
      if (next >= static_cast<int64_t>(columns->size()) ||
          (*columns)[next] < 0 || sources[(*columns)[next]] >= 0)
        return l.refuse("ngram_indexes does not give each n-gram a column of "
                        "its own");
      if (!isWanted)
        continue;
      sources[(*columns)[next]] = total + i;
      factors[(*columns)[next]] =
          weights && mode != "TF" ? static_cast<float>((*weights)[next]) : 1;
    }
    if (!isWanted || ngrams.items.empty())
      continue;
    counts.push_back(countNgrams(l, x, ngrams, skips + 1));
    total += ngrams.count();
  }
  if (next != static_cast<int64_t>(columns->size()))
    return l.refuse("ngram_indexes has more columns than there are n-grams");

  Dims dims{l.sizes(x)[0], l.attr(width)};
  // A column without an n-gram is 0: that of one behind the others.
  for (int64_t &source : sources)
    source = source < 0 ? total : source;
  Value all =
      l.filled(f32, {dims[0], l.attr(total + 1)}, l.b.getF32FloatAttr(0));
  int64_t begin = 0;
  for (Value some : counts) {
    Dims sizes = l.sizes(some);
    all = l.insertSlice(some, all, {l.attr(0), l.attr(begin)}, sizes,
                        {l.attr(1), l.attr(1)});
    begin += *getConstantIntValue(sizes[1]);
  }
  Value source = integers(l, width, sources);
  Value factor = l.constantTensor(DenseElementsAttr::get(
      RankedTensorType::get(width, f32), ArrayRef<float>(factors)));
  Value result =
      l.pull(f32, dims, [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Scalars s{nested, l.loc};
        auto column =
            s.toIndex(tensor::ExtractOp::create(nested, l.loc, source, at[1]));
        Value count = tensor::ExtractOp::create(nested, l.loc, all,
                                                ValueRange{at[0], column});
        Value times = tensor::ExtractOp::create(nested, l.loc, factor, at[1]);
        if (mode == "IDF")
          count = s.select(
              s.compare(Comparison::Greater, count, s.constant(f32, 0), false),
              s.constant(f32, 1), s.constant(f32, 0));
        return s.mul(count, times);
      });
  l.set(n.out(), rank == 1 ? l.reshape(result, {l.attr(width)}) : result);
  return success();
}

void onnxc::addNgrams(LoweringTable &table) {
  table.onOp("TfIdfVectorizer", lowerTfIdfVectorizer);
}
