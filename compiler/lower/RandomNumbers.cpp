//===- RandomNumbers.cpp - Random*, Bernoulli, Multinomial, Dropout -------===//
//
// A draw is a boxed tensor that the shell fills (emit/shell/random.c): with a
// seed by the numbers of ONNX's reference evaluator, else anew in each run.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/BoxedValues.h"
#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/Elementwise.h"
#include "compiler/lower/NarrowTypes.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

/// The node's seed; nullopt where it gives none. The random operators have a
/// float, of which the whole part counts, Dropout has an integer.
static FailureOr<std::optional<int64_t>> seedOf(Lowering &l, OnnxNode n) {
  double seed = n.op->getAttrOfType<IntegerAttr>("seed")
                    ? static_cast<double>(n.integer("seed", 0))
                    : n.real("seed", std::nan(""));
  if (std::isnan(seed))
    return std::optional<int64_t>();
  if (!(seed > -1 && seed < 4294967296.0))
    return l.refuse("the seed is not in [0, 2^32)");
  return std::optional(static_cast<int64_t>(seed));
}

/// What the shell's `kind` draws for a tensor of `dims`, in row-major order:
/// `each` numbers of f64 for an element, along one more dim where that is
/// not 1.
static FailureOr<Value> draw(Lowering &l, OnnxNode n, StringRef kind,
                             ArrayRef<OpFoldResult> dims, int64_t each = 1) {
  FailureOr<std::optional<int64_t>> seed = seedOf(l, n);
  if (failed(seed))
    return failure();
  Dims all(dims);
  if (each != 1)
    all.push_back(l.attr(each));
  l.requireAllocatable(all);
  OpFoldResult count = l.product(all);
  Value boxed = makeValue(l, kind,
                          {l.index(l.product(dims)), l.index(seed->has_value()),
                           l.index(seed->value_or(0))});
  RankedTensorType type = tensorType(l.b.getF64Type(), {count});
  SmallVector<Value> sizes;
  if (type.isDynamicDim(0))
    sizes.push_back(l.index(count));
  Value flat = kernel::UnboxOp::create(l.b, l.loc, type, boxed, sizes);
  return l.reshape(flat, all);
}

static FailureOr<Value> drawUniform(Lowering &l, OnnxNode n,
                                    ArrayRef<OpFoldResult> dims) {
  return draw(l, n, "uniform", dims);
}

/// c sqrt(-2 ln(s) / s) of the points (c, s) drawn.
static FailureOr<Value> drawNormal(Lowering &l, OnnxNode n,
                                   ArrayRef<OpFoldResult> dims) {
  FailureOr<Value> points = draw(l, n, "polar", dims, 2);
  if (failed(points))
    return failure();
  Value drawn = *points;
  return l.pull(
      l.b.getF64Type(), dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
        Scalars s{nested, l.loc};
        Type f64 = nested.getF64Type(), index = nested.getIndexType();
        auto part = [&](int64_t which) -> Value {
          SmallVector<Value> place(at);
          place.push_back(s.integer(index, which));
          return tensor::ExtractOp::create(nested, l.loc, drawn, place);
        };
        Value square = part(1);
        Value scaled = s.mul(s.constant(f64, -2), s.log(square));
        return s.mul(part(0), s.sqrt(s.div(scaled, square, false)));
      });
}

/// The dims of the operand, or those that the attribute `shape` gives.
static Dims drawnDims(Lowering &l, OnnxNode n) {
  return l.dims(n.inputs() ? n.in(0) : n.out());
}

/// Declares the numbers, times `factor` plus `term`, as the result.
static LogicalResult setScaled(Lowering &l, OnnxNode n,
                               FailureOr<Value> numbers, double factor,
                               double term) {
  if (failed(numbers))
    return failure();
  Type element = l.elementType(n.out()), compute = computeType(element);
  l.set(n.out(), l.mapSame(element, *numbers,
                           [&](OpBuilder &nested, ValueRange in) -> Value {
                             Scalars s{nested, l.loc};
                             // Rounded first, as the reference does.
                             Value x =
                                 s.convert(in[0], nested.getF64Type(), element);
                             x = s.convert(x, element, compute);
                             x = s.mul(x, s.constant(compute, factor));
                             x = s.add(x, s.constant(compute, term));
                             return s.convert(x, compute, element);
                           }));
  return success();
}

