//===- onnx-run.cpp - Runs a compiled model -===//
//
// Prints what a model says of itself, runs it on given or random inputs, and
// prints times; with --compare, how far the results are from ONNX Runtime's.
//
//===----------------------------------------------------------------------===//
#include "onnx-run/Inputs.h"
#include "onnx-run/Npy.h"
#include "onnx-run/Profile.h"
#include "onnxc/onnxc.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

using namespace onnxc::run;
namespace fs = std::filesystem;

namespace {

struct Options {
  std::string model;
  std::vector<std::string> inputs, shapes;
  int repeat = 1;
  int threads = 0;
  uint64_t seed = 0;
  std::string compare;
  std::string outputDir;
  std::string profile;
};

/// A folder that is removed at the end.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "onnx-run-XXXXXX").string();
    if (!mkdtemp(name.data()))
      throw std::runtime_error("cannot make a folder in " +
                               fs::temp_directory_path().string());
    path = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

} // namespace

static std::string describe(const onnxc::ValueInfo &info) {
  switch (info.kind) {
  case ONNXC_KIND_SEQUENCE:
    return "sequence of " + describe(info.element.at(0));
  case ONNXC_KIND_OPTIONAL:
    return "optional " + describe(info.element.at(0));
  case ONNXC_KIND_MAP:
    return std::string("map from ") + onnxc_elem_type_name(info.elementType) +
           " to " + describe(info.element.at(0));
  default:
    break;
  }
  std::string text = onnxc_elem_type_name(info.elementType);
  if (!info.hasRank)
    return text + " of any shape";
  text += " [";
  for (size_t i = 0; i < info.shape.size(); ++i) {
    text += i ? "," : "";
    if (info.shape[i] >= 0)
      text += std::to_string(info.shape[i]);
    else
      text += info.dimNames[i].empty() ? "?" : info.dimNames[i];
  }
  return text + "]";
}

static std::string describe(const onnxc::Value &result) {
  if (result.IsTensor())
    return shapeText(result.GetShape());
  if (result.IsSequence())
    return std::to_string(result.GetCount()) + " elements";
  if (result.IsMap())
    return std::to_string(result.GetValue(0).GetElementCount()) + " entries";
  return "absent";
}

/// A value of the custom map may be a whole alphabet.
static std::string shortened(const std::string &text) {
  std::string line = text.substr(0, text.find('\n'));
  if (line.size() > 60)
    line.resize(60);
  return line.size() == text.size()
             ? line
             : line + "... (" + std::to_string(text.size()) + " bytes)";
}

static void printModel(const onnxc::Session &session) {
  onnxc::ModelMetadata metadata = session.GetModelMetadata();
  auto line = [](const char *label, const std::string &text) {
    if (!text.empty())
      printf("%-10s %s\n", label, shortened(text).c_str());
  };
  line("graph", metadata.graphName);
  line("producer",
       metadata.producerName + (metadata.producerVersion.empty()
                                    ? ""
                                    : " " + metadata.producerVersion));
  line("domain", metadata.domain);
  // A model without a version has the largest number, as in ONNX Runtime.
  bool hasVersion = metadata.version != std::numeric_limits<int64_t>::max();
  line("version", hasVersion ? std::to_string(metadata.version) : "");
  line("about", metadata.description);
  for (const auto &[key, value] : metadata.customMetadata)
    line("metadata", key + " = " + value);
  line("compiled",
       "by " + metadata.compilerVersion + " for " + metadata.target);
  for (size_t i = 0; i < session.GetInputCount(); ++i) {
    onnxc::ValueInfo info = session.GetInputInfo(i);
    line("input", info.name + ": " + describe(info));
  }
  for (size_t i = 0; i < session.GetOutputCount(); ++i) {
    onnxc::ValueInfo info = session.GetOutputInfo(i);
    line("output", info.name + ": " + describe(info));
  }
}

static std::string pythonInterpreter() {
  if (const char *named = getenv("ONNXC_PYTHON"); named && *named)
    return named;
  if (access(ONNXC_VENV_PYTHON, X_OK) == 0)
    return ONNXC_VENV_PYTHON;
  return "python3";
}

