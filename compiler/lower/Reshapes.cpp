//===- Reshapes.cpp - Reshape and its kin, Transpose, Shape ---------------===//

#include "compiler/lower/BoxedValues.h"
#include "compiler/lower/Elementwise.h"
#include "compiler/lower/RunTimeAxes.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/NodeLocation.h"

using namespace mlir;
using namespace onnxc;

/// Lowers a row-major reinterpretation of operand 0 with the given dims.
static LogicalResult reshapeTo(Lowering &l, OnnxNode n, Dims dims) {
  dims = l.preferKnown(n.out(), dims);
  auto source = l.exprs(n.in(0)), target = l.exprs(n.out());
  Value result = l.reshape(anyElements(l, n.in(0)), dims,
                           source ? *source : ArrayRef<AffineExpr>(),
                           target ? *target : ArrayRef<AffineExpr>());
  if (!result)
    return l.refuse("the sizes of input and output differ");
  l.set(n.out(), result);
  return success();
}

/// Equal to `value` at run time.
static Value equals(Lowering &l, OpFoldResult x, int64_t value) {
  Scalars s{l.b, l.loc};
  return s.compare(Comparison::Equal, l.index(x), l.index(value), false);
}

namespace {
/// The dims of an operand whose rank may be known in a run only.
struct SourceDims {
  Lowering &l;
  Value boxed; ///< null: `dims` are known
  Dims dims;

  SourceDims(Lowering &l, Value onnx)
      : l(l), boxed(isBoxed(onnx.getType()) ? l.value(onnx) : Value()),
        dims(boxed ? Dims() : l.dims(onnx)) {}

  /// The product of the dims before `axis`, or from there on.
  OpFoldResult before(int64_t axis) const {
    return boxed ? extent(l.index(0), l.index(axis))
                 : l.product(ArrayRef(dims).take_front(axis));
  }
  OpFoldResult from(int64_t axis) const {
    return boxed ? extent(l.index(axis), readValue(l, "rank", boxed))
                 : l.product(ArrayRef(dims).drop_front(axis));
  }
  bool mayHave(size_t axis) const { return boxed || axis < dims.size(); }
  /// Dim `axis` where `isRead`, an i1 (null: always), holds.
  OpFoldResult dim(size_t axis, Value isRead = nullptr) const {
    if (!boxed)
      return dims[axis];
    Scalars s{l.b, l.loc};
    Value at = l.index(static_cast<int64_t>(axis)),
          rank = readValue(l, "rank", boxed);
    Value isThere = s.compare(Comparison::Less, at, rank, false);
    l.require(isRead ? s.logicalOr(isThere, s.logicalNot(isRead)) : isThere,
              "dim {} is copied from beyond the input's rank, {}", {at, rank});
    return getAsOpFoldResult(readValue(l, "dim", {boxed, at}));
  }

private:
  OpFoldResult extent(Value begin, Value end) const {
    return getAsOpFoldResult(readValue(l, "extent", {boxed, begin, end}));
  }
};
} // namespace

/// To as many dims as the shape turns out to have.
static LogicalResult lowerReshapeToAnyRank(Lowering &l, OnnxNode n) {
  if (l.rank(n.in(1)) != 1)
    return l.refuse("the shape must have rank 1");
  l.bind(n.out(), makeValue(l, "reshaped",
                            {asBoxed(l, n.in(0)), asBoxed(l, n.in(1)),
                             l.index(n.integer("allowzero", 0) != 0)},
                            nodeName(n.op->getLoc())));
  return success();
}

