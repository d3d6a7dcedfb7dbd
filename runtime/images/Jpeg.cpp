//===- Jpeg.cpp - JPEG by libjpeg-turbo -*- C++ -*-===//
#include "Picture.h"

#include <csetjmp>
#include <cstdio>
#include <memory>

#include <jerror.h>
#include <jpeglib.h>

namespace onnxc::images {

namespace {
struct ErrorManager {
  jpeg_error_mgr base; // first: libjpeg knows this part
  jmp_buf escape;
};

struct Decompressor {
  jpeg_decompress_struct info = {};
  ErrorManager errors = {};
  ~Decompressor() { jpeg_destroy_decompress(&info); }
};
} // namespace

static void escape(j_common_ptr info) {
  longjmp(reinterpret_cast<ErrorManager *>(info->err)->escape, 1);
}

/// A warning stands for data that is damaged or missing, but for these.
static void onMessage(j_common_ptr info, int level) {
  int code = info->err->msg_code;
  if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM &&
      code != JWRN_JFIF_MAJOR)
    escape(info);
}

/// Reads a row of CMYK as RGB. Adobe's files hold the complements.
static void rowFromCmyk(const uint8_t *row, size_t width, bool isComplement,
                        uint8_t *rgb) {
  for (size_t x = 0; x < width; ++x, row += 4, rgb += 3)
    for (int c = 0; c < 3; ++c) {
      unsigned ink = isComplement ? 255u - row[c] : row[c];
      unsigned paper = isComplement ? row[3] : 255u - row[3];
      unsigned product = ink * paper + 128;
      rgb[c] = static_cast<uint8_t>(paper - (((product >> 8) + product) >> 8));
    }
}

// No object with a destructor lives in what an error of libjpeg leaves.
static bool readHeader(Decompressor &d, Bytes bytes) {
  d.info.err = jpeg_std_error(&d.errors.base);
  d.errors.base.error_exit = escape;
  d.errors.base.emit_message = onMessage;
  if (setjmp(d.errors.escape))
    return false;
  jpeg_create_decompress(&d.info);
  jpeg_mem_src(&d.info, bytes.data, bytes.size);
  jpeg_read_header(&d.info, TRUE);
  bool isCmyk = d.info.jpeg_color_space == JCS_CMYK ||
                d.info.jpeg_color_space == JCS_YCCK;
  d.info.out_color_space = isCmyk ? JCS_CMYK : JCS_RGB;
  jpeg_calc_output_dimensions(&d.info);
  return true;
}

static bool readRows(Decompressor &d, Picture &picture, uint8_t *row) {
  if (setjmp(d.errors.escape))
    return false;
  jpeg_start_decompress(&d.info);
  while (d.info.output_scanline < d.info.output_height) {
    uint8_t *target = picture.at(0, d.info.output_scanline);
    bool isCmyk = d.info.out_color_space == JCS_CMYK;
    JSAMPROW rows[] = {isCmyk ? row : target};
    jpeg_read_scanlines(&d.info, rows, 1);
    if (isCmyk)
      rowFromCmyk(row, picture.width, d.info.saw_Adobe_marker, target);
  }
  jpeg_finish_decompress(&d.info);
  return true;
}

Picture decodeJpeg(Bytes bytes) {
  auto decompressor = std::make_unique<Decompressor>();
  if (!readHeader(*decompressor, bytes))
    throw BadImage("not a JPEG image");
  Picture picture(decompressor->info.output_width,
                  decompressor->info.output_height);
  std::vector<uint8_t> row(4 * picture.width);
  if (!readRows(*decompressor, picture, row.data()))
    throw BadImage("a damaged JPEG image");
  return picture;
}

} // namespace onnxc::images
