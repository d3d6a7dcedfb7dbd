//===- Prepare.h - Makes a model ready for import ---------------*- C++ -*-===//
//
// Works on the ModelProto: checks it, inlines its functions, pins dims and
// infers types.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_IMPORT_PREPARE_H
#define ONNXC_COMPILER_IMPORT_PREPARE_H

#include "compiler/import/Import.h"
#include "compiler/import/ModelFile.h"

#include "mlir/Support/LogicalResult.h"

#include <map>
#include <string>

namespace onnxc {

/// Domain → version of its operators; ai.onnx is "".
using Opsets = std::map<std::string, int64_t>;

/// Checks `file`'s model and brings it into the form that GraphImporter takes:
/// no functions, every type that ONNX can infer in place, no dims that are
/// declared but not inferred (but for inputs). Emits errors at `location`.
mlir::LogicalResult prepareModel(ModelFile &file, const ImportOptions &options,
                                 mlir::Location location, Opsets &opsets);

/// Emits an error for each node of `graph`, and of the graphs in it, that is
/// not supported.
mlir::LogicalResult checkOperators(const onnx::GraphProto &graph,
                                   const Opsets &opsets,
                                   mlir::MLIRContext *context);

/// Sets dims of the inputs and drops what is not a dim's name or value.
/// Emits errors at `location`.
mlir::LogicalResult
setInputShapes(onnx::GraphProto &graph,
               const std::map<std::string, std::vector<int64_t>> &shapes,
               mlir::Location location);

/// Makes the sparse constants of `graph`, and of the graphs in it, dense.
/// Reports those that are malformed.
mlir::LogicalResult replaceSparseTensors(onnx::GraphProto &graph,
                                         mlir::MLIRContext *context);

/// Replaces the operators of `graph` for which `keeps` is false by their
/// definitions, where they have one. Returns whether there were any.
bool expandOperators(onnx::GraphProto &graph, const Opsets &opsets,
                     const std::function<bool(llvm::StringRef)> &keeps);

/// Text on one line.
std::string oneLine(llvm::StringRef text);

/// The operation of an operator: "onnx.ml.Scaler".
std::string operationName(llvm::StringRef domain, llvm::StringRef opType);

/// A node's name for messages and locations: its own, or its first output's.
std::string displayName(const onnx::NodeProto &node);

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_PREPARE_H
