//===- Convolutions.cpp - Conv
//---------------------------------------------===//

#include "compiler/lower/Scalars.h"
#include "compiler/lower/Window.h"
#include "dialects/kernel/KernelDialect.h"

using namespace mlir;
using namespace onnxc;

/// Gives a contraction the epilogue that stores the accumulator.
static void trivialEpilogue(Lowering &l, Region &region) {
  OpBuilder::InsertionGuard guard(l.b);
  Block *block = l.b.createBlock(&region, {}, l.b.getF32Type(), l.loc);
  kernel::YieldOp::create(l.b, l.loc, block->getArgument(0));
}

Value onnxc::plainFilter(Lowering &l, Value onnx, ArrayRef<int64_t> shape,
                         int64_t groups) {
  int64_t outputs = shape[0] / groups, inputs = shape[1];
  int64_t height = shape.size() == 4 ? shape[2] : 1, width = shape.back();
  SmallVector<int64_t> expanded = {groups, outputs, inputs, height, width};
  SmallVector<int64_t> permutation = {0, 3, 4, 2, 1};
  if (ElementsAttr value = l.constant(onnx);
      value && value.getElementType().isF32()) {
    auto type = RankedTensorType::get({groups, height, width, inputs, outputs},
                                      l.b.getF32Type());
    return kernel::WeightOp::create(
        l.b, l.loc, type, value, l.b.getDenseI64ArrayAttr(expanded),
        l.b.getDenseI64ArrayAttr(permutation), nullptr, nullptr, nullptr);
  }
  Value filter =
      l.convert(l.value(onnx), l.elementType(onnx), l.b.getF32Type());
  Dims dims;
  for (int64_t size : expanded)
    dims.push_back(l.attr(size));
  return l.transpose(l.reshape(filter, dims), permutation);
}

Value onnxc::convolve(Lowering &l, Value input, Value filter,
                      ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations,
                      ArrayRef<OpFoldResult> before,
                      ArrayRef<OpFoldResult> after,
                      ArrayRef<OpFoldResult> outputs) {
  Dims source = l.sizes(input);
  auto isZero = [](OpFoldResult pad) { return getConstantIntValue(pad) == 0; };
  auto isStatic = [](OpFoldResult pad) {
    return getConstantIntValue(pad).has_value();
  };
  Type f32 = l.b.getF32Type();
  if (!llvm::all_of(before, isZero) || !llvm::all_of(after, isZero)) {
    Dims padded = source;
    for (int i = 0; i < 2; ++i)
      padded[i + 1] = l.add(source[i + 1], l.add(before[i], after[i]));
    if (llvm::all_of(before, isStatic)) {
      SmallVector<int64_t> pads = {*getConstantIntValue(before[0]),
                                   *getConstantIntValue(before[1])};
      Value init = l.empty(f32, padded);
      input = kernel::PadOp::create(l.b, l.loc, TypeRange(init.getType()),
                                    input, init, pads)
                  .getResult(0);
    } else {
      Dims low = {l.attr(0), before[0], before[1], l.attr(0)};
      Dims high = {l.attr(0), after[0], after[1], l.attr(0)};
      input = padWith(l, input, low, high, numberAttr(f32, 0));
    }
  }
  auto shape = cast<RankedTensorType>(filter.getType()).getShape();
  Dims dims = {source[0], outputs[0], outputs[1], l.attr(shape[0] * shape[4])};
  Value init = l.empty(f32, dims);
  auto conv = kernel::ConvOp::create(
      l.b, l.loc, TypeRange(init.getType()), input, filter, ValueRange(), init,
      strides, dilations, l.b.getArrayAttr({}), false, kernel::TileAttr());
  trivialEpilogue(l, conv.getEpilogue());
  return conv.getResult(0);
}

