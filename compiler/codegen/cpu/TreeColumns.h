//===- TreeColumns.h - What the emitters of tree kernels share --*- C++ -*-===//
//
// The columns that nodes compare, and the sums that leaves' weights go to: see
// kernel.tree_walk.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_TREECOLUMNS_H
#define ONNXC_COMPILER_CODEGEN_CPU_TREECOLUMNS_H

#include "compiler/codegen/cpu/Code.h"
#include "compiler/codegen/cpu/KernelEmitter.h"
#include "dialects/kernel/KernelDialect.h"

namespace onnxc {

/// An element of a table of integers, as an i64 or an index.
mlir::Value loadNumber(Code &code, const BufferView &table, Index position);
mlir::Value asIndex(Code &code, mlir::Value number);

class TreeColumns {
public:
  /// `members` may be null: then no column is of a set.
  TreeColumns(Code &code, const BufferView &samples, const BufferView &columns,
              const BufferView *members)
      : code(code), samples(samples), columns(columns), members(members) {}

  int64_t count() const { return *Code::known(columns.sizes[0]); }
  /// What the table says of a column.
  struct Description {
    mlir::Value feature; ///< index
    mlir::Value missingAbove, first, last;
  };
  Description describe(Index column);
  /// The column in `row`, of the samples' type: a NaN is one that is to go
  /// above, -inf one that is to go below.
  mlir::Value number(const Description &column, Index row);
  /// The column in `row` as an integer of as many bits: the unsigned order is
  /// that of the numbers, -0 is 0, and a NaN is the greatest or the least.
  mlir::Value key(const Description &column, Index row);

private:
  mlir::Value load(const Description &column, Index row);
  mlir::Value isMember(const Description &column, mlir::Value x,
                       mlir::Value isNaN);
  /// `plain`, or for a column of a set what `inSet` makes of being in it.
  mlir::Value unlessSet(const Description &column, mlir::Value x,
                        mlir::Value isNaN, mlir::Value plain,
                        llvm::function_ref<mlir::Value(mlir::Value)> inSet);

  Code &code;
  const BufferView &samples, &columns, *members;
};

class TreeSums {
public:
  TreeSums(Code &code, const BufferView &init,
           kernel::TreeAggregation aggregation, int64_t width, int64_t lanes)
      : code(code), init(init), aggregation(aggregation), width(width),
        lanes(lanes) {}

  mlir::Type element() const { return init.elementType; }
  int64_t targets() const { return *Code::known(init.sizes[1]); }
  /// The number that an aggregate begins with.
  mlir::Value neutral(int64_t lanes = 1);
  mlir::Value join(mlir::Value sum, mlir::Value weight);
  /// Sets the sums of `row` before its first tree.
  void begin(Index row);
  /// Joins one weight to the sum for `target`.
  void add(Index row, Index target, mlir::Value weight);
  /// Joins to the sums of `row`, one after the other, the `width` weights at
  /// each of `places` in the list; the first is for `target`.
  void add(Index row, Index target, const BufferView &list,
           llvm::ArrayRef<Index> places);
  /// Stores a sum, complete but for `end`.
  void store(Index row, Index target, mlir::Value sum);
  /// After the last tree: targets without a weight are 0.
  void end(Index row);

private:
  Index position(Index row, Index target);
  /// body(first target of a vector, its lanes, mask) over all targets.
  void forTargets(int64_t count,
                  llvm::function_ref<void(Index, int64_t, mlir::Value)> body);

  Code &code;
  const BufferView &init;
  kernel::TreeAggregation aggregation;
  int64_t width, lanes;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_TREECOLUMNS_H