static LogicalResult lowerReshape(Lowering &l, OnnxNode n) {
  if (isBoxed(n.out().getType()))
    return lowerReshapeToAnyRank(l, n);
  Dims known = l.knownDims(n.out());
  if (llvm::all_of(known, [](OpFoldResult dim) { return !!dim; }))
    return reshapeTo(l, n, known);
  auto shape = l.elements(n.in(1));
  if (!shape)
    return l.refuse("a shape operand of unknown length is not supported yet");
  bool allowZero = n.integer("allowzero", 0);
  SourceDims source(l, n.in(0));
  Dims dims;
  Scalars s{l.b, l.loc};
  for (auto [i, element] : llvm::enumerate(*shape)) {
    auto constant = getConstantIntValue(element);
    if (constant && *constant == 0 && !allowZero) {
      if (!source.mayHave(i))
        return l.refuse("a dim is copied from beyond the input's rank");
      dims.push_back(source.dim(i));
    } else if (!constant && !allowZero && source.mayHave(i)) {
      Value isCopied = equals(l, element, 0);
      dims.push_back(getAsOpFoldResult(s.select(
          isCopied, l.index(source.dim(i, isCopied)), l.index(element))));
    } else {
      dims.push_back(element);
    }
  }
  // The dim that is -1, perhaps only at run time, follows from the others.
  OpFoldResult others = l.attr(1);
  for (OpFoldResult dim : dims) {
    auto constant = getConstantIntValue(dim);
    if (constant && *constant == -1)
      continue;
    others = l.mul(
        others, constant ? dim
                         : getAsOpFoldResult(s.select(
                               equals(l, dim, -1), l.index(1), l.index(dim))));
  }
  OpFoldResult rest = l.floorDiv(source.from(0), others);
  for (OpFoldResult &dim : dims) {
    auto constant = getConstantIntValue(dim);
    if (constant)
      dim = *constant == -1 ? rest : dim;
    else
      dim = getAsOpFoldResult(
          s.select(equals(l, dim, -1), l.index(rest), l.index(dim)));
    l.requireAtLeast(dim, 0, "a dim of the shape");
  }
  return reshapeTo(l, n, dims);
}

static LogicalResult lowerFlatten(Lowering &l, OnnxNode n) {
  int64_t axis = n.integer("axis", 1);
  SourceDims source(l, n.in(0));
  if (source.boxed) {
    if (axis < 0)
      return l.refuse("a negative axis of a tensor whose rank only a run tells "
                      "is not supported yet");
    l.requireAtLeast(getAsOpFoldResult(readValue(l, "rank", source.boxed)),
                     axis, "the input's rank");
  } else {
    int64_t rank = l.rank(n.in(0));
    if (axis < -rank || axis > rank)
      return l.refuse("axis is out of range");
    if (axis < 0)
      axis += rank;
  }
  return reshapeTo(l, n, {source.before(axis), source.from(axis)});
}

/// Squeeze along axes that only a run tells; the result's rank is known.
static LogicalResult lowerRunTimeSqueeze(Lowering &l, OnnxNode n) {
  if (l.rank(n.in(1)) != 1)
    return l.refuse("the axes must have rank 1");
  Dims dims = l.dims(n.in(0));
  SmallVector<Value> removed = axisFlags(l, n.in(1), l.rank(n.in(0)));
  Scalars s{l.b, l.loc};
  for (auto [axis, dim] : llvm::enumerate(dims)) {
    Value gone = s.select(removed[axis], l.index(dim), l.index(1));
    l.requireEqual(getAsOpFoldResult(gone), l.attr(1), "dim " + Twine(axis));
  }
  return reshapeTo(l, n, dimsWithout(l, dims, removed, l.rank(n.out())));
}

/// Unsqueeze likewise: the input's dims fill the axes that are not added.
static LogicalResult lowerRunTimeUnsqueeze(Lowering &l, OnnxNode n) {
  if (l.rank(n.in(1)) != 1)
    return l.refuse("the axes must have rank 1");
  Dims source = l.dims(n.in(0)), dims;
  int64_t rank = l.rank(n.out());
  SmallVector<Value> added = axisFlags(l, n.in(1), rank);
  Scalars s{l.b, l.loc};
  Value next = l.index(0);
  for (int64_t axis = 0; axis < rank; ++axis) {
    Value dim = l.index(1);
    for (auto [i, own] : llvm::enumerate(source)) {
      Value here =
          s.logicalAnd(s.logicalNot(added[axis]),
                       s.compare(Comparison::Equal, next,
                                 l.index(static_cast<int64_t>(i)), false));
      dim = s.select(here, l.index(own), dim);
    }
    next = s.select(added[axis], next, s.add(next, l.index(1)));
    dims.push_back(getAsOpFoldResult(dim));
  }
  l.requireEqual(getAsOpFoldResult(next),
                 l.attr(static_cast<int64_t>(source.size())),
                 "the number of dims that are not added");
  return reshapeTo(l, n, dims);
}

/// Squeeze of all dims of 1 where only a run tells which these are; the
/// result's rank is known.
static LogicalResult lowerSqueezeOfOnes(Lowering &l, OnnxNode n) {
  Dims dims = l.dims(n.in(0));
  SmallVector<Value> removed;
  for (OpFoldResult dim : dims)
    removed.push_back(equals(l, dim, 1));
  return reshapeTo(l, n, dimsWithout(l, dims, removed, l.rank(n.out())));
}

