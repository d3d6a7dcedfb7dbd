//===- Normalizations.cpp - Batch, layer, instance, group and the like ----===//

#include "compiler/lower/Elementwise.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/Elements.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

/// The map of an operand aligned to the right of `rank` dims; dims of size 1
/// repeat.
static AffineMap alignedRight(Lowering &l, ArrayRef<OpFoldResult> own,
                              int64_t rank) {
  SmallVector<AffineExpr> exprs;
  for (auto [i, dim] : llvm::enumerate(own))
    exprs.push_back(getConstantIntValue(dim) == 1
                        ? l.b.getAffineConstantExpr(0)
                        : l.b.getAffineDimExpr(rank - own.size() + i));
  return AffineMap::get(rank, 0, exprs, l.b.getContext());
}

/// An operand with one element for each of `count` channels.
static void requirePerChannel(Lowering &l, Value onnx, OpFoldResult count) {
  if (l.rank(onnx) != 1)
    return (void)l.refuse("scale, bias, mean and variance must have rank 1");
  l.requireEqual(l.dims(onnx)[0], count, "elements for each channel");
}

static Value countAs(Lowering &l, OpFoldResult count, Type type) {
  Scalars s{l.b, l.loc};
  if (auto constant = getConstantIntValue(count))
    return s.constant(type, *constant);
  return s.fromIndex(l.index(count), type);
}

static OpFoldResult axesCount(Lowering &l, Value tensor,
                              ArrayRef<int64_t> axes) {
  Dims dims = l.sizes(tensor);
  OpFoldResult count = l.attr(1);
  for (int64_t axis : axes)
    count = l.mul(count, dims[axis]);
  return count;
}

static Value meanOf(Lowering &l, Value tensor, ArrayRef<int64_t> axes) {
  Type type = cast<RankedTensorType>(tensor.getType()).getElementType();
  Value sum = l.reduce(tensor, axes, numberAttr(type, 0),
                       [&](OpBuilder &nested, Value acc, Value x) {
                         return Scalars{nested, l.loc}.accumulate(acc, x);
                       });
  Value count = countAs(l, axesCount(l, tensor, axes), type);
  return l.mapSame(type, sum, [&](OpBuilder &nested, ValueRange in) {
    return Scalars{nested, l.loc}.div(in[0], count, false);
  });
}

/// The mean of (x - mean)^2.
static Value varianceOf(Lowering &l, Value tensor, Value mean,
                        ArrayRef<int64_t> axes) {
  Type type = cast<RankedTensorType>(tensor.getType()).getElementType();
  Value sum = l.reduceWith(tensor, mean, axes, numberAttr(type, 0),
                           [&](OpBuilder &nested, Value acc, Value x, Value m) {
                             Scalars s{nested, l.loc};
                             Value d = s.sub(x, m);
                             return s.accumulate(acc, s.mul(d, d));
                           });
  Value count = countAs(l, axesCount(l, tensor, axes), type);
  return l.mapSame(type, sum, [&](OpBuilder &nested, ValueRange in) {
    return Scalars{nested, l.loc}.div(in[0], count, false);
  });
}

/// 1 / sqrt(x + epsilon)
static Value inverseRoot(Lowering &l, Value tensor, double epsilon) {
  Type type = cast<RankedTensorType>(tensor.getType()).getElementType();
  return l.mapSame(type, tensor, [&](OpBuilder &nested, ValueRange in) {
    Scalars s{nested, l.loc};
    Value root = s.sqrt(s.add(in[0], s.constant(type, epsilon)));
    return s.div(s.constant(type, 1), root, false);
  });
}

