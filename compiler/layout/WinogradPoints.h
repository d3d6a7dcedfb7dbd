//===- WinogradPoints.h - Matrices of Winograd's minimal filters -*- C++
//-*-===//
//
// F(2, taps): two outputs of a filter of `taps` taps from taps + 1 products,
// by the points 0, 1, -1 and infinity, whose error is that of the plain sum.
// Filters of two dims, and long ones of one, nest two of them.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LAYOUT_WINOGRADPOINTS_H
#define ONNXC_COMPILER_LAYOUT_WINOGRADPOINTS_H

#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace onnxc {

using Matrix = llvm::SmallVector<llvm::SmallVector<double>>;

/// outputs = output * ((filter * taps) . (input * samples)), element by
/// element.
struct MinimalFilter {
  Matrix input;  ///< points x samples
  Matrix filter; ///< points x taps
  Matrix output; ///< outputs x points

  int64_t points() const { return filter.size(); }
  int64_t taps() const { return filter.front().size(); }
  int64_t samples() const { return input.front().size(); }
  int64_t outputs() const { return output.size(); }
};

/// F(2, taps) for two or three taps; for one the product itself, F(1, 1).
MinimalFilter minimalFilter(int64_t taps);

} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_WINOGRADPOINTS_H
