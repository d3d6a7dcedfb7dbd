//===- Resize.cpp - Upsample, and Resize before 19 ------------------------===//

#include "compiler/import/upgrade/Upgrade.h"
#include "dialects/onnx/Elements.h"

using namespace mlir;
using onnxc::Node;

/// Makes `node` a Resize of today that samples as Upsample and Resize 10 did.
static void sampleAsymmetrically(Node &node, Value scales,
                                 StringRef nearestMode) {
  node.operation = "onnx.Resize";
  node.operands.resize(1);
  node.setOperand(2, scales);
  node.set("coordinate_transformation_mode", "asymmetric");
  node.set("nearest_mode", nearestMode);
}

static LogicalResult upgradeUpsample7(Node &node) {
  Value scales =
      node.constant(node.reals("scales").value_or(ArrayRef<float>()));
  node.attributes.erase("scales");
  sampleAsymmetrically(node, scales, "floor");
  return success();
}

static LogicalResult upgradeUpsample9(Node &node) {
  sampleAsymmetrically(node, node.operands[1], "floor");
  return success();
}

/// Resize 10 takes the next element when it shrinks, the one before when it
/// grows.
static LogicalResult upgradeResize10(Node &node) {
  bool shrinks = false, grows = false;
  std::optional<SmallVector<double>> scales;
  if (ElementsAttr constant = onnxc::constantElements(node.operands[1]))
    scales = onnxc::floatValues(constant);
  for (double scale : scales.value_or(SmallVector<double>())) {
    shrinks |= scale < 1;
    grows |= scale > 1;
  }
  if (node.string("mode", "nearest") == "nearest") {
    if (shrinks && grows)
      return node.error() << "growing one axis and shrinking another by "
                             "nearest neighbour is not supported";
    if (!scales)
      return node.error() << "nearest neighbour with scales that are not "
                             "constant is not supported";
  }
  sampleAsymmetrically(node, node.operands[1], shrinks ? "ceil" : "floor");
  return success();
}

/// Whether `value` is known to have no elements.
static bool isEmpty(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() && type.getNumElements() == 0;
}

/// Resize 11 spelled an absent roi, scales or sizes as an empty tensor too.
static LogicalResult upgradeResize11(Node &node) {
  for (size_t i = 1; i < node.operands.size(); ++i)
    if (node.hasOperand(i) && isEmpty(node.operands[i]))
      node.operands[i] = nullptr;
  StringRef mode = node.string("coordinate_transformation_mode", "half_pixel");
  if (mode == "tf_half_pixel_for_nn")
    return node.error() << "coordinate_transformation_mode "
                           "'tf_half_pixel_for_nn' is not supported";
  if (!node.hasOperand(2) && !node.hasOperand(3))
    return node.error() << "has neither scales nor sizes";
  return success();
}

void onnxc::addResizeUpgrades(Upgrades &upgrades) {
  upgrades.add("Upsample", 7, 8, upgradeUpsample7);
  upgrades.add("Upsample", 9, 9, upgradeUpsample9);
  upgrades.add("Resize", 10, 10, upgradeResize10);
  upgrades.add("Resize", 11, 1000, upgradeResize11);
}
