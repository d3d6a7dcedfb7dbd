//===- StringNormalizer.cpp - Case and stopwords -===//
#include "Operators.h"

#include <clocale>
#include <cwctype>
#include <memory>
#include <unordered_set>

namespace onnxc::host {

namespace {

/// Changes the case of UTF-8 one character at a time, as ONNX Runtime does.
class CaseChange {
public:
  CaseChange() : locale(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (!locale)
      throw Refusal("the C library has no locale C.UTF-8");
  }
  ~CaseChange() { freelocale(locale); }
  CaseChange(const CaseChange &) = delete;

  std::string lower(std::string_view text) const {
    return each(text, [&](wint_t c) { return towlower_l(c, locale); });
  }
  std::string upper(std::string_view text) const {
    return each(text, [&](wint_t c) { return towupper_l(c, locale); });
  }

private:
  static void append(std::string &text, uint32_t c) {
    if (c < 0x80) {
      text += static_cast<char>(c);
      return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static constexpr int marks[] = {0, 0xc0, 0xe0, 0xf0};
    text += static_cast<char>(marks[more] | c >> (6 * more));
    while (more--)
      text += static_cast<char>(0x80 | (c >> (6 * more) & 0x3f));
  }

  template <typename Change>
  static std::string each(std::string_view text, Change change) {
    std::string result;
    for (size_t i = 0; i < text.size();) {
      auto byte = static_cast<unsigned char>(text[i]);
      size_t more = byte < 0x80             ? 0
                    : (byte & 0xe0) == 0xc0 ? 1
                    : (byte & 0xf0) == 0xe0 ? 2
                    : (byte & 0xf8) == 0xf0 ? 3
                                            : text.size();
      if (more >= text.size() - i)
        throw Refusal("a string is not UTF-8");
      uint32_t c = more ? byte & (0x3fu >> more) : byte;
      for (size_t k = 1; k <= more; ++k) {
        auto next = static_cast<unsigned char>(text[i + k]);
        if ((next & 0xc0) != 0x80)
          throw Refusal("a string is not UTF-8");
        c = c << 6 | (next & 0x3f);
      }
      append(result, static_cast<uint32_t>(change(c)));
      i += more + 1;
    }
    return result;
  }

  locale_t locale;
};

} // namespace

void normalize(Call &call) {
  std::string_view action = call.strings(1).at(0);
  bool isSensitive = call.integer(2) != 0;
  CaseChange change;
  std::unordered_set<std::string> stopwords;
  for (std::string_view word : call.strings(3))
    stopwords.insert(isSensitive ? std::string(word) : change.lower(word));
  std::vector<std::string> kept;
  for (std::string_view text : call.strings(0)) {
    if (!stopwords.empty() &&
        stopwords.count(isSensitive ? std::string(text) : change.lower(text)))
      continue;
    kept.push_back(action == "LOWER"   ? change.lower(text)
                   : action == "UPPER" ? change.upper(text)
                                       : std::string(text));
  }
  // By the standard, one empty string where nothing is left.
  if (kept.empty())
    kept.emplace_back();
  Dims dims = call.dims(0);
  dims.back() = static_cast<int64_t>(kept.size());
  call.addStrings(dims, kept);
}

} // namespace onnxc::host
