//===- Generators.cpp - Tensors made from shapes and numbers --------------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/RunTimeAxes.h"
#include "compiler/lower/Strings.h"
#include "dialects/onnx/Elements.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace onnxc;

static LogicalResult lowerConstantOfShape(Lowering &l, OnnxNode n) {
  Type element = signless(l.elementType(n.out()));
  TypedAttr value = numberAttr(element, 0);
  if (auto given = n.op->getAttrOfType<ElementsAttr>("value")) {
    std::optional<ElementBytes> bytes = elementBytes(given);
    if (!bytes || bytes->count() != 1)
      return l.refuse("value must have one element");
    auto one = RankedTensorType::get({1}, element);
    auto dense = cast<DenseElementsAttr>(makeElements(one, bytes->element(0)));
    value = cast<TypedAttr>(dense.getSplatValue<Attribute>());
  }
  auto dims = l.elements(n.in(0));
  if (!dims)
    return l.refuse("a shape operand of unknown length is not supported yet");
  for (auto [i, dim] : llvm::enumerate(*dims))
    l.requireAtLeast(dim, 0, "dim " + Twine(i));
  l.requireAllocatable(*dims);
  l.set(n.out(), l.filled(element, l.preferKnown(n.out(), *dims), value));
  return success();
}

static LogicalResult lowerExpand(Lowering &l, OnnxNode n) {
  auto shape = l.elements(n.in(1));
  if (!shape) {
    // Of any length up to the result's rank.
    Value all = padVector(l, n.in(1), l.rank(n.out()), 1, FillerSide::Before);
    shape.emplace();
    for (int64_t i = 0; i < l.rank(n.out()); ++i)
      shape->push_back(getAsOpFoldResult(elementAt(l, all, l.attr(i))));
  }
  Dims own = l.dims(n.in(0));
  size_t rank = std::max(own.size(), shape->size());
  if (static_cast<int64_t>(rank) != l.rank(n.out()))
    return l.refuse("the result has more dims than the model declares");
  Dims dims;
  Scalars s{l.b, l.loc};
  for (size_t d = 0; d < rank; ++d) {
    auto at = [&](ArrayRef<OpFoldResult> list) {
      size_t missing = rank - list.size();
      return d < missing ? l.attr(1) : list[d - missing];
    };
    OpFoldResult x = at(own), y = at(*shape);
    auto xConstant = getConstantIntValue(x), yConstant = getConstantIntValue(y);
    if (yConstant == 1 || (xConstant && *xConstant != 1))
      dims.push_back(x);
    else if (xConstant == 1 || yConstant)
      dims.push_back(y);
    else
      dims.push_back(getAsOpFoldResult(
          s.select(s.compare(Comparison::Equal, l.index(y), l.index(1), false),
                   l.index(x), l.index(y))));
  }
  dims = l.preferKnown(n.out(), dims);
  for (auto [i, dim] : llvm::enumerate(*shape))
    l.requireBroadcast(dim, dims[rank - shape->size() + i]);
  for (auto [i, dim] : llvm::enumerate(dims))
    l.requireAtLeast(dim, 0, "dim " + Twine(i));
  l.requireAllocatable(dims);
  l.set(n.out(), l.broadcastTo(n.in(0), dims));
  return success();
}

static LogicalResult lowerTile(Lowering &l, OnnxNode n) {
  auto repeats = l.elements(n.in(1));
  Dims own = l.dims(n.in(0)), dims;
  if (!repeats || repeats->size() != own.size())
    return l.refuse("repeats do not fit the input's rank");
  // Each dim that is repeated is two, of which the input knows the second.
  Dims loops;
  SmallVector<AffineExpr> from;
  for (auto [dim, count] : llvm::zip(own, *repeats)) {
    l.requireAtLeast(count, 0, "a number of repeats");
    dims.push_back(l.mul(dim, count));
    if (getConstantIntValue(count) != 1)
      loops.push_back(count);
    from.push_back(l.b.getAffineDimExpr(loops.size()));
    loops.push_back(dim);
  }
  dims = l.preferKnown(n.out(), dims);
  l.requireAllocatable(dims);
  Type element = signless(l.elementType(n.in(0)));
  if (llvm::any_of(dims, [](OpFoldResult dim) {
        return getConstantIntValue(dim) == 0;
      })) {
    l.set(n.out(), l.empty(element, dims));
    return success();
  }
  AffineMap map = AffineMap::get(loops.size(), 0, from, l.b.getContext());
  Value repeated = l.map(element, loops, {{l.value(n.in(0)), map}},
                         [](OpBuilder &, ValueRange in) { return in[0]; });
  l.set(n.out(), l.reshape(repeated, dims));
  return success();
}