static LogicalResult lowerSqueeze(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0));
  llvm::SmallBitVector removed(rank);
  if (Value operand = n.in(1)) {
    auto axes = l.integers(operand);
    if (!axes)
      return lowerRunTimeSqueeze(l, n);
    for (int64_t axis : *axes) {
      auto normal = normalizeAxis(axis, rank);
      if (!normal)
        return l.refuse("axis " + Twine(axis) + " is out of range");
      if (l.staticDim(n.in(0), *normal) > 1)
        return l.refuse("dim " + Twine(*normal) + " is not 1");
      removed.set(*normal);
    }
  } else {
    if (!l.staticShape(n.in(0)))
      return lowerSqueezeOfOnes(l, n);
    for (int64_t axis = 0; axis < rank; ++axis)
      if (l.staticDim(n.in(0), axis) == 1)
        removed.set(axis);
  }
  Dims dims;
  for (auto [axis, dim] : llvm::enumerate(l.dims(n.in(0)))) {
    if (!removed[axis])
      dims.push_back(dim);
    else
      l.requireEqual(dim, l.attr(1), "dim " + Twine(axis));
  }
  if (static_cast<int64_t>(dims.size()) != l.rank(n.out()))
    return l.refuse("the dims that remain are not as many as those of the "
                    "result");
  return reshapeTo(l, n, dims);
}

static LogicalResult lowerUnsqueeze(Lowering &l, OnnxNode n) {
  auto axes = l.integers(n.in(1));
  if (!axes)
    return lowerRunTimeUnsqueeze(l, n);
  int64_t rank = l.rank(n.in(0)) + axes->size();
  llvm::SmallBitVector added(rank);
  for (int64_t axis : *axes) {
    auto normal = normalizeAxis(axis, rank);
    if (!normal || added[*normal])
      return l.refuse("axis " + Twine(axis) +
                      " is out of range or occurs twice");
    added.set(*normal);
  }
  Dims source = l.dims(n.in(0)), dims;
  size_t next = 0;
  for (int64_t axis = 0; axis < rank; ++axis)
    dims.push_back(added[axis] ? l.attr(1) : source[next++]);
  return reshapeTo(l, n, dims);
}

static LogicalResult lowerTranspose(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0));
  SmallVector<int64_t> permutation;
  if (auto given = n.integers("perm"))
    permutation = *given;
  else
    for (int64_t axis = rank; axis-- > 0;)
      permutation.push_back(axis);
  if (static_cast<int64_t>(permutation.size()) != rank)
    return l.refuse("perm does not fit the input's rank");
  llvm::SmallBitVector seen(rank);
  for (int64_t axis : permutation) {
    if (axis < 0 || axis >= rank || seen[axis])
      return l.refuse("perm is not a permutation");
    seen.set(axis);
  }
  l.set(n.out(), l.transpose(l.value(n.in(0)), permutation));
  return success();
}

/// The Shape of a tensor whose rank only a run tells.
static LogicalResult lowerShapeOfAnyRank(Lowering &l, OnnxNode n) {
  Value boxed = l.value(n.in(0)), rank = readValue(l, "rank", boxed);
  auto place = [&](int64_t axis) {
    OpFoldResult size = getAsOpFoldResult(rank);
    return axis < 0 ? l.max(l.add(size, l.attr(axis)), l.attr(0))
                    : l.min(l.attr(axis), size);
  };
  OpFoldResult start = place(n.integer("start", 0));
  OpFoldResult end = n.has("end") ? place(n.integer("end", 0))
                                  : OpFoldResult(getAsOpFoldResult(rank));
  auto type = RankedTensorType::get({ShapedType::kDynamic}, l.b.getI64Type());
  Value dims = kernel::UnboxOp::create(l.b, l.loc, type,
                                       makeValue(l, "dims", boxed), rank);
  OpFoldResult count = l.max(l.sub(end, start), l.attr(0));
  l.set(n.out(), l.slice(dims, {start}, {count}, {l.attr(1)}));
  return success();
}

static LogicalResult lowerShape(Lowering &l, OnnxNode n) {
  if (isBoxed(n.in(0).getType()))
    return lowerShapeOfAnyRank(l, n);
  int64_t rank = l.rank(n.in(0));
  auto clamp = [&](int64_t value) {
    return std::clamp<int64_t>(value < 0 ? value + rank : value, 0, rank);
  };
  int64_t start = clamp(n.integer("start", 0));
  int64_t end = clamp(n.integer("end", rank));
  Dims dims = l.dims(n.in(0));
  SmallVector<Value> elements;
  Scalars s{l.b, l.loc};
  for (int64_t i = start; i < end; ++i)
    elements.push_back(s.fromIndex(l.index(dims[i]), l.b.getI64Type()));
  auto type = RankedTensorType::get({static_cast<int64_t>(elements.size())},
                                    l.b.getI64Type());
  l.set(n.out(), tensor::FromElementsOp::create(l.b, l.loc, type, elements));
  return success();
}

