//===- TopK.cpp - TopK ----------------------------------------------------===//

#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/Heap.h"
#include "compiler/lower/Lowering.h"
#include "compiler/lower/Ranks.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// What the rows of one TopK have in common.
struct TopK {
  Value tensor;
  int64_t axis;
  Value size, k; // index
  bool largest, isUnsigned;

  SmallVector<Value> at(ValueRange outer, Value i) const {
    SmallVector<Value> position(outer);
    position.insert(position.begin() + axis, i);
    return position;
  }
  Value element(Scalars &s, ValueRange outer, Value i) const {
    return tensor::ExtractOp::create(s.b, s.loc, tensor, at(outer, i));
  }
  scf::ValueVector inPlace(Scalars &s, ValueRange outer,
                           ValueRange state) const;
  scf::ValueVector byRanks(Scalars &s, ValueRange outer,
                           ValueRange state) const;

  /// Makes the element `x` at `i` one of the heap.
  using MakeElement =
      llvm::function_ref<HeapElement(Scalars &, Value x, Value i)>;
  /// The element of the tensor that one of the heap is.
  using FindElement = llvm::function_ref<Value(Scalars &, HeapElement)>;
  HeapTensors selectBest(Scalars &s, ValueRange outer, const Heap &heap,
                         HeapTensors tensors, MakeElement make,
                         FindElement find) const;
};
} // namespace

/// The k best elements of one row, in the first k places of the heap's tensors.
/// A heap keeps the best so far with the worst of them as root: most elements
/// cost one comparison with that, and n of them O(n log k). Nothing to choose
/// where k = n: they are in their order then.
HeapTensors TopK::selectBest(Scalars &s, ValueRange outer, const Heap &heap,
                             HeapTensors tensors, MakeElement make,
                             FindElement find) const {
  Value zero = s.integer(s.b.getIndexType(), 0);
  tensors = heapLoop(
      s, tensors, zero, k, [&](Scalars &inner, Value i, HeapTensors now) {
        return heap.write(inner, now, i,
                          make(inner, element(inner, outer, i), i));
      });
  auto boundOf = [&](Scalars &inner, HeapTensors now) {
    return find(inner, heap.read(inner, now, zero));
  };
  auto choose = [&](OpBuilder &then, Location loc) {
    Scalars t{then, loc};
    HeapTensors heaped = heap.build(t, tensors, k);
    SmallVector<Value> inits = heaped.values();
    inits.push_back(boundOf(t, heaped));
    auto loop = scf::ForOp::create(
        then, loc, k, size, t.integer(then.getIndexType(), 1), inits,
        [&](OpBuilder &b, Location, Value i, ValueRange state) {
          Scalars inner{b, loc};
          // One comparison turns most elements down; NaN passes it.
          Value x = element(inner, outer, i);
          Value worse = inner.compare(largest ? Comparison::LessOrEqual
                                              : Comparison::GreaterOrEqual,
                                      x, state.back(), isUnsigned);
          auto choice = scf::IfOp::create(
              b, loc, worse,
              [&](OpBuilder &turnedDown, Location) {
                scf::YieldOp::create(turnedDown, loc, state);
              },
              [&](OpBuilder &taken, Location) {
                Scalars u{taken, loc};
                HeapTensors now = HeapTensors::of(state.drop_back());
                HeapElement candidate = make(u, x, i);
                HeapElement worst = heap.read(u, now, zero);
                HeapElement kept = heap.select(
                    u, heap.precedes(u, candidate, worst), candidate, worst);
                HeapTensors next = heap.siftDown(u, now, zero, k, kept);
                SmallVector<Value> values = next.values();
                values.push_back(boundOf(u, next));
                scf::YieldOp::create(taken, loc, values);
              });
          scf::YieldOp::create(b, loc, choice.getResults());
        });
    scf::YieldOp::create(then, loc, loop.getResults().drop_back());
  };
  Value chooses = s.logicalAnd(s.compare(Comparison::Greater, k, zero, false),
                               s.compare(Comparison::Less, k, size, false));
  auto chosen = scf::IfOp::create(
      s.b, s.loc, chooses, choose, [&](OpBuilder &otherwise, Location loc) {
        scf::YieldOp::create(otherwise, loc, tensors.values());
      });
  return HeapTensors::of(chosen.getResults());
}

/// The k elements of a heap, or of no order, sorted: the worst of what remains
/// goes to the end of it.
static HeapTensors sortHeap(Scalars &s, const Heap &heap, HeapTensors tensors,
                            Value k) {
  Value zero = s.integer(s.b.getIndexType(), 0);
  tensors = heap.build(s, tensors, k);
  return heapLoop(s, tensors, zero, k,
                  [&](Scalars &inner, Value i, HeapTensors now) {
                    return heap.removeRoot(inner, now, inner.sub(k, i));
                  });
}

/// A row whose heap is in the results, which `state` holds.
scf::ValueVector TopK::inPlace(Scalars &s, ValueRange outer,
                               ValueRange state) const {
  Heap heap;
  heap.greaterFirst = largest;
  heap.isUnsigned = isUnsigned;
  heap.rootIsFirst = false;
  heap.place = [&](Scalars &, Value i) { return at(outer, i); };
  HeapTensors best = selectBest(
      s, outer, heap, HeapTensors::of(state),
      [](Scalars &inner, Value x, Value i) -> HeapElement {
        return {x, inner.fromIndex(i, inner.b.getI64Type())};
      },
      [](Scalars &, HeapElement element) { return element.key; });
  return sortHeap(s, heap, best, k).values();
}

