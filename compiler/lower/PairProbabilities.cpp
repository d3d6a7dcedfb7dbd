//===- PairProbabilities.cpp - Probabilities from scores of pairs ---------===//
//
// A support vector machine scores each pair of classes. A sigmoid makes of a
// score the probability of the first class, given that it is one of the two
// (Platt scaling). Those of all classes are the ones that fit the pairs' best,
// by the iteration of LIBSVM (Wu, Lin and Weng, "Probability estimates for
// multi-class classification by pairwise coupling", second approach), stopped
// as in LIBSVM and ONNX Runtime.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Scalars.h"
#include "compiler/lower/Traditional.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

static constexpr int64_t mostSteps = 100;

/// r[n, i, j]: how probable class i is where it is i or j, from `scores`,
/// [N, pairs] with pairs (0, 1), (0, 2), ..., (1, 2), ...
static Value pairProbabilities(Lowering &l, Value scores, int64_t classes,
                               ArrayRef<float> slopes,
                               ArrayRef<float> offsets) {
  constexpr double least = 1e-7;
  Type f32 = l.b.getF32Type(), i64 = l.b.getI64Type();
  // The pair of two classes, and whether it is of the second and first.
  SmallVector<int64_t> pairs(classes * classes, 0);
  int64_t count = 0;
  for (int64_t i = 0; i < classes; ++i)
    for (int64_t j = i + 1; j < classes; ++j) {
      pairs[i * classes + j] = pairs[j * classes + i] = count;
      ++count;
    }
  Value pairTable = l.constantTensor(DenseElementsAttr::get(
      RankedTensorType::get({classes, classes}, i64), ArrayRef(pairs)));
  Value slope = numbers(l, {count}, slopes.take_front(count));
  Value offset = numbers(l, {count}, offsets.take_front(count));
  return l.pull(
      f32, {l.sizes(scores)[0], l.attr(classes), l.attr(classes)},
      [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Scalars s{nested, l.loc};
        auto read = [&](Value tensor, ValueRange where) -> Value {
          return tensor::ExtractOp::create(nested, l.loc, tensor, where);
        };
        Value pair = s.toIndex(read(pairTable, {at[1], at[2]}));
        Value fit = s.add(s.mul(read(scores, {at[0], pair}), read(slope, pair)),
                          read(offset, pair));
        Value one = s.constant(f32, 1);
        Value first = s.sub(one, s.sigmoid(fit));
        first = s.atMost(s.atLeast(first, s.constant(f32, least)),
                         s.constant(f32, 1 - least));
        Value inOrder = s.compare(Comparison::Less, at[1], at[2], false);
        return s.select(inOrder, first, s.sub(one, first));
      });
}

/// Q of the quadratic form that is to be least: on the diagonal the squares of
/// r[j, i] summed over j, elsewhere -r[j, i] r[i, j].
static Value quadraticForm(Lowering &l, Value pairs, int64_t classes) {
  Type f32 = l.b.getF32Type();
  Dims dims = l.sizes(pairs);
  MLIRContext *context = l.b.getContext();
  AffineExpr row, i, j;
  bindDims(context, row, i, j);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(3, 0, exprs, context);
  };
  Value squares =
      l.map(f32, dims, {{pairs, map({row, i, j})}},
            [&](OpBuilder &nested, ValueRange in) {
              Scalars s{nested, l.loc};
              Value isSame = s.compare(
                  Comparison::Equal, linalg::IndexOp::create(nested, l.loc, 1),
                  linalg::IndexOp::create(nested, l.loc, 2), false);
              return s.select(isSame, s.constant(f32, 0), s.mul(in[0], in[0]));
            });
  Value sums = l.reduce(squares, {1}, numberAttr(f32, 0),
                        [&](OpBuilder &nested, Value sum, Value square) {
                          return Scalars{nested, l.loc}.add(sum, square);
                        });
  return l.map(f32, dims,
               {{pairs, map({row, i, j})},
                {pairs, map({row, j, i})},
                {sums, map({row, i})}},
               [&](OpBuilder &nested, ValueRange in) {
                 Scalars s{nested, l.loc};
                 Value isSame = s.compare(
                     Comparison::Equal,
                     linalg::IndexOp::create(nested, l.loc, 1),
                     linalg::IndexOp::create(nested, l.loc, 2), false);
                 return s.select(isSame, in[2], s.negate(s.mul(in[0], in[1])));
               });
}

namespace {
/// The iteration for one row. `p` is [N, classes], `gradient` [classes] is
/// scratch; both are handed on through the loops.
class Coupling {
public:
  Coupling(Location loc, Value form, int64_t classes, Value row)
      : loc(loc), form(form), classes(classes), row(row) {}

  /// p and gradient after all steps.
  SmallVector<Value> run(OpBuilder &b, Value p, Value gradient) const;

private:
  using Body =
      llvm::function_ref<SmallVector<Value>(OpBuilder &, Value, ValueRange)>;
  SmallVector<Value> loop(OpBuilder &b, Value count, ValueRange state,
                          Body body) const {
    Scalars s{b, loc};
    Type index = b.getIndexType();
    return SmallVector<Value>(
        scf::ForOp::create(
            b, loc, s.integer(index, 0), count, s.integer(index, 1), state,
            [&](OpBuilder &nested, Location, Value i, ValueRange carried) {
              scf::YieldOp::create(nested, loc, body(nested, i, carried));
            })
            .getResults());
  }
  static Value read(OpBuilder &b, Location loc, Value tensor, ValueRange at) {
    return tensor::ExtractOp::create(b, loc, tensor, at);
  }
  static Value write(OpBuilder &b, Location loc, Value x, Value tensor,
                     ValueRange at) {
    return tensor::InsertOp::create(b, loc, x, tensor, at);
  }
  Value count(OpBuilder &b) const {
    return Scalars{b, loc}.integer(b.getIndexType(), classes);
  }
  /// None where `done`: a loop of so many steps does nothing then.
  Value countUnless(OpBuilder &b, Value done) const {
    Scalars s{b, loc};
    return s.select(done, s.integer(b.getIndexType(), 0), count(b));
  }
  SmallVector<Value> step(OpBuilder &b, Value p, Value gradient,
                          Value done) const;
  /// Moves class i to where the form is least, and scales all to a sum of 1.
  SmallVector<Value> improve(OpBuilder &b, Value i, Value p, Value gradient,
                             Value product) const;

