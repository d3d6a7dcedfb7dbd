//===- CausalConvolutions.cpp - CausalConvWithState -----------------------===//

#include "compiler/lower/Convolutions.h"
#include "compiler/lower/Scalars.h"

using namespace mlir;
using namespace onnxc;

/// [N, C, L] with `state` [N, C, K - 1], or zeros, in front.
static Value withState(Lowering &l, Value input, Value state,
                       OpFoldResult length) {
  Dims dims = l.sizes(input), padded = dims, place(3, l.attr(0)),
       ones(3, l.attr(1));
  padded[2] = l.add(dims[2], length);
  Type element = cast<RankedTensorType>(input.getType()).getElementType();
  Value target = l.filled(element, padded, numberAttr(element, 0));
  Dims front = dims;
  front[2] = length;
  if (state)
    target = l.insertSlice(state, target, place, front, ones);
  place[2] = length;
  return l.insertSlice(input, target, place, dims, ones);
}

/// out[n, c, i] = the sum over k of filter[c, 0, k] * input[n, c, i + k], where
/// only a run tells the number of channels or taps.
static Value convolveChannels(Lowering &l, Value input, Value filter,
                              const Dims &dims) {
  OpBuilder &b = l.b;
  AffineExpr n = b.getAffineDimExpr(0), c = b.getAffineDimExpr(1),
             i = b.getAffineDimExpr(2), k = b.getAffineDimExpr(3);
  auto mapOf = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(4, 0, exprs, b.getContext());
  };
  Type element = cast<RankedTensorType>(input.getType()).getElementType();
  SmallVector<utils::IteratorType> iterators(3, utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  return l.generic(l.filled(element, dims, numberAttr(element, 0)),
                   mapOf({n, c, i}),
                   {{input, mapOf({n, c, i + k})},
                    {filter, mapOf({c, b.getAffineConstantExpr(0), k})}},
                   iterators, [&](OpBuilder &nested, ValueRange in) {
                     Scalars s{nested, l.loc};
                     return s.accumulate(in[2], s.mul(in[0], in[1]));
                   });
}

/// A depthwise convolution that sees the positions before, of which the last
/// come in and go out as the state.
static LogicalResult lowerCausalConvWithState(Lowering &l, OnnxNode n) {
  Value x = n.in(0), w = n.in(1), bias = n.in(2), past = n.in(3);
  if (l.rank(x) != 3 || l.rank(w) != 3 || (bias && l.rank(bias) != 1) ||
      (past && l.rank(past) != 3))
    return l.refuse("input, weight and past_state must have rank 3, and the "
                    "bias rank 1");
  StringRef activation = n.string("activation", "none");
  bool isSwish = activation == "silu" || activation == "swish";
  if (!isSwish && activation != "none")
    return l.refuse("there is no activation '" + activation + "'");
  Dims dims = l.dims(x), filterDims = l.dims(w);
  l.requireEqual(filterDims[0], dims[1], "the channels of the weight");
  l.requireEqual(filterDims[1], l.attr(1), "dim 1 of the weight");
  l.requireAtLeast(filterDims[2], 1, "the size of the kernel");
  OpFoldResult length = l.sub(filterDims[2], l.attr(1));
  if (bias)
    l.requireEqual(l.dims(bias)[0], dims[1], "the bias");
  Dims stateDims = {dims[0], dims[1], length};
  if (past)
    for (auto [own, wanted] : llvm::zip(l.dims(past), stateDims))
      l.requireEqual(own, wanted, "a dim of past_state");
  if (!l.refusal().empty())
    return failure();

  Type element = l.elementType(x), compute = computeType(element);
  auto inCompute = [&](Value onnx) {
    return l.convert(l.value(onnx), element, compute);
  };
  Value padded =
      withState(l, l.value(x), past ? l.value(past) : Value(), length);
  Value input = l.convert(padded, element, compute), result;
  SmallVector<int64_t> shape = filterShape(l, w);
  if (compute.isF32() && !ShapedType::isDynamicShape(shape)) {
    OpFoldResult zero = l.attr(0);
    Convolution c{
        {{shape[2]}, {1}, {1}, {zero}, {zero}, {dims[2]}}, shape[0], 3};
    result = convolution(l, c, input, floatFilter(l, w),
                         bias ? inCompute(bias) : Value());
  } else {
    result = convolveChannels(l, input, inCompute(w), dims);
    if (bias)
      result = addBias(l, result, inCompute(bias), 1);
  }
  if (isSwish)
    result =
        l.mapSame(compute, {result}, [&](OpBuilder &nested, ValueRange in) {
          Scalars s{nested, l.loc};
          return s.mul(in[0], s.sigmoid(in[0]));
        });
  l.set(n.out(0), l.convert(result, compute, element));
  if (Value present = n.out(1)) {
    Dims place = {l.attr(0), l.attr(0), dims[2]}, ones(3, l.attr(1));
    l.set(present, l.slice(padded, place, stateDims, ones));
  }
  return success();
}

void onnxc::addCausalConvolutions(LoweringTable &table) {
  table.onOp("CausalConvWithState", lowerCausalConvWithState);
}
