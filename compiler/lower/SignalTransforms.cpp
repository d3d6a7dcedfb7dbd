//===- SignalTransforms.cpp - DFT and STFT --------------------------------===//

#include "compiler/lower/Fourier.h"
#include "compiler/lower/Scalars.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// Real numbers [..., 1], or complex ones [..., 2].
struct Numbers {
  Value tensor;
  int64_t parts;
};
} // namespace

/// The lowered `tensor` of an input: real numbers are complex ones without an
/// imaginary part where only a run tells which they are.
static FailureOr<Numbers> numbersOf(Lowering &l, Value onnx, Value tensor) {
  int64_t rank = l.rank(onnx);
  int64_t parts = rank > 0 ? l.staticDim(onnx, rank - 1) : 0;
  if (parts == 1 || parts == 2)
    return Numbers{tensor, parts};
  if (parts >= 0)
    return l.refuse("the last dim of the input must be 1 or 2");
  Dims dims = l.dims(onnx);
  l.requireAtLeast(dims.back(), 1, "the last dim of the input");
  l.requireAtMost(dims.back(), l.attr(2), "the last dim of the input");
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  Dims both = dims, zeros(rank, l.attr(0)), ones(rank, l.attr(1));
  both.back() = l.attr(2);
  Value target = l.filled(element, both, numberAttr(element, 0));
  return Numbers{l.insertSlice(tensor, target, zeros, dims, ones), 2};
}

/// The first `size` samples of [rows, samples, parts], zeros behind.
static Value resized(Lowering &l, Value tensor, OpFoldResult size) {
  Dims dims = l.sizes(tensor);
  if (dims[1] == size)
    return tensor;
  Dims ones(3, l.attr(1)), zeros(3, l.attr(0));
  Dims common{dims[0], l.min(dims[1], size), dims[2]};
  Value part = l.slice(tensor, zeros, common, ones);
  if (common[1] == size)
    return part;
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  Value target =
      l.filled(element, {dims[0], size, dims[2]}, numberAttr(element, 0));
  return l.insertSlice(part, target, zeros, common, ones);
}

/// All `n` bins of a spectrum of real numbers of which [rows, given, parts] are
/// there: the others are conjugates, or zero.
static Value mirrored(Lowering &l, Value x, OpFoldResult n) {
  Dims dims = l.sizes(x);
  Value given = l.index(dims[1]), length = l.index(n);
  Type element = cast<RankedTensorType>(x.getType()).getElementType();
  return l.pull(
      element, {dims[0], n, dims[2]},
      [&](OpBuilder &nested, ArrayRef<Value> at) {
        Scalars s{nested, l.loc};
        Type index = nested.getIndexType();
        Value zero = s.integer(index, 0);
        Value half =
            arith::DivUIOp::create(nested, l.loc, length, s.integer(index, 2));
        Value upper = s.compare(Comparison::Greater, at[1], half, false);
        Value from = s.select(upper, s.sub(length, at[1]), at[1]);
        Value isGiven = s.compare(Comparison::Less, from, given, false);
        Value value = tensor::ExtractOp::create(
            nested, l.loc, x,
            ValueRange{at[0], s.select(isGiven, from, zero), at[2]});
        Value isImaginary = s.compare(Comparison::NotEqual, at[2], zero, false);
        value =
            s.select(s.logicalAnd(upper, isImaginary), s.negate(value), value);
        return s.select(isGiven, value, s.constant(element, 0));
      });
}

/// The one element of an operand; null when it has not one.
static OpFoldResult scalarSize(Lowering &l, Value onnx) {
  auto elements = l.elements(onnx);
  return elements && elements->size() == 1 ? elements->front() : OpFoldResult();
}

namespace {
/// How many samples, and of how many bins, an operator's rows have.
struct Lengths {
  OpFoldResult given, size, bins;
};

/// DFT's attributes.
struct DftOptions {
  bool inverse, oneSided;
  int64_t parts() const { return oneSided && inverse ? 1 : 2; }
};
} // namespace

/// From the operand dft_length, and the size of the input's axis.
static std::optional<Lengths>
dftLengths(Lowering &l, OnnxNode n, DftOptions options, OpFoldResult given) {
  bool fromHalf = options.inverse && options.oneSided;
  OpFoldResult size =
      fromHalf ? l.mul(l.sub(given, l.attr(1)), l.attr(2)) : given;
  if (n.in(1)) {
    size = scalarSize(l, n.in(1));
    if (!size) {
      (void)l.refuse("dft_length must have one element");
      return std::nullopt;
    }
  }
  l.requireAtLeast(size, 1, "the length of the transform");
  if (fromHalf)
    l.requireAtLeast(given, 1, "the axis of the input");
  OpFoldResult bins = size;
  if (options.oneSided && !options.inverse)
    bins = l.add(l.floorDiv(size, l.attr(2)), l.attr(1));
  return Lengths{given, size, bins};
}

