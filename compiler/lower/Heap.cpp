//===- Heap.cpp - The best of many elements, in order ---------------------===//

#include "compiler/lower/Heap.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace onnxc;

HeapElement Heap::read(Scalars &s, HeapTensors tensors, Value i) const {
  SmallVector<Value> at = place(s, i);
  return {tensor::ExtractOp::create(s.b, s.loc, tensors.keys, at),
          tensor::ExtractOp::create(s.b, s.loc, tensors.indices, at)};
}

HeapTensors Heap::write(Scalars &s, HeapTensors tensors, Value i,
                        HeapElement element) const {
  SmallVector<Value> at = place(s, i);
  return {
      tensor::InsertOp::create(s.b, s.loc, element.key, tensors.keys, at),
      tensor::InsertOp::create(s.b, s.loc, element.index, tensors.indices, at)};
}

Value Heap::precedes(Scalars &s, HeapElement x, HeapElement y) const {
  HeapElement greater = greaterFirst ? x : y, less = greaterFirst ? y : x;
  Value first =
      s.compare(Comparison::Greater, greater.key, less.key, isUnsigned);
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
  // While a child belongs above the element, that child moves up.
  auto loop = scf::WhileOp::create(
      b, s.loc,
      TypeRange{tensors.keys.getType(), tensors.indices.getType(), index, index,
                element.key.getType(), element.index.getType()},
      ValueRange{tensors.keys, tensors.indices, hole},
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Scalars inner{nested, loc};
        HeapTensors now{state[0], state[1]};
        Value left = inner.add(inner.add(state[2], state[2]), one);
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
              HeapElement upper{t.select(choice, y.key, x.key),
                                t.select(choice, y.index, x.index)};
              scf::YieldOp::create(then, loc,
                                   ValueRange{isAbove(t, upper, element),
                                              t.select(choice, right, left),
                                              upper.key, upper.index});
            },
            [&](OpBuilder &otherwise, Location) {
              Scalars t{otherwise, loc};
              scf::YieldOp::create(otherwise, loc,
                                   ValueRange{t.integer(t.b.getI1Type(), 0),
                                              state[2], element.key,
                                              element.index});
            });
        scf::ConditionOp::create(
            nested, loc, child.getResult(0),
            ValueRange{state[0], state[1], state[2], child.getResult(1),
                       child.getResult(2), child.getResult(3)});
      },
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Scalars inner{nested, loc};
        HeapTensors moved =
            write(inner, {state[0], state[1]}, state[2], {state[4], state[5]});
        scf::YieldOp::create(nested, loc,
                             ValueRange{moved.keys, moved.indices, state[3]});
      });
  return write(s, {loop.getResult(0), loop.getResult(1)}, loop.getResult(2),
               element);
}

HeapTensors
onnxc::heapLoop(Scalars &s, HeapTensors tensors, Value from, Value to,
                function_ref<HeapTensors(Scalars &, Value, HeapTensors)> body) {
  Value one = s.integer(s.b.getIndexType(), 1);
  auto loop = scf::ForOp::create(
      s.b, s.loc, from, to, one, ValueRange{tensors.keys, tensors.indices},
      [&](OpBuilder &nested, Location loc, Value i, ValueRange state) {
        Scalars inner{nested, loc};
        HeapTensors next = body(inner, i, {state[0], state[1]});
        scf::YieldOp::create(nested, loc, ValueRange{next.keys, next.indices});
      });
  return {loop.getResult(0), loop.getResult(1)};
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
        scf::YieldOp::create(then, loc,
                             ValueRange{sifted.keys, sifted.indices});
      },
      [&](OpBuilder &otherwise, Location loc) {
        scf::YieldOp::create(otherwise, loc,
                             ValueRange{tensors.keys, tensors.indices});
      });
  return {choice.getResult(0), choice.getResult(1)};
}
