//===- Pipeline.cpp - Buffers to the LLVM dialect -------------------------===//

#include "compiler/codegen/cpu/Pipeline.h"

#include "compiler/codegen/cpu/Passes.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void onnxc::buildToLlvmPipeline(OpPassManager &pm) {
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createExpandMath());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createTerminateRuns());
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expand));
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void onnxc::buildCpuCodegenPipeline(OpPassManager &pm, const Target &target,
                                    bool profile) {
  if (profile)
    pm.addPass(createProfileKernels());
  OutlineKernelsOptions options;
  options.vectorBits = target.vectorBits;
  options.vectorRegisters = target.vectorRegisters;
  options.l1Bytes = target.l1Bytes;
  options.l2Bytes = target.l2Bytes;
  options.pairProducts = target.hasPairProducts;
  pm.addPass(createOutlineKernels(options));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (target.hasMultiplyAdd)
    pm.addPass(createRoundedQuotients());
  buildToLlvmPipeline(pm);
}

void onnxc::registerCpuCodegenPipelines() {
  PassPipelineRegistration<>("cpu-codegen",
                             "The planned entry function to the LLVM dialect",
                             [](OpPassManager &pm) {
                               Target target{"", "", "", "", 512, 32};
                               buildCpuCodegenPipeline(pm, target,
                                                       /*profile=*/false);
                             });
}
