//===- StringOperators.cpp - Comparing, joining, splitting, matching -===//
#include "Operators.h"

#include <re2/re2.h>

#include <algorithm>
#include <unordered_map>

namespace onnxc::host {

void equal(Call &call) {
  std::vector<std::string_view> a = call.strings(0), b = call.strings(1);
  std::vector<uint8_t> result(a.size());
  for (size_t i = 0; i < a.size(); ++i)
    result[i] = a[i] == b[i];
  call.add(ONNXC_BOOL, call.dims(0), result);
}

void concat(Call &call) {
  std::vector<std::string_view> a = call.strings(0), b = call.strings(1);
  std::vector<std::string> result;
  for (size_t i = 0; i < a.size(); ++i)
    result.push_back(std::string(a[i]).append(b[i]));
  call.addStrings(call.dims(0), result);
}

void indexOf(Call &call) {
  std::unordered_map<std::string_view, int64_t> positions;
  int64_t position = 0;
  for (std::string_view key : call.strings(1))
    positions.emplace(key, position++);
  std::vector<int64_t> result;
  for (std::string_view text : call.strings(0)) {
    auto found = positions.find(text);
    result.push_back(found == positions.end() ? -1 : found->second);
  }
  call.add(ONNXC_INT64, call.dims(0), result);
}

void ranks(Call &call) {
  std::vector<std::string_view> texts = call.strings(0), sorted = texts;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<int64_t> result;
  for (std::string_view text : texts)
    result.push_back(std::lower_bound(sorted.begin(), sorted.end(), text) -
                     sorted.begin());
  call.add(ONNXC_INT64, call.dims(0), result);
}

//===----------------------------------------------------------------------===//
// StringSplit
//===----------------------------------------------------------------------===//

static constexpr std::string_view whitespace = " \t\n\v\f\r";

/// As Python's str.split(): runs of whitespace separate, those at the ends do
/// not count.
static std::vector<std::string> splitAtWhitespace(std::string_view text,
                                                  int64_t limit) {
  std::vector<std::string> parts;
  size_t begin = text.find_first_not_of(whitespace);
  while (begin != text.npos) {
    if (static_cast<int64_t>(parts.size()) == limit) {
      parts.emplace_back(text.substr(begin));
      break;
    }
    size_t end = std::min(text.find_first_of(whitespace, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(whitespace, end);
  }
  return parts;
}

static std::vector<std::string> splitAt(std::string_view delimiter,
                                        std::string_view text, int64_t limit) {
  std::vector<std::string> parts;
  size_t end;
  while (static_cast<int64_t>(parts.size()) != limit &&
         (end = text.find(delimiter)) != text.npos) {
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end + delimiter.size());
  }
  parts.emplace_back(text);
  return parts;
}

void split(Call &call) {
  std::vector<std::string_view> delimiters = call.strings(1);
  int64_t limit = call.integer(2);
  bool atWhitespace = delimiters.empty() || delimiters[0].empty();
  std::vector<std::vector<std::string>> all;
  std::vector<int64_t> counts;
  size_t most = 0;
  for (std::string_view text : call.strings(0)) {
    all.push_back(atWhitespace ? splitAtWhitespace(text, limit)
                               : splitAt(delimiters[0], text, limit));
    counts.push_back(static_cast<int64_t>(all.back().size()));
    most = std::max(most, all.back().size());
  }
  std::vector<std::string> parts;
  for (std::vector<std::string> &row : all) {
    row.resize(most);
    std::move(row.begin(), row.end(), std::back_inserter(parts));
  }
  Dims dims = call.dims(0);
  dims.push_back(static_cast<int64_t>(most));
  call.addStrings(dims, parts);
  call.add(ONNXC_INT64, call.dims(0), counts);
}

//===----------------------------------------------------------------------===//
// RegexFullMatch
//===----------------------------------------------------------------------===//

void regexFullMatch(Call &call) {
  std::string_view pattern = call.strings(1).at(0);
  RE2 regex(re2::StringPiece(pattern.data(), pattern.size()), RE2::Quiet);
  if (!regex.ok())
    throw Refusal("the pattern '" + std::string(pattern) +
                  "' is not one of RE2: " + regex.error());
  std::vector<uint8_t> result;
  for (std::string_view text : call.strings(0))
    result.push_back(
        RE2::FullMatch(re2::StringPiece(text.data(), text.size()), regex));
  call.add(ONNXC_BOOL, call.dims(0), result);
}

} // namespace onnxc::host
