//===- Shell.h - What surrounds generated code in a model -------*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_SHELL_H
#define ONNXC_COMPILER_EMIT_SHELL_H

#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"

#include <memory>

namespace onnxc {

/// The model shell (shell/*.c) for the architecture of `triple`.
llvm::Expected<std::unique_ptr<llvm::Module>>
loadShell(llvm::LLVMContext &context, const llvm::Triple &triple);

/// Its mathematics alone (shell/math*.c). Functions are read when they are
/// linked.
llvm::Expected<std::unique_ptr<llvm::Module>>
loadShellMathematics(llvm::LLVMContext &context, const llvm::Triple &triple);

/// All but its mathematics, an object file: compiling it again for each model
/// took most of the time that small models took.
llvm::StringRef shellObject(const llvm::Triple &triple);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_SHELL_H