/// The one element of a tensor.
static Value scalarOf(Lowering &l, Value onnx) {
  SmallVector<Value> at(l.rank(onnx), l.index(0));
  for (OpFoldResult dim : l.dims(onnx))
    l.requireEqual(dim, l.attr(1), "a dim of a scalar operand");
  return tensor::ExtractOp::create(l.b, l.loc, l.value(onnx), at);
}

static LogicalResult lowerRange(Lowering &l, OnnxNode n) {
  Type type = l.elementType(n.out()), element = signless(type);
  Value start = scalarOf(l, n.in(0)), limit = scalarOf(l, n.in(1)),
        delta = scalarOf(l, n.in(2));
  Scalars s{l.b, l.loc};
  l.require(
      s.compare(Comparison::NotEqual, delta, s.constant(element, 0), false),
      "delta is 0");
  Value span;
  if (isa<FloatType>(type)) {
    span =
        s.div(s.sub(widen(s, limit), widen(s, start)), widen(s, delta), false);
    span = toFloat(s, s.ceil(span), l.b.getF64Type());
  } else {
    // In f64: no quotient of integers can trap or overflow there.
    Type i64 = l.b.getI64Type(), f64 = l.b.getF64Type();
    Value whole =
        s.sub(s.convert(limit, type, i64), s.convert(start, type, i64));
    span = s.ceil(
        s.div(s.convert(whole, i64, f64), s.convert(delta, type, f64), false));
  }
  Value count = s.toIndex(s.saturate(span, l.b.getI64Type()));
  Dims dims = {l.max(OpFoldResult(count), l.attr(0))};
  dims = l.preferKnown(n.out(), dims);
  l.requireAllocatable(dims);
  l.set(n.out(),
        l.pull(element, dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
          Scalars inner{nested, l.loc};
          Value x = inner.fromIndex(
              at[0], isa<FloatType>(type) ? computeType(type) : element);
          Value result =
              inner.add(widen(inner, start), inner.mul(x, widen(inner, delta)));
          return isa<FloatType>(type) ? toFloat(inner, result, element)
                                      : result;
        }));
  return success();
}

static LogicalResult lowerOneHot(Lowering &l, OnnxNode n) {
  Value indices = n.in(0), values = n.in(2);
  int64_t rank = l.rank(indices) + 1;
  auto axis = normalizeAxis(n.integer("axis", -1), rank);
  if (!axis)
    return l.refuse("axis is out of range");
  Scalars s{l.b, l.loc};
  OpFoldResult depth;
  auto known = isa<FloatType>(l.elementType(n.in(1))) ? std::optional<Dims>()
                                                      : l.elements(n.in(1));
  if (known && known->size() == 1) {
    depth = (*known)[0];
  } else if (auto constant = l.reals(n.in(1), 1)) {
    depth = l.attr(static_cast<int64_t>((*constant)[0]));
  } else {
    Value scalar = s.convert(scalarOf(l, n.in(1)), l.elementType(n.in(1)),
                             l.b.getI64Type());
    depth = s.toIndex(scalar);
  }
  l.requireAtLeast(depth, 0, "depth");
  l.requireEqual(l.dims(values)[0], l.attr(2), "the number of values");
  Dims dims = l.dims(indices);
  dims.insert(dims.begin() + *axis, depth);
  dims = l.preferKnown(n.out(), dims);
  l.requireAllocatable(dims);
  Value size = l.index(depth), tensor = l.value(indices);
  Value both = l.value(values);
  Value off = tensor::ExtractOp::create(l.b, l.loc, both, l.index(0));
  Value on = tensor::ExtractOp::create(l.b, l.loc, both, l.index(1));
  Type indexType = l.elementType(indices);
  l.set(n.out(),
        l.pull(signless(l.elementType(values)), dims,
               [&](OpBuilder &nested, ArrayRef<Value> at) {
                 Scalars inner{nested, l.loc};
                 SmallVector<Value> from(at);
                 from.erase(from.begin() + *axis);
                 Value hot =
                     tensor::ExtractOp::create(nested, l.loc, tensor, from);
                 hot = inner.convert(hot, indexType, nested.getI64Type());
                 hot = inner.toIndex(hot);
                 Value zero = inner.integer(nested.getIndexType(), 0);
                 hot = inner.select(
                     inner.compare(Comparison::Less, hot, zero, false),
                     inner.add(hot, size), hot);
                 return inner.select(
                     inner.compare(Comparison::Equal, hot, at[*axis], false),
                     on, off);
               }));
  return success();
}

