//===- Memory.h - Workspaces and tensors -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_SRC_MEMORY_H
#define ONNXC_RUNTIME_SRC_MEMORY_H

#include "onnxc/c_api.h"

#include <cstdlib>
#include <memory>
#include <vector>

/// A value and, when `capacity` lies behind this object, its memory: header and
/// elements are one block, so that an output costs one allocation.
struct onnxc_tensor {
  onnxc_value view;
  size_t capacity; // bytes at view.data
};

namespace onnxc::runtime {

/// Of all memory that is handed to a model.
inline constexpr size_t memoryAlignment = 64;

struct FreeDeleter {
  void operator()(void *memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<void, FreeDeleter>;

/// Never null for 0 bytes; null when there is no memory.
AlignedMemory allocateAligned(size_t bytes);

struct TensorDeleter {
  void operator()(onnxc_tensor *tensor) const { onnxc_tensor_release(tensor); }
};
using Tensor = std::unique_ptr<onnxc_tensor, TensorDeleter>;

/// A tensor with `bytes` of memory, of which `view` gives all but the data;
/// null when there is no memory.
Tensor allocateTensor(const onnxc_value &view, size_t bytes);

/// A copy of a value of any kind in one block of memory, with all that it
/// refers to; null when there is no memory.
Tensor copyValue(const onnxc_value &value);

/// Memory that a run uses and the next one uses again. Only ever grows.
class Workspace {
public:
  Workspace() = default;
  ~Workspace() { release(); }
  Workspace(const Workspace &) = delete;
  Workspace &operator=(const Workspace &) = delete;

  /// At least `bytes`, with unspecified contents; null when there is no memory.
  void *reserve(size_t bytes);

private:
  void release();

  void *memory = nullptr;
  size_t bytes = 0;
  void *mapping = nullptr; // what to unmap; null when memory came from malloc
  size_t mappingBytes = 0;
};

} // namespace onnxc::runtime

#endif // ONNXC_RUNTIME_SRC_MEMORY_H
