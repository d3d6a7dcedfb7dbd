//===- RunTimeFourier.cpp - Transforms whose length only a run tells ------===//
//
// Bluestein's algorithm for any length n: with jk = (j^2 + k^2 - (k - j)^2) / 2
// a transform is a chirp before, a convolution with one, and a chirp after; the
// convolution is a product of transforms of m points, a power of two of at
// least 2n - 1, which Stockham's algorithm computes by halves, in log2(m)
// stages. Time and memory grow as n log n and n. All of it is in f64.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Fourier.h"

#include "compiler/lower/Scalars.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

namespace {
class Bluestein {
public:
  Bluestein(Lowering &l, double sign, Value n)
      : l(l), sign(sign), n(n), points(powerOfTwo()),
        chirp(circle(getAsOpFoldResult(n), true)),
        roots(circle(l.ceilDiv(getAsOpFoldResult(points), l.attr(2)), false)) {}

  ComplexTensors run(ComplexTensors x, Type element, OpFoldResult rows,
                     OpFoldResult bins);

private:
  using Body = function_ref<std::pair<Value, Value>(Scalars &, ValueRange)>;

  Value powerOfTwo();
  ComplexTensors circle(OpFoldResult size, bool isChirp);
  ComplexTensors pulled(OpFoldResult rows, OpFoldResult columns, Body body);
  ComplexTensors transformed(ComplexTensors x);
  std::pair<Value, Value> stage(Scalars &s, const ComplexTensors &x,
                                Value number, Value row, Value column);

  static std::pair<Value, Value> product(Scalars &s, std::pair<Value, Value> a,
                                         std::pair<Value, Value> b) {
    return {s.sub(s.mul(a.first, b.first), s.mul(a.second, b.second)),
            s.add(s.mul(a.first, b.second), s.mul(a.second, b.first))};
  }
  static std::pair<Value, Value> read(Scalars &s, const ComplexTensors &x,
                                      ValueRange at) {
    return {tensor::ExtractOp::create(s.b, s.loc, x.real, at),
            tensor::ExtractOp::create(s.b, s.loc, x.imaginary, at)};
  }

  Lowering &l;
  double sign;
  Value n, points;
  ComplexTensors chirp; ///< [n]: exp(sign i pi k^2 / n)
  ComplexTensors roots; ///< [points / 2]: exp(-2 i pi k / points)
};
} // namespace

/// The least power of two that holds the convolution; at least 2.
Value Bluestein::powerOfTwo() {
  Type index = l.b.getIndexType();
  Value least = l.index(
      l.sub(l.add(getAsOpFoldResult(n), getAsOpFoldResult(n)), l.attr(1)));
  return scf::WhileOp::create(
             l.b, l.loc, TypeRange{index}, ValueRange{l.index(2)},
             [&](OpBuilder &nested, Location loc, ValueRange state) {
               Value less = Scalars{nested, loc}.compare(
                   Comparison::Less, state[0], least, false);
               scf::ConditionOp::create(nested, loc, less, state);
             },
             [&](OpBuilder &nested, Location loc, ValueRange state) {
               Value twice = Scalars{nested, loc}.add(state[0], state[0]);
               scf::YieldOp::create(nested, loc, twice);
             })
      .getResult(0);
}

ComplexTensors Bluestein::circle(OpFoldResult size, bool isChirp) {
  Type wide = l.b.getF64Type();
  auto part = [&](bool real) {
    return l.pull(wide, {size}, [&](OpBuilder &nested, ArrayRef<Value> at) {
      Scalars s{nested, l.loc};
      Value turn = at[0], whole = points;
      if (isChirp) { // k^2 modulo 2n, half turns
        whole = s.add(n, n);
        turn = arith::RemUIOp::create(nested, l.loc, s.mul(turn, turn), whole);
      }
      Value angle =
          s.mul(s.div(s.fromIndex(turn, wide), s.fromIndex(whole, wide), false),
                s.constant(wide, 2 * M_PI * (isChirp ? sign : -1)));
      return real ? math::CosOp::create(nested, l.loc, angle).getResult()
                  : math::SinOp::create(nested, l.loc, angle).getResult();
    });
  };
  return {part(true), part(false)};
}

/// [rows, columns] of what the body gives of row and column.
ComplexTensors Bluestein::pulled(OpFoldResult rows, OpFoldResult columns,
                                 Body body) {
  auto part = [&](bool real) {
    return l.pull(l.b.getF64Type(), {rows, columns},
                  [&](OpBuilder &nested, ArrayRef<Value> at) {
                    Scalars s{nested, l.loc};
                    auto [re, im] = body(s, at);
                    return real ? re : im;
                  });
  };
  return {part(true), part(false)};
}

/// Column `column` after stage `number`: with q the column's last `number`
/// bits, bit the one before and p the others,
///   y[p, bit, q] = x[0, p, q] + x[1, p, q], or the difference times a root.
std::pair<Value, Value> Bluestein::stage(Scalars &s, const ComplexTensors &x,
                                         Value number, Value row,
                                         Value column) {
  Type index = s.b.getIndexType();
  Value one = s.integer(index, 1);
  Value step = arith::ShLIOp::create(s.b, s.loc, one, number);
  Value q = s.logicalAnd(column, s.sub(step, one));
  Value rest = arith::ShRUIOp::create(s.b, s.loc, column, number);
  Value p = arith::ShRUIOp::create(s.b, s.loc, rest, one);
  Value place = s.mul(p, step);
  Value first = s.add(place, q);
  Value half = arith::ShRUIOp::create(s.b, s.loc, points, one);
  auto a = read(s, x, {row, first}), b = read(s, x, {row, s.add(first, half)});
  auto difference =
      product(s, {s.sub(a.first, b.first), s.sub(a.second, b.second)},
              read(s, roots, place));
  Value isOdd = s.compare(Comparison::Equal, s.logicalAnd(rest, one), one,
                          /*isUnsigned=*/false);
  return {s.select(isOdd, difference.first, s.add(a.first, b.first)),
          s.select(isOdd, difference.second, s.add(a.second, b.second))};
}

