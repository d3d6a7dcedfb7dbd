//===- CApi.cpp - The runtime's C interface -===//
//
// Checks what comes in, and lets no exception out. Statuses and tensors are in
// the files of their own.
//
//===----------------------------------------------------------------------===//
#include "CpuFeatures.h"
#include "Session.h"

#include <cstring>

using namespace onnxc::runtime;

// More threads than any machine has are a mistake.
static constexpr int32_t maxThreads = 1024;

/// Calls `body`, which returns a Status, and turns what it throws into one.
template <typename Body> static onnxc_status *guarded(Body body) {
  try {
    return body().release();
  } catch (const std::bad_alloc &) {
    return outOfMemory().release();
  } catch (const std::exception &exception) {
    try {
      return makeStatus(ONNXC_STATUS_SYSTEM_ERROR, exception.what()).release();
    } catch (const std::bad_alloc &) {
      return outOfMemory().release();
    }
  }
}

static Status isNull(const char *what) {
  return invalidArgument(std::string(what) + " is NULL");
}

const char *onnxc_version(void) { return ONNXC_VERSION; }

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

template <typename Options> static onnxc_status *makeOptions(Options **result) {
  return guarded([&]() -> Status {
    if (!result)
      return isNull("options");
    *result = nullptr;
    *result = new Options;
    return nullptr;
  });
}

static onnxc_status *setThreads(const char *what, int32_t threads,
                                int32_t *option) {
  return guarded([&]() -> Status {
    if (!option)
      return isNull("options");
    if (threads < 0 || threads > maxThreads)
      return invalidArgument(std::string(what) + " is " +
                             std::to_string(threads) + ", expected 0 to " +
                             std::to_string(maxThreads));
    *option = threads;
    return nullptr;
  });
}

onnxc_status *onnxc_session_options_create(onnxc_session_options **options) {
  return makeOptions(options);
}

void onnxc_session_options_release(onnxc_session_options *options) {
  delete options;
}

onnxc_status *
onnxc_session_options_set_intra_op_num_threads(onnxc_session_options *options,
                                               int32_t threads) {
  return setThreads("intra_op_num_threads", threads,
                    options ? &options->threads : nullptr);
}

onnxc_status *onnxc_session_options_set_spinning(onnxc_session_options *options,
                                                 int32_t enable) {
  return guarded([&]() -> Status {
    if (!options)
      return isNull("options");
    options->spinning = enable != 0;
    return nullptr;
  });
}

onnxc_status *
onnxc_session_options_set_profiling(onnxc_session_options *options,
                                    int32_t enable) {
  return guarded([&]() -> Status {
    if (!options)
      return isNull("options");
    options->profiling = enable != 0;
    return nullptr;
  });
}

onnxc_status *onnxc_run_options_create(onnxc_run_options **options) {
  return makeOptions(options);
}

void onnxc_run_options_release(onnxc_run_options *options) { delete options; }

onnxc_status *onnxc_run_options_set_max_threads(onnxc_run_options *options,
                                                int32_t threads) {
  return setThreads("max_threads", threads,
                    options ? &options->maxThreads : nullptr);
}

onnxc_status *onnxc_run_options_set_terminate(onnxc_run_options *options,
                                              int32_t terminate) {
  return guarded([&]() -> Status {
    if (!options)
      return isNull("options");
    __atomic_store_n(&options->terminate, terminate != 0, __ATOMIC_RELAXED);
    return nullptr;
  });
}

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

static Status createSession(std::unique_ptr<LoadedModel> loaded,
                            const onnxc_model &model, const std::string &name,
                            const onnxc_session_options *given,
                            onnxc_session **session) {
  onnxc_session_options options = given ? *given : onnxc_session_options();
  if (options.profiling && !model.kernel_count)
    return invalidArgument(quoted(name.c_str()) +
                           " does not report times: compile it with "
                           "onnx-compile --profile");
  *session = new onnxc_session(std::move(loaded), model, options);
  return nullptr;
}

static Status createFromFile(File file, const std::string &name,
                             const onnxc_session_options *options,
                             onnxc_session **session) {
  if (Status status = checkModelFile(file, name, onnxc_cpu_features()))
    return status;
  std::unique_ptr<LoadedModel> loaded;
  if (Status status = loadModel(std::move(file), name, loaded))
    return status;
  const onnxc_model &model = *loaded->model();
  return createSession(std::move(loaded), model, name, options, session);
}

onnxc_status *onnxc_session_create(const char *path,
                                   const onnxc_session_options *options,
                                   onnxc_session **session) {
  return guarded([&]() -> Status {
    if (!session)
      return isNull("session");
    *session = nullptr;
    if (!path)
      return isNull("path");
    File file;
    if (Status status = openModelFile(path, file))
      return status;
    return createFromFile(std::move(file), path, options, session);
  });
}

onnxc_status *
onnxc_session_create_from_bytes(const void *data, size_t bytes,
                                const onnxc_session_options *options,
                                onnxc_session **session) {
  return guarded([&]() -> Status {
    if (!session)
      return isNull("session");
    *session = nullptr;
    if (!data && bytes)
      return isNull("data");
    File file;
    if (Status status = makeMemoryFile(data, bytes, file))
      return status;
    return createFromFile(std::move(file), "model in memory", options, session);
  });
}

