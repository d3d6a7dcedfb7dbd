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

static std::string typeName(int32_t elemType) {
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

Status InputCheck::checkOne(size_t input, const onnxc_value &value) const {
  const onnxc_value_info &info = model.inputs[input];
  if (value.kind == ONNXC_KIND_NONE) {
    if (info.has_default || info.kind == ONNXC_KIND_OPTIONAL)
      return nullptr;
    return invalidArgument("missing input " + quoted(info.name));
  }
  if (info.kind != ONNXC_KIND_TENSOR || info.elem_type == ONNXC_STRING)
    return makeStatus(ONNXC_STATUS_NOT_IMPLEMENTED,
                      "input " + quoted(info.name) + " is " +
                          (info.kind != ONNXC_KIND_TENSOR
                               ? kindName(info.kind)
                               : "a tensor of strings") +
                          ", which this version does not run");
  if (value.kind != ONNXC_KIND_TENSOR)
    return inputError(info, std::string("expected a tensor, got what is ") +
                                kindName(value.kind));
  if (value.elem_type != info.elem_type)
    return inputError(info, "expected " + typeName(info.elem_type) + ", got " +
                                typeName(value.elem_type));
  if (value.rank < 0 || value.rank > ONNXC_MAX_RANK)
    return inputError(info, "a rank of " + std::to_string(value.rank) +
                                " is not possible");
  std::optional<size_t> bytes =
      tensorBytes(value.elem_type, value.dims, static_cast<size_t>(value.rank));
  if (!hasShape(info, value))
    return inputError(info, "expected shape " + shapeString(info) + ", got " +
                                shapeString(value.dims, value.rank));
  if (!bytes)
    return inputError(info, "no tensor can have the shape " +
                                shapeString(value.dims, value.rank));
  if (*bytes > value.bytes || (*bytes && !value.data))
    return inputError(
        info,
        "shape " + shapeString(value.dims, value.rank) + " needs " +
            std::to_string(*bytes) + " bytes, got " +
            (value.data ? std::to_string(value.bytes) : std::string("NULL")));
  size_t alignment =
      std::min<size_t>(8, std::max(1u, elemTypeBits(value.elem_type) / 8));
  if (reinterpret_cast<uintptr_t>(value.data) % alignment)
    return inputError(info, "the data is not aligned to " +
                                std::to_string(alignment) + " bytes");
  return nullptr;
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
