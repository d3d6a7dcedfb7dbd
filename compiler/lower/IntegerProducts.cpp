//===- IntegerProducts.cpp - *Integer and QLinear* products ---------------===//
//
// Operands become 16-bit integers with their zero point subtracted, so that
// padding is 0 and products are exact; a constant one whose centred values fit
// in 8 bits stays so in the library.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Convolutions.h"
#include "compiler/lower/MatrixProducts.h"
#include "compiler/lower/Quantization.h"

#include "dialects/onnx/Elements.h"

using namespace mlir;
using namespace onnxc;

/// An integer tensor minus its zero point as i16. The zero point is one, or one
/// for each index of `axis`, or of full rank with ones.
static FailureOr<Value> centred(Lowering &l, Value onnx, Value zero,
                                int64_t axis) {
  Type i16 = l.b.getI16Type(), type = l.elementType(onnx);
  if (type.getIntOrFloatBitWidth() != 8)
    return l.refuse("operands must have 8 bits");
  if (!zero)
    return l.convert(l.value(onnx), type, i16);
  Dims dims = l.dims(onnx);
  if (l.rank(zero) > 1 && l.rank(zero) != l.rank(onnx))
    return l.refuse("a zero point's rank does not fit");
  Type zeroType = l.elementType(zero);
  return l.map(i16, dims,
               {{l.value(onnx), l.b.getMultiDimIdentityMap(dims.size())},
                parameterOf(l, zero, axis, dims)},
               [&](OpBuilder &nested, ValueRange in) {
                 Scalars s{nested, l.loc};
                 return s.sub(s.convert(in[0], type, i16),
                              s.convert(in[1], zeroType, i16));
               });
}

/// A constant minus its zero point where that is a constant of i8: signed with
/// zero points of 0, or unsigned with 128.
static ElementsAttr centredConstant(Lowering &l, Value onnx, Value zero) {
  ElementsAttr value = l.constant(onnx);
  if (!value || value.getNumElements() == 0)
    return nullptr;
  bool isUnsignedValue = isUnsigned(value.getElementType());
  SmallVector<int64_t> zeros = {0};
  if (zero) {
    ElementsAttr constant = l.constant(zero);
    auto values = constant ? integerValues(constant) : std::nullopt;
    if (!values)
      return nullptr;
    zeros = std::move(*values);
  }
  int64_t middle = isUnsignedValue ? 128 : 0;
  if (!llvm::all_of(zeros, [&](int64_t z) { return z == middle; }))
    return nullptr;
  auto bytes = elementBytes(value);
  if (!bytes || bytes->elementSize() != 1)
    return nullptr;
  if (!isUnsignedValue)
    return value;
  std::vector<char> shifted = bytes->expanded();
  for (char &byte : shifted)
    byte = static_cast<char>(byte ^ 0x80);
  auto type =
      RankedTensorType::get(value.getShapedType().getShape(), l.b.getI8Type());
  return makeElements(type, std::move(shifted));
}

static FailureOr<Filter> integerFilter(Lowering &l, Value onnx, Value zero) {
  Filter filter;
  filter.shape = filterShape(l, onnx);
  filter.constant = centredConstant(l, onnx, zero);
  filter.element = l.b.getI8Type();
  if (filter.constant)
    return filter;
  FailureOr<Value> tensor = centred(l, onnx, zero, 0);
  if (failed(tensor))
    return failure();
  filter.tensor = *tensor;
  filter.element = l.b.getI16Type();
  return filter;
}

/// The product of two quantised tensors in i32.
static FailureOr<Value> integerProduct(Lowering &l, Value a, Value aZero,
                                       Value b, Value bZero) {
  if (l.rank(a) < 1 || l.rank(b) < 1)
    return l.refuse("operands must have rank 1 or more");
  int64_t aDepth = l.staticDim(a, l.rank(a) - 1);
  int64_t bDepth = l.staticDim(b, std::max<int64_t>(l.rank(b) - 2, 0));
  if (aDepth >= 0 && bDepth >= 0 && aDepth != bDepth)
    return l.refuse("operands differ in the dim that is summed over");
  FailureOr<Value> left =
      centred(l, a, aZero, std::max<int64_t>(l.rank(a) - 2, 0));
  if (failed(left))
    return failure();
  if (l.rank(b) == 2)
    if (ElementsAttr constant = centredConstant(l, b, bZero))
      return matmulTensors(l, *left, weightOperand(l, constant, false));
  FailureOr<Value> right = centred(l, b, bZero, l.rank(b) - 1);
  if (failed(right))
    return failure();
  return matmulTensors(l, *left, *right);
}

