//===- Tokenizer.cpp - Tokens by regular expressions -===//
#include "Operators.h"

#include <algorithm>
#include <memory>
#include <re2/re2.h>

namespace onnxc::host {

namespace {

using Parts = std::vector<std::string_view>;

class Tokenizer {
public:
  Tokenizer(Parts expressions, const Parts &separators, int64_t least)
      : least(static_cast<size_t>(least)) {
    // A separator that is empty stands before each character.
    each = separators.size() == 1 && separators[0].empty();
    if (!expressions.empty())
      expression = compile(expressions[0]);
    else if (!each)
      for (std::string_view separator : separators)
        between.push_back(compile(separator));
  }

  Parts split(std::string_view text) const {
    Parts tokens;
    if (each)
      for (size_t at = 0; at < text.size();) {
        size_t size = character(text.substr(at));
        tokens.push_back(text.substr(at, size));
        at += size;
      }
    else if (expression)
      for (auto [begin, size] : matches(*expression, text))
        tokens.push_back(text.substr(begin, size));
    else
      tokens = splitBetween(text);
    tokens.erase(std::remove_if(tokens.begin(), tokens.end(),
                                [&](std::string_view token) {
                                  return characters(token) < least;
                                }),
                 tokens.end());
    return tokens;
  }

private:
  using Regex = std::unique_ptr<RE2>;

  static Regex compile(std::string_view pattern) {
    auto regex = std::make_unique<RE2>(
        re2::StringPiece(pattern.data(), pattern.size()), RE2::Quiet);
    if (!regex->ok())
      throw Refusal("the pattern '" + std::string(pattern) +
                    "' is not one of RE2: " + regex->error());
    return regex;
  }

  static bool continues(char byte) { return (byte & 0xc0) == 0x80; }
  /// The bytes of the first character.
  static size_t character(std::string_view text) {
    size_t size = 1;
    while (size < text.size() && continues(text[size]))
      ++size;
    return size;
  }
  static size_t characters(std::string_view text) {
    return text.size() - std::count_if(text.begin(), text.end(), continues);
  }

  /// Where the expression matches, from left to right, and how far.
  static std::vector<std::pair<size_t, size_t>> matches(const RE2 &regex,
                                                        std::string_view text) {
    std::vector<std::pair<size_t, size_t>> found;
    re2::StringPiece whole(text.data(), text.size()), match;
    for (size_t at = 0;
         at < text.size() &&
         regex.Match(whole, at, text.size(), RE2::UNANCHORED, &match, 1);) {
      size_t begin = match.data() - text.data();
      if (match.size())
        found.push_back({begin, match.size()});
      at = begin + std::max<size_t>(match.size(), 1);
    }
    return found;
  }

  /// One separator after the other divides what those before it have left.
  Parts splitBetween(std::string_view text) const {
    Parts rest{text};
    for (const Regex &separator : between) {
      Parts next;
      for (std::string_view part : rest) {
        size_t at = 0;
        for (auto [begin, size] : matches(*separator, part)) {
          next.push_back(part.substr(at, begin - at));
          at = begin + size;
        }
        next.push_back(part.substr(at));
      }
      rest = std::move(next);
    }
    return rest;
  }

  size_t least;
  bool each;
  Regex expression;
  std::vector<Regex> between;
};

} // namespace

void tokenize(Call &call) {
  Tokenizer tokenizer(call.strings(1), call.strings(2), call.integer(4));
  std::string pad(call.strings(3).at(0));
  bool mark = call.integer(5) != 0;
  std::vector<std::vector<std::string>> all;
  size_t most = 0;
  for (std::string_view text : call.strings(0)) {
    std::vector<std::string> &row = all.emplace_back();
    if (mark)
      row.emplace_back("\x02");
    for (std::string_view token : tokenizer.split(text))
      row.emplace_back(token);
    if (mark)
      row.emplace_back("\x03");
    most = std::max(most, row.size());
  }
  std::vector<std::string> tokens;
  for (std::vector<std::string> &row : all) {
    row.resize(most, pad);
    std::move(row.begin(), row.end(), std::back_inserter(tokens));
  }
  Dims dims = call.dims(0);
  dims.push_back(static_cast<int64_t>(most));
  call.addStrings(dims, tokens);
}

} // namespace onnxc::host
