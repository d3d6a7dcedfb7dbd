//===- Expand.cpp - Operators replaced by their definition ----------------===//
//
// The standard defines many operators by others (Gelu by Erf and arithmetic).
// One that the compiler does not keep gives way to its definition's nodes,
// which take its name, so that errors still name the model's node.
//
//===----------------------------------------------------------------------===//

#include "compiler/import/Prepare.h"
#include "compiler/import/ValueTypes.h"

#include "llvm/ADT/StringMap.h"

#include "onnx/defs/function.h"
#include "onnx/defs/schema.h"
#include "onnx/shape_inference/attribute_binder.h"

using onnx::FunctionProto;
using onnx::GraphProto;
using onnx::NodeProto;
using onnx::OpSchema;
using onnx::TypeProto;
using onnxc::ValueTypes;

namespace {

class Expander {
public:
  Expander(const onnxc::Opsets &opsets,
           const std::function<bool(llvm::StringRef)> &keeps,
           std::string prefix)
      : opsets(opsets), keeps(keeps), prefix(std::move(prefix)) {}

  /// Replaces nodes of `graph` and of the graphs in it, not those of the
  /// definitions put in. Returns whether there were any.
  bool expand(GraphProto &graph, const ValueTypes *parent = nullptr);

private:
  using Names = llvm::StringMap<std::string>;

  std::optional<FunctionProto> definition(const NodeProto &node,
                                          const ValueTypes &types) const;
  void rename(NodeProto &node, const Names &names);
  void rename(GraphProto &graph, Names names);
  std::string unique(const std::string &name) const {
    return prefix + std::to_string(count) + "." + name;
  }

  const onnxc::Opsets &opsets;
  const std::function<bool(llvm::StringRef)> &keeps;
  std::string prefix;
  int count = 0;
};

} // namespace

/// The function that defines `call`'s operator, nullopt if there is none (or
/// none for its types).
std::optional<FunctionProto>
Expander::definition(const NodeProto &call, const ValueTypes &types) const {
  int opset = static_cast<int>(opsets.at(call.domain()));
  const OpSchema *schema =
      onnx::OpSchemaRegistry::Schema(call.op_type(), opset, call.domain());
  if (!schema)
    return std::nullopt;
  NodeProto node = call;
  for (const auto &entry : schema->attributes()) {
    bool isGiven = llvm::any_of(node.attribute(), [&](const auto &given) {
      return given.name() == entry.first;
    });
    if (!isGiven && entry.second.default_value.has_type())
      *node.add_attribute() = entry.second.default_value;
  }
  FunctionProto function;
  if (schema->HasFunction()) {
    const FunctionProto *found = schema->GetFunction(opset);
    if (!found)
      return std::nullopt;
    function = *found;
  } else if (schema->HasContextDependentFunction()) {
    std::vector<TypeProto> inputTypes;
    for (const std::string &input : node.input()) {
      const TypeProto *type = types.lookup(input);
      if (!type && !input.empty())
        return std::nullopt;
      inputTypes.push_back(type ? *type : TypeProto());
    }
    onnx::FunctionBodyBuildContextImpl context(node, inputTypes);
    if (!schema->BuildContextDependentFunction(context, function, opset))
      return std::nullopt;
  } else {
    return std::nullopt;
  }
  if (function.input_size() < node.input_size() ||
      function.output_size() < node.output_size())
    return std::nullopt;
  onnx::internal::AttributeBinder::BindAttributes(node, function);
  return function;
}

void Expander::rename(NodeProto &node, const Names &names) {
  for (auto *values : {node.mutable_input(), node.mutable_output()})
    for (std::string &value : *values)
      if (auto found = names.find(value); found != names.end())
        value = found->second;
  for (onnx::AttributeProto &attribute : *node.mutable_attribute())
    if (attribute.has_g())
      rename(*attribute.mutable_g(), names);
}

void Expander::rename(GraphProto &graph, Names names) {
  auto define = [&](const std::string &name) {
    if (!name.empty())
      names[name] = unique(name);
  };
  for (const onnx::ValueInfoProto &input : graph.input())
    define(input.name());
  for (const onnx::TensorProto &tensor : graph.initializer())
    define(tensor.name());
  for (const NodeProto &node : graph.node())
    llvm::for_each(node.output(), define);
  auto replace = [&](std::string &name) {
    if (auto found = names.find(name); found != names.end())
      name = found->second;
  };
  for (auto *values : {graph.mutable_input(), graph.mutable_output(),
                       graph.mutable_value_info()})
    for (onnx::ValueInfoProto &value : *values)
      replace(*value.mutable_name());
  for (onnx::TensorProto &tensor : *graph.mutable_initializer())
    replace(*tensor.mutable_name());
  for (NodeProto &node : *graph.mutable_node())
    rename(node, names);
}

bool Expander::expand(GraphProto &graph, const ValueTypes *parent) {
  ValueTypes types(graph, parent);
  google::protobuf::RepeatedPtrField<NodeProto> nodes;
  nodes.Swap(graph.mutable_node());
  bool changed = false;
  for (NodeProto &node : nodes) {
    std::optional<FunctionProto> function;
    if (!keeps(onnxc::operationName(node.domain(), node.op_type())))
      function = definition(node, types);
    if (!function) {
      for (onnx::AttributeProto &attribute : *node.mutable_attribute())
        if (attribute.has_g())
          changed |= expand(*attribute.mutable_g(), &types);
      *graph.add_node() = std::move(node);
      continue;
    }
    changed = true;
    ++count;
    Names names;
    for (const NodeProto &inner : function->node())
      for (const std::string &output : inner.output())
        if (!output.empty())
          names[output] = unique(output);
    // An input that is absent is absent in the body.
    for (int i = 0; i < function->input_size(); ++i)
      names[function->input(i)] = i < node.input_size() ? node.input(i) : "";
    for (int i = 0; i < node.output_size(); ++i)
      if (!node.output(i).empty())
        names[function->output(i)] = node.output(i);
    std::string name = onnxc::displayName(node);
    for (NodeProto &inner : *function->mutable_node()) {
      rename(inner, names);
      inner.set_name(name);
      if (inner.domain() == "ai.onnx")
        inner.clear_domain();
      *graph.add_node() = std::move(inner);
    }
  }
  return changed;
}

/// Whether a name in `graph` begins with `prefix`.
static bool usesPrefix(const GraphProto &graph, llvm::StringRef prefix) {
  auto begins = [&](llvm::StringRef name) { return name.starts_with(prefix); };
  for (const auto &input : graph.input())
    if (begins(input.name()))
      return true;
  for (const auto &tensor : graph.initializer())
    if (begins(tensor.name()))
      return true;
  for (const NodeProto &node : graph.node()) {
    if (llvm::any_of(node.output(), begins))
      return true;
    for (const auto &attribute : node.attribute())
      if (attribute.has_g() && usesPrefix(attribute.g(), prefix))
        return true;
  }
  return false;
}

bool onnxc::expandOperators(GraphProto &graph, const Opsets &opsets,
                            const std::function<bool(llvm::StringRef)> &keeps) {
  std::string prefix = "expanded";
  while (usesPrefix(graph, prefix))
    prefix += "_";
  return Expander(opsets, keeps, prefix).expand(graph);
}
