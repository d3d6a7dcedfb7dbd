//===- Recurrent.cpp - RNN, GRU, LSTM before opset 7 ----------------------===//

#include "compiler/import/upgrade/Upgrade.h"

using namespace mlir;
using onnxc::Node;

/// An attribute said whether all steps' results are wanted, as naming the
/// output says now. GRU 1 spells its default direction "foward".
static LogicalResult upgradeRecurrent(Node &node) {
  node.attributes.erase("output_sequence");
  if (node.string("direction", "") == "foward")
    node.set("direction", "forward");
  return success();
}

void onnxc::addRecurrentUpgrades(Upgrades &upgrades) {
  upgrades.add({"RNN", "GRU", "LSTM"}, 1, 6, upgradeRecurrent);
}
