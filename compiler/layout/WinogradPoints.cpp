//===- WinogradPoints.cpp - Matrices of Winograd's minimal filters --------===//

#include "compiler/layout/WinogradPoints.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cassert>

using namespace onnxc;

MinimalFilter onnxc::minimalFilter(int64_t taps) {
  assert(taps >= 1 && taps <= 3 && "more taps need points of larger error");
  if (taps == 1)
    return {{{1}}, {{1}}, {{1}}};
  if (taps == 2)
    return {{{1, -1, 0}, {0, 1, 0}, {0, -1, 1}},
            {{1, 0}, {1, 1}, {0, 1}},
            {{1, 1, 0}, {0, 1, 1}}};
  return {{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
          {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}},
          {{1, 1, 1, 0}, {0, 1, -1, -1}}};
}

LineMethod::LineMethod(int64_t taps)
    : tapCount(taps), columnFilter(minimalFilter(taps > 3 ? 2 : 1)),
      rowFilter(minimalFilter(llvm::divideCeil(taps, columnFilter.taps()))) {}

llvm::SmallVector<double> LineMethod::pointFilter(int64_t row,
                                                  int64_t column) const {
  llvm::SmallVector<double> factors(tapCount, 0);
  for (int64_t r = 0; r < rowFilter.taps(); ++r)
    for (int64_t c = 0; c < columnFilter.taps(); ++c)
      if (int64_t tap = r * columnFilter.taps() + c; tap < tapCount)
        factors[tap] =
            rowFilter.filter[row][r] * columnFilter.filter[column][c];
  return factors;
}

bool LineMethod::counts(int64_t row, int64_t column) const {
  return llvm::any_of(pointFilter(row, column),
                      [](double factor) { return factor != 0; });
}

void LineMethod::forEachPoint(
    llvm::function_ref<void(int64_t, int64_t)> visit) const {
  for (int64_t column = 0; column < columnFilter.points(); ++column)
    for (int64_t row = 0; row < rowFilter.points(); ++row)
      if (counts(row, column))
        visit(row, column);
}

int64_t LineMethod::points() const {
  int64_t count = 0;
  forEachPoint([&](int64_t, int64_t) { ++count; });
  return count;
}

int64_t LineMethod::samples() const {
  int64_t last = 0;
  forEachPoint([&](int64_t row, int64_t column) {
    for (int64_t r = 0; r < rowFilter.samples(); ++r)
      for (int64_t c = 0; c < columnFilter.samples(); ++c)
        if (rowFilter.input[row][r] != 0 && columnFilter.input[column][c] != 0)
          last = std::max(last, sample(r, c));
  });
  return last + 1;
}

int64_t LineMethod::sums() const {
  int64_t count = 0;
  forEachPoint([&](int64_t row, int64_t column) {
    count += isSum(column) && counts(row, 2);
  });
  return count;
}
