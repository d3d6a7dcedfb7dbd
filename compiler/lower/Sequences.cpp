//===- Sequences.cpp - Sequences whose length only a run tells ------------===//

#include "compiler/lower/BoxedValues.h"
#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/Scalars.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

static LogicalResult lowerEmpty(Lowering &l, OnnxNode n) {
  l.bind(n.out(), makeValue(l, "sequence"));
  return success();
}

static LogicalResult lowerConstruct(Lowering &l, OnnxNode n) {
  Value sequence = makeValue(l, "sequence");
  for (Value tensor : n.present())
    if (failed(canHold(l, n.out().getType(), tensor)))
      return failure();
  for (Value tensor : n.present())
    sequence = appended(l, sequence, asBoxed(l, tensor));
  l.bind(n.out(), sequence);
  return success();
}

/// The place that operand `index` of the node gives, of `places`; where it is
/// absent, the last one. Null after `refuse`.
static Value position(Lowering &l, OnnxNode n, unsigned index, Value length,
                      int64_t additional) {
  Value end = l.index(l.add(getAsOpFoldResult(length), l.attr(additional - 1)));
  Value operand = n.in(index);
  if (!operand)
    return end;
  OpFoldResult given = onlyIndex(l, operand, "the position");
  if (!given)
    return nullptr;
  Scalars s{l.b, l.loc};
  Value place = l.index(given), zero = l.index(0);
  Value fromEnd = l.index(l.add(given, getAsOpFoldResult(length)));
  Value at =
      s.select(s.compare(Comparison::Less, place, zero, false), fromEnd, place);
  Value inside =
      s.logicalAnd(s.compare(Comparison::LessOrEqual, zero, at, false),
                   s.compare(Comparison::LessOrEqual, at, end, false));
  l.require(inside, "position {} is out of range: the sequence has {} elements",
            {place, length});
  return at;
}

static LogicalResult lowerInsert(Lowering &l, OnnxNode n) {
  Value sequence = l.value(n.in(0)), tensor = n.in(1);
  if (failed(canHold(l, n.in(0).getType(), tensor)) ||
      failed(canHold(l, n.out().getType(), tensor)))
    return failure();
  Value at = position(l, n, 2, readValue(l, "length", sequence), 1);
  if (!at)
    return failure();
  l.bind(n.out(), makeValue(l, "insert", {sequence, asBoxed(l, tensor), at}));
  return success();
}

static LogicalResult lowerErase(Lowering &l, OnnxNode n) {
  if (failed(fits(l, n.in(0), n.out(), "the sequence")))
    return failure();
  Value sequence = l.value(n.in(0));
  Value at = position(l, n, 1, readValue(l, "length", sequence), 0);
  if (!at)
    return failure();
  // Without a position, the last of none.
  l.requireIndex(getAsOpFoldResult(at),
                 getAsOpFoldResult(readValue(l, "length", sequence)),
                 "the element to erase");
  l.bind(n.out(), makeValue(l, "erase", {sequence, at}));
  return success();
}

static LogicalResult lowerAt(Lowering &l, OnnxNode n) {
  if (failed(canHold(l, n.in(0).getType(), n.out())))
    return failure();
  Value sequence = l.value(n.in(0));
  Value at = position(l, n, 1, readValue(l, "length", sequence), 0);
  if (!at)
    return failure();
  Value element = readValue(l, "at", {sequence, at});
  if (isBoxed(n.out().getType()))
    l.bind(n.out(), element);
  else
    l.set(n.out(), unboxTensor(l, element, n.out(), "the element"));
  return success();
}

static LogicalResult lowerLength(Lowering &l, OnnxNode n) {
  Scalars s{l.b, l.loc};
  Value length =
      s.fromIndex(readValue(l, "length", l.value(n.in(0))), l.b.getI64Type());
  l.set(n.out(), tensor::FromElementsOp::create(
                     l.b, l.loc, loweredType(l, n.out()), length));
  return success();
}

