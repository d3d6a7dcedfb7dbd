//===- Vision.cpp - RoiAlign, GridSample ----------------------------------===//

#include "compiler/import/upgrade/Upgrade.h"

using namespace mlir;
using onnxc::Node;

/// Before 16 there was no shift by half a pixel.
static LogicalResult upgradeRoiAlign(Node &node) {
  node.set("coordinate_transformation_mode", "output_half_pixel");
  return success();
}

/// Before 20 the modes were named for two spatial dims.
static LogicalResult upgradeGridSample(Node &node) {
  StringRef mode = node.string("mode", "bilinear");
  if (mode == "bilinear")
    node.set("mode", "linear");
  else if (mode == "bicubic")
    node.set("mode", "cubic");
  return success();
}

void onnxc::addVisionUpgrades(Upgrades &upgrades) {
  upgrades.add("RoiAlign", 10, 15, upgradeRoiAlign);
  upgrades.add("GridSample", 16, 19, upgradeGridSample);
}
