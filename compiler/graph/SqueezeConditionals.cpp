//===- SqueezeConditionals.cpp - Squeezes that ask for the dim first ------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

#include "dialects/onnx/Elements.h"

#include "mlir/IR/PatternMatch.h"

namespace onnxc {
#define GEN_PASS_DEF_SQUEEZECONDITIONALS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// The number that a constant of one element is.
static std::optional<int64_t> number(Value value) {
  auto elements = integerConstant(value);
  if (!elements || elements->size() != 1)
    return std::nullopt;
  return elements->front();
}

/// `axis` from the front, where the rank of `value` is known.
static int64_t normalized(int64_t axis, Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && axis < 0 ? axis + type.getRank() : axis;
}

/// Whether `condition` is `Shape(value)[axis] == 1`.
static bool asksWhetherOne(Value condition, Value value, int64_t axis) {
  while (Operation *cast = definedBy(condition, "Cast"))
    condition = cast->getOperand(0);
  Operation *equal = definedBy(condition, "Equal");
  if (!equal)
    return false;
  for (unsigned side : {0, 1}) {
    Operation *gather = definedBy(equal->getOperand(side), "Gather");
    Operation *shape =
        gather ? definedBy(gather->getOperand(0), "Shape") : nullptr;
    if (!shape || number(equal->getOperand(1 - side)) != 1 ||
        shape->getOperand(0) != value || shape->getAttr("end"))
      continue;
    auto start = shape->getAttrOfType<IntegerAttr>("start");
    auto asked = number(gather->getOperand(1));
    if (asked && (!start || start.getValue().isZero()) &&
        normalized(*asked, value) == normalized(axis, value))
      return true;
  }
  return false;
}

/// What a region gives when it does nothing but constants and perhaps a
/// Squeeze, whose operation goes to `squeeze`.
static Value onlyResult(Region &region, Operation *&squeeze) {
  if (!region.hasOneBlock() || region.front().empty() ||
      region.front().getNumArguments() != 0)
    return {};
  squeeze = nullptr;
  for (Operation &op : region.front().without_terminator()) {
    if (constantElements(op.getResult(0)) || isOnnx(&op, "None"))
      continue;
    if (squeeze || !isOnnx(&op, "Squeeze"))
      return {};
    squeeze = &op;
  }
  Operation *end = region.front().getTerminator();
  return end->getNumOperands() == 1 ? end->getOperand(0) : Value();
}

static void rewrite(Operation *conditional) {
  if (conditional->getNumRegions() != 2 || conditional->getNumResults() != 1)
    return;
  // Regions are in the order of their names: else_branch, then_branch.
  Operation *squeeze, *other;
  Value kept = onlyResult(conditional->getRegion(0), other);
  Value squeezed = onlyResult(conditional->getRegion(1), squeeze);
  if (!kept || other || !squeeze || squeezed != squeeze->getResult(0) ||
      squeeze->getOperand(0) != kept || !hasOperand(squeeze, 1))
    return;
  auto axis = number(squeeze->getOperand(1));
  if (!axis || !asksWhetherOne(conditional->getOperand(0), kept, *axis))
    return;
  // The axes may be a constant of the branch.
  OpBuilder builder(conditional);
  Value axes = createConstant(builder, squeeze->getLoc(),
                              constantElements(squeeze->getOperand(1)));
  squeeze->moveBefore(conditional);
  squeeze->setOperand(1, axes);
  conditional->getResult(0).replaceAllUsesWith(squeeze->getResult(0));
  conditional->erase();
}

namespace {
struct SqueezeConditionals
    : onnxc::impl::SqueezeConditionalsBase<SqueezeConditionals> {
  void runOnOperation() override {
    SmallVector<Operation *> conditionals;
    getOperation().walk([&](Operation *op) {
      if (isOnnx(op, "If"))
        conditionals.push_back(op);
    });
    for (Operation *op : conditionals)
      rewrite(op);
    eraseDead(getOperation());
  }
};
} // namespace
