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
  int64_t groups;
  OpFoldResult inputs, outputs; // channels per group
  SmallVector<int64_t> kernel;  // kDynamic where only a run tells
  SmallVector<int64_t> strides, dilations, extra;
  Dims extent, before, after; // of the kernel with dilations; pads
  Dims inputDims, outputDims; // spatial
};
} // namespace

/// Reads the attributes; the result's spatial dims are
/// stride * (in - 1) + output_padding + extent - pads.
static FailureOr<Transposed> readAttributes(Lowering &l, OnnxNode n) {
  Value x = n.in(0), w = n.in(1);
  Dims dims = l.dims(x), filter = l.dims(w);
  size_t rank = filter.size(), spatial = rank - 2;
  if (rank < 3 || dims.size() != rank)
    return l.refuse("input and filter must have the same rank of 3 or more");
  Transposed t;
  t.groups = n.integer("group", 1);
  OpFoldResult groups = l.attr(t.groups);
  if (t.groups < 1 || getConstantIntValue(filter[0]) == 0 ||
      getConstantIntValue(filter[1]) == 0)
    return l.refuse("channels of input and filter do not fit the groups");
  t.inputs = l.floorDiv(filter[0], groups);
  t.outputs = filter[1];
  l.requireEqual(l.mul(t.inputs, groups), filter[0],
                 "input channels that are a multiple of the groups");
  l.requireEqual(dims[1], filter[0], "the channels of the input");
  FailureOr<Dims> kernel = kernelDims(l, n, w);
  if (failed(kernel))
    return failure();
  for (OpFoldResult size : *kernel) {
    l.requireAtLeast(size, 1, "a dim of the kernel");
    t.kernel.push_back(
        getConstantIntValue(size).value_or(ShapedType::kDynamic));
  }
  SmallVector<int64_t> ones(spatial, 1), zeros(spatial, 0);
  t.strides = n.integers("strides").value_or(ones);
  t.dilations = n.integers("dilations").value_or(ones);
  t.extra = n.integers("output_padding").value_or(zeros);
  auto pads = n.integers("pads").value_or(SmallVector<int64_t>(2 * spatial, 0));
  auto shapeAttribute = n.integers("output_shape");
  if (t.strides.size() != spatial || t.dilations.size() != spatial ||
      t.extra.size() != spatial || pads.size() != 2 * spatial)
    return l.refuse("strides, dilations and pads do not fit the input's rank");
  for (int64_t value : llvm::concat<int64_t>(t.strides, t.dilations))
    if (value < 1 || value > INT32_MAX)
      return l.refuse("strides and dilations must be positive");
  StringRef autoPad = n.string("auto_pad", "NOTSET");
  bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  bool hasShape = shapeAttribute && !shapeAttribute->empty();
  if (hasShape && shapeAttribute->size() < spatial)
    return l.refuse("output_shape does not fit the input's rank");
  for (size_t i = 0; i < spatial; ++i) {
    OpFoldResult size = dims[i + 2];
    OpFoldResult extent =
        l.add(l.mul(l.sub((*kernel)[i], l.attr(1)), l.attr(t.dilations[i])),
              l.attr(1));
    OpFoldResult last = l.add(extent, l.attr(t.extra[i]));
    OpFoldResult full =
        l.add(l.mul(l.sub(size, l.attr(1)), l.attr(t.strides[i])), last);
    OpFoldResult before = l.attr(autoPad == "VALID" ? 0 : pads[i]);
    OpFoldResult after = l.attr(autoPad == "VALID" ? 0 : pads[i + spatial]);
    if (same || hasShape) {
      // With auto_pad the output has stride * in elements.
      OpFoldResult total =
          hasShape
              ? l.sub(
                    full,
                    l.attr((
                        *shapeAttribute)[shapeAttribute->size() - spatial + i]))
              : l.sub(last, l.attr(t.strides[i]));
      // What is missing is added behind.
      OpFoldResult removed = l.max(total, l.attr(0));
      OpFoldResult half = l.floorDiv(removed, l.attr(2));
      before = autoPad == "SAME_UPPER" ? half : l.sub(removed, half);
      after = l.sub(total, before);
    }
    t.extent.push_back(extent);
    t.before.push_back(before);
    t.after.push_back(after);
    t.inputDims.push_back(size);
    OpFoldResult output = l.sub(full, l.add(before, after));
    l.requireAtLeast(output, 0, "dim " + Twine(i + 2) + " of the output");
    t.outputDims.push_back(l.max(output, l.attr(0)));
  }
  return t;
}

