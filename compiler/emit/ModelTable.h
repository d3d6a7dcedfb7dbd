//===- ModelTable.h - The constants that describe a model -------*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_MODELTABLE_H
#define ONNXC_COMPILER_EMIT_MODELTABLE_H

#include "compiler/codegen/cpu/Target.h"
#include "compiler/emit/ModelInfo.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/IR/Module.h"

#include <string>

namespace onnxc {

constexpr llvm::StringLiteral noteSectionName = ".note.onnxc";

/// Adds to `module` the onnxc_model with all that it points to. Returns the
/// onnxc_variant of shell.h, whose code `run` (onnxc_generated_run) is.
llvm::GlobalVariable *addModelTable(llvm::Module &module, const ModelInfo &info,
                                    const Target &target, llvm::Function &run);

/// Adds the tables by which the shell checks inputs (shell.h). defaultOffsets:
/// for each input the place of its default in the weights, or -1.
void addInputTables(llvm::Module &module, const ModelInfo &info,
                    llvm::ArrayRef<int64_t> defaultOffsets);

/// Adds the note, from which a loader learns what CPU the file needs.
void addNote(llvm::Module &module, const Target &target);

/// Adds the table of variants, given by the names of their onnxc_variants, the
/// most demanding first.
void addVariantTable(llvm::Module &module,
                     llvm::ArrayRef<std::string> variants);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_MODELTABLE_H