/// (x - mean) * inverse * scale + bias; mean, scale and bias may be absent.
static Value normalize(Lowering &l, Value tensor, ArrayRef<int64_t> axes,
                       Value mean, Value inverse, MappedOperand scale,
                       MappedOperand bias) {
  Dims dims = l.sizes(tensor);
  int64_t rank = dims.size();
  Type type = cast<RankedTensorType>(tensor.getType()).getElementType();
  SmallVector<AffineExpr> kept;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (!llvm::is_contained(axes, axis))
      kept.push_back(l.b.getAffineDimExpr(axis));
  AffineMap outer = AffineMap::get(rank, 0, kept, l.b.getContext());
  SmallVector<MappedOperand> operands = {
      {tensor, l.b.getMultiDimIdentityMap(rank)}, {inverse, outer}};
  if (mean)
    operands.push_back({mean, outer});
  if (scale.tensor)
    operands.push_back(scale);
  if (bias.tensor)
    operands.push_back(bias);
  return l.map(type, dims, operands, [&](OpBuilder &nested, ValueRange in) {
    Scalars s{nested, l.loc};
    size_t next = 2;
    Value x = in[0];
    if (mean)
      x = s.sub(x, in[next++]);
    x = s.mul(x, in[1]);
    if (scale.tensor)
      x = s.mul(x, in[next++]);
    if (bias.tensor)
      x = s.add(x, in[next++]);
    return x;
  });
}

/// An onnx value in the type that a normalization computes in.
static Value inType(Lowering &l, Value onnx, Type type) {
  return l.convert(l.value(onnx), l.elementType(onnx), type);
}

/// Uses the batch's statistics, towards which those given move.
static LogicalResult lowerTrainingBatchNormalization(Lowering &l, OnnxNode n) {
  Value x = n.in(0);
  int64_t rank = l.rank(x), channelAxis = rank > 1 ? 1 : 0;
  if (rank < 1)
    return l.refuse("the input must have rank 1 or more");
  OpFoldResult channels = l.dims(x)[channelAxis];
  for (unsigned operand : {1, 2, 3, 4})
    requirePerChannel(l, n.in(operand), channels);
  if (!l.refusal().empty())
    return failure();
  SmallVector<int64_t> axes;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (axis != channelAxis)
      axes.push_back(axis);
  Type element = l.elementType(x), compute = computeType(element);
  Value tensor = inType(l, x, compute);
  Value mean = meanOf(l, tensor, axes);
  Value variance = varianceOf(l, tensor, mean, axes);
  AffineMap channel =
      AffineMap::get(rank, 0, l.b.getAffineDimExpr(channelAxis));
  Value y = normalize(l, tensor, axes, mean,
                      inverseRoot(l, variance, n.real("epsilon", 1e-5)),
                      {inType(l, n.in(1), compute), channel},
                      {inType(l, n.in(2), compute), channel});
  l.set(n.out(), l.convert(y, compute, element));
  double momentum = n.real("momentum", 0.9);
  for (auto [output, given, current] :
       {std::tuple{1u, 3u, mean}, {2u, 4u, variance}}) {
    if (output >= n.outputs() || !n.out(output))
      continue;
    Value moved = l.mapSame(
        compute, {inType(l, n.in(given), compute), current},
        [&](OpBuilder &nested, ValueRange in) {
          Scalars s{nested, l.loc};
          return s.add(s.mul(in[0], s.constant(compute, momentum)),
                       s.mul(in[1], s.constant(compute, 1 - momentum)));
        });
    l.set(n.out(output),
          l.convert(moved, compute, l.elementType(n.out(output))));
  }
  return success();
}

