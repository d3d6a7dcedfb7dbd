//===- Npy.h - Tensors in NumPy's file format -*- C++ -*-===//
#ifndef ONNXC_TOOLS_ONNX_RUN_NPY_H
#define ONNXC_TOOLS_ONNX_RUN_NPY_H

#include "onnxc/onnxc.hpp"

#include <string>

namespace onnxc::run {

/// Reads a C-ordered, little-endian array of a type that ONNX has. An array of
/// the bytes of a type that NumPy lacks (bfloat16, ...) is uint16 or uint8;
/// `expected` tells what it means. Throws std::runtime_error.
Value readNpy(const std::string &path, onnxc_elem_type expected);

/// Types that NumPy lacks are written as the unsigned type of their size.
void writeNpy(const std::string &path, const Value &value);

} // namespace onnxc::run

#endif // ONNXC_TOOLS_ONNX_RUN_NPY_H