/// Runs onnxc.compare on the arrays in a folder; returns its exit status.
static int compare(const std::string &model, const fs::path &folder) {
  std::string python = pythonInterpreter();
  std::vector<std::string> words = {python, "-m", "onnxc.compare", model,
                                    folder.string()};
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Without an installed package the build's is there.
  std::string path = ONNXC_PYTHON_PACKAGE;
  if (const char *old = getenv("PYTHONPATH"); old && *old)
    path = std::string(old) + ":" + path;
  setenv("PYTHONPATH", path.c_str(), 1);
  fflush(stdout);
  pid_t child;
  if (int error = posix_spawnp(&child, python.c_str(), nullptr, nullptr,
                               arguments.data(), environ))
    throw std::runtime_error("cannot run " + python + ": " + strerror(error));
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
    throw std::runtime_error("onnxc.compare did not come to its end");
  return WEXITSTATUS(status);
}

/// Tensors go to files by position: a name may hold any character.
static void writeArrays(const fs::path &folder, const char *prefix,
                        const std::vector<std::string> &names,
                        const std::vector<onnxc::Value> &values) {
  std::ofstream index(folder / (std::string(prefix) + "s.txt"));
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i].HasValue())
      continue;
    std::string file = prefix + std::to_string(i) + ".npy";
    writeNpy((folder / file).string(), values[i]);
    index << file << '\t' << names[i] << '\n';
  }
  if (!index.flush())
    throw std::runtime_error("cannot write to " + folder.string());
}

static void printTimes(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  printf("time       %.3f ms min, %.3f ms median of %zu\n", milliseconds[0],
         milliseconds[milliseconds.size() / 2], milliseconds.size());
}

static int run(const Options &options) {
  onnxc::SessionOptions sessionOptions;
  sessionOptions.SetIntraOpNumThreads(options.threads);
  sessionOptions.EnableProfiling(!options.profile.empty());
  onnxc::Session session(options.model, sessionOptions);
  printModel(session);
  printf("threads    %d\n", session.GetThreadCount());

  Inputs inputs =
      makeInputs(session, options.inputs, options.shapes, options.seed);
  for (size_t i = 0; i < inputs.values.size(); ++i)
    printf("feed       %s: %s%s\n", inputs.names[i].c_str(),
           shapeText(inputs.values[i].GetShape()).c_str(),
           inputs.random[i] ? " (random)" : "");

  std::vector<const char *> names;
  for (const std::string &name : inputs.names)
    names.push_back(name.c_str());
  std::vector<onnxc::Value> outputs;
  std::vector<double> times;
  for (int i = 0; i < options.repeat; ++i) {
    auto start = std::chrono::steady_clock::now();
    outputs = session.Run(names, inputs.values);
    times.push_back(std::chrono::duration<double, std::milli>(
                        std::chrono::steady_clock::now() - start)
                        .count());
  }
  printTimes(times);
  std::vector<std::string> outputNames = session.GetOutputNames();
  for (size_t i = 0; i < outputs.size(); ++i)
    printf("result     %s: %s\n", outputNames[i].c_str(),
           describe(outputs[i]).c_str());

  if (!options.profile.empty()) {
    printProfile(session);
    session.EndProfiling(options.profile);
  }
  if (!options.outputDir.empty()) {
    fs::create_directories(options.outputDir);
    writeArrays(options.outputDir, "output", outputNames, outputs);
  }
  if (options.compare.empty())
    return 0;
  TemporaryFolder folder;
  writeArrays(folder.path, "input", inputs.names, inputs.values);
  writeArrays(folder.path, "output", outputNames, outputs);
  return compare(options.compare, folder.path);
}

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Runs a compiled model and prints what it is and how long it "
               "takes.");
  app.set_version_flag("--version", std::string("onnxc ") + onnxc_version());
  app.add_option("model", options.model, "the compiled model (.so)")
      ->required();
  app.add_option("--input", options.inputs,
                 "NAME=FILE.npy: an input; the others are random")
      ->allow_extra_args(false);
  app.add_option("--shape", options.shapes,
                 "NAME=1x3x224x224: the shape of a random input; its unknown "
                 "dims are 1 without")
      ->allow_extra_args(false);
  app.add_option("--repeat", options.repeat, "how many times to run")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--threads", options.threads,
                 "threads that share a run (0: one for each core)")
      ->check(CLI::Range(0, 1024));
  app.add_option("--seed", options.seed, "of the random inputs");
  app.add_option("--compare", options.compare,
                 "MODEL.onnx: print the difference from ONNX Runtime; exit "
                 "status 2 when it is large")
      ->check(CLI::ExistingFile);
  app.add_option("--output-dir", options.outputDir,
                 "write the outputs there as .npy files");
  app.add_option("--profile", options.profile,
                 "TRACE.json: print where the time goes, and write each kernel "
                 "of each run there in Chrome's trace format; the model must "
                 "be compiled with --profile");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::exception &error) {
    fprintf(stderr, "onnx-run: %s\n", error.what());
    return 1;
  }
}