static LogicalResult lowerBatchNormalization(Lowering &l, OnnxNode n) {
  if (n.integer("training_mode", 0))
    return lowerTrainingBatchNormalization(l, n);
  Value x = n.in(0);
  int64_t rank = l.rank(x);
  if (rank < 1)
    return l.refuse("the input must have rank 1 or more");
  double epsilon = n.real("epsilon", 1e-5);
  Type element = l.elementType(x), compute = computeType(element);
  Dims dims = l.dims(x);
  int64_t axis = rank > 1 ? 1 : 0;
  AffineMap channel = AffineMap::get(rank, 0, l.b.getAffineDimExpr(axis));
  for (int i = 1; i <= 4; ++i)
    requirePerChannel(l, n.in(i), dims[axis]);
  Value scale, shift;
  std::optional<SmallVector<double>> constants[4];
  bool allConstant = true;
  for (int i = 0; i < 4; ++i) {
    constants[i] = l.reals(n.in(i + 1), 1 << 20);
    allConstant &= constants[i].has_value() && compute.isF32();
  }
  if (allConstant) {
    size_t count = constants[0]->size();
    std::vector<char> scales(count * 4), shifts(count * 4);
    for (size_t i = 0; i < count; ++i) {
      double factor =
          (*constants[0])[i] / std::sqrt((*constants[3])[i] + epsilon);
      float values[2] = {
          static_cast<float>(factor),
          static_cast<float>((*constants[1])[i] - (*constants[2])[i] * factor)};
      std::memcpy(scales.data() + i * 4, &values[0], 4);
      std::memcpy(shifts.data() + i * 4, &values[1], 4);
    }
    auto type = RankedTensorType::get({static_cast<int64_t>(count)}, compute);
    scale = l.constantTensor(makeElements(type, std::move(scales)));
    shift = l.constantTensor(makeElements(type, std::move(shifts)));
  } else {
    scale = l.mapSame(
        compute, {inType(l, n.in(1), compute), inType(l, n.in(4), compute)},
        [&](OpBuilder &nested, ValueRange in) {
          Scalars s{nested, l.loc};
          Value root = s.sqrt(s.add(in[1], s.constant(compute, epsilon)));
          return s.div(in[0], root, false);
        });
    shift = l.mapSame(
        compute,
        {inType(l, n.in(2), compute), inType(l, n.in(3), compute), scale},
        [&](OpBuilder &nested, ValueRange in) {
          Scalars s{nested, l.loc};
          return s.sub(in[0], s.mul(in[1], in[2]));
        });
  }
  Value result = l.map(signless(element), dims,
                       {{l.value(x), l.b.getMultiDimIdentityMap(rank)},
                        {scale, channel},
                        {shift, channel}},
                       [&](OpBuilder &nested, ValueRange in) {
                         Scalars s{nested, l.loc};
                         Value x = s.add(s.mul(widen(s, in[0]), in[1]), in[2]);
                         return toFloat(s, x, element);
                       });
  l.set(n.out(), result);
  return success();
}

static LogicalResult lowerLayerNormalization(Lowering &l, OnnxNode n,
                                             bool mean) {
  Value x = n.in(0);
  int64_t rank = l.rank(x);
  auto axis = normalizeAxis(n.integer("axis", -1), rank);
  if (!axis)
    return l.refuse("axis is out of range");
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(*axis, rank));
  for (int i = 1; i <= 2; ++i) {
    if (!n.in(i))
      continue;
    Dims own = l.dims(n.in(i)), dims = l.dims(x);
    if (own.size() > dims.size())
      return l.refuse("the rank of scale or bias is above the input's");
    for (auto [axis, dim] : llvm::enumerate(own))
      if (getConstantIntValue(dim) != 1)
        l.requireEqual(dim, dims[rank - own.size() + axis],
                       "dim " + Twine(axis) + " of scale or bias");
  }
  double epsilon = n.real("epsilon", 1e-5);
  Type element = l.elementType(x), compute = computeType(element);
  Value input = inType(l, x, compute);
  Value average, square;
  if (mean) {
    average = meanOf(l, input, axes);
    square = varianceOf(l, input, average, axes);
  } else {
    Value squares =
        l.mapSame(compute, input, [&](OpBuilder &nested, ValueRange in) {
          return Scalars{nested, l.loc}.mul(in[0], in[0]);
        });
    square = meanOf(l, squares, axes);
  }
  Value inverse = inverseRoot(l, square, epsilon);
  MappedOperand scale{}, bias{};
  if (n.in(1))
    scale = {inType(l, n.in(1), compute),
             alignedRight(l, l.dims(n.in(1)), rank)};
  if (n.in(2))
    bias = {inType(l, n.in(2), compute),
            alignedRight(l, l.dims(n.in(2)), rank)};
  Value result = normalize(l, input, axes, average, inverse, scale, bias);
  // Y has the type of the scale, which may be another than X's.
  l.set(n.out(), l.convert(result, compute, l.elementType(n.out())));
  Value extras[2] = {average, inverse};
  for (int i = 1; mean && i <= 2; ++i)
    if (n.out(i))
      l.set(n.out(i), l.convert(l.keepAxes(extras[i - 1], axes), compute,
                                l.elementType(n.out(i))));
  return success();
}

