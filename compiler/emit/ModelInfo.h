//===- ModelInfo.h - What a compiled model says of itself -------*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_MODELINFO_H
#define ONNXC_COMPILER_EMIT_MODELINFO_H

#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <utility>
#include <vector>

namespace onnxc {

/// An input or output; becomes an onnxc_value_info.
struct ValueInfo {
  std::string name;
  uint32_t kind = 0;                 ///< onnxc_value_kind
  int32_t elemType = 0;              ///< onnxc_elem_type
  int64_t rank = -1;                 ///< -1: any
  std::vector<int64_t> dims;         ///< -1: known at run time
  std::vector<std::string> dimNames; ///< empty: none
  mlir::ElementsAttr defaultValue;   ///< of an overridable initializer
  std::vector<ValueInfo> element;    ///< what it holds, unless a tensor
};

/// A kernel that reports its time; becomes an onnxc_kernel_info.
struct KernelInfo {
  std::string kind, shapes;
  std::vector<std::string> nodes, operators;
};

/// The contents of an onnxc_model.
struct ModelInfo {
  std::string producerName, producerVersion, domain, graphName, description,
      graphDescription;
  int64_t modelVersion = 0;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string compilerVersion; ///< "onnxc 0.1.0"
  std::vector<ValueInfo> inputs, outputs;
  std::vector<KernelInfo> kernels; ///< empty unless profiled

  /// Reads it off func.func @main (types, onnx.name, onnx.dims,
  /// onnx.elem_type, onnx.type, onnx.default) and the module's attributes,
  /// while they are there. Emits an error for what cannot be at a model's
  /// boundary.
  static mlir::FailureOr<ModelInfo> fromModule(mlir::ModuleOp module);

  /// Reads `kernels` off the attribute that profile-kernels leaves.
  void readKernels(mlir::ModuleOp module);
};

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_MODELINFO_H