onnxc_status *
onnxc_session_create_from_model(const onnxc_model *model,
                                const onnxc_session_options *options,
                                onnxc_session **session) {
  return guarded([&]() -> Status {
    if (!session)
      return isNull("session");
    *session = nullptr;
    if (!model)
      return isNull("model");
    static constexpr const char *name = "model in the program";
    if (Status status = checkModel(model, name))
      return status;
    return createSession(nullptr, *model, name, options, session);
  });
}

void onnxc_session_release(onnxc_session *session) { delete session; }

size_t onnxc_session_input_count(const onnxc_session *session) {
  return session ? session->model().input_count : 0;
}

size_t onnxc_session_output_count(const onnxc_session *session) {
  return session ? session->model().output_count : 0;
}

const onnxc_value_info *onnxc_session_input(const onnxc_session *session,
                                            size_t index) {
  return index < onnxc_session_input_count(session)
             ? &session->model().inputs[index]
             : nullptr;
}

const onnxc_value_info *onnxc_session_output(const onnxc_session *session,
                                             size_t index) {
  return index < onnxc_session_output_count(session)
             ? &session->model().outputs[index]
             : nullptr;
}

ptrdiff_t onnxc_session_find_input(const onnxc_session *session,
                                   const char *name) {
  return session && name ? session->findInput(name) : -1;
}

ptrdiff_t onnxc_session_find_output(const onnxc_session *session,
                                    const char *name) {
  return session && name ? session->findOutput(name) : -1;
}

int32_t onnxc_session_thread_count(const onnxc_session *session) {
  return session ? session->threadCount() : 0;
}

const onnxc_metadata *onnxc_session_metadata(const onnxc_session *session) {
  return session ? &session->metadata() : nullptr;
}

const char *onnxc_session_metadata_lookup(const onnxc_session *session,
                                          const char *key) {
  if (!session || !key)
    return nullptr;
  const onnxc_metadata &metadata = session->metadata();
  for (size_t i = 0; i < metadata.custom_count; ++i)
    if (metadata.custom[i].key && strcmp(metadata.custom[i].key, key) == 0)
      return metadata.custom[i].value;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

onnxc_status *onnxc_session_run(onnxc_session *session,
                                const onnxc_run_options *options,
                                const char *const *inputNames,
                                const onnxc_value *inputs, size_t inputCount,
                                const char *const *outputNames,
                                size_t outputCount, onnxc_tensor **outputs) {
  return guarded([&]() -> Status {
    if (!session)
      return isNull("session");
    if (inputCount && (!inputNames || !inputs))
      return isNull(inputNames ? "inputs" : "input_names");
    if (outputCount && !outputNames)
      return isNull("output_names");
    if (!outputs)
      return isNull("outputs");
    return session->run(options, inputNames, inputs, inputCount, outputNames,
                        outputCount, outputs);
  });
}

onnxc_status *onnxc_session_run_indexed(onnxc_session *session,
                                        const onnxc_run_options *options,
                                        const onnxc_value *inputs,
                                        const size_t *outputIndices,
                                        size_t outputCount,
                                        onnxc_tensor **outputs) {
  return guarded([&]() -> Status {
    if (!session)
      return isNull("session");
    if (!inputs && session->model().input_count)
      return isNull("inputs");
    if (!outputs)
      return isNull("outputs");
    return session->runIndexed(options, inputs, outputIndices, outputCount,
                               outputs);
  });
}

onnxc_status *onnxc_session_plan(onnxc_session *session,
                                 const onnxc_value *inputs,
                                 onnxc_value *outputs, size_t *workspaceBytes) {
  return guarded([&]() -> Status {
    if (!session)
      return isNull("session");
    if (!inputs && session->model().input_count)
      return isNull("inputs");
    if (!outputs)
      return isNull("outputs");
    return session->plan(inputs, outputs, workspaceBytes);
  });
}

//===----------------------------------------------------------------------===//
// Profiles
//===----------------------------------------------------------------------===//

static Status needProfile(const onnxc_session *session) {
  if (!session)
    return isNull("session");
  if (!session->profile())
    return invalidArgument("profiling is not enabled in this session");
  return nullptr;
}

int64_t onnxc_session_profiling_start_time_ns(const onnxc_session *session) {
  return session && session->profile() ? session->profile()->startTime() : 0;
}

size_t onnxc_session_profile_event_count(const onnxc_session *session) {
  return session && session->profile() ? session->profile()->eventCount() : 0;
}

onnxc_status *onnxc_session_profile_event(const onnxc_session *session,
                                          size_t index,
                                          onnxc_profile_event *event) {
  return guarded([&]() -> Status {
    if (Status status = needProfile(session))
      return status;
    if (!event)
      return isNull("event");
    if (!session->profile()->event(index, *event))
      return invalidArgument("there is no event " + std::to_string(index));
    return nullptr;
  });
}

onnxc_status *onnxc_session_end_profiling(onnxc_session *session,
                                          const char *path) {
  return guarded([&]() -> Status {
    if (Status status = needProfile(session))
      return status;
    if (!path)
      return isNull("path");
    return session->profile()->finish(path);
  });
}
