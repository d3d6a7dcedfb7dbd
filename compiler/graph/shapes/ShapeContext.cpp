//===- ShapeContext.cpp - What a shape rule sees of its operator ----------===//

#include "compiler/graph/shapes/ShapeContext.h"

#include "dialects/onnx/NodeError.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace onnxc;

ShapeRules::ShapeRules() {
  addElementwiseShapes(*this);
  addConvPoolShapes(*this);
  addDataMovementShapes(*this);
  addIndexingShapes(*this);
  addReshapeShapes(*this);
  addResizeShapes(*this);
  addReductionShapes(*this);
  addMatmulShapes(*this);
  addNormalizationShapes(*this);
  addRecurrentShapes(*this);
  addGeneratorShapes(*this);
  addOptimizerShapes(*this);
  addSignalShapes(*this);
  addVisionShapes(*this);
  addQuantizationShapes(*this);
  addMLShapes(*this);
  addControlFlowShapes(*this);
}

bool ShapeContext::present(unsigned index) const {
  return index < op->getNumOperands() &&
         !isa<NoneType>(op->getOperand(index).getType());
}

bool ShapeContext::resultPresent(unsigned index) const {
  return index < op->getNumResults() &&
         !isa<NoneType>(op->getResult(index).getType());
}

std::optional<ArrayRef<Expr>> ShapeContext::dims(unsigned operand) const {
  if (operand >= op->getNumOperands())
    return std::nullopt;
  return inference.shapes.dims(op->getOperand(operand));
}

std::optional<int64_t> ShapeContext::rank(unsigned operand) const {
  auto shape = dims(operand);
  if (!shape)
    return std::nullopt;
  return shape->size();
}

FailureOr<std::optional<Exprs>> ShapeContext::dimsOfRank(unsigned operand,
                                                         int64_t rank) {
  auto shape = dims(operand);
  if (!shape)
    return std::optional<Exprs>();
  if (static_cast<int64_t>(shape->size()) != rank)
    return FailureOr<std::optional<Exprs>>(
        error("input " + Twine(operand) + " has rank " + Twine(shape->size()) +
              ", but rank " + Twine(rank) + " is needed"));
  return std::optional<Exprs>(Exprs(*shape));
}

std::optional<Exprs> ShapeContext::elements(unsigned operand) const {
  if (operand >= op->getNumOperands())
    return std::nullopt;
  auto known = inference.shapes.elements(op->getOperand(operand));
  if (!known)
    return std::nullopt;
  return Exprs(*known);
}

std::optional<Exprs> ShapeContext::elementsOrSymbols(unsigned operand) {
  if (operand >= op->getNumOperands())
    return std::nullopt;
  return inference.shapes.elementsOrSymbols(op->getOperand(operand));
}

