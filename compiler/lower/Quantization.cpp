//===- Quantization.cpp - QuantizeLinear, DequantizeLinear ----------------===//

#include "compiler/lower/Quantization.h"

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/NarrowTypes.h"

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

bool onnxc::isSingle(Lowering &l, Value onnx) {
  if (l.rank(onnx) == 0)
    return true;
  return l.rank(onnx) == 1 && l.staticDim(onnx, 0) == 1;
}

/// Checks the shapes of scale and zero point against the input.
static FailureOr<Granularity> granularity(Lowering &l, OnnxNode n, Value input,
                                          Value scale, Value zero) {
  Granularity how;
  int64_t rank = l.rank(input);
  if (isSingle(l, scale)) {
    if (zero)
      for (OpFoldResult dim : l.dims(zero))
        l.requireEqual(dim, l.attr(1), "the number of zero points");
    return how;
  }
  auto axis = normalizeAxis(n.integer("axis", 1), rank);
  if (!axis)
    return l.refuse("axis is out of range");
  how.axis = *axis;
  how.block = n.integer("block_size", 0);
  if (how.block > 0 ? l.rank(scale) != rank : l.rank(scale) != 1)
    return l.refuse("the scale's rank does not fit");
  if (zero && l.rank(zero) != l.rank(scale))
    return l.refuse("scale and zero point have different ranks");
  if (how.block <= 0)
    return how;
  Dims dims = l.dims(input);
  dims[how.axis] = l.ceilDiv(dims[how.axis], l.attr(how.block));
  for (Value parameter : {scale, zero})
    if (parameter)
      for (auto [blocks, least] : llvm::zip(l.dims(parameter), dims))
        l.requireAtMost(least, blocks, "the blocks along a dim");
  return how;
}

MappedOperand onnxc::parameterOf(Lowering &l, Value onnx, int64_t axis,
                                 ArrayRef<OpFoldResult> dims) {
  Dims own = l.dims(onnx), wanted(dims);
  AffineMap all = l.b.getMultiDimIdentityMap(dims.size());
  if (own.size() < 2) {
    wanted = own.empty() ? Dims() : Dims{dims[axis]};
    all = all.getSubMap(own.empty() ? ArrayRef<unsigned>()
                                    : ArrayRef<unsigned>(axis));
  }
  SmallVector<AffineExpr> exprs(all.getResults());
  bool mayRepeat = false;
  for (auto [i, dim] : llvm::enumerate(own)) {
    if (getConstantIntValue(dim) == 1)
      exprs[i] = l.b.getAffineConstantExpr(0);
    else if (getConstantIntValue(dim))
      l.requireEqual(dim, wanted[i], "a dim of the scale or zero point");
    else
      mayRepeat |= dim != wanted[i];
  }
  // A dim that may be 1 at run time only is repeated beforehand.
  if (mayRepeat)
    return {l.broadcastTo(onnx, wanted), all};
  return {l.value(onnx),
          AffineMap::get(dims.size(), 0, exprs, l.b.getContext())};
}

/// `body(element, scale, zero point)` for each element of `x`; without a zero
/// point that one is null.
static Value
withParameters(Lowering &l, Value x, Value scale, Value zero,
               const Granularity &how, Type result,
               llvm::function_ref<Value(Scalars &, ArrayRef<Value>)> body) {
  Value input = l.value(x);
  if (how.block > 0 && !isSingle(l, scale)) {
    Value scales = l.value(scale), zeros = zero ? l.value(zero) : Value();
    return l.pull(
        signless(result), l.dims(x),
        [&](OpBuilder &nested, ArrayRef<Value> at) {
          Scalars s{nested, l.loc};
          SmallVector<Value> block(at);
          block[how.axis] = arith::DivUIOp::create(
              nested, l.loc, at[how.axis],
              s.integer(nested.getIndexType(), how.block));
          auto extract = [&](Value tensor, ArrayRef<Value> from) -> Value {
            if (!tensor)
              return {};
            return tensor::ExtractOp::create(nested, l.loc, tensor, from);
          };
          return body(s, {extract(input, at), extract(scales, block),
                          extract(zeros, block)});
        });
  }
  Dims dims = l.dims(x);
  SmallVector<MappedOperand> operands = {
      {input, l.b.getMultiDimIdentityMap(dims.size())},
      parameterOf(l, scale, how.axis, dims)};
  if (zero)
    operands.push_back(parameterOf(l, zero, how.axis, dims));
  return l.map(signless(result), dims, operands,
               [&](OpBuilder &nested, ValueRange in) {
                 Scalars s{nested, l.loc};
                 return body(s, {in[0], in[1], zero ? in[2] : Value()});
               });
}

