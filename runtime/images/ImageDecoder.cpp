//===- ImageDecoder.cpp - The entry of libonnxc_images -*- C++ -*-===//
#include "../host/Call.h"
#include "Picture.h"

namespace onnxc::images {

bool Bytes::startsWith(const char *magic, size_t length, size_t offset) const {
  return size >= offset + length &&
         std::memcmp(data + offset, magic, length) == 0;
}

Picture::Picture(uint64_t width, uint64_t height)
    : width(width), height(height) {
  constexpr uint64_t mostPixels = uint64_t(1) << 28;
  if (!width || !height || width > mostPixels || height > mostPixels ||
      width * height > mostPixels)
    throw BadImage("an impossible size");
  pixels.resize(3 * this->width * this->height);
}

/// By the first bytes, as every format of these can be told.
static Picture decode(Bytes bytes) {
  if (bytes.startsWith("\xff\xd8\xff", 3))
    return decodeJpeg(bytes);
  if (bytes.startsWith("\x89PNG\r\n\x1a\n", 8))
    return decodePng(bytes);
  if (bytes.startsWith("RIFF", 4) && bytes.startsWith("WEBP", 4, 8))
    return decodeWebp(bytes);
  if (bytes.startsWith("BM", 2))
    return decodeBmp(bytes);
  if (bytes.startsWith("II", 2) || bytes.startsWith("MM", 2))
    return decodeTiff(bytes);
  if (bytes.startsWith("\0\0\0\x0cjP  \r\n\x87\n", 12) ||
      bytes.startsWith("\xff\x4f\xff\x51", 4))
    return decodeJpeg2000(bytes);
  if (bytes.size > 1 && bytes.data[0] == 'P')
    return decodePnm(bytes);
  throw BadImage("none of the formats");
}

/// encoded_stream (uint8 [N]), pixel_format [1]: [height, width, channels],
/// empty for what cannot be decoded, as the operator has it.
static void imageDecoder(host::Call &call) {
  std::string_view format = call.strings(1).at(0);
  bool isGray = format == "Grayscale";
  std::vector<uint8_t> result;
  host::Dims dims{0, 0, isGray ? 1 : 3};
  try {
    Picture picture = decode({call.elements<uint8_t>(0), call.count(0)});
    dims[0] = static_cast<int64_t>(picture.height);
    dims[1] = static_cast<int64_t>(picture.width);
    result = std::move(picture.pixels);
  } catch (const BadImage &) {
  }
  size_t count = result.size() / 3;
  if (isGray) {
    // ITU-R 601-2 in 16 bits, as the reference (Pillow) computes it.
    for (size_t i = 0; i < count; ++i)
      result[i] = static_cast<uint8_t>((result[3 * i] * 19595u +
                                        result[3 * i + 1] * 38470u +
                                        result[3 * i + 2] * 7471u + 0x8000u) >>
                                       16);
    result.resize(count);
  } else if (format == "BGR") {
    for (size_t i = 0; i < count; ++i)
      std::swap(result[3 * i], result[3 * i + 2]);
  }
  call.add(ONNXC_UINT8, dims, result);
}

static host::Operator find(std::string_view name) {
  return name == "ImageDecoder" ? imageDecoder : nullptr;
}

} // namespace onnxc::images

extern "C" __attribute__((visibility("default"))) int32_t
onnxc_host_run_3(const onnxc_host_call *call) {
  return onnxc::host::serve(*call, onnxc::images::find);
}
