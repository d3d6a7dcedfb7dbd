//===- DeformableConvolutions.cpp - DeformConv ----------------------------===//

#include "compiler/lower/Convolutions.h"
#include "compiler/lower/Elementwise.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// What the taps of a deformable convolution are sampled from.
struct Samples {
  Value input;        // [n, h, w, c] in f32
  Value offset, mask; // as in ONNX; the mask may be null
  Type offsetType, maskType;
  Value height, width; // of the input
  const Window &window;
  int64_t channels, offsetGroups;
};
} // namespace

/// Tap `k` of channel `c` at output (y, x): bilinear between four pixels, those
/// outside being zero, times the mask.
static Value sampleTap(Lowering &l, Scalars &s, const Samples &from, Value n,
                       Value y, Value x, Value k, Value c) {
  Type f32 = s.b.getF32Type(), index = s.b.getIndexType();
  auto at = [&](int64_t value) { return s.integer(index, value); };
  ArrayRef<int64_t> kernel = from.window.kernel;
  Value plane = k;
  if (from.offsetGroups > 1) {
    Value group = arith::DivUIOp::create(s.b, s.loc, c,
                                         at(from.channels / from.offsetGroups));
    plane = s.add(s.mul(group, at(kernel[0] * kernel[1])), k);
  }
  Value tap[] = {arith::DivUIOp::create(s.b, s.loc, k, at(kernel[1])),
                 arith::RemUIOp::create(s.b, s.loc, k, at(kernel[1]))};
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
    Value position =
        s.add(s.fromIndex(start, f32), s.convert(moved, from.offsetType, f32));
    // Beyond the first pixel outside nothing changes; NaN is there as well.
    Value beyond = s.fromIndex(s.add(size[i], at(1)), f32);
    Value least = s.constant(f32, -2);
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
      Value part = upper ? share[i] : s.sub(s.constant(f32, 1), share[i]);
      weight = weight ? s.mul(weight, part) : part;
    }
    Value pixel = tensor::ExtractOp::create(
        s.b, s.loc, from.input, ValueRange{n, where[0], where[1], c});
    Value term = s.select(inside, s.mul(pixel, weight), s.constant(f32, 0));
    sum = sum ? s.add(sum, term) : term;
  }
  if (!from.mask)
    return sum;
  Value factor = tensor::ExtractOp::create(s.b, s.loc, from.mask,
                                           ValueRange{n, plane, y, x});
  return s.mul(sum, s.convert(factor, from.maskType, f32));
}

/// The taps of every output pixel are sampled side by side,
/// [n, out h, out w * taps, c]; over these the convolution is an ordinary one
/// of unit height whose stride is its width.
static LogicalResult lowerDeformConv(Lowering &l, OnnxNode n) {
  Value x = n.in(0), w = n.in(1), offset = n.in(2), bias = n.in(3);
  Value mask = n.in(4);
  auto shape = l.staticShape(w);
  if (l.rank(x) != 4 || !shape || shape->size() != 4 || l.rank(offset) != 4 ||
      (mask && l.rank(mask) != 4))
    return l.refuse("only two spatial dims and a filter of constant dims are "
                    "supported");
  int64_t groups = n.integer("group", 1);
  int64_t offsetGroups = n.integer("offset_group", 1);
  int64_t channels = l.staticDim(x, 1), taps = (*shape)[2] * (*shape)[3];
  if (groups < 1 || (*shape)[0] < 1 || (*shape)[1] < 1 ||
      (*shape)[0] % groups != 0 || channels != groups * (*shape)[1])
    return l.refuse("channels of input and filter do not fit the groups");
  if (offsetGroups < 1 || channels % offsetGroups != 0 ||
      l.staticDim(offset, 1) != offsetGroups * taps * 2 ||
      (mask && l.staticDim(mask, 1) != offsetGroups * taps))
    return l.refuse("channels of offset or mask do not fit the filter");
  if (bias && l.staticDim(bias, 0) != (*shape)[0])
    return l.refuse("the bias does not fit the filter");
  Type element = l.elementType(x), f32 = l.b.getF32Type();
  if (!element.isF32() && !element.isF16() && !element.isBF16())
    return l.refuse("this element type is not supported yet");
  ArrayRef<int64_t> kernel = ArrayRef(*shape).drop_front(2);
  if (auto given = n.integers("kernel_shape");
      given && !given->empty() && ArrayRef<int64_t>(*given) != kernel)
    return l.refuse("kernel_shape does not fit the filter");
  FailureOr<Window> window = readWindow(l, n, l.dims(x), kernel);
  if (failed(window))
    return failure();

  // Operands that disagree are not read outside.
  Dims source = l.dims(x);
  Dims outputs = {source[0], window->outputs[0], window->outputs[1]};
  for (Value onnx : {offset, mask}) {
    if (!onnx)
      continue;
    Dims dims = l.dims(onnx);
    outputs = {l.min(outputs[0], dims[0]), l.min(outputs[1], dims[2]),
               l.min(outputs[2], dims[3])};
  }
  Dims known = l.preferKnown(
      n.out(), {outputs[0], l.attr((*shape)[0]), outputs[1], outputs[2]});
  outputs = {known[0], known[2], known[3]};
  Samples samples{toChannelsLast(l, l.convert(l.value(x), element, f32)),
                  l.value(offset),
                  mask ? l.value(mask) : Value(),
                  l.elementType(offset),
                  mask ? l.elementType(mask) : Type(),
                  l.index(source[2]),
                  l.index(source[3]),
                  *window,
                  channels,
                  offsetGroups};
  Dims dims = {outputs[0], outputs[1], outputs[2], l.attr(taps),
               l.attr(channels)};
  Value columns = l.pull(f32, dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
    Scalars s{nested, l.loc};
    return sampleTap(l, s, samples, at[0], at[1], at[2], at[3], at[4]);
  });
  columns =
      l.reshape(columns, {outputs[0], outputs[1],
                          l.mul(outputs[2], l.attr(taps)), l.attr(channels)});
  Convolution convolved;
  convolved.rank = 4;
  convolved.groups = groups;
  Dims none = {l.attr(0), l.attr(0)};
  convolved.window = {{1, taps}, {1, taps}, {1, 1},
                      none,      none,      {outputs[1], outputs[2]}};
  Filter filter = floatFilter(l, w);
  filter.shape = {(*shape)[0], (*shape)[1], 1, taps};
  Value result = convolution(
      l, convolved, fromChannelsLast(l, columns, 4), filter,
      bias ? l.convert(l.value(bias), l.elementType(bias), f32) : Value());
  l.set(n.out(), l.convert(result, f32, element));
  return success();
}

void onnxc::addDeformableConvolutions(LoweringTable &table) {
  table.onOp("DeformConv", lowerDeformConv);
}
