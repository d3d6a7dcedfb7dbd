//===- Pools.cpp - Local and global pools ---------------------------------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/Window.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace onnxc;

static Value poolOf(Lowering &l, Value input, OpFoldResult height,
                    OpFoldResult width, kernel::PoolKind kind,
                    ArrayRef<int64_t> window, ArrayRef<int64_t> strides,
                    ArrayRef<int64_t> dilations, ArrayRef<int64_t> pads) {
  Dims source = l.sizes(input);
  Type element = cast<RankedTensorType>(input.getType()).getElementType();
  Value init = l.empty(element, {source[0], height, width, source[3]});
  return kernel::PoolOp::create(l.b, l.loc, TypeRange(init.getType()), input,
                                init, kind, window, strides, dilations, pads,
                                /*is_unsigned=*/false)
      .getResult(0);
}

/// A pool of a volume [N, C, D, H, W] as a pool of its N * D pictures, then one
/// along the depth of their results. Averages, too: the taps of a window that
/// count are those of its height and width times those of its depth.
static Value volumePool(Lowering &l, Value input, const Window &window,
                        kernel::PoolKind kind) {
  auto pad = [](OpFoldResult value) { return *getConstantIntValue(value); };
  Value last = l.transpose(input, {0, 2, 3, 4, 1});
  Dims d = l.sizes(last);
  Value pictures = l.reshape(last, {l.mul(d[0], d[1]), d[2], d[3], d[4]});
  pictures = poolOf(l, pictures, window.outputs[1], window.outputs[2], kind,
                    ArrayRef(window.kernel).drop_front(),
                    ArrayRef(window.strides).drop_front(),
                    ArrayRef(window.dilations).drop_front(),
                    {pad(window.before[1]), pad(window.before[2]),
                     pad(window.after[1]), pad(window.after[2])});
  OpFoldResult plane = l.product({window.outputs[1], window.outputs[2], d[4]});
  Value depths = l.reshape(pictures, {d[0], d[1], l.attr(1), plane});
  depths = poolOf(l, depths, window.outputs[0], l.attr(1), kind,
                  {window.kernel[0], 1}, {window.strides[0], 1},
                  {window.dilations[0], 1},
                  {pad(window.before[0]), 0, pad(window.after[0]), 0});
  Value result = l.reshape(depths, {d[0], window.outputs[0], window.outputs[1],
                                    window.outputs[2], d[4]});
  return l.transpose(result, {0, 4, 1, 2, 3});
}

/// A pool of up to three spatial dims as kernel.pool.
static Value poolKernel(Lowering &l, Value input, const Window &window,
                        kernel::PoolKind kind) {
  int64_t rank = cast<RankedTensorType>(input.getType()).getRank();
  if (rank == 5)
    return volumePool(l, input, window, kind);
  bool flat = rank == 3;
  auto twoDims = [&](ArrayRef<int64_t> values, int64_t missing) {
    SmallVector<int64_t> result(values);
    if (flat)
      result.insert(result.begin(), missing);
    return result;
  };
  SmallVector<int64_t> pads;
  for (const Dims *side : {&window.before, &window.after}) {
    if (flat)
      pads.push_back(0);
    for (OpFoldResult pad : *side)
      pads.push_back(*getConstantIntValue(pad));
  }
  Value result =
      poolOf(l, toChannelsLast(l, input), flat ? l.attr(1) : window.outputs[0],
             window.outputs.back(), kind, twoDims(window.kernel, 1),
             twoDims(window.strides, 1), twoDims(window.dilations, 1), pads);
  return fromChannelsLast(l, result, rank);
}

static bool takesKernel(Lowering &l, Value onnx, const Window &window) {
  return computeType(l.elementType(onnx)).isF32() && window.spatial() <= 3 &&
         window.hasStaticPads();
}

/// Reads the window of a pool; dims of the output that are known take the
/// place of those computed here.
static FailureOr<Window> poolWindow(Lowering &l, OnnxNode n) {
  auto kernelShape = n.integers("kernel_shape");
  if (!kernelShape || kernelShape->empty())
    return l.refuse("kernel_shape is missing");
  if (l.rank(n.in(0)) < 3)
    return l.refuse("the input must have rank 3 or more");
  FailureOr<Window> window =
      readWindow(l, n, l.dims(n.in(0)),
                 getAsIndexOpFoldResult(l.b.getContext(), *kernelShape));
  if (failed(window))
    return failure();
  Dims dims = {l.dims(n.in(0))[0], l.dims(n.in(0))[1]};
  llvm::append_range(dims, window->outputs);
  dims = l.preferKnown(n.out(), dims);
  window->outputs.assign(dims.begin() + 2, dims.end());
  return window;
}