Value onnxc::convolveGeneric(Lowering &l, Value input, Value filter,
                             const Window &window, int64_t groups) {
  OpBuilder &b = l.b;
  size_t spatial = window.spatial();
  Type element = cast<RankedTensorType>(input.getType()).getElementType();
  Dims before = {l.attr(0), l.attr(0)}, after = before;
  llvm::append_range(before, window.before);
  llvm::append_range(after, window.after);
  if (!window.hasNoPads())
    input = padWith(l, input, before, after, numberAttr(element, 0));
  auto filterShape = cast<RankedTensorType>(filter.getType()).getShape();
  int64_t outputs = filterShape[0] / groups, inputs = filterShape[1];

  Dims source = l.sizes(input);
  Dims inputDims = {source[0], l.attr(groups), l.attr(inputs)};
  llvm::append_range(inputDims, ArrayRef(source).drop_front(2));
  Dims filterDims = {l.attr(groups), l.attr(outputs), l.attr(inputs)};
  for (int64_t size : filterShape.drop_front(2))
    filterDims.push_back(l.attr(size));
  Dims outDims = {source[0], l.attr(groups), l.attr(outputs)};
  llvm::append_range(outDims, window.outputs);
  input = l.reshape(input, inputDims);
  filter = l.reshape(filter, filterDims);

  // Loops: n, g, oc, out..., ic, kernel...
  size_t loops = 4 + 2 * spatial;
  SmallVector<AffineExpr> d;
  for (size_t i = 0; i < loops; ++i)
    d.push_back(b.getAffineDimExpr(i));
  AffineExpr ic = d[3 + spatial];
  SmallVector<AffineExpr> inExprs = {d[0], d[1], ic};
  SmallVector<AffineExpr> filterExprs = {d[1], d[2], ic};
  SmallVector<AffineExpr> outExprs = {d[0], d[1], d[2]};
  for (size_t i = 0; i < spatial; ++i) {
    AffineExpr tap = d[4 + spatial + i];
    inExprs.push_back(d[3 + i] * window.strides[i] + tap * window.dilations[i]);
    filterExprs.push_back(tap);
    outExprs.push_back(d[3 + i]);
  }
  SmallVector<utils::IteratorType> iterators(3 + spatial,
                                             utils::IteratorType::parallel);
  iterators.append(1 + spatial, utils::IteratorType::reduction);
  auto mapOf = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(loops, 0, exprs, b.getContext());
  };
  Value result = l.generic(
      l.filled(element, outDims, numberAttr(element, 0)), mapOf(outExprs),
      {{input, mapOf(inExprs)}, {filter, mapOf(filterExprs)}}, iterators,
      [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        return s.accumulate(in[2], s.mul(in[0], in[1]));
      });
  Dims dims = {source[0], l.attr(groups * outputs)};
  llvm::append_range(dims, window.outputs);
  return l.reshape(result, dims);
}

/// A depthwise convolution of a channels-last f32 input.
static Value depthwise(Lowering &l, Value input, Value onnxFilter,
                       ArrayRef<int64_t> shape, const Window &window,
                       ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations,
                       ArrayRef<OpFoldResult> before,
                       ArrayRef<OpFoldResult> outputs) {
  int64_t channels = shape[0];
  int64_t height = shape.size() == 4 ? shape[2] : 1, width = shape.back();
  Type f32 = l.b.getF32Type();
  Value filter;
  if (ElementsAttr value = l.constant(onnxFilter);
      value && value.getElementType().isF32()) {
    filter = kernel::WeightOp::create(
        l.b, l.loc, RankedTensorType::get({height, width, channels}, f32),
        value, l.b.getDenseI64ArrayAttr({channels, height, width}),
        l.b.getDenseI64ArrayAttr({1, 2, 0}), nullptr, nullptr, nullptr);
  } else {
    filter = l.convert(l.value(onnxFilter), l.elementType(onnxFilter), f32);
    filter = l.transpose(
        l.reshape(filter, {l.attr(channels), l.attr(height), l.attr(width)}),
        {1, 2, 0});
  }
  Dims dims = {l.sizes(input)[0], outputs[0], outputs[1], l.attr(channels)};
  Value init = l.empty(f32, dims);
  SmallVector<int64_t> pads = {*getConstantIntValue(before[0]),
                               *getConstantIntValue(before[1])};
  auto conv = kernel::DepthwiseConvOp::create(
      l.b, l.loc, TypeRange(init.getType()), input, filter, ValueRange(), init,
      strides, dilations, pads, l.b.getArrayAttr({}), kernel::TileAttr());
  trivialEpilogue(l, conv.getEpilogue());
  return conv.getResult(0);
}

