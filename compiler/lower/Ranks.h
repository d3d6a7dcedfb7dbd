//===- Ranks.h - Elements and their positions as one number -----*- C++ -*-===//
//
// A rank says where an element of up to 32 bits comes in the order of TopK,
// NonMaxSuppression and Unique: its upper half is the element, its lower half
// the position, so that of equal elements the first comes first. What comes
// first has the greater rank, as an unsigned number. One comparison decides,
// and ranks can be sorted by their digits.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_RANKS_H
#define ONNXC_COMPILER_LOWER_RANKS_H

#include "compiler/lower/Lowering.h"
#include "compiler/lower/Scalars.h"

namespace onnxc {

/// The greatest position that a rank holds.
constexpr int64_t mostRanked = 0xffffffff;

/// Whether a rank holds elements of the lowered type.
bool canRank(mlir::Type element);

/// The rank (i64) of `element` at `position` (index). The greater elements come
/// first, or the less; a NaN is greater than any number.
mlir::Value rankOf(Scalars &s, mlir::Value element, mlir::Value position,
                   bool greaterFirst, bool isUnsigned);
/// The same of an element's 32 bits in order, and a position of type i64.
mlir::Value rankOfBits(Scalars &s, mlir::Value bits, mlir::Value position,
                       bool greaterFirst);
/// `element` as an i32, or an i64 where it is longer, whose unsigned order is
/// that of the elements: -0 is 0, a NaN is the greatest.
mlir::Value orderedBits(Scalars &s, mlir::Value element, bool isUnsigned);
/// The position (i64) in a rank.
mlir::Value positionIn(Scalars &s, mlir::Value rank);

/// Memory for sortRanks: two more tensors, which share none with the ranks.
struct SortScratch {
  mlir::Value ranks;  ///< of i64, as long as what is sorted
  mlir::Value counts; ///< of index, one for each value of a digit
  static constexpr int64_t digitBits = 8;
  static constexpr int64_t digits = 1 << digitBits;
};

/// Sorts the first `count` of `ranks`, the greatest first, digit by digit from
/// the last, in time proportional to the count. `areInOrder`: elements are in
/// the order of their positions, whose digits then need not be looked at.
mlir::Value sortRanks(Scalars &s, mlir::Value ranks, mlir::Value count,
                      mlir::Value areInOrder, SortScratch &scratch);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_RANKS_H
