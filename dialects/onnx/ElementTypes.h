//===- ElementTypes.h - ONNX's numbers of element types ---------*- C++ -*-===//
#ifndef ONNXC_DIALECTS_ONNX_ELEMENTTYPES_H
#define ONNXC_DIALECTS_ONNX_ELEMENTTYPES_H

#include "mlir/IR/Types.h"

#include <cstdint>

namespace onnxc {

/// The `TensorProto::DataType` (and onnxc_elem_type) of an element type, 0 for
/// one that ONNX lacks. Signless integers count as signed, i1 as bool.
int32_t dataType(mlir::Type type);

} // namespace onnxc

#endif // ONNXC_DIALECTS_ONNX_ELEMENTTYPES_H
