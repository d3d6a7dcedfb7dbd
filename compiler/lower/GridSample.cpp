//===- GridSample.cpp - GridSample ----------------------------------------===//

#include "compiler/lower/ComplexNumbers.h"
#include "compiler/lower/Elementwise.h"
#include "compiler/lower/Strings.h"

using namespace mlir;
using namespace onnxc;

namespace {
enum class Padding { Zeros, Border, Reflection };

struct Sampling {
  Padding padding;
  bool alignCorners;
};

/// A tap along one axis.
struct Tap {
  Value index;  // inside the input, whatever the coordinate
  Value weight; // null: 1
  Value inside; // whether the tap counts; null: always
};
} // namespace

/// -1 and 1 are the centres of the first and last element with aligned corners,
/// otherwise their outer edges.
static Value denormalize(Scalars &s, Value x, Value length, bool alignCorners) {
  auto number = [&](double value) { return s.constant(x.getType(), value); };
  if (alignCorners)
    return s.mul(s.mul(s.add(x, number(1)), number(0.5)),
                 s.sub(length, number(1)));
  return s.mul(s.sub(s.mul(s.add(x, number(1)), length), number(1)),
               number(0.5));
}

/// Mirrors x at the first and last element (at their centres, or edges) until
/// it lies between.
static Value reflect(Scalars &s, Value x, Value length, bool alignCorners) {
  auto number = [&](double value) { return s.constant(x.getType(), value); };
  Value low = number(alignCorners ? 0 : -0.5);
  Value span = alignCorners ? s.sub(length, number(1)) : length;
  Value distance = s.abs(s.sub(x, low));
  Value times = s.floor(s.div(distance, span, false));
  Value rest = s.sub(distance, s.mul(times, span));
  Value half = s.mul(times, number(0.5));
  Value even = s.compare(Comparison::Equal, s.floor(half), half, false);
  Value mirrored = s.select(even, rest, s.sub(span, rest));
  Value some = s.compare(Comparison::Greater, span, number(0), false);
  return s.select(some, s.add(mirrored, low), number(0));
}

/// A whole coordinate as an index into the input, and whether it counts.
static Tap place(Scalars &s, const Sampling &sampling, Value x, Value length,
                 Value weight) {
  auto number = [&](double value) { return s.constant(x.getType(), value); };
  Value last = s.sub(length, number(1));
  Tap tap{nullptr, weight, nullptr};
  if (sampling.padding == Padding::Zeros)
    tap.inside =
        s.logicalAnd(s.compare(Comparison::GreaterOrEqual, x, number(0), false),
                     s.compare(Comparison::LessOrEqual, x, last, false));
  if (sampling.padding == Padding::Reflection)
    x = reflect(s, x, length, sampling.alignCorners);
  // Also NaN goes to an element that exists.
  Value kept = s.select(s.compare(Comparison::Greater, x, number(0), false), x,
                        number(0));
  kept = s.select(s.compare(Comparison::Less, kept, last, false), kept, last);
  // In f32, a position beyond 32 bits would not be exact: a dim of that size is
  // read from within. 32 bits convert by vectors.
  unsigned bits = x.getType().isF64() ? 64 : 32;
  if (bits == 32)
    kept = s.min(kept, number(2147483520), false);
  tap.index = s.toIndex(
      arith::FPToSIOp::create(s.b, s.loc, s.b.getIntegerType(bits), kept));
  return tap;
}

static Value clampCoordinate(Scalars &s, const Sampling &sampling, Value x,
                             Value length) {
  Value zero = s.constant(x.getType(), 0);
  Value last = s.sub(length, s.constant(x.getType(), 1));
  if (sampling.padding == Padding::Reflection)
    x = reflect(s, x, length, sampling.alignCorners);
  if (sampling.padding != Padding::Zeros)
    x = s.max(s.min(x, last, false), zero, false);
  return x;
}

static SmallVector<Tap> tapsOf(Scalars &s, const Sampling &sampling,
                               StringRef mode, Value x, Value length) {
  Type type = x.getType();
  auto number = [&](double value) { return s.constant(type, value); };
  x = denormalize(s, x, length, sampling.alignCorners);
  if (mode == "nearest")
    return {place(s, sampling, s.roundEven(x), length, nullptr)};
  if (mode == "linear") {
    // What is beyond the border is brought back before it is split.
    x = clampCoordinate(s, sampling, x, length);
    Value floor = s.floor(x), ratio = s.sub(x, floor);
    return {place(s, sampling, floor, length, s.sub(number(1), ratio)),
            place(s, sampling, s.add(floor, number(1)), length, ratio)};
  }
  // Keys' cubic with a = -0.75: the taps at distances 1 + r, r, 1 - r, 2 - r.
  constexpr double a = -0.75;
  auto inner = [&](Value d) {
    Value p = s.sub(s.mul(number(a + 2), d), number(a + 3));
    return s.add(s.mul(s.mul(p, d), d), number(1));
  };
  auto outer = [&](Value d) {
    Value p = s.sub(s.mul(number(a), d), number(5 * a));
    p = s.add(s.mul(p, d), number(8 * a));
    return s.sub(s.mul(p, d), number(4 * a));
  };
  Value floor = s.floor(x), ratio = s.sub(x, floor);
  Value rest = s.sub(number(1), ratio);
  Value weights[] = {outer(s.add(ratio, number(1))), inner(ratio), inner(rest),
                     outer(s.add(rest, number(1)))};
  SmallVector<Tap> taps;
  for (int i = 0; i < 4; ++i)
    taps.push_back(
        place(s, sampling, s.add(floor, number(i - 1)), length, weights[i]));
  return taps;
}

