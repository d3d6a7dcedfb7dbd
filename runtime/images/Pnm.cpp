//===- Pnm.cpp - The portable formats of Netpbm -*- C++ -*-===//
#include "Picture.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace onnxc::images {

namespace {
class Reader {
public:
  explicit Reader(Bytes bytes) : bytes(bytes) {}

  uint8_t byte() {
    if (position >= bytes.size)
      throw BadImage("the image ends too early");
    return bytes.data[position++];
  }
  /// What stands up to the next blank, which is read, too; comments are not.
  std::string word();
  /// A decimal number.
  uint32_t number();
  /// One digit, which need not stand alone.
  uint32_t digit();
  /// A sample of one or two bytes.
  uint32_t sample(bool isWide) {
    uint32_t high = byte();
    return isWide ? high << 8 | byte() : high;
  }
  size_t rest() const { return bytes.size - position; }

private:
  Bytes bytes;
  size_t position = 0;
};

struct Header {
  uint32_t width = 0, height = 0, depth = 1, greatest = 1;
};
} // namespace

static bool isBlank(uint8_t c) { return std::isspace(c) != 0; }

std::string Reader::word() {
  std::string result;
  while (true) {
    if (!result.empty() && rest() == 0)
      return result;
    uint8_t c = byte();
    if (c == '#')
      while (c != '\n' && c != '\r')
        c = byte();
    if (!isBlank(c))
      result += static_cast<char>(c);
    else if (!result.empty())
      return result;
    if (result.size() > 16)
      throw BadImage("a header with a word that is too long");
  }
}

static uint32_t toNumber(const std::string &text) {
  if (text.empty() || text.size() > 9 ||
      !std::all_of(text.begin(), text.end(),
                   [](char c) { return c >= '0' && c <= '9'; }))
    throw BadImage("a header without a number");
  return static_cast<uint32_t>(std::stoul(text));
}

uint32_t Reader::number() { return toNumber(word()); }

uint32_t Reader::digit() {
  uint8_t c = byte();
  while (isBlank(c))
    c = byte();
  if (c != '0' && c != '1')
    throw BadImage("a bit that is neither 0 nor 1");
  return c - '0';
}

/// The header of a PAM file: keywords with values, to ENDHDR.
static Header readKeywords(Reader &reader) {
  Header header;
  for (std::string key = reader.word(); key != "ENDHDR"; key = reader.word()) {
    if (key == "WIDTH")
      header.width = reader.number();
    else if (key == "HEIGHT")
      header.height = reader.number();
    else if (key == "DEPTH")
      header.depth = reader.number();
    else if (key == "MAXVAL")
      header.greatest = reader.number();
    else if (key == "TUPLTYPE")
      reader.word();
    else
      throw BadImage("a header with an unknown keyword");
  }
  return header;
}

Picture decodePnm(Bytes bytes) {
  Reader reader(bytes);
  reader.byte();
  uint8_t kind = reader.byte();
  if (kind < '1' || kind > '7' || !isBlank(reader.byte()))
    throw BadImage("a portable image of an unknown kind");
  Header header;
  bool isBitmap = kind == '1' || kind == '4', isPlain = kind <= '3';
  if (kind == '7') {
    header = readKeywords(reader);
  } else {
    header.width = reader.number();
    header.height = reader.number();
    header.depth = kind == '3' || kind == '6' ? 3 : 1;
    if (!isBitmap)
      header.greatest = reader.number();
  }
  if (!header.depth || header.depth > 4 || !header.greatest ||
      header.greatest > 65535)
    throw BadImage("a portable image of an unknown kind");
  // A sample takes at least a bit: no memory for a size beyond the data.
  if (uint64_t(header.width) * header.height / 8 > reader.rest())
    throw BadImage("the image ends too early");
  Picture picture(header.width, header.height);
  bool isWide = header.greatest > 255, isColour = header.depth >= 3;
  for (size_t y = 0; y < picture.height; ++y) {
    uint8_t packed = 0;
    for (size_t x = 0; x < picture.width; ++x) {
      uint32_t samples[4] = {};
      for (unsigned c = 0; c < header.depth; ++c) {
        if (kind == '1') {
          samples[c] = 1 - reader.digit();
        } else if (kind == '4') {
          packed = x % 8 ? static_cast<uint8_t>(packed << 1) : reader.byte();
          samples[c] = packed < 128;
        } else {
          samples[c] = isPlain ? reader.number() : reader.sample(isWide);
        }
      }
      for (unsigned c = 0; c < 3; ++c) {
        uint32_t value = std::min(samples[isColour ? c : 0], header.greatest);
        picture.at(x, y)[c] = static_cast<uint8_t>(
            (value * 255 + header.greatest / 2) / header.greatest);
      }
    }
  }
  return picture;
}

} // namespace onnxc::images
