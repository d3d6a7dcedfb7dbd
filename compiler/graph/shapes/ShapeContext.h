//===- ShapeContext.h - What a shape rule sees of its operator --*- C++ -*-===//
#ifndef ONNXC_COMPILER_GRAPH_SHAPES_SHAPECONTEXT_H
#define ONNXC_COMPILER_GRAPH_SHAPES_SHAPECONTEXT_H

#include "compiler/graph/DimExpr.h"
#include "compiler/graph/SymbolicShapes.h"

#include "mlir/IR/Operation.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"

namespace onnxc {

using dim::Expr;
using dim::Exprs;

/// The exact value of an element of a small float tensor, as occurs where an
/// exported graph computes sizes through floats: numerator / denominator.
/// `rounded` when the operator's float arithmetic may be off by half an ulp,
/// so that only rounding to an integer gives a reliable value.
struct Ratio {
  Expr numerator;
  int64_t denominator = 1;
  bool rounded = false;
};
using Ratios = llvm::SmallVector<Ratio>;

class ShapeContext;
using ShapeRule = llvm::LogicalResult (*)(ShapeContext &);

/// The rules by operation name without "onnx.".
class ShapeRules {
public:
  /// With the rules of all families.
  ShapeRules();
  void onShape(llvm::StringRef name, ShapeRule rule) { rules[name] = rule; }
  void onShape(llvm::ArrayRef<llvm::StringRef> names, ShapeRule rule) {
    for (llvm::StringRef name : names)
      rules[name] = rule;
  }
  ShapeRule lookup(llvm::StringRef name) const { return rules.lookup(name); }

private:
  llvm::StringMap<ShapeRule> rules;
};

void addElementwiseShapes(ShapeRules &rules);
void addConvPoolShapes(ShapeRules &rules);
void addDataMovementShapes(ShapeRules &rules);
void addIndexingShapes(ShapeRules &rules);
void addReshapeShapes(ShapeRules &rules);
void addResizeShapes(ShapeRules &rules);
void addReductionShapes(ShapeRules &rules);
void addMatmulShapes(ShapeRules &rules);
void addNormalizationShapes(ShapeRules &rules);
void addRecurrentShapes(ShapeRules &rules);
void addGeneratorShapes(ShapeRules &rules);
void addOptimizerShapes(ShapeRules &rules);
void addSignalShapes(ShapeRules &rules);
void addVisionShapes(ShapeRules &rules);
void addQuantizationShapes(ShapeRules &rules);
void addMLShapes(ShapeRules &rules);
void addControlFlowShapes(ShapeRules &rules);

/// The walk over a function and what it has found.
class ShapeInference {
public:
  ShapeInference(SymbolicShapes &shapes, mlir::MLIRContext *context)
      : shapes(shapes), context(context) {}

  llvm::LogicalResult function(mlir::Operation *function);
  /// Infers the operations of `block`, whose arguments are done. Symbols made
  /// for shared expressions inside are not seen outside.
  llvm::LogicalResult block(mlir::Block &block);
  /// Gives `value` the dims of its type; unknown ones become symbols.
  void declare(mlir::Value value);
  Expr dimSymbol(mlir::Value value, int64_t index);
  Exprs *known(mlir::Value value);
  void setDims(mlir::Value value, Exprs dims);
  void setElements(mlir::Value value, Exprs elements) {
    shapes.setElements(value, std::move(elements));
  }
  /// Forgets what was found in the operations of `block`.
  void forget(mlir::Block &block);

  SymbolicShapes &shapes;
  mlir::MLIRContext *context;
  ShapeRules rules;
  llvm::DenseMap<mlir::Value, Ratios> ratiosOf;
  /// Symbols of values that follow from other expressions in a way that no
  /// expression states (minimum, broadcast, ...), by a text of these.
  llvm::StringMap<Expr> derived;
  /// What the symbols are that stand for a minimum of two expressions.
  llvm::DenseMap<Expr, std::pair<Expr, Expr>> minima;

private:
  llvm::LogicalResult operation(mlir::Operation *op);
};

/// One operator: its operands' shapes, its attributes, setters for its results.
class ShapeContext {
public:
  ShapeContext(ShapeInference &inference, mlir::Operation *op)
      : op(op), inference(inference) {}

