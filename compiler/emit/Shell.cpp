//===- Shell.cpp - The bitcode that surrounds generated code --------------===//

#include "compiler/emit/Shell.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

static const unsigned char shellX86_64[] = {
#include "compiler/emit/shell-x86_64.inc"
};
static const unsigned char shellAArch64[] = {
#include "compiler/emit/shell-aarch64.inc"
};

Expected<std::unique_ptr<Module>> onnxc::loadShell(LLVMContext &context,
                                                   const Triple &triple) {
  ArrayRef<unsigned char> bytes = triple.isX86()
                                      ? ArrayRef<unsigned char>(shellX86_64)
                                      : ArrayRef<unsigned char>(shellAArch64);
  MemoryBufferRef buffer(
      StringRef(reinterpret_cast<const char *>(bytes.data()), bytes.size()),
      "shell");
  Expected<std::unique_ptr<Module>> module = parseBitcodeFile(buffer, context);
  if (!module)
    return module.takeError();
  // What says which compiler made the shell is not part of a model.
  if (NamedMDNode *ident = (*module)->getNamedMetadata("llvm.ident"))
    ident->eraseFromParent();
  return module;
}
