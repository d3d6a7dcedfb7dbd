//===- Convolutions.cpp - Conv --------------------------------------------===//

#include "compiler/lower/Convolutions.h"

#include "compiler/lower/Scalars.h"
#include "dialects/kernel/KernelDialect.h"

using namespace mlir;
using namespace onnxc;

/// Gives a contraction the epilogue that stores the accumulator.
static void trivialEpilogue(Lowering &l, Region &region, Type sum) {
  OpBuilder::InsertionGuard guard(l.b);
  Block *block = l.b.createBlock(&region, {}, sum, l.loc);
  kernel::YieldOp::create(l.b, l.loc, block->getArgument(0));
}

static Type elementOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getElementType();
}

/// What a kernel sums products of `element` in.
static Type sumType(Lowering &l, Type element) {
  return element.isInteger() ? Type(l.b.getI32Type()) : Type(l.b.getF32Type());
}

SmallVector<int64_t> onnxc::filterShape(Lowering &l, Value onnx) {
  SmallVector<int64_t> shape;
  for (int64_t axis = 0; axis < l.rank(onnx); ++axis) {
    int64_t size = l.staticDim(onnx, axis);
    shape.push_back(size < 0 ? ShapedType::kDynamic : size);
  }
  return shape;
}

FailureOr<Dims> onnxc::kernelDims(Lowering &l, OnnxNode n, Value w) {
  Dims own = l.dims(w);
  own.erase(own.begin(), own.begin() + 2);
  auto given = n.integers("kernel_shape");
  if (!given || given->empty())
    return own;
  Dims kernel = getAsIndexOpFoldResult(l.b.getContext(), *given);
  bool fits = kernel.size() == own.size();
  for (auto [x, y] : llvm::zip(own, kernel))
    fits &= !getConstantIntValue(x) || x == y;
  if (!fits)
    return l.refuse("kernel_shape does not fit the filter");
  for (auto [x, y] : llvm::zip(own, kernel))
    l.requireEqual(x, y, "a dim of the filter");
  return kernel;
}

Filter onnxc::floatFilter(Lowering &l, Value onnx) {
  Filter filter;
  filter.shape = filterShape(l, onnx);
  filter.element = l.elementType(onnx);
  Type compute = computeType(filter.element);
  if (compute.isF32())
    filter.constant = l.constant(onnx);
  if (!filter.constant) {
    filter.tensor = l.convert(l.value(onnx), filter.element, compute);
    filter.element = compute;
  }
  return filter;
}

/// The filter seen with the shape `expanded` and transposed: a constant is
/// rearranged while the library is written.
static Value arrange(Lowering &l, const Filter &filter,
                     ArrayRef<int64_t> expanded,
                     ArrayRef<int64_t> permutation) {
  if (filter.constant) {
    SmallVector<int64_t> shape;
    for (int64_t dim : permutation)
      shape.push_back(expanded[dim]);
    return kernel::WeightOp::create(
        l.b, l.loc, RankedTensorType::get(shape, filter.element),
        filter.constant, l.b.getDenseI64ArrayAttr(expanded),
        l.b.getDenseI64ArrayAttr(permutation), nullptr, nullptr, nullptr);
  }
  Dims dims;
  for (int64_t size : expanded)
    dims.push_back(l.attr(size));
  return l.transpose(l.reshape(filter.tensor, dims), permutation);
}

/// The filter as kernel.conv takes it.
static Value groupedFilter(Lowering &l, const Filter &filter, int64_t groups) {
  ArrayRef<int64_t> shape = filter.shape;
  int64_t height = shape.size() == 4 ? shape[2] : 1;
  return arrange(l, filter,
                 {groups, shape[0] / groups, shape[1], height, shape.back()},
                 {0, 3, 4, 2, 1});
}

