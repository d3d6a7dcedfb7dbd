//===- EntryFunction.h - The function that the shell calls ------*- C++ -*-===//
//
// Builds the pieces of onnxc_generated_run that touch the frame: inputs,
// outputs, weights, workspace and early returns. See "The model's entry" in
// compiler/README.md and runtime/include/onnxc/model_abi.h.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LAYOUT_ENTRYFUNCTION_H
#define ONNXC_COMPILER_LAYOUT_ENTRYFUNCTION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

namespace onnxc {

class EntryFunction {
public:
  /// Makes an empty onnxc_generated_run in `module`.
  explicit EntryFunction(mlir::ModuleOp module, mlir::Location loc);

  mlir::func::FuncOp function() const { return entry; }
  mlir::Value frame() { return entry.getArgument(0); }

  /// Dim `dim` of input `index`, as index.
  mlir::Value inputDim(mlir::OpBuilder &builder, mlir::Location loc,
                       int64_t index, int64_t dim);
  /// The elements of input `index`, as memref<?xi8>.
  mlir::Value inputBytes(mlir::OpBuilder &builder, mlir::Location loc,
                         int64_t index);
  /// The weight section, as memref<?xi8>.
  mlir::Value weightBytes(mlir::OpBuilder &builder, mlir::Location loc);

  /// Calls of the shell; each yields a pointer that may be null. `dims` are
  /// of type i64, `bytes` of type index.
  mlir::Value callOutput(mlir::OpBuilder &builder, mlir::Location loc,
                         int64_t index, mlir::ValueRange dims);
  mlir::Value callWorkspace(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value bytes);
  mlir::Value callAllocate(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value bytes);
  /// `count` slots, as callReserve takes them; to be asked for once.
  mlir::Value slots(mlir::Location loc, int64_t count);
  /// `slot`, `offset` and `bytes` are of type index.
  mlir::Value callReserve(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value slots, mlir::Value slot,
                          mlir::Value offset, mlir::Value bytes);

  /// The shell's `function` of boxed values, applied to `operands` (of type
  /// index): a value's address, which may be null, or an i64.
  mlir::Value callValue(mlir::OpBuilder &builder, mlir::Location loc,
                        llvm::StringRef function, mlir::Type result,
                        mlir::ValueRange operands);
  /// A boxed tensor of `dims` (of type i64); may be null.
  mlir::Value callNewBox(mlir::OpBuilder &builder, mlir::Location loc,
                         int64_t elemType, mlir::ValueRange dims);
  /// The elements of the boxed tensor at `pointer`, as memref<?xi8>.
  mlir::Value boxBytes(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value pointer);
  /// The addresses of strings that lie at `texts`; may be null.
  mlir::Value callStrings(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value texts, int64_t count);
  /// The address of a constant text.
  mlir::Value text(mlir::OpBuilder &builder, mlir::Location loc,
                   llvm::StringRef value);

  /// memref<?xi8> at `pointer`.
  static mlir::Value bytesAt(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value pointer);

  /// Returns onnxc_shell_status at the builder's position when a pointer is
  /// null; the builder then stands in the block that goes on.
  void returnIfNull(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::ValueRange pointers);
  /// Returns onnxc_shell_fail(message) when `condition` does not hold; `values`
  /// are two at most, of type index.
  void returnUnless(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value condition, llvm::StringRef message,
                    mlir::ValueRange values = {});

private:
  mlir::Value field(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Type type, mlir::Value base, int64_t offset);
  mlir::Value dimsArray(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::ValueRange dims);
  mlir::Value call(mlir::OpBuilder &builder, mlir::Location loc,
                   llvm::StringRef name, mlir::Type result,
                   mlir::ValueRange arguments);
  /// Splits the builder's block: `good` true goes on behind it, else to `bad`.
  void branch(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value good,
              mlir::Block *bad);
  mlir::Block *statusBlock(mlir::Location loc);

  mlir::ModuleOp module;
  mlir::func::FuncOp entry;
  mlir::Block *status = nullptr;
  unsigned texts = 0;
};

/// Turns the operations on boxed values and strings into calls of the shell.
/// What needs memory but nothing else of the program goes before `begin`.
void buildValues(EntryFunction &entry, mlir::Operation *begin);

} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_ENTRYFUNCTION_H