/// For each output of a max pool the flat index of the first tap that has the
/// maximum.
static Value maxIndices(Lowering &l, Value input, Value maxima,
                        const Window &window, bool columnMajor) {
  Type i64 = l.b.getI64Type();
  Dims source = l.sizes(input);
  size_t rank = source.size();
  SmallVector<Value> sizes;
  for (OpFoldResult dim : source)
    sizes.push_back(l.index(dim));
  Value first = reduceWindow(
      l, input, window, l.b.getI64IntegerAttr(INT64_MAX),
      [&](OpBuilder &nested, Value accumulator, Value tap,
          ArrayRef<Value> position, ArrayRef<Value> output) {
        Scalars s{nested, l.loc};
        Value flat = s.add(s.mul(position[0], sizes[1]), position[1]);
        if (columnMajor) {
          Value inner = position[rank - 1];
          for (size_t i = rank - 1; i-- > 2;)
            inner = s.add(s.mul(inner, sizes[i]), position[i]);
          for (size_t i = 2; i < rank; ++i)
            flat = s.mul(flat, sizes[i]);
          flat = s.add(flat, inner);
        } else {
          for (size_t i = 2; i < rank; ++i)
            flat = s.add(s.mul(flat, sizes[i]), position[i]);
        }
        flat = arith::IndexCastOp::create(nested, l.loc, i64, flat);
        Value maximum =
            tensor::ExtractOp::create(nested, l.loc, maxima, output);
        Value equal = s.compare(Comparison::Equal, tap, maximum, false);
        Value smaller = s.min(flat, accumulator, false);
        return s.select(equal, smaller, accumulator);
      });
  // A window without such a tap (NaN, or none inside) has index 0.
  return l.mapSame(i64, first, [&](OpBuilder &nested, ValueRange in) {
    Scalars s{nested, l.loc};
    Value none =
        s.compare(Comparison::Equal, in[0], s.integer(i64, INT64_MAX), false);
    return s.select(none, s.integer(i64, 0), in[0]);
  });
}

static LogicalResult lowerMaxPool(Lowering &l, OnnxNode n) {
  FailureOr<Window> window = poolWindow(l, n);
  if (failed(window))
    return failure();
  Value input = l.value(n.in(0));
  Type onnxElement = l.elementType(n.in(0));
  Type element = signless(onnxElement);
  Value result;
  if (takesKernel(l, n.in(0), *window)) {
    result = poolKernel(l, input, *window, kernel::PoolKind::Max);
  } else {
    bool u = isUnsigned(onnxElement);
    result =
        reduceWindow(l, input, *window, lowestValue(element, u),
                     [&](OpBuilder &nested, Value accumulator, Value tap,
                         ArrayRef<Value>, ArrayRef<Value>) {
                       return Scalars{nested, l.loc}.max(accumulator, tap, u);
                     });
  }
  l.set(n.out(), result);
  if (n.out(1))
    l.set(n.out(1), maxIndices(l, input, result, *window,
                               n.integer("storage_order", 0) == 1));
  return success();
}

/// The number of taps of each window that count for the average, in `type`.
static Value tapCount(Lowering &l, Value input, const Window &window, Type type,
                      bool countPadding) {
  if (!countPadding)
    return reduceWindow(l, input, window, numberAttr(type, 0),
                        [&](OpBuilder &nested, Value accumulator, Value,
                            ArrayRef<Value>, ArrayRef<Value>) {
                          Scalars s{nested, l.loc};
                          return s.add(accumulator, s.constant(type, 1));
                        });
  // Taps inside the padded input: of each window those before its end.
  Dims source = l.sizes(input), dims = {l.attr(1), l.attr(1)};
  llvm::append_range(dims, window.outputs);
  SmallVector<Value> ends;
  for (size_t i = 0; i < window.spatial(); ++i)
    ends.push_back(l.index(
        l.add(source[i + 2], l.add(window.before[i], window.after[i]))));
  return l.pull(type, dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
    Scalars s{nested, l.loc};
    Type index = nested.getIndexType();
    Value count = s.integer(index, 1);
    for (size_t i = 0; i < window.spatial(); ++i) {
      Value begin = s.mul(at[i + 2], s.integer(index, window.strides[i]));
      Value room = s.sub(ends[i], begin);
      Value dilation = s.integer(index, window.dilations[i]);
      Value taps = arith::CeilDivSIOp::create(nested, l.loc, room, dilation);
      count =
          s.mul(count, s.min(taps, s.integer(index, window.kernel[i]), false));
    }
    return s.fromIndex(count, type);
  });
}

static Value divideByCount(Lowering &l, Value sum, Value count) {
  Dims dims = l.sizes(sum), countDims = l.sizes(count);
  Type type = cast<RankedTensorType>(sum.getType()).getElementType();
  SmallVector<AffineExpr> exprs;
  for (size_t i = 0; i < dims.size(); ++i)
    exprs.push_back(getConstantIntValue(countDims[i]) == 1
                        ? l.b.getAffineConstantExpr(0)
                        : l.b.getAffineDimExpr(i));
  return l.map(
      type, dims,
      {{sum, l.b.getMultiDimIdentityMap(dims.size())},
       {count, AffineMap::get(dims.size(), 0, exprs, l.b.getContext())}},
      [&](OpBuilder &nested, ValueRange in) {
        return Scalars{nested, l.loc}.div(in[0], in[1], false);
      });
}

