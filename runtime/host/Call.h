//===- Call.h - Arguments and results of a host operator -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_HOST_CALL_H
#define ONNXC_RUNTIME_HOST_CALL_H

#include "HostCall.h"

#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace onnxc::host {

/// What an operator must refuse; the message goes to the user.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Dims = std::vector<int64_t>;

/// The arguments of a call, and its results in the order in which they are
/// added. Generated code has made the arguments: their number, types and ranks
/// are as each operator states.
class Call {
public:
  explicit Call(const onnxc_host_call &call) : call(call) {}

  const onnxc_value &argument(size_t index) const;
  Dims dims(size_t index) const;
  /// The elements of an argument, a tensor.
  std::vector<std::string_view> strings(size_t index) const;
  template <typename T> const T *elements(size_t index) const {
    return static_cast<const T *>(argument(index).data);
  }
  size_t count(size_t index) const;
  /// The only element of an argument.
  int64_t integer(size_t index) const { return *elements<int64_t>(index); }

  template <typename T>
  void add(onnxc_elem_type type, const Dims &dims, const std::vector<T> &data) {
    onnxc_value &value = addTensor(type, dims, data.size() * sizeof(T));
    if (!data.empty())
      std::memcpy(value.data, data.data(), value.bytes);
  }
  void addStrings(const Dims &dims, const std::vector<std::string> &texts);
  /// Writes the results; nothing may be added behind it.
  void finish();

private:
  onnxc_value &addTensor(onnxc_elem_type type, const Dims &dims, size_t bytes);
  void *allocate(size_t bytes);

  const onnxc_host_call &call;
  std::vector<onnxc_value> results;
};

using Operator = void (*)(Call &);

/// Runs `call` with the operator that `find` has for its name; the status, and
/// on failure the message. No exception leaves it.
int32_t serve(const onnxc_host_call &call,
              Operator (*find)(std::string_view name));

} // namespace onnxc::host

#endif // ONNXC_RUNTIME_HOST_CALL_H
