//===- Link.h - Links a shared library in process ---------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_LINK_H
#define ONNXC_COMPILER_EMIT_LINK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Triple.h"

namespace onnxc {
/// Links object files in memory to a shared library with LLD. Undefined symbols
/// are errors.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
linkLibrary(llvm::ArrayRef<llvm::StringRef> objects,
            const llvm::Triple &triple);
} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_LINK_H
