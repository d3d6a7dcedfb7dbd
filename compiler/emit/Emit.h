//===- Emit.h - From the LLVM dialect to a file -----------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_EMIT_H
#define ONNXC_COMPILER_EMIT_EMIT_H

#include "compiler/codegen/cpu/Target.h"
#include "compiler/emit/CompileParts.h"
#include "compiler/emit/ModelInfo.h"
#include "dialects/kernel/WeightLayout.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace onnxc {

enum class EmitKind { Assembler, Object, Library };

/// Translates a module of the LLVM dialect, which defines
/// onnxc_generated_run.
llvm::Expected<std::unique_ptr<llvm::Module>>
translateToLlvm(mlir::ModuleOp module, llvm::LLVMContext &context,
                const Target &target);

/// Compiles the generated code `module`, joined with the model shell, to the
/// file `path`, which appears whole or not at all. `symbol` is the name of the
/// entry. Takes the weights' bytes from where `weights` refers to. A library's
/// kernels are compiled in parts, as tasks of `runTasks`.
llvm::Error emitModel(std::unique_ptr<llvm::Module> module,
                      const ModelInfo &info, kernel::WeightLayout weights,
                      const Target &target, EmitKind kind,
                      llvm::StringRef symbol, llvm::StringRef path,
                      RunTasks runTasks = runInOrder);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_EMIT_H
