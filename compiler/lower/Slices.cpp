//===- Slices.cpp - Slice, Split, Concat, Pad -----------------------------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/RunTimeAxes.h"
#include "compiler/lower/Strings.h"
#include "compiler/lower/Window.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

/// No dim is longer; arithmetic with steps cut to it cannot overflow.
static constexpr int64_t longestStep = int64_t(1) << 40;

/// A start or end that counts from the end when negative.
static OpFoldResult fromEnd(Lowering &l, OpFoldResult at, OpFoldResult size) {
  if (auto constant = getConstantIntValue(at))
    return *constant < 0 ? l.add(at, size) : at;
  Scalars s{l.b, l.loc};
  Value value = l.index(at);
  return getAsOpFoldResult(
      s.select(s.compare(Comparison::Less, value, l.index(0), false),
               l.index(l.add(value, size)), value));
}

static OpFoldResult clampTo(Lowering &l, OpFoldResult x, OpFoldResult low,
                            OpFoldResult high) {
  return l.max(l.min(x, high), low);
}

namespace {
/// One axis of a Slice whose numbers only a run tells.
struct SlicedAxis {
  OpFoldResult axis, start, end, step;
  Value isGiven; // null when it is
};
} // namespace

/// The axes of a Slice. Vectors of unknown length have no more elements than
/// the input has dims, and all the same number.
static FailureOr<SmallVector<SlicedAxis>> slicedAxes(Lowering &l, OnnxNode n) {
  auto starts = l.elements(n.in(1));
  int64_t count = starts ? starts->size() : l.rank(n.in(0));
  OpFoldResult given = l.dims(n.in(1))[0];
  SmallVector<SlicedAxis> result(count);
  for (auto [i, sliced] : llvm::enumerate(result)) {
    sliced = {l.attr(static_cast<int64_t>(i)), {}, {}, l.attr(1), nullptr};
    if (!starts)
      sliced.isGiven = Scalars{l.b, l.loc}.compare(
          Comparison::Less, l.index(static_cast<int64_t>(i)), l.index(given),
          false);
  }
  std::pair<unsigned, OpFoldResult SlicedAxis::*> operands[] = {
      {1, &SlicedAxis::start},
      {2, &SlicedAxis::end},
      {3, &SlicedAxis::axis},
      {4, &SlicedAxis::step}};
  for (auto [operand, member] : operands) {
    Value vector = n.in(operand);
    if (!vector)
      continue;
    l.requireEqual(l.dims(vector)[0], given, "the number of axes");
    auto elements = starts ? l.elements(vector) : std::nullopt;
    if (starts && (!elements || elements->size() != starts->size()))
      return l.refuse("starts, ends, axes and steps differ in length");
    // No element that is not given is used; 1 is good for a step.
    Value all = elements ? Value()
                         : padVector(l, vector, count, operand == 4 ? 1 : 0,
                                     FillerSide::Behind);
    for (auto [i, sliced] : llvm::enumerate(result))
      sliced.*member = elements ? (*elements)[i]
                                : getAsOpFoldResult(elementAt(
                                      l, all, l.attr(static_cast<int64_t>(i))));
  }
  return result;
}

/// Slice where the axes or steps are known at run time only.
static LogicalResult lowerSliceDynamic(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0));
  FailureOr<SmallVector<SlicedAxis>> axes = slicedAxes(l, n);
  if (failed(axes))
    return failure();
  Scalars s{l.b, l.loc};
  for (const SlicedAxis &sliced : *axes) {
    l.require(s.compare(Comparison::NotEqual, l.index(sliced.step), l.index(0),
                        false),
              "a step is 0");
    l.requireIndex(sliced.axis, l.attr(rank), "an axis");
  }
  Dims source = l.dims(n.in(0)), sizes = source;
  SmallVector<Value> first(rank, l.index(0)), step(rank, l.index(1));
  for (int64_t axis = 0; axis < rank; ++axis) {
    Value size = l.index(source[axis]), zero = l.index(0), one = l.index(1);
    Value last = s.sub(size, one);
    for (const SlicedAxis &sliced : *axes) {
      Value given = l.index(sliced.axis);
      Value here = s.logicalOr(
          s.compare(Comparison::Equal, given, l.index(axis), false),
          s.compare(Comparison::Equal, given, l.index(axis - rank), false));
      if (sliced.isGiven)
        here = s.logicalAnd(here, sliced.isGiven);
      Value by = l.index(
          clampTo(l, sliced.step, l.attr(-longestStep), l.attr(longestStep)));
      Value forwards = s.compare(Comparison::Greater, by, zero, false);
      Value low = s.select(forwards, zero, l.index(-1));
      Value high = s.select(forwards, size, last);
      auto clamped = [&](OpFoldResult at) {
        Value x = l.index(fromEnd(l, at, source[axis]));
        return s.max(s.min(x, high, false), low, false);
      };
      Value start = clamped(sliced.start), end = clamped(sliced.end);
      Value length = s.select(forwards, s.sub(end, start), s.sub(start, end));
      Value stride = s.select(forwards, by, s.sub(zero, by));
      Value steps = arith::CeilDivSIOp::create(
          l.b, l.loc, s.max(length, zero, false), stride);
      sizes[axis] =
          getAsOpFoldResult(s.select(here, steps, l.index(sizes[axis])));
      first[axis] = s.select(here, start, first[axis]);
      step[axis] = s.select(here, by, step[axis]);
    }
  }
  sizes = l.preferKnown(n.out(), sizes);
  Value tensor = l.value(n.in(0));
  l.set(n.out(), l.pull(signless(l.elementType(n.in(0))), sizes,
                        [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
                          Scalars inner{nested, l.loc};
                          SmallVector<Value> from;
                          for (int64_t i = 0; i < rank; ++i)
                            from.push_back(
                                inner.add(first[i], inner.mul(at[i], step[i])));
                          return tensor::ExtractOp::create(nested, l.loc,
                                                           tensor, from);
                        }));
  return success();
}