static LogicalResult lowerUniform(Lowering &l, OnnxNode n) {
  double low = n.real("low", 0), high = n.real("high", 1);
  return setScaled(l, n, drawUniform(l, n, drawnDims(l, n)), high - low, low);
}

static LogicalResult lowerNormal(Lowering &l, OnnxNode n) {
  return setScaled(l, n, drawNormal(l, n, drawnDims(l, n)), n.real("scale", 1),
                   n.real("mean", 0));
}

/// 1 with the probability that the element is. What the reference draws by
/// numpy's binomial method is told from the same number.
static LogicalResult lowerBernoulli(Lowering &l, OnnxNode n) {
  FailureOr<Value> numbers = drawUniform(l, n, l.dims(n.in(0)));
  if (failed(numbers))
    return failure();
  Type from = l.elementType(n.in(0)), to = l.elementType(n.out());
  Type f64 = l.b.getF64Type(), i1 = l.b.getI1Type();
  l.set(n.out(),
        l.mapSame(signless(to), {l.value(n.in(0)), *numbers},
                  [&](OpBuilder &nested, ValueRange in) -> Value {
                    Scalars s{nested, l.loc};
                    Value p = s.convert(in[0], from, f64), u = in[1];
                    auto compare = [&](Comparison kind, Value x, Value y) {
                      return s.compare(kind, x, y, false);
                    };
                    Value rare = compare(Comparison::Greater, u,
                                         s.sub(s.constant(f64, 1), p));
                    Value often = compare(Comparison::LessOrEqual, u, p);
                    Value isRare = compare(Comparison::LessOrEqual, p,
                                           s.constant(f64, 0.5));
                    return s.convert(s.select(isRare, rare, often), i1, to);
                  }));
  return success();
}

/// The probability of each class is e^x over the sum of them in its row. A
/// sample is the first class up to which they sum to more than a number drawn.
static LogicalResult lowerMultinomial(Lowering &l, OnnxNode n) {
  if (l.rank(n.in(0)) != 2)
    return l.refuse("the input must have rank 2");
  Dims dims = l.dims(n.in(0));
  int64_t samples = n.integer("sample_size", 1);
  if (samples < 1)
    return l.refuse("sample_size is below 1");
  l.requireAtLeast(dims[1], 1, "the number of classes");
  Dims outDims{dims[0], l.attr(samples)};
  FailureOr<Value> numbers = drawUniform(l, n, outDims);
  if (failed(numbers))
    return failure();

  // Relative to the row's greatest; what is not a number counts as impossible.
  Type f64 = l.b.getF64Type();
  double infinity = std::numeric_limits<double>::infinity();
  Value input = l.convert(l.value(n.in(0)), l.elementType(n.in(0)), f64);
  auto isFinite = [&](Scalars &s, Value x) {
    return s.compare(Comparison::Less, s.abs(x), s.constant(f64, infinity),
                     false);
  };
  Value greatest = l.reduce(
      input, {1}, numberAttr(f64, -infinity),
      [&](OpBuilder &nested, Value greater, Value x) -> Value {
        Scalars s{nested, l.loc};
        return s.select(isFinite(s, x), s.max(greater, x, false), greater);
      });
  Value weights = l.withReduced(
      f64, input, greatest, {1}, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        return s.select(isFinite(s, in[0]), s.exp(s.sub(in[0], in[1])),
                        s.constant(f64, 0));
      });

  Value classes = l.index(dims[1]), zero = l.index(0), one = l.index(1);
  Type type = l.elementType(n.out()), element = signless(type);
  Value drawn = *numbers;
  // Sums the row's weights, and counts the sums that `bound` is not below.
  auto sumRow = [&](OpBuilder &b, Value row, Value bound) {
    Scalars s{b, l.loc};
    return scf::ForOp::create(
        b, l.loc, zero, classes, one,
        ValueRange{s.constant(f64, 0), s.integer(b.getIndexType(), 0)},
        [&](OpBuilder &nested, Location loc, Value k, ValueRange state) {
          Scalars inner{nested, loc};
          Value weight = tensor::ExtractOp::create(nested, loc, weights,
                                                   ValueRange{row, k});
          Value sum = inner.add(state[0], weight), count = state[1];
          if (bound) {
            Value passes =
                inner.compare(Comparison::LessOrEqual, sum, bound, false);
            count = inner.select(passes, inner.add(count, one), count);
          }
          scf::YieldOp::create(nested, loc, ValueRange{sum, count});
        });
  };
  auto rows = scf::ForOp::create(
      l.b, l.loc, zero, l.index(dims[0]), one, l.empty(element, outDims),
      [&](OpBuilder &b, Location loc, Value row, ValueRange state) {
        Value total = sumRow(b, row, nullptr).getResult(0);
        auto columns = scf::ForOp::create(
            b, loc, zero, l.index(samples), one, state,
            [&](OpBuilder &nested, Location, Value column, ValueRange filled) {
              Scalars s{nested, loc};
              Value u = tensor::ExtractOp::create(nested, loc, drawn,
                                                  ValueRange{row, column});
              Value found = sumRow(nested, row, s.mul(u, total)).getResult(1);
              found = s.min(found, s.sub(classes, one), false);
              Value next = tensor::InsertOp::create(
                  nested, loc, s.fromIndex(found, element), filled[0],
                  ValueRange{row, column});
              scf::YieldOp::create(nested, loc, next);
            });
        scf::YieldOp::create(b, loc, columns.getResults());
      });
  l.set(n.out(), rows.getResult(0));
  return success();
}