/// The transform of [rows, given, parts] as [rows, bins, parts]; null with a
/// refusal.
static Value dftOfRows(Lowering &l, Value x, int64_t parts, DftOptions options,
                       const Lengths &lengths) {
  OpFoldResult rows = l.sizes(x)[0];
  l.requireAllocatable({rows, lengths.size, l.attr(2)});
  if (!l.refusal().empty())
    return nullptr;
  x = options.inverse && options.oneSided ? mirrored(l, x, lengths.size)
                                          : resized(l, x, lengths.size);
  return fourierTransform(
      l, x, parts,
      {rows, lengths.size, lengths.bins, options.parts(), options.inverse});
}

/// Along an axis that only a run tells: rows are gathered, and results go back,
/// by their places around it.
static Value dftAlongRunTimeAxis(Lowering &l, OnnxNode n, int64_t parts,
                                 DftOptions options, Value x) {
  auto given = l.elements(n.in(2));
  if (!given || given->size() != 1) {
    (void)l.refuse("the axis must have one element");
    return nullptr;
  }
  Dims dims = l.dims(n.in(0));
  int64_t rank = dims.size();
  Type element = cast<RankedTensorType>(x.getType()).getElementType();
  l.requireIndex((*given)[0], l.attr(rank), "the axis");
  Scalars s{l.b, l.loc};
  Value axis = l.index((*given)[0]);
  axis = s.select(s.compare(Comparison::Less, axis, l.index(0), false),
                  s.add(axis, l.index(rank)), axis);
  l.requireAtMost(getAsOpFoldResult(axis), l.attr(rank - 2),
                  "the axis, of those before the parts,");
  OpFoldResult length = l.attr(1), inner = l.attr(1), outer = l.attr(1);
  for (int64_t d = 0; d < rank - 1; ++d) {
    auto when = [&](Comparison kind, OpFoldResult other) {
      Value holds = s.compare(kind, axis, l.index(d), false);
      return getAsOpFoldResult(
          s.select(holds, l.index(dims[d]), l.index(other)));
    };
    length = when(Comparison::Equal, length);
    inner = l.mul(inner, when(Comparison::Less, l.attr(1)));
    outer = l.mul(outer, when(Comparison::Greater, l.attr(1)));
  }
  std::optional<Lengths> lengths = dftLengths(l, n, options, length);
  if (!lengths)
    return nullptr;
  OpFoldResult rows = l.mul(outer, inner);
  Value around = l.index(inner);
  Value flat = l.reshape(x, {outer, length, inner, l.attr(parts)});
  Value gathered = l.pull(
      element, {rows, length, l.attr(parts)},
      [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Value before = arith::DivUIOp::create(nested, l.loc, at[0], around);
        Value behind = arith::RemUIOp::create(nested, l.loc, at[0], around);
        return tensor::ExtractOp::create(
            nested, l.loc, flat, ValueRange{before, at[1], behind, at[2]});
      });
  Value y = dftOfRows(l, gathered, parts, options, *lengths);
  if (!y)
    return nullptr;
  Value result =
      l.pull(element, {outer, lengths->bins, inner, l.attr(options.parts())},
             [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
               Scalars inside{nested, l.loc};
               Value row = inside.add(inside.mul(at[0], around), at[2]);
               return tensor::ExtractOp::create(nested, l.loc, y,
                                                ValueRange{row, at[1], at[3]});
             });
  for (int64_t d = 0; d < rank - 1; ++d)
    dims[d] = getAsOpFoldResult(
        s.select(s.compare(Comparison::Equal, axis, l.index(d), false),
                 l.index(lengths->bins), l.index(dims[d])));
  dims.back() = l.attr(options.parts());
  return l.reshape(result, dims);
}

/// Along a known axis, which goes to the end, before the parts.
static Value dftAlongAxis(Lowering &l, OnnxNode n, int64_t parts,
                          DftOptions options, Value x, int64_t axis) {
  Dims dims = l.dims(n.in(0)), others = dims;
  int64_t rank = dims.size();
  SmallVector<int64_t> order, back;
  for (int64_t d = 0; d < rank; ++d) {
    if (d != axis && d != rank - 1)
      order.push_back(d);
    back.push_back(d < axis || d == rank - 1 ? d : d - 1);
  }
  order.append({axis, rank - 1});
  back[axis] = rank - 2;
  others.pop_back();
  others.erase(others.begin() + axis);
  std::optional<Lengths> lengths = dftLengths(l, n, options, dims[axis]);
  if (!lengths)
    return nullptr;
  if (axis != rank - 2)
    x = l.transpose(x, order);
  x = l.reshape(x, {l.product(others), dims[axis], l.attr(parts)});
  Value y = dftOfRows(l, x, parts, options, *lengths);
  if (!y)
    return nullptr;
  others.append({lengths->bins, l.attr(options.parts())});
  y = l.reshape(y, others);
  return axis != rank - 2 ? l.transpose(y, back) : y;
}

