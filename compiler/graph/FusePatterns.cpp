//===- FusePatterns.cpp - Exported arithmetic back to one operator --------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/patterns/Patterns.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace onnxc {
#define GEN_PASS_DEF_FUSEPATTERNS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

struct FusePatterns : onnxc::impl::FusePatternsBase<FusePatterns> {
  using FusePatternsBase::FusePatternsBase;

  void runOnOperation() override {
    RewritePatternSet set(&getContext());
    addHardSwishPatterns(set);
    addSwishPatterns(set);
    addGeluPatterns(set);
    addLayerNormPatterns(set);
    addGatherOneHotPatterns(set);
    addMapTablePatterns(set);
    GreedyRewriteConfig config;
    config.enableFolding(false)
        .enableConstantCSE(false)
        .setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    if (failed(applyPatternsGreedily(getOperation(), std::move(set), config)))
      signalPassFailure();
  }
};

} // namespace
