//===- ValueTypes.h - What a graph says of its values' types ----*- C++ -*-===//
#ifndef ONNXC_COMPILER_IMPORT_VALUETYPES_H
#define ONNXC_COMPILER_IMPORT_VALUETYPES_H

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include "onnx/onnx_pb.h"

namespace onnxc {

/// The types of the values that a graph's nodes can name.
struct ValueTypes {
  ValueTypes(const onnx::GraphProto &graph, const ValueTypes *parent)
      : parent(parent) {
    for (const auto *values :
         {&graph.input(), &graph.value_info(), &graph.output()})
      for (const onnx::ValueInfoProto &value : *values)
        own[value.name()] = value.type();
    // One that is an input, too, is but the input's default.
    for (const onnx::TensorProto &tensor : graph.initializer())
      constants.insert(tensor.name());
    for (const onnx::ValueInfoProto &input : graph.input())
      constants.erase(input.name());
    for (const onnx::NodeProto &node : graph.node())
      if (node.op_type() == "Constant" && node.output_size() == 1)
        constants.insert(node.output(0));
    for (const onnx::TensorProto &tensor : graph.initializer()) {
      auto &type = *own[tensor.name()].mutable_tensor_type();
      type.set_elem_type(tensor.data_type());
      type.mutable_shape()->clear_dim();
      for (int64_t dim : tensor.dims())
        type.mutable_shape()->add_dim()->set_dim_value(dim);
    }
  }

  /// Null where nothing is said.
  const onnx::TypeProto *lookup(llvm::StringRef name) const {
    for (const ValueTypes *types = this; types; types = types->parent)
      if (auto found = types->own.find(name); found != types->own.end())
        return &found->second;
    return nullptr;
  }

  /// Whether a value is an initializer or a Constant.
  bool isConstant(llvm::StringRef name) const {
    for (const ValueTypes *types = this; types; types = types->parent)
      if (types->constants.contains(name) || types->own.contains(name))
        return types->constants.contains(name);
    return false;
  }

  llvm::StringMap<onnx::TypeProto> own;
  llvm::StringSet<> constants;
  const ValueTypes *parent;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_VALUETYPES_H