/// What numbers of `type` are computed in.
static Type numberType(Type type) {
  return isNarrowFloat(type) ? Float32Type::get(type.getContext())
                             : computeType(type);
}

/// Dropout in training: `data * mask * (1 / (1 - ratio))`, where an element of
/// the mask is true when the number drawn for it is not below the ratio.
/// Outside training the ratio counts as 0, which keeps all.
static LogicalResult lowerDropout(Lowering &l, OnnxNode n) {
  Scalars s{l.b, l.loc};
  Type f64 = l.b.getF64Type(), i1 = l.b.getI1Type();
  Value training =
      n.in(2) ? onlyElement(l, n.in(2), "training_mode") : s.integer(i1, 0);
  Value ratio = n.in(1) ? onlyElement(l, n.in(1), "ratio")
                        : s.constant(l.b.getF32Type(), 0.5);
  if (!training || !ratio)
    return failure();
  Type ratioType = n.in(1) ? l.elementType(n.in(1)) : l.b.getF32Type();
  ratio = s.convert(ratio, ratioType, numberType(ratioType));
  ratio = s.select(training, ratio, s.constant(ratio.getType(), 0));
  auto compare = [&](Comparison kind, double bound) {
    return s.compare(kind, ratio, s.constant(ratio.getType(), bound), false);
  };
  l.require(s.logicalAnd(compare(Comparison::GreaterOrEqual, 0),
                         compare(Comparison::Less, 1)),
            "the ratio is not in [0, 1)");
  Dims dims = l.dims(n.in(0));
  FailureOr<Value> numbers = drawUniform(l, n, dims);
  if (failed(numbers))
    return failure();
  Value bound = s.convert(ratio, ratio.getType(), f64);
  Value mask = l.mapSame(i1, *numbers, [&](OpBuilder &nested, ValueRange in) {
    return Scalars{nested, l.loc}.compare(Comparison::GreaterOrEqual, in[0],
                                          bound, false);
  });
  Type element = l.elementType(n.out()), compute = numberType(element);
  Value unit = s.constant(ratio.getType(), 1);
  Value scale = s.convert(s.div(unit, s.sub(unit, ratio), false),
                          ratio.getType(), compute);
  l.set(n.out(), l.mapSame(element, {l.value(n.in(0)), mask},
                           [&](OpBuilder &nested, ValueRange in) {
                             Scalars inner{nested, l.loc};
                             Value kept = inner.convert(in[1], i1, compute);
                             Value x = inner.mul(widen(inner, in[0]), kept);
                             return toFloat(inner, inner.mul(x, scale),
                                            element);
                           }));
  if (n.out(1))
    l.set(n.out(1), mask);
  return success();
}

void onnxc::addRandomNumbers(LoweringTable &table) {
  table.onOp("RandomUniform", lowerUniform);
  table.onOp("RandomUniformLike", lowerUniform);
  table.onOp("RandomNormal", lowerNormal);
  table.onOp("RandomNormalLike", lowerNormal);
  table.onOp("Bernoulli", lowerBernoulli);
  table.onOp("Multinomial", lowerMultinomial);
  table.onOp("Dropout", lowerDropout);
}