/// The weighted sum over the taps of the axes that follow those in `at`, whose
/// elements `widened` brings to the type of the weights; `blank` stands for one
/// outside.
static Value sum(Scalars &s, Value tensor, ArrayRef<SmallVector<Tap>> axes,
                 SmallVector<Value> at, Value channel, Value inside,
                 Value blank, function_ref<Value(Value)> widened) {
  if (axes.empty()) {
    at.push_back(channel);
    Value x = tensor::ExtractOp::create(s.b, s.loc, tensor, at);
    x = widened(x);
    if (!inside)
      return x;
    return s.select(inside, x, widened(blank));
  }
  Value total;
  for (const Tap &tap : axes.front()) {
    Value counts = tap.inside && inside ? s.logicalAnd(inside, tap.inside)
                   : tap.inside         ? tap.inside
                                        : inside;
    SmallVector<Value> next = at;
    next.push_back(tap.index);
    Value x = sum(s, tensor, axes.drop_front(), next, channel, counts, blank,
                  widened);
    if (tap.weight)
      x = s.mul(x, tap.weight);
    total = total ? s.add(total, x) : x;
  }
  return total;
}

/// `input`, whose onnx elements are of type `element`, at the places of `grid`;
/// both, and `dims` of the result, with the channels last.
static Value sample(Lowering &l, Value input, Value grid,
                    const Sampling &sampling, StringRef mode, Type element,
                    Type compute, ArrayRef<OpFoldResult> dims) {
  Dims source = l.sizes(input);
  auto spatial = static_cast<int64_t>(source.size()) - 2;
  Scalars outer{l.b, l.loc};
  SmallVector<Value> lengths;
  for (int64_t i = 0; i < spatial; ++i)
    lengths.push_back(outer.fromIndex(l.index(source[1 + i]), compute));
  Value nothing = blank(l, element);
  bool weighted = mode != "nearest";
  return l.pull(
      signless(element), dims,
      [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Scalars s{nested, l.loc};
        SmallVector<SmallVector<Tap>> axes;
        for (int64_t i = 0; i < spatial; ++i) {
          // The grid gives x before y: the last axis first.
          SmallVector<Value> where(at.drop_back());
          where.push_back(s.integer(nested.getIndexType(), spatial - 1 - i));
          Value x = tensor::ExtractOp::create(nested, l.loc, grid, where);
          axes.push_back(
              tapsOf(s, sampling, mode, toFloat(s, x, compute), lengths[i]));
        }
        auto convert = [&](Value x, Type from, Type to) {
          if (!weighted)
            return x;
          return isa<FloatType>(element) ? toFloat(s, x, to)
                                         : s.convert(x, from, to);
        };
        Value x = sum(s, input, axes, {at.front()}, at.back(), nullptr, nothing,
                      [&](Value x) { return convert(x, element, compute); });
        return convert(x, compute, element);
      });
}

static LogicalResult lowerGridSample(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0)), spatial = rank - 2;
  if (spatial < 1 || l.rank(n.in(1)) != rank ||
      l.staticDim(n.in(1), rank - 1) != spatial)
    return l.refuse("the grid must be [batch, out..., spatial dims]");
  StringRef mode = n.string("mode", "linear");
  if (mode == "bilinear")
    mode = "linear";
  if (mode == "bicubic")
    mode = "cubic";
  if (mode != "linear" && mode != "cubic" && mode != "nearest")
    return l.refuse("mode '" + mode + "' is not known");
  if (mode == "cubic" && spatial > 2)
    return l.refuse("cubic interpolation of " + Twine(spatial) +
                    " spatial dims is not supported");
  StringRef padding = n.string("padding_mode", "zeros");
  if (padding != "zeros" && padding != "border" && padding != "reflection")
    return l.refuse("padding_mode '" + padding + "' is not known");
  Sampling sampling{padding == "zeros"    ? Padding::Zeros
                    : padding == "border" ? Padding::Border
                                          : Padding::Reflection,
                    n.integer("align_corners", 0) != 0};
  Type element = l.elementType(n.in(0)), gridElement = l.elementType(n.in(1));
  bool weighted = mode != "nearest";
  if (weighted && isString(element))
    return l.refuse("strings cannot be interpolated, which mode '" + mode +
                    "' asks for");
  // Channels last: a position's coordinates and weights serve all channels.
  SmallVector<int64_t> toLast = {0}, fromLast = {0, rank - 1};
  for (int64_t i = 2; i < rank; ++i) {
    toLast.push_back(i);
    fromLast.push_back(i - 1);
  }
  toLast.push_back(1);
  Value input = l.transpose(l.value(n.in(0)), toLast), grid = l.value(n.in(1));
  Dims source = l.dims(n.in(0)), out = l.dims(n.in(1));
  Dims dims = {l.min(source[0], out[0]), source[1]};
  dims.append(out.begin() + 1, out.end() - 1);
  dims = l.preferKnown(n.out(), dims);
  dims.push_back(dims[1]);
  dims.erase(dims.begin() + 1);
  for (OpFoldResult dim : ArrayRef(source).drop_front(2))
    l.requireAtLeast(dim, 1, "a spatial dim of the input");
  auto sampled = [&](Value part, Type type, ComplexPart) {
    Type compute = type.isF64() ? type : computeType(gridElement);
    return sample(l, part, grid, sampling, mode, type, compute, dims);
  };
  Value result = byParts(l, input, element, sampled);
  l.set(n.out(), l.transpose(result, fromLast));
  return success();
}

void onnxc::addGridSample(LoweringTable &table) {
  table.onOp("GridSample", lowerGridSample);
}