static LogicalResult lowerSize(Lowering &l, OnnxNode n) {
  Scalars s{l.b, l.loc};
  Value size =
      s.fromIndex(l.index(SourceDims(l, n.in(0)).from(0)), l.b.getI64Type());
  l.set(n.out(),
        tensor::FromElementsOp::create(
            l.b, l.loc, RankedTensorType::get({}, l.b.getI64Type()), size));
  return success();
}

/// [N, C, H, W] seen as blocks, permuted and seen as the result.
static LogicalResult rearrangeBlocks(Lowering &l, OnnxNode n,
                                     const Dims &blocks,
                                     ArrayRef<int64_t> permutation,
                                     const Dims &result) {
  Value tensor = l.reshape(l.value(n.in(0)), blocks);
  tensor = l.transpose(tensor, permutation);
  l.set(n.out(), l.reshape(tensor, result));
  return success();
}

static LogicalResult lowerDepthToSpace(Lowering &l, OnnxNode n) {
  int64_t block = n.integer("blocksize", 0);
  if (block < 1 || block > INT16_MAX || l.rank(n.in(0)) != 4)
    return l.refuse("needs a blocksize and an input of rank 4");
  Dims d = l.dims(n.in(0));
  OpFoldResult b = l.attr(block), area = l.attr(block * block);
  OpFoldResult c = l.floorDiv(d[1], area);
  l.requireEqual(l.mul(c, area), d[1],
                 "channels that are a multiple of the blocks' elements");
  Dims result = {d[0], c, l.mul(d[2], b), l.mul(d[3], b)};
  result = l.preferKnown(n.out(), result);
  if (n.string("mode", "DCR") == "CRD")
    return rearrangeBlocks(l, n, {d[0], c, b, b, d[2], d[3]},
                           {0, 1, 4, 2, 5, 3}, result);
  return rearrangeBlocks(l, n, {d[0], b, b, c, d[2], d[3]}, {0, 3, 4, 1, 5, 2},
                         result);
}

static LogicalResult lowerSpaceToDepth(Lowering &l, OnnxNode n) {
  int64_t block = n.integer("blocksize", 0);
  if (block < 1 || block > INT16_MAX || l.rank(n.in(0)) != 4)
    return l.refuse("needs a blocksize and an input of rank 4");
  Dims d = l.dims(n.in(0));
  OpFoldResult b = l.attr(block), h = l.floorDiv(d[2], b),
               w = l.floorDiv(d[3], b);
  Dims result = {d[0], l.mul(d[1], l.attr(block * block)), h, w};
  result = l.preferKnown(n.out(), result);
  // The block's place comes before the channel, or after it.
  SmallVector<int64_t> order = {0, 3, 5, 1, 2, 4};
  if (n.string("mode", "DCR") == "CRD")
    order = {0, 1, 3, 5, 2, 4};
  return rearrangeBlocks(l, n, {d[0], d[1], h, b, w, b}, order, result);
}

/// The same value, perhaps with a rank that it is then checked to have.
static LogicalResult lowerIdentity(Lowering &l, OnnxNode n) {
  Value from = n.in(0), to = n.out();
  if (!isBoxed(from.getType()) && !isBoxed(to.getType()))
    l.set(to, l.value(from));
  else if (isBoxed(to.getType()))
    l.bind(to, asBoxed(l, from));
  else
    l.set(to, unboxTensor(l, l.value(from), to, "the tensor"));
  return success();
}

void onnxc::addReshapes(LoweringTable &table) {
  table.onOp("Identity", lowerIdentity);
  table.onOp("Reshape", lowerReshape);
  table.onOp("Flatten", lowerFlatten);
  table.onOp("Squeeze", lowerSqueeze);
  table.onOp("Unsqueeze", lowerUnsqueeze);
  table.onOp("Transpose", lowerTranspose);
  table.onOp("Shape", lowerShape);
  table.onOp("Size", lowerSize);
  table.onOp("DepthToSpace", lowerDepthToSpace);
  table.onOp("SpaceToDepth", lowerSpaceToDepth);
}
