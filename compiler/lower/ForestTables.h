//===- ForestTables.h - Decision trees as tables of the tree kernels ------===//
//
// What ForestTables.cpp and ForestScan.cpp share.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_FORESTTABLES_H
#define ONNXC_COMPILER_LOWER_FORESTTABLES_H

#include "compiler/lower/Forest.h"
#include "dialects/onnx/Elements.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/SwapByteOrder.h"

#include <vector>

namespace onnxc {

/// A column as in kernel.tree_walk: feature, whether NaN goes above, set.
using ForestColumn = std::tuple<int32_t, int32_t, int32_t>;

/// One tree: its nodes from the root on, each before those under it.
struct ForestTree {
  int32_t root;
  size_t number;                    ///< in the model
  llvm::SmallVector<int32_t> order; ///< references, leaves too
  int64_t depth = 0;
};

class ForestTables {
public:
  ForestTables(Lowering &l, const Forest &forest, int64_t targets,
               kernel::TreeAggregation aggregation, mlir::Type element)
      : l(l), forest(forest), targets(targets), aggregation(aggregation),
        element(element) {}

  mlir::Value build(mlir::Value samples);

private:
  void findColumns();
  void findTrees();
  bool findWeights();
  /// The operands of the two kernels, from `columns` to the last table.
  std::optional<llvm::SmallVector<mlir::Value>> walkTables();

  // ForestScan.cpp
  /// How many levels kernel.tree_scan is to look at before it walks on;
  /// nullopt where kernel.tree_walk is faster, however many rows there are.
  std::optional<int64_t> scannedLevels() const;
  llvm::SmallVector<mlir::Value> scanTables(int64_t levels);
  class ScanTables;

  template <typename T>
  mlir::Value table(llvm::ArrayRef<T> values, int64_t width, mlir::Type);
  mlir::Value integers(llvm::ArrayRef<int32_t> values, int64_t width = 0) {
    return table(values, width, l.b.getI32Type());
  }
  mlir::Value reals(llvm::ArrayRef<double> values);
  /// The bits of a number of `element`, in an order as of unsigned integers.
  uint64_t ordered(double value) const;
  uint64_t bits(double value) const {
    return element.isF64() ? llvm::bit_cast<uint64_t>(value)
                           : llvm::bit_cast<uint32_t>(float(value));
  }

  static constexpr int64_t walksAtATime = kernel::TreeWalkOp::walksAtATime;
  static constexpr int64_t leavesInGroup = kernel::TreeScanOp::leavesInGroup;

  Lowering &l;
  const Forest &forest;
  int64_t targets;
  kernel::TreeAggregation aggregation;
  mlir::Type element;

  llvm::MapVector<ForestColumn, int32_t> columns;    ///< with their numbers
  llvm::SmallVector<int32_t> columnOf;               ///< by node
  llvm::SmallVector<llvm::SmallVector<double>> cuts; ///< by column, ascending
  std::vector<ForestTree> trees;                     ///< by depth
  int64_t width = 1;
  llvm::SmallVector<int32_t> targetOf; ///< by leaf; 0 where `width` is all
  std::vector<double> weights; ///< `width` for each leaf, then a neutral row
};

template <typename T>
mlir::Value ForestTables::table(llvm::ArrayRef<T> values, int64_t width,
                                mlir::Type type) {
  auto size = static_cast<int64_t>(values.size());
  llvm::SmallVector<int64_t> shape{size};
  if (width)
    shape = {size / width, width};
  auto tableType = mlir::RankedTensorType::get(shape, type);
  static_assert(llvm::sys::IsLittleEndianHost);
  const char *begin = reinterpret_cast<const char *>(values.data());
  mlir::ElementsAttr elements = makeElements(
      tableType, std::vector<char>(begin, begin + values.size() * sizeof(T)));
  return kernel::WeightOp::create(l.b, l.loc, tableType, elements, nullptr,
                                  nullptr, nullptr, nullptr, nullptr);
}

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_FORESTTABLES_H
