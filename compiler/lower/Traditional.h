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

/// Of each row of `scores`, [N, C], the label of the first of its greatest.
mlir::Value winningLabels(Lowering &l, mlir::Value scores,
                          llvm::ArrayRef<int64_t> labels);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_TRADITIONAL_H
