//===- Memory.cpp - Workspaces and tensors -===//
#include "Memory.h"

#include "ElemType.h"
#include "Status.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace onnxc::runtime {

static size_t roundUp(size_t bytes, size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

AlignedMemory allocateAligned(size_t bytes) {
  void *memory = nullptr;
  if (posix_memalign(&memory, memoryAlignment, std::max<size_t>(bytes, 1)))
    return nullptr;
  return AlignedMemory(memory);
}

Tensor allocateTensor(const onnxc_value &view, size_t bytes) {
  constexpr size_t header =
      (sizeof(onnxc_tensor) + memoryAlignment - 1) & ~(memoryAlignment - 1);
  if (bytes > SIZE_MAX - header)
    return nullptr;
  AlignedMemory block = allocateAligned(header + bytes);
  if (!block)
    return nullptr;
  char *data = static_cast<char *>(block.get()) + header;
  auto *tensor = new (block.release()) onnxc_tensor{view, bytes};
  tensor->view.data = data;
  tensor->view.bytes = bytes;
  return Tensor(tensor);
}

void *Workspace::reserve(size_t wanted) {
  if (memory && wanted <= bytes)
    return memory;
  release();
  // Large pages save address translations, which a large workspace is full of.
  constexpr size_t largePage = size_t(2) << 20;
  if (wanted >= 2 * largePage && wanted <= SIZE_MAX / 2) {
    size_t size = roundUp(wanted, largePage) + largePage;
    void *map = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
      return nullptr;
    mapping = map;
    mappingBytes = size;
    memory = reinterpret_cast<void *>(
        roundUp(reinterpret_cast<uintptr_t>(map), largePage));
    bytes = size - largePage;
    madvise(memory, bytes, MADV_HUGEPAGE); // a wish; refusal is no error
    return memory;
  }
  memory = allocateAligned(wanted).release();
  bytes = memory ? wanted : 0;
  return memory;
}

void Workspace::release() {
  if (mapping)
    munmap(mapping, mappingBytes);
  else
    std::free(memory);
  memory = mapping = nullptr;
  bytes = mappingBytes = 0;
}

/// Checks what describes a tensor and fills in the view. One of strings has
/// elements that point elsewhere, which only the caller can give.
static Status describe(int32_t elemType, const int64_t *dims, size_t rank,
                       bool stringsToo, onnxc_value &view, size_t &bytes) {
  if (rank > ONNXC_MAX_RANK)
    return invalidArgument("a tensor of rank " + std::to_string(rank) +
                           ": at most " + std::to_string(ONNXC_MAX_RANK) +
                           " is possible");
  if (rank && !dims)
    return invalidArgument("dims is NULL");
  if (elemTypeBits(elemType) == 0 || (elemType == ONNXC_STRING && !stringsToo))
    return invalidArgument("element type " + std::to_string(elemType) + " (" +
                           elemTypeName(elemType) +
                           ") cannot be held by a tensor");
  std::optional<size_t> size = tensorBytes(elemType, dims, rank);
  if (!size)
    return invalidArgument("no tensor can have the shape " +
                           shapeString(dims, static_cast<int64_t>(rank)));
  view.kind = ONNXC_KIND_TENSOR;
  view.elem_type = elemType;
  view.rank = static_cast<int64_t>(rank);
  if (rank)
    std::memcpy(view.dims, dims, rank * sizeof *dims);
  bytes = *size;
  return nullptr;
}

} // namespace onnxc::runtime

using namespace onnxc::runtime;

onnxc_status *onnxc_tensor_create(int32_t elemType, const int64_t *dims,
                                  size_t rank, onnxc_tensor **tensor) {
  try {
    if (!tensor)
      return invalidArgument("tensor is NULL").release();
    *tensor = nullptr;
    onnxc_value view = {};
    size_t bytes = 0;
    if (Status status =
            describe(elemType, dims, rank, /*stringsToo=*/false, view, bytes))
      return status.release();
    *tensor = allocateTensor(view, bytes).release();
    return *tensor ? nullptr : outOfMemory().release();
  } catch (const std::bad_alloc &) {
    return outOfMemory().release();
  }
}

onnxc_status *onnxc_tensor_wrap(int32_t elemType, const int64_t *dims,
                                size_t rank, void *data, size_t bytes,
                                onnxc_tensor **tensor) {
  try {
    if (!tensor)
      return invalidArgument("tensor is NULL").release();
    *tensor = nullptr;
    onnxc_value view = {};
    size_t needed = 0;
    if (Status status =
            describe(elemType, dims, rank, /*stringsToo=*/true, view, needed))
      return status.release();
    if (needed > bytes || (bytes && !data))
      return invalidArgument("a tensor of shape " +
                             shapeString(view.dims, view.rank) + " needs " +
                             std::to_string(needed) + " bytes, got " +
                             (data ? std::to_string(bytes) : "NULL"))
          .release();
    Tensor result = allocateTensor(view, 0);
    if (!result)
      return outOfMemory().release();
    result->view.data = data;
    result->view.bytes = needed;
    result->capacity = bytes;
    *tensor = result.release();
    return nullptr;
  } catch (const std::bad_alloc &) {
    return outOfMemory().release();
  }
}

void onnxc_tensor_release(onnxc_tensor *tensor) { std::free(tensor); }

const onnxc_value *onnxc_tensor_view(const onnxc_tensor *tensor) {
  return tensor ? &tensor->view : nullptr;
}
