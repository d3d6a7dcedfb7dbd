//===- Shell.h - The bitcode that surrounds generated code ------*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_SHELL_H
#define ONNXC_COMPILER_EMIT_SHELL_H

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"

#include <memory>

namespace onnxc {
/// The model shell (shell/*.c) for the architecture of `triple`.
llvm::Expected<std::unique_ptr<llvm::Module>>
loadShell(llvm::LLVMContext &context, const llvm::Triple &triple);
} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_SHELL_H
