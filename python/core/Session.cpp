//===- Session.cpp - The Python view of a session ---------------*- C++ -*-===//
//
// A thin class over the runtime's C interface: numpy arrays go in without a
// copy, results come out as numpy arrays that own the runtime's memory.
// Everything that users see (options, defaults, compiling on the fly) is
// Python, in the package beside this file.
//
//===----------------------------------------------------------------------===//

#include "Arrays.h"
#include "Values.h"

#include "onnxc/c_api.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <string>
#include <vector>

namespace nb = nanobind;
using namespace onnxc::python;

namespace {

/// The classes of onnxc._errors, in the order of onnxc_status_code.
const char *errorClass(onnxc_status_code code) {
  switch (code) {
  case ONNXC_STATUS_INVALID_ARGUMENT:
    return "InvalidArgument";
  case ONNXC_STATUS_NO_SUCH_FILE:
    return "NoSuchFile";
  case ONNXC_STATUS_INVALID_MODEL:
    return "InvalidGraph";
  case ONNXC_STATUS_OUT_OF_MEMORY:
  case ONNXC_STATUS_RUNTIME_ERROR:
    return "RuntimeException";
  case ONNXC_STATUS_NOT_IMPLEMENTED:
    return "NotImplemented";
  case ONNXC_STATUS_INCOMPATIBLE:
    return "Incompatible";
  default:
    return "Fail";
  }
}

[[noreturn]] void raise(const char *name, const std::string &message) {
  nb::object type = nb::module_::import_("onnxc._errors").attr(name);
  PyErr_SetString(type.ptr(), message.c_str());
  throw nb::python_error();
}

void check(onnxc_status *status) {
  if (!status)
    return;
  onnxc_status_code code = onnxc_status_get_code(status);
  std::string message = onnxc_status_message(status);
  onnxc_status_release(status);
  raise(errorClass(code), message);
}

/// Options for the length of one call.
struct SessionOptions {
  onnxc_session_options *handle = nullptr;
  SessionOptions(int threads, bool spinning, bool profiling) {
    check(onnxc_session_options_create(&handle));
    check(onnxc_session_options_set_intra_op_num_threads(handle, threads));
    check(onnxc_session_options_set_spinning(handle, spinning));
    check(onnxc_session_options_set_profiling(handle, profiling));
  }
  ~SessionOptions() { onnxc_session_options_release(handle); }
};

struct RunOptions {
  onnxc_run_options *handle = nullptr;
  RunOptions() { check(onnxc_run_options_create(&handle)); }
  RunOptions(const RunOptions &) = delete;
  ~RunOptions() { onnxc_run_options_release(handle); }

  void setMaxThreads(int threads) {
    check(onnxc_run_options_set_max_threads(handle, threads));
  }
  void setTerminate(bool terminate) {
    check(onnxc_run_options_set_terminate(handle, terminate));
  }
};

/// Outputs until they are handed to numpy.
struct Outputs {
  std::vector<onnxc_tensor *> tensors;
  explicit Outputs(size_t count) : tensors(count) {}
  ~Outputs() {
    for (onnxc_tensor *tensor : tensors)
      onnxc_tensor_release(tensor);
  }
};

nb::object describe(const onnxc_value_info &info) {
  nb::list dims;
  for (int64_t i = 0; i < info.rank; ++i) {
    if (info.dims[i] >= 0)
      dims.append(info.dims[i]);
    else if (info.dim_names && info.dim_names[i])
      dims.append(info.dim_names[i]);
    else
      dims.append(nb::none());
  }
  return nb::make_tuple(nb::str(info.name), dims, typeName(info),
                        info.has_default != 0);
}

/// Whether a run needs a value for the input.
bool isRequired(const onnxc_value_info &info) {
  return !info.has_default && info.kind != ONNXC_KIND_OPTIONAL;
}

class Session {
public:
  Session(nb::object source, int threads, bool spinning, bool profiling) {
    SessionOptions options(threads, spinning, profiling);
    if (nb::isinstance<nb::bytes>(source)) {
      auto bytes = nb::cast<nb::bytes>(source);
      check(onnxc_session_create_from_bytes(bytes.data(), bytes.size(),
                                            options.handle, &handle));
    } else {
      auto path = nb::cast<std::string>(source);
      check(onnxc_session_create(path.c_str(), options.handle, &handle));
    }
    for (size_t i = 0, n = onnxc_session_input_count(handle); i < n; ++i) {
      inputs.push_back(onnxc_session_input(handle, i));
      inputIndex[inputs.back()->name] = i;
    }
    for (size_t i = 0, n = onnxc_session_output_count(handle); i < n; ++i)
      outputIndex[onnxc_session_output(handle, i)->name] = i;
  }
  ~Session() { onnxc_session_release(handle); }
  Session(const Session &) = delete;

