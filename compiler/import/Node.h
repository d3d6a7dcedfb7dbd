//===- Node.h - An ONNX node on its way to an operation ---------*- C++ -*-===//
//
// The importer fills in a Node from its NodeProto, an upgrade (upgrade/) turns
// it from the model's version of the operator into the newest, and the importer
// makes the operation.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_IMPORT_NODE_H
#define ONNXC_COMPILER_IMPORT_NODE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OperationSupport.h"

#include "onnx/defs/schema.h"

#include <optional>

namespace onnxc {

struct Node {
  mlir::OpBuilder &builder;
  mlir::Location location;
  /// The operator's name for errors, and its opset.
  std::string name, opType;
  int64_t opset;
  /// The version of the operator that the model means.
  const onnx::OpSchema *schema;

  /// What the operation will be: "onnx.Conv".
  std::string operation;
  /// Positional; an absent optional operand is a null value.
  llvm::SmallVector<mlir::Value> operands;
  mlir::NamedAttrList attributes;
  /// Positional; null for an output without a name.
  llvm::SmallVector<mlir::Type> resultTypes;
  /// Set by an upgrade that has built the results itself, null for those that
  /// nobody names.
  std::optional<llvm::SmallVector<mlir::Value>> results;
  /// Set by an upgrade where the operation is to run for each row of its
  /// operands' first dim: the rows' lengths, null where all are whole.
  struct Batch {
    mlir::Value lengths;
  };
  std::optional<Batch> batch;

  mlir::MLIRContext *context() const { return builder.getContext(); }

  /// Starts an error: `node '<name>' (<operator>, opset <n>): `.
  mlir::InFlightDiagnostic error() const;

  bool hasOperand(size_t index) const {
    return index < operands.size() && operands[index];
  }
  bool hasResult(size_t index) const {
    return index < resultTypes.size() && resultTypes[index];
  }
  /// Operand `index` becomes `value`; operands before it that are missing are
  /// absent.
  void setOperand(size_t index, mlir::Value value);

  int64_t integer(llvm::StringRef attribute, int64_t otherwise) const;
  float real(llvm::StringRef attribute, float otherwise) const;
  llvm::StringRef string(llvm::StringRef attribute,
                         llvm::StringRef otherwise) const;
  std::optional<llvm::ArrayRef<int64_t>>
  integers(llvm::StringRef attribute) const;
  std::optional<llvm::ArrayRef<float>> reals(llvm::StringRef attribute) const;

  void set(llvm::StringRef attribute, int64_t value);
  void set(llvm::StringRef attribute, llvm::StringRef value);

  /// An `onnx.Constant`: of `value`, or a 1-D tensor of i64 or f32.
  mlir::Value constant(mlir::ElementsAttr value);
  mlir::Value constant(llvm::ArrayRef<int64_t> values);
  mlir::Value constant(llvm::ArrayRef<float> values);
  /// A scalar constant of the floating-point or integer type `element`.
  mlir::Value scalar(mlir::Type element, double value);

  /// Another operation of this node, with one result. Operands are positional,
  /// null where absent.
  mlir::Value emit(llvm::StringRef operation, mlir::Type resultType,
                   llvm::ArrayRef<mlir::Value> operands,
                   llvm::ArrayRef<mlir::NamedAttribute> attributes = {});
};

/// Makes the operation `name`, with absent operands and results in their form
/// in the dialect.
mlir::Operation *
createOperation(mlir::OpBuilder &builder, mlir::Location location,
                llvm::StringRef name, llvm::ArrayRef<mlir::Value> operands,
                llvm::ArrayRef<mlir::NamedAttribute> attributes,
                llvm::ArrayRef<mlir::Type> resultTypes, unsigned regions = 0);

/// The schema of the newest version of an operator that is not deprecated, or
/// null.
const onnx::OpSchema *newestSchema(const std::string &opType,
                                   const std::string &domain);

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_NODE_H