static LogicalResult lowerInstanceNormalization(Lowering &l, OnnxNode n) {
  Value x = n.in(0);
  int64_t rank = l.rank(x);
  if (rank < 3)
    return l.refuse("the input must have rank 3 or more");
  for (int i = 1; i <= 2; ++i)
    requirePerChannel(l, n.in(i), l.dims(x)[1]);
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(2, rank));
  Type element = l.elementType(x), compute = computeType(element);
  Value input = inType(l, x, compute);
  Value mean = meanOf(l, input, axes);
  Value inverse =
      inverseRoot(l, varianceOf(l, input, mean, axes), n.real("epsilon", 1e-5));
  AffineMap channel = AffineMap::get(rank, 0, l.b.getAffineDimExpr(1));
  Value result = normalize(l, input, axes, mean, inverse,
                           {inType(l, n.in(1), compute), channel},
                           {inType(l, n.in(2), compute), channel});
  l.set(n.out(), l.convert(result, compute, element));
  return success();
}

static LogicalResult lowerGroupNormalization(Lowering &l, OnnxNode n) {
  Value x = n.in(0);
  int64_t rank = l.rank(x), groups = n.integer("num_groups", 0);
  if (groups < 1 || rank < 2)
    return l.refuse("num_groups must be positive, and the input have channels");
  Type element = l.elementType(x), compute = computeType(element);
  Dims dims = l.dims(x);
  OpFoldResult size = l.floorDiv(dims[1], l.attr(groups));
  l.requireEqual(l.mul(size, l.attr(groups)), dims[1],
                 "channels that are a multiple of num_groups");
  for (int i = 1; i <= 2; ++i)
    requirePerChannel(l, n.in(i), dims[1]);
  if (!l.refusal().empty())
    return failure();
  Dims grouped = {dims[0], l.attr(groups), size};
  llvm::append_range(grouped, ArrayRef(dims).drop_front(2));
  Value input = l.reshape(inType(l, x, compute), grouped);
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(2, rank + 1));
  Value mean = meanOf(l, input, axes);
  Value inverse =
      inverseRoot(l, varianceOf(l, input, mean, axes), n.real("epsilon", 1e-5));
  AffineMap channel = AffineMap::get(
      rank + 1, 0, {l.b.getAffineDimExpr(1), l.b.getAffineDimExpr(2)},
      l.b.getContext());
  auto perChannel = [&](Value onnx) {
    return MappedOperand{
        l.reshape(inType(l, onnx, compute), {l.attr(groups), size}), channel};
  };
  Value result = normalize(l, input, axes, mean, inverse, perChannel(n.in(1)),
                           perChannel(n.in(2)));
  l.set(n.out(), l.convert(l.reshape(result, dims), compute, element));
  return success();
}

static LogicalResult lowerMeanVariance(Lowering &l, OnnxNode n) {
  Value x = n.in(0);
  SmallVector<int64_t> axes;
  for (int64_t axis :
       n.integers("axes").value_or(SmallVector<int64_t>{0, 2, 3})) {
    auto normal = normalizeAxis(axis, l.rank(x));
    if (!normal)
      return l.refuse("axis " + Twine(axis) + " is out of range");
    axes.push_back(*normal);
  }
  Type element = l.elementType(x), compute = computeType(element);
  Value input = inType(l, x, compute);
  Value mean = meanOf(l, input, axes);
  Value variance = varianceOf(l, input, mean, axes);
  Value inverse =
      l.mapSame(compute, variance, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        return s.div(s.constant(compute, 1),
                     s.add(s.sqrt(in[0]), s.constant(compute, 1e-9)), false);
      });
  Value result = normalize(l, input, axes, mean, inverse, {}, {});
  l.set(n.out(), l.convert(result, compute, element));
  return success();
}

