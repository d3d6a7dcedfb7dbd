//===- MemoryPlan.h - Where buffers lie in the workspace --------*- C++ -*-===//
#ifndef ONNXC_COMPILER_LAYOUT_MEMORYPLAN_H
#define ONNXC_COMPILER_LAYOUT_MEMORYPLAN_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace onnxc {

/// A buffer to place: alive at the positions [first, last] of the program.
struct PlannedBuffer {
  int64_t bytes; ///< the size, or a guess where it is known at run time only
  int64_t first, last;
};

struct MemoryPlan {
  /// Offset of each buffer if the sizes are as given; 64-byte aligned.
  llvm::SmallVector<int64_t> offsets;
  /// Of each buffer, those that lie below it and are alive together with it:
  /// its offset is the largest of their ends, whatever the actual sizes.
  /// Those that follow from others are left out.
  llvm::SmallVector<llvm::SmallVector<unsigned>> below;
  /// The buffers by rising offset: what `below` names comes earlier.
  llvm::SmallVector<unsigned> order;
  int64_t bytes = 0;
};

constexpr int64_t bufferAlignment = 64;

/// Places the buffers: the largest first, each into the tightest gap that the
/// buffers alive together with it leave.
MemoryPlan planMemory(llvm::ArrayRef<PlannedBuffer> buffers);

} // namespace onnxc

#endif // ONNXC_COMPILER_LAYOUT_MEMORYPLAN_H
