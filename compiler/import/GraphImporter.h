//===- GraphImporter.h - Graphs and nodes as operations ---------*- C++ -*-===//
#ifndef ONNXC_COMPILER_IMPORT_GRAPHIMPORTER_H
#define ONNXC_COMPILER_IMPORT_GRAPHIMPORTER_H

#include "compiler/import/ModelFile.h"
#include "compiler/import/Node.h"
#include "compiler/import/Prepare.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

namespace onnxc {

/// The values that a graph's nodes can name.
struct Scope {
  llvm::StringMap<mlir::Value> values;
  llvm::StringMap<mlir::Type> types;
  const Scope *parent = nullptr;

  mlir::Value lookup(llvm::StringRef name) const;
};

class GraphImporter {
public:
  GraphImporter(const ModelFile &file, const Opsets &opsets,
                mlir::MLIRContext *context)
      : file(file), opsets(opsets), context(context) {}

  /// The type of a graph's input, checked; null (and an error) if it has none.
  mlir::Type inputType(const onnx::ValueInfoProto &input);

  /// Emits the constants and nodes of `graph` at `builder`. The inputs' values
  /// are in `scope` already. Returns the values of the outputs.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  importBody(const onnx::GraphProto &graph, mlir::OpBuilder &builder,
             Scope &scope);

  /// The value of a tensor of the model; null (and an error) where it is
  /// malformed.
  mlir::ElementsAttr elements(const onnx::TensorProto &tensor,
                              mlir::Location location);

  mlir::Location location(llvm::StringRef name);

private:
  mlir::LogicalResult importNode(const onnx::NodeProto &proto,
                                 mlir::OpBuilder &builder, Scope &scope);
  mlir::LogicalResult importConstant(Node &node, const onnx::NodeProto &proto);
  mlir::LogicalResult readAttribute(Node &node,
                                    const onnx::AttributeProto &attribute);
  /// The node's attributes, and the defaults of its version that are no longer
  /// the operator's.
  mlir::LogicalResult readAttributes(Node &node, const onnx::NodeProto &proto);
  mlir::LogicalResult readResultTypes(Node &node, const onnx::NodeProto &proto,
                                      const Scope &scope);
  mlir::LogicalResult importRegion(Node &node, const onnx::GraphProto &graph,
                                   mlir::Region &region, const Scope &scope);
  mlir::LogicalResult importGradient(Node &node, const onnx::NodeProto &proto,
                                     const Scope &scope);
  /// Builds a Scan for each row of a batch.
  mlir::LogicalResult importBatchedScan(Node &node,
                                        const onnx::GraphProto &graph,
                                        const Scope &scope);
  /// Whether a tensor of `type` can exist.
  bool fitsMemory(mlir::Type type);

  const ModelFile &file;
  const Opsets &opsets;
  mlir::MLIRContext *context;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_GRAPHIMPORTER_H