static LogicalResult lowerDft(Lowering &l, OnnxNode n) {
  Value input = n.in(0);
  int64_t rank = l.rank(input);
  DftOptions options{n.integer("inverse", 0) != 0,
                     n.integer("onesided", 0) != 0};
  Type element = l.elementType(input), compute = computeType(element);
  FailureOr<Numbers> numbers =
      numbersOf(l, input, l.convert(l.value(input), element, compute));
  if (failed(numbers))
    return failure();
  Value x = numbers->tensor, y;
  int64_t parts = numbers->parts;
  auto given = n.in(2) ? l.integers(n.in(2)) : SmallVector<int64_t>{-2};
  if (given) {
    auto axis = given->size() == 1 ? normalizeAxis((*given)[0], rank)
                                   : std::optional<int64_t>();
    if (!axis || *axis == rank - 1)
      return l.refuse("axis is out of range");
    y = dftAlongAxis(l, n, parts, options, x, *axis);
  } else {
    y = dftAlongRunTimeAxis(l, n, parts, options, x);
  }
  if (!y)
    return failure();
  l.set(n.out(), l.convert(y, compute, element));
  return success();
}

static LogicalResult lowerStft(Lowering &l, OnnxNode n) {
  Value signal = n.in(0), window = n.in(2);
  Type element = l.elementType(signal), compute = computeType(element);
  int64_t rank = l.rank(signal);
  if (rank != 2 && rank != 3)
    return l.refuse("the signal must have rank 2 or 3");
  if (window && l.rank(window) != 1)
    return l.refuse("the window must have rank 1");
  bool oneSided = n.integer("onesided", 1);
  Dims dims = l.dims(signal);
  if (oneSided && rank == 3)
    l.requireEqual(dims[2], l.attr(1),
                   "the parts of a signal with a one-sided spectrum");
  if (!l.refusal().empty())
    return failure();
  Numbers numbers{l.convert(l.value(signal), element, compute), 1};
  if (rank == 3 && !oneSided) {
    FailureOr<Numbers> given = numbersOf(l, signal, numbers.tensor);
    if (failed(given))
      return failure();
    numbers = *given;
  }
  Value samples = numbers.tensor;
  int64_t parts = numbers.parts;
  OpFoldResult step = scalarSize(l, n.in(1)), size = dims[1];
  if (n.in(3))
    size = scalarSize(l, n.in(3));
  else if (window)
    size = l.dims(window)[0];
  if (!step || !size)
    return l.refuse("frame_step and frame_length must have one element");
  l.requireAtLeast(step, 1, "frame_step");
  l.requireAtLeast(size, 1, "frame_length");
  l.requireAtMost(size, dims[1], "frame_length, of the signal's");
  if (window)
    l.requireEqual(l.dims(window)[0], size,
                   "the window's and a frame's length");
  if (!l.refusal().empty())
    return failure();
  OpFoldResult frames = l.max(
      l.add(l.floorDiv(l.sub(dims[1], size), step), l.attr(1)), l.attr(0));
  frames = l.preferKnown(n.out(), {dims[0], frames, l.attr(1), l.attr(2)})[1];
  l.requireAllocatable({dims[0], frames, size, l.attr(2)});
  Value stride = l.index(step);
  Value windowTensor =
      window ? l.convert(l.value(window), l.elementType(window), compute)
             : Value();
  Value cut = l.pull(
      compute, {dims[0], frames, size, l.attr(parts)},
      [&](OpBuilder &nested, ArrayRef<Value> at) {
        Scalars s{nested, l.loc};
        SmallVector<Value> from{at[0], s.add(s.mul(at[1], stride), at[2])};
        if (rank == 3)
          from.push_back(at[3]);
        Value value = tensor::ExtractOp::create(nested, l.loc, samples, from);
        if (windowTensor)
          value = s.mul(value, tensor::ExtractOp::create(nested, l.loc,
                                                         windowTensor, at[2]));
        return value;
      });
  OpFoldResult rows = l.mul(dims[0], frames), bins = size;
  if (oneSided)
    bins = l.add(l.floorDiv(size, l.attr(2)), l.attr(1));
  FourierTransform transform{rows, size, bins, 2, /*inverse=*/false};
  Value y = fourierTransform(l, l.reshape(cut, {rows, size, l.attr(parts)}),
                             parts, transform);
  if (!y)
    return failure();
  y = l.reshape(y, {dims[0], frames, bins, l.attr(2)});
  l.set(n.out(), l.convert(y, compute, element));
  return success();
}

void onnxc::addSignalTransforms(LoweringTable &table) {
  table.onOp("DFT", lowerDft);
  table.onOp("STFT", lowerStft);
}
