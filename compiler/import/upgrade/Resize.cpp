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

/// Version 1 scaled the last two of four dims.
static LogicalResult upgradeUpsample1(Node &node) {
  auto type = dyn_cast<RankedTensorType>(node.operands[0].getType());
  if (!type || type.getRank() != 4)
    return node.error() << "needs an input of rank 4";
  float scales[] = {1, 1, node.real("height_scale", 1),
                    node.real("width_scale", 1)};
  for (StringRef attribute : {"height_scale", "width_scale"})
    node.attributes.erase(attribute);
  if (node.string("mode", "nearest") == "bilinear")
    node.set("mode", "linear");
  sampleAsymmetrically(node, node.constant(scales), "floor");
  return success();
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

/// Resize 10 takes the next element along an axis that shrinks, the one before
/// along one that grows.
static LogicalResult upgradeResize10(Node &node) {
  bool shrinks = false, grows = false;
  Value scales = node.operands[1];
  std::optional<SmallVector<double>> known;
  if (ElementsAttr constant = onnxc::constantElements(scales))
    known = onnxc::floatValues(constant);
  for (double scale : known.value_or(SmallVector<double>())) {
    shrinks |= scale < 1;
    grows |= scale > 1;
  }
  bool both = !known || (shrinks && grows);
  if (both && node.string("mode", "nearest") == "nearest") {
    // First the axes that grow, then the others.
    Value one = node.scalar(node.builder.getF32Type(), 1);
    Value up = node.emit("onnx.Max", scales.getType(), {scales, one});
    Value down = node.emit("onnx.Min", scales.getType(), {scales, one});
    sampleAsymmetrically(node, up, "floor");
    Type between = UnrankedTensorType::get(
        getElementTypeOrSelf(node.operands[0].getType()));
    if (auto ranked = dyn_cast<RankedTensorType>(node.operands[0].getType()))
      between = RankedTensorType::get(
          SmallVector<int64_t>(ranked.getRank(), ShapedType::kDynamic),
          ranked.getElementType());
    node.operands.resize(4); // no sizes
    node.operands[0] = node.emit(node.operation, between, node.operands,
                                 node.attributes.getAttrs());
    sampleAsymmetrically(node, down, "ceil");
    return success();
  }
  sampleAsymmetrically(node, scales, shrinks ? "ceil" : "floor");
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
  if (!node.hasOperand(2) && !node.hasOperand(3))
    return node.error() << "has neither scales nor sizes";
  return success();
}

void onnxc::addResizeUpgrades(Upgrades &upgrades) {
  upgrades.add("Upsample", 1, 6, upgradeUpsample1);
  upgrades.add("Upsample", 7, 8, upgradeUpsample7);
  upgrades.add("Upsample", 9, 9, upgradeUpsample9);
  upgrades.add("Resize", 10, 10, upgradeResize10);
  upgrades.add("Resize", 11, 1000, upgradeResize11);
}
