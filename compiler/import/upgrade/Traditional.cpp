//===- Traditional.cpp - Operators of ai.onnx.ml --------------------------===//

#include "compiler/import/upgrade/Upgrade.h"
#include "dialects/onnx/OnnxDialect.h"

using namespace mlir;
using onnxc::Node;

/// Version 1 mapped between strings and their positions in one list.
static LogicalResult upgradeLabelEncoder(Node &node) {
  auto classes =
      dyn_cast_or_null<ArrayAttr>(node.attributes.get("classes_strings"));
  if (!classes)
    return node.error() << "has no classes_strings";
  node.attributes.erase("classes_strings");
  auto positions = llvm::to_vector(
      llvm::seq<int64_t>(0, static_cast<int64_t>(classes.size())));
  bool fromStrings = isa<onnxc::op::StringType>(
      getElementTypeOrSelf(node.operands[0].getType()));
  node.attributes.set(fromStrings ? "keys_strings" : "values_strings", classes);
  node.attributes.set(fromStrings ? "values_int64s" : "keys_int64s",
                      node.builder.getDenseI64ArrayAttr(positions));
  return success();
}

void onnxc::addTraditionalUpgrades(Upgrades &upgrades) {
  upgrades.add("ml.LabelEncoder", 1, 1, upgradeLabelEncoder);
}
