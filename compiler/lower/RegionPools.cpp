//===- RegionPools.cpp - RoiAlign, MaxRoiPool -----------------------------===//

#include "compiler/lower/Elementwise.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// The picture that regions are cut from, channels last, in the type that it is
/// computed in.
struct Picture {
  Value tensor;
  Value height, width, images; // index
  Type compute;

  static Picture of(Lowering &l, Value onnx) {
    Type element = l.elementType(onnx), compute = computeType(element);
    Dims dims = l.dims(onnx);
    Value tensor = l.convert(l.value(onnx), element, compute);
    for (int axis : {0, 2, 3})
      l.requireAtLeast(dims[axis], 1, "dim " + Twine(axis) + " of the picture");
    return {l.transpose(tensor, {0, 2, 3, 1}), l.index(dims[2]),
            l.index(dims[3]), l.index(dims[0]), compute};
  }

  Value read(Scalars &s, Value image, Value y, Value x, Value channel) const {
    return tensor::ExtractOp::create(s.b, s.loc, tensor,
                                     ValueRange{image, y, x, channel});
  }
  /// The number of an image, brought into range.
  Value image(Scalars &s, Value number) const {
    Value last = s.sub(images, s.integer(s.b.getIndexType(), 1));
    return s.max(s.min(number, last, false), s.integer(s.b.getIndexType(), 0),
                 false);
  }
};

/// One axis of a point between pixels.
struct Between {
  Value low, high, lowWeight, highWeight, inside;
};
} // namespace

static Value truncate(Scalars &s, Value x) {
  return s.toIndex(arith::FPToSIOp::create(s.b, s.loc, s.b.getI64Type(), x));
}

/// Where x lies among `size` pixels. Up to one pixel outside it is at the
/// border, further out it does not count.
static Between between(Scalars &s, Value x, Value size) {
  Type type = x.getType(), index = s.b.getIndexType();
  Value zero = s.constant(type, 0), one = s.constant(type, 1);
  Value length = s.fromIndex(size, type);
  Value inside = s.logicalAnd(
      s.compare(Comparison::GreaterOrEqual, x, s.constant(type, -1), false),
      s.compare(Comparison::LessOrEqual, x, length, false));
  // NaN is outside: it reads pixel 0.
  Value position = s.select(inside, x, zero);
  position = s.max(position, zero, false);
  position = s.min(position, s.sub(length, one), false);
  Value low = truncate(s, position);
  Value high = s.min(s.add(low, s.integer(index, 1)),
                     s.sub(size, s.integer(index, 1)), false);
  Value share = s.sub(position, s.fromIndex(low, type));
  return {low, high, s.sub(one, share), share, inside};
}

/// for y in [0, rows): for x in [0, columns): acc = body(y, x, acc). A few are
/// written out: what is around them is then vectorized.
static Value
sampleLoops(Scalars &s, Value rows, Value columns, Value start,
            function_ref<Value(Scalars &, Value, Value, Value)> body) {
  constexpr int64_t fewSamples = 16;
  auto height = getConstantIntValue(rows), width = getConstantIntValue(columns);
  if (height && width && *height <= fewSamples && *width <= fewSamples &&
      *height * *width <= fewSamples) {
    for (int64_t y = 0; y < *height; ++y)
      for (int64_t x = 0; x < *width; ++x)
        start = body(s, s.integer(s.b.getIndexType(), y),
                     s.integer(s.b.getIndexType(), x), start);
    return start;
  }
  Value zero = s.integer(s.b.getIndexType(), 0);
  Value one = s.integer(s.b.getIndexType(), 1);
  return scf::buildLoopNest(s.b, s.loc, {zero, zero}, {rows, columns},
                            {one, one}, start,
                            [&](OpBuilder &nested, Location loc, ValueRange at,
                                ValueRange state) -> scf::ValueVector {
                              Scalars inner{nested, loc};
                              return {body(inner, at[0], at[1], state[0])};
                            })
      .results[0];
}

