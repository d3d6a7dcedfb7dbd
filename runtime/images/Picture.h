//===- Picture.h - Decoders of encoded images -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_IMAGES_PICTURE_H
#define ONNXC_RUNTIME_IMAGES_PICTURE_H

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace onnxc::images {

/// An encoded image.
struct Bytes {
  const uint8_t *data;
  size_t size;

  bool startsWith(const char *magic, size_t length, size_t offset = 0) const;
};

/// What cannot be decoded, for any reason.
struct BadImage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Pixels of three bytes, red, green and blue, row by row from the top.
struct Picture {
  size_t width = 0, height = 0;
  std::vector<uint8_t> pixels;

  /// All black. Throws BadImage when a side is 0 or the picture has more
  /// pixels than anyone means: a few bytes can claim any size.
  Picture(uint64_t width, uint64_t height);

  uint8_t *at(size_t x, size_t y) { return &pixels[3 * (y * width + x)]; }
};

// Each throws BadImage. Transparency is ignored, more than 8 bits a channel
// are cut to 8.
Picture decodeBmp(Bytes bytes);
Picture decodeJpeg(Bytes bytes);
Picture decodeJpeg2000(Bytes bytes);
/// PBM, PGM, PPM (plain and raw) and PAM.
Picture decodePnm(Bytes bytes);
Picture decodePng(Bytes bytes);
Picture decodeTiff(Bytes bytes);
Picture decodeWebp(Bytes bytes);

} // namespace onnxc::images

#endif // ONNXC_RUNTIME_IMAGES_PICTURE_H
