//===- NodeLocation.cpp - Which nodes an operation comes from -------------===//

#include "dialects/onnx/NodeLocation.h"
#include "dialects/onnx/OnnxDialect.h"

using namespace mlir;
using namespace onnxc;

llvm::StringRef onnxc::nodeName(Location location) {
  llvm::StringRef name;
  location->walk([&](Location part) {
    if (auto named = dyn_cast<NameLoc>(part)) {
      name = named.getName().getValue();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return name;
}

Location onnxc::loweredLocation(Operation *onnxOp) {
  MLIRContext *context = onnxOp->getContext();
  return FusedLoc::get(context, {onnxOp->getLoc()},
                       StringAttr::get(context, op::operatorName(onnxOp)));
}

static void addNodes(Location location, SmallVectorImpl<SourceNode> &nodes) {
  location->walk([&](Location part) {
    auto fused = dyn_cast<FusedLoc>(part);
    auto op = fused ? dyn_cast_or_null<StringAttr>(fused.getMetadata())
                    : StringAttr();
    if (!op)
      return WalkResult::advance();
    SourceNode node{StringAttr::get(op.getContext(), nodeName(part)), op};
    if (!llvm::is_contained(nodes, node))
      nodes.push_back(node);
    return WalkResult::skip();
  });
}

llvm::SmallVector<SourceNode> onnxc::sourceNodes(Operation *lowered) {
  llvm::SmallVector<SourceNode> nodes;
  // A linalg op has the location of the last op fused into it; a kernel op's
  // own work comes before its epilogue.
  bool bodyFirst = lowered->getName().getDialectNamespace() == "linalg";
  if (!bodyFirst)
    addNodes(lowered->getLoc(), nodes);
  for (Region &region : lowered->getRegions())
    region.walk([&](Operation *inner) {
      // Constants are shared by nodes that have nothing else in common.
      if (!inner->hasTrait<OpTrait::ConstantLike>() &&
          !inner->hasTrait<OpTrait::IsTerminator>())
        addNodes(inner->getLoc(), nodes);
    });
  if (bodyFirst)
    addNodes(lowered->getLoc(), nodes);
  return nodes;
}
