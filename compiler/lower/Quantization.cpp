//===- Quantization.cpp - Quantize*, Dequantize*, QLinear*, *Integer ------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/MatrixProducts.h"
#include "compiler/lower/Window.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// How a scale or zero point is read for a tensor: one for all, one for each
/// index of `axis`, or one for each block of `block` indices.
struct Granularity {
  int64_t axis = 0;
  int64_t block = 0;
};
} // namespace

static bool isSingle(Lowering &l, Value onnx) {
  if (l.rank(onnx) == 0)
    return true;
  return l.rank(onnx) == 1 && l.staticDim(onnx, 0) == 1;
}

/// Reads the element of a scale or zero point that belongs to `at`.
static Value parameter(Lowering &l, OpBuilder &nested, Value onnx, Value tensor,
                       const Granularity &how, ArrayRef<Value> at) {
  Scalars s{nested, l.loc};
  SmallVector<Value> from;
  if (isSingle(l, onnx)) {
    if (l.rank(onnx) == 1)
      from.push_back(s.integer(nested.getIndexType(), 0));
  } else if (how.block > 0) {
    from.assign(at.begin(), at.end());
    from[how.axis] =
        arith::DivUIOp::create(nested, l.loc, at[how.axis],
                               s.integer(nested.getIndexType(), how.block));
  } else {
    from.push_back(at[how.axis]);
  }
  return tensor::ExtractOp::create(nested, l.loc, tensor, from);
}

/// Checks the shapes of scale and zero point against the input.
static FailureOr<Granularity> granularity(Lowering &l, OnnxNode n, Value input,
                                          Value scale) {
  Granularity how;
  int64_t rank = l.rank(input);
  if (isSingle(l, scale))
    return how;
  auto axis = normalizeAxis(n.integer("axis", 1), rank);
  if (!axis)
    return l.refuse("axis is out of range");
  how.axis = *axis;
  how.block = n.integer("block_size", 0);
  if (how.block > 0 ? l.rank(scale) != rank : l.rank(scale) != 1)
    return l.refuse("the scale's rank does not fit");
  int64_t blocks = how.block > 0 ? l.staticDim(scale, how.axis) : -1;
  int64_t length = l.staticDim(input, how.axis);
  if (how.block > 0 && (blocks < 0 || length < 0 ||
                        llvm::divideCeilSigned(length, how.block) > blocks))
    return l.refuse("the scale's blocks do not cover the input");
  return how;
}

/// saturate(round(x) + zero)
static Value quantize(Scalars &s, Value x, Value zero, Type zeroType,
                      Type result) {
  Value rounded = s.roundEven(x);
  if (zero)
    rounded = s.add(rounded, s.convert(zero, zeroType, rounded.getType()));
  return s.saturate(rounded, result);
}

static LogicalResult lowerQuantizeLinear(Lowering &l, OnnxNode n) {
  Value x = n.in(0), scale = n.in(1), zero = n.in(2);
  FailureOr<Granularity> how = granularity(l, n, x, scale);
  if (failed(how))
    return failure();
  Type result = l.elementType(n.out()), type = l.elementType(x);
  Value input = l.value(x), scales = l.value(scale);
  Value zeros = zero ? l.value(zero) : Value();
  if (!isa<IntegerType>(result))
    return l.refuse("the quantised type is not supported yet");
  l.set(n.out(),
        l.pull(signless(result), l.dims(x),
               [&](OpBuilder &nested, ArrayRef<Value> at) {
                 Scalars s{nested, l.loc};
                 Type f32 = nested.getF32Type();
                 Value element = s.convert(
                     tensor::ExtractOp::create(nested, l.loc, input, at), type,
                     f32);
                 Value factor =
                     s.convert(parameter(l, nested, scale, scales, *how, at),
                               l.elementType(scale), f32);
                 Value offset =
                     zero ? parameter(l, nested, zero, zeros, *how, at)
                          : Value();
                 return quantize(s, s.div(element, factor, false), offset,
                                 zero ? l.elementType(zero) : Type(), result);
               }));
  return success();
}

static LogicalResult lowerDequantizeLinear(Lowering &l, OnnxNode n) {
  Value x = n.in(0), scale = n.in(1), zero = n.in(2);
  FailureOr<Granularity> how = granularity(l, n, x, scale);
  if (failed(how))
    return failure();
  Type result = l.elementType(n.out()), type = l.elementType(x);
  Value input = l.value(x), scales = l.value(scale);
  Value zeros = zero ? l.value(zero) : Value();
  l.set(n.out(),
        l.pull(signless(result), l.dims(x),
               [&](OpBuilder &nested, ArrayRef<Value> at) {
                 Scalars s{nested, l.loc};
                 Type f32 = nested.getF32Type(), i32 = nested.getI32Type();
                 Value element =
                     tensor::ExtractOp::create(nested, l.loc, input, at);
                 Value number;
                 if (isa<FloatType>(type)) {
                   number = s.convert(element, type, f32);
                 } else {
                   Value whole = s.convert(element, type, i32);
                   if (zero)
                     whole = s.sub(whole, s.convert(parameter(l, nested, zero,
                                                              zeros, *how, at),
                                                    l.elementType(zero), i32));
                   number = s.convert(whole, i32, f32);
                 }
                 Value factor =
                     s.convert(parameter(l, nested, scale, scales, *how, at),
                               l.elementType(scale), f32);
                 return s.convert(s.mul(number, factor), f32, result);
               }));
  return success();
}