  nb::list describeInputs() const {
    nb::list result;
    for (const onnxc_value_info *info : inputs)
      result.append(describe(*info));
    return result;
  }

  nb::list describeOutputs() const {
    nb::list result;
    for (size_t i = 0; i < outputIndex.size(); ++i)
      result.append(describe(*onnxc_session_output(handle, i)));
    return result;
  }

  int threads() const { return onnxc_session_thread_count(handle); }

  int64_t profilingStartTime() const {
    return onnxc_session_profiling_start_time_ns(handle);
  }

  void endProfiling(const std::string &path) {
    check(onnxc_session_end_profiling(handle, path.c_str()));
  }

  nb::dict metadata() const {
    const onnxc_metadata *data = onnxc_session_metadata(handle);
    nb::dict custom;
    for (size_t i = 0; i < data->custom_count; ++i)
      custom[data->custom[i].key] = data->custom[i].value;
    nb::dict result;
    result["producer_name"] = data->producer_name;
    result["producer_version"] = data->producer_version;
    result["graph_name"] = data->graph_name;
    result["graph_description"] = data->graph_description;
    result["domain"] = data->domain;
    result["description"] = data->description;
    result["version"] = data->version;
    result["custom_metadata_map"] = custom;
    result["compiler_version"] = data->compiler_version;
    result["target"] = data->target;
    return result;
  }

  /// `targets`: None, or for each output asked for None or an array of its
  /// type, in whose memory the result goes.
  nb::list run(nb::handle outputNames, nb::dict feeds,
               const RunOptions *options, nb::handle targets) {
    std::vector<onnxc_value> values(inputs.size());
    InputValues views;
    for (auto [name, value] : feeds)
      bind(name, value, feeds, values, views);
    for (size_t i = 0; i < inputs.size(); ++i)
      if (values[i].kind == ONNXC_KIND_NONE && isRequired(*inputs[i]))
        raiseMissing(feeds);

    std::vector<size_t> wanted = outputIndices(outputNames);
    size_t count = wanted.empty() ? outputIndex.size() : wanted.size();
    Outputs outputs(count);
    std::vector<nb::object> arrays = wrapTargets(targets, outputs);
    onnxc_status *status;
    {
      nb::gil_scoped_release release;
      status = onnxc_session_run_indexed(
          handle, options ? options->handle : nullptr, values.data(),
          wanted.empty() ? nullptr : wanted.data(), count,
          outputs.tensors.data());
    }
    check(status);

    nb::list result;
    for (size_t i = 0; i < count; ++i) {
      onnxc_tensor *tensor = outputs.tensors[i];
      if (arrays[i].is_valid()) {
        checkShape(*onnxc_tensor_view(tensor), arrays[i]);
        result.append(arrays[i]);
        continue;
      }
      std::string error;
      outputs.tensors[i] = nullptr; // owned by the object, or released
      nb::object object = objectFromTensor(tensor, error);
      if (!object.is_valid())
        raise("NotImplemented", error);
      result.append(object);
    }
    return result;
  }

private:
  void bind(nb::handle name, nb::handle value, nb::dict feeds,
            std::vector<onnxc_value> &values, InputValues &views) {
    PyObject *index = PyDict_GetItemWithError(inputIndex.ptr(), name.ptr());
    if (!index) {
      for (const onnxc_value_info *info : inputs)
        if (isRequired(*info) && !feeds.contains(info->name))
          raiseMissing(feeds);
      raise("InvalidArgument",
            "Invalid input name: " + std::string(nb::str(name).c_str()));
    }
    size_t position = PyLong_AsSize_t(index);
    const onnxc_value_info &info = *inputs[position];
    if (value.is_none())
      return; // reported as missing, or the default serves
    std::string error;
    if (!views.view(value, info, values[position], error))
      raise("InvalidArgument",
            "input '" + std::string(info.name) + "': " + error);
  }

