//===- CompileParts.h - Machine code for parts of a model -------*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_COMPILEPARTS_H
#define ONNXC_COMPILER_EMIT_COMPILEPARTS_H

#include "compiler/codegen/cpu/Target.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"

#include <string>
#include <vector>

namespace onnxc {

/// Does task(0) ... task(count - 1), perhaps at the same time, and returns the
/// first error.
using RunTasks = llvm::function_ref<llvm::Error(
    size_t count, llvm::function_ref<llvm::Error(size_t)> task)>;

/// One after the other.
llvm::Error runInOrder(size_t count,
                       llvm::function_ref<llvm::Error(size_t)> task);

/// Divides `functions` of `module` into groups of about the same size, which
/// depends on the module alone. The first group may be empty: everything else
/// of the module is compiled with it.
std::vector<std::vector<std::string>>
divideFunctions(llvm::Module &module, llvm::ArrayRef<std::string> functions);

/// Optimises the module and writes it as machine code, one file for each group
/// of functions (one without any group), each in an LLVM context of its own.
/// Functions call those of other files by name; what else they need they have
/// copies of, so that it must hold no state.
llvm::Expected<std::vector<llvm::SmallVector<char, 0>>> compileParts(
    const llvm::Module &module, llvm::ArrayRef<std::vector<std::string>> groups,
    const Target &target, llvm::CodeGenFileType kind, RunTasks runTasks);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_COMPILEPARTS_H
