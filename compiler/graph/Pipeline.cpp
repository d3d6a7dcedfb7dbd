//===- Pipeline.cpp - The passes on the onnx dialect, in order ------------===//

#include "compiler/graph/Pipeline.h"
#include "compiler/graph/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void onnxc::buildGraphPipeline(OpPassManager &manager) {
  auto add = [&](std::unique_ptr<Pass> pass) {
    manager.addNestedPass<func::FuncOp>(std::move(pass));
  };
  // Shapes first: the rewrites ask for ranks, and folding for dims.
  add(createInferShapes());
  add(createDifferentiateGradients());
  add(createInferRanks());
  add(createInferLengths());
  add(createFoldConstants());
  // An If that folded away, and a tensor that was in a sequence, can tell
  // shapes behind them.
  add(createSqueezeConditionals());
  add(createSimplify());
  add(createInferShapes());
  add(createSettleRanks());
  add(createStackLoopSequences());
  add(createFoldSequences());
  add(createInferShapes());
  add(createInferRanks());
  add(createInferLengths());
  add(createInferShapes());
  add(createSinkIntoBranches());
  add(createInferShapes());
  add(createFoldConstants());
  add(createCSEPass());
  // Before the dequantised weights of a small product fold.
  add(createIntegerContractions());
  add(createDequantizedWeights());
  // Normalisation becomes a factor and a term, which products take in.
  add(createFoldBatchNorm());
  add(createFoldChannelAffine());
  add(createFusePatterns());
  add(createFoldConstants());
  add(createSimplify());
  add(createFoldSequences());
  add(createCSEPass());
  add(createInferShapes());
  // What is put into a sequence may follow from what is read from one.
  for (int round = 0; round < 3; ++round) {
    add(createInferSequenceTypes());
    add(createInferRanks());
    add(createInferLengths());
    add(createInferShapes());
  }
  add(createSwitchRanks());
  add(createSinkIntoBranches());
  add(createInferShapes());
  add(createInferLengths());
  add(createFlattenElementwise());
  add(createInferShapes());
}

void onnxc::registerGraphPipeline() {
  PassPipelineRegistration<>(
      "onnxc-graph", "Passes from import to lowering, on onnx",
      [](OpPassManager &manager) { buildGraphPipeline(manager); });
}