/// Zeros, and then the diagonal: element (row, row + k) for each row that has
/// it.
static LogicalResult lowerEyeLike(Lowering &l, OnnxNode n) {
  Type element = signless(l.elementType(n.out()));
  // Beyond any dim, yet far from overflow.
  constexpr int64_t far = int64_t(1) << 62;
  int64_t k = std::clamp(n.integer("k", 0), -far, far);
  Dims dims = l.dims(n.in(0));
  OpFoldResult first = l.attr(std::max<int64_t>(-k, 0));
  OpFoldResult end = l.min(dims[0], l.sub(dims[1], l.attr(k)));
  auto diagonal = scf::ForOp::create(
      l.b, l.loc, l.index(first), l.index(l.max(first, end)), l.index(1),
      l.filled(element, dims, numberAttr(element, 0)),
      [&](OpBuilder &nested, Location loc, Value row, ValueRange state) {
        Scalars s{nested, loc};
        Value column = s.add(row, s.integer(nested.getIndexType(), k));
        scf::YieldOp::create(
            nested, loc,
            tensor::InsertOp::create(nested, loc, s.constant(element, 1),
                                     state[0], ValueRange{row, column})
                .getResult());
      });
  l.set(n.out(), diagonal.getResult(0));
  return success();
}

static LogicalResult lowerTrilu(Lowering &l, OnnxNode n) {
  bool upper = n.integer("upper", 1);
  int64_t rank = l.rank(n.in(0));
  if (rank < 2)
    return l.refuse("the input must have rank 2 or more");
  OpFoldResult k = l.attr(0);
  if (n.in(1)) {
    auto given = l.elements(n.in(1));
    if (!given || given->size() != 1)
      return l.refuse("k must have one element");
    k = (*given)[0];
  }
  Value diagonal = l.index(k);
  Dims dims = l.dims(n.in(0));
  Type element = signless(l.elementType(n.in(0)));
  Value outside = blank(l, l.elementType(n.in(0)));
  l.set(n.out(),
        l.map(element, dims,
              {{l.value(n.in(0)), l.b.getMultiDimIdentityMap(rank)}},
              [&](OpBuilder &nested, ValueRange in) {
                Scalars s{nested, l.loc};
                Value row = linalg::IndexOp::create(nested, l.loc, rank - 2);
                Value column = linalg::IndexOp::create(nested, l.loc, rank - 1);
                Value edge = s.add(row, diagonal);
                Value keep = s.compare(upper ? Comparison::GreaterOrEqual
                                             : Comparison::LessOrEqual,
                                       column, edge, false);
                return s.select(keep, in[0], outside);
              }));
  return success();
}

