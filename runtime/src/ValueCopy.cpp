//===- ValueCopy.cpp - Values with all that they refer to -===//
#include "ElemType.h"
#include "Memory.h"
#include "Status.h"

#include <cstdint>
#include <cstring>
#include <new>

namespace onnxc::runtime {

namespace {

/// Lays a value out behind a block's beginning. Without memory it counts the
/// bytes that it would need.
class Copier {
public:
  explicit Copier(char *memory) : memory(memory) {}
  size_t bytes() const { return used; }

  /// What `value` refers to; in `value` the addresses of the copies.
  void copyParts(onnxc_value &value) {
    switch (value.kind) {
    case ONNXC_KIND_TENSOR:
      return value.elem_type == ONNXC_STRING ? copyStrings(value)
                                             : copyElements(value);
    case ONNXC_KIND_SEQUENCE:
      return copyValues(value, static_cast<size_t>(value.dims[0]));
    case ONNXC_KIND_MAP:
      return copyValues(value, 2);
    default:
      value.data = nullptr;
      value.bytes = 0;
    }
  }

private:
  static size_t tensorSize(const onnxc_value &value) {
    return tensorBytes(value.elem_type, value.dims,
                       static_cast<size_t>(value.rank))
        .value_or(0);
  }

  char *take(size_t bytes, size_t alignment) {
    used = (used + alignment - 1) / alignment * alignment;
    char *place = memory ? memory + used : nullptr;
    used += bytes;
    return place;
  }

  void copyElements(onnxc_value &value) {
    value.bytes = tensorSize(value);
    char *place = take(value.bytes, memoryAlignment);
    if (!place)
      return;
    if (value.bytes)
      std::memcpy(place, value.data, value.bytes);
    value.data = place;
  }

  void copyStrings(onnxc_value &value) {
    auto *from = static_cast<const char *const *>(value.data);
    value.bytes = tensorSize(value);
    size_t count = value.bytes / sizeof *from;
    auto **place =
        reinterpret_cast<const char **>(take(value.bytes, memoryAlignment));
    for (size_t i = 0; i < count; ++i) {
      size_t length = std::strlen(from[i]) + 1;
      char *text = take(length, 1);
      if (!place)
        continue;
      std::memcpy(text, from[i], length);
      place[i] = text;
    }
    if (place)
      value.data = place;
  }

  void copyValues(onnxc_value &value, size_t count) {
    auto *from = static_cast<const onnxc_value *>(value.data);
    value.bytes = count * sizeof *from;
    auto *place =
        reinterpret_cast<onnxc_value *>(take(value.bytes, memoryAlignment));
    for (size_t i = 0; i < count; ++i) {
      onnxc_value part = from[i];
      copyParts(part);
      if (place)
        place[i] = part;
    }
    if (place)
      value.data = place;
  }

  char *memory;
  size_t used = 0;
};

} // namespace

Tensor copyValue(const onnxc_value &value) {
  Copier counter(nullptr);
  onnxc_value counted = value;
  counter.copyParts(counted);
  Tensor result = allocateTensor(value, counter.bytes());
  if (!result)
    return nullptr;
  Copier copier(static_cast<char *>(result->view.data));
  result->view = value;
  copier.copyParts(result->view);
  result->capacity = result->view.bytes;
  return result;
}

/// Whether a caller's value is one that can be copied.
static Status checkValue(const onnxc_value &value, int depth = 0) {
  // More than any type of ONNX has.
  if (depth > 8)
    return invalidArgument("values are nested more than 8 times");
  bool isMap = value.kind == ONNXC_KIND_MAP;
  if (value.kind == ONNXC_KIND_NONE)
    return nullptr;
  if (value.kind == ONNXC_KIND_TENSOR) {
    std::optional<size_t> bytes;
    if (value.rank >= 0 && value.rank <= ONNXC_MAX_RANK)
      bytes = tensorBytes(value.elem_type, value.dims,
                          static_cast<size_t>(value.rank));
    if (!bytes)
      return invalidArgument("a tensor of an impossible type or shape");
    if (*bytes > value.bytes || (*bytes && !value.data))
      return invalidArgument("a tensor's memory is too small");
    auto *strings = static_cast<const char *const *>(value.data);
    for (size_t i = 0;
         value.elem_type == ONNXC_STRING && i < *bytes / sizeof *strings; ++i)
      if (!strings[i])
        return invalidArgument("a string is NULL");
    return nullptr;
  }
  if (!isMap && value.kind != ONNXC_KIND_SEQUENCE)
    return invalidArgument("a value that is " +
                           std::string(kindName(value.kind)) +
                           " cannot be copied");
  if (value.rank != 1 || value.dims[0] < 0 ||
      value.dims[0] > static_cast<int64_t>(SIZE_MAX / 2 / sizeof value))
    return invalidArgument("a length is not possible");
  size_t parts = isMap ? 2 : static_cast<size_t>(value.dims[0]);
  if (parts && (!value.data || value.bytes < parts * sizeof value))
    return invalidArgument("the memory of a sequence or map is too small");
  auto *elements = static_cast<const onnxc_value *>(value.data);
  for (size_t i = 0; i < parts; ++i) {
    if (Status status = checkValue(elements[i], depth + 1))
      return status;
    if (isMap &&
        (elements[i].kind != ONNXC_KIND_TENSOR || elements[i].rank != 1 ||
         elements[i].dims[0] != value.dims[0]))
      return invalidArgument("a map's keys and values must be lists of its "
                             "length");
  }
  return nullptr;
}

} // namespace onnxc::runtime

using namespace onnxc::runtime;

onnxc_status *onnxc_tensor_copy(const onnxc_value *value,
                                onnxc_tensor **tensor) {
  try {
    if (!tensor)
      return invalidArgument("tensor is NULL").release();
    *tensor = nullptr;
    if (!value)
      return invalidArgument("value is NULL").release();
    if (Status status = checkValue(*value))
      return status.release();
    *tensor = copyValue(*value).release();
    return *tensor ? nullptr : outOfMemory().release();
  } catch (const std::bad_alloc &) {
    return outOfMemory().release();
  }
}
