//===- ModelTable.h - The constants that describe a model -------*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_MODELTABLE_H
#define ONNXC_COMPILER_EMIT_MODELTABLE_H

#include "compiler/codegen/cpu/Target.h"
#include "compiler/emit/ModelInfo.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/IR/Module.h"

namespace onnxc {

constexpr llvm::StringLiteral noteSectionName = ".note.onnxc";

/// Adds to `module`, into which the shell is linked already, the definitions
/// that the shell declares (shell.h): the onnxc_model with all that it points
/// to, and the tables for input checks; and the note. defaultOffsets: for each
/// input the place of its default in the weights, or -1.
void addModelTable(llvm::Module &module, const ModelInfo &info,
                   const Target &target,
                   llvm::ArrayRef<int64_t> defaultOffsets);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_MODELTABLE_H
