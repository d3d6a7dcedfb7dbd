//===- Pipeline.cpp - The layout stage ------------------------------------===//

#include "compiler/layout/Pipeline.h"

#include "compiler/layout/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;

void onnxc::buildLayoutPipeline(OpPassManager &pm, const Target &target) {
  (void)target;
  pm.addPass(createBufferizeModel());
}

void onnxc::buildMemoryPipeline(OpPassManager &pm) {
  pm.addPass(createPlanMemory());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}