static LogicalResult lowerConv(Lowering &l, OnnxNode n) {
  Value x = n.in(0), w = n.in(1), bias = n.in(2);
  int64_t rank = l.rank(x), groups = n.integer("group", 1);
  auto shape = l.staticShape(w);
  if (!shape)
    return l.refuse("a filter whose dims are not constants is not supported "
                    "yet");
  if (rank < 3 || shape->size() != static_cast<size_t>(rank))
    return l.refuse("input and filter must have the same rank of 3 or more");
  int64_t channels = l.staticDim(x, 1);
  if (groups < 1 || (*shape)[0] % groups != 0 || (*shape)[0] == 0 ||
      (*shape)[1] == 0 || (channels >= 0 && channels != groups * (*shape)[1]))
    return l.refuse("channels of input and filter do not fit the groups");
  if (channels < 0)
    return l.refuse("a channel dim that is not a constant is not supported "
                    "yet");
  if (bias && l.staticDim(bias, 0) != (*shape)[0])
    return l.refuse("the bias does not fit the filter");
  ArrayRef<int64_t> kernelShape = ArrayRef(*shape).drop_front(2);
  if (auto given = n.integers("kernel_shape");
      given && !given->empty() && ArrayRef<int64_t>(*given) != kernelShape)
    return l.refuse("kernel_shape does not fit the filter");
  FailureOr<Window> window = readWindow(l, n, l.dims(x), kernelShape);
  if (failed(window))
    return failure();
  Dims outDims = {l.dims(x)[0], l.attr((*shape)[0])};
  llvm::append_range(outDims, window->outputs);
  outDims = l.preferKnown(n.out(), outDims);
  window->outputs.assign(outDims.begin() + 2, outDims.end());

  Type element = l.elementType(x), f32 = l.b.getF32Type();
  bool small = element.isF16() || element.isBF16();
  if (rank > 4 || !(small || element.isF32())) {
    Type compute = small ? f32 : signless(element);
    Value input = l.convert(l.value(x), element, small ? f32 : element);
    Value filter = l.convert(l.value(w), element, small ? f32 : element);
    (void)compute;
    Value result = convolveGeneric(l, input, filter, *window, groups);
    if (bias)
      result =
          addBias(l, result,
                  l.convert(l.value(bias), element, small ? f32 : element), 1);
    l.set(n.out(), l.convert(result, small ? f32 : element, element));
    return success();
  }

  Value input = toChannelsLast(l, l.convert(l.value(x), element, f32));
  auto twoDims = [&](const auto &values, auto missing) {
    auto result = values;
    if (rank == 3)
      result.insert(result.begin(), missing);
    return result;
  };
  auto strides = twoDims(window->strides, int64_t(1));
  auto dilations = twoDims(window->dilations, int64_t(1));
  auto before = twoDims(window->before, l.attr(0));
  auto after = twoDims(window->after, l.attr(0));
  auto outputs = twoDims(window->outputs, l.attr(1));
  Value result;
  if (groups == (*shape)[0] && (*shape)[1] == 1 && groups > 1 &&
      window->hasStaticPads())
    result = depthwise(l, input, w, *shape, *window, strides, dilations, before,
                       outputs);
  else
    result = convolve(l, input, plainFilter(l, w, *shape, groups), strides,
                      dilations, before, after, outputs);
  if (bias)
    result = addBias(l, result,
                     l.convert(l.value(bias), l.elementType(bias), f32), 3);
  result = fromChannelsLast(l, result, rank);
  l.set(n.out(), l.convert(result, f32, element));
  return success();
}

void onnxc::addConvolutions(LoweringTable &table) {
  table.onOp("Conv", lowerConv);
}
