//===- onnx-compile.cpp - Compiles an ONNX model to a native library ------===//

#include "compiler/driver/Cache.h"
#include "compiler/driver/Compile.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <system_error>

namespace {

int fail(std::string message) {
  for (char &c : message)
    if (c == '\n' || c == '\r')
      c = ' ';
  std::cerr << "onnx-compile: error: " << message << "\n";
  return 1;
}

/// Parses NAME=1x3x224x224. The name may contain '=' and 'x'.
bool parseShape(const std::string &text, onnxc::CompileOptions &options,
                std::string &error) {
  size_t equals = text.rfind('=');
  std::string name = text.substr(0, equals);
  error = "--shape " + text +
          ": expected NAME=DIMxDIMx..., a DIM being a "
          "number, or -1 to keep it as it is";
  if (equals == std::string::npos || name.empty())
    return false;
  std::vector<int64_t> dims;
  const char *at = text.c_str() + equals + 1;
  while (*at) { // nothing: a scalar
    if (!dims.empty() && *at++ != 'x')
      return false;
    char *end = nullptr;
    errno = 0;
    long long dim = std::strtoll(at, &end, 10);
    if (end == at || errno || dim < -1 || !(std::isdigit(*at) || *at == '-'))
      return false;
    dims.push_back(dim);
    at = end;
  }
  if (!options.shapes.emplace(name, dims).second) {
    error = "--shape: input '" + name + "' is named twice";
    return false;
  }
  return true;
}

/// Whether `library` is there and no older than this program: a compiler of the
/// same version that was built again may make another.
bool isCurrent(const std::filesystem::path &library) {
  std::error_code code;
  auto made = std::filesystem::last_write_time(library, code);
  if (code)
    return false;
  auto built = std::filesystem::last_write_time("/proc/self/exe", code);
  return code || made >= built;
}

/// Compiles into the cache unless it is there, and prints where.
int compileToCache(const std::string &model,
                   const onnxc::CompileOptions &options) {
  std::string error;
  std::string path = onnxc::cachePath(model, options, error);
  if (path.empty())
    return fail(error);
  if (!isCurrent(path)) {
    std::error_code code;
    std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::filesystem::create_directories(folder, code);
    if (code)
      return fail("cannot make the folder '" + folder.string() +
                  "': " + code.message());
    if (!onnxc::compile(model, path, options, error))
      return fail(error);
  }
  std::cout << path << "\n";
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  onnxc::recoverFromCrashes();
  onnxc::CompileOptions options;
  std::string model, output, target = "cpu";
  std::vector<std::string> shapes;
  bool cache = false;

  CLI::App app("Compiles an ONNX model to a native library.", "onnx-compile");
  app.set_version_flag("--version",
                       std::string("onnxc ") + onnxc::compilerVersion());
  app.add_option("model", model, "the model, an .onnx file")->required();
  app.add_option("-o,--output", output, "the file to write");
  app.add_option("--target", target, "cpu or nvptx");
  app.add_option("--mcpu", options.cpu,
                 "the CPU: native, x86-64-v2, x86-64-v3, x86-64-v4, or another "
                 "name of LLVM's; several with commas make a library that "
                 "picks the best one where it is loaded")
      ->capture_default_str();
  app.add_option("--mtriple,--triple", options.triple,
                 "target triple; this machine's unless given");
  app.add_option("--shape", shapes, "fixes an input's dims: NAME=1x3x224x224")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  std::map<std::string, onnxc::Emit> stages = {
      {"onnx", onnxc::Emit::Onnx},     {"graph", onnxc::Emit::Graph},
      {"tensor", onnxc::Emit::Tensor}, {"loops", onnxc::Emit::Loops},
      {"llvm", onnxc::Emit::Llvm},     {"asm", onnxc::Emit::Asm},
      {"obj", onnxc::Emit::Obj},       {"so", onnxc::Emit::So}};
  std::string stage = "so";
  app.add_option("--emit", stage,
                 "what to write: onnx, graph, tensor, loops, llvm, asm, obj, "
                 "or so, a library; - as OUT prints a text");
  app.add_option("--symbol", options.symbol, "name of an object's entry")
      ->capture_default_str();
  app.add_flag("--cache", cache,
               "compile into $ONNXC_CACHE (~/.cache/onnxc) unless it is there, "
               "and print the path");
  app.add_flag("--profile", options.profile,
               "the library reports the time of each operator to onnx-run "
               "--profile and to sessions that enable profiling");
  app.add_flag("-v,--verbose", options.verbose,
               "print each stage's seconds to stderr");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) // --help, --version
      return app.exit(error);
    return fail(error.what());
  }

  if (target == "nvptx")
    return fail("--target nvptx is not supported yet: this version compiles "
                "for CPUs");
  if (target != "cpu")
    return fail("--target " + target + ": expected cpu or nvptx");
  auto found = stages.find(stage);
  if (found == stages.end())
    return fail("--emit " + stage +
                ": expected onnx, graph, tensor, loops, llvm, asm, obj or so");
  options.emit = found->second;
  std::string error;
  for (const std::string &shape : shapes)
    if (!parseShape(shape, options, error))
      return fail(error);

  if (cache) {
    if (!output.empty() || options.emit != onnxc::Emit::So)
      return fail("--cache chooses the file itself, and makes libraries only");
    return compileToCache(model, options);
  }
  if (output.empty())
    return fail("-o OUT is missing: the file to write");
  if (!onnxc::compile(model, output, options, error))
    return fail(error);
  return 0;
}
