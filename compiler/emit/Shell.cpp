//===- Shell.cpp - What surrounds generated code in a model ---------------===//

#include "compiler/emit/Shell.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace {
struct ShellFiles {
  StringRef all, mathematics, rest;
};
} // namespace

static const unsigned char allX86_64[] = {
#include "compiler/emit/shell-x86_64-all.bc.inc"
};
static const unsigned char mathematicsX86_64[] = {
#include "compiler/emit/shell-x86_64-mathematics.bc.inc"
};
static const unsigned char restX86_64[] = {
#include "compiler/emit/shell-x86_64-rest.o.inc"
};
static const unsigned char allAArch64[] = {
#include "compiler/emit/shell-aarch64-all.bc.inc"
};
static const unsigned char mathematicsAArch64[] = {
#include "compiler/emit/shell-aarch64-mathematics.bc.inc"
};
static const unsigned char restAArch64[] = {
#include "compiler/emit/shell-aarch64-rest.o.inc"
};

static StringRef text(ArrayRef<unsigned char> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

static ShellFiles shellFiles(const Triple &triple) {
  if (triple.isX86())
    return {text(allX86_64), text(mathematicsX86_64), text(restX86_64)};
  return {text(allAArch64), text(mathematicsAArch64), text(restAArch64)};
}

Expected<std::unique_ptr<Module>> onnxc::loadShell(LLVMContext &context,
                                                   const Triple &triple) {
  return parseBitcodeFile({shellFiles(triple).all, "shell"}, context);
}

Expected<std::unique_ptr<Module>>
onnxc::loadShellMathematics(LLVMContext &context, const Triple &triple) {
  return getLazyBitcodeModule({shellFiles(triple).mathematics, "mathematics"},
                              context);
}

StringRef onnxc::shellObject(const Triple &triple) {
  return shellFiles(triple).rest;
}
