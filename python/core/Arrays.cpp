//===- Arrays.cpp - numpy arrays and the runtime's values -------*- C++ -*-===//
//
// numpy's own types are matched by number. The others (bfloat16, the 8-bit
// floats, what has 6, 4 or 2 bits) are those of the package ml_dtypes, asked
// for when one is met. numpy gives each element a byte of its own, ONNX packs
// those of less than 8 bits, low bits first: they are repacked on the way in
// and out.
//
//===----------------------------------------------------------------------===//

#include "Arrays.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

#include <cstring>

namespace nb = nanobind;

namespace onnxc::python {
namespace {

struct ExtensionType {
  int32_t elemType;
  const char *name;
  int bits; // of an element in ONNX's packing
};

constexpr ExtensionType extensionTypes[] = {
    {ONNXC_BFLOAT16, "bfloat16", 16},
    {ONNXC_FLOAT8E4M3FN, "float8_e4m3fn", 8},
    {ONNXC_FLOAT8E4M3FNUZ, "float8_e4m3fnuz", 8},
    {ONNXC_FLOAT8E5M2, "float8_e5m2", 8},
    {ONNXC_FLOAT8E5M2FNUZ, "float8_e5m2fnuz", 8},
    {ONNXC_UINT4, "uint4", 4},
    {ONNXC_INT4, "int4", 4},
    {ONNXC_FLOAT4E2M1, "float4_e2m1fn", 4},
    {ONNXC_FLOAT8E8M0, "float8_e8m0fnu", 8},
    {ONNXC_UINT2, "uint2", 2},
    {ONNXC_INT2, "int2", 2},
    {ONNXC_FLOAT6E2M3, "float6_e2m3fn", 6},
    {ONNXC_FLOAT6E3M2, "float6_e3m2fn", 6},
};

const ExtensionType *findExtensionType(int32_t elemType) {
  for (const ExtensionType &type : extensionTypes)
    if (type.elemType == elemType)
      return &type;
  return nullptr;
}

/// numpy's number for one of its own types, or -1.
int numpyType(int32_t elemType) {
  switch (elemType) {
  case ONNXC_FLOAT:
    return NPY_FLOAT32;
  case ONNXC_UINT8:
    return NPY_UINT8;
  case ONNXC_INT8:
    return NPY_INT8;
  case ONNXC_UINT16:
    return NPY_UINT16;
  case ONNXC_INT16:
    return NPY_INT16;
  case ONNXC_INT32:
    return NPY_INT32;
  case ONNXC_INT64:
    return NPY_INT64;
  case ONNXC_BOOL:
    return NPY_BOOL;
  case ONNXC_FLOAT16:
    return NPY_FLOAT16;
  case ONNXC_DOUBLE:
    return NPY_FLOAT64;
  case ONNXC_UINT32:
    return NPY_UINT32;
  case ONNXC_UINT64:
    return NPY_UINT64;
  case ONNXC_COMPLEX64:
    return NPY_COMPLEX64;
  case ONNXC_COMPLEX128:
    return NPY_COMPLEX128;
  default:
    return -1;
  }
}

/// A type of ml_dtypes; null, with no Python error left, if there is none.
PyArray_Descr *extensionDescr(const char *name) {
  PyObject *module = PyImport_ImportModule("ml_dtypes");
  PyObject *type = module ? PyObject_GetAttrString(module, name) : nullptr;
  PyArray_Descr *descr = nullptr;
  if (type && !PyArray_DescrConverter(type, &descr))
    descr = nullptr;
  Py_XDECREF(type);
  Py_XDECREF(module);
  PyErr_Clear();
  return descr;
}

/// A new reference; null where numpy has no such type.
PyArray_Descr *descrFor(int32_t elemType) {
  int number = numpyType(elemType);
  if (number >= 0)
    return PyArray_DescrFromType(number);
  const ExtensionType *type = findExtensionType(elemType);
  return type ? extensionDescr(type->name) : nullptr;
}

/// The ONNX type of an array's elements; ONNXC_UNDEFINED where there is none.
int32_t elemTypeOf(PyArrayObject *array) {
  int number = PyArray_TYPE(array);
  switch (number) {
  case NPY_FLOAT:
    return ONNXC_FLOAT;
  case NPY_BOOL:
    return ONNXC_BOOL;
  case NPY_HALF:
    return ONNXC_FLOAT16;
  case NPY_DOUBLE:
    return ONNXC_DOUBLE;
  case NPY_CFLOAT:
    return ONNXC_COMPLEX64;
  case NPY_CDOUBLE:
    return ONNXC_COMPLEX128;
  default:
    break;
  }
  // C has several names for one width of integer.
  if (PyTypeNum_ISINTEGER(number)) {
    bool isSigned = PyTypeNum_ISSIGNED(number);
    switch (PyArray_ITEMSIZE(array)) {
    case 1:
      return isSigned ? ONNXC_INT8 : ONNXC_UINT8;
    case 2:
      return isSigned ? ONNXC_INT16 : ONNXC_UINT16;
    case 4:
      return isSigned ? ONNXC_INT32 : ONNXC_UINT32;
    case 8:
      return isSigned ? ONNXC_INT64 : ONNXC_UINT64;
    default:
      return ONNXC_UNDEFINED;
    }
  }
  if (number < NPY_NTYPES_LEGACY)
    return ONNXC_UNDEFINED;
  const char *name = PyArray_DESCR(array)->typeobj->tp_name;
  if (const char *dot = std::strrchr(name, '.'))
    name = dot + 1;
  for (const ExtensionType &type : extensionTypes)
    if (!std::strcmp(name, type.name))
      return type.elemType;
  return ONNXC_UNDEFINED;
}

int packedBits(int32_t elemType) {
  const ExtensionType *type = findExtensionType(elemType);
  return type && type->bits < 8 ? type->bits : 0;
}

void pack(const uint8_t *from, uint8_t *to, int64_t count, int bits) {
  unsigned mask = (1u << bits) - 1;
  std::memset(to, 0, (count * bits + 7) / 8);
  for (int64_t i = 0; i < count; ++i) {
    int64_t place = i * bits;
    unsigned element = (from[i] & mask) << (place % 8);
    to[place / 8] |= element;
    if (element > 0xff) // the rest lies in the next byte
      to[place / 8 + 1] |= element >> 8;
  }
}

void unpack(const uint8_t *from, uint8_t *to, int64_t count, int bits,
            bool isSigned) {
  unsigned mask = (1u << bits) - 1, sign = 1u << (bits - 1);
  for (int64_t i = 0; i < count; ++i) {
    int64_t place = i * bits;
    unsigned element = from[place / 8] >> (place % 8);
    if (place % 8 + bits > 8)
      element |= from[place / 8 + 1] << (8 - place % 8);
    element &= mask;
    to[i] = isSigned && (element & sign) ? element | ~mask : element;
  }
}

nb::object fail(std::string &error, std::string message) {
  PyErr_Clear();
  error = std::move(message);
  return nb::object();
}

/// The message of the Python error that is set, which it clears.
std::string takePythonError() {
  nb::python_error pythonError;
  return nb::str(pythonError.value()).c_str();
}

void releaseTensor(PyObject *capsule) {
  onnxc_tensor_release(
      static_cast<onnxc_tensor *>(PyCapsule_GetPointer(capsule, nullptr)));
}

nb::object unpackedArray(const onnxc_value &view, PyArray_Descr *descr,
                         const npy_intp *dims) {
  PyObject *object = PyArray_NewFromDescr(&PyArray_Type, descr, view.rank, dims,
                                          nullptr, nullptr, 0, nullptr);
  if (!object)
    throw nb::python_error();
  auto *array = reinterpret_cast<PyArrayObject *>(object);
  unpack(static_cast<const uint8_t *>(view.data),
         static_cast<uint8_t *>(PyArray_DATA(array)), PyArray_SIZE(array),
         packedBits(view.elem_type),
         view.elem_type == ONNXC_INT4 || view.elem_type == ONNXC_INT2);
  return nb::steal(object);
}

} // namespace

bool importNumpy() { return PyArray_ImportNumPyAPI() == 0; }

nb::object valueFromObject(nb::handle object, int32_t elemType,
                           onnxc_value &value, std::string &error) {
  PyObject *converted;
  if (PyArray_Check(object.ptr())) {
    // CheckFromAny, as FromAny does not see to the byte order. No copy for the
    // usual array.
    converted = PyArray_CheckFromAny(
        object.ptr(), nullptr, 0, 0,
        NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED,
        nullptr);
  } else {
    PyArray_Descr *descr = descrFor(elemType);
    if (!descr)
      return fail(error, std::string("element type ") +
                             onnxc_elem_type_name(elemType) +
                             " cannot be made from a list");
    converted =
        PyArray_FromAny(object.ptr(), descr, 0, 0,
                        NPY_ARRAY_CARRAY_RO | NPY_ARRAY_FORCECAST, nullptr);
  }
  if (!converted)
    return fail(error, takePythonError());
  nb::object result = nb::steal(converted);
  auto *array = reinterpret_cast<PyArrayObject *>(converted);

  // numpy aligns both parts of a number, models the number.
  if (elemTypeOf(array) == ONNXC_COMPLEX128 &&
      reinterpret_cast<uintptr_t>(PyArray_DATA(array)) % 16) {
    converted = PyArray_NewCopy(array, NPY_CORDER);
    if (!converted)
      return fail(error, takePythonError());
    result = nb::steal(converted);
    array = reinterpret_cast<PyArrayObject *>(converted);
  }

  value.kind = ONNXC_KIND_TENSOR;
  value.elem_type = elemTypeOf(array);
  if (value.elem_type == ONNXC_UNDEFINED)
    return fail(error, std::string("arrays of dtype ") +
                           nb::str(nb::handle(reinterpret_cast<PyObject *>(
                                       PyArray_DESCR(array))))
                               .c_str() +
                           " are not supported");
  value.rank = PyArray_NDIM(array);
  if (value.rank > ONNXC_MAX_RANK)
    return fail(error, "rank " + std::to_string(value.rank) +
                           " is above the largest, " +
                           std::to_string(ONNXC_MAX_RANK));
  for (int64_t i = 0; i < value.rank; ++i)
    value.dims[i] = PyArray_DIM(array, i);
  value.data = PyArray_DATA(array);
  value.bytes = PyArray_NBYTES(array);

  if (int bits = packedBits(value.elem_type)) {
    int64_t count = PyArray_SIZE(array);
    value.bytes = onnxc_elem_type_bytes(value.elem_type, count);
    nb::object packed =
        nb::steal(PyByteArray_FromStringAndSize(nullptr, value.bytes));
    if (!packed.is_valid())
      return fail(error, takePythonError());
    auto *to = reinterpret_cast<uint8_t *>(PyByteArray_AsString(packed.ptr()));
    pack(static_cast<const uint8_t *>(value.data), to, count, bits);
    value.data = to;
    return packed;
  }
  return result;
}

int32_t elemTypeOfDtype(nb::handle dtype) {
  auto *descr = reinterpret_cast<PyArray_Descr *>(dtype.ptr());
  if (!PyArray_DescrCheck(dtype.ptr()) || PyDataType_HASFIELDS(descr))
    return ONNXC_UNDEFINED;
  Py_INCREF(descr);
  npy_intp none = 0;
  nb::object empty = nb::steal(PyArray_Empty(1, &none, descr, 0));
  if (!empty.is_valid())
    throw nb::python_error();
  return elemTypeOf(reinterpret_cast<PyArrayObject *>(empty.ptr()));
}

nb::object dtypeOfElemType(int32_t elemType) {
  PyArray_Descr *descr = descrFor(elemType);
  return descr ? nb::steal(reinterpret_cast<PyObject *>(descr)) : nb::none();
}

nb::object arrayFromTensor(onnxc_tensor *tensor, std::string &error) {
  PyObject *owner = PyCapsule_New(tensor, nullptr, releaseTensor);
  if (!owner) {
    onnxc_tensor_release(tensor);
    return fail(error, takePythonError());
  }
  nb::object capsule = nb::steal(owner);
  const onnxc_value &view = *onnxc_tensor_view(tensor);
  PyArray_Descr *descr =
      view.kind == ONNXC_KIND_TENSOR ? descrFor(view.elem_type) : nullptr;
  if (!descr)
    return fail(error, std::string("an output of element type ") +
                           onnxc_elem_type_name(view.elem_type) +
                           " needs the package ml_dtypes");
  npy_intp dims[ONNXC_MAX_RANK];
  for (int64_t i = 0; i < view.rank; ++i)
    dims[i] = view.dims[i];
  if (packedBits(view.elem_type))
    return unpackedArray(view, descr, dims);

  PyObject *array =
      PyArray_NewFromDescr(&PyArray_Type, descr, view.rank, dims, nullptr,
                           view.data, NPY_ARRAY_CARRAY, nullptr);
  if (!array)
    return fail(error, takePythonError());
  // An empty tensor may have no memory; then numpy has made its own.
  if (view.data &&
      PyArray_SetBaseObject(reinterpret_cast<PyArrayObject *>(array),
                            capsule.release().ptr()) < 0) {
    Py_DECREF(array);
    return fail(error, takePythonError());
  }
  return nb::steal(array);
}

} // namespace onnxc::python
