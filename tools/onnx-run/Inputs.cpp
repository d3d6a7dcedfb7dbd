//===- Inputs.cpp - Inputs from files, or random -===//
#include "Inputs.h"

#include "Npy.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace onnxc::run {

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

static std::vector<int64_t> parseShape(const std::string &option,
                                       const std::string &text) {
  std::vector<int64_t> shape;
  if (text.empty()) // a scalar
    return shape;
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find('x', at), text.size());
    std::string dim = text.substr(at, end - at);
    if (dim.empty() || dim.size() > 18 ||
        dim.find_first_not_of("0123456789") != std::string::npos)
      throw std::runtime_error("--shape " + option +
                               ": expected NAME=1x3x224x224");
    shape.push_back(std::stoll(dim));
    at = end + 1;
  }
  return shape;
}

/// NAME=TEXT pairs by name; every name is an input's. A name may hold '='.
static std::map<std::string, std::string>
byName(const Session &session, const char *option,
       const std::vector<std::string> &pairs) {
  std::map<std::string, std::string> result;
  std::vector<std::string> names = session.GetInputNames();
  for (const std::string &pair : pairs) {
    bool found = false;
    for (const std::string &name : names)
      if (pair.compare(0, name.size() + 1, name + "=") == 0) {
        found = true;
        result[name] = pair.substr(name.size() + 1);
      }
    if (!found)
      throw std::runtime_error(std::string(option) + " " + pair +
                               ": expected NAME=... with the name of an input");
  }
  return result;
}

static bool isInteger(onnxc_elem_type type) {
  switch (type) {
  case ONNXC_INT8:
  case ONNXC_INT16:
  case ONNXC_INT32:
  case ONNXC_INT64:
  case ONNXC_UINT8:
  case ONNXC_UINT16:
  case ONNXC_UINT32:
  case ONNXC_UINT64:
    return true;
  default:
    return false;
  }
}

/// Standard normal where the type can, small numbers where it is an integer.
static Value randomTensor(const ValueInfo &info,
                          const std::vector<int64_t> &shape,
                          std::mt19937_64 &random) {
  Value value = Value::CreateTensor(info.elementType, shape);
  std::normal_distribution<float> normal;
  size_t count = value.GetElementCount();
  char *data = static_cast<char *>(value.GetTensorRawData());
  switch (info.elementType) {
  case ONNXC_FLOAT:
    for (size_t i = 0; i < count; ++i)
      reinterpret_cast<float *>(data)[i] = normal(random);
    return value;
  case ONNXC_DOUBLE:
    for (size_t i = 0; i < count; ++i)
      reinterpret_cast<double *>(data)[i] = normal(random);
    return value;
  case ONNXC_BOOL:
    for (size_t i = 0; i < count; ++i)
      data[i] = static_cast<char>(random() & 1);
    return value;
  default:
    break;
  }
  size_t bytes = onnxc_elem_type_bytes(info.elementType, 1);
  if (isInteger(info.elementType)) {
    memset(data, 0, value.GetSizeInBytes());
    for (size_t i = 0; i < count; ++i)
      data[i * bytes] = static_cast<char>(random() % 8);
    return value;
  }
  if (info.elementType == ONNXC_FLOAT16 || info.elementType == ONNXC_BFLOAT16) {
    // A sign and a mantissa, with exponents that make numbers from 1/8 to 2.
    bool half = info.elementType == ONNXC_FLOAT16;
    for (size_t i = 0; i < count; ++i) {
      uint64_t bits = random();
      uint64_t exponent = (half ? 12 : 124) + (bits >> 32) % 4;
      auto element = static_cast<uint16_t>((bits & (half ? 0x83ff : 0x807f)) |
                                           exponent << (half ? 10 : 7));
      memcpy(data + 2 * i, &element, 2);
    }
    return value;
  }
  throw std::runtime_error("input '" + info.name + "': no random " +
                           onnxc_elem_type_name(info.elementType) +
                           " elements; give it with --input");
}

/// The shape for a random input. `symbols` has the dims seen so far, by name.
static std::vector<int64_t>
chooseShape(const ValueInfo &info, std::map<std::string, int64_t> &symbols) {
  std::vector<int64_t> shape = info.shape;
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] < 0) {
      auto known = symbols.find(info.dimNames[i]);
      shape[i] = known == symbols.end() ? 1 : known->second;
    }
  return shape;
}

static void learnSymbols(const ValueInfo &info,
                         const std::vector<int64_t> &shape,
                         std::map<std::string, int64_t> &symbols) {
  for (size_t i = 0; i < std::min(shape.size(), info.dimNames.size()); ++i)
    if (!info.dimNames[i].empty())
      symbols.emplace(info.dimNames[i], shape[i]);
}

Inputs makeInputs(const Session &session, const std::vector<std::string> &files,
                  const std::vector<std::string> &shapes, uint64_t seed) {
  auto fileOf = byName(session, "--input", files);
  auto shapeOf = byName(session, "--shape", shapes);
  std::map<std::string, int64_t> symbols;
  std::map<std::string, Value> given;
  std::map<std::string, std::vector<int64_t>> givenShapes;
  for (size_t i = 0; i < session.GetInputCount(); ++i) {
    ValueInfo info = session.GetInputInfo(i);
    if (auto file = fileOf.find(info.name); file != fileOf.end()) {
      Value value = readNpy(file->second, info.elementType);
      learnSymbols(info, value.GetShape(), symbols);
      given.emplace(info.name, std::move(value));
    } else if (auto text = shapeOf.find(info.name); text != shapeOf.end()) {
      std::vector<int64_t> shape =
          parseShape(info.name + "=" + text->second, text->second);
      learnSymbols(info, shape, symbols);
      givenShapes.emplace(info.name, std::move(shape));
    }
  }

  std::mt19937_64 random(seed);
  Inputs inputs;
  for (size_t i = 0; i < session.GetInputCount(); ++i) {
    ValueInfo info = session.GetInputInfo(i);
    auto value = given.find(info.name);
    auto shape = givenShapes.find(info.name);
    bool isRandom = value == given.end();
    if (isRandom && shape == givenShapes.end() &&
        (onnxc_session_input(session, i)->has_default ||
         info.kind == ONNXC_KIND_OPTIONAL))
      continue;
    if (isRandom &&
        (info.kind != ONNXC_KIND_TENSOR || info.elementType == ONNXC_STRING))
      throw std::runtime_error("input '" + info.name +
                               "' is no tensor of numbers: this program "
                               "cannot make it");
    inputs.names.push_back(info.name);
    inputs.random.push_back(isRandom);
    inputs.values.push_back(isRandom
                                ? randomTensor(info,
                                               shape == givenShapes.end()
                                                   ? chooseShape(info, symbols)
                                                   : shape->second,
                                               random)
                                : value->second);
  }
  return inputs;
}

} // namespace onnxc::run
