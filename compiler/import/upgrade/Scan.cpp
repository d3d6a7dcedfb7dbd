//===- Scan.cpp - Scan over a batch ---------------------------------------===//

#include "compiler/import/upgrade/Upgrade.h"

using namespace mlir;
using onnxc::Node;

/// Version 8 scans each row of a batch on its own, up to the row's length.
static LogicalResult upgradeScan(Node &node) {
  if (node.operands.empty())
    return node.error() << "has no inputs";
  node.batch.emplace(onnxc::Node::Batch{node.operands.front()});
  node.operands.erase(node.operands.begin());
  if (Attribute directions = node.attributes.erase("directions"))
    node.attributes.set("scan_input_directions", directions);
  return success();
}

void onnxc::addScanUpgrades(Upgrades &upgrades) {
  upgrades.add("Scan", 8, 8, upgradeScan);
}
