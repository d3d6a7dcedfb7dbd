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
/// to, and the tables for input checks. defaultOffsets: for each input the
/// place of its default in the weights, or -1.
void addModelTable(llvm::Module &module, const ModelInfo &info,
                   const Target &target,
                   llvm::ArrayRef<int64_t> defaultOffsets);

/// Adds the note, from which a loader learns what CPU the file needs.
void addNote(llvm::Module &module, const Target &target);

/// Adds the table of a library's variants: what each needs and its entry, which
/// is declared in `module`.
void addVariantTable(
    llvm::Module &module,
    llvm::ArrayRef<std::pair<uint64_t, llvm::Function *>> variants);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_MODELTABLE_H
