//===- WinogradPoints.cpp - Matrices of Winograd's minimal filters --------===//

#include "compiler/layout/WinogradPoints.h"

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
