//===- Loops.cpp - Loop and Scan ------------------------------------------===//

#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/Scalars.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

namespace {

/// How often a Loop runs.
struct Trips {
  OpFoldResult limit; ///< null: no limit
  Value condition;    ///< of the first iteration; null: true
  bool stops = false; ///< whether an iteration may end the loop
};

} // namespace

static std::optional<int64_t> constantScalar(Lowering &l, Value onnx) {
  auto known = l.integers(onnx);
  return known && known->size() == 1 ? std::optional(known->front())
                                     : std::nullopt;
}

static FailureOr<Trips> tripsOf(Lowering &l, OnnxNode n, Block &body) {
  Trips trips;
  Value next = body.getTerminator()->getOperand(0);
  for (Value condition : {n.in(1), Value(body.getArgument(1)), next}) {
    auto type = condition ? dyn_cast<RankedTensorType>(condition.getType())
                          : RankedTensorType();
    if (condition && (!type || !type.getElementType().isInteger(1)))
      return l.refuse("a condition is not a tensor of type bool");
  }
  trips.stops =
      next != body.getArgument(1) && constantScalar(l, next).value_or(0) != 1;
  if (Value count = n.in(0)) {
    OpFoldResult limit = onlyIndex(l, count, "the trip count");
    if (!limit)
      return failure();
    trips.limit = l.max(limit, l.attr(0));
  }
  if (Value condition = n.in(1);
      condition && constantScalar(l, condition).value_or(0) != 1) {
    trips.condition = onlyElement(l, condition, "the condition");
    if (!trips.condition)
      return failure();
  }
  if (!trips.limit && !trips.stops)
    return l.refuse("the loop never ends: it has no trip count, and its "
                    "condition does not change");
  return trips;
}

/// The number of the iteration, or whether it runs, as the body reads it.
static Value scalarTensor(Lowering &l, Value argument, Value scalar) {
  return tensor::FromElementsOp::create(l.b, l.loc, loweredType(l, argument),
                                        scalar);
}

/// A loop that runs a known number of times: `scf.for`.
static LogicalResult runCounted(Lowering &l, OpFoldResult count,
                                LoopValues &values, Block &body,
                                function_ref<void(Value)> enter) {
  Value trips = l.index(count);
  auto loop = scf::ForOp::create(l.b, l.loc, l.index(0), trips, l.index(1),
                                 values.initial());
  {
    LoweringScope scope(l, loop.getBody());
    values.enter(loop.getInductionVar(), loop.getRegionIterArgs());
    enter(loop.getInductionVar());
    if (failed(l.lowerBlock(body)))
      return failure();
    scf::YieldOp::create(l.b, l.loc, values.leave());
  }
  values.finish(trips, loop.getResults());
  return success();
}

/// A loop that a condition may end: `scf.while` over the iteration's number,
/// the condition and the values.
static LogicalResult runWhile(Lowering &l, const Trips &trips,
                              LoopValues &values, Block &body,
                              function_ref<void(Value, Value)> enter) {
  Scalars s{l.b, l.loc};
  SmallVector<Value> initial{l.index(0), trips.condition
                                             ? trips.condition
                                             : s.integer(l.b.getI1Type(), 1)};
  llvm::append_range(initial, values.initial());
  SmallVector<Type> types(ValueRange(initial).getTypes());
  SmallVector<Location> locations(types.size(), l.loc);
  Value limit = trips.limit ? l.index(trips.limit) : Value();
  auto loop = scf::WhileOp::create(l.b, l.loc, types, initial);
  {
    OpBuilder::InsertionGuard guard(l.b);
    Block *before = l.b.createBlock(&loop.getBefore(), {}, types, locations);
    Value runs = before->getArgument(1);
    if (limit)
      runs = s.logicalAnd(runs, s.compare(Comparison::Less,
                                          before->getArgument(0), limit,
                                          /*isUnsigned=*/false));
    scf::ConditionOp::create(l.b, l.loc, runs, before->getArguments());
    l.b.createBlock(&loop.getAfter(), {}, types, locations);
  }
  {
    Block *after = &loop.getAfter().front();
    LoweringScope scope(l, after);
    Value position = after->getArgument(0);
    values.enter(position, after->getArguments().drop_front(2));
    enter(position, after->getArgument(1));
    if (failed(l.lowerBlock(body)))
      return failure();
    Value goesOn = onlyElement(l, body.getTerminator()->getOperand(0),
                               "the condition that the body yields");
    if (!goesOn)
      return failure();
    SmallVector<Value> yielded{
        l.index(l.add(getAsOpFoldResult(position), l.attr(1))), goesOn};
    llvm::append_range(yielded, values.leave());
    scf::YieldOp::create(l.b, l.loc, yielded);
  }
  values.finish(loop.getResult(0), loop.getResults().drop_front(2));
  return success();
}

