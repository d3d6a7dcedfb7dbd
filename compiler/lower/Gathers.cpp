//===- Gathers.cpp - Gather*, Scatter*, Compress, NonZero -----------------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/Strings.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

/// An index operand's element, which is known to be in range, as a position in
/// [0, size): negative counts from the end.
static Value position(Scalars &s, Value element, Value size) {
  Value at = s.toIndex(element);
  Value zero = s.integer(s.b.getIndexType(), 0);
  return s.select(s.compare(Comparison::Less, at, zero, false), s.add(at, size),
                  at);
}

static std::string axisName(int64_t axis) {
  return ("axis " + Twine(axis)).str();
}

/// The indices' dims other than `axis` must lie within the data's.
static void requireWithin(Lowering &l, Value indices, Value data,
                          int64_t axis) {
  Dims inner = l.dims(indices), outer = l.dims(data);
  for (auto [i, dims] : llvm::enumerate(llvm::zip(inner, outer)))
    if (static_cast<int64_t>(i) != axis)
      l.requireAtMost(std::get<0>(dims), std::get<1>(dims),
                      "dim " + Twine(i) + " of the indices");
}

static LogicalResult lowerGather(Lowering &l, OnnxNode n) {
  Value data = n.in(0), indices = n.in(1);
  int64_t rank = l.rank(data), indexRank = l.rank(indices);
  auto axis = normalizeAxis(n.integer("axis", 0), rank);
  if (!axis)
    return l.refuse("axis is out of range");
  Dims source = l.dims(data), indexDims = l.dims(indices), dims;
  dims.append(source.begin(), source.begin() + *axis);
  llvm::append_range(dims, indexDims);
  dims.append(source.begin() + *axis + 1, source.end());
  dims = l.preferKnown(n.out(), dims);
  l.requireIndices(indices, source[*axis], axisName(*axis));
  Value tensor = l.value(data);
  Type element = signless(l.elementType(data));
  auto constants = l.integers(indices);
  if (constants && constants->size() == 1 && indexRank == 0) {
    // One constant index: a slice.
    int64_t at = (*constants)[0];
    Dims offsets(rank, l.attr(0)), ones(rank, l.attr(1)), sizes = source;
    offsets[*axis] = at < 0 ? l.add(source[*axis], l.attr(at)) : l.attr(at);
    sizes[*axis] = l.attr(1);
    l.set(n.out(),
          tensor::ExtractSliceOp::create(l.b, l.loc, tensorType(element, dims),
                                         tensor, offsets, sizes, ones));
    return success();
  }
  Value indexTensor = l.value(indices), size = l.index(source[*axis]);
  l.set(n.out(),
        l.pull(element, dims,
               [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
                 Scalars s{nested, l.loc};
                 Value chosen = tensor::ExtractOp::create(
                     nested, l.loc, indexTensor, at.slice(*axis, indexRank));
                 SmallVector<Value> from(at.take_front(*axis));
                 from.push_back(position(s, chosen, size));
                 llvm::append_range(from, at.drop_front(*axis + indexRank));
                 return tensor::ExtractOp::create(nested, l.loc, tensor, from);
               }));
  return success();
}

static LogicalResult lowerGatherElements(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0));
  auto axis = normalizeAxis(n.integer("axis", 0), rank);
  if (!axis || l.rank(n.in(1)) != rank)
    return l.refuse("axis or the indices' rank does not fit the data");
  requireWithin(l, n.in(1), n.in(0), *axis);
  l.requireIndices(n.in(1), l.dims(n.in(0))[*axis], axisName(*axis));
  Value tensor = l.value(n.in(0)), indices = l.value(n.in(1));
  Value size = l.index(l.dims(n.in(0))[*axis]);
  l.set(n.out(),
        l.pull(signless(l.elementType(n.in(0))), l.dims(n.in(1)),
               [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
                 Scalars s{nested, l.loc};
                 Value chosen =
                     tensor::ExtractOp::create(nested, l.loc, indices, at);
                 SmallVector<Value> from(at);
                 from[*axis] = position(s, chosen, size);
                 return tensor::ExtractOp::create(nested, l.loc, tensor, from);
               }));
  return success();
}

