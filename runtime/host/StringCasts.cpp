//===- StringCasts.cpp - Numbers as strings and back -===//
#include "Operators.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <type_traits>

namespace onnxc::host {

/// Calls `body` with a value of the C++ type of the element type.
template <typename Body> static void withType(int64_t type, Body body) {
  switch (type) {
  case ONNXC_FLOAT:
    return body(float());
  case ONNXC_DOUBLE:
    return body(double());
  case ONNXC_BOOL:
    return body(bool());
  case ONNXC_INT8:
    return body(int8_t());
  case ONNXC_INT16:
    return body(int16_t());
  case ONNXC_INT32:
    return body(int32_t());
  case ONNXC_INT64:
    return body(int64_t());
  case ONNXC_UINT8:
    return body(uint8_t());
  case ONNXC_UINT16:
    return body(uint16_t());
  case ONNXC_UINT32:
    return body(uint32_t());
  case ONNXC_UINT64:
    return body(uint64_t());
  default:
    throw Refusal("element type " + std::to_string(type) +
                  " has no form as a string");
  }
}

/// ONNX Runtime's form: 8 digits.
template <typename T> static std::string print(T number) {
  if constexpr (!std::is_floating_point_v<T>) {
    return std::to_string(number);
  } else {
    if (std::isnan(number))
      return "NaN";
    if (std::isinf(number))
      return number < 0 ? "-INF" : "INF";
    char text[64];
    std::snprintf(text, sizeof text, "%.8g", static_cast<double>(number));
    return text;
  }
}

void toStrings(Call &call) {
  std::vector<std::string> result;
  withType(call.argument(0).elem_type, [&](auto type) {
    auto *numbers = call.elements<decltype(type)>(0);
    for (size_t i = 0, n = call.count(0); i < n; ++i)
      result.push_back(print(numbers[i]));
  });
  call.addStrings(call.dims(0), result);
}

template <typename T> static T parse(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty() && std::string_view(" \t\n\v\f\r").find(rest.front()) !=
                              std::string_view::npos)
    rest.remove_prefix(1);
  while (!rest.empty() && std::string_view(" \t\n\v\f\r").find(rest.back()) !=
                              std::string_view::npos)
    rest.remove_suffix(1);
  if (rest.size() > 1 && rest[0] == '+' && rest[1] != '-')
    rest.remove_prefix(1);
  T result{};
  auto [end, error] =
      std::from_chars(rest.data(), rest.data() + rest.size(), result);
  if (error == std::errc::result_out_of_range && std::is_floating_point_v<T>)
    // Beyond the type's range: infinity or 0, as strtod gives.
    return static_cast<T>(std::strtod(std::string(rest).c_str(), nullptr));
  if (error != std::errc() || end != rest.data() + rest.size())
    throw Refusal("'" + std::string(text) + "' is not a number of this type");
  return result;
}

void fromStrings(Call &call) {
  int64_t elemType = call.integer(1);
  withType(elemType, [&](auto type) {
    using T = decltype(type);
    using Stored = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
    std::vector<Stored> result;
    for (std::string_view text : call.strings(0)) {
      if constexpr (std::is_same_v<T, bool>)
        result.push_back(parse<int64_t>(text) != 0);
      else
        result.push_back(parse<T>(text));
    }
    call.add(static_cast<onnxc_elem_type>(elemType), call.dims(0), result);
  });
}

} // namespace onnxc::host