/// The filter as kernel.depthwise_conv takes it.
static Value depthwiseFilter(Lowering &l, const Filter &filter) {
  ArrayRef<int64_t> shape = filter.shape;
  int64_t height = shape.size() == 4 ? shape[2] : 1;
  return arrange(l, filter, {shape[0], height, shape.back()}, {1, 2, 0});
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
  Type element = elementOf(input), sum = sumType(l, element);
  if (!llvm::all_of(before, isZero) || !llvm::all_of(after, isZero)) {
    Dims padded = source;
    for (int i = 0; i < 2; ++i)
      padded[i + 1] = l.add(source[i + 1], l.add(before[i], after[i]));
    if (llvm::all_of(before, isStatic)) {
      SmallVector<int64_t> pads = {*getConstantIntValue(before[0]),
                                   *getConstantIntValue(before[1])};
      Value init = l.empty(element, padded);
      input = kernel::PadOp::create(l.b, l.loc, TypeRange(init.getType()),
                                    input, init, pads)
                  .getResult(0);
    } else {
      Dims low = {l.attr(0), before[0], before[1], l.attr(0)};
      Dims high = {l.attr(0), after[0], after[1], l.attr(0)};
      input = padWith(l, input, low, high, numberAttr(element, 0));
    }
  }
  auto shape = cast<RankedTensorType>(filter.getType()).getShape();
  Dims dims = {source[0], outputs[0], outputs[1], l.attr(shape[0] * shape[4])};
  Value init = l.empty(sum, dims);
  auto conv = kernel::ConvOp::create(
      l.b, l.loc, TypeRange(init.getType()), input, filter, ValueRange(), init,
      strides, dilations, l.b.getArrayAttr({}), /*packed=*/false,
      /*paired=*/false, kernel::TileAttr());
  trivialEpilogue(l, conv.getEpilogue(), sum);
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
  Dims source = l.sizes(input), filterDims = l.sizes(filter);
  OpFoldResult outputs = l.floorDiv(filterDims[0], l.attr(groups));
  OpFoldResult channels = filterDims[0];
  Dims inputDims = {source[0], l.attr(groups), filterDims[1]};
  llvm::append_range(inputDims, ArrayRef(source).drop_front(2));
  filterDims[0] = outputs;
  filterDims.insert(filterDims.begin(), l.attr(groups));
  Dims outDims = {source[0], l.attr(groups), outputs};
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
  Dims dims = {source[0], channels};
  llvm::append_range(dims, window.outputs);
  return l.reshape(result, dims);
}

/// A depthwise convolution of a channels-last input.
static Value depthwise(Lowering &l, Value input, Value filter,
                       ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations,
                       ArrayRef<OpFoldResult> before,
                       ArrayRef<OpFoldResult> outputs) {
  Type sum = sumType(l, elementOf(input));
  Dims dims = {l.sizes(input)[0], outputs[0], outputs[1], l.sizes(filter)[2]};
  Value init = l.empty(sum, dims);
  SmallVector<int64_t> pads = {*getConstantIntValue(before[0]),
                               *getConstantIntValue(before[1])};
  auto conv = kernel::DepthwiseConvOp::create(
      l.b, l.loc, TypeRange(init.getType()), input, filter, ValueRange(), init,
      strides, dilations, pads, l.b.getArrayAttr({}), kernel::TileAttr());
  trivialEpilogue(l, conv.getEpilogue(), sum);
  return conv.getResult(0);
}

FailureOr<Convolution> onnxc::readConvolution(Lowering &l, OnnxNode n, Value x,
                                              Value w) {
  Convolution c;
  c.rank = l.rank(x);
  c.groups = n.integer("group", 1);
  if (c.rank < 3 || l.rank(w) != c.rank)
    return l.refuse("input and filter must have the same rank of 3 or more");
  int64_t outputs = l.staticDim(w, 0), inputs = l.staticDim(w, 1);
  int64_t channels = l.staticDim(x, 1);
  if (c.groups < 1 || (outputs >= 0 && outputs % c.groups != 0) ||
      outputs == 0 || inputs == 0 ||
      (channels >= 0 && inputs >= 0 && channels != c.groups * inputs))
    return l.refuse("channels of input and filter do not fit the groups");
  OpFoldResult groups = l.attr(c.groups);
  Dims filter = l.dims(w), input = l.dims(x);
  l.requireEqual(l.mul(l.floorDiv(filter[0], groups), groups), filter[0],
                 "output channels that are a multiple of the groups");
  l.requireEqual(input[1], l.mul(filter[1], groups),
                 "the channels of the input");
  FailureOr<Dims> kernel = kernelDims(l, n, w);
  if (failed(kernel))
    return failure();
  FailureOr<Window> window = readWindow(l, n, input, *kernel);
  if (failed(window))
    return failure();
  Dims outDims = {input[0], filter[0]};
  llvm::append_range(outDims, window->outputs);
  outDims = l.preferKnown(n.out(), outDims);
  window->outputs.assign(outDims.begin() + 2, outDims.end());
  c.window = std::move(*window);
  return c;
}

