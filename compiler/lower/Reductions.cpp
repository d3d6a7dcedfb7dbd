//===- Reductions.cpp - Reduce*, ArgMax, ArgMin, CumSum -------------------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/ExtremePositions.h"
#include "compiler/lower/RunTimeAxes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

namespace {
enum class Reduction {
  Sum,
  Mean,
  Max,
  Min,
  Prod,
  L1,
  L2,
  SumSquare,
  LogSum,
  LogSumExp
};
} // namespace

/// The axes of a reduction that are known: operand 1, or all.
static FailureOr<SmallVector<int64_t>> reductionAxes(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0));
  SmallVector<int64_t> axes;
  if (Value operand = n.in(1)) {
    auto constants = l.integers(operand);
    if (!constants)
      constants.emplace(); // The operand is empty.
    for (int64_t axis : *constants) {
      auto normal = normalizeAxis(axis, rank);
      if (!normal)
        return l.refuse("axis " + Twine(axis) + " is out of range");
      if (!llvm::is_contained(axes, *normal))
        axes.push_back(*normal);
    }
  }
  if (axes.empty() && !n.integer("noop_with_empty_axes", 0))
    axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  llvm::sort(axes);
  return axes;
}

static OpFoldResult countOf(Lowering &l, Value tensor, ArrayRef<int64_t> axes) {
  Dims dims = l.sizes(tensor);
  OpFoldResult count = l.attr(1);
  for (int64_t axis : axes)
    count = l.mul(count, dims[axis]);
  return count;
}

static Value combineReduction(Reduction kind, Scalars &s, Value accumulator,
                              Value x, bool u) {
  switch (kind) {
  case Reduction::Max:
    return s.max(accumulator, x, u);
  case Reduction::Min:
    return s.min(accumulator, x, u);
  case Reduction::Prod:
    return s.mul(accumulator, x);
  case Reduction::L1:
    return s.accumulate(accumulator, u ? x : s.abs(x));
  case Reduction::L2:
  case Reduction::SumSquare:
    return s.accumulate(accumulator, s.mul(x, x));
  default:
    return s.accumulate(accumulator, x);
  }
}

template <Reduction kind>
static LogicalResult lowerReduce(Lowering &l, OnnxNode n) {
  std::optional<RunTimeReduction> dynamic;
  SmallVector<int64_t> axes;
  if (n.in(1) && !l.integers(n.in(1)) && l.rank(n.in(1)) != 1)
    return l.refuse("the axes must have rank 1");
  if (n.in(1) && !l.integers(n.in(1)) && l.staticDim(n.in(1), 0) != 0) {
    dynamic.emplace(l, n);
  } else {
    FailureOr<SmallVector<int64_t>> read = reductionAxes(l, n);
    if (failed(read))
      return failure();
    axes = *read;
  }
  Type element = l.elementType(n.in(0)), compute = computeType(element);
  bool u = isUnsigned(element) || element.isInteger(1);
  bool keep = n.integer("keepdims", 1);
  // Integers that need a root or logarithm are finished in double.
  bool transcendental = kind == Reduction::L2 || kind == Reduction::LogSum ||
                        kind == Reduction::LogSumExp;
  if (!isa<FloatType>(element) && transcendental) {
    compute = l.b.getF64Type();
    u = false;
  }
  Type number = signless(compute);
  Value input = l.convert(l.value(n.in(0)), element, compute);
  TypedAttr start = numberAttr(number, kind == Reduction::Prod ? 1 : 0);
  if (kind == Reduction::Max || kind == Reduction::LogSumExp)
    start = lowestValue(number, u);
  if (kind == Reduction::Min)
    start = highestValue(number, u);
  auto reduceBy = [&](TypedAttr from, auto combine) {
    return dynamic ? dynamic->reduce(input, from, combine)
                   : l.reduce(input, axes, from, combine);
  };

  Value result;
  if (kind == Reduction::LogSumExp) {
    // max + log(sum(exp(x - max))); an infinite maximum is not subtracted.
    Value maximum = reduceBy(start, [&](OpBuilder &nested, Value acc, Value x) {
      return Scalars{nested, l.loc}.max(acc, x, false);
    });
    maximum = l.mapSame(number, maximum, [&](OpBuilder &nested, ValueRange in) {
      Scalars s{nested, l.loc};
      Value finite = s.compare(
          Comparison::Less, s.abs(in[0]),
          s.constant(number, std::numeric_limits<double>::infinity()), false);
      return s.select(finite, in[0], s.constant(number, 0));
    });
    auto raise = [&](OpBuilder &nested, ValueRange in) {
      Scalars s{nested, l.loc};
      return s.exp(s.sub(in[0], in[1]));
    };
    Value shifted = dynamic
                        ? dynamic->withReduced(input, maximum, raise)
                        : l.withReduced(number, input, maximum, axes, raise);
    input = shifted;
    Value sum = reduceBy(numberAttr(number, 0),
                         [&](OpBuilder &nested, Value acc, Value x) {
                           return Scalars{nested, l.loc}.accumulate(acc, x);
                         });
    result = l.mapSame(number, {sum, maximum},
                       [&](OpBuilder &nested, ValueRange in) {
                         Scalars s{nested, l.loc};
                         return s.add(s.log(in[0]), in[1]);
                       });
  } else {
    result = reduceBy(start, [&](OpBuilder &nested, Value acc, Value x) {
      Scalars s{nested, l.loc};
      return combineReduction(kind, s, acc, x, u);
    });
  }
  if (kind == Reduction::L2 || kind == Reduction::LogSum)
    result = l.mapSame(number, result, [&](OpBuilder &nested, ValueRange in) {
      Scalars s{nested, l.loc};
      return kind == Reduction::L2 ? s.sqrt(in[0]) : s.log(in[0]);
    });
  if (kind == Reduction::Mean) {
    Scalars outer{l.b, l.loc};
    OpFoldResult count = dynamic ? dynamic->count() : countOf(l, input, axes);
    Value divisor = getConstantIntValue(count)
                        ? outer.constant(number, *getConstantIntValue(count))
                        : outer.fromIndex(l.index(count), number);
    result = l.mapSame(number, result, [&](OpBuilder &nested, ValueRange in) {
      return Scalars{nested, l.loc}.div(in[0], divisor, u);
    });
  }
  result = l.convert(result, compute, element);
  if (dynamic)
    result = keep ? result : dynamic->drop(result, l.rank(n.out()));
  else if (keep)
    result = l.keepAxes(result, axes);
  l.set(n.out(), result);
  return success();
}

