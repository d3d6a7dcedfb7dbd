//===- InputCheck.cpp - Whether inputs fit a model -===//
#include "InputCheck.h"

#include "ElemType.h"

#include <algorithm>
#include <cstring>

namespace onnxc::runtime {

InputCheck::InputCheck(const onnxc_model &model) : model(model) {
  std::vector<const char *> names;
  std::vector<size_t> uses;
  for (size_t i = 0; i < model.input_count; ++i) {
    const onnxc_value_info &info = model.inputs[i];
    for (int64_t d = 0; info.dim_names && d < info.rank; ++d) {
      const char *name = info.dim_names[d];
      if (!name || !*name || info.dims[d] >= 0)
        continue;
      size_t symbol = 0;
      while (symbol < names.size() && strcmp(names[symbol], name) != 0)
        ++symbol;
      if (symbol == names.size()) {
        names.push_back(name);
        uses.push_back(0);
      }
      ++uses[symbol];
      symbolicDims.push_back({i, static_cast<size_t>(d), symbol});
    }
  }
  symbolCount = names.size();
  symbolicDims.erase(std::remove_if(symbolicDims.begin(), symbolicDims.end(),
                                    [&](const SymbolicDim &dim) {
                                      return uses[dim.symbol] < 2;
                                    }),
                     symbolicDims.end());
}

static Status inputError(const onnxc_value_info &info,
                         const std::string &reason) {
  return invalidArgument("input " + quoted(info.name) + ": " + reason);
}

static std::string tensorName(int32_t elemType) {
  return "tensor(" + std::string(elemTypeName(elemType)) + ")";
}

static bool hasShape(const onnxc_value_info &info, const onnxc_value &value) {
  if (info.rank < 0)
    return true;
  if (info.rank != value.rank)
    return false;
  for (int64_t d = 0; d < info.rank; ++d)
    if (info.dims[d] >= 0 && info.dims[d] != value.dims[d])
      return false;
  return true;
}

/// Whether `value` is a tensor that `expected` describes, a part of `input`.
static Status checkTensor(const onnxc_value_info &input,
                          const onnxc_value_info &expected,
                          const onnxc_value &value) {
  if (value.elem_type != expected.elem_type)
    return inputError(input, "expected " + tensorName(expected.elem_type) +
                                 ", got " + tensorName(value.elem_type));
  if (value.rank < 0 || value.rank > ONNXC_MAX_RANK)
    return inputError(input, "a rank of " + std::to_string(value.rank) +
                                 " is not possible");
  std::optional<size_t> bytes =
      tensorBytes(value.elem_type, value.dims, static_cast<size_t>(value.rank));
  if (!hasShape(expected, value))
    return inputError(input, "expected shape " + shapeString(expected) +
                                 ", got " +
                                 shapeString(value.dims, value.rank));
  if (!bytes)
    return inputError(input, "no tensor can have the shape " +
                                 shapeString(value.dims, value.rank));
  if (*bytes > value.bytes || (*bytes && !value.data))
    return inputError(
        input,
        "shape " + shapeString(value.dims, value.rank) + " needs " +
            std::to_string(*bytes) + " bytes, got " +
            (value.data ? std::to_string(value.bytes) : std::string("NULL")));
  size_t alignment = std::max(1u, elemTypeBits(value.elem_type) / 8);
  if (reinterpret_cast<uintptr_t>(value.data) % alignment)
    return inputError(input, "the data is not aligned to " +
                                 std::to_string(alignment) + " bytes");
  if (value.elem_type == ONNXC_STRING) {
    auto *strings = static_cast<const char *const *>(value.data);
    if (std::find(strings, strings + *bytes / sizeof *strings, nullptr) !=
        strings + *bytes / sizeof *strings)
      return inputError(input, "a string is NULL");
  }
  return nullptr;
}

/// The same for any kind of value.
static Status checkValue(const onnxc_value_info &input,
                         const onnxc_value_info &expected,
                         const onnxc_value &value) {
  if (expected.kind == ONNXC_KIND_OPTIONAL)
    return value.kind == ONNXC_KIND_NONE
               ? nullptr
               : checkValue(input, *expected.element, value);
  if (value.kind != expected.kind)
    return inputError(input, "expected " +
                                 std::string(expected.kind == ONNXC_KIND_TENSOR
                                                 ? "a tensor"
                                                 : typeName(expected)) +
                                 ", got what is " + kindName(value.kind));
  if (value.kind == ONNXC_KIND_TENSOR)
    return checkTensor(input, expected, value);
  if (value.kind == ONNXC_KIND_SPARSE_TENSOR)
    return makeStatus(ONNXC_STATUS_NOT_IMPLEMENTED,
                      "input " + quoted(input.name) + " is " +
                          kindName(value.kind) +
                          ", which this version does not run");
  int64_t length = value.dims[0];
  bool isMap = value.kind == ONNXC_KIND_MAP;
  if (value.rank != 1 || length < 0 ||
      length > static_cast<int64_t>(SIZE_MAX / 2 / sizeof(onnxc_value)))
    return inputError(input, "the length of " +
                                 std::string(kindName(value.kind)) +
                                 " is not possible");
  size_t parts = isMap ? 2 : static_cast<size_t>(length);
  if (parts && (!value.data || value.bytes < parts * sizeof(onnxc_value)))
    return inputError(
        input,
        std::to_string(parts) + " values need " +
            std::to_string(parts * sizeof(onnxc_value)) + " bytes, got " +
            (value.data ? std::to_string(value.bytes) : std::string("NULL")));
  auto *elements = static_cast<const onnxc_value *>(value.data);
  for (size_t i = 0; i < parts; ++i) {
    // A map has as many values as keys, which its type gives as scalars.
    onnxc_value_info part = *expected.element;
    if (isMap && i == 0)
      part = {"",
              ONNXC_KIND_TENSOR,
              expected.elem_type,
              1,
              &length,
              nullptr,
              0,
              0,
              nullptr};
    if (isMap) {
      part.rank = 1;
      part.dims = &length;
    }
    if (Status status = checkValue(input, part, elements[i]))
      return status;
  }
  return nullptr;
}

Status InputCheck::checkOne(size_t input, const onnxc_value &value) const {
  const onnxc_value_info &info = model.inputs[input];
  if (value.kind == ONNXC_KIND_NONE && info.kind != ONNXC_KIND_OPTIONAL) {
    if (info.has_default)
      return nullptr;
    return invalidArgument("missing input " + quoted(info.name));
  }
  return checkValue(info, info, value);
}

Status InputCheck::unequalDims(const SymbolicDim &dim,
                               const onnxc_value *values,
                               int64_t expected) const {
  const onnxc_value_info &info = model.inputs[dim.input];
  const onnxc_value &value = values[dim.input];
  // Where the expected number comes from.
  const SymbolicDim *first = &dim;
  for (const SymbolicDim &other : symbolicDims)
    if (other.symbol == dim.symbol &&
        values[other.input].kind != ONNXC_KIND_NONE) {
      first = &other;
      break;
    }
  return inputError(info, "expected shape " + shapeString(info) + " with " +
                              info.dim_names[dim.dim] + " = " +
                              std::to_string(expected) + " as in input " +
                              quoted(model.inputs[first->input].name) +
                              ", got " + shapeString(value.dims, value.rank));
}

Status InputCheck::check(const onnxc_value *values,
                         std::vector<int64_t> &symbolValues) const {
  for (size_t i = 0; i < model.input_count; ++i)
    if (Status status = checkOne(i, values[i]))
      return status;
  symbolValues.assign(symbolCount, -1);
  for (const SymbolicDim &dim : symbolicDims) {
    if (values[dim.input].kind == ONNXC_KIND_NONE)
      continue;
    int64_t actual = values[dim.input].dims[dim.dim];
    int64_t &expected = symbolValues[dim.symbol];
    if (expected < 0)
      expected = actual;
    else if (actual != expected)
      return unequalDims(dim, values, expected);
  }
  return nullptr;
}

} // namespace onnxc::runtime
