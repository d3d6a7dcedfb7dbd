//===- ElementTypes.cpp - Cast before opset 6 -----------------------------===//

#include "compiler/import/upgrade/Upgrade.h"

#include "onnx/onnx_pb.h"

using namespace mlir;
using onnx::TensorProto;
using onnxc::Node;

/// Before 6 the type was given by its name.
static LogicalResult upgradeCast(Node &node) {
  StringRef name = node.string("to", "");
  TensorProto::DataType type;
  if (!TensorProto::DataType_Parse(name.str(), &type))
    return node.error() << "there is no element type '" << name << "'";
  node.set("to", type);
  return success();
}

void onnxc::addElementTypeUpgrades(Upgrades &upgrades) {
  upgrades.add("Cast", 1, 5, upgradeCast);
}
