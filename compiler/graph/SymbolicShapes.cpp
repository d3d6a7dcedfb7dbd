//===- SymbolicShapes.cpp - Dims and shape tensors as expressions ---------===//

#include "compiler/graph/SymbolicShapes.h"
#include "compiler/graph/DimExpr.h"
#include "compiler/graph/shapes/ShapeContext.h"

#include "dialects/onnx/NodeError.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace onnxc;

FailureOr<SymbolicShapes> SymbolicShapes::compute(Operation *function) {
  SymbolicShapes shapes;
  ShapeInference inference(shapes, function->getContext());
  if (failed(inference.function(function)))
    return failure();
  return shapes;
}

std::optional<ArrayRef<AffineExpr>> SymbolicShapes::dims(Value value) const {
  auto it = dimsOf.find(value.getAsOpaquePointer());
  if (it == dimsOf.end())
    return std::nullopt;
  return ArrayRef<AffineExpr>(it->second);
}

std::optional<ArrayRef<AffineExpr>>
SymbolicShapes::elements(Value value) const {
  auto it = elementsOf.find(value.getAsOpaquePointer());
  if (it == elementsOf.end())
    return std::nullopt;
  return ArrayRef<AffineExpr>(it->second);
}

std::optional<SmallVector<AffineExpr>>
SymbolicShapes::elementsOrSymbols(Value value) {
  if (auto known = elements(value))
    return SmallVector<AffineExpr>(*known);
  auto type = dyn_cast<TensorType>(value.getType());
  auto shape = dims(value);
  if (!type || !shape || !type.getElementType().isInteger())
    return std::nullopt;
  int64_t count = 1;
  for (AffineExpr expr : *shape) {
    auto size = constant(expr);
    if (!size || llvm::MulOverflow(count, *size, count) || count > maxElements)
      return std::nullopt;
  }
  SmallVector<AffineExpr> result;
  for (int64_t index = 0; index < count; ++index)
    result.push_back(
        symbol(value.getContext(), {ShapeSymbol::Element, value, index}));
  return result;
}

std::optional<int64_t> SymbolicShapes::constant(AffineExpr expr) {
  return dim::constant(expr);
}

AffineExpr SymbolicShapes::symbol(MLIRContext *context, ShapeSymbol symbol) {
  auto [it, isNew] = symbolPositions.try_emplace(
      {symbol.value, 2 * symbol.index + (symbol.kind == ShapeSymbol::Element)},
      symbolTable.size());
  if (isNew)
    symbolTable.push_back(symbol);
  return getAffineSymbolExpr(it->second, context);
}

std::string SymbolicShapes::describe(AffineExpr expr) const {
  return dim::toString(expr, [&](unsigned position) -> std::string {
    if (position >= symbolTable.size())
      return "?";
    const ShapeSymbol &symbol = symbolTable[position];
    if (auto argument = dyn_cast<BlockArgument>(symbol.value)) {
      auto function =
          dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
      if (function && symbol.kind == ShapeSymbol::Dim) {
        auto names = function.getArgAttrOfType<ArrayAttr>(
            argument.getArgNumber(), "onnx.dims");
        if (names && symbol.index < static_cast<int64_t>(names.size()))
          if (auto name = dyn_cast<StringAttr>(names[symbol.index]);
              name && !name.getValue().empty())
            return name.str();
      }
    }
    return (symbol.kind == ShapeSymbol::Dim ? "?" : "@") +
           std::to_string(position);
  });
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

Expr ShapeInference::dimSymbol(Value value, int64_t index) {
  return shapes.symbol(context, {ShapeSymbol::Dim, value, index});
}

Exprs *ShapeInference::known(Value value) {
  auto it = shapes.dimsOf.find(value.getAsOpaquePointer());
  return it == shapes.dimsOf.end() ? nullptr : &it->second;
}

void ShapeInference::setDims(Value value, Exprs dims) {
  for (auto [index, expr] : llvm::enumerate(dims))
    if (!expr)
      expr = dimSymbol(value, index);
  shapes.dimsOf[value.getAsOpaquePointer()] = std::move(dims);
}

void ShapeInference::declare(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return;
  Exprs dims;
  for (auto [index, size] : llvm::enumerate(type.getShape()))
    dims.push_back(ShapedType::isDynamic(size) ? dimSymbol(value, index)
                                               : dim::constant(context, size));
  shapes.dimsOf[value.getAsOpaquePointer()] = std::move(dims);
}

void ShapeInference::forget(Block &block) {
  auto erase = [&](Value value) {
    shapes.dimsOf.erase(value.getAsOpaquePointer());
    shapes.elementsOf.erase(value.getAsOpaquePointer());
    ratiosOf.erase(value);
  };
  block.walk([&](Operation *op) {
    for (Value result : op->getResults())
      erase(result);
    for (Region &region : op->getRegions())
      for (Block &inner : region)
        for (Value argument : inner.getArguments())
          erase(argument);
  });
}

LogicalResult ShapeInference::function(Operation *op) {
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitError("shapes are inferred for functions only");
  if (function.isExternal())
    return success();
  if (!function.getFunctionBody().hasOneBlock())
    return op->emitError("shapes are inferred for functions of one block only");
  // Equal names are equal dims: the symbol is that of the first.
  llvm::StringMap<Expr> named;
  for (BlockArgument argument : function.getArguments()) {
    declare(argument);
    Exprs *dims = known(argument);
    auto names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                      "onnx.dims");
    if (!dims || !names)
      continue;
    for (auto [expr, attribute] : llvm::zip(*dims, names)) {
      auto name = dyn_cast<StringAttr>(attribute);
      if (name && !name.getValue().empty() && !dim::constant(expr))
        expr = named.try_emplace(name.getValue(), expr).first->second;
    }
  }
  return block(function.getFunctionBody().front());
}

LogicalResult ShapeInference::block(Block &block) {
  bool nested = !isa<FunctionOpInterface>(block.getParentOp());
  llvm::StringMap<Expr> outer;
  if (nested)
    outer = derived;
  for (Operation &op : block)
    if (failed(operation(&op)))
      return failure();
  if (nested)
    derived = std::move(outer);
  return success();
}

LogicalResult ShapeInference::operation(Operation *op) {
  StringRef name = op->getName().getStringRef();
  if (name.consume_front("onnx."))
    if (ShapeRule rule = rules.lookup(name)) {
      ShapeContext shape(*this, op);
      if (failed(rule(shape)))
        return failure();
    }
  for (Value result : op->getResults()) {
    if (!isa<TensorType>(result.getType()))
      continue;
    if (!known(result))
      declare(result);
    Exprs *dims = known(result);
    if (!dims)
      continue;
    // Room for eight bytes an element must have a size that can be stated.
    int64_t bytes = 8;
    for (Expr expr : *dims) {
      auto size = dim::constant(expr);
      if (!size)
        continue;
      if (*size < 0) {
        nodeError(op) << "a result's dim would be " << *size
                      << ": the input is too small";
        return failure();
      }
      if (llvm::MulOverflow(bytes, std::max<int64_t>(*size, 1), bytes)) {
        nodeError(op) << "a result would have more elements than memory can "
                         "address";
        return failure();
      }
    }
  }
  return success();
}
