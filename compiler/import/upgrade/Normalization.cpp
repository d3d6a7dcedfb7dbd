//===- Normalization.cpp - BatchNormalization -----------------------------===//

#include "compiler/import/upgrade/Upgrade.h"

using namespace mlir;
using onnxc::Node;

/// Before 14 further outputs meant training.
static LogicalResult upgradeBatchNormalization(Node &node) {
  // Version 6 says whether it is for inference, later ones by their outputs.
  if (node.schema->SinceVersion() < 7 && !node.integer("is_test", 0))
    return node.error() << "training (is_test = 0) is not supported";
  node.attributes.erase("is_test");
  if (node.integer("spatial", 1) != 1)
    return node.error() << "spatial = 0 is not supported";
  node.attributes.erase("spatial");
  for (size_t i = 1; i < node.resultTypes.size(); ++i)
    if (node.hasResult(i))
      return node.error() << "training (more than one output) is not supported";
  node.resultTypes.resize(1);
  return success();
}

void onnxc::addNormalizationUpgrades(Upgrades &upgrades) {
  upgrades.add("BatchNormalization", 6, 13, upgradeBatchNormalization);
}
