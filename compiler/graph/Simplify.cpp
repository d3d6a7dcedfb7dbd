//===- Simplify.cpp - Remove operators that do nothing --------------------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"
#include "compiler/graph/SymbolicShapes.h"

#include "dialects/onnx/Elements.h"

namespace onnxc {
#define GEN_PASS_DEF_SIMPLIFY
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

struct Simplify : onnxc::impl::SimplifyBase<Simplify> {
  using SimplifyBase::SimplifyBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(function);
    if (failed(shapes))
      return signalPassFailure();
    SmallVector<Operation *> decided;
    function.walk([&](Operation *op) {
      if (isOnnx(op, "If")) {
        decided.push_back(op);
        return;
      }
      if (Value same = unchanged(op, *shapes))
        if (same.getType() == op->getResult(0).getType())
          op->getResult(0).replaceAllUsesWith(same);
    });
    // Inner conditionals come first.
    for (Operation *op : decided)
      takeBranch(op);
    eraseDead(function);
    updateFunctionType(function);
  }

private:
  /// The operand that the first result of `op` equals; null if none.
  static Value unchanged(Operation *op, const SymbolicShapes &shapes) {
    StringRef name = op->getName().getStringRef();
    if (!name.consume_front("onnx.") || op->getNumOperands() == 0 ||
        op->getNumResults() == 0 || op->getNumRegions() != 0)
      return {};
    Value data = op->getOperand(0);
    if (name == "Identity" || (name == "Dropout" && isInference(op)))
      return data;
    if (name == "Cast" || name == "CastLike")
      return data; // of equal types, as the caller checks
    if (op->getNumOperands() == 1 &&
        (name == "Sum" || name == "Max" || name == "Min" || name == "Mean" ||
         name == "Concat"))
      return data;
    if (name == "Transpose")
      return isIdentity(op) ? data : Value();
    auto before = shapes.dims(data), after = shapes.dims(op->getResult(0));
    if (!before || !after || *before != *after)
      return {};
    if (name == "Reshape" || name == "Flatten" || name == "Squeeze" ||
        name == "Unsqueeze" || name == "Expand" || name == "Tile")
      return data;
    if (name == "Split" && op->getNumResults() == 1)
      return data;
    if (name == "Slice" && allAbove(op, 4, 0))
      return data;
    if (name == "Pad" && hasOperand(op, 1) && allZero(op->getOperand(1)))
      return data;
    return {};
  }

  static bool isInference(Operation *op) {
    if (op->getNumResults() > 1 && !op->getResult(1).use_empty())
      return false;
    if (!hasOperand(op, 2))
      return true;
    auto training = integerConstant(op->getOperand(2));
    return training && training->size() == 1 && training->front() == 0;
  }

  static bool isIdentity(Operation *op) {
    auto order = op->getAttrOfType<DenseI64ArrayAttr>("perm");
    if (!order)
      return false;
    for (auto [index, axis] : llvm::enumerate(order.asArrayRef()))
      if (axis != static_cast<int64_t>(index))
        return false;
    return true;
  }

  /// Whether operand `index` is absent or has only elements above `least`.
  static bool allAbove(Operation *op, unsigned index, int64_t least) {
    if (!hasOperand(op, index))
      return true;
    auto values = integerConstant(op->getOperand(index));
    return values &&
           llvm::all_of(*values, [&](int64_t value) { return value > least; });
  }

  static bool allZero(Value value) {
    auto values = integerConstant(value);
    return values &&
           llvm::all_of(*values, [](int64_t pad) { return pad == 0; });
  }

  /// Puts the branch that a constant condition selects in the place of an If.
  static void takeBranch(Operation *op) {
    auto condition = integerConstant(op->getOperand(0));
    if (!condition || condition->size() != 1 || op->getNumRegions() != 2)
      return;
    // Regions are in the order of their names: else_branch, then_branch.
    Region &region = op->getRegion(condition->front() ? 1 : 0);
    if (!region.hasOneBlock() || region.front().empty())
      return;
    Block &block = region.front();
    Operation *end = block.getTerminator();
    if (end->getNumOperands() != op->getNumResults() ||
        block.getNumArguments() != 0)
      return;
    SmallVector<Value> values(end->getOperands());
    end->erase();
    op->getBlock()->getOperations().splice(op->getIterator(),
                                           block.getOperations());
    op->replaceAllUsesWith(values);
    op->erase();
  }
};

} // namespace