static LogicalResult lowerSlice(Lowering &l, OnnxNode n) {
  Value input = n.in(0);
  int64_t rank = l.rank(input);
  auto starts = l.elements(n.in(1)), ends = l.elements(n.in(2));
  if (!starts || !ends || (n.in(3) && !l.integers(n.in(3))) ||
      (n.in(4) && !l.integers(n.in(4))))
    return lowerSliceDynamic(l, n);
  SmallVector<int64_t> axes = llvm::to_vector(
      llvm::seq<int64_t>(0, static_cast<int64_t>(starts->size())));
  if (n.in(3))
    axes = *l.integers(n.in(3));
  SmallVector<int64_t> steps(starts->size(), 1);
  if (n.in(4))
    steps = *l.integers(n.in(4));
  if (ends->size() != starts->size() || axes.size() != starts->size() ||
      steps.size() != starts->size())
    return l.refuse("starts, ends, axes and steps differ in length");
  Dims source = l.dims(input), sizes = source;
  Dims offsets(rank, l.attr(0)), strides(rank, l.attr(1));
  bool backwards = false;
  for (auto [i, given] : llvm::enumerate(axes)) {
    auto axis = normalizeAxis(given, rank);
    if (!axis)
      return l.refuse("axis " + Twine(given) + " is out of range");
    int64_t step = steps[i];
    if (step == 0)
      return l.refuse("a step is 0");
    step = std::clamp<int64_t>(step, -longestStep, longestStep);
    OpFoldResult size = source[*axis];
    OpFoldResult start = fromEnd(l, (*starts)[i], size);
    OpFoldResult end = fromEnd(l, (*ends)[i], size);
    OpFoldResult last = l.sub(size, l.attr(1));
    if (step > 0) {
      start = clampTo(l, start, l.attr(0), size);
      end = clampTo(l, end, l.attr(0), size);
      sizes[*axis] =
          l.ceilDiv(l.max(l.sub(end, start), l.attr(0)), l.attr(step));
    } else {
      start = clampTo(l, start, l.attr(-1), last);
      end = clampTo(l, end, l.attr(-1), last);
      sizes[*axis] =
          l.ceilDiv(l.max(l.sub(start, end), l.attr(0)), l.attr(-step));
      backwards = true;
    }
    offsets[*axis] = start;
    strides[*axis] = l.attr(step);
  }
  sizes = l.preferKnown(n.out(), sizes);
  Value tensor = l.value(input);
  if (!backwards) {
    l.set(n.out(), l.slice(tensor, offsets, sizes, strides));
    return success();
  }
  SmallVector<Value> first, step;
  for (int64_t axis = 0; axis < rank; ++axis) {
    first.push_back(l.index(offsets[axis]));
    step.push_back(l.index(strides[axis]));
  }
  l.set(n.out(),
        l.pull(signless(l.elementType(input)), sizes,
               [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
                 Scalars s{nested, l.loc};
                 SmallVector<Value> from;
                 for (int64_t i = 0; i < rank; ++i)
                   from.push_back(s.add(first[i], s.mul(at[i], step[i])));
                 return tensor::ExtractOp::create(nested, l.loc, tensor, from);
               }));
  return success();
}