/// A convolution of a volume [N, C, D, H, W] as one of N * out D pictures,
/// whose channels are those of all the depths that a window sees:
///
///   [N, C, D, H, W] -> [N * OD, C * KD, H, W], [OC, IC * KD, KH, KW]
///
/// The copies cost a trip through memory, but the sums over the depths stay in
/// registers, and pictures have kernels.
static Value volumeConvolution(Lowering &l, const Convolution &c, Value input,
                               Filter filter, Value bias) {
  const Window &window = c.window;
  int64_t channels = c.groups * filter.shape[1], taps = filter.shape[2];
  OpFoldResult depth = window.outputs[0];
  Dims before(5, l.attr(0)), after(5, l.attr(0));
  before[2] = window.before[0];
  after[2] = window.after[0];
  if (getConstantIntValue(before[2]) != 0 || getConstantIntValue(after[2]) != 0)
    input = padWith(l, input, before, after, numberAttr(elementOf(input), 0));
  Dims source = l.sizes(input);
  Dims dims = {source[0],    depth,     l.attr(channels),
               l.attr(taps), source[3], source[4]};
  Value columns = l.pull(
      elementOf(input), dims,
      [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        Scalars s{nested, l.loc};
        Type index = nested.getIndexType();
        Value from = s.add(s.mul(at[1], s.integer(index, window.strides[0])),
                           s.mul(at[3], s.integer(index, window.dilations[0])));
        return tensor::ExtractOp::create(
            nested, l.loc, input, ValueRange{at[0], at[2], from, at[4], at[5]});
      });
  columns = l.reshape(columns, {l.mul(source[0], depth),
                                l.attr(channels * taps), source[3], source[4]});
  auto inner = [](const auto &values) {
    return std::decay_t<decltype(values)>(values.begin() + 1, values.end());
  };
  Convolution pictures;
  pictures.rank = 4;
  pictures.groups = c.groups;
  pictures.window = {inner(window.kernel),    inner(window.strides),
                     inner(window.dilations), inner(window.before),
                     inner(window.after),     inner(window.outputs)};
  filter.shape = {filter.shape[0], filter.shape[1] * taps, filter.shape[3],
                  filter.shape[4]};
  Value result = convolution(l, pictures, columns, filter, bias);
  result = l.reshape(result, {source[0], depth, l.attr(filter.shape[0]),
                              window.outputs[1], window.outputs[2]});
  return l.transpose(result, {0, 2, 1, 3, 4});
}

Value onnxc::withChannels(Lowering &l, Value input, int64_t channels) {
  auto type = cast<RankedTensorType>(input.getType());
  if (!type.isDynamicDim(1))
    return input;
  SmallVector<int64_t> shape(type.getShape());
  shape[1] = channels;
  return tensor::CastOp::create(
      l.b, l.loc, RankedTensorType::get(shape, type.getElementType()), input);
}

Value onnxc::convolution(Lowering &l, const Convolution &c, Value input,
                         const Filter &filter, Value bias) {
  const Window &window = c.window;
  Type element = elementOf(input);
  bool isFloat = isa<FloatType>(element);
  bool isStatic = !ShapedType::isDynamicShape(filter.shape);
  if (isStatic)
    input = withChannels(l, input, c.groups * filter.shape[1]);
  if (c.rank == 5 && element.isF32() && isStatic)
    return volumeConvolution(l, c, input, filter, bias);
  if (c.rank > 4 || !isStatic || !(element.isF32() || element.isInteger(16))) {
    Type sum = isFloat ? element : sumType(l, element);
    Value tensor =
        filter.constant ? l.constantTensor(filter.constant) : filter.tensor;
    Value result = convolveGeneric(l, l.convert(input, element, sum),
                                   l.convert(tensor, filter.element, sum),
                                   window, c.groups);
    return bias ? addBias(l, result, bias, 1) : result;
  }
  input = toChannelsLast(l, input);
  auto twoDims = [&](const auto &values, auto missing) {
    auto result = values;
    if (c.rank == 3)
      result.insert(result.begin(), missing);
    return result;
  };
  auto strides = twoDims(window.strides, int64_t(1));
  auto dilations = twoDims(window.dilations, int64_t(1));
  auto before = twoDims(window.before, l.attr(0));
  auto after = twoDims(window.after, l.attr(0));
  auto outputs = twoDims(window.outputs, l.attr(1));
  // The sum of a depthwise window of integers must be exact in f32.
  int64_t taps = 1;
  for (int64_t size : ArrayRef(filter.shape).drop_front(2))
    taps *= size;
  bool isDepthwise = c.groups == filter.shape[0] && filter.shape[1] == 1 &&
                     c.groups > 1 && window.hasStaticPads() &&
                     (isFloat || taps * 255 * 255 < (1 << 24));
  Value result = isDepthwise
                     ? depthwise(l, input, depthwiseFilter(l, filter), strides,
                                 dilations, before, outputs)
                     : convolve(l, input, groupedFilter(l, filter, c.groups),
                                strides, dilations, before, after, outputs);
  if (bias)
    result = addBias(l, result, bias, 3);
  return fromChannelsLast(l, result, c.rank);
}

static LogicalResult lowerConv(Lowering &l, OnnxNode n) {
  Value x = n.in(0), w = n.in(1), bias = n.in(2);
  FailureOr<Convolution> c = readConvolution(l, n, x, w);
  if (failed(c))
    return failure();
  Type element = l.elementType(x), compute = computeType(element);
  Filter filter = floatFilter(l, w);
  if (bias)
    l.requireEqual(l.dims(bias)[0], l.dims(w)[0], "the bias");
  Value result = convolution(
      l, *c, l.convert(l.value(x), element, compute), filter,
      bias ? l.convert(l.value(bias), l.elementType(bias), compute) : Value());
  l.set(n.out(), l.convert(result, compute, element));
  return success();
}

void onnxc::addConvolutions(LoweringTable &table) {
  table.onOp("Conv", lowerConv);
}