static LogicalResult lowerDynamicQuantizeLinear(Lowering &l, OnnxNode n) {
  Value x = l.value(n.in(0));
  Type f32 = l.b.getF32Type(), u8 = l.elementType(n.out(0));
  SmallVector<int64_t> axes =
      llvm::to_vector(llvm::seq<int64_t>(0, l.rank(n.in(0))));
  Value lowest = l.reduce(x, axes, numberAttr(f32, 0),
                          [&](OpBuilder &nested, Value acc, Value e) {
                            return Scalars{nested, l.loc}.min(acc, e, false);
                          });
  Value highest = l.reduce(x, axes, numberAttr(f32, 0),
                           [&](OpBuilder &nested, Value acc, Value e) {
                             return Scalars{nested, l.loc}.max(acc, e, false);
                           });
  Value scale =
      l.mapSame(f32, {lowest, highest}, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Value width = s.div(s.sub(in[1], in[0]), s.constant(f32, 255), false);
        Value zero = s.constant(f32, 0);
        return s.select(s.compare(Comparison::Equal, width, zero, false),
                        s.constant(f32, 1), width);
      });
  Value zero = l.mapSame(signless(u8), {lowest, scale},
                         [&](OpBuilder &nested, ValueRange in) {
                           Scalars s{nested, l.loc};
                           Value at = s.div(s.negate(in[0]), in[1], false);
                           return s.saturate(s.roundEven(at), u8);
                         });
  if (n.out(0))
    l.set(n.out(0), l.withReduced(signless(u8), x, {scale, zero}, axes,
                                  [&](OpBuilder &nested, ValueRange in) {
                                    Scalars s{nested, l.loc};
                                    return quantize(s,
                                                    s.div(in[0], in[1], false),
                                                    in[2], u8, u8);
                                  }));
  if (n.out(1))
    l.set(n.out(1), scale);
  if (n.out(2))
    l.set(n.out(2), zero);
  return success();
}

/// An integer tensor minus its zero point as i32. The zero point is one, or one
/// for each index of `axis`, or of full rank with ones.
static FailureOr<Value> centred(Lowering &l, Value onnx, Value zero,
                                int64_t axis) {
  Type i32 = l.b.getI32Type();
  Value tensor = l.convert(l.value(onnx), l.elementType(onnx), i32);
  if (!zero)
    return tensor;
  int64_t rank = l.rank(onnx);
  Dims dims = l.sizes(tensor), own = l.dims(zero);
  Value offset = l.convert(l.value(zero), l.elementType(zero), i32);
  SmallVector<AffineExpr> exprs;
  if (own.size() == 1) {
    exprs.push_back(getConstantIntValue(own[0]) == 1
                        ? l.b.getAffineConstantExpr(0)
                        : l.b.getAffineDimExpr(axis));
  } else if (!own.empty()) {
    if (static_cast<int64_t>(own.size()) != rank)
      return l.refuse("a zero point's rank does not fit");
    for (int64_t i = 0; i < rank; ++i)
      exprs.push_back(getConstantIntValue(own[i]) == 1
                          ? l.b.getAffineConstantExpr(0)
                          : l.b.getAffineDimExpr(i));
  }
  return l.map(i32, dims,
               {{tensor, l.b.getMultiDimIdentityMap(rank)},
                {offset, AffineMap::get(rank, 0, exprs, l.b.getContext())}},
               [&](OpBuilder &nested, ValueRange in) {
                 return Scalars{nested, l.loc}.sub(in[0], in[1]);
               });
}

static LogicalResult lowerMatMulInteger(Lowering &l, OnnxNode n) {
  if (l.rank(n.in(0)) < 1 || l.rank(n.in(1)) < 1)
    return l.refuse("operands must have rank 1 or more");
  FailureOr<Value> a =
      centred(l, n.in(0), n.in(2), std::max<int64_t>(l.rank(n.in(0)) - 2, 0));
  FailureOr<Value> b = centred(l, n.in(1), n.in(3), l.rank(n.in(1)) - 1);
  if (failed(a) || failed(b))
    return failure();
  l.set(n.out(), matmulTensors(l, *a, *b));
  return success();
}

