//===- Pipeline.cpp - The layout stage ------------------------------------===//

#include "compiler/layout/Pipeline.h"

#include "compiler/codegen/cpu/Target.h"
#include "compiler/layout/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

static void simplify(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void onnxc::buildLayoutPipeline(OpPassManager &pm, const Target &target) {
  simplify(pm);
  pm.addNestedPass<func::FuncOp>(createTransposesThroughReshapes());
  pm.addNestedPass<func::FuncOp>(createPropagateTransposes());
  pm.addNestedPass<func::FuncOp>(createTransposesToReshapes());
  simplify(pm);
  pm.addNestedPass<func::FuncOp>(createFuseElementwise());
  pm.addNestedPass<func::FuncOp>(createFuseEpilogues());
  pm.addNestedPass<func::FuncOp>(createFuseAttention());
  WinogradConvolutionsOptions winograd;
  winograd.vectorBits = target.vectorBits;
  winograd.cacheBytes = target.l2Bytes;
  pm.addNestedPass<func::FuncOp>(createWinogradConvolutions(winograd));
  WinogradAlongAxisOptions alongAxis;
  alongAxis.vectorBits = target.vectorBits;
  pm.addNestedPass<func::FuncOp>(createWinogradAlongAxis(alongAxis));
  pm.addNestedPass<func::FuncOp>(createPackWeights());
  pm.addNestedPass<func::FuncOp>(createPadInPlace());
}

void onnxc::buildStrategyPipeline(OpPassManager &pm, const Target &target) {
  SelectTilesOptions tiles;
  tiles.vectorBits = target.vectorBits;
  tiles.vectorRegisters = target.vectorRegisters;
  tiles.cacheBytes = target.l2Bytes;
  pm.addNestedPass<func::FuncOp>(createSelectTiles(tiles));
  simplify(pm);
}

void onnxc::buildBufferPipeline(OpPassManager &pm) {
  pm.addPass(createBufferizeModel());
}

void onnxc::buildMemoryPipeline(OpPassManager &pm) {
  pm.addPass(createPlanMemory());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}
