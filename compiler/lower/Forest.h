//===- Forest.h - Decision trees as tables ----------------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_FOREST_H
#define ONNXC_COMPILER_LOWER_FOREST_H

#include "compiler/lower/Lowering.h"
#include "dialects/kernel/KernelDialect.h"

namespace onnxc {

/// The trees of a TreeEnsembleClassifier or -Regressor. Every comparison is
/// brought into the form `feature <= threshold`. A reference to a node is its
/// position in the lists, or, where negative, ~reference is that of a leaf.
struct Forest {
  // One for each node that compares. Where `set` is not negative, 1 is compared
  // in place of a feature that equals a member of it, otherwise 0.
  llvm::SmallVector<int32_t> feature, set, below, above;
  llvm::SmallVector<double> threshold;
  /// Whether NaN goes above (is a member).
  llvm::SmallVector<bool> missingAbove;
  llvm::SmallVector<llvm::SmallVector<double>> sets;
  // One for each tree.
  llvm::SmallVector<int32_t> roots;
  // Leaf i adds weights [leafBegin[i], leafBegin[i + 1]) to their targets.
  llvm::SmallVector<int32_t> leafBegin, target;
  llvm::SmallVector<double> weight;

  /// Whether every path through some tree ends in a weight for `wanted`.
  bool alwaysReaches(int32_t wanted) const;
};

/// Nodes and the weights of leaves as a model lists them, one element of each
/// list for each node or weight.
struct ForestLists {
  llvm::SmallVector<int64_t> trees, nodes, features, whenTrue, whenFalse,
      tracks; ///< whether a missing value goes where a true one does
  llvm::SmallVector<double> values;
  /// "LEAF", "BRANCH_LEQ" and so on.
  llvm::SmallVector<llvm::StringRef> modes;
  /// Of the nodes of mode "BRANCH_MEMBER", the values they compare with.
  llvm::DenseMap<size_t, llvm::SmallVector<double>> members;

  llvm::SmallVector<int64_t> weightTrees, weightNodes, weightTargets;
  llvm::SmallVector<double> weights;
};

/// The attributes `nodes_*` and `<leaves>_treeids`, `_nodeids`, `_ids`,
/// `_weights` of a TreeEnsembleClassifier or -Regressor.
std::optional<ForestLists> readForestLists(Lowering &l, OnnxNode n,
                                           llvm::StringRef leaves);

/// The attributes of a TreeEnsemble (ai.onnx.ml, version 5).
std::optional<ForestLists> readTreeEnsembleLists(Lowering &l, OnnxNode n);

/// Thresholds hold for features of `element`, f32 or f64. Refuses what is not a
/// set of trees over `features` features and `targets` targets.
std::optional<Forest> readForest(Lowering &l, ForestLists lists,
                                 mlir::Type element, int64_t features,
                                 int64_t targets);

/// Of each row of `samples`, [N, F], the weights of the leaves that it comes
/// to, aggregated: [N, targets] of the samples' type. Of a target that none is
/// for: 0. Null, with a refusal, when there are more nodes or features than
/// tables hold.
mlir::Value aggregateLeaves(Lowering &l, mlir::Value samples,
                            const Forest &forest, int64_t targets,
                            kernel::TreeAggregation aggregation);

/// The numbers of FLOATS `name`, or of TENSOR `name`_as_tensor; empty where
/// neither is given, nullopt where the tensor is no list of numbers.
std::optional<llvm::SmallVector<double>> realList(OnnxNode n,
                                                  llvm::StringRef name);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_FOREST_H
