//===- TopK.cpp - TopK ----------------------------------------------------===//

#include "compiler/lower/Heap.h"
#include "compiler/lower/Lowering.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

/// The k best elements of one row, in the first k places of the heap's tensors,
/// the best first. A heap keeps the best so far with the worst of them as root:
/// most elements cost one comparison with that, and n of them O(n log k).
static HeapTensors
selectBest(Scalars &s, const Heap &heap, HeapTensors tensors, Value n, Value k,
           function_ref<HeapElement(Scalars &, Value)> elementAt) {
  Value zero = s.integer(s.b.getIndexType(), 0);
  tensors = heapLoop(s, tensors, zero, k,
                     [&](Scalars &inner, Value i, HeapTensors now) {
                       return heap.write(inner, now, i, elementAt(inner, i));
                     });
  tensors = heap.build(s, tensors, k);
  Value some = s.compare(Comparison::Greater, k, zero, false);
  tensors = heapLoop(
      s, tensors, k, s.select(some, n, k),
      [&](Scalars &inner, Value i, HeapTensors now) -> HeapTensors {
        HeapElement candidate = elementAt(inner, i);
        HeapElement worst = heap.read(inner, now, zero);
        // One comparison turns most elements down; NaN passes it.
        Value worse =
            inner.compare(heap.greaterFirst ? Comparison::LessOrEqual
                                            : Comparison::GreaterOrEqual,
                          candidate.key, worst.key, heap.isUnsigned);
        auto choice = scf::IfOp::create(
            inner.b, inner.loc, worse,
            [&](OpBuilder &then, Location loc) {
              scf::YieldOp::create(then, loc,
                                   ValueRange{now.keys, now.indices});
            },
            [&](OpBuilder &otherwise, Location loc) {
              Scalars t{otherwise, loc};
              Value better = heap.precedes(t, candidate, worst);
              HeapElement kept{t.select(better, candidate.key, worst.key),
                               t.select(better, candidate.index, worst.index)};
              HeapTensors next = heap.siftDown(t, now, zero, k, kept);
              scf::YieldOp::create(otherwise, loc,
                                   ValueRange{next.keys, next.indices});
            });
        return {choice.getResult(0), choice.getResult(1)};
      });
  // The worst of what remains goes to the end of it.
  return heapLoop(s, tensors, zero, k,
                  [&](Scalars &inner, Value i, HeapTensors now) {
                    return heap.removeRoot(inner, now, inner.sub(k, i));
                  });
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
  auto rows = [&](OpBuilder &nested, Location loc, ValueRange outer,
                  ValueRange state) -> scf::ValueVector {
    Scalars s{nested, loc};
    Heap heap;
    heap.greaterFirst = n.integer("largest", 1);
    heap.isUnsigned = isUnsigned(onnxType);
    heap.rootIsFirst = false;
    heap.place = [&](Scalars &, Value i) {
      SmallVector<Value> at(outer);
      at.insert(at.begin() + *axis, i);
      return at;
    };
    HeapTensors best =
        selectBest(s, heap, {state[0], state[1]}, size, k,
                   [&](Scalars &inner, Value i) -> HeapElement {
                     Value key = tensor::ExtractOp::create(
                         inner.b, inner.loc, tensor, heap.place(inner, i));
                     return {key, inner.fromIndex(i, inner.b.getI64Type())};
                   });
    return {best.keys, best.indices};
  };
  SmallVector<Value> results = {l.empty(signless(onnxType), result),
                                l.empty(l.b.getI64Type(), result)};
  results = low.empty()
                ? rows(l.b, l.loc, {}, results)
                : scf::buildLoopNest(l.b, l.loc, low, high, step, results, rows)
                      .results;
  for (unsigned i : {0, 1})
    if (n.out(i))
      l.set(n.out(i), results[i]);
  return success();
}

void onnxc::addTopK(LoweringTable &table) { table.onOp("TopK", lowerTopK); }