static LogicalResult lowerConcat(Lowering &l, OnnxNode n) {
  auto axis = normalizeAxis(n.integer("axis", 0), l.rank(n.out()));
  if (!axis)
    return l.refuse("axis is out of range");
  SmallVector<Value> operands = n.present();
  if (operands.size() == 1) {
    l.set(n.out(), l.value(operands[0]));
    return success();
  }
  // A dim that is a constant in one operand is so in all.
  Dims dims = l.dims(operands[0]);
  OpFoldResult total = l.attr(0);
  for (Value operand : operands) {
    Dims own = l.dims(operand);
    for (size_t i = 0; i < dims.size(); ++i)
      if (static_cast<int64_t>(i) != *axis && getConstantIntValue(own[i]))
        dims[i] = own[i];
    total = l.add(total, own[*axis]);
  }
  dims[*axis] = total;
  for (Value operand : operands)
    for (auto [i, own] : llvm::enumerate(l.dims(operand)))
      if (static_cast<int64_t>(i) != *axis)
        l.requireEqual(own, dims[i], "dim " + Twine(i) + " of the inputs");
  dims = l.preferKnown(n.out(), dims);
  Value result = l.empty(signless(l.elementType(n.out())), dims);
  Dims offsets(dims.size(), l.attr(0)), ones(dims.size(), l.attr(1));
  OpFoldResult at = l.attr(0);
  for (Value operand : operands) {
    Dims sizes = dims;
    sizes[*axis] = l.dims(operand)[*axis];
    offsets[*axis] = at;
    Value tensor = l.value(operand);
    RankedTensorType wanted =
        tensorType(signless(l.elementType(operand)), sizes);
    if (tensor.getType() != wanted)
      tensor = tensor::CastOp::create(l.b, l.loc, wanted, tensor);
    result = l.insertSlice(tensor, result, offsets, sizes, ones);
    at = l.add(at, sizes[*axis]);
  }
  l.set(n.out(), result);
  return success();
}

static LogicalResult lowerSplit(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0));
  auto axis = normalizeAxis(n.integer("axis", 0), rank);
  if (!axis)
    return l.refuse("axis is out of range");
  Dims source = l.dims(n.in(0));
  size_t count = n.outputs();
  Dims lengths;
  if (n.in(1)) {
    auto given = l.elements(n.in(1));
    if (!given || given->size() != count)
      return l.refuse("split does not fit the number of outputs");
    lengths = *given;
    OpFoldResult sum = l.attr(0);
    for (OpFoldResult length : lengths) {
      l.requireAtLeast(length, 0, "a length along axis " + Twine(*axis));
      sum = l.add(sum, length);
    }
    l.requireEqual(sum, source[*axis],
                   "the sum of the lengths along axis " + Twine(*axis));
  } else {
    OpFoldResult chunk = l.ceilDiv(source[*axis], l.attr(count));
    for (size_t i = 0; i < count; ++i)
      lengths.push_back(
          l.max(l.min(chunk, l.sub(source[*axis], l.mul(chunk, l.attr(i)))),
                l.attr(0)));
  }
  Value tensor = l.value(n.in(0));
  Dims offsets(rank, l.attr(0)), ones(rank, l.attr(1));
  OpFoldResult at = l.attr(0);
  for (size_t i = 0; i < count; ++i) {
    Dims sizes = source;
    sizes[*axis] = lengths[i];
    offsets[*axis] = at;
    if (Value out = n.out(i)) {
      sizes = l.preferKnown(out, sizes);
      l.set(out, l.slice(tensor, offsets, sizes, ones));
    }
    at = l.add(at, lengths[i]);
  }
  return success();
}

/// The input's index for output index `at` of one axis in a mode of Pad other
/// than constant.
static Value padSource(Scalars &s, StringRef mode, Value at, Value size) {
  Type index = s.b.getIndexType();
  Value zero = s.integer(index, 0), one = s.integer(index, 1);
  Value last = s.sub(size, one);
  if (mode == "edge")
    return s.max(s.min(at, last, false), zero, false);
  if (mode == "wrap")
    return s.mod(at, size, false);
  // Reflect: with period 2 * (size - 1), from the nearer end.
  Value period = s.max(s.mul(last, s.integer(index, 2)), one, false);
  Value phase = s.mod(at, period, false);
  return s.min(phase, s.sub(period, phase), false);
}