static LogicalResult lowerGatherND(Lowering &l, OnnxNode n) {
  Value data = n.in(0), indices = n.in(1);
  int64_t rank = l.rank(data), indexRank = l.rank(indices);
  int64_t batch = n.integer("batch_dims", 0);
  int64_t depth = indexRank > 0 ? l.staticDim(indices, indexRank - 1) : -1;
  if (depth < 0 || batch < 0 || batch >= indexRank || batch + depth > rank)
    return l.refuse("the indices' last dim must be a constant that fits the "
                    "data's rank");
  Dims source = l.dims(data), dims = l.dims(indices);
  dims.pop_back();
  dims.append(source.begin() + batch + depth, source.end());
  dims = l.preferKnown(n.out(), dims);
  for (int64_t i = 0; i < batch; ++i)
    l.requireEqual(l.dims(indices)[i], source[i],
                   "dim " + Twine(i) + " of indices and data");
  SmallVector<Value> sizes;
  for (OpFoldResult dim : source)
    sizes.push_back(l.index(dim));
  for (int64_t i = 0; i < depth; ++i)
    l.requireIndices(indices, source[batch + i], axisName(batch + i),
                     IndexSet::FromEitherEnd, i);
  Value tensor = l.value(data), indexTensor = l.value(indices);
  l.set(n.out(),
        l.pull(signless(l.elementType(data)), dims,
               [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
                 Scalars s{nested, l.loc};
                 SmallVector<Value> from(at.take_front(batch));
                 for (int64_t i = 0; i < depth; ++i) {
                   SmallVector<Value> where(at.take_front(indexRank - 1));
                   where.push_back(s.integer(nested.getIndexType(), i));
                   Value chosen = tensor::ExtractOp::create(nested, l.loc,
                                                            indexTensor, where);
                   from.push_back(position(s, chosen, sizes[batch + i]));
                 }
                 llvm::append_range(from, at.drop_front(indexRank - 1));
                 return tensor::ExtractOp::create(nested, l.loc, tensor, from);
               }));
  return success();
}

/// Patterns (complex numbers, strings) move, but do not add up.
static LogicalResult canReduce(Lowering &l, OnnxNode n, StringRef reduction) {
  Type type = l.elementType(n.in(0));
  if (reduction == "none" || type.isIntOrFloat())
    return success();
  return l.refuse("reduction '" + reduction +
                  "' of this element type is not supported");
}

/// `old` combined with `update` as the attribute `reduction` says.
static Value reduced(Scalars &s, StringRef reduction, Value old, Value update,
                     bool isUnsigned) {
  if (reduction == "add")
    return s.add(old, update);
  if (reduction == "mul")
    return s.mul(old, update);
  if (reduction == "max")
    return s.max(old, update, isUnsigned);
  if (reduction == "min")
    return s.min(old, update, isUnsigned);
  return update;
}

/// Loops over `dims` in row-major order; the body updates a tensor.
static Value
scatterLoop(Lowering &l, ArrayRef<OpFoldResult> dims, Value tensor,
            function_ref<Value(Scalars &, ArrayRef<Value>, Value)> body) {
  SmallVector<Value> low, high, step;
  for (OpFoldResult dim : dims) {
    low.push_back(l.index(0));
    high.push_back(l.index(dim));
    step.push_back(l.index(1));
  }
  if (dims.empty()) {
    Scalars s{l.b, l.loc};
    return body(s, {}, tensor);
  }
  return scf::buildLoopNest(l.b, l.loc, low, high, step, tensor,
                            [&](OpBuilder &nested, Location loc, ValueRange at,
                                ValueRange state) -> scf::ValueVector {
                              Scalars s{nested, loc};
                              return {
                                  body(s, SmallVector<Value>(at), state[0])};
                            })
      .results[0];
}

/// The updates must have the dims that are looped over.
static void requireUpdates(Lowering &l, Value updates, const Dims &loops) {
  Dims dims = l.dims(updates);
  if (dims.size() != loops.size())
    return (void)l.refuse("the updates' rank does not fit the indices");
  for (auto [i, pair] : llvm::enumerate(llvm::zip(dims, loops)))
    l.requireEqual(std::get<0>(pair), std::get<1>(pair),
                   "dim " + Twine(i) + " of the updates");
}

