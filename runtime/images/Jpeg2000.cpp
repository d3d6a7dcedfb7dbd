//===- Jpeg2000.cpp - JPEG 2000 by OpenJPEG -*- C++ -*-===//
#include "Picture.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include <openjpeg.h>

namespace onnxc::images {

namespace {
struct Source {
  Bytes bytes;
  size_t position = 0;
};
} // namespace

static OPJ_SIZE_T read(void *target, OPJ_SIZE_T count, void *data) {
  auto *source = static_cast<Source *>(data);
  size_t given = std::min(count, source->bytes.size - source->position);
  if (given == 0)
    return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(target, source->bytes.data + source->position, given);
  source->position += given;
  return given;
}

static OPJ_BOOL seek(OPJ_OFF_T position, void *data) {
  auto *source = static_cast<Source *>(data);
  if (position < 0 || static_cast<size_t>(position) > source->bytes.size)
    return OPJ_FALSE;
  source->position = static_cast<size_t>(position);
  return OPJ_TRUE;
}

static OPJ_OFF_T skip(OPJ_OFF_T count, void *data) {
  auto *source = static_cast<Source *>(data);
  return seek(static_cast<OPJ_OFF_T>(source->position) + count, data) ? count
                                                                      : -1;
}

/// A sample of 8 bits; components may be smaller than the image.
static int sample(const opj_image_comp_t &component, size_t x, size_t y) {
  size_t column = std::min<size_t>(x / component.dx, component.w - 1);
  size_t row = std::min<size_t>(y / component.dy, component.h - 1);
  int64_t value = component.data[row * component.w + column];
  if (component.sgnd)
    value += int64_t(1) << (component.prec - 1);
  if (component.prec > 8)
    value >>= component.prec - 8;
  else
    value <<= 8 - component.prec;
  return static_cast<int>(std::clamp<int64_t>(value, 0, 255));
}

static uint8_t toByte(double value) {
  return static_cast<uint8_t>(std::clamp(value + 0.5, 0.0, 255.0));
}

Picture decodeJpeg2000(Bytes bytes) {
  bool isStream = bytes.startsWith("\xff\x4f\xff\x51", 4);
  std::unique_ptr<opj_codec_t, void (*)(opj_codec_t *)> codec(
      opj_create_decompress(isStream ? OPJ_CODEC_J2K : OPJ_CODEC_JP2),
      opj_destroy_codec);
  std::unique_ptr<opj_stream_t, void (*)(opj_stream_t *)> stream(
      opj_stream_default_create(OPJ_TRUE), opj_stream_destroy);
  if (!codec || !stream)
    throw std::bad_alloc();
  Source source{bytes};
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), bytes.size);
  opj_stream_set_read_function(stream.get(), read);
  opj_stream_set_seek_function(stream.get(), seek);
  opj_stream_set_skip_function(stream.get(), skip);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t *header = nullptr;
  bool isRead = opj_setup_decoder(codec.get(), &parameters) &&
                opj_read_header(stream.get(), codec.get(), &header);
  std::unique_ptr<opj_image_t, void (*)(opj_image_t *)> image(
      header, opj_image_destroy);
  if (!isRead || image->x1 <= image->x0 || image->y1 <= image->y0)
    throw BadImage("not a JPEG 2000 image");
  Picture picture(image->x1 - image->x0, image->y1 - image->y0);
  if (!opj_decode(codec.get(), stream.get(), image.get()) ||
      !opj_end_decompress(codec.get(), stream.get()) || !image->numcomps)
    throw BadImage("a damaged JPEG 2000 image");
  bool isColour = image->numcomps >= 3;
  for (unsigned c = 0; c < (isColour ? 3u : 1u); ++c) {
    const opj_image_comp_t &component = image->comps[c];
    if (!component.data || !component.w || !component.h || !component.dx ||
        !component.dy || !component.prec || component.prec > 31)
      throw BadImage("a JPEG 2000 image of an unknown kind");
  }
  for (size_t y = 0; y < picture.height; ++y)
    for (size_t x = 0; x < picture.width; ++x) {
      uint8_t *pixel = picture.at(x, y);
      for (unsigned c = 0; c < 3; ++c)
        pixel[c] =
            static_cast<uint8_t>(sample(image->comps[isColour ? c : 0], x, y));
      if (isColour && image->color_space == OPJ_CLRSPC_SYCC) {
        double luma = pixel[0], blue = pixel[1] - 128.0, red = pixel[2] - 128.0;
        pixel[0] = toByte(luma + 1.402 * red);
        pixel[1] = toByte(luma - 0.344136 * blue - 0.714136 * red);
        pixel[2] = toByte(luma + 1.772 * blue);
      }
    }
  return picture;
}

} // namespace onnxc::images
