//===- Code.h - Short spellings for writing a kernel's body -----*- C++ -*-===//
//
// Index arithmetic that folds what is static, addresses, vector loads and
// stores with tail masks, and loops.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_CODE_H
#define ONNXC_COMPILER_CODEGEN_CPU_CODE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <optional>

namespace onnxc {

/// A size, position or offset in elements: an attribute where it is static,
/// otherwise a value of type index. Never negative unless stated.
using Index = mlir::OpFoldResult;

class Code {
public:
  Code(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;

  // Indices.
  Index constant(int64_t value) { return builder.getIndexAttr(value); }
  /// The value of a static index.
  static std::optional<int64_t> known(Index index);
  static bool isKnown(Index index, int64_t value) {
    return known(index) == value;
  }
  mlir::Value value(Index index);
  Index add(Index a, Index b);
  Index subtract(Index a, Index b);
  Index multiply(Index a, Index b);
  Index multiply(Index a, int64_t b) { return multiply(a, constant(b)); }
  Index divide(Index a, Index b);
  Index divide(Index a, int64_t b) { return divide(a, constant(b)); }
  Index ceilDivide(Index a, int64_t b);
  Index remainder(Index a, Index b);
  /// Signed minimum and maximum.
  Index minimum(Index a, Index b);
  Index maximum(Index a, Index b);
  /// Signed a < b: an attribute where known.
  Index less(Index a, Index b);

  // Memory.
  mlir::Value address(mlir::Value pointer, mlir::Type element, Index offset);
  mlir::Value loadScalar(mlir::Value pointer, mlir::Type element, Index offset);
  void storeScalar(mlir::Value value, mlir::Value pointer, mlir::Type element,
                   Index offset);
  /// Loads `lanes` elements that are `stride` apart (null: one); lanes outside
  /// `mask` (may be null) are not read and yield zero.
  mlir::Value loadVector(mlir::Value pointer, mlir::Type element, Index offset,
                         int64_t lanes, mlir::Value mask = {},
                         Index stride = {});
  void storeVector(mlir::Value vector, mlir::Value pointer, Index offset,
                   mlir::Value mask = {}, Index stride = {});
  /// Room for `count` elements on the stack, aligned to a cache line.
  mlir::Value stackMemory(mlir::Type element, int64_t count);
  void prefetch(mlir::Value pointer, mlir::Type element, Index offset);

  // Vectors.
  mlir::VectorType vectorType(mlir::Type element, int64_t lanes);
  mlir::Value splat(mlir::Value scalar, int64_t lanes);
  mlir::Value zeros(mlir::Type element, int64_t lanes);
  /// The mask of the first `count` lanes (clamped to 0..lanes; may be
  /// negative); null where all lanes are known to be set.
  mlir::Value laneMask(Index count, int64_t lanes);
  /// A value of f32 (or a vector of it) from one of another float type, or of
  /// signed integers.
  mlir::Value toF32(mlir::Value value);

private:
  mlir::Value strided(mlir::Value pointer, mlir::Type element, Index stride,
                      int64_t lanes);
  mlir::Value allLanes(int64_t lanes);

public:
  // Control flow.
  using Body = llvm::function_ref<void(Index)>;
  using CarryBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      Index, mlir::ValueRange)>;
  void loop(Index from, Index to, int64_t step, Body body);
  llvm::SmallVector<mlir::Value> loop(Index from, Index to, int64_t step,
                                      mlir::ValueRange carried, CarryBody body);
  /// if (condition) yes() else no(), decided now where the condition is known.
  void branch(Index condition, llvm::function_ref<void()> yes,
              llvm::function_ref<void()> no = nullptr);
};

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_CODE_H
