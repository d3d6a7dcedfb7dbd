//===- Host.cpp - The entry of libonnxc_host -*- C++ -*-===//
#include "Operators.h"

#include <unordered_map>

namespace onnxc::host {

static Operator find(std::string_view name) {
  static const std::unordered_map<std::string_view, Operator> operators = {
      {"Equal", equal},
      {"StringConcat", concat},
      {"StringSplit", split},
      {"StringNormalizer", normalize},
      {"RegexFullMatch", regexFullMatch},
      {"Tokenizer", tokenize},
      {"IndexOf", indexOf},
      {"Ranks", ranks},
      {"ToStrings", toStrings},
      {"FromStrings", fromStrings},
  };
  auto found = operators.find(name);
  return found == operators.end() ? nullptr : found->second;
}

} // namespace onnxc::host

extern "C" __attribute__((visibility("default"))) int32_t
onnxc_host_run_3(const onnxc_host_call *call) {
  return onnxc::host::serve(*call, onnxc::host::find);
}