/// Loop: operands M, cond, v...; body arguments i, cond, v...; it yields cond,
/// v..., scan outputs.... As in ONNX Runtime, the condition that the body
/// yields counts even where the operand `cond` is absent.
static LogicalResult lowerLoop(Lowering &l, OnnxNode n) {
  Block *body =
      n.op->getNumRegions() == 1 ? subgraph(n.op->getRegion(0)) : nullptr;
  if (!body || n.inputs() < 2 || body->getNumArguments() != n.inputs() ||
      body->getTerminator()->getNumOperands() != n.outputs() + 1 ||
      n.outputs() + 2 < n.inputs())
    return l.refuse("the body does not fit the loop's operands and results");
  unsigned carried = n.inputs() - 2;
  FailureOr<Trips> trips = tripsOf(l, n, *body);
  if (failed(trips))
    return failure();
  bool isCounted = trips->limit && !trips->condition && !trips->stops;
  Operation *end = body->getTerminator();
  LoopValues values(l);
  for (unsigned i = 0; i < carried; ++i) {
    if (!n.in(i + 2))
      return l.refuse("variable " + Twine(i) + " of the loop is absent");
    if (failed(values.carry(n.in(i + 2), body->getArgument(i + 2),
                            end->getOperand(i + 1), n.out(i))))
      return failure();
  }
  for (unsigned i = carried; i < n.outputs(); ++i)
    if (n.out(i) &&
        failed(values.stack(end->getOperand(i + 1), n.out(i),
                            isCounted ? trips->limit : OpFoldResult())))
      return failure();

  auto enter = [&](Value position, Value condition) {
    Scalars s{l.b, l.loc};
    Value number = body->getArgument(0), runs = body->getArgument(1);
    l.bind(number, scalarTensor(
                       l, number,
                       s.fromIndex(position, signless(l.elementType(number)))));
    l.bind(runs, scalarTensor(l, runs, condition));
  };
  if (!isCounted)
    return runWhile(l, *trips, values, *body, enter);
  return runCounted(l, trips->limit, values, *body, [&](Value position) {
    Scalars s{l.b, l.loc};
    enter(position, s.integer(l.b.getI1Type(), 1));
  });
}

/// The axis of each scan input or output; nullopt after `refuse`.
static std::optional<SmallVector<int64_t>>
scanAxes(Lowering &l, OnnxNode n, StringRef name, ArrayRef<Value> tensors) {
  auto axes = n.integers(name);
  SmallVector<int64_t> result;
  for (auto [i, tensor] : llvm::enumerate(tensors)) {
    if (axes && i >= axes->size())
      break;
    auto axis = normalizeAxis(axes ? (*axes)[i] : 0, l.rank(tensor));
    if (!axis)
      break;
    result.push_back(*axis);
  }
  if (result.size() == tensors.size() &&
      (!axes || axes->size() == result.size()))
    return result;
  (void)l.refuse(name + " does not fit the operands or results");
  return std::nullopt;
}

/// Whether each scan input or output goes from the last to the first.
static std::optional<SmallVector<bool>>
scanDirections(Lowering &l, OnnxNode n, StringRef name, size_t count) {
  SmallVector<bool> result(count, false);
  auto directions = n.integers(name);
  if (!directions)
    return result;
  if (directions->size() == count &&
      llvm::all_of(*directions, [](int64_t d) { return d == 0 || d == 1; })) {
    llvm::copy(*directions, result.begin());
    return result;
  }
  (void)l.refuse(name + " must have a 0 or 1 for each");
  return std::nullopt;
}