static LogicalResult lowerAveragePool(Lowering &l, OnnxNode n) {
  FailureOr<Window> window = poolWindow(l, n);
  if (failed(window))
    return failure();
  bool countPadding = n.integer("count_include_pad", 0);
  Type element = l.elementType(n.in(0)), compute = computeType(element);
  Value input = l.convert(l.value(n.in(0)), element, compute);
  if (takesKernel(l, n.in(0), *window)) {
    Value result = poolKernel(l, input, *window,
                              countPadding ? kernel::PoolKind::AverageWithPad
                                           : kernel::PoolKind::Average);
    l.set(n.out(), l.convert(result, compute, element));
    return success();
  }
  Value sum =
      reduceWindow(l, input, *window, numberAttr(compute, 0),
                   [&](OpBuilder &nested, Value accumulator, Value tap,
                       ArrayRef<Value>, ArrayRef<Value>) {
                     return Scalars{nested, l.loc}.add(accumulator, tap);
                   });
  Value count = tapCount(l, input, *window, compute, countPadding);
  l.set(n.out(), l.convert(divideByCount(l, sum, count), compute, element));
  return success();
}

/// |x|^p, and the p-th root of a sum.
static Value power(Scalars &s, Value x, double p) {
  if (p == 1)
    return x;
  if (p == 2)
    return s.mul(x, x);
  return math::PowFOp::create(s.b, s.loc, x, s.constant(x.getType(), p));
}
static Value root(Scalars &s, Value x, double p) {
  if (p == 1)
    return x;
  if (p == 2)
    return s.sqrt(x);
  return math::PowFOp::create(s.b, s.loc, x, s.constant(x.getType(), 1 / p));
}

static LogicalResult lowerLpPool(Lowering &l, OnnxNode n) {
  FailureOr<Window> window = poolWindow(l, n);
  if (failed(window))
    return failure();
  double p = n.integer("p", 2);
  Type element = l.elementType(n.in(0)), compute = computeType(element);
  Value input = l.convert(l.value(n.in(0)), element, compute);
  Value sum = reduceWindow(l, input, *window, numberAttr(compute, 0),
                           [&](OpBuilder &nested, Value accumulator, Value tap,
                               ArrayRef<Value>, ArrayRef<Value>) {
                             Scalars s{nested, l.loc};
                             return s.add(accumulator, power(s, s.abs(tap), p));
                           });
  l.set(n.out(), l.mapSame(signless(element), sum,
                           [&](OpBuilder &nested, ValueRange in) {
                             Scalars s{nested, l.loc};
                             return toFloat(s, root(s, in[0], p), element);
                           }));
  return success();
}

enum class GlobalPool { Average, Max, Lp };
template <GlobalPool kind>
static LogicalResult lowerGlobalPool(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0));
  if (rank < 2)
    return l.refuse("the input must have rank 2 or more");
  Type element = l.elementType(n.in(0)), compute = computeType(element);
  double p = n.integer("p", 2);
  Value input = l.convert(l.value(n.in(0)), element, compute);
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(2, rank));
  TypedAttr start = kind == GlobalPool::Max ? lowestValue(compute, false)
                                            : numberAttr(compute, 0);
  Value result = l.reduce(input, axes, start,
                          [&](OpBuilder &nested, Value accumulator, Value x) {
                            Scalars s{nested, l.loc};
                            if (kind == GlobalPool::Max)
                              return s.max(accumulator, x, false);
                            if (kind == GlobalPool::Lp)
                              x = power(s, s.abs(x), p);
                            return s.accumulate(accumulator, x);
                          });
  if (kind != GlobalPool::Max) {
    Dims dims = l.sizes(input);
    OpFoldResult count = l.product(ArrayRef(dims).drop_front(2));
    Value number;
    Scalars outer{l.b, l.loc};
    if (kind == GlobalPool::Average)
      number = getConstantIntValue(count)
                   ? outer.constant(compute, *getConstantIntValue(count))
                   : outer.fromIndex(l.index(count), compute);
    result = l.mapSame(compute, result, [&](OpBuilder &nested, ValueRange in) {
      Scalars s{nested, l.loc};
      return kind == GlobalPool::Average ? s.div(in[0], number, false)
                                         : root(s, in[0], p);
    });
  }
  l.set(n.out(), l.convert(l.keepAxes(result, axes), compute, element));
  return success();
}

void onnxc::addPools(LoweringTable &table) {
  table.onOp("MaxPool", lowerMaxPool);
  table.onOp("AveragePool", lowerAveragePool);
  table.onOp("LpPool", lowerLpPool);
  table.onOp("GlobalAveragePool", lowerGlobalPool<GlobalPool::Average>);
  table.onOp("GlobalMaxPool", lowerGlobalPool<GlobalPool::Max>);
  table.onOp("GlobalLpPool", lowerGlobalPool<GlobalPool::Lp>);
}