Value onnxc::quantize(Scalars &s, Value x, Value zero, Type zeroType,
                      Type result) {
  Value number = s.roundEven(x);
  Type type = number.getType();
  // An integer has no zero with a sign.
  if (zero)
    number = arith::AddFOp::create(s.b, s.loc, number,
                                   s.convert(zero, zeroType, type),
                                   arith::FastMathFlags::nsz);
  // Comparisons that NaN fails: it becomes the lowest value.
  unsigned width = result.getIntOrFloatBitWidth();
  bool isUnsignedResult = isUnsigned(result);
  auto bound = [&](const llvm::APInt &value) {
    return s.constant(type, value.roundToDouble(!isUnsignedResult));
  };
  Value low = bound(isUnsignedResult ? llvm::APInt::getZero(width)
                                     : llvm::APInt::getSignedMinValue(width));
  Value high = bound(isUnsignedResult ? llvm::APInt::getMaxValue(width)
                                      : llvm::APInt::getSignedMaxValue(width));
  number =
      s.select(s.compare(Comparison::Greater, number, low, false), number, low);
  number =
      s.select(s.compare(Comparison::Less, number, high, false), number, high);
  return s.convert(number, type, result);
}

static LogicalResult lowerQuantizeLinear(Lowering &l, OnnxNode n) {
  Value x = n.in(0), scale = n.in(1), zero = n.in(2);
  FailureOr<Granularity> how = granularity(l, n, x, scale, zero);
  if (failed(how))
    return failure();
  Type result = l.elementType(n.out()), type = l.elementType(x);
  NarrowRounding rounding;
  rounding.saturate = n.integer("saturate", 1) != 0;
  l.set(
      n.out(),
      withParameters(
          l, x, scale, zero, *how, result, [&](Scalars &s, ArrayRef<Value> in) {
            Type f32 = s.b.getF32Type();
            Value element = s.convert(in[0], type, f32);
            Value factor = s.convert(in[1], l.elementType(scale), f32);
            Value scaled = s.div(element, factor, false);
            if (!isNarrowFloat(result))
              return quantize(s, scaled, in[2],
                              zero ? l.elementType(zero) : Type(), result);
            if (in[2])
              scaled =
                  s.add(scaled, s.convert(in[2], l.elementType(zero), f32));
            return s.convert(scaled, f32, result, rounding);
          }));
  return success();
}

static LogicalResult lowerDequantizeLinear(Lowering &l, OnnxNode n) {
  Value x = n.in(0), scale = n.in(1), zero = n.in(2);
  FailureOr<Granularity> how = granularity(l, n, x, scale, zero);
  if (failed(how))
    return failure();
  Type result = l.elementType(n.out()), type = l.elementType(x);
  l.set(
      n.out(),
      withParameters(
          l, x, scale, zero, *how, result, [&](Scalars &s, ArrayRef<Value> in) {
            Type f32 = s.b.getF32Type(), i32 = s.b.getI32Type();
            Value number;
            if (isa<FloatType>(type)) {
              number = s.convert(in[0], type, f32);
              if (in[2])
                number =
                    s.sub(number, s.convert(in[2], l.elementType(zero), f32));
            } else {
              Value whole = s.convert(in[0], type, i32);
              if (in[2])
                whole =
                    s.sub(whole, s.convert(in[2], l.elementType(zero), i32));
              number = s.convert(whole, i32, f32);
            }
            Value factor = s.convert(in[1], l.elementType(scale), f32);
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

void onnxc::addQuantization(LoweringTable &table) {
  table.onOp("QuantizeLinear", lowerQuantizeLinear);
  table.onOp("DequantizeLinear", lowerDequantizeLinear);
  table.onOp("DynamicQuantizeLinear", lowerDynamicQuantizeLinear);
}
