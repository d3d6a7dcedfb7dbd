//===- Patterns.cpp - Matching exported arithmetic ------------------------===//

#include "compiler/graph/patterns/Patterns.h"
#include "compiler/graph/Rewriting.h"

using namespace mlir;
using namespace onnxc;

Value onnxc::withConstant(Value value, StringRef name, double number) {
  Operation *op = definedBy(value, name);
  if (!op || op->getNumOperands() != 2)
    return {};
  Value left = op->getOperand(0), right = op->getOperand(1);
  if (isSplatOf(right, number) && left.getType() == value.getType())
    return left;
  bool commutes = name == "Add" || name == "Mul";
  if (commutes && isSplatOf(left, number) && right.getType() == value.getType())
    return right;
  return {};
}

Value onnxc::timesConstant(Value value, double number) {
  if (Value other = withConstant(value, "Mul", number))
    return other;
  return withConstant(value, "Div", 1 / number);
}

Value onnxc::otherOperand(Operation *op, Value value) {
  if (op->getNumOperands() != 2)
    return {};
  if (op->getOperand(0) == value)
    return op->getOperand(1);
  return op->getOperand(1) == value ? op->getOperand(0) : Value();
}

bool onnxc::usedOnce(Operation *op) { return op->hasOneUse(); }

SmallVector<Value> onnxc::factors(Operation *product) {
  SmallVector<Value> result;
  for (Value operand : product->getOperands()) {
    Operation *inner = definedBy(operand, "Mul");
    if (inner && usedOnce(inner))
      result.append(factors(inner));
    else
      result.push_back(operand);
  }
  return result;
}
