//===- Patterns.h - The patterns of onnx-fuse-patterns ----------*- C++ -*-===//
#ifndef ONNXC_COMPILER_GRAPH_PATTERNS_PATTERNS_H
#define ONNXC_COMPILER_GRAPH_PATTERNS_PATTERNS_H

#include "mlir/IR/PatternMatch.h"

namespace onnxc {

void addHardSwishPatterns(mlir::RewritePatternSet &patterns);
void addSwishPatterns(mlir::RewritePatternSet &patterns);
void addGeluPatterns(mlir::RewritePatternSet &patterns);
void addLayerNormPatterns(mlir::RewritePatternSet &patterns);
void addGatherOneHotPatterns(mlir::RewritePatternSet &patterns);
void addMapTablePatterns(mlir::RewritePatternSet &patterns);

/// `value` is `other` op a number, in either order where the operator commutes:
/// gives the other.
mlir::Value withConstant(mlir::Value value, llvm::StringRef name,
                         double number);
/// `value` times (or divided by the inverse of) `number`: gives the other
/// factor.
mlir::Value timesConstant(mlir::Value value, double number);
/// Both operands of onnx.`name`, the one that `value` is not; null when it is
/// neither.
mlir::Value otherOperand(mlir::Operation *op, mlir::Value value);
/// The factors of a product, through Mul operations that nothing else uses.
llvm::SmallVector<mlir::Value> factors(mlir::Operation *product);
/// Whether `op`'s result is used only once.
bool usedOnce(mlir::Operation *op);

} // namespace onnxc

#endif // ONNXC_COMPILER_GRAPH_PATTERNS_PATTERNS_H