static LogicalResult lowerScatterElements(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0));
  auto axis = normalizeAxis(n.integer("axis", 0), rank);
  if (!axis || l.rank(n.in(1)) != rank)
    return l.refuse("axis or the indices' rank does not fit the data");
  requireWithin(l, n.in(1), n.in(0), *axis);
  l.requireIndices(n.in(1), l.dims(n.in(0))[*axis], axisName(*axis));
  requireUpdates(l, n.in(2), l.dims(n.in(1)));
  StringRef reduction = n.string("reduction", "none");
  if (failed(canReduce(l, n, reduction)))
    return failure();
  bool u = isUnsigned(l.elementType(n.in(0)));
  Value indices = l.value(n.in(1)), updates = l.value(n.in(2));
  Value size = l.index(l.dims(n.in(0))[*axis]);
  l.set(n.out(),
        scatterLoop(
            l, l.dims(n.in(1)), l.value(n.in(0)),
            [&](Scalars &s, ArrayRef<Value> at, Value state) -> Value {
              Value chosen = tensor::ExtractOp::create(s.b, s.loc, indices, at);
              Value update = tensor::ExtractOp::create(s.b, s.loc, updates, at);
              SmallVector<Value> where(at);
              where[*axis] = position(s, chosen, size);
              if (reduction != "none") {
                Value old = tensor::ExtractOp::create(s.b, s.loc, state, where);
                update = reduced(s, reduction, old, update, u);
              }
              return tensor::InsertOp::create(s.b, s.loc, update, state, where);
            }));
  return success();
}

static LogicalResult lowerScatterND(Lowering &l, OnnxNode n) {
  Value data = n.in(0), indices = n.in(1);
  int64_t rank = l.rank(data), indexRank = l.rank(indices);
  int64_t depth = indexRank > 0 ? l.staticDim(indices, indexRank - 1) : -1;
  if (depth < 0 || depth > rank)
    return l.refuse("the indices' last dim must be a constant that fits the "
                    "data's rank");
  StringRef reduction = n.string("reduction", "none");
  if (failed(canReduce(l, n, reduction)))
    return failure();
  bool u = isUnsigned(l.elementType(data));
  Value indexTensor = l.value(indices), updates = l.value(n.in(2));
  Dims source = l.dims(data);
  SmallVector<Value> sizes;
  for (OpFoldResult dim : source)
    sizes.push_back(l.index(dim));
  Dims loops = l.dims(indices);
  loops.pop_back();
  loops.append(source.begin() + depth, source.end());
  requireUpdates(l, n.in(2), loops);
  for (int64_t i = 0; i < depth; ++i)
    l.requireIndices(indices, source[i], axisName(i), IndexSet::FromEitherEnd,
                     i);
  l.set(n.out(),
        scatterLoop(
            l, loops, l.value(data),
            [&](Scalars &s, ArrayRef<Value> at, Value state) -> Value {
              SmallVector<Value> where;
              for (int64_t i = 0; i < depth; ++i) {
                SmallVector<Value> from(at.take_front(indexRank - 1));
                from.push_back(s.integer(s.b.getIndexType(), i));
                Value chosen =
                    tensor::ExtractOp::create(s.b, s.loc, indexTensor, from);
                where.push_back(position(s, chosen, sizes[i]));
              }
              llvm::append_range(where, at.drop_front(indexRank - 1));
              Value update = tensor::ExtractOp::create(s.b, s.loc, updates, at);
              if (reduction != "none") {
                Value old = tensor::ExtractOp::create(s.b, s.loc, state, where);
                update = reduced(s, reduction, old, update, u);
              }
              return tensor::InsertOp::create(s.b, s.loc, update, state, where);
            }));
  return success();
}

