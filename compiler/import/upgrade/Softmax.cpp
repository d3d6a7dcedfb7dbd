//===- Softmax.cpp - Softmax, LogSoftmax and Hardmax before 13 ------------===//

#include "compiler/import/upgrade/Upgrade.h"

using namespace mlir;
using onnxc::Node;

/// The type of `type` flattened to two dims at `axis`.
static Type flattened(Type type, int64_t axis) {
  int64_t dims[2] = {ShapedType::kDynamic, ShapedType::kDynamic};
  auto ranked = dyn_cast<RankedTensorType>(type);
  if (ranked) {
    ArrayRef<int64_t> shape = ranked.getShape();
    ArrayRef<int64_t> parts[2] = {shape.take_front(axis),
                                  shape.drop_front(axis)};
    for (int part : {0, 1})
      if (!ShapedType::isDynamicShape(parts[part]))
        dims[part] = ShapedType::getNumElements(parts[part]);
  }
  return RankedTensorType::get(dims, getElementTypeOrSelf(type));
}

/// Before 13 these worked on all axes from `axis` on, as one.
static LogicalResult upgradeSoftmax(Node &node) {
  int64_t axis = node.integer("axis", 1);
  Value input = node.operands[0];
  auto type = dyn_cast<RankedTensorType>(input.getType());
  if (type) {
    int64_t rank = type.getRank();
    if (axis < -rank || axis > rank)
      return node.error() << "axis " << axis << " is out of range for rank "
                          << rank;
    if (axis < 0)
      axis += rank;
    // One axis, and perhaps ones behind it.
    if (axis < rank && llvm::all_of(
                           type.getShape().drop_front(axis + 1),
                           [](int64_t dim) { return dim == 1; })) {
      node.set("axis", axis);
      return success();
    }
  }
  auto axisAttribute = [&](int64_t value) {
    return node.builder.getNamedAttr("axis",
                                     node.builder.getI64IntegerAttr(value));
  };
  Type flat = flattened(input.getType(), axis);
  Value flatInput = node.emit("onnx.Flatten", flat, input, axisAttribute(axis));
  Value flatOutput =
      node.emit(node.operation, flat, flatInput, axisAttribute(-1));
  int64_t rank = type ? type.getRank() : ShapedType::kDynamic;
  Value shape =
      node.emit("onnx.Shape",
                RankedTensorType::get(rank, node.builder.getI64Type()), input);
  node.results = {
      node.emit("onnx.Reshape", node.resultTypes[0], {flatOutput, shape})};
  return success();
}

void onnxc::addSoftmaxUpgrades(Upgrades &upgrades) {
  upgrades.add({"Softmax", "LogSoftmax", "Hardmax"}, 1, 12, upgradeSoftmax);
}
