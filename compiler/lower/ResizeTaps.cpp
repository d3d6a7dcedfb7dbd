//===- ResizeTaps.cpp - What an element of a Resize is made of ------------===//

#include "compiler/lower/ResizeTaps.h"

#include "compiler/lower/Elementwise.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// A tap of one axis: an index into the input and its weight (null: 1).
struct Tap {
  Value index, weight;
};
} // namespace

/// The coordinate in the input of output index `at`.
static Value coordinate(Scalars &s, const ResizeMode &mode,
                        const ResizeAxis &axis, Value at, Value in, Value out) {
  Type f32 = s.b.getF32Type();
  auto number = [&](double value) { return s.constant(f32, value); };
  Value x = s.fromIndex(at, f32);
  Value half = number(0.5);
  Value inLength = s.fromIndex(in, f32), outLength = s.fromIndex(out, f32);
  auto halfPixel = [&] {
    return s.sub(s.div(s.add(x, half), axis.scale, false), half);
  };
  Value single =
      s.compare(Comparison::LessOrEqual, outLength, number(1), false);
  if (mode.coordinates == "asymmetric")
    return s.div(x, axis.scale, false);
  if (mode.coordinates == "pytorch_half_pixel")
    return s.select(single, number(0), halfPixel());
  if (mode.coordinates == "align_corners") {
    Value ratio = s.div(s.sub(inLength, number(1)),
                        s.sub(axis.exactLength, number(1)), false);
    return s.select(single, number(0), s.mul(x, ratio));
  }
  if (mode.coordinates == "tf_half_pixel_for_nn") // Resize 11 alone has it
    return s.div(s.add(x, half), axis.scale, false);
  if (mode.coordinates == "half_pixel_symmetric") {
    Value adjustment = s.div(outLength, s.mul(axis.scale, inLength), false);
    Value centre = s.mul(inLength, half);
    Value offset = s.mul(centre, s.sub(number(1), adjustment));
    return s.add(offset, halfPixel());
  }
  if (mode.coordinates == "tf_crop_and_resize") {
    Value last = s.sub(inLength, number(1));
    Value width = s.mul(s.sub(axis.roiEnd, axis.roiStart), last);
    Value step = s.div(width, s.sub(outLength, number(1)), false);
    Value along = s.add(s.mul(axis.roiStart, last), s.mul(x, step));
    Value middle = s.mul(half, s.mul(s.add(axis.roiStart, axis.roiEnd), last));
    return s.select(single, middle, along);
  }
  return halfPixel();
}

static Value clampIndex(Scalars &s, Value at, Value size) {
  Type index = s.b.getIndexType();
  Value last = s.sub(size, s.integer(index, 1));
  return s.max(s.min(at, last, false), s.integer(index, 0), false);
}

static Value floatToIndex(Scalars &s, Value x) {
  // Sizes fit 32 bits in float arithmetic; beyond, clamping follows.
  Value integer = arith::FPToSIOp::create(s.b, s.loc, s.b.getI32Type(), x);
  return s.toIndex(integer);
}

static Value nearestIndex(Scalars &s, StringRef mode, Value x) {
  Value half = s.constant(x.getType(), 0.5);
  if (mode == "floor")
    return floatToIndex(s, s.floor(x));
  if (mode == "ceil")
    return floatToIndex(s, s.ceil(x));
  if (mode == "round_prefer_ceil")
    return floatToIndex(s, s.floor(s.add(x, half)));
  return floatToIndex(s, s.ceil(s.sub(x, half)));
}

/// Whether nearest picks index at / scale, for a whole scale.
static bool isWholeUpscale(const ResizeMode &mode, const ResizeAxis &axis) {
  if (mode.mode != "nearest" || !axis.constant || *axis.constant < 1 ||
      *axis.constant != static_cast<int64_t>(*axis.constant))
    return false;
  if (mode.coordinates == "asymmetric")
    return mode.nearest == "floor";
  return mode.coordinates == "half_pixel" &&
         StringRef(mode.nearest).starts_with("round_prefer");
}

static Value wholeUpscale(Scalars &s, const ResizeAxis &axis, Value at,
                          Value in) {
  Value scale =
      s.integer(s.b.getIndexType(), static_cast<int64_t>(*axis.constant));
  return clampIndex(s, arith::DivUIOp::create(s.b, s.loc, at, scale), in);
}