/// The number of true elements of a lowered tensor of i1 as an index.
static Value countTrue(Lowering &l, Value condition) {
  int64_t rank = cast<RankedTensorType>(condition.getType()).getRank();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  Value count =
      l.reduce(condition, axes, l.b.getI64IntegerAttr(0),
               [&](OpBuilder &nested, Value acc, Value x) -> Value {
                 Scalars s{nested, l.loc};
                 return s.add(acc, arith::ExtUIOp::create(
                                       nested, l.loc, nested.getI64Type(), x));
               });
  Value scalar = tensor::ExtractOp::create(l.b, l.loc, count, ValueRange());
  return Scalars{l.b, l.loc}.toIndex(scalar);
}

/// Loops over `dims`; where the condition holds the body writes at the next
/// place of a tensor.
static Value
compact(Lowering &l, ArrayRef<OpFoldResult> dims, Value into,
        function_ref<Value(OpBuilder &, ArrayRef<Value>)> condition,
        function_ref<Value(OpBuilder &, ArrayRef<Value>, Value, Value)> write) {
  SmallVector<Value> low, high, step;
  for (OpFoldResult dim : dims) {
    low.push_back(l.index(0));
    high.push_back(l.index(dim));
    step.push_back(l.index(1));
  }
  return scf::buildLoopNest(
             l.b, l.loc, low, high, step, ValueRange{into, l.index(0)},
             [&](OpBuilder &nested, Location loc, ValueRange at,
                 ValueRange state) -> scf::ValueVector {
               SmallVector<Value> where(at);
               Value holds = condition(nested, where);
               auto choice = scf::IfOp::create(
                   nested, loc, holds,
                   [&](OpBuilder &then, Location) {
                     Value written = write(then, where, state[0], state[1]);
                     Value one = arith::ConstantIndexOp::create(then, loc, 1);
                     Value next =
                         arith::AddIOp::create(then, loc, state[1], one);
                     scf::YieldOp::create(then, loc, ValueRange{written, next});
                   },
                   [&](OpBuilder &otherwise, Location) {
                     scf::YieldOp::create(otherwise, loc, state);
                   });
               return {choice.getResult(0), choice.getResult(1)};
             })
      .results[0];
}

/// Whether either part of the patterns has a bit beside its sign.
static Value isComplexNonZero(Lowering &l, Value patterns) {
  Type type = cast<RankedTensorType>(patterns.getType()).getElementType();
  unsigned bits = type.getIntOrFloatBitWidth();
  llvm::APInt magnitude = llvm::APInt::getAllOnes(bits);
  magnitude.clearBit(bits - 1);
  magnitude.clearBit(bits / 2 - 1);
  return l.mapSame(
      l.b.getI1Type(), patterns, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Value mask = arith::ConstantOp::create(
            nested, l.loc, nested.getIntegerAttr(type, magnitude));
        return s.compare(Comparison::NotEqual, s.logicalAnd(in[0], mask),
                         s.integer(type, 0), false);
      });
}

/// A string is true, as in numpy, unless it is the empty one.
static Value isNotEmpty(Lowering &l, Value strings) {
  return l.mapSame(l.b.getI1Type(), positionsOf(l, strings, {""}),
                   [&](OpBuilder &nested, ValueRange in) {
                     Scalars s{nested, l.loc};
                     return s.compare(Comparison::Less, in[0],
                                      s.integer(in[0].getType(), 0), false);
                   });
}

static LogicalResult lowerNonZero(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0));
  Type type = l.elementType(n.in(0)), i1 = l.b.getI1Type(),
       i64 = l.b.getI64Type();
  Value condition = isa<ComplexType>(type)
                        ? isComplexNonZero(l, l.value(n.in(0)))
                    : isString(type) ? isNotEmpty(l, l.value(n.in(0)))
                                     : l.convert(l.value(n.in(0)), type, i1);
  if (rank == 0) { // [0, 1] or [0, 0], unlike numpy
    Value isTrue =
        tensor::ExtractOp::create(l.b, l.loc, condition, ValueRange());
    Value count = Scalars{l.b, l.loc}.select(isTrue, l.index(1), l.index(0));
    l.set(n.out(), l.empty(i64, {l.attr(0), OpFoldResult(count)}));
    return success();
  }
  Value count = countTrue(l, condition);
  Value into = l.empty(i64, {l.attr(rank), OpFoldResult(count)});
  l.set(
      n.out(),
      compact(
          l, l.dims(n.in(0)), into,
          [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
            return tensor::ExtractOp::create(nested, l.loc, condition, at);
          },
          [&](OpBuilder &nested, ArrayRef<Value> at, Value state, Value place) {
            Scalars s{nested, l.loc};
            for (int64_t i = 0; i < rank; ++i)
              state = tensor::InsertOp::create(
                  nested, l.loc, s.fromIndex(at[i], i64), state,
                  ValueRange{s.integer(nested.getIndexType(), i), place});
            return state;
          }));
  return success();
}

