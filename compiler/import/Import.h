//===- Import.h - Reads an ONNX model into the onnx dialect -----*- C++ -*-===//
#ifndef ONNXC_COMPILER_IMPORT_IMPORT_H
#define ONNXC_COMPILER_IMPORT_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace onnxc {

struct ImportOptions {
  /// Input name → dims (-1 stays as the model has it).
  std::map<std::string, std::vector<int64_t>> shapes;
  /// Says of an operation ("onnx.Gelu") whether it should stay. Of the others,
  /// those that the standard defines by other operators are replaced by their
  /// definition. Not set: all stay.
  std::function<bool(llvm::StringRef operation)> keeps;
};

struct ImportedModel {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Keeps alive what the module's constants point into: the model and its
  /// external data files.
  std::shared_ptr<void> storage;
};

/// Imports the model in the file `path`. What is wrong with it is emitted as
/// diagnostics: of the nodes that are not supported, one for each.
mlir::FailureOr<ImportedModel> importModel(const std::string &path,
                                           mlir::MLIRContext *context,
                                           const ImportOptions &options = {});

/// Imports a model in memory, which need not outlive the call. Such a model has
/// no folder, so it may not have external data.
mlir::FailureOr<ImportedModel> importModel(llvm::ArrayRef<char> bytes,
                                           mlir::MLIRContext *context,
                                           const ImportOptions &options = {});

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_IMPORT_H
