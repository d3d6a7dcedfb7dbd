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

/// A model's generated code for one CPU.
struct ModelCode {
  std::unique_ptr<llvm::Module> module;
  ModelInfo info;
  Target target;
};

/// Compiles the generated code, joined with the model shell, to the file
/// `path`, which appears whole or not at all. `symbol` is the name of the
/// entry. A library may be for several CPUs: it then holds whole models that
/// share the weights, the most demanding first, and its entry picks one. Takes
/// the weights' bytes from where `weights` refers to. Compiles the parts of a
/// library as tasks of `runTasks`.
llvm::Error emitModel(std::vector<ModelCode> variants,
                      kernel::WeightLayout weights, EmitKind kind,
                      llvm::StringRef symbol, llvm::StringRef path,
                      RunTasks runTasks = runInOrder);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_EMIT_H
