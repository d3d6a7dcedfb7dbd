//===- AnyRank.cpp - Who works on tensors of any rank ---------------------===//

#include "compiler/graph/AnyRank.h"

#include "mlir/IR/OpDefinition.h"

using namespace mlir;

bool onnxc::takesAnyRank(OpOperand &operand) {
  Operation *op = operand.getOwner();
  if (op->hasTrait<OpTrait::IsTerminator>())
    return true;
  StringRef name = op->getName().stripDialect();
  if (name == "SequenceConstruct")
    return true;
  if (name == "SequenceInsert")
    return operand.getOperandNumber() == 1;
  static constexpr StringLiteral ofFirst[] = {"Flatten",
                                              "Identity",
                                              "Optional",
                                              "OptionalGetElement",
                                              "OptionalHasElement",
                                              "Reshape",
                                              "Shape",
                                              "Size"};
  return operand.getOperandNumber() == 0 && llvm::is_contained(ofFirst, name);
}

bool onnxc::givesAnyRank(Operation *op) {
  static constexpr StringLiteral names[] = {
      "Identity", "If", "OptionalGetElement", "Reshape", "SequenceAt"};
  return llvm::is_contained(names, op->getName().stripDialect());
}
