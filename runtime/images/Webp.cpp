//===- Webp.cpp - WebP by libwebp -*- C++ -*-===//
#include "Picture.h"

#include <memory>

#include <webp/decode.h>
#include <webp/demux.h>

namespace onnxc::images {

/// The first frame of an animation.
static void decodeFrame(Bytes bytes, Picture &picture) {
  WebPAnimDecoderOptions options;
  if (!WebPAnimDecoderOptionsInit(&options))
    throw BadImage("libwebp is of another version");
  options.color_mode = MODE_RGBA;
  WebPData data{bytes.data, bytes.size};
  std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder *)> decoder(
      WebPAnimDecoderNew(&data, &options), WebPAnimDecoderDelete);
  uint8_t *frame;
  int time;
  if (!decoder || !WebPAnimDecoderGetNext(decoder.get(), &frame, &time))
    throw BadImage("a damaged WebP animation");
  for (size_t i = 0; i < picture.width * picture.height; ++i)
    for (unsigned c = 0; c < 3; ++c)
      picture.pixels[3 * i + c] = frame[4 * i + c];
}

Picture decodeWebp(Bytes bytes) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes.data, bytes.size, &features) != VP8_STATUS_OK)
    throw BadImage("not a WebP image");
  Picture picture(static_cast<uint64_t>(features.width),
                  static_cast<uint64_t>(features.height));
  if (features.has_animation)
    decodeFrame(bytes, picture);
  else if (!WebPDecodeRGBInto(bytes.data, bytes.size, picture.pixels.data(),
                              picture.pixels.size(), 3 * features.width))
    throw BadImage("a damaged WebP image");
  return picture;
}

} // namespace onnxc::images