  mlir::Operation *op;
  ShapeInference &inference;

  mlir::MLIRContext *context() const { return inference.context; }
  unsigned numOperands() const { return op->getNumOperands(); }
  unsigned numResults() const { return op->getNumResults(); }

  // --- operands ---
  /// Whether operand `index` is there and not `onnx.None`.
  bool present(unsigned index) const;
  bool resultPresent(unsigned index) const;
  std::optional<llvm::ArrayRef<Expr>> dims(unsigned operand) const;
  std::optional<int64_t> rank(unsigned operand) const;
  /// Dims when the rank is `rank`; an error when it is known and another.
  llvm::FailureOr<std::optional<Exprs>> dimsOfRank(unsigned operand,
                                                   int64_t rank);
  std::optional<Exprs> elements(unsigned operand) const;
  std::optional<Exprs> elementsOrSymbols(unsigned operand);
  std::optional<llvm::SmallVector<int64_t>> constants(unsigned operand) const;
  std::optional<int64_t> constantScalar(unsigned operand) const;
  std::optional<Ratios> ratios(unsigned operand) const;
  mlir::Type elementType(mlir::Value value) const;

  // --- attributes ---
  int64_t integer(llvm::StringRef name, int64_t missing) const;
  std::optional<int64_t> integer(llvm::StringRef name) const;
  std::optional<llvm::SmallVector<int64_t>>
  integers(llvm::StringRef name) const;
  llvm::StringRef string(llvm::StringRef name, llvm::StringRef missing) const;
  /// `axis` with negative values counted from the end; an error when out of
  /// [-rank, rank).
  llvm::FailureOr<int64_t> axis(int64_t axis, int64_t rank);
  /// All of `axes`, normalised; an error when one occurs twice.
  llvm::FailureOr<llvm::SmallVector<int64_t>> axes(llvm::ArrayRef<int64_t> axes,
                                                   int64_t rank);

  // --- results ---
  void setDims(unsigned result, Exprs dims);
  void setElements(unsigned result, Exprs elements);
  void setRatios(unsigned result, Ratios ratios);
  /// The dims of the result: null ones become symbols of its own.
  void setSame(unsigned result, unsigned operand);

  // --- expressions ---
  Expr constant(int64_t value) const { return dim::constant(context(), value); }
  bool isNonNegative(Expr expr) const;
  std::optional<int64_t> lowerBound(Expr expr) const;
  /// Whether `expr` depends on an element of data, which may be anything.
  bool readsData(Expr expr) const;
  /// The symbol that stands for `key` applied to `operands`, which first
  /// occurs as dim `index` of `result`.
  Expr derived(llvm::StringRef key, llvm::ArrayRef<Expr> operands,
               unsigned result, unsigned index);
  /// A symbol for min(a, b).
  Expr derivedMinimum(Expr a, Expr b, unsigned result, unsigned index);
  /// min(a, b), max(a, b) where one is provably not above the other.
  Expr minimum(Expr a, Expr b) const;
  Expr maximum(Expr a, Expr b) const;

  /// The broadcast of `shapes` as dims of `result`; an error where static dims
  /// contradict.
  llvm::FailureOr<Exprs> broadcast(llvm::ArrayRef<llvm::ArrayRef<Expr>> shapes,
                                   unsigned result = 0);
  /// One dim of it.
  llvm::FailureOr<Expr> broadcastDim(llvm::ArrayRef<Expr> dims, unsigned result,
                                     unsigned index);
  /// The dim that `a` and `b`, which must be equal, have; an error naming
  /// `what` when both are static and differ. The static one wins.
  llvm::FailureOr<Expr> same(Expr a, Expr b, const llvm::Twine &what);

  llvm::LogicalResult error(const llvm::Twine &message);
};

} // namespace onnxc

#endif // ONNXC_COMPILER_GRAPH_SHAPES_SHAPECONTEXT_H
