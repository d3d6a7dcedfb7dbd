//===- WeightSection.h - Weights in an ELF file -----------------*- C++ -*-===//
//
// Neither the code generator nor the linker sees the weights: they lay out a
// section that occupies no bytes in the file, and the bytes are appended to the
// file afterwards. (Through LLVM 400 MB cost 8 s and 1.5 GB, so 1.5 s and 87
// MB.)
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_EMIT_WEIGHTSECTION_H
#define ONNXC_COMPILER_EMIT_WEIGHTSECTION_H

#include "dialects/kernel/WeightLayout.h"

#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

namespace onnxc {

/// Reserves `bytes` for the symbol onnxc_generated_weights in `module`, whose
/// triple is set. isLibrary: for a shared library, otherwise for an object
/// that is linked into a program.
void reserveWeights(llvm::Module &module, int64_t bytes, bool isLibrary);

/// Appends the weights to the ELF file at `path`, which was made from such a
/// module: the section (and in a library its segment, which becomes read-only)
/// then holds them. Then writes the file's size into a library's note.
llvm::Error appendWeights(llvm::StringRef path,
                          const kernel::WeightLayout &layout, bool isLibrary);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_WEIGHTSECTION_H