/// saturate(round(acc * xScale * wScale / yScale) + yZero); wScale may be one
/// for each index of `axis` of the accumulator.
static Value requantize(Lowering &l, Value accumulator, Value xScale,
                        Value wScale, Value yScale, Value yZero, Type result,
                        int64_t axis) {
  Dims dims = l.sizes(accumulator);
  Value xs = l.value(xScale), ws = l.value(wScale), ys = l.value(yScale);
  Value zero = yZero ? l.value(yZero) : Value();
  Granularity how;
  how.axis = axis;
  return l.pull(
      signless(result), dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
        Scalars s{nested, l.loc};
        Type f32 = nested.getF32Type();
        auto scaleAt = [&](Value onnx, Value tensor) {
          return s.convert(parameter(l, nested, onnx, tensor, how, at),
                           l.elementType(onnx), f32);
        };
        Value x = arith::SIToFPOp::create(
            nested, l.loc, f32,
            tensor::ExtractOp::create(nested, l.loc, accumulator, at));
        Value factor = s.div(s.mul(scaleAt(xScale, xs), scaleAt(wScale, ws)),
                             scaleAt(yScale, ys), false);
        Value offset =
            yZero ? parameter(l, nested, yZero, zero, how, at) : Value();
        return quantize(s, s.mul(x, factor), offset,
                        yZero ? l.elementType(yZero) : Type(), result);
      });
}

static LogicalResult lowerQLinearMatMul(Lowering &l, OnnxNode n) {
  Value a = n.in(0), w = n.in(3);
  if (l.rank(a) < 2 || l.rank(w) < 2)
    return l.refuse("operands of rank 1 are not supported yet");
  FailureOr<Value> left = centred(l, a, n.in(2), l.rank(a) - 2);
  FailureOr<Value> right = centred(l, w, n.in(5), l.rank(w) - 1);
  if (failed(left) || failed(right))
    return failure();
  if (!isSingle(l, n.in(1)) || l.rank(n.in(4)) > 1 || !isSingle(l, n.in(6)))
    return l.refuse("scales other than one, or one for each column, are not "
                    "supported yet");
  Value product = matmulTensors(l, *left, *right);
  l.set(n.out(), requantize(l, product, n.in(1), n.in(4), n.in(6), n.in(7),
                            l.elementType(n.out()), l.rank(n.out()) - 1));
  return success();
}

static LogicalResult lowerQLinearConv(Lowering &l, OnnxNode n) {
  Value x = n.in(0), w = n.in(3), bias = n.in(8);
  int64_t rank = l.rank(x), groups = n.integer("group", 1);
  auto shape = l.staticShape(w);
  if (!shape || static_cast<int64_t>(shape->size()) != rank || rank < 3)
    return l.refuse("a filter whose dims are not constants is not supported "
                    "yet");
  if (groups < 1 || (*shape)[0] % groups != 0 ||
      l.staticDim(x, 1) != groups * (*shape)[1])
    return l.refuse("channels of input and filter do not fit the groups");
  if (!isSingle(l, n.in(1)) || l.rank(n.in(4)) > 1 || !isSingle(l, n.in(6)))
    return l.refuse("scales other than one, or one for each filter, are not "
                    "supported yet");
  FailureOr<Window> window =
      readWindow(l, n, l.dims(x), ArrayRef(*shape).drop_front(2));
  if (failed(window))
    return failure();
  FailureOr<Value> input = centred(l, x, n.in(2), 1);
  FailureOr<Value> filter = centred(l, w, n.in(5), 0);
  if (failed(input) || failed(filter))
    return failure();
  Value sum = convolveGeneric(l, *input, *filter, *window, groups);
  if (bias)
    sum = addBias(l, sum, l.value(bias), 1);
  l.set(n.out(), requantize(l, sum, n.in(1), n.in(4), n.in(6), n.in(7),
                            l.elementType(n.out()), 1));
  return success();
}

static LogicalResult lowerConvInteger(Lowering &l, OnnxNode n) {
  Value x = n.in(0), w = n.in(1);
  int64_t rank = l.rank(x), groups = n.integer("group", 1);
  auto shape = l.staticShape(w);
  if (!shape || static_cast<int64_t>(shape->size()) != rank || rank < 3)
    return l.refuse("a filter whose dims are not constants is not supported "
                    "yet");
  if (groups < 1 || (*shape)[0] % groups != 0 ||
      l.staticDim(x, 1) != groups * (*shape)[1])
    return l.refuse("channels of input and filter do not fit the groups");
  FailureOr<Window> window =
      readWindow(l, n, l.dims(x), ArrayRef(*shape).drop_front(2));
  if (failed(window))
    return failure();
  FailureOr<Value> input = centred(l, x, n.in(2), 1);
  FailureOr<Value> filter = centred(l, w, n.in(3), 0);
  if (failed(input) || failed(filter))
    return failure();
  l.set(n.out(), convolveGeneric(l, *input, *filter, *window, groups));
  return success();
}

void onnxc::addQuantization(LoweringTable &table) {
  table.onOp("QuantizeLinear", lowerQuantizeLinear);
  table.onOp("DequantizeLinear", lowerDequantizeLinear);
  table.onOp("DynamicQuantizeLinear", lowerDynamicQuantizeLinear);
  table.onOp("MatMulInteger", lowerMatMulInteger);
  table.onOp("QLinearMatMul", lowerQLinearMatMul);
  table.onOp("QLinearConv", lowerQLinearConv);
  table.onOp("ConvInteger", lowerConvInteger);
}
