//===- Bounds.cpp - Clip, and the operators that inference drops ----------===//

#include "compiler/import/upgrade/Upgrade.h"
#include "dialects/onnx/Elements.h"

using namespace mlir;
using onnxc::Node;

/// Clip's bounds were attributes before 11.
static LogicalResult upgradeClip(Node &node) {
  Type element = getElementTypeOrSelf(node.operands[0].getType());
  for (auto [name, index] : {std::pair("min", 1), std::pair("max", 2)}) {
    if (!node.attributes.get(name))
      continue;
    node.setOperand(index, node.scalar(element, node.real(name, 0)));
    node.attributes.erase(name);
  }
  return success();
}

static LogicalResult dropIdentity(Node &node) {
  node.results = {node.operands[0]};
  return success();
}

/// Dropout 1 and 6 that train as the newest, whose mask has bools.
static void upgradeTraining(Node &node) {
  Builder &builder = node.builder;
  node.setOperand(1, node.scalar(builder.getF32Type(), node.real("ratio", .5)));
  node.setOperand(2, node.scalar(builder.getI1Type(), 1));
  for (StringRef attribute : {"ratio", "is_test"})
    node.attributes.erase(attribute);
  if (!node.hasResult(1))
    return;
  Type maskType = node.resultTypes[1], i1 = builder.getI1Type();
  Type booleans = UnrankedTensorType::get(i1);
  if (auto ranked = dyn_cast<RankedTensorType>(maskType))
    booleans = RankedTensorType::get(ranked.getShape(), i1);
  Operation *dropout = onnxc::createOperation(
      node.builder, node.location, node.operation, node.operands,
      node.attributes, {node.resultTypes[0], booleans});
  Value mask = node.emit("onnx.CastLike", maskType,
                         {dropout->getResult(1), node.operands[0]});
  node.results = {dropout->getResult(0), mask};
}

/// Outside training Dropout passes its operand on, and its mask is all true.
static LogicalResult dropDropout(Node &node) {
  if (node.schema->SinceVersion() < 7 && !node.integer("is_test", 0)) {
    upgradeTraining(node);
    return success();
  }
  if (node.hasOperand(2)) {
    ElementsAttr training = onnxc::constantElements(node.operands[2]);
    std::optional<SmallVector<int64_t>> values;
    if (training)
      values = onnxc::integerValues(training);
    // A training mode that is on, or known at run time alone, stays.
    if (!values || values->empty() || values->front())
      return success();
  }
  Value mask;
  if (node.hasResult(1)) {
    Type i64 = node.builder.getI64Type();
    Value shape = node.emit("onnx.Shape",
                            RankedTensorType::get(ShapedType::kDynamic, i64),
                            node.operands[0]);
    // Before opset 10 the mask has the element type of the data.
    Type element = getElementTypeOrSelf(node.resultTypes[1]);
    Attribute one = element.isInteger(1)
                        ? Attribute(node.builder.getBoolAttr(true))
                        : node.builder.getFloatAttr(element, 1);
    auto yes = DenseElementsAttr::get(RankedTensorType::get(1, element), one);
    Type type = node.resultTypes[1];
    mask = node.emit("onnx.ConstantOfShape", type, shape,
                     node.builder.getNamedAttr("value", yes));
  }
  node.results = {node.operands[0], mask};
  return success();
}

void onnxc::addBoundsUpgrades(Upgrades &upgrades) {
  constexpr int newest = 1000;
  upgrades.add("Clip", 1, 10, upgradeClip);
  upgrades.add("Identity", 1, newest, dropIdentity);
  upgrades.add("Dropout", 1, newest, dropDropout);
}
