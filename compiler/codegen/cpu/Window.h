//===- Window.h - Sliding windows that are clipped at the edges -*- C++ -*-===//
//
// What depthwise convolutions and pools share: which taps of a window lie
// inside the input, and how an output row divides into an interior, where all
// do, and edges.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_WINDOW_H
#define ONNXC_COMPILER_CODEGEN_CPU_WINDOW_H

#include "compiler/codegen/cpu/Code.h"
#include "compiler/codegen/cpu/KernelEmitter.h"

namespace onnxc {

/// The window along one dim.
struct WindowDim {
  Index size; ///< of the input
  Index outputs;
  int64_t taps, stride, dilation, pad;

  /// The input position of tap 0 of output `position`; may be negative.
  Index origin(Code &code, Index position) const;
  /// The taps of output `position` inside the input: [first, last).
  Index firstTap(Code &code, Index position) const;
  Index lastTap(Code &code, Index position) const;
  /// The same, the input being followed by `after` more positions.
  Index lastTap(Code &code, Index position, int64_t after) const;
};

/// Some neighbouring outputs of one row.
struct PixelTile {
  Index start;
  int64_t pixels;
  /// All: every tap of every pixel is inside the input. Known: which are
  /// follows from the static `start` (isInside). Dynamic: one pixel, its taps
  /// are found at run time.
  enum class Taps { All, Known, Dynamic } taps;

  bool isInside(const WindowDim &dim, int64_t pixel, int64_t tap) const;
};

/// Writes the outputs of one row in tiles of at most `pixels`.
void emitPixelTiles(Code &code, const WindowDim &dim, int64_t pixels,
                    llvm::function_ref<void(const PixelTile &)> body);

/// Writes channels [0, count) in vectors of `lanes`, the last with a mask.
void emitChannels(Code &code, Index count, int64_t lanes,
                  llvm::function_ref<void(Index, mlir::Value)> body);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_WINDOW_H
