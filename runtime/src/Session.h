//===- Session.h - A model that can be run -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_SRC_SESSION_H
#define ONNXC_RUNTIME_SRC_SESSION_H

#include "InputCheck.h"
#include "ModelFile.h"
#include "Run.h"
#include "ThreadPool.h"

#include <mutex>
#include <string_view>
#include <unordered_map>

struct onnxc_session_options {
  int32_t threads = 0;
  bool spinning = true;
  bool profiling = false;
};

struct onnxc_run_options {
  int32_t maxThreads = 0;
  /// Written while runs are under way: atomically.
  int32_t terminate = 0;
};

struct onnxc_session {
public:
  using Status = onnxc::runtime::Status;
  using Run = onnxc::runtime::Run;

  /// `loaded` is null for a model that is part of the program.
  onnxc_session(std::unique_ptr<onnxc::runtime::LoadedModel> loaded,
                const onnxc_model &model, const onnxc_session_options &options);

  const onnxc_model &model() const { return compiled; }
  const onnxc_metadata &metadata() const { return facts; }
  /// Null unless the options asked for it.
  onnxc::runtime::Profile *profile() const { return recorder.get(); }
  int threadCount() const { return pool ? pool->threadCount() : 1; }
  ptrdiff_t findInput(const char *name) const;
  ptrdiff_t findOutput(const char *name) const;

  Status run(const onnxc_run_options *options, const char *const *inputNames,
             const onnxc_value *inputs, size_t inputCount,
             const char *const *outputNames, size_t outputCount,
             onnxc_tensor **outputs);
  Status runIndexed(const onnxc_run_options *options, const onnxc_value *inputs,
                    const size_t *outputIndices, size_t outputCount,
                    onnxc_tensor **outputs);
  Status plan(const onnxc_value *inputs, onnxc_value *outputs,
              size_t *workspaceBytes);

private:
  class Lease;
  using Index = std::unordered_map<std::string_view, size_t>;

  Status bindInputs(const char *const *names, const onnxc_value *inputs,
                    size_t count, Run &run) const;
  Status findOutputs(const char *const *names, size_t count, Run &run) const;
  Status execute(const onnxc_run_options *options, const onnxc_value *inputs,
                 const size_t *outputIndices, size_t outputCount,
                 onnxc_tensor **outputs, Run &run);

  std::unique_ptr<onnxc::runtime::LoadedModel> loaded;
  const onnxc_model &compiled;
  onnxc_metadata facts;
  onnxc::runtime::InputCheck inputCheck;
  Index inputIndex, outputIndex;
  std::unique_ptr<onnxc::runtime::ThreadPool> pool; // null: one thread
  std::unique_ptr<onnxc::runtime::Profile> recorder;
  std::mutex mutex;
  std::vector<std::unique_ptr<Run>> idle;
};

#endif // ONNXC_RUNTIME_SRC_SESSION_H