/// Stride equals kernel, nothing padded or dilated: each input gives a block
/// of outputs of its own, one matrix product.
static bool isBlockwise(const Transposed &t) {
  auto isZero = [](OpFoldResult pad) { return getConstantIntValue(pad) == 0; };
  return t.groups == 1 && t.kernel == t.strides &&
         llvm::all_of(t.dilations, [](int64_t d) { return d == 1; }) &&
         llvm::all_of(t.before, isZero) && llvm::all_of(t.after, isZero) &&
         llvm::all_of(t.extra, [](int64_t size) { return size == 0; });
}

/// [N, H, W, IC] to [N, H * KH, W * KW, OC] by a 1x1 convolution.
static Value lowerBlockwise(Lowering &l, const Transposed &t, Value input,
                            Value onnxFilter, ElementsAttr constant) {
  int64_t kh = t.kernel[0], kw = t.kernel[1];
  int64_t oc = *getConstantIntValue(t.outputs);
  int64_t ic = *getConstantIntValue(t.inputs);
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
  int64_t inputs = *getConstantIntValue(t.inputs);
  int64_t outputs = *getConstantIntValue(t.outputs);
  int64_t channels = t.groups * outputs;
  Value result = l.filled(
      f32, {source[0], t.outputDims[0], t.outputDims[1], l.attr(channels)},
      numberAttr(f32, 0));
  int64_t kh = t.kernel[0], kw = t.kernel[1];
  for (int64_t y = 0; y < t.strides[0]; ++y)
    for (int64_t x = 0; x < t.strides[1]; ++x) {
      AxisPhase phases[2] = {axisPhase(kh, t.strides[0], t.dilations[0],
                                       *getConstantIntValue(t.before[0]), y),
                             axisPhase(kw, t.strides[1], t.dilations[1],
                                       *getConstantIntValue(t.before[1]), x)};
      if (phases[0].taps.empty() || phases[1].taps.empty())
        continue;
      int64_t rows = phases[0].taps.size(), columns = phases[1].taps.size();
      Value filter = l.rearrangedConstant(
          constant, {t.groups, rows, columns, inputs, outputs},
          [&](ArrayRef<int64_t> at) {
            int64_t ic = at[0] * inputs + at[3];
            int64_t row = phases[0].taps[at[1]];
            int64_t column = phases[1].taps[at[2]];
            return ((ic * outputs + at[4]) * kh + row) * kw + column;
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
  Dims place = {l.attr(0), l.attr(0)};
  Window window;
  for (size_t i = 0; i < spatial; ++i) {
    // Room so that every output sees its taps: extent - 1 - before in front.
    OpFoldResult reach = l.sub(t.extent[i], l.attr(1));
    OpFoldResult stride = l.attr(t.strides[i]);
    OpFoldResult length = l.add(t.outputDims[i], reach);
    OpFoldResult front = l.sub(reach, t.before[i]);
    spread.push_back(length);
    // Crop inputs that no output sees.
    OpFoldResult skip =
        l.ceilDiv(l.max(l.sub(l.attr(0), front), l.attr(0)), stride);
    OpFoldResult skipped = l.min(skip, source[i + 2]);
    OpFoldResult begin = l.add(front, l.mul(skip, stride));
    OpFoldResult room =
        l.max(l.ceilDiv(l.sub(length, begin), stride), l.attr(0));
    offsets.push_back(skipped);
    sizes.push_back(l.min(l.sub(source[i + 2], skipped), room));
    place.push_back(begin);
    strides.push_back(stride);
    window.kernel.push_back(t.kernel[i]);
    window.strides.push_back(1);
    window.dilations.push_back(t.dilations[i]);
    window.before.push_back(l.attr(0));
    window.after.push_back(l.attr(0));
    window.outputs.push_back(t.outputDims[i]);
  }
  Dims ones(source.size(), l.attr(1));
  Value cropped = l.slice(input, offsets, sizes, ones);
  Value wide =
      l.insertSlice(cropped, l.filled(element, spread, numberAttr(element, 0)),
                    place, sizes, strides);
  // [G * IC, OC, K...] -> [G * OC, IC, K...] with each kernel axis reversed.
  OpFoldResult channels = l.mul(l.attr(t.groups), t.outputs);
  Dims filterDims = l.sizes(filter);
  filterDims[0] = channels;
  filterDims[1] = t.inputs;
  Value outputs = l.index(t.outputs), inputs = l.index(t.inputs);
  SmallVector<Value> last;
  for (OpFoldResult size : ArrayRef(filterDims).drop_front(2))
    last.push_back(l.index(l.sub(size, l.attr(1))));
  Value turned = l.pull(
      element, filterDims, [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Scalars s{nested, l.loc};
        Value group = arith::DivUIOp::create(nested, l.loc, at[0], outputs);
        Value oc = arith::RemUIOp::create(nested, l.loc, at[0], outputs);
        SmallVector<Value> from = {s.add(s.mul(group, inputs), at[1]), oc};
        for (size_t i = 0; i < spatial; ++i)
          from.push_back(s.sub(last[i], at[i + 2]));
        return tensor::ExtractOp::create(nested, l.loc, filter, from);
      });
  ArrayRef<int64_t> shape = cast<RankedTensorType>(turned.getType()).getShape();
  Filter filterOf{{}, turned, llvm::to_vector(shape), element};
  return convolution(l, {window, t.groups, static_cast<int64_t>(spatial) + 2},
                     wide, filterOf, /*bias=*/nullptr);
}

static LogicalResult lowerConvTranspose(Lowering &l, OnnxNode n) {
  FailureOr<Transposed> read = readAttributes(l, n);
  if (failed(read))
    return failure();
  Transposed &t = *read;
  Value bias = n.in(2);
  OpFoldResult channels = l.mul(l.attr(t.groups), t.outputs);
  if (bias)
    l.requireEqual(l.dims(bias)[0], channels, "the bias");
  Dims outDims = {l.dims(n.in(0))[0], channels};
  llvm::append_range(outDims, t.outputDims);
  outDims = l.preferKnown(n.out(), outDims);
  t.outputDims.assign(outDims.begin() + 2, outDims.end());

  Type element = l.elementType(n.in(0)), compute = computeType(element);
  int64_t rank = l.rank(n.in(0));
  Value input = l.convert(l.value(n.in(0)), element, compute);
  ElementsAttr constant = l.constant(n.in(1));
  bool isStatic = !ShapedType::isDynamicShape(filterShape(l, n.in(1)));
  bool paddedByConstants = llvm::all_of(
      llvm::concat<OpFoldResult>(t.before, t.after), [](OpFoldResult pad) {
        return getConstantIntValue(pad).value_or(-1) >= 0;
      });
  bool isPicture = rank <= 4 && element.isF32() && isStatic;
  bool blockwise = isBlockwise(t) && rank == 4 && isPicture;
  bool byPhase = constant && isPicture && paddedByConstants;
  Value result;
  if (isStatic)
    input = withChannels(l, input, l.staticDim(n.in(1), 0));
  if (blockwise || byPhase) {
    input = toChannelsLast(l, input);
    if (rank == 3) {
      t.kernel.insert(t.kernel.begin(), 1);
      t.strides.insert(t.strides.begin(), 1);
      t.dilations.insert(t.dilations.begin(), 1);
      t.before.insert(t.before.begin(), l.attr(0));
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