Value onnxc::extremePositions(Lowering &l, Value tensor, Value extremes,
                              int64_t axis, bool last) {
  auto length = getConstantIntValue(l.sizes(tensor)[axis]);
  bool isShort = length && *length <= INT32_MAX;
  Type position = l.b.getIntegerType(isShort ? 32 : 64);
  int64_t most = isShort ? INT32_MAX : INT64_MAX;
  TypedAttr none = l.b.getIntegerAttr(position, last ? -1 : most);
  return l.reduceWith(
      tensor, extremes, axis, none,
      [&](OpBuilder &nested, Value acc, Value x, Value extreme) {
        Scalars s{nested, l.loc};
        Value at =
            s.fromIndex(linalg::IndexOp::create(nested, l.loc, axis), position);
        Value equal = s.compare(Comparison::Equal, x, extreme, false);
        if (Scalars::isFloat(x))
          equal =
              s.logicalOr(equal, s.logicalAnd(s.isNaN(x), s.isNaN(extreme)));
        at =
            s.select(equal, at, arith::ConstantOp::create(nested, l.loc, none));
        return last ? s.max(acc, at, false) : s.min(acc, at, false);
      });
}

/// The index of the extreme element; the first of equals, or the last.
template <bool maximum> static LogicalResult lowerArg(Lowering &l, OnnxNode n) {
  auto axis = normalizeAxis(n.integer("axis", 0), l.rank(n.in(0)));
  if (!axis)
    return l.refuse("axis is out of range");
  bool last = n.integer("select_last_index", 0);
  bool keep = n.integer("keepdims", 1);
  Type element = l.elementType(n.in(0));
  bool u = isUnsigned(element);
  Value input = l.value(n.in(0));
  Type lowered = signless(element), i64 = l.b.getI64Type();
  Value extreme =
      l.reduce(input, *axis,
               maximum ? lowestValue(lowered, u) : highestValue(lowered, u),
               [&](OpBuilder &nested, Value acc, Value x) {
                 Scalars s{nested, l.loc};
                 return maximum ? s.max(acc, x, u) : s.min(acc, x, u);
               });
  Value index = extremePositions(l, input, extreme, *axis, last);
  index = l.mapSame(i64, index, [&](OpBuilder &nested, ValueRange in) {
    return in[0].getType() == i64
               ? in[0]
               : arith::ExtSIOp::create(nested, l.loc, i64, in[0]).getResult();
  });
  if (keep)
    index = l.keepAxes(index, *axis);
  l.set(n.out(), index);
  return success();
}

