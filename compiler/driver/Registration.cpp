//===- Registration.cpp - What onnxc adds to MLIR -------------------------===//

#include "compiler/driver/Registration.h"

#include "compiler/codegen/cpu/Passes.h"
#include "compiler/codegen/cpu/Pipeline.h"
#include "compiler/graph/Passes.h"
#include "compiler/graph/Pipeline.h"
#include "compiler/layout/KernelBufferization.h"
#include "compiler/layout/Passes.h"
#include "compiler/lower/Passes.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"

void onnxc::registerDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<kernel::KernelDialect, op::OnnxDialect>();
  registerKernelBufferization(registry);
}

void onnxc::registerPasses() {
  registerGraphPasses();
  registerGraphPipeline();
  registerLowerPasses();
  registerLayoutPasses();
  registerCpuCodegenPasses();
  registerCpuCodegenPipelines();
}
