//===- Strings.h - Tensors of strings ---------------------------*- C++ -*-===//
//
// An element is the address of a NUL-terminated text, an i64 that moves as any
// number does. What looks into strings is done by the host: libonnxc_host
// (runtime/host/Operators.h) has the operators and their arguments.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_STRINGS_H
#define ONNXC_COMPILER_LOWER_STRINGS_H

#include "compiler/lower/Lowering.h"

namespace onnxc {

bool isString(mlir::Type type);

/// A constant list of strings. Refuses one with a NUL character.
mlir::Value stringList(Lowering &l, llvm::ArrayRef<llvm::StringRef> texts);
/// What fills a place that no operand has an element for: 0, or the empty text.
mlir::Value blank(Lowering &l, mlir::Type element);
/// The strings of an attribute; nullopt where it is absent.
std::optional<llvm::SmallVector<llvm::StringRef>>
stringAttribute(OnnxNode n, llvm::StringRef name);
/// A boxed list of strings.
mlir::Value boxStrings(Lowering &l, llvm::ArrayRef<llvm::StringRef> texts);

/// The results, a boxed sequence, of a host operator on boxed arguments.
mlir::Value callHost(Lowering &l, llvm::StringRef name,
                     llvm::ArrayRef<mlir::Value> arguments);
/// A result of the dims given, which the operator is known to give.
mlir::Value hostResult(Lowering &l, mlir::Value results, int64_t index,
                       llvm::ArrayRef<mlir::OpFoldResult> dims,
                       mlir::Type element);

/// Boxed strings of the dims given as numbers of a type that the host parses:
/// bool, f32, f64 and integers of 8 bits or more.
mlir::Value parsedStrings(Lowering &l, mlir::Value boxed,
                          llvm::ArrayRef<mlir::OpFoldResult> dims,
                          mlir::Type number);

/// For each string of the lowered tensor the position of the first of `keys`
/// that equals it, or -1; i64.
mlir::Value positionsOf(Lowering &l, mlir::Value strings,
                        llvm::ArrayRef<llvm::StringRef> keys);
/// For each string of the lowered tensor how many others are less, those that
/// are equal counted once: numbers (i64) in the order of the strings' bytes.
mlir::Value ranksOf(Lowering &l, mlir::Value strings);
/// The elements of a list at `positions` (i64); the last where that is -1.
mlir::Value elementsAt(Lowering &l, mlir::Value list, mlir::Value positions);

void addNgrams(LoweringTable &table);

mlir::LogicalResult lowerStringEqual(Lowering &l, OnnxNode n);
/// Cast between strings and numbers.
mlir::LogicalResult lowerStringCast(Lowering &l, OnnxNode n);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_STRINGS_H
