//===- Pipeline.h - Buffers to the LLVM dialect -----------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_PIPELINE_H
#define ONNXC_COMPILER_CODEGEN_CPU_PIPELINE_H

#include "mlir/Pass/PassManager.h"

namespace onnxc {

struct Target;

/// From the planned entry function to the LLVM dialect: kernels as functions,
/// then everything lowered. `profile`: with time stamps around each kernel.
void buildCpuCodegenPipeline(mlir::OpPassManager &pm, const Target &target,
                             bool profile);

/// `cpu-codegen` for onnxc-opt: the same for 512-bit vectors.
void registerCpuCodegenPipelines();

/// The part behind outline-kernels.
void buildToLlvmPipeline(mlir::OpPassManager &pm);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_PIPELINE_H
