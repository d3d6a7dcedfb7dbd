//===- InputShapes.cpp - The dims of a model's inputs ---------------------===//

#include "compiler/import/Prepare.h"

#include "mlir/IR/Diagnostics.h"

#include "onnx/onnx_pb.h"

using namespace mlir;
using onnx::TensorShapeProto;

/// Drops names and values that say nothing: '?', the empty name, a negative
/// value.
static void dropMeaningless(onnx::TypeProto &type) {
  if (!type.has_tensor_type() || !type.tensor_type().has_shape())
    return;
  for (TensorShapeProto::Dimension &dim :
       *type.mutable_tensor_type()->mutable_shape()->mutable_dim())
    if ((dim.has_dim_param() &&
         (dim.dim_param().empty() || dim.dim_param() == "?")) ||
        (dim.has_dim_value() && dim.dim_value() < 0))
      dim.clear_value();
}

static void dropMeaningless(onnx::GraphProto &graph) {
  for (onnx::ValueInfoProto &input : *graph.mutable_input())
    dropMeaningless(*input.mutable_type());
  for (onnx::NodeProto &node : *graph.mutable_node())
    for (onnx::AttributeProto &attribute : *node.mutable_attribute())
      if (attribute.has_g())
        dropMeaningless(*attribute.mutable_g());
}

/// The error for a shape that does not fit its input.
static LogicalResult cannotBe(Location location, const std::string &name,
                              const llvm::Twine &reason) {
  return emitError(location)
         << "the shape given for input '" << onnxc::oneLine(name)
         << "' does not fit: " << reason;
}

/// Pins the dims of one input; `values` collects what symbolic dims become.
static LogicalResult pin(onnx::ValueInfoProto &input,
                         const std::vector<int64_t> &dims,
                         std::map<std::string, int64_t> &values,
                         Location location) {
  const std::string &name = input.name();
  if (!input.type().has_tensor_type())
    return cannotBe(location, name, "it is no tensor");
  auto &tensor = *input.mutable_type()->mutable_tensor_type();
  if (!tensor.has_shape())
    for (size_t i = 0; i < dims.size(); ++i)
      tensor.mutable_shape()->add_dim();
  TensorShapeProto &shape = *tensor.mutable_shape();
  if (static_cast<size_t>(shape.dim_size()) != dims.size())
    return cannotBe(location, name,
                    "the input has " + llvm::Twine(shape.dim_size()) +
                        " dims, the shape " + llvm::Twine(dims.size()));
  for (size_t i = 0; i < dims.size(); ++i) {
    TensorShapeProto::Dimension &dim = *shape.mutable_dim(static_cast<int>(i));
    if (dims[i] < -1)
      return cannotBe(location, name, "dim " + llvm::Twine(i) + " is negative");
    if (dims[i] == -1)
      continue;
    if (dim.has_dim_value() && dim.dim_value() != dims[i])
      return cannotBe(location, name,
                      "dim " + llvm::Twine(i) + " is " +
                          llvm::Twine(dim.dim_value()) + " in the model, " +
                          llvm::Twine(dims[i]) + " in the shape");
    if (dim.has_dim_param()) {
      auto [value, isNew] = values.emplace(dim.dim_param(), dims[i]);
      if (!isNew && value->second != dims[i])
        return cannotBe(location, name,
                        "the dim '" + onnxc::oneLine(dim.dim_param()) +
                            "' cannot be both " + llvm::Twine(value->second) +
                            " and " + llvm::Twine(dims[i]));
    }
    dim.set_dim_value(dims[i]);
  }
  return success();
}

LogicalResult
onnxc::setInputShapes(onnx::GraphProto &graph,
                      const std::map<std::string, std::vector<int64_t>> &shapes,
                      Location location) {
  dropMeaningless(graph);
  std::map<std::string, int64_t> values;
  for (const auto &given : shapes) {
    const std::string &name = given.first;
    auto input = llvm::find_if(*graph.mutable_input(),
                               [&](const onnx::ValueInfoProto &candidate) {
                                 return candidate.name() == name;
                               });
    if (input == graph.mutable_input()->end())
      return emitError(location)
             << "a shape is given for input '" << onnxc::oneLine(name)
             << "', which the model does not have";
    if (failed(pin(*input, given.second, values, location)))
      return failure();
  }
  // Equal names are equal dims, so the other inputs follow.
  for (onnx::ValueInfoProto &input : *graph.mutable_input()) {
    if (!input.type().has_tensor_type() ||
        !input.type().tensor_type().has_shape())
      continue;
    for (TensorShapeProto::Dimension &dim : *input.mutable_type()
                                                 ->mutable_tensor_type()
                                                 ->mutable_shape()
                                                 ->mutable_dim())
      if (dim.has_dim_param())
        if (auto value = values.find(dim.dim_param()); value != values.end())
          dim.set_dim_value(value->second);
  }
  return success();
}
