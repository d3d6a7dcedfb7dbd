//===- Arrays.h - numpy arrays and the runtime's values ---------*- C++ -*-===//
#ifndef ONNXC_PYTHON_CORE_ARRAYS_H
#define ONNXC_PYTHON_CORE_ARRAYS_H

#include "onnxc/c_api.h"

#include <nanobind/nanobind.h>

#include <string>

namespace onnxc::python {

/// Loads numpy's C interface. False, with a Python error set, if it is missing.
bool importNumpy();

/// Views `object` as a value. An array keeps its element type and is copied
/// only if it is not contiguous; anything else (lists, scalars) becomes an
/// array of `elemType`. Returns what must stay alive while `value` is used; an
/// invalid object, with `error` set, when that cannot be done.
nanobind::object valueFromObject(nanobind::handle object, int32_t elemType,
                                 onnxc_value &value, std::string &error);

/// The ONNX type of a numpy dtype's elements; ONNXC_UNDEFINED where it has
/// none.
int32_t elemTypeOfDtype(nanobind::handle dtype);

/// The numpy dtype of an ONNX type; None where numpy has none.
nanobind::object dtypeOfElemType(int32_t elemType);

/// An array in the memory of `tensor`, which it owns. On failure the tensor is
/// released, `error` is set and the object is invalid.
nanobind::object arrayFromTensor(onnxc_tensor *tensor, std::string &error);

} // namespace onnxc::python

#endif // ONNXC_PYTHON_CORE_ARRAYS_H