  Location loc;
  Value form;
  int64_t classes;
  Value row;
};
} // namespace

SmallVector<Value> Coupling::improve(OpBuilder &b, Value i, Value p,
                                     Value gradient, Value product) const {
  Scalars s{b, loc};
  Type f32 = b.getF32Type();
  Value own = read(b, loc, form, {row, i, i});
  Value slope = read(b, loc, gradient, i);
  Value move = s.div(s.sub(product, slope), own, false);
  Value scale = s.add(s.constant(f32, 1), move);
  p = write(b, loc, s.add(read(b, loc, p, {row, i}), move), p, {row, i});
  Value twice = s.mul(s.constant(f32, 2), slope);
  product = s.add(product, s.mul(move, s.add(s.mul(move, own), twice)));
  product = s.div(s.div(product, scale, false), scale, false);
  SmallVector<Value> state =
      loop(b, count(b), {p, gradient},
           [&](OpBuilder &nested, Value j, ValueRange state) {
             Scalars t{nested, loc};
             Value q = read(nested, loc, form, {row, i, j});
             Value g = t.add(read(nested, loc, state[1], j), t.mul(move, q));
             Value x =
                 t.div(read(nested, loc, state[0], {row, j}), scale, false);
             return SmallVector<Value>{
                 write(nested, loc, x, state[0], {row, j}),
                 write(nested, loc, t.div(g, scale, false), state[1], j)};
           });
  state.push_back(product);
  return state;
}

SmallVector<Value> Coupling::step(OpBuilder &b, Value p, Value gradient,
                                  Value done) const {
  Scalars s{b, loc};
  Type f32 = b.getF32Type();
  Value zero = s.constant(f32, 0);
  SmallVector<Value> fresh =
      loop(b, countUnless(b, done), {gradient, zero},
           [&](OpBuilder &nested, Value i, ValueRange state) {
             Scalars t{nested, loc};
             Value sum = loop(nested, count(nested), zero,
                              [&](OpBuilder &body, Value j, ValueRange sum) {
                                Scalars u{body, loc};
                                Value term =
                                    u.mul(read(body, loc, form, {row, i, j}),
                                          read(body, loc, p, {row, j}));
                                return SmallVector<Value>{u.add(sum[0], term)};
                              })[0];
             Value share = t.mul(read(nested, loc, p, {row, i}), sum);
             return SmallVector<Value>{write(nested, loc, sum, state[0], i),
                                       t.add(state[1], share)};
           });
  gradient = fresh[0];
  Value product = fresh[1];
  Value error =
      loop(b, countUnless(b, done), zero,
           [&](OpBuilder &nested, Value i, ValueRange most) {
             Scalars t{nested, loc};
             Value off = t.abs(t.sub(read(nested, loc, gradient, i), product));
             return SmallVector<Value>{t.max(most[0], off, false)};
           })[0];
  Value isNear =
      s.compare(Comparison::Less, error,
                s.constant(f32, 0.005 / static_cast<double>(classes)), false);
  done = s.logicalOr(done, isNear);
  SmallVector<Value> better =
      loop(b, countUnless(b, done), {p, gradient, product},
           [&](OpBuilder &nested, Value i, ValueRange state) {
             return improve(nested, i, state[0], state[1], state[2]);
           });
  return {better[0], better[1], done};
}

SmallVector<Value> Coupling::run(OpBuilder &b, Value p, Value gradient) const {
  Scalars s{b, loc};
  p = loop(b, count(b), p, [&](OpBuilder &nested, Value i, ValueRange state) {
    Value equal = Scalars{nested, loc}.constant(
        nested.getF32Type(), 1.0 / static_cast<double>(classes));
    return SmallVector<Value>{write(nested, loc, equal, state[0], {row, i})};
  })[0];
  SmallVector<Value> state =
      loop(b, s.integer(b.getIndexType(), mostSteps),
           {p, gradient, s.integer(b.getI1Type(), 0)},
           [&](OpBuilder &nested, Value, ValueRange state) {
             return step(nested, state[0], state[1], state[2]);
           });
  state.pop_back();
  return state;
}

Value onnxc::coupledProbabilities(Lowering &l, Value scores, int64_t classes,
                                  ArrayRef<float> slopes,
                                  ArrayRef<float> offsets) {
  Type f32 = l.b.getF32Type();
  Value pairs = pairProbabilities(l, scores, classes, slopes, offsets);
  Value form = quadraticForm(l, pairs, classes);
  OpFoldResult rows = l.sizes(scores)[0];
  Value p = l.empty(f32, {rows, l.attr(classes)});
  Value gradient = l.empty(f32, {l.attr(classes)});
  return scf::ForOp::create(
             l.b, l.loc, l.index(0), l.index(rows), l.index(1),
             ValueRange{p, gradient},
             [&](OpBuilder &nested, Location loc, Value row, ValueRange state) {
               Coupling coupling(loc, form, classes, row);
               scf::YieldOp::create(nested, loc,
                                    coupling.run(nested, state[0], state[1]));
             })
      .getResult(0);
}