static SmallVector<Tap> tapsOf(Scalars &s, const ResizeMode &mode,
                               const ResizeAxis &axis, Value at, Value in,
                               Value out, Value &outside) {
  Type index = s.b.getIndexType(), f32 = s.b.getF32Type();
  Value x = coordinate(s, mode, axis, at, in, out);
  if (mode.coordinates == "tf_crop_and_resize") {
    Value last = s.sub(s.fromIndex(in, f32), s.constant(f32, 1));
    Value beyond =
        s.logicalOr(s.compare(Comparison::Less, x, s.constant(f32, 0), false),
                    s.compare(Comparison::Greater, x, last, false));
    outside = outside ? s.logicalOr(outside, beyond) : beyond;
  }
  if (mode.mode == "nearest")
    return {{clampIndex(s, nearestIndex(s, mode.nearest, x), in), nullptr}};
  Value floor = s.floor(x), ratio = s.sub(x, floor);
  Value base = floatToIndex(s, floor), one = s.constant(f32, 1);
  SmallVector<Tap> taps;
  if (mode.mode == "linear") {
    taps = {{base, s.sub(one, ratio)},
            {s.add(base, s.integer(index, 1)), ratio}};
  } else {
    // Keys' cubic: the outer and inner polynomials at the taps' distances.
    double a = mode.cubicCoefficient;
    auto number = [&](double value) { return s.constant(f32, value); };
    auto inner = [&](Value d) {
      Value p = s.sub(s.mul(number(a + 2), d), number(a + 3));
      return s.add(s.mul(s.mul(p, d), d), one);
    };
    auto outer = [&](Value d) {
      Value p = s.sub(s.mul(number(a), d), number(5 * a));
      p = s.add(s.mul(p, d), number(8 * a));
      return s.sub(s.mul(p, d), number(4 * a));
    };
    Value rest = s.sub(one, ratio);
    taps = {{s.add(base, s.integer(index, -1)), outer(s.add(ratio, one))},
            {base, inner(ratio)},
            {s.add(base, s.integer(index, 1)), inner(rest)},
            {s.add(base, s.integer(index, 2)), outer(s.add(rest, one))}};
  }
  if (mode.excludeOutside) {
    Value sum;
    for (Tap &tap : taps) {
      Value inside = s.compare(Comparison::Less, tap.index, in, true);
      tap.weight = s.select(inside, tap.weight, s.constant(f32, 0));
      sum = sum ? s.add(sum, tap.weight) : tap.weight;
    }
    for (Tap &tap : taps)
      tap.weight = s.div(tap.weight, sum, false);
  }
  for (Tap &tap : taps)
    tap.index = clampIndex(s, tap.index, in);
  return taps;
}

/// The filter of an antialiased resize at distance `d` >= 0: a triangle, or
/// Keys' cubic.
static Value filterWeight(Scalars &s, const ResizeMode &mode, Value d) {
  Type f32 = d.getType();
  auto number = [&](double value) { return s.constant(f32, value); };
  auto within = [&](double end) {
    return s.compare(Comparison::Less, d, number(end), false);
  };
  if (mode.mode == "linear")
    return s.select(within(1), s.sub(number(1), d), number(0));
  double a = mode.cubicCoefficient;
  Value inner = s.sub(s.mul(number(a + 2), d), number(a + 3));
  inner = s.add(s.mul(s.mul(inner, d), d), number(1));
  Value outer = s.sub(s.mul(number(a), d), number(5 * a));
  outer = s.add(s.mul(outer, d), number(8 * a));
  outer = s.sub(s.mul(outer, d), number(4 * a));
  return s.select(within(1), inner, s.select(within(2), outer, number(0)));
}

Value onnxc::antialias(Lowering &l, Value tensor, const ResizeMode &mode,
                       const ResizeAxis &axis) {
  Type f32 = l.b.getF32Type(), index = l.b.getIndexType();
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  Dims dims = l.sizes(tensor);
  dims[axis.axis] = axis.out;
  Value in = l.index(axis.in), out = l.index(axis.out);
  Scalars outer{l.b, l.loc};
  Value scale = outer.atMost(axis.scale, outer.constant(f32, 1));
  double support = mode.mode == "linear" ? 1 : 2;
  Value reach = outer.div(outer.constant(f32, -support), scale, false);
  // Bounded, should nothing of the axis be left.
  reach = outer.atLeast(outer.floor(reach), outer.constant(f32, -(1 << 30)));
  Value first = outer.add(floatToIndex(outer, reach), l.index(1));
  Value count = outer.sub(l.index(2), outer.add(first, first));
  return l.pull(
      element, dims, [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Scalars s{nested, l.loc};
        Value x = coordinate(s, mode, axis, at[axis.axis], in, out);
        Value floor = s.floor(x), ratio = s.sub(x, floor);
        Value base = s.add(floatToIndex(s, floor), first);
        Value zero = s.constant(element, 0);
        auto loop = scf::ForOp::create(
            nested, l.loc, s.integer(index, 0), count, s.integer(index, 1),
            ValueRange{zero, zero},
            [&](OpBuilder &body, Location loc, Value i, ValueRange sums) {
              Scalars t{body, loc};
              Value place = t.add(base, i);
              Value distance =
                  t.mul(t.sub(t.fromIndex(t.add(first, i), f32), ratio), scale);
              Value weight = filterWeight(t, mode, t.abs(distance));
              if (mode.excludeOutside)
                weight = t.select(t.compare(Comparison::Less, place, in, true),
                                  weight, t.constant(f32, 0));
              weight = toFloat(t, weight, element);
              SmallVector<Value> from(at);
              from[axis.axis] = clampIndex(t, place, in);
              Value value = tensor::ExtractOp::create(body, loc, tensor, from);
              scf::YieldOp::create(
                  body, loc,
                  ValueRange{t.add(sums[0], t.mul(value, weight)),
                             t.add(sums[1], weight)});
            });
        return s.div(loop.getResult(0), loop.getResult(1), false);
      });
}

