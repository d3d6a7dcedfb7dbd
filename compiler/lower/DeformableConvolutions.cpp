//===- DeformableConvolutions.cpp - DeformConv ----------------------------===//

#include "compiler/lower/Convolutions.h"
#include "compiler/lower/Elementwise.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// What the taps of a deformable convolution are sampled from.
struct Samples {
  Value input;        // [n, h, w, c], in what is computed in
  Value offset, mask; // as in ONNX; the mask may be null
  Type offsetType, maskType;
  Value height, width; // of the input
  Value taps, columns; // of the kernel: all, and those side by side
  Value channels;      // of the input, in one group of offsets
  const Window &window;
  int64_t offsetGroups;
};
} // namespace

/// Tap `k` of channel `c` at output (y, x): bilinear between four pixels, those
/// outside being zero, times the mask.
static Value sampleTap(Lowering &l, Scalars &s, const Samples &from, Value n,
                       Value y, Value x, Value k, Value c) {
  Type compute = cast<RankedTensorType>(from.input.getType()).getElementType();
  Type index = s.b.getIndexType();
  auto at = [&](int64_t value) { return s.integer(index, value); };
  Value plane = k;
  if (from.offsetGroups > 1) {
    Value group = arith::DivUIOp::create(s.b, s.loc, c, from.channels);
    plane = s.add(s.mul(group, from.taps), k);
  }
  Value tap[] = {arith::DivUIOp::create(s.b, s.loc, k, from.columns),
                 arith::RemUIOp::create(s.b, s.loc, k, from.columns)};
  Value out[] = {y, x}, size[] = {from.height, from.width};
  // Of both axes: the lower pixel and the share of the upper.
  Value low[2], share[2];
  for (int i = 0; i < 2; ++i) {
    Value start = s.sub(s.add(s.mul(out[i], at(from.window.strides[i])),
                              s.mul(tap[i], at(from.window.dilations[i]))),
                        l.index(from.window.before[i]));
    Value channel = s.add(s.mul(plane, at(2)), at(i));
    Value moved = tensor::ExtractOp::create(s.b, s.loc, from.offset,
                                            ValueRange{n, channel, y, x});
    Value position = s.add(s.fromIndex(start, compute),
                           s.convert(moved, from.offsetType, compute));
    // Beyond the first pixel outside nothing changes; NaN is there as well.
    Value beyond = s.fromIndex(s.add(size[i], at(1)), compute);
    Value least = s.constant(compute, -2);
    position = s.select(s.compare(Comparison::Greater, position, least, false),
                        position, least);
    position = s.select(s.compare(Comparison::Less, position, beyond, false),
                        position, beyond);
    Value floor = s.floor(position);
    low[i] =
        s.toIndex(arith::FPToSIOp::create(s.b, s.loc, s.b.getI64Type(), floor));
    share[i] = s.sub(position, floor);
  }
  Value sum;
  for (int corner = 0; corner < 4; ++corner) {
    Value where[2], weight, inside;
    for (int i = 0; i < 2; ++i) {
      bool upper = i == 0 ? corner / 2 : corner % 2;
      Value pixel = upper ? s.add(low[i], at(1)) : low[i];
      Value fits = s.compare(Comparison::Less, pixel, size[i], true);
      // A pixel that exists, whether it counts or not.
      where[i] = s.select(fits, pixel, at(0));
      inside = inside ? s.logicalAnd(inside, fits) : fits;
      Value part = upper ? share[i] : s.sub(s.constant(compute, 1), share[i]);
      weight = weight ? s.mul(weight, part) : part;
    }
    Value pixel = tensor::ExtractOp::create(
        s.b, s.loc, from.input, ValueRange{n, where[0], where[1], c});
    Value term = s.select(inside, s.mul(pixel, weight), s.constant(compute, 0));
    sum = sum ? s.add(sum, term) : term;
  }
  if (!from.mask)
    return sum;
  Value factor = tensor::ExtractOp::create(s.b, s.loc, from.mask,
                                           ValueRange{n, plane, y, x});
  return s.mul(sum, s.convert(factor, from.maskType, compute));
}

