//===- Heap.h - The best of many elements, in order -------------*- C++ -*-===//
//
// A binary heap of keys and indices in two tensors, or of keys alone in one,
// written as loops of scf: what TopK and NonMaxSuppression order their elements
// with.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_HEAP_H
#define ONNXC_COMPILER_LOWER_HEAP_H

#include "compiler/lower/Scalars.h"

#include <functional>

namespace onnxc {

/// An element of a heap: its key, and its index (i64), which decides between
/// equal keys; null where no two keys are equal.
struct HeapElement {
  mlir::Value key, index;
};

/// The tensors of keys and of indices (or null) as they are at one place of the
/// code.
struct HeapTensors {
  mlir::Value keys, indices;

  llvm::SmallVector<mlir::Value> values() const;
  static HeapTensors of(mlir::ValueRange values);
};

class Heap {
public:
  /// Of the elements' order: the greater keys come first, or the less; of equal
  /// ones the lower index. NaN is greater than any number.
  bool greaterFirst = true;
  /// The keys are unsigned integers.
  bool isUnsigned = false;
  /// Whether the root is the first in that order or the last.
  bool rootIsFirst = true;
  /// Where element `i` of the heap is in the tensors.
  std::function<llvm::SmallVector<mlir::Value>(Scalars &, mlir::Value i)> place;

  HeapElement read(Scalars &s, HeapTensors tensors, mlir::Value i) const;
  HeapTensors write(Scalars &s, HeapTensors tensors, mlir::Value i,
                    HeapElement element) const;
  /// Whether x comes before y in the order.
  mlir::Value precedes(Scalars &s, HeapElement x, HeapElement y) const;
  /// condition ? x : y.
  static HeapElement select(Scalars &s, mlir::Value condition, HeapElement x,
                            HeapElement y);
  /// Puts `element` where element `hole` of a heap of `size` elements is
  /// missing, or further down.
  HeapTensors siftDown(Scalars &s, HeapTensors tensors, mlir::Value hole,
                       mlir::Value size, HeapElement element) const;
  /// Makes a heap of the first `size` elements.
  HeapTensors build(Scalars &s, HeapTensors tensors, mlir::Value size) const;
  /// Moves the root of a heap of `size` elements behind those that remain.
  HeapTensors removeRoot(Scalars &s, HeapTensors tensors,
                         mlir::Value size) const;

private:
  mlir::Value isAbove(Scalars &s, HeapElement x, HeapElement y) const {
    return rootIsFirst ? precedes(s, x, y) : precedes(s, y, x);
  }
};

/// for i in [0, count): tensors = body(i, tensors).
HeapTensors heapLoop(
    Scalars &s, HeapTensors tensors, mlir::Value from, mlir::Value to,
    llvm::function_ref<HeapTensors(Scalars &, mlir::Value, HeapTensors)> body);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_HEAP_H
