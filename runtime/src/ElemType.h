//===- ElemType.h - Element types and shapes -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_SRC_ELEMTYPE_H
#define ONNXC_RUNTIME_SRC_ELEMTYPE_H

#include "onnxc/model_abi.h"

#include <optional>
#include <string>

namespace onnxc::runtime {

/// Bits of one element (of a string: of its address); 0 for numbers that are no
/// type.
unsigned elemTypeBits(int32_t elemType);

const char *elemTypeName(int32_t elemType);

/// Bytes of a tensor; nothing when a dim is negative, the type has no fixed
/// size, or the size does not fit into memory.
std::optional<size_t> tensorBytes(int32_t elemType, const int64_t *dims,
                                  size_t rank);

/// "[1,3,224,224]".
std::string shapeString(const int64_t *dims, int64_t rank);

/// "[N,3,?,?]": the shape that a model states.
std::string shapeString(const onnxc_value_info &info);

/// "seq(tensor(float))": a type in ONNX's spelling.
std::string typeName(const onnxc_value_info &info);

/// "a tensor", "a sequence", ...: for messages.
const char *kindName(uint32_t kind);

} // namespace onnxc::runtime

#endif // ONNXC_RUNTIME_SRC_ELEMTYPE_H