static LogicalResult lowerLpNormalization(Lowering &l, OnnxNode n) {
  auto axis = normalizeAxis(n.integer("axis", -1), l.rank(n.in(0)));
  if (!axis)
    return l.refuse("axis is out of range");
  bool one = n.integer("p", 2) == 1;
  Type element = l.elementType(n.in(0)), compute = computeType(element);
  Value input = inType(l, n.in(0), compute);
  Value sum = l.reduce(input, *axis, numberAttr(compute, 0),
                       [&](OpBuilder &nested, Value acc, Value x) {
                         Scalars s{nested, l.loc};
                         return s.accumulate(acc, one ? s.abs(x) : s.mul(x, x));
                       });
  Value result = l.withReduced(
      compute, input, sum, *axis, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Value norm = one ? in[1] : s.sqrt(in[1]);
        Value zero = s.constant(compute, 0);
        // A norm of zero gives zeros.
        return s.select(s.compare(Comparison::Equal, norm, zero, false), zero,
                        s.div(in[0], norm, false));
      });
  l.set(n.out(), l.convert(result, compute, element));
  return success();
}

/// x to the power beta; for the usual exponents by roots, which are exact and
/// cost a tenth.
static Value lrnPower(Scalars &s, Value x, double beta) {
  if (beta == 1)
    return x;
  if (beta == 0.5)
    return s.sqrt(x);
  if (beta == 0.75) {
    Value root = s.sqrt(x);
    return s.mul(root, s.sqrt(root));
  }
  return math::PowFOp::create(s.b, s.loc, x, s.constant(x.getType(), beta));
}

static LogicalResult lowerLRN(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0)), size = n.integer("size", 0);
  if (rank < 2 || size < 1 || size > INT32_MAX)
    return l.refuse("needs rank 2 or more and a positive size");
  double alpha = n.real("alpha", 1e-4), beta = n.real("beta", 0.75),
         bias = n.real("bias", 1);
  Type element = l.elementType(n.in(0)), compute = computeType(element);
  Dims dims = l.dims(n.in(0));
  // The sum over neighbouring channels is a pool along the rows of a picture
  // [n, height = channels, width = 1, channels = all else].
  OpFoldResult rest = l.product(ArrayRef(dims).drop_front(2));
  Value flat = l.reshape(inType(l, n.in(0), compute),
                         {dims[0], dims[1], l.attr(1), rest});
  Value squares =
      l.mapSame(compute, flat, [&](OpBuilder &nested, ValueRange in) {
        return Scalars{nested, l.loc}.mul(in[0], in[0]);
      });
  int64_t before = (size - 1) / 2, after = size / 2;
  Value init = l.empty(compute, l.sizes(flat));
  Value sums = kernel::PoolOp::create(
                   l.b, l.loc, TypeRange(init.getType()), squares, init,
                   kernel::PoolKind::Sum, ArrayRef<int64_t>{size, 1},
                   ArrayRef<int64_t>{1, 1}, ArrayRef<int64_t>{1, 1},
                   ArrayRef<int64_t>{before, 0, after, 0},
                   /*is_unsigned=*/false)
                   .getResult(0);
  Value result =
      l.mapSame(compute, {flat, sums}, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Value base = s.add(s.constant(compute, bias),
                           s.mul(s.constant(compute, alpha / size), in[1]));
        return s.div(in[0], lrnPower(s, base, beta), false);
      });
  l.set(n.out(), l.convert(l.reshape(result, dims), compute, element));
  return success();
}

void onnxc::addNormalizations(LoweringTable &table) {
  table.onOp("BatchNormalization", lowerBatchNormalization);
  table.onOp("LayerNormalization", [](Lowering &l, OnnxNode n) {
    return lowerLayerNormalization(l, n, true);
  });
  table.onOp("RMSNormalization", [](Lowering &l, OnnxNode n) {
    return lowerLayerNormalization(l, n, false);
  });
  table.onOp("InstanceNormalization", lowerInstanceNormalization);
  table.onOp("GroupNormalization", lowerGroupNormalization);
  table.onOp("MeanVarianceNormalization", lowerMeanVariance);
  table.onOp("LpNormalization", lowerLpNormalization);
  table.onOp("LRN", lowerLRN);
}
