//===- NativeCode.h - From LLVM IR to machine code --------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_NATIVECODE_H
#define ONNXC_COMPILER_EMIT_NATIVECODE_H

#include "compiler/codegen/cpu/Target.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>

namespace onnxc {

/// A code generator for position-independent code.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
makeTargetMachine(const Target &target);

/// Gives every function the target's CPU and features, and the module its
/// triple and data layout, without which the optimiser does not vectorise.
void setTarget(llvm::Module &module, const Target &target,
               llvm::TargetMachine &machine);

void optimize(llvm::Module &module, llvm::TargetMachine &machine);

/// Writes assembler text or an object file.
llvm::Error generateCode(llvm::Module &module, llvm::TargetMachine &machine,
                         llvm::CodeGenFileType kind,
                         llvm::raw_pwrite_stream &stream);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_NATIVECODE_H
