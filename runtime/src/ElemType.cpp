//===- ElemType.cpp - Element types and shapes -===//
#include "ElemType.h"

#include "onnxc/c_api.h"

#include <limits>

namespace onnxc::runtime {

namespace {
struct ElemTypeInfo {
  const char *name;
  unsigned bits;
};
} // namespace

// Indexed by onnxc_elem_type. A string's element is its address.
static constexpr ElemTypeInfo elemTypes[] = {
    {"undefined", 0},      {"float", 32},     {"uint8", 8},
    {"int8", 8},           {"uint16", 16},    {"int16", 16},
    {"int32", 32},         {"int64", 64},     {"string", 64},
    {"bool", 8},           {"float16", 16},   {"double", 64},
    {"uint32", 32},        {"uint64", 64},    {"complex64", 64},
    {"complex128", 128},   {"bfloat16", 16},  {"float8e4m3fn", 8},
    {"float8e4m3fnuz", 8}, {"float8e5m2", 8}, {"float8e5m2fnuz", 8},
    {"uint4", 4},          {"int4", 4},       {"float4e2m1", 4},
    {"float8e8m0", 8},     {"uint2", 2},      {"int2", 2},
    {"float6e2m3", 6},     {"float6e3m2", 6}};

static const ElemTypeInfo &elemTypeInfo(int32_t elemType) {
  constexpr int32_t count = sizeof elemTypes / sizeof elemTypes[0];
  return elemTypes[elemType > 0 && elemType < count ? elemType : 0];
}

unsigned elemTypeBits(int32_t elemType) { return elemTypeInfo(elemType).bits; }

const char *elemTypeName(int32_t elemType) {
  return elemTypeInfo(elemType).name;
}

std::optional<size_t> tensorBytes(int32_t elemType, const int64_t *dims,
                                  size_t rank) {
  unsigned bits = elemTypeBits(elemType);
  if (bits == 0)
    return std::nullopt;
  bool empty = false;
  for (size_t i = 0; i < rank; ++i) {
    if (dims[i] < 0)
      return std::nullopt;
    empty |= dims[i] == 0;
  }
  if (empty)
    return 0;
  int64_t total = bits;
  for (size_t i = 0; i < rank; ++i)
    if (__builtin_mul_overflow(total, dims[i], &total))
      return std::nullopt;
  return static_cast<size_t>(total / 8 + (total % 8 != 0));
}

std::string shapeString(const int64_t *dims, int64_t rank) {
  std::string text = "[";
  for (int64_t i = 0; i < rank; ++i) {
    if (i)
      text += ',';
    text += std::to_string(dims[i]);
  }
  return text + "]";
}

std::string shapeString(const onnxc_value_info &info) {
  if (info.rank < 0)
    return "any shape";
  std::string text = "[";
  for (int64_t i = 0; i < info.rank; ++i) {
    if (i)
      text += ',';
    if (info.dims[i] >= 0)
      text += std::to_string(info.dims[i]);
    else if (info.dim_names && info.dim_names[i] && *info.dim_names[i])
      text += info.dim_names[i];
    else
      text += '?';
  }
  return text + "]";
}

std::string typeName(const onnxc_value_info &info) {
  std::string name = elemTypeName(info.elem_type);
  switch (info.kind) {
  case ONNXC_KIND_SPARSE_TENSOR:
    return "sparse_tensor(" + name + ")";
  case ONNXC_KIND_SEQUENCE:
    return "seq(" + typeName(*info.element) + ")";
  case ONNXC_KIND_OPTIONAL:
    return "optional(" + typeName(*info.element) + ")";
  case ONNXC_KIND_MAP:
    return "map(" + name + "," + typeName(*info.element) + ")";
  default:
    return "tensor(" + name + ")";
  }
}

const char *kindName(uint32_t kind) {
  switch (kind) {
  case ONNXC_KIND_NONE:
    return "absent";
  case ONNXC_KIND_TENSOR:
    return "a tensor";
  case ONNXC_KIND_SPARSE_TENSOR:
    return "a sparse tensor";
  case ONNXC_KIND_SEQUENCE:
    return "a sequence";
  case ONNXC_KIND_MAP:
    return "a map";
  case ONNXC_KIND_OPTIONAL:
    return "an optional";
  default:
    return "of an unknown kind";
  }
}

} // namespace onnxc::runtime

using namespace onnxc::runtime;

size_t onnxc_type_name(const onnxc_value_info *info, char *text, size_t size) {
  if (!info)
    return 0;
  std::string name = typeName(*info);
  if (text && size > 0)
    text[name.copy(text, size - 1)] = '\0';
  return name.size();
}

const char *onnxc_elem_type_name(int32_t elemType) {
  return elemTypeName(elemType);
}

size_t onnxc_elem_type_bytes(int32_t elemType, int64_t count) {
  return tensorBytes(elemType, &count, 1).value_or(0);
}
