//===- Webp.cpp - WebP by libwebp -*- C++ -*-===//
#include "Picture.h"

#include <webp/decode.h>

namespace onnxc::images {

Picture decodeWebp(Bytes bytes) {
  int width, height;
  if (!WebPGetInfo(bytes.data, bytes.size, &width, &height))
    throw BadImage("not a WebP image");
  Picture picture(static_cast<uint64_t>(width), static_cast<uint64_t>(height));
  if (!WebPDecodeRGBInto(bytes.data, bytes.size, picture.pixels.data(),
                         picture.pixels.size(), 3 * width))
    throw BadImage("a damaged WebP image, or an animation");
  return picture;
}

} // namespace onnxc::images