  /// Makes tensors of the arrays in `targets`, which it returns.
  static std::vector<nb::object> wrapTargets(nb::handle targets,
                                             Outputs &outputs) {
    std::vector<nb::object> arrays(outputs.tensors.size());
    if (targets.is_none())
      return arrays;
    size_t position = 0;
    for (nb::handle target : targets) {
      if (position == arrays.size())
        break;
      size_t i = position++;
      if (target.is_none())
        continue;
      onnxc_value value;
      std::string error;
      nb::object array = valueFromObject(target, ONNXC_UNDEFINED, value, error);
      // Only memory that is the array's own can receive a result.
      if (!array.is_valid() || !array.is(target) ||
          !nb::cast<bool>(target.attr("flags").attr("writeable")))
        raise("InvalidArgument",
              error.empty() ? "an output's memory is not contiguous, not "
                              "writeable, or of a packed type"
                            : error);
      check(onnxc_tensor_wrap(value.elem_type, value.dims,
                              static_cast<size_t>(value.rank), value.data,
                              value.bytes, &outputs.tensors[i]));
      arrays[i] = std::move(array);
    }
    return arrays;
  }

  static void checkShape(const onnxc_value &result, nb::handle array) {
    nb::list dims;
    for (int64_t i = 0; i < result.rank; ++i)
      dims.append(result.dims[i]);
    nb::object given = array.attr("shape");
    if (!given.equal(nb::tuple(dims)))
      raise("InvalidArgument",
            "OrtValue shape verification failed. Current shape:" +
                std::string(nb::repr(given).c_str()) +
                " Requested shape:" + nb::repr(dims).c_str());
  }

  [[noreturn]] void raiseMissing(nb::dict feeds) {
    nb::list required;
    for (const onnxc_value_info *info : inputs)
      if (isRequired(*info))
        required.append(info->name);
    std::string message = "Required inputs (" +
                          std::string(nb::repr(required).c_str()) +
                          ") are missing from input feed (" +
                          nb::repr(feeds.keys()).c_str() + ").";
    throw nb::value_error(message.c_str());
  }

  std::vector<size_t> outputIndices(nb::handle names) {
    std::vector<size_t> result;
    if (names.is_none())
      return result;
    for (nb::handle name : names) {
      PyObject *index = PyDict_GetItemWithError(outputIndex.ptr(), name.ptr());
      if (!index)
        raise("InvalidArgument",
              "Invalid output name: " + std::string(nb::str(name).c_str()));
      result.push_back(PyLong_AsSize_t(index));
    }
    return result;
  }

  onnxc_session *handle = nullptr;
  std::vector<const onnxc_value_info *> inputs;
  nb::dict inputIndex, outputIndex; // name → position
};

} // namespace

NB_MODULE(_core, module) {
  if (!importNumpy())
    throw nb::python_error();
  nb::class_<RunOptions>(module, "RunOptions")
      .def(nb::init<>())
      .def("set_max_threads", &RunOptions::setMaxThreads)
      .def("set_terminate", &RunOptions::setTerminate);
  nb::class_<Session>(module, "Session")
      .def(nb::init<nb::object, int, bool, bool>(), nb::arg("source"),
           nb::arg("threads") = 0, nb::arg("spinning") = true,
           nb::arg("profiling") = false)
      .def("inputs", &Session::describeInputs)
      .def("outputs", &Session::describeOutputs)
      .def("metadata", &Session::metadata)
      .def("threads", &Session::threads)
      .def("profiling_start_time_ns", &Session::profilingStartTime)
      .def("end_profiling", &Session::endProfiling)
      .def("run", &Session::run, nb::arg("output_names").none(),
           nb::arg("feeds"), nb::arg("options").none() = nb::none(),
           nb::arg("targets").none() = nb::none());
  module.def("version", &onnxc_version);
  module.def("default_thread_count", &onnxc_default_thread_count);
  module.def("elem_type_name", &onnxc_elem_type_name);
  module.def("elem_type_of", &elemTypeOfDtype);
  module.def("dtype_of", &dtypeOfElemType);
  module.def("check_file", [](const std::string &path) {
    check(onnxc_check_file(path.c_str()));
  });
}
