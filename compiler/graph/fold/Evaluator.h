//===- Evaluator.h - Numeric evaluation of operators on constants -*- C++
//-*-===//
#ifndef ONNXC_COMPILER_GRAPH_FOLD_EVALUATOR_H
#define ONNXC_COMPILER_GRAPH_FOLD_EVALUATOR_H

#include "dialects/onnx/Elements.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"

#include <optional>
#include <vector>

namespace onnxc::fold {

/// A constant operand: its dims, and its elements as numbers.
class Operand {
public:
  /// nullopt for elements that have no bytes (strings).
  static std::optional<Operand> get(mlir::ElementsAttr elements);

  mlir::Type elementType() const { return type; }
  llvm::ArrayRef<int64_t> dims() const { return shape; }
  int64_t count() const { return data.count(); }
  int64_t rank() const { return shape.size(); }
  bool isSplat() const { return data.isSplat(); }
  /// Whether the elements are float or integer (or bool) numbers of up to 64
  /// bits, which `real` and `integer` read.
  bool isNumeric() const { return isFloat() || isInteger(); }
  bool isFloat() const;
  bool isInteger() const { return type.isInteger(); }
  /// Element `index` (row-major); exact but for integers above 2^53.
  double real(int64_t index) const;
  /// Element `index` of an integer tensor; wraps for ui64 above 2^63.
  int64_t integer(int64_t index) const;
  llvm::ArrayRef<char> bytes(int64_t index) const {
    return data.element(index);
  }

private:
  explicit Operand(ElementBytes data) : data(std::move(data)) {}
  ElementBytes data;
  mlir::Type type;
  // What `type` says, for it is asked once for each element.
  bool isSingle = false, isSigned = false;
  unsigned bits = 64;
  llvm::SmallVector<int64_t> shape;
};

/// The elements of a result being made; a splat when made with `splat`.
class Result {
public:
  Result(llvm::ArrayRef<int64_t> dims, mlir::Type elementType,
         bool splat = false);

  int64_t count() const { return elements; }
  llvm::ArrayRef<int64_t> dims() const { return shape; }
  /// How many elements must be set: one for a splat.
  int64_t stored() const { return splat ? 1 : elements; }
  mlir::Type elementType() const { return type; }
  void setBytes(int64_t index, llvm::ArrayRef<char> bytes);
  void setReal(int64_t index, double value);
  void setInteger(int64_t index, int64_t value);
  mlir::ElementsAttr take();

private:
  llvm::SmallVector<int64_t> shape;
  mlir::Type type;
  int64_t elements, size;
  bool splat, isSingle;
  int64_t bits; ///< that an integer keeps
  std::vector<char> data;
};

/// One operator all of whose operands are constants.
struct Evaluation {
  mlir::Operation *op;
  /// nullopt for absent operands.
  llvm::SmallVector<std::optional<Operand>> operands;
  /// The static dims of each result; nullopt where these are not known.
  llvm::SmallVector<std::optional<llvm::SmallVector<int64_t>>> dims;

  bool present(unsigned index) const {
    return index < operands.size() && operands[index].has_value();
  }
  const Operand &operand(unsigned index) const { return *operands[index]; }
  mlir::Type resultElementType(unsigned index = 0) const;
  int64_t integer(llvm::StringRef name, int64_t missing) const;
  double real(llvm::StringRef name, double missing) const;
  std::optional<llvm::SmallVector<int64_t>>
  integers(llvm::StringRef name) const;
  /// The values of an integer operand.
  llvm::SmallVector<int64_t> values(unsigned index) const;
};

/// The results; nullopt: not evaluated.
using Results = std::optional<llvm::SmallVector<mlir::ElementsAttr>>;
using Evaluator = Results (*)(const Evaluation &);

/// The evaluators by operation name without "onnx.".
class Evaluators {
public:
  Evaluators();
  void on(llvm::StringRef name, Evaluator evaluator) {
    table[name] = evaluator;
  }
  Evaluator lookup(llvm::StringRef name) const { return table.lookup(name); }

private:
  llvm::StringMap<Evaluator> table;
};

void addElementwise(Evaluators &evaluators);
void addDataMovement(Evaluators &evaluators);
void addReductions(Evaluators &evaluators);

/// Row-major strides of `dims`.
llvm::SmallVector<int64_t> strides(llvm::ArrayRef<int64_t> dims);

/// Calls `visit` with each position in `dims` and its row-major index.
void forEach(llvm::ArrayRef<int64_t> dims,
             llvm::function_ref<void(llvm::ArrayRef<int64_t>, int64_t)> visit);

/// The index in `operand` of the element that broadcasting puts at `position`
/// of a result.
int64_t broadcastIndex(const Operand &operand,
                       llvm::ArrayRef<int64_t> position);

} // namespace onnxc::fold

#endif // ONNXC_COMPILER_GRAPH_FOLD_EVALUATOR_H
