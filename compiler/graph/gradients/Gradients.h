//===- Gradients.h - How operators are differentiated -----------*- C++ -*-===//
//
// A rule turns the gradient of an operation's results into that of its
// operands (reverse mode). One file per family of operators.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_GRAPH_GRADIENTS_GRADIENTS_H
#define ONNXC_COMPILER_GRAPH_GRADIENTS_GRADIENTS_H

#include "compiler/graph/SymbolicShapes.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"

#include <string>

namespace onnxc {

/// One operation on the way back. What is built has types without rank, which
/// shape inference refines.
class Backward {
public:
  /// `gradients`: of the results, null where nothing depends on one. `wants`:
  /// the operands whose gradient somebody asks for.
  Backward(mlir::OpBuilder &builder, mlir::Operation *op,
           const SymbolicShapes &shapes, llvm::ArrayRef<mlir::Value> gradients,
           llvm::ArrayRef<bool> wants)
      : op(op), builder(builder), shapes(shapes), gradients(gradients),
        wanted(wants), given(op->getNumOperands()) {}

  mlir::Operation *const op;

  // --- the operation ---
  /// Null when absent.
  mlir::Value in(unsigned index) const;
  mlir::Value out(unsigned index = 0) const { return op->getResult(index); }
  unsigned inputs() const { return op->getNumOperands(); }
  /// The gradient of a result; zeros where nothing depends on it.
  mlir::Value gradient(unsigned result = 0);
  /// Whether y depends on a result.
  bool isUsed(unsigned result) const {
    return result < gradients.size() && gradients[result];
  }
  bool wants(unsigned operand) const { return wanted[operand]; }
  std::optional<llvm::ArrayRef<mlir::AffineExpr>>
  dims(mlir::Value value) const {
    return shapes.dims(value);
  }
  /// -1 where it is not known.
  int64_t rank(mlir::Value value) const;
  int64_t integer(llvm::StringRef name, int64_t otherwise) const;
  double real(llvm::StringRef name, double otherwise) const;

  // --- results ---
  void give(unsigned operand, mlir::Value gradient) {
    given[operand] = gradient;
  }
  /// The same with a gradient of the result's dims, to which the operand was
  /// broadcast.
  mlir::LogicalResult giveSummed(unsigned operand, mlir::Value gradient);
  mlir::Value givenTo(unsigned operand) const { return given[operand]; }
  mlir::LogicalResult refuse(const llvm::Twine &why) {
    reason = why.str();
    return mlir::failure();
  }
  const std::string &refusal() const { return reason; }

  // --- operations ---
  using Attributes = llvm::ArrayRef<mlir::NamedAttribute>;
  /// Operands that are null are absent. The results have the element type
  /// `element`, by default the first operand's.
  mlir::Operation *create(llvm::StringRef name,
                          llvm::ArrayRef<mlir::Value> operands,
                          Attributes attributes = {}, unsigned results = 1,
                          mlir::Type element = nullptr);
  mlir::Value call(llvm::StringRef name, llvm::ArrayRef<mlir::Value> operands,
                   Attributes attributes = {}, mlir::Type element = nullptr) {
    return create(name, operands, attributes, 1, element)->getResult(0);
  }
  mlir::NamedAttribute attribute(llvm::StringRef name, int64_t value);
  mlir::NamedAttribute attribute(llvm::StringRef name,
                                 llvm::ArrayRef<int64_t> values);
  mlir::NamedAttribute text(llvm::StringRef name, llvm::StringRef value);

  mlir::Value add(mlir::Value x, mlir::Value y) { return call("Add", {x, y}); }
  mlir::Value sub(mlir::Value x, mlir::Value y) { return call("Sub", {x, y}); }
  mlir::Value mul(mlir::Value x, mlir::Value y) { return call("Mul", {x, y}); }
  mlir::Value div(mlir::Value x, mlir::Value y) { return call("Div", {x, y}); }
  mlir::Value neg(mlir::Value x) { return call("Neg", {x}); }
  mlir::Value square(mlir::Value x) { return mul(x, x); }
  mlir::Value shapeOf(mlir::Value x);
  /// `x` with the dims of `like`.
  mlir::Value reshapeLike(mlir::Value x, mlir::Value like);
  mlir::Value castLike(mlir::Value x, mlir::Value like);
  /// A scalar of the element type of `like`.
  mlir::Value number(double value, mlir::Value like);
  mlir::Value integers(llvm::ArrayRef<int64_t> values);
  /// `value` everywhere, with dims and type of `like`.
  mlir::Value filled(double value, mlir::Value like);
  /// Whether `x` and `y` compare so, as bool.
  mlir::Value compare(llvm::StringRef kind, mlir::Value x, mlir::Value y);
  /// `x` where the condition holds, 0 elsewhere.
  mlir::Value where(mlir::Value condition, mlir::Value x);
  /// Sums along `axes`, which stay with size 1.
  mlir::Value sum(mlir::Value x, llvm::ArrayRef<int64_t> axes);

private:
  mlir::OpBuilder &builder;
  const SymbolicShapes &shapes;
  llvm::ArrayRef<mlir::Value> gradients;
  llvm::ArrayRef<bool> wanted;
  llvm::SmallVector<mlir::Value> given;
  std::string reason;
};

using GradientRule = mlir::LogicalResult (*)(Backward &);

/// Operator name without the dialect ("MatMul") to its rule.
class GradientRules {
public:
  GradientRules();
  void add(llvm::StringRef name, GradientRule rule) { rules[name] = rule; }
  GradientRule lookup(llvm::StringRef name) const { return rules.lookup(name); }

private:
  llvm::StringMap<GradientRule> rules;
};

// One for each file here.
void addArithmeticGradients(GradientRules &rules);
void addMovementGradients(GradientRules &rules);
void addNormalizationGradients(GradientRules &rules);
void addProductGradients(GradientRules &rules);
void addReductionGradients(GradientRules &rules);

} // namespace onnxc

#endif // ONNXC_COMPILER_GRAPH_GRADIENTS_GRADIENTS_H