std::optional<SmallVector<int64_t>>
ShapeContext::constants(unsigned operand) const {
  auto known = elements(operand);
  if (!known) {
    // No elements at all are known too.
    auto shape = dims(operand);
    if (shape && llvm::any_of(*shape, [](Expr expr) {
          return dim::constant(expr) == 0;
        }))
      return SmallVector<int64_t>();
    return std::nullopt;
  }
  SmallVector<int64_t> values;
  for (Expr expr : *known) {
    auto value = dim::constant(expr);
    if (!value)
      return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

std::optional<int64_t> ShapeContext::constantScalar(unsigned operand) const {
  auto values = constants(operand);
  if (!values || values->size() != 1)
    return std::nullopt;
  return values->front();
}

std::optional<Ratios> ShapeContext::ratios(unsigned operand) const {
  if (operand >= op->getNumOperands())
    return std::nullopt;
  auto it = inference.ratiosOf.find(op->getOperand(operand));
  if (it == inference.ratiosOf.end())
    return std::nullopt;
  return it->second;
}

Type ShapeContext::elementType(Value value) const {
  auto type = dyn_cast<TensorType>(value.getType());
  return type ? type.getElementType() : Type();
}

std::optional<int64_t> ShapeContext::integer(StringRef name) const {
  auto attribute = op->getAttrOfType<IntegerAttr>(name);
  if (!attribute)
    return std::nullopt;
  return attribute.getValue().getSExtValue();
}

int64_t ShapeContext::integer(StringRef name, int64_t missing) const {
  return integer(name).value_or(missing);
}

std::optional<SmallVector<int64_t>>
ShapeContext::integers(StringRef name) const {
  auto attribute = op->getAttrOfType<DenseI64ArrayAttr>(name);
  if (!attribute)
    return std::nullopt;
  return SmallVector<int64_t>(attribute.asArrayRef());
}

StringRef ShapeContext::string(StringRef name, StringRef missing) const {
  auto attribute = op->getAttrOfType<StringAttr>(name);
  return attribute ? attribute.getValue() : missing;
}

FailureOr<int64_t> ShapeContext::axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return FailureOr<int64_t>(error(
        "axis " + Twine(axis) + " is out of range for rank " + Twine(rank)));
  return axis < 0 ? axis + rank : axis;
}

FailureOr<SmallVector<int64_t>> ShapeContext::axes(ArrayRef<int64_t> axes,
                                                   int64_t rank) {
  SmallVector<int64_t> result;
  for (int64_t value : axes) {
    FailureOr<int64_t> normal = axis(value, rank);
    if (failed(normal))
      return failure();
    if (llvm::is_contained(result, *normal))
      return FailureOr<SmallVector<int64_t>>(
          error("axis " + Twine(value) + " occurs twice"));
    result.push_back(*normal);
  }
  return result;
}

void ShapeContext::setDims(unsigned result, Exprs dims) {
  if (resultPresent(result) && isa<TensorType>(op->getResult(result).getType()))
    inference.setDims(op->getResult(result), std::move(dims));
}

void ShapeContext::setElements(unsigned result, Exprs elements) {
  if (!resultPresent(result) || elements.size() > SymbolicShapes::maxElements ||
      llvm::any_of(elements, [](Expr expr) { return !expr; }))
    return;
  auto type = dyn_cast<TensorType>(op->getResult(result).getType());
  if (type && type.getElementType().isInteger())
    inference.shapes.setElements(op->getResult(result), std::move(elements));
}

void ShapeContext::setRatios(unsigned result, Ratios ratios) {
  if (!resultPresent(result) || ratios.size() > SymbolicShapes::maxElements ||
      llvm::any_of(ratios, [](const Ratio &ratio) {
        return !ratio.numerator || ratio.denominator <= 0;
      }))
    return;
  inference.ratiosOf[op->getResult(result)] = std::move(ratios);
}

void ShapeContext::setSame(unsigned result, unsigned operand) {
  if (auto shape = dims(operand))
    setDims(result, Exprs(*shape));
}

std::optional<int64_t> ShapeContext::lowerBound(Expr expr) const {
  ArrayRef<ShapeSymbol> symbols = inference.shapes.symbols();
  return dim::lowerBound(expr, [&](unsigned index) {
    return symbols[index].kind == ShapeSymbol::Dim;
  });
}

bool ShapeContext::isNonNegative(Expr expr) const {
  auto bound = lowerBound(expr);
  return bound && *bound >= 0;
}

bool ShapeContext::readsData(Expr expr) const {
  ArrayRef<ShapeSymbol> symbols = inference.shapes.symbols();
  return dim::usesSymbol(expr, [&](unsigned index) {
    return symbols[index].kind == ShapeSymbol::Element;
  });
}

Expr ShapeContext::derived(StringRef key, ArrayRef<Expr> operands,
                           unsigned result, unsigned index) {
  std::string text = key.str();
  for (Expr operand : operands) {
    // A part that is not known makes the whole a symbol of its own.
    if (!operand)
      return inference.dimSymbol(op->getResult(result), index);
    text += '|';
    text += dim::toString(
        operand, [](unsigned symbol) { return "s" + std::to_string(symbol); });
  }
  Expr &symbol = inference.derived[text];
  if (!symbol)
    symbol = inference.dimSymbol(op->getResult(result), index);
  return symbol;
}

Expr ShapeContext::derivedMinimum(Expr a, Expr b, unsigned result,
                                  unsigned index) {
  Expr symbol = derived("min", {a, b}, result, index);
  if (a && b)
    inference.minima[symbol] = {a, b};
  return symbol;
}

Expr ShapeContext::minimum(Expr a, Expr b) const {
  if (isNonNegative(dim::subtract(a, b)))
    return b;
  return isNonNegative(dim::subtract(b, a)) ? a : Expr();
}

Expr ShapeContext::maximum(Expr a, Expr b) const {
  if (isNonNegative(dim::subtract(a, b)))
    return a;
  return isNonNegative(dim::subtract(b, a)) ? b : Expr();
}

FailureOr<Expr> ShapeContext::broadcastDim(ArrayRef<Expr> dims, unsigned result,
                                           unsigned index) {
  SmallVector<Expr> others;
  std::optional<int64_t> fixed;
  for (Expr expr : dims) {
    if (auto value = dim::constant(expr)) {
      if (*value == 1)
        continue;
      if (fixed && *fixed != *value)
        return FailureOr<Expr>(error("dims " + Twine(*fixed) + " and " +
                                     Twine(*value) +
                                     " cannot be broadcast together"));
      fixed = value;
    } else if (!llvm::is_contained(others, expr)) {
      others.push_back(expr);
    }
  }
  if (fixed)
    return constant(*fixed);
  if (others.empty())
    return constant(1);
  if (others.size() == 1)
    return others.front();
  // Beside d, min(c, d) is d, or c = 1 < d, or does not fit: so d in any case.
  // A table of c positions is sliced to the length of the input like that.
  SmallVector<Expr> all = others;
  llvm::erase_if(others, [&](Expr expr) {
    auto it = inference.minima.find(expr);
    if (it == inference.minima.end())
      return false;
    auto [a, b] = it->second;
    auto isRest = [&](Expr bound, Expr rest) {
      auto value = dim::constant(bound);
      return value && *value >= 1 && llvm::is_contained(all, rest);
    };
    return isRest(a, b) || isRest(b, a);
  });
  if (others.size() == 1)
    return others.front();
  // Either may be 1 when the model runs.
  llvm::sort(others, [](Expr a, Expr b) {
    auto name = [](unsigned symbol) { return "s" + std::to_string(symbol); };
    return dim::toString(a, name) < dim::toString(b, name);
  });
  return derived("broadcast", others, result, index);
}

FailureOr<Exprs> ShapeContext::broadcast(ArrayRef<ArrayRef<Expr>> shapes,
                                         unsigned result) {
  size_t rank = 0;
  for (ArrayRef<Expr> shape : shapes)
    rank = std::max(rank, shape.size());
  Exprs dims;
  for (size_t index = 0; index < rank; ++index) {
    SmallVector<Expr> column;
    for (ArrayRef<Expr> shape : shapes)
      if (index + shape.size() >= rank)
        column.push_back(shape[index + shape.size() - rank]);
    FailureOr<Expr> expr = broadcastDim(column, result, index);
    if (failed(expr))
      return failure();
    dims.push_back(*expr);
  }
  return dims;
}

FailureOr<Expr> ShapeContext::same(Expr a, Expr b, const Twine &what) {
  auto x = dim::constant(a), y = dim::constant(b);
  if (x && y && *x != *y)
    return FailureOr<Expr>(
        error(what + " differ: " + Twine(*x) + " and " + Twine(*y)));
  return x ? a : y ? b : a ? a : b;
}

LogicalResult ShapeContext::error(const Twine &message) {
  nodeError(op) << message.str();
  return failure();
}
