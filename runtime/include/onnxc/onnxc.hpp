//===- onnxc.hpp - The runtime's C++ interface -*- C++ -*-===//
//
// Header-only RAII over c_api.h, shaped like ONNX Runtime's C++ API. C++17.
//
//   onnxc::Session session("model.so");
//   std::vector<float> data(3 * 224 * 224);
//   onnxc::Value x = onnxc::Value::CreateTensor<float>(
//       data.data(), data.size(), {1, 3, 224, 224});
//   std::vector<onnxc::Value> y = session.Run({"x"}, {x});
//   const float *scores = y[0].GetTensorData<float>();
//
// Every failure is thrown as onnxc::Error.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_ONNXC_HPP
#define ONNXC_ONNXC_HPP

#include "onnxc/c_api.h"

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace onnxc {

class Error : public std::runtime_error {
public:
  Error(onnxc_status_code code, const std::string &message)
      : std::runtime_error(message), code(code) {}
  onnxc_status_code GetErrorCode() const { return code; }

private:
  onnxc_status_code code;
};

namespace detail {

inline void check(onnxc_status *status) {
  if (!status)
    return;
  Error error(onnxc_status_get_code(status), onnxc_status_message(status));
  onnxc_status_release(status);
  throw error;
}

struct Releaser {
  void operator()(onnxc_session *p) const { onnxc_session_release(p); }
  void operator()(onnxc_session_options *p) const {
    onnxc_session_options_release(p);
  }
  void operator()(onnxc_run_options *p) const { onnxc_run_options_release(p); }
  void operator()(onnxc_tensor *p) const { onnxc_tensor_release(p); }
};
template <typename T> using Handle = std::unique_ptr<T, Releaser>;

} // namespace detail

/// The element types that have a C++ type; the others (float16, int4, ...) are
/// given by number.
template <typename T> struct ElementType;
#define ONNXC_ELEMENT_TYPE(CppType, number)                                    \
  template <> struct ElementType<CppType> {                                    \
    static constexpr onnxc_elem_type value = number;                           \
  }
ONNXC_ELEMENT_TYPE(float, ONNXC_FLOAT);
ONNXC_ELEMENT_TYPE(double, ONNXC_DOUBLE);
ONNXC_ELEMENT_TYPE(bool, ONNXC_BOOL);
ONNXC_ELEMENT_TYPE(int8_t, ONNXC_INT8);
ONNXC_ELEMENT_TYPE(int16_t, ONNXC_INT16);
ONNXC_ELEMENT_TYPE(int32_t, ONNXC_INT32);
ONNXC_ELEMENT_TYPE(int64_t, ONNXC_INT64);
ONNXC_ELEMENT_TYPE(uint8_t, ONNXC_UINT8);
ONNXC_ELEMENT_TYPE(uint16_t, ONNXC_UINT16);
ONNXC_ELEMENT_TYPE(uint32_t, ONNXC_UINT32);
ONNXC_ELEMENT_TYPE(uint64_t, ONNXC_UINT64);
#undef ONNXC_ELEMENT_TYPE

class SessionOptions {
public:
  SessionOptions() {
    onnxc_session_options *options = nullptr;
    detail::check(onnxc_session_options_create(&options));
    handle.reset(options);
  }
  /// Threads that share one run, the calling one included; 0: the default.
  SessionOptions &SetIntraOpNumThreads(int threads) {
    detail::check(
        onnxc_session_options_set_intra_op_num_threads(handle.get(), threads));
    return *this;
  }
  /// Whether idle threads spin for a short while before they sleep.
  SessionOptions &SetSpinning(bool enable) {
    detail::check(onnxc_session_options_set_spinning(handle.get(), enable));
    return *this;
  }
  /// Record when each kernel runs; the model must be compiled with --profile.
  SessionOptions &EnableProfiling(bool enable = true) {
    detail::check(onnxc_session_options_set_profiling(handle.get(), enable));
    return *this;
  }
  operator const onnxc_session_options *() const { return handle.get(); }

private:
  detail::Handle<onnxc_session_options> handle;
};

class RunOptions {
public:
  /// All defaults.
  RunOptions() = default;
  /// At most this many of the session's threads share the run; 0: all.
  RunOptions &SetMaxThreads(int threads) {
    detail::check(onnxc_run_options_set_max_threads(made(), threads));
    return *this;
  }
  /// Ends the runs under way with these options, soon, and refuses others. For
  /// any thread; but the first call of any of the three before a run.
  RunOptions &SetTerminate() {
    detail::check(onnxc_run_options_set_terminate(made(), 1));
    return *this;
  }
  /// Takes that back.
  RunOptions &UnsetTerminate() {
    detail::check(onnxc_run_options_set_terminate(made(), 0));
    return *this;
  }
  operator const onnxc_run_options *() const { return handle.get(); }

private:
  onnxc_run_options *made() {
    if (!handle) {
      onnxc_run_options *options = nullptr;
      detail::check(onnxc_run_options_create(&options));
      handle.reset(options);
    }
    return handle.get();
  }

  detail::Handle<onnxc_run_options> handle;
};

/// A tensor, with memory of its own or in memory of the caller's; a sequence, a
/// map, or an optional that is absent. Copies share the elements.
class Value {
public:
  Value() = default;

  /// In the caller's memory, which must outlive it.
  template <typename T>
  static Value CreateTensor(T *data, size_t count,
                            const std::vector<int64_t> &shape) {
    return CreateTensor(ElementType<T>::value, data, count * sizeof(T), shape);
  }
  static Value CreateTensor(onnxc_elem_type type, void *data, size_t bytes,
                            const std::vector<int64_t> &shape) {
    onnxc_tensor *tensor = nullptr;
    detail::check(onnxc_tensor_wrap(type, shape.data(), shape.size(), data,
                                    bytes, &tensor));
    return Value(tensor);
  }
  /// With memory of its own, not initialised.
  template <typename T>
  static Value CreateTensor(const std::vector<int64_t> &shape) {
    return CreateTensor(ElementType<T>::value, shape);
  }
  static Value CreateTensor(onnxc_elem_type type,
                            const std::vector<int64_t> &shape) {
    onnxc_tensor *tensor = nullptr;
    detail::check(
        onnxc_tensor_create(type, shape.data(), shape.size(), &tensor));
    return Value(tensor);
  }

  /// A tensor of copies of the strings, which have no NUL characters.
  static Value CreateStringTensor(const std::vector<std::string> &strings,
                                  const std::vector<int64_t> &shape) {
    std::vector<const char *> texts;
    for (const std::string &text : strings) {
      if (text.find('\0') != std::string::npos)
        throw Error(ONNXC_STATUS_INVALID_ARGUMENT,
                    "a string contains a NUL character");
      texts.push_back(text.c_str());
    }
    return Copy(CreateTensor(ONNXC_STRING, texts.data(),
                             texts.size() * sizeof(const char *), shape)
                    .View());
  }
  /// A sequence of copies of the values.
  static Value CreateSequence(const std::vector<Value> &values) {
    return OfParts(ONNXC_KIND_SEQUENCE, values.size(), values);
  }
  /// A map of copies of the keys and of the values that belong to them: lists
  /// of one length.
  static Value CreateMap(const Value &keys, const Value &values) {
    return OfParts(ONNXC_KIND_MAP, keys.GetElementCount(), {keys, values});
  }

  bool HasValue() const { return tensor && View().kind != ONNXC_KIND_NONE; }
  bool IsTensor() const { return tensor && View().kind == ONNXC_KIND_TENSOR; }
  bool IsSequence() const {
    return tensor && View().kind == ONNXC_KIND_SEQUENCE;
  }
  bool IsMap() const { return tensor && View().kind == ONNXC_KIND_MAP; }
  /// The elements of a sequence; 2 for a map: its keys and its values.
  size_t GetCount() const {
    if (IsMap())
      return 2;
    Need(IsSequence(), "the value is neither a sequence nor a map");
    return static_cast<size_t>(View().dims[0]);
  }
  /// One of them, which shares the memory of all.
  Value GetValue(size_t index) const {
    Need(index < GetCount(), "there is no such element");
    Value part = *this;
    part.view = static_cast<const onnxc_value *>(View().data) + index;
    return part;
  }
  onnxc_elem_type GetElementType() const {
    return static_cast<onnxc_elem_type>(View().elem_type);
  }
  std::vector<int64_t> GetShape() const {
    Need(IsTensor(), "the value is no tensor");
    return {View().dims, View().dims + View().rank};
  }
  size_t GetElementCount() const {
    size_t count = 1;
    for (int64_t dim : GetShape())
      count *= static_cast<size_t>(dim);
    return count;
  }
  size_t GetSizeInBytes() const { return View().bytes; }

  template <typename T> const T *GetTensorData() const {
    return GetTensorMutableData<T>();
  }
  template <typename T> T *GetTensorMutableData() const {
    Need(IsTensor(), "the value is no tensor");
    if (GetElementType() != ElementType<T>::value)
      throw Error(ONNXC_STATUS_INVALID_ARGUMENT,
                  std::string("the tensor's elements are of type ") +
                      onnxc_elem_type_name(GetElementType()) + ", not " +
                      onnxc_elem_type_name(ElementType<T>::value));
    return static_cast<T *>(View().data);
  }
  void *GetTensorRawData() const { return View().data; }
  /// An element, by its place in row-major order.
  std::string GetStringTensorElement(size_t index) const {
    Need(IsTensor() && View().elem_type == ONNXC_STRING,
         "the value is no tensor of strings");
    Need(index < GetElementCount(), "there is no such element");
    return static_cast<const char *const *>(View().data)[index];
  }

private:
  friend class Session;
  explicit Value(onnxc_tensor *tensor) : tensor(tensor, detail::Releaser()) {}
  static void Need(bool condition, const char *message) {
    if (!condition)
      throw Error(ONNXC_STATUS_INVALID_ARGUMENT, message);
  }
  static Value Copy(const onnxc_value &value) {
    onnxc_tensor *tensor = nullptr;
    detail::check(onnxc_tensor_copy(&value, &tensor));
    return Value(tensor);
  }
  static Value OfParts(onnxc_value_kind kind, size_t length,
                       const std::vector<Value> &values) {
    std::vector<onnxc_value> parts;
    for (const Value &value : values)
      parts.push_back(value.View());
    onnxc_value whole = {};
    whole.kind = kind;
    whole.rank = 1;
    whole.dims[0] = static_cast<int64_t>(length);
    whole.data = parts.data();
    whole.bytes = parts.size() * sizeof(onnxc_value);
    return Copy(whole);
  }
  const onnxc_value &View() const {
    Need(tensor != nullptr, "the value is empty");
    return view ? *view : *onnxc_tensor_view(tensor.get());
  }

  std::shared_ptr<onnxc_tensor> tensor;
  const onnxc_value *view = nullptr; ///< of a part; null: the whole
};

/// What a model says of an input or output.
struct ValueInfo {
  std::string name;
  onnxc_value_kind kind;
  onnxc_elem_type elementType;
  bool hasRank;                      ///< Otherwise any rank will do.
  std::vector<int64_t> shape;        ///< -1: known only at run time.
  std::vector<std::string> dimNames; ///< Empty where a dim has no name.
  /// What a sequence or an optional holds, or a map besides its keys, of which
  /// elementType is the type; empty for a tensor.
  std::vector<ValueInfo> element;
};

struct ModelMetadata {
  std::string producerName, producerVersion, graphName, graphDescription,
      domain, description, compilerVersion, target;
  int64_t version;
  std::map<std::string, std::string> customMetadata;
};

class Session {
public:
  explicit Session(const std::string &path) { Open(path, nullptr); }
  Session(const std::string &path, const SessionOptions &options) {
    Open(path, options);
  }
  /// From memory, which is copied.
  Session(const void *data, size_t bytes,
          const SessionOptions &options = SessionOptions()) {
    onnxc_session *session = nullptr;
    detail::check(
        onnxc_session_create_from_bytes(data, bytes, options, &session));
    handle.reset(session);
  }
  /// From a model linked into the program.
  explicit Session(const onnxc_model *model,
                   const SessionOptions &options = SessionOptions()) {
    onnxc_session *session = nullptr;
    detail::check(onnxc_session_create_from_model(model, options, &session));
    handle.reset(session);
  }

  size_t GetInputCount() const {
    return onnxc_session_input_count(handle.get());
  }
  size_t GetOutputCount() const {
    return onnxc_session_output_count(handle.get());
  }
  ValueInfo GetInputInfo(size_t index) const {
    return MakeInfo(onnxc_session_input(handle.get(), index));
  }
  ValueInfo GetOutputInfo(size_t index) const {
    return MakeInfo(onnxc_session_output(handle.get(), index));
  }
  std::vector<std::string> GetInputNames() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < GetInputCount(); ++i)
      names.push_back(onnxc_session_input(handle.get(), i)->name);
    return names;
  }
  std::vector<std::string> GetOutputNames() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < GetOutputCount(); ++i)
      names.push_back(onnxc_session_output(handle.get(), i)->name);
    return names;
  }
  int GetThreadCount() const {
    return onnxc_session_thread_count(handle.get());
  }

  ModelMetadata GetModelMetadata() const {
    const onnxc_metadata &from = *onnxc_session_metadata(handle.get());
    ModelMetadata metadata{from.producer_name,    from.producer_version,
                           from.graph_name,       from.graph_description,
                           from.domain,           from.description,
                           from.compiler_version, from.target,
                           from.version,          {}};
    for (size_t i = 0; i < from.custom_count; ++i)
      metadata.customMetadata[from.custom[i].key] = from.custom[i].value;
    return metadata;
  }

  /// Runs the model; no output names means all outputs, in the model's order.
  std::vector<Value> Run(const std::vector<const char *> &inputNames,
                         const std::vector<Value> &inputs,
                         const std::vector<const char *> &outputNames = {},
                         const RunOptions &options = RunOptions()) {
    std::vector<Value> outputs(outputNames.empty() ? GetOutputCount()
                                                   : outputNames.size());
    RunInto(inputNames, inputs, outputNames, outputs, options);
    return outputs;
  }

  /// The same with ONNX Runtime's argument list.
  std::vector<Value> Run(const RunOptions &options,
                         const char *const *inputNames, const Value *inputs,
                         size_t inputCount, const char *const *outputNames,
                         size_t outputCount) {
    return Run({inputNames, inputNames + inputCount},
               {inputs, inputs + inputCount},
               {outputNames, outputNames + outputCount}, options);
  }

  /// Writes the results into the outputs that hold a tensor, and makes the
  /// others. There is one for each name (for each of the model's outputs, when
  /// no name is given).
  void RunInto(const std::vector<const char *> &inputNames,
               const std::vector<Value> &inputs,
               const std::vector<const char *> &outputNames,
               std::vector<Value> &outputs,
               const RunOptions &options = RunOptions()) {
    size_t outputCount =
        outputNames.empty() ? GetOutputCount() : outputNames.size();
    if (inputNames.size() != inputs.size())
      throw Error(ONNXC_STATUS_INVALID_ARGUMENT,
                  std::to_string(inputNames.size()) + " input names for " +
                      std::to_string(inputs.size()) + " inputs");
    if (outputs.size() != outputCount)
      throw Error(ONNXC_STATUS_INVALID_ARGUMENT,
                  std::to_string(outputs.size()) + " output values for " +
                      std::to_string(outputCount) + " outputs");
    std::vector<onnxc_value> views;
    for (const Value &input : inputs)
      views.push_back(input.View());
    std::vector<onnxc_tensor *> tensors;
    for (const Value &output : outputs) {
      Value::Need(!output.view, "an output cannot go to a part of a value");
      tensors.push_back(output.tensor.get());
    }
    detail::check(onnxc_session_run(
        handle.get(), options, inputNames.data(), views.data(), views.size(),
        outputNames.data(), outputNames.size(), tensors.data()));
    for (size_t i = 0; i < outputs.size(); ++i)
      if (!outputs[i].tensor)
        outputs[i] = Value(tensors[i]);
  }

  /// When recording began, in nanoseconds since 1970; 0 without profiling.
  int64_t GetProfilingStartTimeNs() const {
    return onnxc_session_profiling_start_time_ns(handle.get());
  }
  /// What was recorded; an event's `sizes` are valid until the next run ends.
  std::vector<onnxc_profile_event> GetProfile() const {
    std::vector<onnxc_profile_event> events(
        onnxc_session_profile_event_count(handle.get()));
    for (size_t i = 0; i < events.size(); ++i)
      detail::check(onnxc_session_profile_event(handle.get(), i, &events[i]));
    return events;
  }
  /// Writes what was recorded as a Chrome trace, and stops recording.
  void EndProfiling(const std::string &path) {
    detail::check(onnxc_session_end_profiling(handle.get(), path.c_str()));
  }

  operator onnxc_session *() const { return handle.get(); }

private:
  void Open(const std::string &path, const onnxc_session_options *options) {
    onnxc_session *session = nullptr;
    detail::check(onnxc_session_create(path.c_str(), options, &session));
    handle.reset(session);
  }

  static ValueInfo MakeInfo(const onnxc_value_info *info) {
    if (!info)
      throw Error(ONNXC_STATUS_INVALID_ARGUMENT, "no such input or output");
    ValueInfo result{info->name,
                     static_cast<onnxc_value_kind>(info->kind),
                     static_cast<onnxc_elem_type>(info->elem_type),
                     info->rank >= 0,
                     {},
                     {},
                     {}};
    if (info->element)
      result.element.push_back(MakeInfo(info->element));
    for (int64_t i = 0; i < info->rank; ++i) {
      const char *name = info->dim_names ? info->dim_names[i] : nullptr;
      result.shape.push_back(info->dims[i]);
      result.dimNames.emplace_back(name ? name : "");
    }
    return result;
  }

  detail::Handle<onnxc_session> handle;
};

} // namespace onnxc

#endif // ONNXC_ONNXC_HPP
