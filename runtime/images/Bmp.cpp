//===- Bmp.cpp - Windows bitmaps -*- C++ -*-===//
#include "Picture.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace onnxc::images {

namespace {
enum Compression : uint32_t { None, Rle8, Rle4, BitFields, AlphaBitFields = 6 };

class Bitmap {
public:
  explicit Bitmap(Bytes bytes) : bytes(bytes) { readHeader(); }
  Picture decode();

private:
  /// `count` bytes at `offset`, little-endian.
  uint32_t number(uint64_t offset, unsigned count) const;
  void readHeader();
  void setIndex(Picture &picture, size_t x, size_t y, size_t index) const;
  void readIndices(Picture &picture) const;
  void readRuns(Picture &picture) const;
  void readColours(Picture &picture) const;
  /// The row of the file that is row `y` from the top.
  uint64_t rowOffset(size_t y) const {
    uint64_t stride = (width * bits + 31) / 32 * 4;
    return pixels + stride * (isTopDown ? y : height - 1 - y);
  }

  Bytes bytes;
  uint64_t width = 0, height = 0, pixels = 0, palette = 0;
  bool isTopDown = false;
  unsigned bits = 0, colours = 0, entryBytes = 4;
  uint32_t compression = None;
  std::array<uint32_t, 3> masks = {};
};
} // namespace

uint32_t Bitmap::number(uint64_t offset, unsigned count) const {
  if (offset > bytes.size || bytes.size - offset < count)
    throw BadImage("the bitmap ends too early");
  uint32_t result = 0;
  for (unsigned i = 0; i < count; ++i)
    result |= uint32_t(bytes.data[offset + i]) << (8 * i);
  return result;
}

void Bitmap::readHeader() {
  uint64_t header = number(14, 4);
  pixels = number(10, 4);
  palette = 14 + header;
  if (header == 12) {
    width = number(18, 2);
    height = number(20, 2);
    bits = number(24, 2);
    entryBytes = 3;
  } else if (header >= 40) {
    auto signedWidth = static_cast<int32_t>(number(18, 4));
    auto signedHeight = static_cast<int32_t>(number(22, 4));
    isTopDown = signedHeight < 0;
    width = signedWidth < 0 ? 0 : static_cast<uint64_t>(signedWidth);
    height = static_cast<uint64_t>(std::llabs(signedHeight));
    bits = number(28, 2);
    compression = number(30, 4);
    colours = number(46, 4);
  } else {
    throw BadImage("a bitmap of an unknown kind");
  }
  bool isIndexed = bits == 1 || bits == 4 || bits == 8;
  bool isColour = bits == 16 || bits == 24 || bits == 32;
  bool hasMasks = compression == BitFields || compression == AlphaBitFields;
  if (!(isIndexed || isColour) ||
      !(compression == None || (compression == Rle8 && bits == 8) ||
        (compression == Rle4 && bits == 4) ||
        (hasMasks && (bits == 16 || bits == 32))))
    throw BadImage("a bitmap of an unknown kind");
  if (isIndexed && (colours == 0 || colours > 1u << bits))
    colours = 1u << bits;
  if (hasMasks)
    masks = {number(54, 4), number(58, 4), number(62, 4)};
  else if (bits == 16)
    masks = {0x7c00, 0x03e0, 0x001f};
  else
    masks = {0xff0000, 0xff00, 0xff};
}

void Bitmap::setIndex(Picture &picture, size_t x, size_t y,
                      size_t index) const {
  if (index >= colours)
    throw BadImage("a bitmap with a colour outside of its palette");
  for (unsigned c = 0; c < 3; ++c)
    picture.at(x, y)[c] =
        static_cast<uint8_t>(number(palette + index * entryBytes + 2 - c, 1));
}

void Bitmap::readIndices(Picture &picture) const {
  for (size_t y = 0; y < height; ++y)
    for (size_t x = 0; x < width; ++x) {
      uint64_t bit = x * bits;
      unsigned shift = 8 - bits - static_cast<unsigned>(bit % 8);
      uint32_t byte = number(rowOffset(y) + bit / 8, 1);
      setIndex(picture, x, y, byte >> shift & ((1u << bits) - 1));
    }
}

/// Runs of one colour (or two in turns), and stretches of single ones.
void Bitmap::readRuns(Picture &picture) const {
  uint64_t at = pixels, x = 0, y = 0;
  // What no run covers has the first colour.
  setIndex(picture, 0, 0, 0);
  for (size_t i = 3; i < picture.pixels.size(); ++i)
    picture.pixels[i] = picture.pixels[i - 3];
  auto put = [&](size_t index) {
    if (x >= width || y >= height)
      throw BadImage("a bitmap with a run that leaves it");
    setIndex(picture, x++, isTopDown ? y : height - 1 - y, index);
  };
  while (true) {
    uint32_t count = number(at, 1), value = number(at + 1, 1);
    at += 2;
    if (count) {
      for (uint32_t i = 0; i < count; ++i)
        put(bits == 8 ? value : i % 2 ? value & 15 : value >> 4);
      continue;
    }
    if (value == 1)
      return;
    if (value == 0) {
      x = 0;
      if (++y > height)
        throw BadImage("a bitmap with too many rows");
    } else if (value == 2) {
      x += number(at, 1);
      y += number(at + 1, 1);
      at += 2;
      if (x > width || y > height)
        throw BadImage("a bitmap with a run that leaves it");
    } else {
      for (uint32_t i = 0; i < value; ++i) {
        uint32_t byte = number(at + (bits == 8 ? i : i / 2), 1);
        put(bits == 8 ? byte : i % 2 ? byte & 15 : byte >> 4);
      }
      uint64_t used = bits == 8 ? value : (value + 1) / 2;
      at += used + used % 2;
    }
  }
}

void Bitmap::readColours(Picture &picture) const {
  std::array<unsigned, 3> shifts = {};
  std::array<uint32_t, 3> greatest = {};
  for (unsigned c = 0; c < 3; ++c) {
    if (!masks[c])
      throw BadImage("a bitmap with a colour that has no bits");
    while (!(masks[c] >> shifts[c] & 1))
      ++shifts[c];
    greatest[c] = masks[c] >> shifts[c];
  }
  for (size_t y = 0; y < height; ++y)
    for (size_t x = 0; x < width; ++x) {
      uint32_t value = number(rowOffset(y) + x * (bits / 8), bits / 8);
      for (unsigned c = 0; c < 3; ++c)
        picture.at(x, y)[c] = static_cast<uint8_t>(
            uint64_t((value & masks[c]) >> shifts[c]) * 255 / greatest[c]);
    }
}

Picture Bitmap::decode() {
  // Before memory is taken for a size that the data cannot have.
  if (compression != Rle8 && compression != Rle4 && width && height)
    number(rowOffset(isTopDown ? height - 1 : 0) + (width * bits + 7) / 8 - 1,
           1);
  Picture picture(width, height);
  if (compression == Rle8 || compression == Rle4)
    readRuns(picture);
  else if (bits <= 8)
    readIndices(picture);
  else
    readColours(picture);
  return picture;
}

Picture decodeBmp(Bytes bytes) { return Bitmap(bytes).decode(); }

} // namespace onnxc::images
