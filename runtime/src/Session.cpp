//===- Session.cpp - A model that can be run -===//
#include "Session.h"

#include "ElemType.h"
#include "Machine.h"

using namespace onnxc::runtime;

/// A run's memory, taken from those that idle and given back.
class onnxc_session::Lease {
public:
  explicit Lease(onnxc_session &session) : session(session) {
    {
      std::lock_guard<std::mutex> lock(session.mutex);
      if (!session.idle.empty()) {
        run = std::move(session.idle.back());
        session.idle.pop_back();
      }
    }
    if (!run)
      run = std::make_unique<Run>(session.compiled);
  }
  ~Lease() {
    std::lock_guard<std::mutex> lock(session.mutex);
    try {
      session.idle.push_back(std::move(run));
    } catch (const std::bad_alloc &) {
      // The next run makes a new one.
    }
  }
  Run &operator*() const { return *run; }

private:
  onnxc_session &session;
  std::unique_ptr<Run> run;
};

static const char *orEmpty(const char *text) { return text ? text : ""; }

onnxc_session::onnxc_session(std::unique_ptr<LoadedModel> loadedModel,
                             const onnxc_model &model,
                             const onnxc_session_options &options)
    : loaded(std::move(loadedModel)), compiled(model), facts(),
      inputCheck(model) {
  facts.producer_name = orEmpty(model.producer_name);
  facts.producer_version = orEmpty(model.producer_version);
  facts.graph_name = orEmpty(model.graph_name);
  facts.graph_description = orEmpty(model.graph_description);
  facts.domain = orEmpty(model.domain);
  facts.description = orEmpty(model.description);
  facts.version = model.model_version;
  facts.custom_count = model.metadata_count;
  facts.custom = model.metadata;
  facts.compiler_version = orEmpty(model.compiler_version);
  facts.target = orEmpty(model.target);
  for (size_t i = 0; i < model.input_count; ++i)
    inputIndex.emplace(model.inputs[i].name, i);
  for (size_t i = 0; i < model.output_count; ++i)
    outputIndex.emplace(model.outputs[i].name, i);
  if (options.profiling)
    recorder = std::make_unique<Profile>();
  int threads = options.threads ? options.threads : defaultThreadCount();
  if (threads > 1)
    pool = std::make_unique<ThreadPool>(threads, options.spinning);
}

static ptrdiff_t find(const std::unordered_map<std::string_view, size_t> &index,
                      const char *name) {
  auto found = index.find(name);
  return found == index.end() ? -1 : static_cast<ptrdiff_t>(found->second);
}

ptrdiff_t onnxc_session::findInput(const char *name) const {
  return find(inputIndex, name);
}

ptrdiff_t onnxc_session::findOutput(const char *name) const {
  return find(outputIndex, name);
}

static Status unknownName(const char *what, const char *name,
                          const onnxc_value_info *infos, size_t count) {
  std::string known;
  for (size_t i = 0; i < count; ++i)
    known += (i ? ", " : "") + quoted(infos[i].name);
  return invalidArgument(std::string("unknown ") + what + " " + quoted(name) +
                         "; the model has " + (known.empty() ? "none" : known));
}

Status onnxc_session::bindInputs(const char *const *names,
                                 const onnxc_value *values, size_t count,
                                 Run &run) const {
  for (onnxc_value &input : run.inputs)
    input.kind = ONNXC_KIND_NONE;
  for (size_t i = 0; i < count; ++i) {
    if (!names[i])
      return invalidArgument("an input's name is NULL");
    ptrdiff_t index = findInput(names[i]);
    if (index < 0)
      return unknownName("input", names[i], compiled.inputs,
                         compiled.input_count);
    if (run.inputs[index].kind != ONNXC_KIND_NONE)
      return invalidArgument("input " + quoted(names[i]) + " is given twice");
    if (values[i].kind == ONNXC_KIND_NONE &&
        compiled.inputs[index].kind != ONNXC_KIND_OPTIONAL)
      return invalidArgument("input " + quoted(names[i]) +
                             ": the value given is none");
    run.inputs[index] = values[i];
  }
  return nullptr;
}

Status onnxc_session::findOutputs(const char *const *names, size_t count,
                                  Run &run) const {
  run.outputIndices.clear();
  for (size_t i = 0; i < count; ++i) {
    if (!names[i])
      return invalidArgument("an output's name is NULL");
    ptrdiff_t index = findOutput(names[i]);
    if (index < 0)
      return unknownName("output", names[i], compiled.outputs,
                         compiled.output_count);
    run.outputIndices.push_back(static_cast<size_t>(index));
  }
  return nullptr;
}

Status onnxc_session::execute(const onnxc_run_options *options,
                              const onnxc_value *inputs,
                              const size_t *outputIndices, size_t outputCount,
                              onnxc_tensor **outputs, Run &run) {
  if (Status status = inputCheck.check(inputs, run.symbolValues))
    return status;
  const int32_t *terminate = options ? &options->terminate : nullptr;
  if (terminate && __atomic_load_n(terminate, __ATOMIC_RELAXED))
    return terminated();
  return run.execute(inputs, outputIndices, outputCount, outputs, pool.get(),
                     options ? options->maxThreads : 0, terminate,
                     recorder.get());
}

Status onnxc_session::run(const onnxc_run_options *options,
                          const char *const *inputNames,
                          const onnxc_value *inputs, size_t inputCount,
                          const char *const *outputNames, size_t outputCount,
                          onnxc_tensor **outputs) {
  Lease lease(*this);
  Run &run = *lease;
  if (Status status = bindInputs(inputNames, inputs, inputCount, run))
    return status;
  const size_t *indices = nullptr;
  if (outputCount == 0) {
    outputCount = compiled.output_count;
  } else {
    if (Status status = findOutputs(outputNames, outputCount, run))
      return status;
    indices = run.outputIndices.data();
  }
  return execute(options, run.inputs.data(), indices, outputCount, outputs,
                 run);
}

Status onnxc_session::runIndexed(const onnxc_run_options *options,
                                 const onnxc_value *inputs,
                                 const size_t *outputIndices,
                                 size_t outputCount, onnxc_tensor **outputs) {
  Lease lease(*this);
  if (outputCount == 0) {
    outputIndices = nullptr;
    outputCount = compiled.output_count;
  }
  return execute(options, inputs, outputIndices, outputCount, outputs, *lease);
}

Status onnxc_session::plan(const onnxc_value *inputs, onnxc_value *outputs,
                           size_t *workspaceBytes) {
  std::vector<int64_t> symbolValues;
  if (Status status = inputCheck.check(inputs, symbolValues))
    return status;
  onnxc_error error;
  error.status = ONNXC_MODEL_OK;
  error.message[0] = '\0';
  error.message[sizeof error.message - 1] = '\0';
  size_t bytes = 0;
  int32_t code = compiled.plan(inputs, outputs, &bytes, &error);
  if (code != ONNXC_MODEL_OK)
    return modelStatus(code, error.message);
  if (workspaceBytes)
    *workspaceBytes = bytes;
  return nullptr;
}
