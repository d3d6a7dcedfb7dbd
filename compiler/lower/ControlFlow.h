//===- ControlFlow.h - What subgraphs' lowerings share ----------*- C++ -*-===//
//
// Values that leave a branch or pass from one iteration of a loop to the next.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_CONTROLFLOW_H
#define ONNXC_COMPILER_LOWER_CONTROLFLOW_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

/// The body of a subgraph; null when it is not one block with a terminator.
mlir::Block *subgraph(mlir::Region &region);

/// The element of a tensor that must have exactly one: known when compiling,
/// or checked when the model runs. Null after `refuse`.
mlir::Value onlyElement(Lowering &l, mlir::Value onnx, llvm::StringRef what);

/// The same as an index; null after `refuse`.
mlir::OpFoldResult onlyIndex(Lowering &l, mlir::Value onnx,
                             llvm::StringRef what);

/// The signless type with the static dims that are known of `onnx`.
mlir::RankedTensorType loweredType(Lowering &l, mlir::Value onnx);

/// Whether a value like `from` can be handed on as one like `to`: both tensors
/// of one element type and rank, or both boxed. Refuses otherwise.
mlir::LogicalResult fits(Lowering &l, mlir::Value from, mlir::Value to,
                         const llvm::Twine &what);

/// `tensor` cast to `type`.
mlir::Value castTo(Lowering &l, mlir::Value tensor, mlir::Type type);

/// A tensor to write to: unlike a `tensor.empty`, never the same as another of
/// its dims.
mlir::Value destination(Lowering &l, mlir::Type element,
                        llvm::ArrayRef<mlir::OpFoldResult> dims);

/// `tensor` written to the buffer that `destination` is.
mlir::Value writeInto(Lowering &l, mlir::Value tensor, mlir::Value destination);

/// `tensor` in a buffer that nothing else shows.
mlir::Value ownCopy(Lowering &l, mlir::Value tensor);

/// What the iterations of a loop hand on: values that each changes, and slices
/// of which a tensor is made. A value whose dims stay is changed in place, a
/// slice of a known number goes to its place in the result; what differs in
/// size goes through slots (kernel.slot), of which a value has two: one is read
/// while the other is written.
///
/// Use: carry and stack each value, then make the loop with `initial()`; in its
/// body `enter`, lower the operations, `leave`; behind it `finish`.
class LoopValues {
public:
  explicit LoopValues(Lowering &l) : l(l) {}

  /// `argument` of the body is `operand` at first, then what the body yields;
  /// `result`, null where absent, is the last one.
  mlir::LogicalResult carry(mlir::Value operand, mlir::BlockArgument argument,
                            mlir::Value yielded, mlir::Value result);
  /// `result` is what the iterations yield, stacked along `axis`; `reversed`:
  /// from the last to the first. `count` is the number of iterations, null
  /// where only the loop tells.
  mlir::LogicalResult stack(mlir::Value yielded, mlir::Value result,
                            mlir::OpFoldResult count, int64_t axis = 0,
                            bool reversed = false);

  llvm::SmallVector<mlir::Value> initial() const;
  /// Begins iteration `position` (counted from 0); `arguments` are what the
  /// loop hands to it, as `initial()`.
  void enter(mlir::Value position, mlir::ValueRange arguments);
  /// What the iteration hands on.
  llvm::SmallVector<mlir::Value> leave();
  /// `last`: what the loop ends with, after `count` iterations.
  void finish(mlir::Value count, mlir::ValueRange last);

private:
  struct Carried {
    mlir::BlockArgument argument;
    mlir::Value yielded, result;
    mlir::RankedTensorType type; ///< null: boxed, handed on as it is
    mlir::Value slots[2];        ///< null: in place
  };
  struct Stacked {
    mlir::Value yielded, result;
    mlir::OpFoldResult count;
    int64_t axis;
    bool reversed;
    mlir::RankedTensorType slice;
    mlir::Value slot; ///< null: straight to the result
  };

  mlir::Value slotAt(const Carried &value, mlir::Value position);
  bool showsArgument(mlir::Value tensor) const;
  void push(const Stacked &stacked, mlir::Value slice,
            mlir::ValueRange dimsBefore);
  mlir::Value insert(const Stacked &stacked, mlir::Value slice,
                     mlir::Value into);
  mlir::Value arrange(const Stacked &stacked, mlir::Value rows,
                      mlir::Value count);

  Lowering &l;
  llvm::SmallVector<Carried> carried;
  llvm::SmallVector<Stacked> stacks;
  llvm::SmallVector<mlir::Value> first; ///< of the loop
  mlir::Value position;                 ///< of the iteration
  llvm::SmallVector<mlir::Value> current;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_CONTROLFLOW_H
