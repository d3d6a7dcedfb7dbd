//===- Inputs.h - Inputs from files, or random -*- C++ -*-===//
#ifndef ONNXC_TOOLS_ONNX_RUN_INPUTS_H
#define ONNXC_TOOLS_ONNX_RUN_INPUTS_H

#include "onnxc/onnxc.hpp"

namespace onnxc::run {

struct Inputs {
  std::vector<std::string> names;
  std::vector<Value> values;
  std::vector<bool> random; ///< Whether the value was made up.
};

/// A value for each input of the model that has no default. `files` are
/// NAME=FILE.npy, `shapes` NAME=1x3x224x224. A dim that nothing says is 1; dims
/// of one name are equal. Throws std::runtime_error.
Inputs makeInputs(const Session &session, const std::vector<std::string> &files,
                  const std::vector<std::string> &shapes, uint64_t seed);

/// "[1,3,224,224]"
std::string shapeText(const std::vector<int64_t> &shape);

} // namespace onnxc::run

#endif // ONNXC_TOOLS_ONNX_RUN_INPUTS_H
