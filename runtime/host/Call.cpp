//===- Call.cpp - Arguments and results of a host operator -*- C++ -*-===//
#include "Call.h"

#include <cstdio>
#include <new>

namespace onnxc::host {

const onnxc_value &Call::argument(size_t index) const {
  if (call.arguments->dims[0] <= static_cast<int64_t>(index))
    throw Refusal("argument " + std::to_string(index) + " is missing");
  return static_cast<const onnxc_value *>(call.arguments->data)[index];
}

Dims Call::dims(size_t index) const {
  const onnxc_value &value = argument(index);
  return {value.dims, value.dims + value.rank};
}

size_t Call::count(size_t index) const {
  size_t result = 1;
  for (int64_t dim : dims(index))
    result *= static_cast<size_t>(dim);
  return result;
}

std::vector<std::string_view> Call::strings(size_t index) const {
  auto *texts = elements<const char *>(index);
  return {texts, texts + count(index)};
}

void *Call::allocate(size_t bytes) {
  void *memory = call.allocate(call.context, bytes);
  if (!memory)
    throw std::bad_alloc();
  return memory;
}

onnxc_value &Call::addTensor(onnxc_elem_type type, const Dims &dims,
                             size_t bytes) {
  onnxc_value value = {};
  value.kind = ONNXC_KIND_TENSOR;
  value.elem_type = type;
  value.rank = static_cast<int64_t>(dims.size());
  if (dims.size() > ONNXC_MAX_RANK)
    throw Refusal("the result's rank is above " +
                  std::to_string(ONNXC_MAX_RANK));
  for (size_t i = 0; i < dims.size(); ++i)
    value.dims[i] = dims[i];
  value.bytes = bytes;
  value.data = allocate(bytes);
  results.push_back(value);
  return results.back();
}

void Call::addStrings(const Dims &dims, const std::vector<std::string> &texts) {
  onnxc_value &value =
      addTensor(ONNXC_STRING, dims, texts.size() * sizeof(const char *));
  size_t bytes = 0;
  for (const std::string &text : texts)
    bytes += text.size() + 1;
  char *place = static_cast<char *>(allocate(bytes));
  auto **addresses = static_cast<const char **>(value.data);
  for (const std::string &text : texts) {
    std::memcpy(place, text.c_str(), text.size() + 1);
    *addresses++ = place;
    place += text.size() + 1;
  }
}

void Call::finish() {
  onnxc_value &sequence = *call.results;
  sequence = {};
  sequence.kind = ONNXC_KIND_SEQUENCE;
  sequence.rank = 1;
  sequence.dims[0] = static_cast<int64_t>(results.size());
  sequence.bytes = results.size() * sizeof(onnxc_value);
  sequence.data = allocate(sequence.bytes);
  std::memcpy(sequence.data, results.data(), sequence.bytes);
}

int32_t serve(const onnxc_host_call &call,
              Operator (*find)(std::string_view name)) {
  auto fail = [&](int32_t status, const char *reason) {
    call.error->status = status;
    std::snprintf(call.error->message, sizeof call.error->message, "%s: %s",
                  call.name, reason);
    return status;
  };
  try {
    Operator run = find(call.name);
    if (!run)
      return fail(ONNXC_MODEL_RUNTIME_ERROR,
                  "this version has no such operator");
    Call current(call);
    run(current);
    current.finish();
    return ONNXC_MODEL_OK;
  } catch (const std::bad_alloc &) {
    return fail(ONNXC_MODEL_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception &exception) {
    return fail(ONNXC_MODEL_RUNTIME_ERROR, exception.what());
  }
}

} // namespace onnxc::host
