//===- Normalization.cpp - BatchNormalization, GroupNormalization ---------===//

#include "compiler/import/upgrade/Upgrade.h"

using namespace mlir;
using onnxc::Node;

/// Before 14 further outputs meant training.
static LogicalResult upgradeBatchNormalization(Node &node) {
  if (node.integer("spatial", 1) != 1)
    return node.error() << "spatial = 0 is not supported";
  node.attributes.erase("spatial");
  for (size_t i = 1; i < node.resultTypes.size(); ++i)
    if (node.hasResult(i))
      return node.error() << "training (more than one output) is not supported";
  node.resultTypes.resize(1);
  return success();
}

/// Before 21 scale and bias were given per group, not per channel.
static LogicalResult upgradeGroupNormalization(Node &node) {
  auto type = dyn_cast<RankedTensorType>(node.operands[0].getType());
  int64_t groups = node.integer("num_groups", 0);
  if (!type || type.getRank() < 2 || type.isDynamicDim(1))
    return node.error() << "before opset 21 needs a known number of channels";
  int64_t channels = type.getDimSize(1);
  if (groups <= 0 || channels % groups)
    return node.error() << channels << " channels do not make " << groups
                        << " groups";
  Type element = type.getElementType();
  for (int index : {1, 2}) {
    Value column =
        node.emit("onnx.Unsqueeze", RankedTensorType::get({groups, 1}, element),
                  {node.operands[index], node.constant(ArrayRef<int64_t>(1))});
    Value expanded = node.emit(
        "onnx.Expand",
        RankedTensorType::get({groups, channels / groups}, element),
        {column, node.constant(ArrayRef<int64_t>{groups, channels / groups})});
    node.operands[index] =
        node.emit("onnx.Reshape", RankedTensorType::get(channels, element),
                  {expanded, node.constant(ArrayRef<int64_t>(channels))});
  }
  return success();
}

void onnxc::addNormalizationUpgrades(Upgrades &upgrades) {
  upgrades.add("BatchNormalization", 7, 13, upgradeBatchNormalization);
  upgrades.add("GroupNormalization", 18, 20, upgradeGroupNormalization);
}
