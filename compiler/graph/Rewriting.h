//===- Rewriting.h - What graph rewrites share ------------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_GRAPH_REWRITING_H
#define ONNXC_COMPILER_GRAPH_REWRITING_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"

#include <optional>

namespace onnxc {

/// Whether `op` is the operation onnx.`name`.
bool isOnnx(mlir::Operation *op, llvm::StringRef name);
/// The operation onnx.`name` that gives `value`, else null.
mlir::Operation *definedBy(mlir::Value value, llvm::StringRef name);

/// Builds onnx.`name`.
mlir::Operation *
createOnnx(mlir::OpBuilder &builder, mlir::Location location,
           llvm::StringRef name, mlir::ValueRange operands,
           mlir::TypeRange results,
           llvm::ArrayRef<mlir::NamedAttribute> attributes = {});
mlir::Value createConstant(mlir::OpBuilder &builder, mlir::Location location,
                           mlir::ElementsAttr value);
mlir::Value createNone(mlir::OpBuilder &builder, mlir::Location location);

/// Whether operand `index` of `op` is there and not absent.
bool hasOperand(mlir::Operation *op, unsigned index);

/// The number that all elements of a float constant are.
std::optional<double> splatFloat(mlir::Value value);
/// Whether `value` is a float constant whose elements are all `number`, but
/// for the rounding of an exporter.
bool isSplatOf(mlir::Value value, double number);
/// The elements of an f32 constant.
std::optional<std::vector<float>> floatConstant(mlir::Value value);
/// A constant of f32 numbers.
mlir::ElementsAttr floatElements(mlir::MLIRContext *context,
                                 llvm::ArrayRef<int64_t> dims,
                                 std::vector<float> values);
/// The constant of an integer operand, in which an absent one is nullopt.
std::optional<llvm::SmallVector<int64_t>> integerConstant(mlir::Value value);

/// Erases operations without uses and effects.
void eraseDead(mlir::func::FuncOp function);
/// Gives the function the types that it returns.
void updateFunctionType(mlir::func::FuncOp function);

} // namespace onnxc

#endif // ONNXC_COMPILER_GRAPH_REWRITING_H
