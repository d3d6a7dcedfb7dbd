//===- RunTimeAxes.h - Axes that only a run tells ---------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_RUNTIMEAXES_H
#define ONNXC_COMPILER_LOWER_RUNTIMEAXES_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

/// For each of `rank` axes whether it is among the elements of `axes`, a vector
/// of any length, as i1. Elements out of [-rank, rank) fail the run.
llvm::SmallVector<mlir::Value> axisFlags(Lowering &l, mlir::Value axes,
                                         int64_t rank);

/// `vector`, an onnx value of any length up to `count`, as a tensor of
/// `count` elements with `filler` before or behind those given.
enum class FillerSide { Before, Behind };
mlir::Value padVector(Lowering &l, mlir::Value vector, int64_t count,
                      int64_t filler, FillerSide side);

/// Element `i` of a lowered vector of integers.
mlir::Value elementAt(Lowering &l, mlir::Value tensor, mlir::OpFoldResult i);

/// The dims whose flags are not set, in order: there must be `rank` of them.
Dims dimsWithout(Lowering &l, llvm::ArrayRef<mlir::OpFoldResult> dims,
                 llvm::ArrayRef<mlir::Value> flags, int64_t rank);

/// A reduction along axes that only a run tells. Its results have the input's
/// rank, with 1 for each axis that is reduced.
class RunTimeReduction {
public:
  /// (builder, accumulator, element)
  using Combine = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value,
                                                 mlir::Value)>;

  /// Of operand 0 along the axes in operand 1.
  RunTimeReduction(Lowering &l, OnnxNode n);

  /// Neighbouring axes that are reduced are one, and so are those that stay:
  /// what remains alternates, and one of two loop nests fits, that which ends
  /// with a reduction or that which does not. Both are vectorized.
  mlir::Value reduce(mlir::Value tensor, mlir::TypedAttr start,
                     Combine combine);
  /// Element-wise over `tensor` and a result of `reduce`, repeated.
  mlir::Value withReduced(mlir::Value tensor, mlir::Value reduced,
                          BodyFunction body);
  /// The number of elements that go into one of the result.
  mlir::OpFoldResult count();
  /// A result without the axes that were reduced, of `rank`.
  mlir::Value drop(mlir::Value reduced, int64_t rank);

private:
  /// The sizes of as many groups of axes as there are axes, alternately kept
  /// and reduced, so that the last is of the given kind; many may be 1.
  Dims groups(bool lastIsReduced);
  mlir::Value reduceGroups(mlir::Value tensor, mlir::Value init,
                           bool lastIsReduced, Combine combine);
  /// Where the element of a result is that belongs to one of the input.
  llvm::SmallVector<mlir::Value> place(mlir::OpBuilder &b, mlir::Location loc,
                                       mlir::ValueRange at) const;

  Lowering &l;
  Dims dims, kept;
  llvm::SmallVector<mlir::Value> isReduced;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_RUNTIMEAXES_H
