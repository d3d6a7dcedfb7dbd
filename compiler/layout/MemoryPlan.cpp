//===- MemoryPlan.cpp - Where buffers lie in the workspace ----------------===//

#include "compiler/layout/MemoryPlan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/Support/MathExtras.h"

#include <limits>
#include <tuple>

using namespace onnxc;

MemoryPlan onnxc::planMemory(llvm::ArrayRef<PlannedBuffer> buffers) {
  unsigned count = buffers.size();
  // An empty buffer still needs a place of its own in the order.
  auto size = [&](unsigned i) {
    return static_cast<int64_t>(
        llvm::alignTo(std::max<int64_t>(buffers[i].bytes, 1), bufferAlignment));
  };
  auto together = [&](unsigned a, unsigned b) {
    return buffers[a].first <= buffers[b].last &&
           buffers[b].first <= buffers[a].last;
  };
  MemoryPlan plan;
  plan.offsets.assign(count, 0);
  plan.below.resize(count);

  llvm::SmallVector<unsigned> bySize =
      llvm::to_vector(llvm::seq<unsigned>(0, count));
  llvm::sort(bySize, [&](unsigned a, unsigned b) {
    return std::make_tuple(-size(a), buffers[a].first, a) <
           std::make_tuple(-size(b), buffers[b].first, b);
  });
  llvm::SmallVector<unsigned> placed; // by rising offset
  for (unsigned buffer : bySize) {
    int64_t best = -1, bestGap = std::numeric_limits<int64_t>::max(), end = 0;
    for (unsigned other : placed) {
      if (!together(buffer, other))
        continue;
      int64_t gap = plan.offsets[other] - end;
      if (gap >= size(buffer) && gap < bestGap) {
        best = end;
        bestGap = gap;
      }
      end = std::max(end, plan.offsets[other] + size(other));
    }
    plan.offsets[buffer] = best < 0 ? end : best;
    plan.bytes = std::max(plan.bytes, plan.offsets[buffer] + size(buffer));
    auto *position =
        llvm::upper_bound(placed, buffer, [&](unsigned a, unsigned b) {
          return plan.offsets[a] < plan.offsets[b];
        });
    placed.insert(position, buffer);
  }
  plan.order = placed;

  for (auto [position, buffer] : llvm::enumerate(plan.order)) {
    llvm::SmallVector<unsigned> &below = plan.below[buffer];
    // From the nearest down: what a nearer one already stands on is implied.
    for (unsigned other :
         llvm::reverse(llvm::ArrayRef(plan.order).take_front(position))) {
      if (!together(buffer, other))
        continue;
      if (llvm::none_of(below, [&](unsigned nearer) {
            return llvm::is_contained(plan.below[nearer], other);
          }))
        below.push_back(other);
    }
  }
  return plan;
}
