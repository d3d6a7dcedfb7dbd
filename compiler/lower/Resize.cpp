//===- Resize.cpp - Resize ------------------------------------------------===//
//
// Each output element is a weighted sum of a few input elements: along every
// resized axis one tap (nearest), two (linear) or four (cubic).
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/ComplexNumbers.h"
#include "compiler/lower/Elementwise.h"
#include "compiler/lower/Strings.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// What is known of the resizing before the loops.
struct ResizeAxis {
  int64_t axis;
  OpFoldResult in, out;
  Value scale;                    // f32
  Value exactLength;              // f32; of the output, before rounding down
  std::optional<double> constant; // of the scale
  Value roiStart, roiEnd;         // f32, tf_crop_and_resize only
};

struct ResizeMode {
  StringRef mode, coordinates, nearest;
  double cubicCoefficient, extrapolation;
  bool excludeOutside;
};

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

static SmallVector<Tap> tapsOf(Scalars &s, const ResizeMode &mode,
                               const ResizeAxis &axis, Value at, Value in,
                               Value out, Value &outside) {
  Type index = s.b.getIndexType(), f32 = s.b.getF32Type();
  if (isWholeUpscale(mode, axis)) {
    Value scale = s.integer(index, static_cast<int64_t>(*axis.constant));
    Value from = arith::DivUIOp::create(s.b, s.loc, at, scale);
    return {{clampIndex(s, from, in), nullptr}};
  }
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

/// One axis of an antialiased resize of a float tensor: where it shrinks the
/// filter is stretched so that each input counts.
static Value antialias(Lowering &l, Value tensor, const ResizeMode &mode,
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

/// The sum over the taps of axes[next...].
static Value gatherTaps(Scalars &s, Value tensor,
                        ArrayRef<SmallVector<Tap>> taps,
                        ArrayRef<ResizeAxis> axes, SmallVector<Value> position,
                        bool weighted) {
  if (taps.empty()) {
    Value x = tensor::ExtractOp::create(s.b, s.loc, tensor, position);
    return weighted ? widen(s, x) : x;
  }
  Value sum;
  for (const Tap &tap : taps.front()) {
    position[axes.front().axis] = tap.index;
    Value x = gatherTaps(s, tensor, taps.drop_front(), axes.drop_front(),
                         position, weighted);
    if (tap.weight)
      x = s.mul(x, toFloat(s, tap.weight, x.getType()));
    sum = sum ? s.add(sum, x) : x;
  }
  return sum;
}

/// Reads scales and sizes into the axes that are resized.
static FailureOr<SmallVector<ResizeAxis>> readAxes(Lowering &l, OnnxNode n) {
  Value input = n.in(0);
  int64_t rank = l.rank(input);
  Type f32 = l.b.getF32Type();
  Scalars s{l.b, l.loc};
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (auto given = n.integers("axes"); given && !given->empty()) {
    axes.clear();
    for (int64_t axis : *given) {
      auto normal = normalizeAxis(axis, rank);
      if (!normal)
        return l.refuse("axis " + Twine(axis) + " is out of range");
      axes.push_back(*normal);
    }
  }
  Dims source = l.dims(input);
  Value roi = n.string("coordinate_transformation_mode", "half_pixel") ==
                      "tf_crop_and_resize"
                  ? n.in(1)
                  : Value();
  bool hasScales = n.in(2) && l.staticDim(n.in(2), 0) != 0;
  SmallVector<ResizeAxis> result;
  std::optional<Dims> sizes;
  std::optional<SmallVector<double>> scales;
  if (!hasScales) {
    if (!n.in(3))
      return l.refuse("neither scales nor sizes are given");
    sizes = l.elements(n.in(3));
    if (!sizes || sizes->size() != axes.size())
      return l.refuse("sizes do not fit the axes");
  } else {
    if (l.staticDim(n.in(2), 0) != static_cast<int64_t>(axes.size()))
      return l.refuse("scales do not fit the axes");
    scales = l.reals(n.in(2));
  }
  for (auto [i, axis] : llvm::enumerate(axes)) {
    ResizeAxis resized{axis, source[axis], {}, {}, {}, std::nullopt, {}, {}};
    Value length = s.fromIndex(l.index(source[axis]), f32);
    if (sizes) {
      resized.out = (*sizes)[i];
      auto in = getConstantIntValue(source[axis]);
      auto out = getConstantIntValue(resized.out);
      if (in && out && *in > 0)
        resized.constant = static_cast<double>(*out) / *in;
      resized.exactLength = s.fromIndex(l.index(resized.out), f32);
      resized.scale = s.div(resized.exactLength, length, false);
    } else {
      if (scales) {
        resized.constant = (*scales)[i];
        resized.scale = s.constant(f32, (*scales)[i]);
        if (!((*scales)[i] > 0))
          return l.refuse("a scale is not positive");
      } else {
        Value at = l.index(i);
        resized.scale =
            tensor::ExtractOp::create(l.b, l.loc, l.value(n.in(2)), at);
      }
      resized.exactLength = s.mul(length, resized.scale);
      auto in = getConstantIntValue(source[axis]);
      if (in && resized.constant)
        resized.out = l.attr(static_cast<int64_t>(std::floor(
            static_cast<float>(*in) * static_cast<float>(*resized.constant))));
      else if (resized.constant &&
               *resized.constant == static_cast<int64_t>(*resized.constant))
        resized.out = l.mul(source[axis],
                            l.attr(static_cast<int64_t>(*resized.constant)));
      else
        resized.out = getAsOpFoldResult(s.toIndex(arith::FPToSIOp::create(
            l.b, l.loc, l.b.getI64Type(), s.floor(resized.exactLength))));
    }
    if (roi) {
      Type roiType = l.elementType(roi);
      Value tensor = l.value(roi);
      auto at = [&](size_t position) {
        Value x =
            tensor::ExtractOp::create(l.b, l.loc, tensor, l.index(position));
        return s.convert(x, roiType, f32);
      };
      if (l.staticDim(roi, 0) != static_cast<int64_t>(2 * axes.size()))
        return l.refuse("roi does not fit the axes");
      resized.roiStart = at(i);
      resized.roiEnd = at(i + axes.size());
    }
    result.push_back(resized);
  }
  // One scale for all axes, as the policy wants.
  StringRef policy = n.string("keep_aspect_ratio_policy", "stretch");
  if (sizes && policy != "stretch") {
    Value scale;
    for (ResizeAxis &axis : result)
      scale = !scale                   ? axis.scale
              : policy == "not_larger" ? s.atMost(scale, axis.scale)
                                       : s.atLeast(scale, axis.scale);
    std::optional<double> constant;
    for (ResizeAxis &axis : result) {
      if (!axis.constant) {
        constant.reset();
        break;
      }
      constant = !constant                ? *axis.constant
                 : policy == "not_larger" ? std::min(*constant, *axis.constant)
                                          : std::max(*constant, *axis.constant);
    }
    for (ResizeAxis &axis : result) {
      axis.scale = scale;
      axis.constant = constant;
      Value length = s.fromIndex(l.index(axis.in), f32);
      // Rounded half up, as the operator's text says.
      Value rounded =
          s.floor(s.add(s.mul(length, scale), s.constant(f32, 0.5)));
      auto in = getConstantIntValue(axis.in);
      axis.out =
          in && constant
              ? l.attr(static_cast<int64_t>(std::floor(*in * *constant + 0.5)))
              : getAsOpFoldResult(s.toIndex(arith::FPToSIOp::create(
                    l.b, l.loc, l.b.getI64Type(), rounded)));
      axis.exactLength = s.fromIndex(l.index(axis.out), f32);
    }
  }
  return result;
}

/// A tensor whose onnx elements are of type `element`, resized to `dims`.
static Value resized(Lowering &l, Value tensor, Type element,
                     const ResizeMode &mode, SmallVector<ResizeAxis> axes,
                     ArrayRef<OpFoldResult> dims, bool antialiased) {
  SmallVector<Value> ins, outs;
  for (ResizeAxis &axis : axes) {
    ins.push_back(l.index(axis.in));
    outs.push_back(l.index(axis.out));
  }
  bool weighted = mode.mode != "nearest";
  bool isFloat = isa<FloatType>(element);
  Type lowered = signless(element);
  if (weighted && !isFloat) {
    tensor = l.convert(tensor, element, l.b.getF32Type());
  }
  if (antialiased) {
    tensor = l.convert(tensor, isFloat ? element : l.b.getF32Type(),
                       isFloat ? computeType(element) : l.b.getF32Type());
    for (const ResizeAxis &axis : axes)
      tensor = antialias(l, tensor, mode, axis);
    // What is left to do for each element is its type.
    axes.clear();
  }
  return l.pull(
      lowered, dims, [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Scalars s{nested, l.loc};
        SmallVector<SmallVector<Tap>> all;
        Value outside;
        for (auto [i, axis] : llvm::enumerate(axes))
          all.push_back(
              tapsOf(s, mode, axis, at[axis.axis], ins[i], outs[i], outside));
        Value x =
            gatherTaps(s, tensor, all, axes, SmallVector<Value>(at), weighted);
        if (weighted && isFloat)
          x = toFloat(s, x, lowered);
        if (weighted && !isFloat)
          x = s.saturate(s.roundEven(x), element);
        if (outside)
          x = s.select(outside, s.constant(lowered, mode.extrapolation), x);
        return x;
      });
}

static bool isKnown(const ResizeMode &mode) {
  return llvm::is_contained({"nearest", "linear", "cubic"}, mode.mode) &&
         llvm::is_contained({"half_pixel", "half_pixel_symmetric",
                             "pytorch_half_pixel", "align_corners",
                             "asymmetric", "tf_half_pixel_for_nn",
                             "tf_crop_and_resize"},
                            mode.coordinates) &&
         llvm::is_contained(
             {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"},
             mode.nearest);
}

static LogicalResult lowerResize(Lowering &l, OnnxNode n) {
  ResizeMode mode;
  mode.mode = n.string("mode", "nearest");
  mode.coordinates = n.string("coordinate_transformation_mode", "half_pixel");
  mode.nearest = n.string("nearest_mode", "round_prefer_floor");
  mode.cubicCoefficient = n.real("cubic_coeff_a", -0.75);
  mode.extrapolation = n.real("extrapolation_value", 0);
  bool antialiased = n.integer("antialias", 0) && mode.mode != "nearest";
  mode.excludeOutside =
      n.integer("exclude_outside", 0) && (mode.mode == "cubic" || antialiased);
  if (!isKnown(mode))
    return l.refuse("a mode that is none of the operator's is not supported");
  if (antialiased && mode.coordinates == "tf_crop_and_resize")
    return l.refuse("antialias = 1 with tf_crop_and_resize is not supported");
  if (isString(l.elementType(n.in(0))) && mode.mode != "nearest")
    return l.refuse("strings cannot be interpolated, which mode '" + mode.mode +
                    "' asks for");
  if (isString(l.elementType(n.in(0))) &&
      mode.coordinates == "tf_crop_and_resize")
    return l.refuse(
        "extrapolation_value is a number, the elements are strings");
  FailureOr<SmallVector<ResizeAxis>> read = readAxes(l, n);
  if (failed(read))
    return failure();
  int64_t rank = l.rank(n.in(0));
  Type element = l.elementType(n.in(0));
  Dims source = l.dims(n.in(0)), dims = source;
  for (ResizeAxis &axis : *read)
    dims[axis.axis] = axis.out;
  for (ResizeAxis &axis : *read) {
    std::string what = ("dim " + Twine(axis.axis)).str();
    l.requireAtLeast(axis.out, 0, what);
    // Nothing can be made of an empty dim.
    l.requireAtMost(l.min(axis.out, l.attr(1)), axis.in,
                    what + ", resized from an empty one");
  }
  dims = l.preferKnown(n.out(), dims);
  l.requireAllocatable(dims);
  SmallVector<ResizeAxis> axes;
  int64_t taps = 1;
  for (ResizeAxis &axis : *read) {
    axis.out = dims[axis.axis];
    bool same = axis.constant && *axis.constant == 1 &&
                mode.coordinates != "tf_crop_and_resize";
    if (same)
      continue;
    taps *= mode.mode == "nearest" ? 1 : mode.mode == "linear" ? 2 : 4;
    axes.push_back(axis);
  }
  if (taps > 256 && !antialiased)
    return l.refuse("resizing so many axes at once is not supported yet");

  // Pictures are resized with the channels last, like convolutions.
  bool channelsLast = rank == 4 && llvm::all_of(axes, [](ResizeAxis &axis) {
                        return axis.axis >= 2;
                      });
  Value tensor = l.value(n.in(0));
  if (channelsLast) {
    tensor = l.transpose(tensor, {0, 2, 3, 1});
    dims = {dims[0], dims[2], dims[3], dims[1]};
    for (ResizeAxis &axis : axes)
      --axis.axis;
  }
  Value result = byParts(
      l, tensor, element, [&](Value part, Type type, ComplexPart which) {
        ResizeMode own = mode;
        if (which == ComplexPart::Imaginary)
          own.extrapolation = 0; // it is a real number
        return resized(l, part, type, own, axes, dims, antialiased);
      });
  l.set(n.out(), channelsLast ? l.transpose(result, {0, 3, 1, 2}) : result);
  return success();
}

void onnxc::addResize(LoweringTable &table) {
  table.onOp("Resize", lowerResize);
}
