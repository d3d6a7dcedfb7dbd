//===- TransposedConvolutions.cpp - ConvTranspose -------------------------===//
//
// With a constant filter the outputs are computed by phase: those at the same
// remainder modulo the stride see the same taps, so that each phase is an
// ordinary convolution of stride 1 whose results are interleaved. Otherwise
// zeros are put between the inputs, and one convolution follows.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Convolutions.h"
#include "compiler/lower/Scalars.h"
#include "dialects/kernel/KernelDialect.h"

using namespace mlir;
using namespace onnxc;

namespace {
struct Transposed {
  int64_t groups, inputs, outputs; // channels per group
  SmallVector<int64_t> kernel, strides, dilations, before, after, extra;
  Dims inputDims, outputDims; // spatial
};
} // namespace

/// Reads the attributes; the result's spatial dims are
/// stride * (in - 1) + output_padding + extent - pads.
static FailureOr<Transposed> readAttributes(Lowering &l, OnnxNode n) {
  Value x = n.in(0), w = n.in(1);
  auto shape = l.staticShape(w);
  if (!shape)
    return l.refuse("a filter whose dims are not constants is not supported "
                    "yet");
  size_t rank = shape->size(), spatial = rank - 2;
  if (rank < 3 || l.rank(x) != static_cast<int64_t>(rank))
    return l.refuse("input and filter must have the same rank of 3 or more");
  Transposed t;
  t.groups = n.integer("group", 1);
  if (t.groups < 1 || (*shape)[0] % t.groups != 0 ||
      l.staticDim(x, 1) != (*shape)[0] || (*shape)[1] == 0 || (*shape)[0] == 0)
    return l.refuse("channels of input and filter do not fit the groups");
  t.inputs = (*shape)[0] / t.groups;
  t.outputs = (*shape)[1];
  t.kernel.assign(shape->begin() + 2, shape->end());
  SmallVector<int64_t> ones(spatial, 1), zeros(spatial, 0);
  t.strides = n.integers("strides").value_or(ones);
  t.dilations = n.integers("dilations").value_or(ones);
  t.extra = n.integers("output_padding").value_or(zeros);
  auto pads = n.integers("pads").value_or(SmallVector<int64_t>(2 * spatial, 0));
  auto shapeAttribute = n.integers("output_shape");
  if (t.strides.size() != spatial || t.dilations.size() != spatial ||
      t.extra.size() != spatial || pads.size() != 2 * spatial)
    return l.refuse("strides, dilations and pads do not fit the input's rank");
  for (int64_t value : llvm::concat<int64_t>(t.strides, t.dilations, t.kernel))
    if (value < 1 || value > INT32_MAX)
      return l.refuse("strides, dilations and kernel must be positive");
  StringRef autoPad = n.string("auto_pad", "NOTSET");
  bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  Dims dims = l.dims(x);
  for (size_t i = 0; i < spatial; ++i) {
    OpFoldResult size = dims[i + 2];
    int64_t extent = (t.kernel[i] - 1) * t.dilations[i] + 1;
    OpFoldResult full =
        l.add(l.mul(l.sub(size, l.attr(1)), l.attr(t.strides[i])),
              l.attr(extent + t.extra[i]));
    int64_t before = autoPad == "VALID" ? 0 : pads[i];
    int64_t after = autoPad == "VALID" ? 0 : pads[i + spatial];
    if (same || (shapeAttribute && !shapeAttribute->empty())) {
      int64_t total;
      if (shapeAttribute && !shapeAttribute->empty()) {
        auto constant = getConstantIntValue(full);
        if (shapeAttribute->size() < spatial || !constant)
          return l.refuse("output_shape with symbolic input dims is not "
                          "supported yet");
        total =
            *constant - (*shapeAttribute)[shapeAttribute->size() - spatial + i];
      } else {
        // The output has stride * in elements.
        total = extent + t.extra[i] - t.strides[i];
      }
      int64_t half = total >= 0 ? total / 2 : 0;
      if (total < 0) {
        before = 0;
        after = total;
      } else if (autoPad == "SAME_UPPER") {
        before = half;
        after = total - half;
      } else {
        before = total - half;
        after = half;
      }
    }
    t.before.push_back(before);
    t.after.push_back(after);
    t.inputDims.push_back(size);
    t.outputDims.push_back(
        l.max(l.sub(full, l.attr(before + after)), l.attr(0)));
  }
  return t;
}

