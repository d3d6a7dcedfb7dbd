//===- OnnxOps.h - The operation classes of the onnx dialect ----*- C++ -*-===//
#ifndef ONNXC_DIALECTS_ONNX_ONNXOPS_H
#define ONNXC_DIALECTS_ONNX_ONNXOPS_H

#include "dialects/onnx/OnnxDialect.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#define GET_OP_CLASSES
#include "dialects/onnx/OnnxOps.h.inc"

#endif // ONNXC_DIALECTS_ONNX_ONNXOPS_H
