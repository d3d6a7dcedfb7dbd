//===- Values.h - Python objects and the runtime's values -------*- C++ -*-===//
//
// Tensors of strings are arrays of objects, sequences are lists, maps are
// dictionaries, an optional that is absent is None: as in onnxruntime.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_PYTHON_CORE_VALUES_H
#define ONNXC_PYTHON_CORE_VALUES_H

#include "onnxc/c_api.h"

#include <nanobind/nanobind.h>

#include <deque>
#include <string>
#include <vector>

namespace onnxc::python {

/// "seq(tensor(float))".
std::string typeName(const onnxc_value_info &info);

/// The inputs of a run, as views of Python's memory.
class InputValues {
public:
  /// Views `object` as a value that `info` describes. False, with `error` set,
  /// when that cannot be done; whether the value fits is for the runtime to
  /// say.
  bool view(nanobind::handle object, const onnxc_value_info &info,
            onnxc_value &value, std::string &error);

private:
  bool viewStrings(nanobind::handle object, onnxc_value &value,
                   std::string &error);
  bool viewSequence(nanobind::handle object, const onnxc_value_info &info,
                    onnxc_value &value, std::string &error);
  bool viewMap(nanobind::handle object, const onnxc_value_info &info,
               onnxc_value &value, std::string &error);

  // What must stay where it is while the values are used.
  std::vector<nanobind::object> objects;
  std::deque<std::vector<onnxc_value>> parts;
  std::deque<std::vector<const char *>> strings;
};

/// What a run gives as a Python object. An array of numbers is in the memory of
/// `tensor`, which it owns; otherwise the tensor is released. On failure
/// `error` is set and the object is invalid.
nanobind::object objectFromTensor(onnxc_tensor *tensor, std::string &error);

} // namespace onnxc::python

#endif // ONNXC_PYTHON_CORE_VALUES_H