/// A row by its elements' ranks, in three tensors that `state` holds behind the
/// results.
scf::ValueVector TopK::byRanks(Scalars &s, ValueRange outer,
                               ValueRange state) const {
  Type index = s.b.getIndexType();
  Heap heap;
  heap.isUnsigned = true;
  heap.rootIsFirst = false;
  heap.place = [](Scalars &, Value i) { return SmallVector<Value>{i}; };
  HeapTensors best = selectBest(
      s, outer, heap, {state[2], nullptr},
      [&](Scalars &inner, Value x, Value i) -> HeapElement {
        return {rankOf(inner, x, i, largest, isUnsigned), nullptr};
      },
      [&](Scalars &inner, HeapElement one) {
        Value position = positionIn(inner, one.key);
        return element(inner, outer, inner.toIndex(position));
      });
  // A few are sorted faster by the heap.
  constexpr int64_t few = 64;
  Value areMany =
      s.compare(Comparison::GreaterOrEqual, k, s.integer(index, few), false);
  auto sorted = scf::IfOp::create(
      s.b, s.loc, areMany,
      [&](OpBuilder &then, Location loc) {
        Scalars t{then, loc};
        SortScratch scratch{state[3], state[4]};
        Value all = t.compare(Comparison::Equal, k, size, false);
        Value ranks = sortRanks(t, best.keys, k, all, scratch);
        scf::YieldOp::create(then, loc,
                             ValueRange{ranks, scratch.ranks, scratch.counts});
      },
      [&](OpBuilder &otherwise, Location loc) {
        Scalars t{otherwise, loc};
        Value ranks = sortHeap(t, heap, best, k).keys;
        scf::YieldOp::create(otherwise, loc,
                             ValueRange{ranks, state[3], state[4]});
      });
  auto written = scf::ForOp::create(
      s.b, s.loc, s.integer(index, 0), k, s.integer(index, 1),
      state.take_front(2),
      [&](OpBuilder &b, Location loc, Value i, ValueRange now) {
        Scalars t{b, loc};
        Value rank = tensor::ExtractOp::create(b, loc, sorted.getResult(0), i);
        Value position = positionIn(t, rank);
        Value x = element(t, outer, t.toIndex(position));
        SmallVector<Value> place = at(outer, i);
        scf::YieldOp::create(
            b, loc,
            ValueRange{
                tensor::InsertOp::create(b, loc, x, now[0], place),
                tensor::InsertOp::create(b, loc, position, now[1], place)});
      });
  scf::ValueVector results(written.getResults());
  llvm::append_range(results, sorted.getResults());
  return results;
}

/// The result is always sorted, as `sorted` = 0 leaves the order open.
static LogicalResult lowerTopK(Lowering &l, OnnxNode n) {
  Value input = n.in(0);
  auto axis = normalizeAxis(n.integer("axis", -1), l.rank(input));
  auto count = l.elements(n.in(1));
  if (!axis || !count || count->size() != 1)
    return l.refuse("axis or K does not fit the input");
  Type onnxType = l.elementType(input);
  Value tensor = l.value(input);
  Dims dims = l.dims(input), result = dims;
  l.requireAtLeast((*count)[0], 0, "K");
  l.requireAtMost((*count)[0], dims[*axis], "K along axis " + Twine(*axis));
  result[*axis] = (*count)[0];
  if (n.out(0))
    result = l.preferKnown(n.out(0), result);
  Value size = l.index(dims[*axis]), k = l.index(result[*axis]);

  SmallVector<Value> low, high, step;
  for (auto [i, dim] : llvm::enumerate(dims)) {
    if (static_cast<int64_t>(i) == *axis)
      continue;
    low.push_back(l.index(0));
    high.push_back(l.index(dim));
    step.push_back(l.index(1));
  }
  TopK topK{tensor,
            *axis,
            size,
            k,
            n.integer("largest", 1) != 0,
            isUnsigned(onnxType)};
  bool ranks = canRank(signless(onnxType));
  // Not tensor.empty where two are of one type: they may share their memory.
  Type i64 = l.b.getI64Type();
  SmallVector<Value> results = {l.empty(signless(onnxType), result),
                                ranks ? l.empty(i64, result)
                                      : destination(l, i64, result)};
  if (ranks) {
    l.requireAtMost(dims[*axis], l.attr(mostRanked),
                    "the number of elements along axis " + Twine(*axis));
    for (int i = 0; i < 2; ++i)
      results.push_back(destination(l, i64, {result[*axis]}));
    results.push_back(
        destination(l, l.b.getIndexType(), {l.attr(SortScratch::digits)}));
  }
  auto rows = [&](OpBuilder &nested, Location loc, ValueRange outer,
                  ValueRange state) {
    Scalars s{nested, loc};
    return ranks ? topK.byRanks(s, outer, state)
                 : topK.inPlace(s, outer, state);
  };
  if (low.empty())
    results = rows(l.b, l.loc, {}, results);
  else
    results =
        scf::buildLoopNest(l.b, l.loc, low, high, step, results, rows).results;
  for (unsigned i : {0, 1})
    if (n.out(i))
      l.set(n.out(i), results[i]);
  return success();
}

void onnxc::addTopK(LoweringTable &table) { table.onOp("TopK", lowerTopK); }