/// ConcatFromSequence: one pass over the elements for the size of the result,
/// one to copy them.
static LogicalResult lowerConcat(Lowering &l, OnnxNode n) {
  if (failed(canHold(l, n.in(0).getType(), n.out())))
    return failure();
  int64_t rank = l.rank(n.out());
  bool stacks = n.integer("new_axis", 0) != 0;
  std::optional<int64_t> axis = normalizeAxis(n.integer("axis", 0), rank);
  if (!axis)
    return l.refuse("the axis is out of range");
  Scalars s{l.b, l.loc};
  Value sequence = l.value(n.in(0)), zero = l.index(0), one = l.index(1);
  Value length = readValue(l, "length", sequence);
  l.require(s.compare(Comparison::Less, zero, length, false),
            "the sequence is empty");
  int64_t elementRank = rank - (stacks ? 1 : 0);
  Value firstElement = readValue(l, "at", {sequence, zero});
  l.requireEqual(getAsOpFoldResult(readValue(l, "rank", firstElement)),
                 l.attr(elementRank), "the rank of an element");
  SmallVector<Value> common;
  for (int64_t i = 0; i < elementRank; ++i)
    common.push_back(readValue(l, "dim", {firstElement, l.index(i)}));

  auto sizes = scf::ForOp::create(l.b, l.loc, zero, length, one, zero);
  {
    OpBuilder::InsertionGuard guard(l.b);
    l.b.setInsertionPointToStart(sizes.getBody());
    Value element = readValue(l, "at", {sequence, sizes.getInductionVar()});
    l.requireEqual(getAsOpFoldResult(readValue(l, "rank", element)),
                   l.attr(elementRank), "the rank of an element");
    Value sum = sizes.getRegionIterArg(0);
    for (int64_t i = 0; i < elementRank; ++i) {
      Value dim = readValue(l, "dim", {element, l.index(i)});
      if (!stacks && i == *axis)
        sum = s.add(sum, dim);
      else
        l.requireEqual(getAsOpFoldResult(dim), getAsOpFoldResult(common[i]),
                       "dims of the elements");
    }
    scf::YieldOp::create(l.b, l.loc, stacks ? s.add(sum, one) : sum);
  }
  Dims dims = getAsOpFoldResult(common);
  OpFoldResult total = getAsOpFoldResult(sizes.getResult(0));
  if (stacks)
    dims.insert(dims.begin() + *axis, total);
  else
    dims[*axis] = total;
  for (int64_t i = 0; i < rank; ++i)
    if (int64_t size = l.staticDim(n.out(), i); size >= 0)
      l.requireEqual(dims[i], l.attr(size),
                     "dim " + Twine(i) + " of the result");
  l.requireAllocatable(dims);

  Type type = signless(l.elementType(n.out()));
  SmallVector<Value> initial{l.empty(type, dims), zero};
  auto loop = scf::ForOp::create(l.b, l.loc, zero, length, one, initial);
  {
    OpBuilder::InsertionGuard guard(l.b);
    l.b.setInsertionPointToStart(loop.getBody());
    Value element = readValue(l, "at", {sequence, loop.getInductionVar()});
    Value size = stacks ? one : readValue(l, "dim", {element, l.index(*axis)});
    SmallVector<Value> own = common;
    if (!stacks)
      own[*axis] = size;
    Value tensor = unboxedElements(
        l, element,
        RankedTensorType::get(
            SmallVector<int64_t>(elementRank, ShapedType::kDynamic), type),
        own, l.elementType(n.out()));
    Value offset = loop.getRegionIterArg(1);
    Dims offsets(rank, l.attr(0)), extents = dims, strides(rank, l.attr(1));
    offsets[*axis] = offset;
    extents[*axis] = stacks ? l.attr(1) : getAsOpFoldResult(size);
    Value whole = tensor::InsertSliceOp::create(l.b, l.loc, tensor,
                                                loop.getRegionIterArg(0),
                                                offsets, extents, strides);
    scf::YieldOp::create(l.b, l.loc, ValueRange{whole, s.add(offset, size)});
  }
  l.set(n.out(), loop.getResult(0));
  return success();
}

/// How a SplitToSequence divides a dim.
namespace {
struct Parts {
  Value count;
  std::function<Value(Value position, Value offset)> size;
};
} // namespace