TapTables onnxc::makeTables(Lowering &l, const ResizeMode &mode,
                            const ResizeAxis &axis) {
  if (isWholeUpscale(mode, axis))
    return {};
  Type i64 = l.b.getI64Type(), f32 = l.b.getF32Type();
  int64_t count = mode.tapsOfAxis();
  Value in = l.index(axis.in), out = l.index(axis.out);
  auto pullTaps = [&](Type element, auto part) {
    return l.pull(element, {axis.out, l.attr(count)},
                  [&](OpBuilder &nested, ArrayRef<Value> at) {
                    Scalars s{nested, l.loc};
                    Value outside;
                    SmallVector<Tap> taps =
                        tapsOf(s, mode, axis, at[0], in, out, outside);
                    Value picked = part(s, taps.back());
                    for (int64_t i = count - 1; i-- > 0;)
                      picked = s.select(
                          s.compare(Comparison::Equal, at[1],
                                    s.integer(nested.getIndexType(), i), false),
                          part(s, taps[i]), picked);
                    return picked;
                  });
  };
  TapTables tables;
  tables.positions = pullTaps(i64, [&](Scalars &s, const Tap &tap) {
    return s.fromIndex(tap.index, i64);
  });
  if (mode.mode != "nearest")
    tables.weights =
        pullTaps(f32, [](Scalars &, const Tap &tap) { return tap.weight; });
  if (mode.coordinates == "tf_crop_and_resize")
    tables.outside = l.pull(l.b.getI1Type(), {axis.out},
                            [&](OpBuilder &nested, ArrayRef<Value> at) {
                              Scalars s{nested, l.loc};
                              Value outside;
                              tapsOf(s, mode, axis, at[0], in, out, outside);
                              return outside;
                            });
  return tables;
}

Value onnxc::pickTaps(Lowering &l, Value tensor, ArrayRef<ResizeAxis> axes,
                      ArrayRef<TapTables> tables, ArrayRef<OpFoldResult> dims) {
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  SmallVector<Value> ins;
  for (const ResizeAxis &axis : axes)
    ins.push_back(l.index(axis.in));
  return l.pull(element, dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
    Scalars s{nested, l.loc};
    SmallVector<Value> from(at);
    for (auto [axis, table, in] : llvm::zip(axes, tables, ins)) {
      Value &place = from[axis.axis];
      if (table.positions)
        place = s.toIndex(tensor::ExtractOp::create(
            nested, l.loc, table.positions,
            ValueRange{place, s.integer(nested.getIndexType(), 0)}));
      else
        place = wholeUpscale(s, axis, place, in);
    }
    return tensor::ExtractOp::create(nested, l.loc, tensor, from).getResult();
  });
}

Value onnxc::sumTaps(Lowering &l, Value tensor, const ResizeMode &mode,
                     const ResizeAxis &axis, const TapTables &tables) {
  Dims dims = l.sizes(tensor);
  dims[axis.axis] = axis.out;
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  return l.pull(
      computeType(element), dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
        Scalars s{nested, l.loc};
        Value sum;
        for (int64_t i = 0; i < mode.tapsOfAxis(); ++i) {
          SmallVector<Value> tap{at[axis.axis],
                                 s.integer(nested.getIndexType(), i)};
          SmallVector<Value> from(at);
          from[axis.axis] = s.toIndex(
              tensor::ExtractOp::create(nested, l.loc, tables.positions, tap));
          Value x =
              widen(s, tensor::ExtractOp::create(nested, l.loc, tensor, from));
          Value weight =
              tensor::ExtractOp::create(nested, l.loc, tables.weights, tap);
          x = s.mul(x, toFloat(s, weight, x.getType()));
          sum = sum ? s.add(sum, x) : x;
        }
        return sum;
      });
}