/// Slice `position` of `tensor` along `axis`, without that dim.
static Value sliceAt(Lowering &l, Value tensor, int64_t axis,
                     OpFoldResult position, RankedTensorType type) {
  Dims sizes = l.sizes(tensor), offsets(sizes.size(), l.attr(0)),
       strides(sizes.size(), l.attr(1));
  offsets[axis] = position;
  sizes[axis] = l.attr(1);
  Dims kept = sizes;
  kept.erase(kept.begin() + axis);
  Value slice = tensor::ExtractSliceOp::create(
      l.b, l.loc, tensorType(type.getElementType(), kept), tensor, offsets,
      sizes, strides);
  return castTo(l, slice, type);
}

/// Scan: operands are states and scan inputs; body arguments states and
/// slices; it yields states and slices of the scan outputs.
static LogicalResult lowerScan(Lowering &l, OnnxNode n) {
  Block *body =
      n.op->getNumRegions() == 1 ? subgraph(n.op->getRegion(0)) : nullptr;
  int64_t inputs = n.integer("num_scan_inputs", 0);
  int64_t states = static_cast<int64_t>(n.inputs()) - inputs;
  if (!body || inputs < 1 || states < 0 || n.present().size() != n.inputs() ||
      body->getNumArguments() != n.inputs() ||
      body->getTerminator()->getNumOperands() != n.outputs() ||
      n.outputs() < states)
    return l.refuse("the body does not fit the scan's operands and results");
  Operation *end = body->getTerminator();
  SmallVector<Value> scanned(n.op->getOperands().drop_front(states));
  SmallVector<Value> stacked(n.op->getResults().drop_front(states));
  if (llvm::any_of(stacked, [](Value value) { return op::isNone(value); }))
    return l.refuse("a scan output is absent");
  auto inputAxes = scanAxes(l, n, "scan_input_axes", scanned);
  auto outputAxes = scanAxes(l, n, "scan_output_axes", stacked);
  if (!inputAxes || !outputAxes)
    return failure();
  auto inputsReversed =
      scanDirections(l, n, "scan_input_directions", scanned.size());
  auto outputsReversed =
      scanDirections(l, n, "scan_output_directions", stacked.size());
  if (!inputsReversed || !outputsReversed)
    return failure();

  OpFoldResult length;
  for (auto [i, tensor] : llvm::enumerate(scanned)) {
    Value slice = body->getArgument(states + i);
    auto type = dyn_cast<RankedTensorType>(slice.getType());
    if (!type || type.getRank() + 1 != l.rank(tensor) ||
        type.getElementType() != l.elementType(tensor))
      return l.refuse("scan input " + Twine(i) + " does not fit the body");
    OpFoldResult own = l.dims(tensor)[(*inputAxes)[i]];
    if (length)
      l.requireEqual(length, own, "the scan inputs' lengths");
    length = length ? length : own;
  }
  // The last input tells how many elements of a row of the others count.
  if (n.has("onnx.row_lengths")) {
    if (scanned.size() < 2 || l.rank(scanned.front()) < 2)
      return l.refuse("the inputs are no batches of rows");
    Value rows = scanned[scanned.size() - 2];
    l.requireIndices(scanned.back(), l.add(l.dims(rows)[1], l.attr(1)),
                     "the length of a row", IndexSet::FromZero);
  }
  LoopValues values(l);
  for (int64_t i = 0; i < states; ++i)
    if (failed(values.carry(n.in(i), body->getArgument(i), end->getOperand(i),
                            n.out(i))))
      return failure();
  for (auto [i, result] : llvm::enumerate(stacked))
    if (failed(values.stack(end->getOperand(states + i), result, length,
                            (*outputAxes)[i], (*outputsReversed)[i])))
      return failure();
  SmallVector<Value> tensors;
  for (Value tensor : scanned)
    tensors.push_back(l.value(tensor));
  return runCounted(l, length, values, *body, [&](Value position) {
    OpFoldResult forward = getAsOpFoldResult(position);
    for (auto [i, tensor] : llvm::enumerate(tensors)) {
      Value slice = body->getArgument(states + i);
      OpFoldResult place = (*inputsReversed)[i]
                               ? l.sub(l.sub(length, forward), l.attr(1))
                               : forward;
      l.bind(slice,
             sliceAt(l, tensor, (*inputAxes)[i], place, loweredType(l, slice)));
    }
  });
}

void onnxc::addLoops(LoweringTable &table) {
  table.onOp("Loop", lowerLoop);
  table.onOp("Scan", lowerScan);
}
