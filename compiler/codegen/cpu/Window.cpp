//===- Window.cpp - Sliding windows that are clipped at the edges ---------===//

#include "compiler/codegen/cpu/Window.h"

#include "compiler/codegen/cpu/MicroKernel.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace onnxc;

Index WindowDim::origin(Code &code, Index position) const {
  return code.subtract(code.multiply(position, stride), code.constant(pad));
}

Index WindowDim::firstTap(Code &code, Index position) const {
  if (pad == 0)
    return code.constant(0);
  Index missing = code.maximum(
      code.subtract(code.constant(pad), code.multiply(position, stride)),
      code.constant(0));
  return code.minimum(code.ceilDivide(missing, dilation), code.constant(taps));
}

Index WindowDim::lastTap(Code &code, Index position) const {
  return lastTap(code, position, 0);
}

Index WindowDim::lastTap(Code &code, Index position, int64_t after) const {
  Index left =
      code.maximum(code.subtract(code.add(size, code.constant(pad + after)),
                                 code.multiply(position, stride)),
                   code.constant(0));
  return code.minimum(code.ceilDivide(left, dilation), code.constant(taps));
}

bool PixelTile::isInside(const WindowDim &dim, int64_t pixel,
                         int64_t tap) const {
  if (taps == Taps::All)
    return true;
  int64_t position =
      (*Code::known(start) + pixel) * dim.stride + tap * dim.dilation - dim.pad;
  return position >= 0 && position < *Code::known(dim.size);
}

/// A row whose input and output sizes are known: balanced tiles, those inside
/// in loops.
static void emitStaticRow(Code &code, const WindowDim &dim, int64_t pixels,
                          llvm::function_ref<void(const PixelTile &)> body) {
  int64_t outputs = *Code::known(dim.outputs);
  int64_t number = llvm::divideCeil(outputs, pixels);
  auto isWhole = [&](int64_t start, int64_t count) {
    int64_t first = start * dim.stride - dim.pad;
    int64_t last = (start + count - 1) * dim.stride - dim.pad +
                   (dim.taps - 1) * dim.dilation;
    return first >= 0 && last < *Code::known(dim.size);
  };
  int64_t start = 0;
  for (int64_t tile = 0; tile < number;) {
    // The sizes of balanced tiles: the first ones are one larger.
    auto sizeOf = [&](int64_t i) {
      return outputs / number + (i < outputs % number ? 1 : 0);
    };
    int64_t size = sizeOf(tile);
    int64_t run = 0;
    while (tile + run < number && sizeOf(tile + run) == size &&
           isWhole(start + run * size, size))
      ++run;
    if (run > 0) {
      code.loop(code.constant(start), code.constant(start + run * size), size,
                [&](Index at) { body({at, size, PixelTile::Taps::All}); });
    } else {
      body({code.constant(start), size, PixelTile::Taps::Known});
      run = 1;
    }
    tile += run;
    start += run * size;
  }
}

void onnxc::emitPixelTiles(Code &code, const WindowDim &dim, int64_t pixels,
                           llvm::function_ref<void(const PixelTile &)> body) {
  auto outputs = Code::known(dim.outputs);
  if (outputs && Code::known(dim.size)) {
    // Long edges would be many tiles with code of their own.
    int64_t edges = dim.pad + dim.taps * dim.dilation;
    if (edges <= 2 * pixels + 16 || *outputs <= 2 * pixels)
      return emitStaticRow(code, dim, pixels, body);
  }
  Index zero = code.constant(0);
  auto clipped = [&](Index at) { body({at, 1, PixelTile::Taps::Dynamic}); };
  // [inside, edge) are the outputs with every tap inside.
  Index inside = code.minimum(
      code.constant(llvm::divideCeil(dim.pad, dim.stride)), dim.outputs);
  Index room = code.subtract(code.add(dim.size, code.constant(dim.pad)),
                             code.constant((dim.taps - 1) * dim.dilation));
  Index edge = code.ceilDivide(code.maximum(room, zero), dim.stride);
  edge = code.maximum(code.minimum(edge, dim.outputs), inside);
  code.loop(zero, inside, 1, clipped);
  RowTiling(code, code.subtract(edge, inside), pixels)
      .emit(code, [&](Index at, int64_t count) {
        body({code.add(inside, at), count, PixelTile::Taps::All});
      });
  code.loop(edge, dim.outputs, 1, clipped);
}

void onnxc::emitChannels(Code &code, Index count, int64_t lanes,
                         llvm::function_ref<void(Index, Value)> body) {
  Index whole = code.multiply(code.divide(count, code.constant(lanes)), lanes);
  code.loop(code.constant(0), whole, lanes,
            [&](Index channel) { body(channel, Value()); });
  Index left = code.subtract(count, whole);
  if (Code::isKnown(left, 0))
    return;
  code.branch(code.less(whole, count),
              [&] { body(whole, code.laneMask(left, lanes)); });
}
