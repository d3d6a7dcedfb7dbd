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

#include "llvm/ADT/STLFunctionalExtras.h"
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

/// How a filter of two to six taps along one axis is computed: tap t is element
/// (t / columns, t % columns) of a matrix, and so is sample t of what a tile of
/// outputs reads; points are pairs of a point of the rows and one of the
/// columns.
class LineMethod {
public:
  static bool exists(int64_t taps) { return taps >= 2 && taps <= 6; }
  explicit LineMethod(int64_t taps);

  const MinimalFilter &rows() const { return rowFilter; }
  const MinimalFilter &columns() const { return columnFilter; }
  int64_t taps() const { return tapCount; }
  /// Of a tile.
  int64_t outputs() const {
    return rowFilter.outputs() * columnFilter.outputs();
  }
  /// That a tile reads.
  int64_t samples() const;
  int64_t sample(int64_t row, int64_t column) const {
    return row * columnFilter.taps() + column;
  }

  /// What the taps are multiplied by at a point.
  llvm::SmallVector<double> pointFilter(int64_t row, int64_t column) const;
  /// Whether the filter of a point is more than zeros: the matrix may have an
  /// element more than there are taps.
  bool counts(int64_t row, int64_t column) const;
  /// Visits the points that count, column by column.
  void
      forEachPoint(llvm::function_ref<void(int64_t row, int64_t column)>) const;
  int64_t points() const;

  /// The middle one of three points of columns: its filter is the sum of the
  /// two others', which is cheaper to compute than to store.
  bool isSum(int64_t column) const {
    return columnFilter.points() == 3 && column == 1;
  }
  int64_t sums() const;

private:
  int64_t tapCount;
  MinimalFilter columnFilter, rowFilter;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_WINOGRADPOINTS_H
