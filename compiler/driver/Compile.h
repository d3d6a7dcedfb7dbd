//===- Compile.h - Compiles an ONNX model to a native library ---*- C++ -*-===//
#ifndef ONNXC_COMPILER_DRIVER_COMPILE_H
#define ONNXC_COMPILER_DRIVER_COMPILE_H

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace onnxc {

/// How far to compile, and so what the output file holds.
enum class Emit { Onnx, Graph, Tensor, Loops, Llvm, Asm, Obj, So };

struct CompileOptions {
  Emit emit = Emit::So;
  /// A name of LLVM's (`x86-64-v3`, `znver5`, …) or "native"; for a library
  /// also several with commas between: the machine that loads it picks the most
  /// demanding one that it can run.
  std::string cpu = "native";
  /// LLVM target triple; empty: this machine's.
  std::string triple;
  /// Input name → dims (-1 stays dynamic).
  std::map<std::string, std::vector<int64_t>> shapes;
  /// Name of the entry symbol.
  std::string symbol = "onnxc_get_model";
  /// Makes a model that reports the time of each kernel to its host.
  bool profile = false;
  /// Prints each stage's name and seconds to stderr.
  bool verbose = false;
};

/// Compiles the model in file `model` to file `output`, written under a
/// temporary name and renamed. Returns success; otherwise `error` is one line
/// that names the node, operator, opset and reason where a node is at fault.
bool compile(const std::string &model, const std::string &output,
             const CompileOptions &options, std::string &error);

/// "0.1.0"
const char *compilerVersion();

/// Makes `compile` report a crash of the compiler as an error, for programs
/// that have no signal handlers of their own. Call once.
void recoverFromCrashes();

} // namespace onnxc

#endif // ONNXC_COMPILER_DRIVER_COMPILE_H
