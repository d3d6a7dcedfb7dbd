//===- Diagnostics.h - Errors of the stages, as one line --------*- C++ -*-===//
#ifndef ONNXC_COMPILER_DRIVER_DIAGNOSTICS_H
#define ONNXC_COMPILER_DRIVER_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringSet.h"

#include <string>
#include <vector>

namespace onnxc {

/// Collects the errors that an MLIR context reports while this object lives;
/// what is not an error is dropped.
class ErrorCollector {
public:
  explicit ErrorCollector(mlir::MLIRContext *context);

  bool empty() const { return messages.empty(); }
  /// The first error, or with `all` as many as a line can take.
  std::string line(bool all) const;

private:
  void add(mlir::Diagnostic &diagnostic);

  std::vector<std::string> messages;
  llvm::StringSet<> seen;
  mlir::ScopedDiagnosticHandler handler;
};

/// `text` without control characters, at most `limit` bytes long.
std::string oneLine(llvm::StringRef text, size_t limit = 900);

} // namespace onnxc

#endif // ONNXC_COMPILER_DRIVER_DIAGNOSTICS_H
