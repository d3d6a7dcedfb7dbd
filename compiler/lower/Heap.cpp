//===- Heap.cpp - The best of many elements, in order ---------------------===//

#include "compiler/lower/Heap.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace onnxc;

SmallVector<Value> HeapTensors::values() const {
  if (!indices)
    return {keys};
  return {keys, indices};
}

HeapTensors HeapTensors::of(ValueRange values) {
  return {values[0], values.size() > 1 ? values[1] : Value()};
}

static SmallVector<Value> valuesOf(HeapElement element) {
  return HeapTensors{element.key, element.index}.values();
}

static HeapElement elementOf(ValueRange values) {
  HeapTensors both = HeapTensors::of(values);
  return {both.keys, both.indices};
}

HeapElement Heap::select(Scalars &s, Value condition, HeapElement x,
                         HeapElement y) {
  return {s.select(condition, x.key, y.key),
          x.index ? s.select(condition, x.index, y.index) : Value()};
}

HeapElement Heap::read(Scalars &s, HeapTensors tensors, Value i) const {
  SmallVector<Value> at = place(s, i), element;
  for (Value tensor : tensors.values())
    element.push_back(tensor::ExtractOp::create(s.b, s.loc, tensor, at));
  return elementOf(element);
}

HeapTensors Heap::write(Scalars &s, HeapTensors tensors, Value i,
                        HeapElement element) const {
  SmallVector<Value> at = place(s, i), written;
  for (auto [x, tensor] : llvm::zip(valuesOf(element), tensors.values()))
    written.push_back(tensor::InsertOp::create(s.b, s.loc, x, tensor, at));
  return HeapTensors::of(written);
}

Value Heap::precedes(Scalars &s, HeapElement x, HeapElement y) const {
  HeapElement greater = greaterFirst ? x : y, less = greaterFirst ? y : x;
  Value first =
      s.compare(Comparison::Greater, greater.key, less.key, isUnsigned);
  if (!x.index)
    return first;
  Value tied = s.compare(Comparison::Equal, x.key, y.key, isUnsigned);
  if (Scalars::isFloat(x.key)) {
    Value nan = s.isNaN(greater.key), otherNaN = s.isNaN(less.key);
    first = s.logicalOr(first, s.logicalAnd(nan, s.logicalNot(otherNaN)));
    tied = s.logicalOr(tied, s.logicalAnd(nan, otherNaN));
  }
  Value lower = s.compare(Comparison::Less, x.index, y.index, false);
  return s.logicalOr(first, s.logicalAnd(tied, lower));
}

HeapTensors Heap::siftDown(Scalars &s, HeapTensors tensors, Value hole,
                           Value size, HeapElement element) const {
  OpBuilder &b = s.b;
  Type index = b.getIndexType();
  Value one = s.integer(index, 1);
  SmallVector<Value> inits = tensors.values();
  size_t parts = inits.size();
  inits.push_back(hole);
  // While a child belongs above the element, that child moves up.
  SmallVector<Type> types(ValueRange(inits).getTypes());
  types.push_back(index);
  llvm::append_range(types, ValueRange(valuesOf(element)).getTypes());
  auto loop = scf::WhileOp::create(
      b, s.loc, types, inits,
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Scalars inner{nested, loc};
        HeapTensors now = HeapTensors::of(state.take_front(parts));
        Value here = state[parts];
        Value left = inner.add(inner.add(here, here), one);
        Value exists = inner.compare(Comparison::Less, left, size, false);
        auto child = scf::IfOp::create(
            nested, loc, exists,
            [&](OpBuilder &then, Location) {
              Scalars t{then, loc};
              // Without a right child the left one stands for it.
              Value next = t.add(left, one);
              Value right = t.select(
                  t.compare(Comparison::Less, next, size, false), next, left);
              HeapElement x = read(t, now, left), y = read(t, now, right);
              Value choice = isAbove(t, y, x);
              HeapElement upper = select(t, choice, y, x);
              SmallVector<Value> found{isAbove(t, upper, element),
                                       t.select(choice, right, left)};
              llvm::append_range(found, valuesOf(upper));
              scf::YieldOp::create(then, loc, found);
            },
            [&](OpBuilder &otherwise, Location) {
              Scalars t{otherwise, loc};
              SmallVector<Value> none{t.integer(t.b.getI1Type(), 0), here};
              llvm::append_range(none, valuesOf(element));
              scf::YieldOp::create(otherwise, loc, none);
            });
        SmallVector<Value> forwarded(state);
        llvm::append_range(forwarded, child.getResults().drop_front());
        scf::ConditionOp::create(nested, loc, child.getResult(0), forwarded);
      },
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Scalars inner{nested, loc};
        HeapTensors moved =
            write(inner, HeapTensors::of(state.take_front(parts)), state[parts],
                  elementOf(state.drop_front(parts + 2)));
        SmallVector<Value> next = moved.values();
        next.push_back(state[parts + 1]);
        scf::YieldOp::create(nested, loc, next);
      });
  ValueRange results = loop.getResults();
  return write(s, HeapTensors::of(results.take_front(parts)), results[parts],
               element);
}

HeapTensors
onnxc::heapLoop(Scalars &s, HeapTensors tensors, Value from, Value to,
                function_ref<HeapTensors(Scalars &, Value, HeapTensors)> body) {
  Value one = s.integer(s.b.getIndexType(), 1);
  auto loop = scf::ForOp::create(
      s.b, s.loc, from, to, one, tensors.values(),
      [&](OpBuilder &nested, Location loc, Value i, ValueRange state) {
        Scalars inner{nested, loc};
        HeapTensors next = body(inner, i, HeapTensors::of(state));
        scf::YieldOp::create(nested, loc, next.values());
      });
  return HeapTensors::of(loop.getResults());
}

HeapTensors Heap::build(Scalars &s, HeapTensors tensors, Value size) const {
  Type index = s.b.getIndexType();
  Value parents = arith::ShRUIOp::create(s.b, s.loc, size, s.integer(index, 1));
  return heapLoop(s, tensors, s.integer(index, 0), parents,
                  [&](Scalars &inner, Value i, HeapTensors now) {
                    Value last = inner.sub(parents, inner.integer(index, 1));
                    Value at = inner.sub(last, i);
                    return siftDown(inner, now, at, size, read(inner, now, at));
                  });
}

HeapTensors Heap::removeRoot(Scalars &s, HeapTensors tensors,
                             Value size) const {
  Type index = s.b.getIndexType();
  Value zero = s.integer(index, 0), end = s.sub(size, s.integer(index, 1));
  HeapElement root = read(s, tensors, zero), last = read(s, tensors, end);
  tensors = write(s, tensors, end, root);
  // Of a heap of one element nothing remains.
  Value remains = s.compare(Comparison::Greater, end, zero, false);
  auto choice = scf::IfOp::create(
      s.b, s.loc, remains,
      [&](OpBuilder &then, Location loc) {
        Scalars t{then, loc};
        HeapTensors sifted = siftDown(t, tensors, zero, end, last);
        scf::YieldOp::create(then, loc, sifted.values());
      },
      [&](OpBuilder &otherwise, Location loc) {
        scf::YieldOp::create(otherwise, loc, tensors.values());
      });
  return HeapTensors::of(choice.getResults());
}
