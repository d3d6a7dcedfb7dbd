//===- Pools.cpp - LpPool and GlobalLpPool --------------------------------===//

#include "compiler/import/upgrade/Upgrade.h"

using namespace mlir;
using onnxc::Node;

/// Version 1 had a norm that need not be whole, and no need for a kernel.
static LogicalResult upgradeLpPool(Node &node) {
  float p = node.real("p", 2);
  if (p < 1 || p > 1024 || p != static_cast<float>(static_cast<int64_t>(p)))
    return node.error() << "p = " << p
                        << " is not supported, only a whole number from 1 on";
  node.set("p", static_cast<int64_t>(p));
  if (node.opType == "LpPool" && !node.integers("kernel_shape"))
    return node.error() << "has no kernel_shape";
  return success();
}

void onnxc::addPoolUpgrades(Upgrades &upgrades) {
  upgrades.add({"LpPool", "GlobalLpPool"}, 1, 1, upgradeLpPool);
}