namespace {
/// CumSum and CumProd.
struct Scan {
  Lowering &l;
  Value input; ///< in the type that is computed in
  int64_t axis;
  OpFoldResult row; ///< elements behind the axis
  bool product, exclusive, reverse;

  Type element() const {
    return cast<RankedTensorType>(input.getType()).getElementType();
  }
  Value next(Scalars &s, Value sum, Value x) const {
    return product ? s.mul(sum, x) : s.add(sum, x);
  }
  /// The position of step `step`.
  Value position(Scalars &s, Value step, Value size) const {
    if (!reverse)
      return step;
    return s.sub(s.sub(size, s.integer(s.b.getIndexType(), 1)), step);
  }
  Value lineByLine(Value init) const;
  Value stepByStep(Value init) const;
  Value build() const;
};
} // namespace

/// Each line by itself, its sum in a register: for lines along memory.
Value Scan::lineByLine(Value init) const {
  Dims dims = l.sizes(input);
  SmallVector<Value> low, high, ones;
  for (auto [i, dim] : llvm::enumerate(dims)) {
    if (static_cast<int64_t>(i) == axis)
      continue;
    low.push_back(l.index(0));
    high.push_back(l.index(dim));
    ones.push_back(l.index(1));
  }
  Value zero = l.index(0), one = l.index(1), size = l.index(dims[axis]);
  auto line = [&](OpBuilder &b, Location loc, ValueRange outer,
                  ValueRange state) -> scf::ValueVector {
    Value neutral = Scalars{b, loc}.constant(element(), product ? 1 : 0);
    auto loop = scf::ForOp::create(
        b, loc, zero, size, one, ValueRange{state[0], neutral},
        [&](OpBuilder &nested, Location, Value step, ValueRange now) {
          Scalars s{nested, loc};
          SmallVector<Value> at(outer);
          at.insert(at.begin() + axis, position(s, step, size));
          Value x = tensor::ExtractOp::create(nested, loc, input, at);
          Value sum = next(s, now[1], x);
          Value written = tensor::InsertOp::create(
              nested, loc, exclusive ? now[1] : sum, now[0], at);
          scf::YieldOp::create(nested, loc, ValueRange{written, sum});
        });
    return {loop.getResult(0)};
  };
  if (low.empty())
    return line(l.b, l.loc, {}, init)[0];
  return scf::buildLoopNest(l.b, l.loc, low, high, ones, init, line).results[0];
}

/// All lines step by step, their sums in a tensor without the axis: vectors
/// where lines lie side by side.
Value Scan::stepByStep(Value init) const {
  Dims dims = l.sizes(input), outer = dims;
  outer.erase(outer.begin() + axis);
  auto rank = static_cast<int64_t>(dims.size());
  Value sums =
      l.filled(element(), outer, numberAttr(element(), product ? 1 : 0));
  Value size = l.index(dims[axis]);
  auto loop = scf::ForOp::create(
      l.b, l.loc, l.index(0), size, l.index(1), ValueRange{init, sums},
      [&](OpBuilder &nested, Location loc, Value step, ValueRange state) {
        Scalars outerScalars{nested, loc};
        Dims offsets(rank, l.attr(0)), sizes = dims, ones(rank, l.attr(1));
        offsets[axis] = position(outerScalars, step, size);
        sizes[axis] = l.attr(1);
        auto lineType = tensorType(element(), outer);
        auto lineOf = [&](Value tensor) -> Value {
          return tensor::ExtractSliceOp::create(nested, loc, lineType, tensor,
                                                offsets, sizes, ones);
        };
        // One pass over the lines writes both.
        AffineMap identity = nested.getMultiDimIdentityMap(rank - 1);
        auto both = linalg::GenericOp::create(
            nested, loc, TypeRange{lineType, lineType},
            ValueRange{lineOf(input)}, ValueRange{lineOf(state[0]), state[1]},
            SmallVector<AffineMap>(3, identity),
            SmallVector<utils::IteratorType>(rank - 1,
                                             utils::IteratorType::parallel),
            [&](OpBuilder &body, Location, ValueRange in) {
              Scalars s{body, loc};
              Value sum = next(s, in[2], in[0]);
              linalg::YieldOp::create(body, loc,
                                      ValueRange{exclusive ? in[2] : sum, sum});
            });
        Value written = tensor::InsertSliceOp::create(
            nested, loc, both.getResult(0), state[0], offsets, sizes, ones);
        scf::YieldOp::create(nested, loc,
                             ValueRange{written, both.getResult(1)});
      });
  return loop.getResult(0);
}

