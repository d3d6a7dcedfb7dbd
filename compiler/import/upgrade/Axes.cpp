//===- Axes.cpp - Attributes that became operands: axes, pads, sizes ------===//

#include "compiler/import/upgrade/Upgrade.h"

#include "onnx/onnx_pb.h"

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

/// `values` as integers, one for each element: version 1 of some operators took
/// them in the data's type.
static Value asIntegers(Node &node, Value values) {
  Type i64 = node.builder.getI64Type();
  Type type = UnrankedTensorType::get(i64);
  if (auto ranked = dyn_cast<RankedTensorType>(values.getType()))
    type = RankedTensorType::get(ranked.getShape(), i64);
  return node.emit(
      "onnx.Cast", type, values,
      node.builder.getNamedAttr(
          "to", node.builder.getI64IntegerAttr(onnx::TensorProto::INT64)));
}

/// Since 18 an even split names the number of outputs.
static LogicalResult upgradeSplit(Node &node) {
  if (node.hasOperand(1) && node.schema->SinceVersion() == 1) {
    if (node.integers("split"))
      return node.error() << "has sizes as an attribute and as an input";
    node.operands[1] = asIntegers(node, node.operands[1]);
  }
  toOperand(node, "split", 1);
  if (!node.hasOperand(1))
    node.set("num_outputs", static_cast<int64_t>(node.resultTypes.size()));
  return success();
}

/// Version 1 repeated along one axis; both numbers were in the data's type.
static LogicalResult upgradeTile(Node &node) {
  auto type = dyn_cast<RankedTensorType>(node.operands[0].getType());
  if (!type)
    return node.error() << "needs a known rank";
  Type one = RankedTensorType::get(1, node.builder.getI64Type());
  auto single = [&](size_t index) {
    Value shape = node.constant(ArrayRef<int64_t>(1));
    return node.emit("onnx.Reshape", one,
                     {asIntegers(node, node.operands[index]), shape});
  };
  Value times = single(1), axis = single(2);
  SmallVector<int64_t> ones(type.getRank(), 1);
  Value none = node.constant(ones);
  node.operands = {
      node.operands[0],
      node.emit("onnx.ScatterElements", none.getType(), {none, axis, times})};
  return success();
}

static LogicalResult upgradeReshape(Node &node) {
  if (!node.integers("shape"))
    return node.error() << "has no shape";
  toOperand(node, "shape", 1);
  return success();
}

/// Version 1 had a default.
static LogicalResult upgradeConcat(Node &node) {
  if (!node.attributes.get("axis"))
    node.set("axis", 1);
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
  toOperand(node, node.schema->SinceVersion() == 1 ? "paddings" : "pads", 1);
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
  upgrades.add("Split", 1, 17, upgradeSplit);
  upgrades.add("Tile", 1, 5, upgradeTile);
  upgrades.add("Reshape", 1, 4, upgradeReshape);
  upgrades.add("Concat", 1, 3, upgradeConcat);
  upgrades.add("TopK", 1, 9, upgradeTopK);
  upgrades.add("Pad", 1, 10, upgradePad);
  upgrades.add("DFT", 17, 19, upgradeDft);
  upgrades.add("Scatter", 9, 11, upgradeScatter);
}
