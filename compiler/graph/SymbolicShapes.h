//===- SymbolicShapes.h - Dims and shape tensors as expressions -*- C++ -*-===//
//
// Gives each tensor of an `onnx` function its dims as affine expressions over
// symbols, and small integer tensors (shapes, axes, starts, ...) the values of
// their elements, so that exported shape arithmetic evaluates at compile time
// to expressions of the model's input dims.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_GRAPH_SYMBOLICSHAPES_H
#define ONNXC_COMPILER_GRAPH_SYMBOLICSHAPES_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Value.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <map>
#include <optional>
#include <string>

namespace onnxc {

/// What an affine symbol stands for: dim `index` of the tensor `value`, or
/// element `index` (row-major) of the integer tensor `value`. `value` is a
/// function argument, or a result whose dims or elements follow from data.
struct ShapeSymbol {
  enum Kind { Dim, Element } kind;
  mlir::Value value;
  int64_t index;
};

class SymbolicShapes {
public:
  /// Tensors with more elements than this have no symbolic elements.
  static constexpr int64_t maxElements = 64;

  /// Analyses `function`, of the `onnx` dialect. Emits an error and fails when
  /// an operator's operands cannot fit (dims that contradict each other).
  static mlir::FailureOr<SymbolicShapes> compute(mlir::Operation *function);

  /// One expression per dim: a constant, or an expression over symbols
  /// s0, s1, ... (`symbols()[i]`); no affine dims occur. nullopt: unranked or
  /// no tensor.
  std::optional<llvm::ArrayRef<mlir::AffineExpr>> dims(mlir::Value value) const;

  /// One expression per element, row-major, of a small integer (or bool)
  /// tensor whose elements are known as expressions; otherwise nullopt. Where
  /// this is known only by reading the tensor, it is nullopt, except that a
  /// consumer which needs elements gets symbols of kind Element through
  /// `elementsOrSymbols`.
  std::optional<llvm::ArrayRef<mlir::AffineExpr>>
  elements(mlir::Value value) const;

  /// Like `elements`; makes Element symbols where the values are not known.
  /// nullopt when the tensor's size is not a small constant.
  std::optional<llvm::SmallVector<mlir::AffineExpr>>
  elementsOrSymbols(mlir::Value value);

  llvm::ArrayRef<ShapeSymbol> symbols() const { return symbolTable; }

  /// The text of `expr`, in which the dims of the model's inputs have their
  /// names (`onnx.dims`), for annotations and messages.
  std::string describe(mlir::AffineExpr expr) const;

  /// The constant that `expr` is, if it is one.
  static std::optional<int64_t> constant(mlir::AffineExpr expr);

private:
  friend class ShapeInference;
  friend class ShapeContext;
  mlir::AffineExpr symbol(mlir::MLIRContext *context, ShapeSymbol symbol);
  void setElements(mlir::Value value,
                   llvm::SmallVector<mlir::AffineExpr> elements) {
    elementsOf[value.getAsOpaquePointer()] = std::move(elements);
  }

  // By the value's pointer. Maps of nodes, so that what `dims` returns stays
  // valid while others are added.
  using Expressions = std::map<void *, llvm::SmallVector<mlir::AffineExpr>>;
  Expressions dimsOf, elementsOf;
  llvm::SmallVector<ShapeSymbol> symbolTable;
  /// The place in `symbolTable` by value, and index with the kind as last bit.
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, unsigned> symbolPositions;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_GRAPH_SYMBOLICSHAPES_H