static LogicalResult lowerRoiAlign(Lowering &l, OnnxNode n) {
  Value rois = n.in(1), numbers = n.in(2);
  if (l.rank(n.in(0)) != 4 || l.rank(rois) != 2 || l.staticDim(rois, 1) != 4 ||
      l.rank(numbers) != 1)
    return l.refuse("the input must be [n, c, h, w], rois [regions, 4] and "
                    "batch_indices [regions]");
  int64_t pooledHeight = n.integer("output_height", 1);
  int64_t pooledWidth = n.integer("output_width", 1);
  int64_t ratio = n.integer("sampling_ratio", 0);
  if (pooledHeight < 1 || pooledWidth < 1 || ratio < 0)
    return l.refuse("output_height, output_width and sampling_ratio must be "
                    "positive");
  StringRef mode = n.string("mode", "avg");
  StringRef coordinates =
      n.string("coordinate_transformation_mode", "half_pixel");
  if ((mode != "avg" && mode != "max") ||
      (coordinates != "half_pixel" && coordinates != "output_half_pixel"))
    return l.refuse("mode or coordinate_transformation_mode is not known");
  bool halfPixel = coordinates == "half_pixel", average = mode == "avg";
  double scale = n.real("spatial_scale", 1);
  Type element = l.elementType(n.in(0));
  if (!isa<FloatType>(element))
    return l.refuse("this element type is not supported");
  Picture picture = Picture::of(l, n.in(0));
  Type compute = picture.compute, roiType = l.elementType(rois);
  Value roiTensor = l.value(rois), numberTensor = l.value(numbers);
  Dims known = l.preferKnown(
      n.out(), {l.min(l.dims(rois)[0], l.dims(numbers)[0]), l.dims(n.in(0))[1],
                l.attr(pooledHeight), l.attr(pooledWidth)});
  Dims dims = {known[0], known[2], known[3], known[1]};
  Value result = l.pull(
      compute, dims, [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Scalars s{nested, l.loc};
        Type index = nested.getIndexType();
        auto number = [&](double value) { return s.constant(compute, value); };
        Value image =
            picture.image(s, s.toIndex(tensor::ExtractOp::create(
                                 nested, l.loc, numberTensor, at[0])));
        int64_t pooled[] = {pooledHeight, pooledWidth};
        Value start[2], step[2], samples[2];
        for (int i = 0; i < 2; ++i) { // y, x; a region is x, y, x, y
          Value corner[2];
          for (int j = 0; j < 2; ++j) {
            Value x = tensor::ExtractOp::create(
                nested, l.loc, roiTensor,
                ValueRange{at[0], s.integer(index, 2 * j + 1 - i)});
            corner[j] =
                s.sub(s.mul(s.convert(x, roiType, compute), number(scale)),
                      number(halfPixel ? 0.5 : 0));
          }
          Value size = s.sub(corner[1], corner[0]);
          if (!halfPixel)
            size = s.max(size, number(1), false);
          Value bin = s.div(size, number(pooled[i]), false);
          // NaN and what is too much to sample: no more than 2^20 points.
          Value wanted = s.atMost(s.ceil(bin), number(1 << 20));
          wanted =
              s.select(s.compare(Comparison::Greater, wanted, number(0), false),
                       wanted, number(0));
          samples[i] =
              ratio > 0 ? s.integer(index, ratio) : truncate(s, wanted);
          Value count = s.fromIndex(samples[i], compute);
          step[i] = s.div(bin, count, false);
          start[i] =
              s.add(corner[0], s.mul(s.fromIndex(at[1 + i], compute), bin));
        }
        auto position = [&](Scalars &inner, int axis, Value i) {
          Value middle = inner.add(inner.fromIndex(i, compute),
                                   inner.constant(compute, 0.5));
          return inner.add(start[axis], inner.mul(middle, step[axis]));
        };
        TypedAttr first =
            average ? numberAttr(compute, 0) : lowestValue(compute, false);
        Value total = sampleLoops(
            s, samples[0], samples[1],
            arith::ConstantOp::create(nested, l.loc, first),
            [&](Scalars &inner, Value i, Value j, Value sum) {
              Between y = between(inner, position(inner, 0, i), picture.height);
              Between x = between(inner, position(inner, 1, j), picture.width);
              Value inside = inner.logicalAnd(y.inside, x.inside);
              Value point;
              for (auto [row, rowWeight] : {std::pair{y.low, y.lowWeight},
                                            std::pair{y.high, y.highWeight}})
                for (auto [column, weight] :
                     {std::pair{x.low, x.lowWeight},
                      std::pair{x.high, x.highWeight}}) {
                  Value part =
                      inner.mul(inner.mul(rowWeight, weight),
                                picture.read(inner, image, row, column, at[3]));
                  // A maximum is that of the weighted pixels, as in ONNX
                  // Runtime and in ONNX's own tests.
                  point = !point    ? part
                          : average ? inner.add(point, part)
                                    : inner.max(point, part, false);
                }
              point = inner.select(inside, point, inner.constant(compute, 0));
              return average ? inner.add(sum, point)
                             : inner.max(sum, point, false);
            });
        Value count = s.mul(samples[0], samples[1]);
        if (average)
          return s.div(
              total,
              s.fromIndex(s.max(count, s.integer(index, 1), false), compute),
              false);
        Value some =
            s.compare(Comparison::Greater, count, s.integer(index, 0), false);
        return s.select(some, total, number(0));
      });
  l.set(n.out(),
        l.convert(l.transpose(result, {0, 3, 1, 2}), compute, element));
  return success();
}