/// Stride equals kernel, nothing padded or dilated: each input gives a block
/// of outputs of its own, one matrix product.
static bool isBlockwise(const Transposed &t) {
  auto isZero = [](int64_t value) { return value == 0; };
  return t.groups == 1 && t.kernel == t.strides &&
         llvm::all_of(t.dilations, [](int64_t d) { return d == 1; }) &&
         llvm::all_of(t.before, isZero) && llvm::all_of(t.after, isZero) &&
         llvm::all_of(t.extra, isZero);
}

/// [N, H, W, IC] to [N, H * KH, W * KW, OC] by a 1x1 convolution.
static Value lowerBlockwise(Lowering &l, const Transposed &t, Value input,
                            Value onnxFilter, ElementsAttr constant) {
  int64_t kh = t.kernel[0], kw = t.kernel[1], oc = t.outputs, ic = t.inputs;
  int64_t columns = kh * kw * oc;
  Value filter;
  if (constant) {
    filter = l.rearrangedConstant(constant, {1, 1, 1, ic, columns},
                                  [&](ArrayRef<int64_t> at) {
                                    int64_t o = at[4] % oc, tap = at[4] / oc;
                                    return (at[3] * oc + o) * kh * kw + tap;
                                  });
  } else {
    filter = l.transpose(onnxFilter, {0, 2, 3, 1});
    filter = l.reshape(
        filter, {l.attr(1), l.attr(1), l.attr(1), l.attr(ic), l.attr(columns)});
  }
  Dims source = l.sizes(input);
  OpFoldResult zero = l.attr(0);
  Value blocks = convolve(l, input, filter, {1, 1}, {1, 1}, {zero, zero},
                          {zero, zero}, {source[1], source[2]});
  blocks = l.reshape(blocks, {source[0], source[1], source[2], l.attr(kh),
                              l.attr(kw), l.attr(oc)});
  blocks = l.transpose(blocks, {0, 1, 3, 2, 4, 5});
  return l.reshape(blocks,
                   {source[0], t.outputDims[0], t.outputDims[1], l.attr(oc)});
}

/// Output phase `phase` of one axis: outputs o with (o + before) % stride ==
/// phase take the taps k with k * dilation % stride == phase.
namespace {
struct AxisPhase {
  int64_t first;                // the first output of the phase
  SmallVector<int64_t> taps;    // in the order of increasing input
  SmallVector<int64_t> offsets; // input of tap i at the phase's first output
  int64_t step = 1;             // distance between neighbouring taps' inputs
};
} // namespace

static AxisPhase axisPhase(int64_t kernel, int64_t stride, int64_t dilation,
                           int64_t before, int64_t first) {
  AxisPhase phase;
  phase.first = first;
  for (int64_t k = kernel - 1; k >= 0; --k) {
    int64_t distance = first + before - k * dilation;
    if (distance % stride != 0)
      continue;
    phase.taps.push_back(k);
    phase.offsets.push_back(distance / stride);
  }
  if (phase.offsets.size() > 1)
    phase.step = phase.offsets[1] - phase.offsets[0];
  return phase;
}

