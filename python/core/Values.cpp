//===- Values.cpp - Python objects and the runtime's values -----*- C++ -*-===//

#include "Values.h"

#include "Arrays.h"

#include <cstring>
#include <memory>

namespace nb = nanobind;

namespace onnxc::python {

std::string typeName(const onnxc_value_info &info) {
  std::string text(onnxc_type_name(&info, nullptr, 0), '\0');
  onnxc_type_name(&info, text.data(), text.size() + 1);
  return text;
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

bool InputValues::view(nb::handle object, const onnxc_value_info &info,
                       onnxc_value &value, std::string &error) {
  switch (info.kind) {
  case ONNXC_KIND_OPTIONAL:
    value = {};
    return object.is_none() || view(object, *info.element, value, error);
  case ONNXC_KIND_SEQUENCE:
    return viewSequence(object, info, value, error);
  case ONNXC_KIND_MAP:
    return viewMap(object, info, value, error);
  default:
    break;
  }
  if (info.elem_type == ONNXC_STRING)
    return viewStrings(object, value, error);
  nb::object array = valueFromObject(object, info.elem_type, value, error);
  if (!array.is_valid())
    return false;
  objects.push_back(std::move(array));
  return true;
}

bool InputValues::viewStrings(nb::handle object, onnxc_value &value,
                              std::string &error) {
  nb::object numpy = nb::module_::import_("numpy");
  nb::object given = numpy.attr("asarray")(object);
  nb::object dtype = given.attr("dtype");
  std::string kind = nb::cast<std::string>(dtype.attr("kind"));
  bool isEmptyList = !given.is(object) && nb::len(given) == 0;
  if (kind != "O" && kind != "U" && kind != "S" && kind != "T" &&
      !isEmptyList) {
    error = std::string("expected strings, got an array of dtype ") +
            nb::str(nb::handle(dtype)).c_str();
    return false;
  }
  nb::object array = given.attr("astype")("O");
  nb::object shape = array.attr("shape");
  value = {};
  value.kind = ONNXC_KIND_TENSOR;
  value.elem_type = ONNXC_STRING;
  value.rank = static_cast<int64_t>(nb::len(shape));
  if (value.rank > ONNXC_MAX_RANK) {
    error = "rank " + std::to_string(value.rank) + " is above the largest, " +
            std::to_string(ONNXC_MAX_RANK);
    return false;
  }
  for (int64_t i = 0; i < value.rank; ++i)
    value.dims[i] = nb::cast<int64_t>(shape[i]);
  std::vector<const char *> &texts = strings.emplace_back();
  for (nb::handle element : nb::iter(array.attr("ravel")())) {
    // As in onnxruntime, what is no string is what str() makes of it.
    nb::object text = nb::borrow(element);
    if (nb::isinstance<nb::bytes>(text))
      text = text.attr("decode")("utf-8");
    else if (!nb::isinstance<nb::str>(text))
      text = nb::str(text);
    Py_ssize_t length = 0;
    const char *bytes = PyUnicode_AsUTF8AndSize(text.ptr(), &length);
    if (!bytes)
      throw nb::python_error();
    if (std::strlen(bytes) != static_cast<size_t>(length)) {
      error = "a string contains a NUL character";
      return false;
    }
    texts.push_back(bytes);
    objects.push_back(std::move(text));
  }
  value.data = texts.data();
  value.bytes = texts.size() * sizeof(const char *);
  return true;
}

static void setParts(onnxc_value &value, onnxc_value_kind kind, size_t length,
                     std::vector<onnxc_value> &parts) {
  value = {};
  value.kind = kind;
  value.rank = 1;
  value.dims[0] = static_cast<int64_t>(length);
  value.data = parts.data();
  value.bytes = parts.size() * sizeof(onnxc_value);
}

bool InputValues::viewSequence(nb::handle object, const onnxc_value_info &info,
                               onnxc_value &value, std::string &error) {
  if (!nb::isinstance<nb::list>(object) && !nb::isinstance<nb::tuple>(object)) {
    error = "expected a list, got " +
            nb::cast<std::string>(object.type().attr("__name__"));
    return false;
  }
  std::vector<onnxc_value> &elements = parts.emplace_back(nb::len(object));
  size_t position = 0;
  for (nb::handle element : object)
    if (!view(element, *info.element, elements[position++], error))
      return false;
  setParts(value, ONNXC_KIND_SEQUENCE, elements.size(), elements);
  return true;
}

bool InputValues::viewMap(nb::handle object, const onnxc_value_info &info,
                          onnxc_value &value, std::string &error) {
  if (!nb::isinstance<nb::dict>(object)) {
    error = "expected a dict, got " +
            nb::cast<std::string>(object.type().attr("__name__"));
    return false;
  }
  auto map = nb::cast<nb::dict>(object);
  onnxc_value_info keys = {};
  keys.elem_type = info.elem_type;
  keys.kind = ONNXC_KIND_TENSOR;
  std::vector<onnxc_value> &both = parts.emplace_back(2);
  if (!view(nb::list(map.keys()), keys, both[0], error) ||
      !view(nb::list(map.values()), *info.element, both[1], error))
    return false;
  setParts(value, ONNXC_KIND_MAP, nb::len(map), both);
  return true;
}

//===----------------------------------------------------------------------===//
// Outputs
//===----------------------------------------------------------------------===//

static nb::object objectOf(const onnxc_value &value, std::string &error);

static nb::object stringArray(const onnxc_value &value) {
  nb::list shape, texts;
  size_t count = 1;
  for (int64_t i = 0; i < value.rank; ++i) {
    shape.append(value.dims[i]);
    count *= static_cast<size_t>(value.dims[i]);
  }
  auto *strings = static_cast<const char *const *>(value.data);
  nb::object array =
      nb::module_::import_("numpy").attr("empty")(count, nb::str("O"));
  for (size_t i = 0; i < count; ++i)
    array[i] = nb::steal(
        PyUnicode_DecodeUTF8(strings[i], std::strlen(strings[i]), "replace"));
  return array.attr("reshape")(nb::tuple(shape));
}

/// A tensor that is part of a value: an array with memory of its own.
static nb::object arrayOf(const onnxc_value &value, std::string &error) {
  if (value.elem_type == ONNXC_STRING)
    return stringArray(value);
  onnxc_tensor *copy = nullptr;
  if (onnxc_status *status = onnxc_tensor_copy(&value, &copy)) {
    error = onnxc_status_message(status);
    onnxc_status_release(status);
    return nb::object();
  }
  return arrayFromTensor(copy, error);
}

static nb::object objectOf(const onnxc_value &value, std::string &error) {
  auto *parts = static_cast<const onnxc_value *>(value.data);
  if (value.kind == ONNXC_KIND_NONE)
    return nb::none();
  if (value.kind == ONNXC_KIND_TENSOR)
    return arrayOf(value, error);
  nb::list elements;
  size_t count =
      value.kind == ONNXC_KIND_MAP ? 2 : static_cast<size_t>(value.dims[0]);
  for (size_t i = 0; i < count; ++i) {
    nb::object element = objectOf(parts[i], error);
    if (!element.is_valid())
      return element;
    // Keys and values of a map are numbers and strings, as in onnxruntime.
    elements.append(value.kind == ONNXC_KIND_MAP ? element.attr("tolist")()
                                                 : element);
  }
  if (value.kind != ONNXC_KIND_MAP)
    return elements;
  // In the order of the keys, as onnxruntime's.
  nb::object builtins = nb::module_::import_("builtins");
  nb::object pairs = builtins.attr("zip")(elements[0], elements[1]);
  return builtins.attr("dict")(builtins.attr("sorted")(pairs));
}

nb::object objectFromTensor(onnxc_tensor *tensor, std::string &error) {
  const onnxc_value &view = *onnxc_tensor_view(tensor);
  if (view.kind == ONNXC_KIND_TENSOR && view.elem_type != ONNXC_STRING)
    return arrayFromTensor(tensor, error);
  std::unique_ptr<onnxc_tensor, decltype(&onnxc_tensor_release)> owner(
      tensor, onnxc_tensor_release);
  return objectOf(view, error);
}

} // namespace onnxc::python
