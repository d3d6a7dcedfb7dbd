//===- Broadcast.cpp - Broadcasting before opset 7 ------------------------===//

#include "compiler/import/upgrade/Upgrade.h"

using namespace mlir;
using onnxc::Node;

/// Operand `index`, of rank `rank`, with `count` dims of 1 behind its own.
static Value withTrailingOnes(Node &node, size_t index, int64_t rank,
                              int64_t count) {
  auto type = cast<RankedTensorType>(node.operands[index].getType());
  auto axes = llvm::to_vector(llvm::seq<int64_t>(rank, rank + count));
  SmallVector<int64_t> dims(type.getShape());
  dims.append(count, 1);
  return node.emit("onnx.Unsqueeze",
                   RankedTensorType::get(dims, type.getElementType()),
                   {node.operands[index], node.constant(axes)});
}

/// Before 7 the second operand was broadcast on request alone, and from the
/// dim `axis` of the first on.
static LogicalResult upgradeBinary(Node &node) {
  bool broadcasts = node.integer("broadcast", 0);
  bool hasAxis = static_cast<bool>(node.attributes.get("axis"));
  int64_t axis = node.integer("axis", 0);
  for (StringRef attribute : {"broadcast", "axis"})
    node.attributes.erase(attribute);
  if (!broadcasts || !hasAxis)
    return success();
  auto lhs = dyn_cast<RankedTensorType>(node.operands[0].getType());
  auto rhs = dyn_cast<RankedTensorType>(node.operands[1].getType());
  if (!lhs || !rhs)
    return node.error() << "broadcasting along an axis needs known ranks";
  if (axis < 0)
    axis += lhs.getRank();
  int64_t trailing = lhs.getRank() - axis - rhs.getRank();
  if (axis < 0 || trailing < 0)
    return node.error() << "axis does not fit the ranks " << lhs.getRank()
                        << " and " << rhs.getRank();
  if (trailing)
    node.operands[1] = withTrailingOnes(node, 1, rhs.getRank(), trailing);
  return success();
}

/// Before 7 the slopes were one or one per channel.
static LogicalResult upgradePRelu(Node &node) {
  auto input = dyn_cast<RankedTensorType>(node.operands[0].getType());
  auto slope = dyn_cast<RankedTensorType>(node.operands[1].getType());
  if (!input || !slope)
    return node.error() << "needs known ranks";
  if (slope.getRank() == 1 && slope.getDimSize(0) != 1 && input.getRank() > 2)
    node.operands[1] = withTrailingOnes(node, 1, 1, input.getRank() - 2);
  return success();
}

static LogicalResult upgradeGemm(Node &node) {
  node.attributes.erase("broadcast");
  return success();
}

void onnxc::addBroadcastUpgrades(Upgrades &upgrades) {
  upgrades.add({"Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or",
                "Pow", "Sub", "Xor"},
               1, 6, upgradeBinary);
  upgrades.add("PRelu", 1, 6, upgradePRelu);
  upgrades.add("Gemm", 1, 6, upgradeGemm);
}
