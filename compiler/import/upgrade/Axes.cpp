//===- Axes.cpp - Attributes that became operands: axes, pads, sizes ------===//

#include "compiler/import/upgrade/Upgrade.h"

using namespace mlir;
using onnxc::Node;

/// Moves the integer list `attribute` to operand `index`.
static void toOperand(Node &node, StringRef attribute, size_t index) {
  if (std::optional<ArrayRef<int64_t>> values = node.integers(attribute)) {
    node.setOperand(index, node.constant(*values));
    node.attributes.erase(attribute);
  }
}

static LogicalResult upgradeAxes(Node &node) {
  toOperand(node, "axes", 1);
  return success();
}

/// Before 28 a logarithm could be of integers, rounded toward zero.
static LogicalResult upgradeLogarithm(Node &node) {
  toOperand(node, "axes", 1);
  return onnxc::computeInFloat(node);
}

static LogicalResult upgradeSlice(Node &node) {
  toOperand(node, "starts", 1);
  toOperand(node, "ends", 2);
  toOperand(node, "axes", 3);
  return success();
}

/// Since 18 an even split names the number of outputs.
static LogicalResult upgradeSplit(Node &node) {
  toOperand(node, "split", 1);
  if (!node.hasOperand(1))
    node.set("num_outputs", static_cast<int64_t>(node.resultTypes.size()));
  return success();
}

static LogicalResult upgradeTopK(Node &node) {
  node.setOperand(1, node.constant(ArrayRef<int64_t>(node.integer("k", 0))));
  node.attributes.erase("k");
  return success();
}

static LogicalResult upgradePad(Node &node) {
  float value = node.real("value", 0);
  node.attributes.erase("value");
  toOperand(node, "pads", 1);
  node.setOperand(
      2, node.scalar(getElementTypeOrSelf(node.operands[0].getType()), value));
  return success();
}

static LogicalResult upgradeDft(Node &node) {
  node.setOperand(2, node.scalar(node.builder.getI64Type(),
                                 static_cast<double>(node.integer("axis", 1))));
  node.attributes.erase("axis");
  return success();
}

/// Scatter was renamed.
static LogicalResult upgradeScatter(Node &node) {
  node.operation = "onnx.ScatterElements";
  return success();
}

void onnxc::addAxesUpgrades(Upgrades &upgrades) {
  upgrades.add({"Squeeze", "Unsqueeze", "ReduceSum"}, 1, 12, upgradeAxes);
  upgrades.add({"ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin",
                "ReduceProd", "ReduceSumSquare"},
               1, 17, upgradeAxes);
  upgrades.add({"ReduceLogSum", "ReduceLogSumExp"}, 1, 27, upgradeLogarithm);
  upgrades.add("Erf", 9, 12, onnxc::computeInFloat);
  upgrades.add("Slice", 1, 9, upgradeSlice);
  upgrades.add("Split", 2, 17, upgradeSplit);
  upgrades.add("TopK", 1, 9, upgradeTopK);
  upgrades.add("Pad", 2, 10, upgradePad);
  upgrades.add("DFT", 17, 19, upgradeDft);
  upgrades.add("Scatter", 9, 11, upgradeScatter);
}