static LogicalResult lowerMaxRoiPool(Lowering &l, OnnxNode n) {
  Value rois = n.in(1);
  auto pooled = n.integers("pooled_shape");
  if (l.rank(n.in(0)) != 4 || l.rank(rois) != 2 || l.staticDim(rois, 1) != 5 ||
      !pooled || pooled->size() != 2 || (*pooled)[0] < 1 || (*pooled)[1] < 1)
    return l.refuse("the input must be [n, c, h, w], rois [regions, 5] and "
                    "pooled_shape two positive numbers");
  double scale = n.real("spatial_scale", 1);
  Type element = l.elementType(n.in(0));
  Picture picture = Picture::of(l, n.in(0));
  Type compute = picture.compute, roiType = l.elementType(rois);
  Value roiTensor = l.value(rois);
  Dims known =
      l.preferKnown(n.out(), {l.dims(rois)[0], l.dims(n.in(0))[1],
                              l.attr((*pooled)[0]), l.attr((*pooled)[1])});
  Dims dims = {known[0], known[2], known[3], known[1]};
  Value result = l.pull(
      compute, dims, [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Scalars s{nested, l.loc};
        Type index = nested.getIndexType();
        auto number = [&](double value) { return s.constant(compute, value); };
        auto roi = [&](int64_t i) {
          Value x = tensor::ExtractOp::create(
              nested, l.loc, roiTensor, ValueRange{at[0], s.integer(index, i)});
          x = s.convert(x, roiType, compute);
          // Far outside every picture, and no number.
          Value bounded = s.atMost(s.atLeast(x, number(-1e6)), number(1e6));
          return s.select(s.isNaN(bounded), number(0), bounded);
        };
        Value image = picture.image(s, truncate(s, roi(0)));
        Value begin[2], count[2], size[] = {picture.height, picture.width};
        for (int i = 0; i < 2; ++i) { // y, x; a region is n, x, y, x, y
          auto corner = [&](int64_t j) {
            Value x = s.mul(roi(2 * j + 2 - i), number(scale));
            return truncate(
                s, math::RoundOp::create(nested, l.loc, x).getResult());
          };
          Value first = corner(0), one = s.integer(index, 1);
          Value extent = s.max(s.add(s.sub(corner(1), first), one), one, false);
          Value bin =
              s.div(s.fromIndex(extent, compute), number((*pooled)[i]), false);
          auto clamp = [&](Value x) {
            return s.max(s.min(s.add(x, first), size[i], false),
                         s.integer(index, 0), false);
          };
          Value low = s.floor(s.mul(s.fromIndex(at[1 + i], compute), bin));
          Value high =
              s.ceil(s.mul(s.fromIndex(s.add(at[1 + i], one), compute), bin));
          begin[i] = clamp(truncate(s, low));
          count[i] = s.max(s.sub(clamp(truncate(s, high)), begin[i]),
                           s.integer(index, 0), false);
        }
        Value highest =
            sampleLoops(s, count[0], count[1],
                        arith::ConstantOp::create(nested, l.loc,
                                                  lowestValue(compute, false)),
                        [&](Scalars &inner, Value i, Value j, Value best) {
                          Value x =
                              picture.read(inner, image, inner.add(begin[0], i),
                                           inner.add(begin[1], j), at[3]);
                          return inner.max(best, x, false);
                        });
        Value some = s.compare(Comparison::Greater, s.mul(count[0], count[1]),
                               s.integer(index, 0), false);
        return s.select(some, highest, number(0));
      });
  l.set(n.out(),
        l.convert(l.transpose(result, {0, 3, 1, 2}), compute, element));
  return success();
}

void onnxc::addRegionPools(LoweringTable &table) {
  table.onOp("RoiAlign", lowerRoiAlign);
  table.onOp("MaxRoiPool", lowerMaxRoiPool);
}
