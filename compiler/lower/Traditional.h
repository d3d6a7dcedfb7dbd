//===- Traditional.h - What the operators of ai.onnx.ml share ---*- C++ -*-===//
#ifndef ONNXC_COMPILER_LOWER_TRADITIONAL_H
#define ONNXC_COMPILER_LOWER_TRADITIONAL_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

// One per family.
void addFeatureTransforms(LoweringTable &table);
void addLinearModels(LoweringTable &table);
void addSupportVectors(LoweringTable &table);
void addTreeEnsembles(LoweringTable &table);
void addLabels(LoweringTable &table);
void addMaps(LoweringTable &table);

/// The labels of a classifier's classes.
struct ClassLabels {
  llvm::SmallVector<int64_t> numbers;       ///< of strings: their positions
  llvm::SmallVector<llvm::StringRef> texts; ///< empty unless strings
  size_t size() const { return numbers.size(); }
};

/// The attribute classlabels_strings, or `integers` where that is absent;
/// nullopt, with a refusal, where neither is there.
std::optional<ClassLabels> classLabels(Lowering &l, OnnxNode n,
                                       llvm::StringRef integers);
/// A tensor of `labels.numbers` as one of labels.
mlir::Value asLabels(Lowering &l, mlir::Value numbers,
                     const ClassLabels &labels);

/// The samples, [N, F] or one of [F], as a tensor [N, F] of `element`; null,
/// with a refusal, when they have another rank.
mlir::Value featureMatrix(Lowering &l, mlir::Value onnx, mlir::Type element);

/// A constant tensor of numbers.
mlir::Value numbers(Lowering &l, llvm::ArrayRef<int64_t> shape,
                    llvm::ArrayRef<float> values);

/// `scores`, [N, C] of f32, after a model's post_transform; null, with a
/// refusal, when there is no such transform.
mlir::Value postTransform(Lowering &l, mlir::Value scores,
                          llvm::StringRef name);

/// [N, classes]: the probabilities of the classes of a support vector machine
/// from `scores`, [N, pairs], by `slopes` and `offsets` of each pair's sigmoid.
mlir::Value coupledProbabilities(Lowering &l, mlir::Value scores,
                                 int64_t classes, llvm::ArrayRef<float> slopes,
                                 llvm::ArrayRef<float> offsets);

/// Gives a classifier's second result, where it is wanted: the scores after the
/// transform that its attribute names.
mlir::LogicalResult setScores(Lowering &l, OnnxNode n, mlir::Value scores);

/// labels[1] where column `column` of the scores is above `threshold`, else
/// labels[0].
mlir::Value labelsAbove(Lowering &l, mlir::Value scores, int64_t column,
                        double threshold, llvm::ArrayRef<int64_t> labels);

/// The scores of two classes from the one score, in column 0, that says how
/// much a sample is of the second: its complement beside it.
mlir::Value bothScores(Lowering &l, mlir::Value scores, bool logistic,
                       bool isProbability);

/// Of each row of `scores`, [N, C], the label of the first of its greatest.
mlir::Value winningLabels(Lowering &l, mlir::Value scores,
                          llvm::ArrayRef<int64_t> labels);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_TRADITIONAL_H
