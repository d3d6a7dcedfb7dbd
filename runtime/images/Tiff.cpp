//===- Tiff.cpp - The first page of a TIFF file by libtiff -*- C++ -*-===//
#include "Picture.h"

#include <cstdio>
#include <cstring>
#include <memory>

#include <tiffio.h>

namespace onnxc::images {

namespace {
/// A file in memory.
struct Source {
  Bytes bytes;
  uint64_t position = 0;
};

struct Close {
  void operator()(TIFF *tiff) const { TIFFClose(tiff); }
  void operator()(TIFFOpenOptions *options) const {
    TIFFOpenOptionsFree(options);
  }
};
} // namespace

static tmsize_t read(thandle_t handle, void *target, tmsize_t count) {
  auto *source = static_cast<Source *>(handle);
  if (source->position >= source->bytes.size || count < 0)
    return 0;
  size_t rest = source->bytes.size - source->position;
  size_t given = std::min(rest, static_cast<size_t>(count));
  std::memcpy(target, source->bytes.data + source->position, given);
  source->position += given;
  return static_cast<tmsize_t>(given);
}

static tmsize_t write(thandle_t, void *, tmsize_t) { return 0; }

static toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto *source = static_cast<Source *>(handle);
  if (whence == SEEK_CUR)
    offset += source->position;
  else if (whence == SEEK_END)
    offset += source->bytes.size;
  return source->position = offset;
}

static int close(thandle_t) { return 0; }

static toff_t sizeOf(thandle_t handle) {
  return static_cast<Source *>(handle)->bytes.size;
}

static int silent(TIFF *, void *, const char *, const char *, va_list) {
  return 1;
}

Picture decodeTiff(Bytes bytes) {
  Source source{bytes};
  std::unique_ptr<TIFFOpenOptions, Close> options(TIFFOpenOptionsAlloc());
  if (!options)
    throw std::bad_alloc();
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), silent, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), silent, nullptr);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), tmsize_t(1) << 30);
  std::unique_ptr<TIFF, Close> tiff(
      TIFFClientOpenExt("", "rm", &source, read, write, seek, close, sizeOf,
                        nullptr, nullptr, options.get()));
  if (!tiff)
    throw BadImage("not a TIFF image");
  uint32_t width = 0, height = 0;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  Picture picture(width, height);
  // Colours that are not multiplied with what is ignored.
  uint16_t count = 0, *kinds = nullptr;
  if (TIFFGetField(tiff.get(), TIFFTAG_EXTRASAMPLES, &count, &kinds) && count) {
    std::vector<uint16_t> multiplied(count, EXTRASAMPLE_ASSOCALPHA);
    TIFFSetField(tiff.get(), TIFFTAG_EXTRASAMPLES, count, multiplied.data());
  }
  std::vector<uint32_t> raster(picture.width * picture.height);
  if (!TIFFReadRGBAImageOriented(tiff.get(), width, height, raster.data(),
                                 ORIENTATION_TOPLEFT, /*stop=*/1))
    throw BadImage("a damaged TIFF image, or one of an unknown kind");
  for (size_t i = 0; i < raster.size(); ++i) {
    picture.pixels[3 * i] = static_cast<uint8_t>(TIFFGetR(raster[i]));
    picture.pixels[3 * i + 1] = static_cast<uint8_t>(TIFFGetG(raster[i]));
    picture.pixels[3 * i + 2] = static_cast<uint8_t>(TIFFGetB(raster[i]));
  }
  return picture;
}

} // namespace onnxc::images