static std::optional<Parts> partsOf(Lowering &l, OnnxNode n, OpFoldResult dim) {
  Value split = n.in(1), whole = l.index(dim);
  auto at = [&l](Value tensor, Value position) {
    Value element = tensor::ExtractOp::create(l.b, l.loc, tensor, position);
    return Scalars{l.b, l.loc}.toIndex(element);
  };
  if (!split || l.rank(split) == 0) {
    OpFoldResult step = split ? onlyIndex(l, split, "the size of a part")
                              : OpFoldResult(l.attr(1));
    if (!step)
      return std::nullopt;
    l.requireAtLeast(step, 1, "the size of a part");
    Value most = l.index(step);
    return Parts{l.index(l.ceilDiv(dim, step)),
                 [&l, most, whole](Value, Value offset) {
                   return l.index(l.min(getAsOpFoldResult(most),
                                        l.sub(getAsOpFoldResult(whole),
                                              getAsOpFoldResult(offset))));
                 }};
  }
  if (l.rank(split) != 1) {
    (void)l.refuse("the sizes of the parts are not a list");
    return std::nullopt;
  }
  // The sizes must be a partition of the dim: each is checked, then the sum.
  Value tensor = l.value(split), count = l.index(l.dims(split)[0]);
  Value zero = l.index(0);
  auto sum = scf::ForOp::create(l.b, l.loc, zero, count, l.index(1), zero);
  {
    OpBuilder::InsertionGuard guard(l.b);
    l.b.setInsertionPointToStart(sum.getBody());
    Value size = at(tensor, sum.getInductionVar());
    l.requireAtLeast(getAsOpFoldResult(size), 0, "the size of a part");
    l.requireAtMost(getAsOpFoldResult(size), dim, "the size of a part");
    scf::YieldOp::create(
        l.b, l.loc, Scalars{l.b, l.loc}.add(sum.getRegionIterArg(0), size));
  }
  l.requireEqual(getAsOpFoldResult(sum.getResult(0)), dim,
                 "the sum of the sizes of the parts");
  return Parts{count, [at, tensor](Value position, Value) {
                 return at(tensor, position);
               }};
}

static LogicalResult lowerSplit(Lowering &l, OnnxNode n) {
  Value data = n.in(0);
  if (failed(canHold(l, n.out().getType(), data)))
    return failure();
  int64_t rank = l.rank(data);
  std::optional<int64_t> axis = normalizeAxis(n.integer("axis", 0), rank);
  if (!axis)
    return l.refuse("the axis is out of range");
  // The standard ignores `keepdims` where the sizes are given.
  bool drops = n.integer("keepdims", 1) == 0 && !n.in(1);
  Dims dims = l.dims(data);
  std::optional<Parts> parts = partsOf(l, n, dims[*axis]);
  if (!parts)
    return failure();
  Value tensor = l.value(data), empty = makeValue(l, "sequence");
  SmallVector<Value> initial{empty, l.index(0)};
  auto loop = scf::ForOp::create(l.b, l.loc, l.index(0), parts->count,
                                 l.index(1), initial);
  {
    OpBuilder::InsertionGuard guard(l.b);
    l.b.setInsertionPointToStart(loop.getBody());
    Value offset = loop.getRegionIterArg(1);
    Value size = parts->size(loop.getInductionVar(), offset);
    Dims offsets(rank, l.attr(0)), extents = dims, strides(rank, l.attr(1));
    offsets[*axis] = offset;
    extents[*axis] = drops ? l.attr(1) : getAsOpFoldResult(size);
    Dims kept = extents;
    if (drops)
      kept.erase(kept.begin() + *axis);
    Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
    Value part =
        tensor::ExtractSliceOp::create(l.b, l.loc, tensorType(element, kept),
                                       tensor, offsets, extents, strides);
    Value longer = appended(l, loop.getRegionIterArg(0),
                            boxTensor(l, part, l.elementType(data)));
    scf::YieldOp::create(
        l.b, l.loc, ValueRange{longer, Scalars{l.b, l.loc}.add(offset, size)});
  }
  l.bind(n.out(), loop.getResult(0));
  return success();
}

void onnxc::addSequences(LoweringTable &table) {
  table.onOp("SequenceEmpty", lowerEmpty);
  table.onOp("SequenceConstruct", lowerConstruct);
  table.onOp("SequenceInsert", lowerInsert);
  table.onOp("SequenceErase", lowerErase);
  table.onOp("SequenceAt", lowerAt);
  table.onOp("SequenceLength", lowerLength);
  table.onOp("ConcatFromSequence", lowerConcat);
  table.onOp("SplitToSequence", lowerSplit);
}