/// A triangle over the spectrum's bins for each band of the mel scale.
static LogicalResult lowerMelWeightMatrix(Lowering &l, OnnxNode n) {
  Type type = l.elementType(n.out()), element = signless(type);
  auto sizeOf = [&](unsigned operand) {
    auto given = l.elements(n.in(operand));
    return given && given->size() == 1 ? given->front() : OpFoldResult();
  };
  OpFoldResult bands = sizeOf(0), length = sizeOf(1), rate = sizeOf(2);
  if (!bands || !length || !rate)
    return l.refuse("the sizes must have one element each");
  Type wide = l.b.getF64Type();
  Scalars s{l.b, l.loc};
  auto melOf = [&](unsigned operand) {
    Value hertz = s.convert(scalarOf(l, n.in(operand)),
                            l.elementType(n.in(operand)), wide);
    Value ratio =
        s.add(s.constant(wide, 1), s.div(hertz, s.constant(wide, 700), false));
    return s.mul(s.log(ratio), s.constant(wide, 2595 / std::log(10.0)));
  };
  auto wideOf = [&](OpFoldResult size) {
    return s.fromIndex(l.index(size), wide);
  };
  Value low = melOf(3);
  Value step = s.div(s.sub(melOf(4), low),
                     s.add(wideOf(bands), s.constant(wide, 2)), false);
  Value points = s.add(wideOf(length), s.constant(wide, 1));
  Value samples = wideOf(rate);
  Dims dims{l.add(l.floorDiv(length, l.attr(2)), l.attr(1)), bands};
  l.requireAtLeast(bands, 0, "num_mel_bins");
  l.requireAtLeast(length, 0, "dft_length");
  l.requireAtLeast(rate, 1, "sample_rate");
  dims = l.preferKnown(n.out(), dims);
  l.requireAllocatable(dims);
  // The bins where triangles begin, peak and end: each at its neighbours'
  // peaks.
  Value corners =
      l.pull(wide, {l.add(dims[1], l.attr(2))},
             [&](OpBuilder &nested, ArrayRef<Value> at) {
               Scalars s{nested, l.loc};
               Value mel = s.add(s.mul(s.fromIndex(at[0], wide), step), low);
               Value power =
                   s.exp(s.mul(mel, s.constant(wide, std::log(10.0) / 2595)));
               Value hertz = s.mul(s.sub(power, s.constant(wide, 1)),
                                   s.constant(wide, 700));
               return s.floor(s.div(s.mul(hertz, points), samples, false));
             });
  auto shifted = [&](Value list, int64_t offset, OpFoldResult count) {
    return l.slice(list, {l.attr(offset)}, {count}, {l.attr(1)});
  };
  OpFoldResult slopeCount = l.add(dims[1], l.attr(1));
  Value slopes = l.mapSame(
      wide, {shifted(corners, 0, slopeCount), shifted(corners, 1, slopeCount)},
      [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Value one = s.constant(wide, 1);
        Value width = s.max(s.sub(in[1], in[0]), one, false);
        return s.div(one, width, false);
      });
  SmallVector<MappedOperand> operands;
  for (auto [list, offset] :
       {std::pair(corners, 0), std::pair(corners, 1), std::pair(corners, 2),
        std::pair(slopes, 0), std::pair(slopes, 1)})
    operands.push_back({shifted(list, offset, dims[1]),
                        AffineMap::get(2, 0, l.b.getAffineDimExpr(1))});
  l.set(n.out(),
        l.map(element, dims, operands, [&](OpBuilder &nested, ValueRange in) {
          Scalars s{nested, l.loc};
          Value first = in[0], peak = in[1], last = in[2];
          Value bin =
              s.fromIndex(linalg::IndexOp::create(nested, l.loc, 0), wide);
          Value zero = s.constant(wide, 0), one = s.constant(wide, 1);
          auto compare = [&](Comparison kind, Value x, Value y) {
            return s.compare(kind, x, y, false);
          };
          Value isFalling =
              s.logicalAnd(compare(Comparison::GreaterOrEqual, bin, peak),
                           compare(Comparison::Less, bin, last));
          Value isRising =
              s.logicalAnd(compare(Comparison::GreaterOrEqual, bin, first),
                           compare(Comparison::LessOrEqual, bin, peak));
          Value up = s.select(compare(Comparison::Equal, first, peak), one,
                              s.sub(bin, first));
          Value part = s.select(isFalling, s.sub(last, bin),
                                s.select(isRising, up, zero));
          return s.convert(s.mul(part, s.select(isFalling, in[4], in[3])), wide,
                           type);
        }));
  return success();
}

void onnxc::addGenerators(LoweringTable &table) {
  table.onOp("ConstantOfShape", lowerConstantOfShape);
  table.onOp("Expand", lowerExpand);
  table.onOp("Tile", lowerTile);
  table.onOp("Range", lowerRange);
  table.onOp("OneHot", lowerOneHot);
  table.onOp("EyeLike", lowerEyeLike);
  table.onOp("Trilu", lowerTrilu);
  table.onOp("MelWeightMatrix", lowerMelWeightMatrix);
}