/// The taps of every output pixel are sampled side by side,
/// [n, out h, out w * taps, c]; over these the convolution is an ordinary one
/// of unit height whose stride is its width. Where only a run tells the number
/// of taps, they are the depth of a volume, [n, c, taps, out h, out w].
static LogicalResult lowerDeformConv(Lowering &l, OnnxNode n) {
  Value x = n.in(0), w = n.in(1), offset = n.in(2), bias = n.in(3);
  Value mask = n.in(4);
  if (l.rank(x) != 4 || l.rank(w) != 4 || l.rank(offset) != 4 ||
      (mask && l.rank(mask) != 4))
    return l.refuse("only two spatial dims are supported");
  int64_t groups = n.integer("group", 1);
  int64_t offsetGroups = n.integer("offset_group", 1);
  if (groups < 1 || offsetGroups < 1)
    return l.refuse("group and offset_group must be positive");
  Dims filterDims = l.dims(w), source = l.dims(x);
  FailureOr<Dims> kernel = kernelDims(l, n, w);
  if (failed(kernel))
    return failure();
  OpFoldResult taps = l.mul((*kernel)[0], (*kernel)[1]);
  OpFoldResult outputs = l.floorDiv(filterDims[0], l.attr(groups));
  OpFoldResult channels = l.floorDiv(source[1], l.attr(offsetGroups));
  l.requireEqual(l.mul(outputs, l.attr(groups)), filterDims[0],
                 "output channels that are a multiple of the groups");
  l.requireEqual(source[1], l.mul(filterDims[1], l.attr(groups)),
                 "the channels of the input");
  l.requireEqual(l.mul(channels, l.attr(offsetGroups)), source[1],
                 "channels that are a multiple of the groups of offsets");
  OpFoldResult planes = l.mul(taps, l.attr(offsetGroups));
  l.requireEqual(l.dims(offset)[1], l.mul(planes, l.attr(2)),
                 "the channels of the offsets");
  if (mask)
    l.requireEqual(l.dims(mask)[1], planes, "the channels of the mask");
  if (bias)
    l.requireEqual(l.dims(bias)[0], filterDims[0], "the bias");
  Type element = l.elementType(x), compute = computeType(element);
  FailureOr<Window> window = readWindow(l, n, source, *kernel);
  if (failed(window))
    return failure();

  Dims result =
      l.preferKnown(n.out(), {source[0], filterDims[0], window->outputs[0],
                              window->outputs[1]});
  OpFoldResult batch = result[0], height = result[2], width = result[3];
  for (Value onnx : {offset, mask})
    for (int64_t axis : {0, 2, 3})
      if (onnx)
        l.requireEqual(l.dims(onnx)[axis], result[axis],
                       "dim " + Twine(axis) + " of offset or mask");
  Samples samples{toChannelsLast(l, l.convert(l.value(x), element, compute)),
                  l.value(offset),
                  mask ? l.value(mask) : Value(),
                  l.elementType(offset),
                  mask ? l.elementType(mask) : Type(),
                  l.index(source[2]),
                  l.index(source[3]),
                  l.index(taps),
                  l.index((*kernel)[1]),
                  l.index(channels),
                  *window,
                  offsetGroups};
  Filter filter = floatFilter(l, w);
  bool isStatic = !ShapedType::isDynamicShape(filter.shape);
  Dims dims = {batch, height, width, taps, source[1]};
  if (!isStatic)
    dims = {batch, source[1], taps, height, width};
  Value columns =
      l.pull(compute, dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
        Scalars s{nested, l.loc};
        return isStatic
                   ? sampleTap(l, s, samples, at[0], at[1], at[2], at[3], at[4])
                   : sampleTap(l, s, samples, at[0], at[3], at[4], at[2],
                               at[1]);
      });
  Convolution convolved;
  convolved.groups = groups;
  OpFoldResult zero = l.attr(0), one = l.attr(1);
  if (isStatic) {
    int64_t count = *getConstantIntValue(taps);
    columns =
        l.reshape(columns, {batch, height, l.mul(width, taps), source[1]});
    columns = fromChannelsLast(l, columns, 4);
    convolved.rank = 4;
    convolved.window = {{1, count},   {1, count},   {1, 1},
                        {zero, zero}, {zero, zero}, {height, width}};
    filter.shape = {filter.shape[0], filter.shape[1], 1, count};
    if (filter.tensor)
      filter.tensor =
          l.reshape(filter.tensor,
                    getAsIndexOpFoldResult(l.b.getContext(), filter.shape));
  } else {
    convolved.rank = 5;
    convolved.window = {
        {ShapedType::kDynamic, 1, 1}, {1, 1, 1},          {1, 1, 1},
        {zero, zero, zero},           {zero, zero, zero}, {one, height, width}};
    filter.tensor = l.reshape(filter.tensor,
                              {filterDims[0], filterDims[1], taps, one, one});
  }
  Value sums = convolution(
      l, convolved, columns, filter,
      bias ? l.convert(l.value(bias), l.elementType(bias), compute) : Value());
  if (!isStatic)
    sums = l.reshape(sums, result);
  l.set(n.out(), l.convert(sums, compute, element));
  return success();
}

void onnxc::addDeformableConvolutions(LoweringTable &table) {
  table.onOp("DeformConv", lowerDeformConv);
}