Value Scan::build() const {
  constexpr int64_t shortRow = 8;
  Value init = l.empty(element(), l.sizes(input));
  if (auto known = getConstantIntValue(row))
    return *known < shortRow ? lineByLine(init) : stepByStep(init);
  auto branch = [&](auto way) {
    return [&, way](OpBuilder &nested, Location loc) {
      OpBuilder::InsertionGuard guard(l.b);
      l.b.setInsertionPoint(nested.getInsertionBlock(),
                            nested.getInsertionPoint());
      scf::YieldOp::create(l.b, loc, (this->*way)(init));
    };
  };
  Value isShort = Scalars{l.b, l.loc}.compare(Comparison::Less, l.index(row),
                                              l.index(shortRow), false);
  return scf::IfOp::create(l.b, l.loc, isShort, branch(&Scan::lineByLine),
                           branch(&Scan::stepByStep))
      .getResult(0);
}

/// The dims before the axis, the axis, and the dims behind it, each as one: of
/// an axis that only a run tells.
static Dims dimsAround(Lowering &l, ArrayRef<OpFoldResult> dims, Value axis) {
  Scalars s{l.b, l.loc};
  SmallVector<Value> around(3, l.index(1));
  constexpr Comparison kinds[] = {Comparison::Less, Comparison::Equal,
                                  Comparison::Greater};
  for (auto [i, dim] : llvm::enumerate(dims)) {
    Value here = l.index(static_cast<int64_t>(i));
    for (auto [part, kind] : llvm::zip(around, kinds))
      part = s.select(s.compare(kind, here, axis, false),
                      s.mul(part, l.index(dim)), part);
  }
  return llvm::map_to_vector(
      around, [](Value size) { return getAsOpFoldResult(size); });
}

static LogicalResult lowerCumulative(Lowering &l, OnnxNode n, bool product) {
  auto axes = l.elements(n.in(1));
  if (!axes || axes->size() != 1)
    return l.refuse("the axis must have one element");
  Type element = l.elementType(n.in(0)), compute = computeType(element);
  Scan scan{l,
            l.convert(l.value(n.in(0)), element, compute),
            /*axis=*/1,
            /*row=*/{},
            product,
            n.integer("exclusive", 0) != 0,
            n.integer("reverse", 0) != 0};
  Dims dims = l.sizes(scan.input);
  auto rank = static_cast<int64_t>(dims.size());
  OpFoldResult given = axes->front();
  if (auto known = getConstantIntValue(given)) {
    auto axis = normalizeAxis(*known, rank);
    if (!axis)
      return l.refuse("axis is out of range");
    scan.axis = *axis;
    scan.row = l.product(ArrayRef(dims).drop_front(*axis + 1));
  } else {
    l.requireIndex(given, l.attr(rank), "the axis");
    Scalars s{l.b, l.loc};
    Value axis = l.index(given);
    axis = s.select(s.compare(Comparison::Less, axis, l.index(0), false),
                    s.add(axis, l.index(rank)), axis);
    Dims around = dimsAround(l, dims, axis);
    scan.input = l.reshape(scan.input, around);
    scan.row = around.back();
  }
  l.set(n.out(), l.convert(l.reshape(scan.build(), dims), compute, element));
  return success();
}

void onnxc::addReductions(LoweringTable &table) {
  table.onOp("ReduceSum", lowerReduce<Reduction::Sum>);
  table.onOp("ReduceMean", lowerReduce<Reduction::Mean>);
  table.onOp("ReduceMax", lowerReduce<Reduction::Max>);
  table.onOp("ReduceMin", lowerReduce<Reduction::Min>);
  table.onOp("ReduceProd", lowerReduce<Reduction::Prod>);
  table.onOp("ReduceL1", lowerReduce<Reduction::L1>);
  table.onOp("ReduceL2", lowerReduce<Reduction::L2>);
  table.onOp("ReduceSumSquare", lowerReduce<Reduction::SumSquare>);
  table.onOp("ReduceLogSum", lowerReduce<Reduction::LogSum>);
  table.onOp("ReduceLogSumExp", lowerReduce<Reduction::LogSumExp>);
  table.onOp("ArgMax", lowerArg<true>);
  table.onOp("ArgMin", lowerArg<false>);
  table.onOp("CumSum", [](Lowering &l, OnnxNode n) {
    return lowerCumulative(l, n, false);
  });
  table.onOp("CumProd", [](Lowering &l, OnnxNode n) {
    return lowerCumulative(l, n, true);
  });
}