static LogicalResult lowerMatMulInteger(Lowering &l, OnnxNode n) {
  FailureOr<Value> product =
      integerProduct(l, n.in(0), n.in(2), n.in(1), n.in(3));
  if (failed(product))
    return failure();
  l.set(n.out(), *product);
  return success();
}

static LogicalResult lowerConvInteger(Lowering &l, OnnxNode n) {
  FailureOr<Convolution> c = readConvolution(l, n, n.in(0), n.in(1));
  if (failed(c))
    return failure();
  FailureOr<Filter> filter = integerFilter(l, n.in(1), n.in(3));
  FailureOr<Value> input = centred(l, n.in(0), n.in(2), 1);
  if (failed(filter) || failed(input))
    return failure();
  l.set(n.out(), convolution(l, *c, *input, *filter, Value()));
  return success();
}

namespace {
/// The operands of a QLinear product that say what its sums mean.
struct Requantization {
  Value xScale, wScale, yScale, yZero;
};
} // namespace

/// saturate(round(sum * xScale * wScale / yScale) + yZero); wScale may be one
/// for each index of `axis` of the sums.
static FailureOr<Value> requantize(Lowering &l, Value sums,
                                   const Requantization &q, Type result,
                                   int64_t axis) {
  for (Value parameter : {q.xScale, q.wScale, q.yScale, q.yZero})
    if (parameter && l.rank(parameter) > 1)
      return l.refuse("scales other than one, or one for each output channel "
                      "of the weights, are not supported yet");
  Dims dims = l.sizes(sums);
  SmallVector<MappedOperand> operands = {
      {sums, l.b.getMultiDimIdentityMap(dims.size())}};
  // One for all, but for the weights' scale.
  for (Value parameter : {q.xScale, q.wScale, q.yScale, q.yZero}) {
    if (!parameter)
      continue;
    if (parameter != q.wScale && l.rank(parameter) == 1)
      l.requireEqual(l.dims(parameter)[0], l.attr(1), "a number of scales");
    operands.push_back(parameterOf(l, parameter, axis, dims));
  }
  return l.map(
      signless(result), dims, operands, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Type f32 = nested.getF32Type();
        auto scale = [&](Value onnx, Value element) {
          return s.convert(element, l.elementType(onnx), f32);
        };
        Value sum = s.convert(in[0], nested.getI32Type(), f32);
        Value factor =
            s.div(s.mul(scale(q.xScale, in[1]), scale(q.wScale, in[2])),
                  scale(q.yScale, in[3]), false);
        return quantize(s, s.mul(sum, factor), q.yZero ? in[4] : Value(),
                        q.yZero ? l.elementType(q.yZero) : Type(), result);
      });
}

static LogicalResult lowerQLinearMatMul(Lowering &l, OnnxNode n) {
  Value a = n.in(0), b = n.in(3);
  if (l.rank(a) < 2 || l.rank(b) < 2)
    return l.refuse("operands of rank 1 are not supported yet");
  FailureOr<Value> product = integerProduct(l, a, n.in(2), b, n.in(5));
  if (failed(product))
    return failure();
  FailureOr<Value> result =
      requantize(l, *product, {n.in(1), n.in(4), n.in(6), n.in(7)},
                 l.elementType(n.out()), l.rank(n.out()) - 1);
  if (failed(result))
    return failure();
  l.set(n.out(), *result);
  return success();
}

static LogicalResult lowerQLinearConv(Lowering &l, OnnxNode n) {
  Value x = n.in(0), w = n.in(3), bias = n.in(8);
  FailureOr<Convolution> c = readConvolution(l, n, x, w);
  if (failed(c))
    return failure();
  FailureOr<Filter> filter = integerFilter(l, w, n.in(5));
  FailureOr<Value> input = centred(l, x, n.in(2), 1);
  if (failed(filter) || failed(input))
    return failure();
  if (bias)
    l.requireEqual(l.dims(bias)[0], l.dims(w)[0], "the bias");
  Value sums =
      convolution(l, *c, *input, *filter, bias ? l.value(bias) : Value());
  FailureOr<Value> result = requantize(
      l, sums, {n.in(1), n.in(4), n.in(6), n.in(7)}, l.elementType(n.out()), 1);
  if (failed(result))
    return failure();
  l.set(n.out(), *result);
  return success();
}

void onnxc::addIntegerProducts(LoweringTable &table) {
  table.onOp("MatMulInteger", lowerMatMulInteger);
  table.onOp("QLinearMatMul", lowerQLinearMatMul);
  table.onOp("QLinearConv", lowerQLinearConv);
  table.onOp("ConvInteger", lowerConvInteger);
}
