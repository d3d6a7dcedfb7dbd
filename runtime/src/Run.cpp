//===- Run.cpp - One run of a model -===//
#include "Run.h"

#include "ElemType.h"
#include "HostOperators.h"

#include <new>

namespace onnxc::runtime {

/// Whether a value refers to nothing beyond its elements.
static bool isPlainTensor(uint32_t kind, int32_t elemType) {
  return kind == ONNXC_KIND_TENSOR && elemType != ONNXC_STRING;
}

Run::Run(const onnxc_model &model) : model(model) {
  inputs.resize(model.input_count);
  values.resize(model.output_count);
  destinations.resize(model.output_count);
}

/// Memory that lives until the run is over. Called by the model, so nothing may
/// be thrown.
void *Run::keep(size_t bytes) {
  AlignedMemory memory = allocateAligned(bytes);
  if (!memory)
    return nullptr;
  try {
    temporaries.push_back(std::move(memory));
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
  return temporaries.back().get();
}

void *Run::outputMemory(size_t index, const onnxc_value &value, size_t bytes) {
  if (index >= destinations.size())
    return nullptr;
  Destination &destination = destinations[index];
  if (!destination.wanted)
    return keep(bytes);
  if (destination.given) {
    // Its memory was NULL, else the model would not ask.
    if (bytes == 0)
      return keep(0);
    try {
      complaint = "output " + quoted(model.outputs[index].name) + ": shape " +
                  shapeString(value.dims, value.rank) + " needs " +
                  std::to_string(bytes) + " bytes, got a tensor of 0";
    } catch (const std::bad_alloc &) {
      return nullptr;
    }
    return nullptr;
  }
  destination.made = allocateTensor(value, bytes);
  return destination.made ? destination.made->view.data : nullptr;
}

onnxc_services Run::makeServices() {
  onnxc_services services = {};
  services.abi_version = ONNXC_ABI_VERSION;
  services.struct_size = sizeof services;
  services.workspace = [](void *context, size_t bytes) {
    return static_cast<Run *>(context)->workspace.reserve(bytes);
  };
  services.allocate_output = [](void *context, size_t index,
                                const onnxc_value *value, size_t bytes) {
    return static_cast<Run *>(context)->outputMemory(index, *value, bytes);
  };
  services.allocate = [](void *context, size_t bytes) {
    return static_cast<Run *>(context)->keep(bytes);
  };
  services.parallel_for = [](void *context, int64_t count, int64_t grain,
                             ThreadPool::Body body, void *argument) {
    auto *run = static_cast<Run *>(context);
    run->pool->parallelFor(count, grain, body, argument, run->maxThreads);
  };
  services.host_operator = [](void *context, const char *name,
                              const onnxc_value *arguments,
                              onnxc_value *results, onnxc_error *error) {
    auto allocate = [](void *run, size_t bytes) {
      return static_cast<Run *>(run)->keep(bytes);
    };
    return runHostOperator(
        {name, arguments, results, allocate, context, error});
  };
  return services;
}

void Run::addProfiling(onnxc_services &services) {
  services.kernel_begin = [](void *context, const onnxc_kernel_info *) {
    static_cast<Run *>(context)->runProfile.begin();
  };
  services.kernel_end = [](void *context, const onnxc_kernel_info *kernel,
                           int64_t flops, int64_t bytes, const int64_t *sizes) {
    static_cast<Run *>(context)->runProfile.end(kernel, flops, bytes, sizes);
  };
}

Status Run::bindOutputs(const size_t *indices, size_t count,
                        onnxc_tensor **outputs) {
  for (size_t i = 0; i < values.size(); ++i) {
    values[i].kind = ONNXC_KIND_NONE;
    values[i].data = nullptr;
    values[i].bytes = 0;
    destinations[i] = {false, nullptr, nullptr};
  }
  for (size_t i = 0; i < count; ++i) {
    size_t index = indices ? indices[i] : i;
    if (index >= values.size())
      return invalidArgument("there is no output " + std::to_string(index) +
                             "; the model has " +
                             std::to_string(values.size()));
    const onnxc_value_info &info = model.outputs[index];
    Destination &destination = destinations[index];
    if (destination.wanted)
      return invalidArgument("output " + quoted(info.name) +
                             " is asked for twice");
    destination.wanted = true;
    if (!outputs[i])
      continue;
    for (size_t j = 0; j < i; ++j)
      if (outputs[j] == outputs[i])
        return invalidArgument("output " + quoted(info.name) +
                               " shares its tensor with another output");
    if (!isPlainTensor(info.kind, info.elem_type))
      return invalidArgument("output " + quoted(info.name) + " is " +
                             typeName(info) +
                             ", which needs memory of its own");
    const onnxc_value &view = outputs[i]->view;
    if (view.elem_type != info.elem_type)
      return invalidArgument("output " + quoted(info.name) +
                             ": expected tensor(" +
                             elemTypeName(info.elem_type) + "), got tensor(" +
                             elemTypeName(view.elem_type) + ")");
    destination.given = outputs[i];
    values[index] = view;
    values[index].bytes = outputs[i]->capacity;
  }
  return nullptr;
}

Status terminated() {
  return makeStatus(ONNXC_STATUS_TERMINATED,
                    "Exiting due to terminate flag being set to true.");
}

Status modelStatus(int32_t code, const std::string &message) {
  switch (code) {
  case ONNXC_MODEL_INVALID_ARGUMENT:
    return invalidArgument(message.empty() ? "the model refused an input"
                                           : message);
  case ONNXC_MODEL_OUT_OF_MEMORY:
    return message.empty() ? outOfMemory()
                           : makeStatus(ONNXC_STATUS_OUT_OF_MEMORY, message);
  case ONNXC_MODEL_TERMINATED:
    return terminated();
  default:
    return makeStatus(ONNXC_STATUS_RUNTIME_ERROR,
                      message.empty() ? "the model failed" : message);
  }
}

Status Run::handOut(const size_t *indices, size_t count,
                    onnxc_tensor **outputs) {
  // All or nothing: first what can fail.
  for (size_t i = 0; i < count; ++i) {
    size_t index = indices ? indices[i] : i;
    Destination &destination = destinations[index];
    const onnxc_value &value = values[index];
    if (value.kind != ONNXC_KIND_NONE &&
        !isPlainTensor(value.kind, value.elem_type)) {
      // What it refers to is memory of the run.
      destination.made = copyValue(value);
      if (!destination.made)
        return outOfMemory();
      values[index] = destination.made->view;
      continue;
    }
    if (destination.given || destination.made)
      continue;
    // An optional: its tensor is memory of the run, or it is absent; or an
    // empty tensor without memory.
    destination.made = value.kind == ONNXC_KIND_TENSOR
                           ? copyValue(value)
                           : allocateTensor(value, 0);
    if (!destination.made)
      return outOfMemory();
  }
  for (size_t i = 0; i < count; ++i) {
    size_t index = indices ? indices[i] : i;
    Destination &destination = destinations[index];
    onnxc_tensor *tensor =
        destination.given ? destination.given : destination.made.release();
    void *data = tensor->view.data;
    tensor->view = values[index];
    tensor->view.data = data;
    outputs[i] = tensor;
  }
  return nullptr;
}

void Run::reset() {
  temporaries.clear();
  for (Destination &destination : destinations)
    destination.made.reset();
  complaint.clear();
  pool = nullptr;
}

Status Run::execute(const onnxc_value *inputs, const size_t *indices,
                    size_t count, onnxc_tensor **outputs, ThreadPool *pool,
                    int maxThreads, const int32_t *terminate,
                    Profile *profile) {
  if (Status status = bindOutputs(indices, count, outputs))
    return status;
  this->pool = pool;
  this->maxThreads = maxThreads;
  onnxc_services services = makeServices();
  services.context = this;
  services.terminate = terminate;
  if (!pool || maxThreads == 1)
    services.parallel_for = nullptr;
  if (profile && !profile->isRecording())
    profile = nullptr;
  if (profile) {
    runProfile.clear();
    addProfiling(services);
  }

  onnxc_error error;
  error.status = ONNXC_MODEL_OK;
  error.message[0] = '\0';
  error.message[sizeof error.message - 1] = '\0';
  int64_t begin = profile ? clockNanoseconds() : 0;
  int32_t code =
      model.run(&services, inputs, values.data(), nullptr, 0, &error);
  if (profile)
    profile->add(runProfile, begin, clockNanoseconds());
  Status status = code == ONNXC_MODEL_OK ? handOut(indices, count, outputs)
                  : !complaint.empty()   ? invalidArgument(complaint)
                                         : modelStatus(code, error.message);
  reset();
  return status;
}

} // namespace onnxc::runtime