/// Convolves each phase and interleaves the results.
static Value lowerByPhase(Lowering &l, const Transposed &t, Value input,
                          ElementsAttr constant) {
  Type f32 = l.b.getF32Type();
  Dims source = l.sizes(input);
  int64_t channels = t.groups * t.outputs;
  Value result = l.filled(
      f32, {source[0], t.outputDims[0], t.outputDims[1], l.attr(channels)},
      numberAttr(f32, 0));
  int64_t kh = t.kernel[0], kw = t.kernel[1];
  for (int64_t y = 0; y < t.strides[0]; ++y)
    for (int64_t x = 0; x < t.strides[1]; ++x) {
      AxisPhase phases[2] = {
          axisPhase(kh, t.strides[0], t.dilations[0], t.before[0], y),
          axisPhase(kw, t.strides[1], t.dilations[1], t.before[1], x)};
      if (phases[0].taps.empty() || phases[1].taps.empty())
        continue;
      int64_t rows = phases[0].taps.size(), columns = phases[1].taps.size();
      Value filter = l.rearrangedConstant(
          constant, {t.groups, rows, columns, t.inputs, t.outputs},
          [&](ArrayRef<int64_t> at) {
            int64_t ic = at[0] * t.inputs + at[3];
            int64_t row = phases[0].taps[at[1]];
            int64_t column = phases[1].taps[at[2]];
            return ((ic * t.outputs + at[4]) * kh + row) * kw + column;
          });
      // Output j of the phase reads inputs offsets[i] + j: pad or crop so
      // that the first tap of output 0 is row 0.
      Value part = input;
      Dims counts, before, after, offsets(4, l.attr(0)), sizes = source;
      SmallVector<int64_t> dilations;
      for (int axis = 0; axis < 2; ++axis) {
        const AxisPhase &phase = phases[axis];
        OpFoldResult count =
            l.max(l.ceilDiv(l.sub(t.outputDims[axis], l.attr(phase.first)),
                            l.attr(t.strides[axis])),
                  l.attr(0));
        counts.push_back(count);
        int64_t begin = phase.offsets.front();
        int64_t span = phase.offsets.back() - begin;
        dilations.push_back(phase.step);
        OpFoldResult skipped =
            l.min(l.attr(std::max<int64_t>(begin, 0)), source[axis + 1]);
        before.push_back(l.attr(std::max<int64_t>(-begin, 0)));
        // Inputs needed: count + span, from `begin` on.
        OpFoldResult end = l.add(l.attr(begin + span), count);
        OpFoldResult stop = l.max(l.min(end, source[axis + 1]), skipped);
        offsets[axis + 1] = skipped;
        sizes[axis + 1] = l.sub(stop, skipped);
        after.push_back(l.sub(l.add(count, l.attr(span)),
                              l.add(before.back(), sizes[axis + 1])));
      }
      Dims ones(4, l.attr(1));
      if (sizes != source)
        part = l.slice(part, offsets, sizes, ones);
      Value done =
          convolve(l, part, filter, {1, 1}, dilations, before, after, counts);
      Dims at = {l.attr(0), l.attr(y), l.attr(x), l.attr(0)};
      Dims size = {source[0], counts[0], counts[1], l.attr(channels)};
      Dims stride = {l.attr(1), l.attr(t.strides[0]), l.attr(t.strides[1]),
                     l.attr(1)};
      result = l.insertSlice(done, result, at, size, stride);
    }
  return result;
}

/// Zeros between the inputs, then a convolution with the filter turned round.
static Value lowerByInsertion(Lowering &l, Transposed t, Value input,
                              Value filter) {
  Type element = cast<RankedTensorType>(input.getType()).getElementType();
  size_t spatial = t.kernel.size();
  Dims source = l.sizes(input);
  Dims spread = {source[0], source[1]}, strides = {l.attr(1), l.attr(1)};
  Dims offsets = {l.attr(0), l.attr(0)}, sizes = {source[0], source[1]};
  Window window;
  for (size_t i = 0; i < spatial; ++i) {
    // Room so that every output sees its taps: extent - 1 - before in front.
    int64_t extent = (t.kernel[i] - 1) * t.dilations[i] + 1;
    OpFoldResult length = l.add(t.outputDims[i], l.attr(extent - 1));
    int64_t front = extent - 1 - t.before[i];
    spread.push_back(length);
    // Crop inputs that no output sees.
    int64_t skip = front < 0 ? llvm::divideCeilSigned(-front, t.strides[i]) : 0;
    OpFoldResult skipped = l.min(l.attr(skip), source[i + 2]);
    OpFoldResult begin = l.attr(front + skip * t.strides[i]);
    OpFoldResult room =
        l.max(l.ceilDiv(l.sub(length, begin), l.attr(t.strides[i])), l.attr(0));
    offsets.push_back(skipped);
    sizes.push_back(l.min(l.sub(source[i + 2], skipped), room));
    strides.push_back(l.attr(t.strides[i]));
    window.kernel.push_back(t.kernel[i]);
    window.strides.push_back(1);
    window.dilations.push_back(t.dilations[i]);
    window.before.push_back(l.attr(0));
    window.after.push_back(l.attr(0));
    window.outputs.push_back(t.outputDims[i]);
  }
  Dims ones(source.size(), l.attr(1));
  Value cropped = l.slice(input, offsets, sizes, ones);
  Dims place = {l.attr(0), l.attr(0)};
  for (size_t i = 0; i < spatial; ++i) {
    int64_t extent = (t.kernel[i] - 1) * t.dilations[i] + 1;
    int64_t front = extent - 1 - t.before[i];
    int64_t skip = front < 0 ? llvm::divideCeilSigned(-front, t.strides[i]) : 0;
    place.push_back(l.attr(front + skip * t.strides[i]));
  }
  Value wide =
      l.insertSlice(cropped, l.filled(element, spread, numberAttr(element, 0)),
                    place, sizes, strides);
  // [G * IC, OC, K...] -> [G * OC, IC, K...] with each kernel axis reversed.
  Dims filterDims = {l.attr(t.groups * t.outputs), l.attr(t.inputs)};
  for (int64_t size : t.kernel)
    filterDims.push_back(l.attr(size));
  Value turned = l.pull(
      element, filterDims, [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Scalars s{nested, l.loc};
        Type index = nested.getIndexType();
        Value outputs = s.integer(index, t.outputs);
        Value group = arith::DivUIOp::create(nested, l.loc, at[0], outputs);
        Value oc = arith::RemUIOp::create(nested, l.loc, at[0], outputs);
        SmallVector<Value> from = {
            s.add(s.mul(group, s.integer(index, t.inputs)), at[1]), oc};
        for (size_t i = 0; i < spatial; ++i)
          from.push_back(s.sub(s.integer(index, t.kernel[i] - 1), at[i + 2]));
        return tensor::ExtractOp::create(nested, l.loc, filter, from);
      });
  Filter filterOf{{}, turned, {t.groups * t.outputs, t.inputs}, element};
  llvm::append_range(filterOf.shape, t.kernel);
  return convolution(l, {window, t.groups, static_cast<int64_t>(spatial) + 2},
                     wide, filterOf, /*bias=*/nullptr);
}