/// The pads of all axes where only a run tells which axes those given are of,
/// or how many.
static Dims padsOfAllAxes(Lowering &l, Value pads, Value axes, int64_t rank) {
  Scalars s{l.b, l.loc};
  OpFoldResult count = l.dims(axes)[0];
  l.requireEqual(l.dims(pads)[0], l.mul(count, l.attr(2)),
                 "the number of pads");
  Value allAxes = padVector(l, axes, rank, 0, FillerSide::Behind);
  Value allPads = padVector(l, pads, 2 * rank, 0, FillerSide::Behind);
  Dims result(2 * rank, l.attr(0));
  for (int64_t i = 0; i < rank; ++i) {
    Value axis = elementAt(l, allAxes, l.attr(i));
    l.requireIndex(axis, l.attr(rank), "an axis");
    Value given =
        s.compare(Comparison::Less, l.index(i), l.index(count), false);
    OpFoldResult before = elementAt(l, allPads, l.attr(i));
    OpFoldResult after = elementAt(l, allPads, l.add(l.attr(i), count));
    for (int64_t d = 0; d < rank; ++d) {
      auto is = [&](int64_t alias) {
        return s.compare(Comparison::Equal, axis, l.index(alias), false);
      };
      Value here = s.logicalAnd(given, s.logicalOr(is(d), is(d - rank)));
      for (auto [place, pad] : {std::pair(d, before), {d + rank, after}})
        result[place] = getAsOpFoldResult(
            s.select(here, l.index(pad), l.index(result[place])));
    }
  }
  return result;
}

static LogicalResult lowerPad(Lowering &l, OnnxNode n) {
  Value input = n.in(0);
  int64_t rank = l.rank(input);
  auto pads = l.elements(n.in(1));
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (n.in(3)) {
    if (auto constants = l.integers(n.in(3)))
      axes = *constants;
    else
      pads = padsOfAllAxes(l, n.in(1), n.in(3), rank);
  }
  if (!pads || pads->size() != 2 * axes.size())
    return l.refuse("pads of unknown or wrong length are not supported yet");
  StringRef mode = n.string("mode", "constant");
  Dims source = l.dims(input);
  Dims before(rank, l.attr(0)), after(rank, l.attr(0)), dims = source;
  bool simple = mode == "constant";
  for (auto [i, given] : llvm::enumerate(axes)) {
    auto axis = normalizeAxis(given, rank);
    if (!axis)
      return l.refuse("axis " + Twine(given) + " is out of range");
    before[*axis] = (*pads)[i];
    after[*axis] = (*pads)[i + axes.size()];
    for (OpFoldResult pad : {before[*axis], after[*axis]}) {
      auto constant = getConstantIntValue(pad);
      simple &= constant && *constant >= 0;
    }
    dims[*axis] = l.add(source[*axis], l.add(before[*axis], after[*axis]));
    l.requireAtLeast(dims[*axis], 0, "dim " + Twine(*axis));
    // There must be something to repeat.
    if (mode != "constant" && !simple)
      l.requireAtMost(l.min(dims[*axis], l.attr(1)), source[*axis],
                      "padding an empty dim");
  }
  dims = l.preferKnown(n.out(), dims);
  l.requireAllocatable(dims);
  Type element = signless(l.elementType(input));
  Value tensor = l.value(input);
  Value fill;
  if (mode == "constant") {
    if (Value given = n.in(2)) {
      Value scalar = l.value(given);
      SmallVector<Value> at(l.rank(given), l.index(0));
      fill = tensor::ExtractOp::create(l.b, l.loc, scalar, at);
    } else {
      fill = blank(l, l.elementType(input));
    }
  }
  if (simple) {
    Value init =
        linalg::FillOp::create(l.b, l.loc, fill, l.empty(element, dims))
            .getResult(0);
    Dims ones(rank, l.attr(1));
    l.set(n.out(), l.insertSlice(tensor, init, before, source, ones));
    return success();
  }
  SmallVector<Value> sizes, first;
  for (int64_t axis = 0; axis < rank; ++axis) {
    sizes.push_back(l.index(source[axis]));
    first.push_back(l.index(before[axis]));
  }
  l.set(n.out(),
        l.pull(
            element, dims, [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
              Scalars s{nested, l.loc};
              SmallVector<Value> from;
              Value inside = s.integer(nested.getI1Type(), 1);
              for (int64_t axis = 0; axis < rank; ++axis) {
                Value position = s.sub(at[axis], first[axis]);
                if (mode == "constant")
                  inside =
                      s.logicalAnd(inside, s.compare(Comparison::Less, position,
                                                     sizes[axis], true));
                else
                  position = padSource(s, mode, position, sizes[axis]);
                from.push_back(position);
              }
              if (mode != "constant")
                return tensor::ExtractOp::create(nested, l.loc, tensor, from);
              return scf::IfOp::create(
                         nested, l.loc, inside,
                         [&](OpBuilder &then, Location loc) {
                           Value x = tensor::ExtractOp::create(then, loc,
                                                               tensor, from);
                           scf::YieldOp::create(then, loc, x);
                         },
                         [&](OpBuilder &otherwise, Location loc) {
                           scf::YieldOp::create(otherwise, loc, fill);
                         })
                  .getResult(0);
            }));
  return success();
}

void onnxc::addSlices(LoweringTable &table) {
  table.onOp("Slice", lowerSlice);
  table.onOp("Concat", lowerConcat);
  table.onOp("Split", lowerSplit);
  table.onOp("Pad", lowerPad);
}