/// The transforms of the rows of `x`, [rows, points].
ComplexTensors Bluestein::transformed(ComplexTensors x) {
  Type wide = l.b.getF64Type();
  Dims dims = l.sizes(x.real);
  Value stages = arith::IndexCastOp::create(
      l.b, l.loc, l.b.getIndexType(),
      math::CountTrailingZerosOp::create(
          l.b, l.loc,
          arith::IndexCastOp::create(l.b, l.loc, l.b.getI64Type(), points)));
  // Each stage goes to the scratch, and back: a loop keeps its buffers.
  SmallVector<Value> initial{x.real, x.imaginary, l.empty(wide, dims),
                             l.empty(wide, dims)};
  auto loop =
      scf::ForOp::create(l.b, l.loc, l.index(0), stages, l.index(1), initial);
  OpBuilder::InsertionGuard guard(l.b);
  l.b.setInsertionPointToStart(loop.getBody());
  ValueRange state = loop.getRegionIterArgs();
  SmallVector<Value> made, kept;
  for (unsigned part : {0, 1})
    made.push_back(l.generic(
        state[2 + part], AffineMap::getMultiDimIdentityMap(2, l.b.getContext()),
        {}, SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
        [&](OpBuilder &nested, ValueRange) {
          Scalars s{nested, l.loc};
          auto [re, im] = stage(s, {state[0], state[1]}, loop.getInductionVar(),
                                linalg::IndexOp::create(nested, l.loc, 0),
                                linalg::IndexOp::create(nested, l.loc, 1));
          return part == 0 ? re : im;
        }));
  for (unsigned part : {0, 1})
    kept.push_back(linalg::CopyOp::create(l.b, l.loc, made[part], state[part])
                       .getResult(0));
  kept.append(made);
  scf::YieldOp::create(l.b, l.loc, kept);
  return {loop.getResult(0), loop.getResult(1)};
}

ComplexTensors Bluestein::run(ComplexTensors x, Type element, OpFoldResult rows,
                              OpFoldResult bins) {
  Type wide = l.b.getF64Type();
  OpFoldResult m = getAsOpFoldResult(points);
  l.requireAllocatable({rows, m, l.attr(4)});
  // The signal times the chirp, and the reverse chirp around 0; zeros between.
  ComplexTensors signal = pulled(rows, m, [&](Scalars &s, ValueRange at) {
    Value inside = s.compare(Comparison::Less, at[1], n, false);
    Value column = s.select(inside, at[1], s.integer(at[1].getType(), 0));
    auto sample = [&](Value tensor) {
      Value value = tensor::ExtractOp::create(s.b, s.loc, tensor,
                                              ValueRange{at[0], column});
      return s.convert(value, element, wide);
    };
    Value zero = s.constant(wide, 0);
    auto [re, im] =
        product(s, {sample(x.real), x.imaginary ? sample(x.imaginary) : zero},
                read(s, chirp, column));
    return std::pair(s.select(inside, re, zero), s.select(inside, im, zero));
  });
  ComplexTensors response =
      pulled(l.attr(1), m, [&](Scalars &s, ValueRange at) {
        Value behind = s.sub(points, at[1]);
        Value distance = s.min(at[1], behind, false);
        Value inside = s.compare(Comparison::Less, distance, n, false);
        auto [re, im] =
            read(s, chirp,
                 s.select(inside, distance, s.integer(at[1].getType(), 0)));
        Value zero = s.constant(wide, 0);
        return std::pair(s.select(inside, re, zero),
                         s.select(inside, s.negate(im), zero));
      });
  ComplexTensors spectrum = transformed(signal),
                 factors = transformed(response);
  // Conjugated before and behind, a transform is the inverse one.
  ComplexTensors sums =
      transformed(pulled(rows, m, [&](Scalars &s, ValueRange at) {
        Value first = s.integer(at[1].getType(), 0);
        auto [re, im] =
            product(s, read(s, spectrum, at), read(s, factors, {first, at[1]}));
        return std::pair(re, s.negate(im));
      }));
  return pulled(rows, bins, [&](Scalars &s, ValueRange at) {
    auto [re, im] = read(s, sums, at);
    Value count = s.fromIndex(points, wide);
    return product(s,
                   {s.div(re, count, false), s.div(s.negate(im), count, false)},
                   read(s, chirp, at[1]));
  });
}

ComplexTensors onnxc::bluesteinTransform(Lowering &l, ComplexTensors x,
                                         Type element, double sign,
                                         OpFoldResult rows, OpFoldResult n,
                                         OpFoldResult bins) {
  // No power of two is beyond 63 bits then, also where there are no rows.
  l.requireAllocatable({n, l.attr(64)});
  return Bluestein(l, sign, l.index(n)).run(x, element, rows, bins);
}