static LogicalResult lowerConvTranspose(Lowering &l, OnnxNode n) {
  FailureOr<Transposed> read = readAttributes(l, n);
  if (failed(read))
    return failure();
  Transposed &t = *read;
  Value bias = n.in(2);
  int64_t channels = t.groups * t.outputs;
  if (bias && l.staticDim(bias, 0) != channels)
    return l.refuse("the bias does not fit the filter");
  Dims outDims = {l.dims(n.in(0))[0], l.attr(channels)};
  llvm::append_range(outDims, t.outputDims);
  outDims = l.preferKnown(n.out(), outDims);
  t.outputDims.assign(outDims.begin() + 2, outDims.end());

  Type element = l.elementType(n.in(0)), compute = computeType(element);
  int64_t rank = l.rank(n.in(0));
  Value input = l.convert(l.value(n.in(0)), element, compute);
  ElementsAttr constant = l.constant(n.in(1));
  bool negativePads = llvm::any_of(llvm::concat<int64_t>(t.before, t.after),
                                   [](int64_t p) { return p < 0; });
  bool blockwise = isBlockwise(t) && rank == 4 && element.isF32();
  bool byPhase = constant && rank <= 4 && element.isF32() && !negativePads;
  Value result;
  if (blockwise || byPhase) {
    input = toChannelsLast(l, input);
    if (rank == 3) {
      t.kernel.insert(t.kernel.begin(), 1);
      t.strides.insert(t.strides.begin(), 1);
      t.dilations.insert(t.dilations.begin(), 1);
      t.before.insert(t.before.begin(), 0);
      t.outputDims.insert(t.outputDims.begin(), l.attr(1));
    }
    result = blockwise ? lowerBlockwise(l, t, input,
                                        constant ? Value() : l.value(n.in(1)),
                                        constant)
                       : lowerByPhase(l, t, input, constant);
    if (bias)
      result = addBias(l, result, l.value(bias), 3);
    result = fromChannelsLast(l, result, rank);
  } else {
    Value filter = l.convert(l.value(n.in(1)), element, compute);
    result = lowerByInsertion(l, t, input, filter);
    if (bias)
      result =
          addBias(l, result, l.convert(l.value(bias), element, compute), 1);
  }
  l.set(n.out(), l.convert(result, compute, element));
  return success();
}

void onnxc::addTransposedConvolutions(LoweringTable &table) {
  table.onOp("ConvTranspose", lowerConvTranspose);
}
