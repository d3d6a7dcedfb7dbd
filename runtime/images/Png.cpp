//===- Png.cpp - PNG by libpng -*- C++ -*-===//
#include "Picture.h"

#include <csetjmp>
#include <cstring>

#include <png.h>

namespace onnxc::images {

namespace {
struct Reader {
  Bytes rest;
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};
} // namespace

static void read(png_structp png, png_bytep target, size_t count) {
  auto *rest = static_cast<Bytes *>(png_get_io_ptr(png));
  if (count > rest->size)
    png_error(png, "it ends too early");
  std::memcpy(target, rest->data, count);
  rest->data += count;
  rest->size -= count;
}

[[noreturn]] static void escape(png_structp png, png_const_charp) {
  png_longjmp(png, 1);
}

static void ignore(png_structp, png_const_charp) {}

// No object with a destructor lives in what an error of libpng leaves.
static bool readHeader(Reader &r) {
  if (setjmp(png_jmpbuf(r.png)))
    return false;
  png_set_read_fn(r.png, &r.rest, read);
  png_read_info(r.png, r.info);
  png_set_expand(r.png);
  png_set_strip_16(r.png);
  png_set_gray_to_rgb(r.png);
  png_set_strip_alpha(r.png);
  png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  return true;
}

static bool readRows(Reader &r, png_bytepp rows) {
  if (setjmp(png_jmpbuf(r.png)))
    return false;
  png_read_image(r.png, rows);
  png_read_end(r.png, nullptr);
  return true;
}

Picture decodePng(Bytes bytes) {
  Reader reader{bytes};
  reader.png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, escape, ignore);
  if (!reader.png)
    throw std::bad_alloc();
  reader.info = png_create_info_struct(reader.png);
  if (!reader.info)
    throw std::bad_alloc();
  if (!readHeader(reader))
    throw BadImage("not a PNG image");
  Picture picture(png_get_image_width(reader.png, reader.info),
                  png_get_image_height(reader.png, reader.info));
  if (png_get_rowbytes(reader.png, reader.info) != 3 * picture.width)
    throw BadImage("a PNG image of an unknown kind");
  std::vector<png_bytep> rows;
  for (size_t y = 0; y < picture.height; ++y)
    rows.push_back(picture.at(0, y));
  if (!readRows(reader, rows.data()))
    throw BadImage("a damaged PNG image");
  return picture;
}

} // namespace onnxc::images
