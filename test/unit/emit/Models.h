//===- Models.h - Small generated models for the emitter's tests -*- C++
//-*-===//
#ifndef ONNXC_TEST_UNIT_EMIT_MODELS_H
#define ONNXC_TEST_UNIT_EMIT_MODELS_H

#include "compiler/emit/Emit.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"

#include <cstdlib>
#include <string>

namespace onnxc::test {

/// The directory of one test's files, removed at the end.
class Directory {
public:
  Directory() {
    llvm::SmallString<128> name;
    if (llvm::sys::fs::createUniqueDirectory("onnxc-emit", name))
      abort();
    root = name.str().str();
  }
  ~Directory() { llvm::sys::fs::remove_directories(root); }
  std::string file(const std::string &name) const { return root + "/" + name; }

private:
  std::string root;
};

/// y[N,4] = x[N,4] * w[4], by way of the workspace; `scale` is w's content.
/// x may be left out if `hasDefault`, N is then 1.
std::string emitScale(const std::string &path, llvm::ArrayRef<float> scale,
                      EmitKind kind = EmitKind::Library,
                      const std::string &cpu = "x86-64-v2",
                      const std::string &triple = "x86_64-unknown-linux-gnu",
                      const std::string &symbol = "onnxc_get_model",
                      bool hasDefault = false);

} // namespace onnxc::test

#endif // ONNXC_TEST_UNIT_EMIT_MODELS_H