static LogicalResult lowerCompress(Lowering &l, OnnxNode n) {
  Value data = n.in(0);
  int64_t rank = l.rank(data);
  Value tensor = l.value(data), condition = l.value(n.in(1));
  Dims dims = l.dims(data);
  int64_t along = 0;
  if (n.has("axis")) {
    auto axis = normalizeAxis(n.integer("axis", 0), rank);
    if (!axis)
      return l.refuse("axis is out of range");
    along = *axis;
  } else {
    dims = {l.product(dims)};
    tensor = l.reshape(tensor, dims);
    rank = 1;
  }
  // A condition that is longer than the axis counts as far as the axis goes.
  Dims length = {l.min(l.dims(n.in(1))[0], dims[along])};
  Value used = l.slice(condition, {l.attr(0)}, length, {l.attr(1)});
  Value count = countTrue(l, used);
  Value chosen = compact(
      l, length, l.empty(l.b.getIndexType(), {OpFoldResult(count)}),
      [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
        return tensor::ExtractOp::create(nested, l.loc, used, at);
      },
      [&](OpBuilder &nested, ArrayRef<Value> at, Value state,
          Value place) -> Value {
        return tensor::InsertOp::create(nested, l.loc, at[0], state, place);
      });
  Dims result = dims;
  result[along] = count;
  l.set(n.out(),
        l.pull(signless(l.elementType(data)), result,
               [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
                 SmallVector<Value> from(at);
                 from[along] = tensor::ExtractOp::create(nested, l.loc, chosen,
                                                         at[along]);
                 return tensor::ExtractOp::create(nested, l.loc, tensor, from);
               }));
  return success();
}

static LogicalResult lowerReverseSequence(Lowering &l, OnnxNode n) {
  int64_t time = n.integer("time_axis", 0), batch = n.integer("batch_axis", 1);
  if (l.rank(n.in(0)) < 2 || time + batch != 1 || (time != 0 && time != 1))
    return l.refuse("time_axis and batch_axis must be 0 and 1");
  Dims source = l.dims(n.in(0));
  l.requireEqual(l.dims(n.in(1))[0], source[batch], "the number of lengths");
  // A length may be that of the whole axis, but not below 0.
  l.requireIndices(n.in(1), l.add(source[time], l.attr(1)),
                   "a length along axis " + Twine(time), IndexSet::FromZero);
  Value tensor = l.value(n.in(0)), lengths = l.value(n.in(1));
  l.set(n.out(),
        l.pull(signless(l.elementType(n.in(0))), l.dims(n.in(0)),
               [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
                 Scalars s{nested, l.loc};
                 Value length = s.toIndex(tensor::ExtractOp::create(
                     nested, l.loc, lengths, at[batch]));
                 Value mirrored = s.sub(s.sub(length, at[time]),
                                        s.integer(nested.getIndexType(), 1));
                 SmallVector<Value> from(at);
                 from[time] = s.select(
                     s.compare(Comparison::Less, at[time], length, false),
                     mirrored, at[time]);
                 return tensor::ExtractOp::create(nested, l.loc, tensor, from);
               }));
  return success();
}

void onnxc::addGathers(LoweringTable &table) {
  table.onOp("Gather", lowerGather);
  table.onOp("GatherElements", lowerGatherElements);
  table.onOp("GatherND", lowerGatherND);
  table.onOp("ScatterElements", lowerScatterElements);
  table.onOp("ScatterND", lowerScatterND);
  table.onOp("NonZero", lowerNonZero);
  table.onOp("Compress", lowerCompress);
  table.onOp("ReverseSequence", lowerReverseSequence);
}
