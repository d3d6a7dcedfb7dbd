//===- Contributed.cpp - The table, and the nodes' replacement ------------===//

#include "compiler/import/contributed/Contributed.h"

#include "mlir/IR/Diagnostics.h"

#include "onnx/defs/schema.h"
#include "onnx/defs/shape_inference.h"

using namespace mlir;
using namespace onnxc;
using onnx::AttributeProto;
using onnx::GraphProto;
using onnx::MakeAttribute;
using onnx::NodeProto;
using onnx::TensorProto;

/// The oldest opset whose operators' forms are written here.
static constexpr int64_t oldestOpset = 11;

const ContributedOperators &ContributedOperators::table() {
  static const ContributedOperators operators = [] {
    ContributedOperators result;
    addContributedActivations(result);
    addContributedAttention(result);
    addContributedGroupQueryAttention(result);
    addContributedNormalizations(result);
    addContributedProducts(result);
    addContributedQuantised(result);
    addContributedRotaryEmbedding(result);
    addContributedTensors(result);
    return result;
  }();
  return operators;
}

const ContributedOperators::Operator *
ContributedOperators::find(const NodeProto &node) const {
  bool isOwn = node.domain() == "com.microsoft" ||
               (node.domain().empty() &&
                node.op_type() == "SimplifiedLayerNormalization");
  auto found = isOwn ? entries.find(node.op_type()) : entries.end();
  return found == entries.end() ? nullptr : &found->second;
}

//===----------------------------------------------------------------------===//
// Reading the node
//===----------------------------------------------------------------------===//

const AttributeProto *Replacement::attribute(llvm::StringRef name) const {
  for (const AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}

int64_t Replacement::integer(llvm::StringRef name, int64_t otherwise) const {
  const AttributeProto *given = attribute(name);
  return given ? given->i() : otherwise;
}

float Replacement::real(llvm::StringRef name, float otherwise) const {
  const AttributeProto *given = attribute(name);
  return given ? given->f() : otherwise;
}

std::string Replacement::text(llvm::StringRef name,
                              llvm::StringRef otherwise) const {
  const AttributeProto *given = attribute(name);
  return given ? given->s() : otherwise.str();
}

std::optional<size_t> Replacement::rank(const std::string &value) {
  const onnx::TypeProto *type = types.lookup(value);
  if (type && type->tensor_type().has_shape())
    return type->tensor_type().shape().dim_size();
  waits = true;
  return std::nullopt;
}

std::optional<int32_t> Replacement::elementType(const std::string &value) {
  const onnx::TypeProto *type = types.lookup(value);
  if (type && type->tensor_type().elem_type() != TensorProto::UNDEFINED)
    return type->tensor_type().elem_type();
  waits = true;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Writing nodes
//===----------------------------------------------------------------------===//

NodeProto &Replacement::add(llvm::StringRef op) {
  NodeProto &added = nodes.emplace_back();
  added.set_op_type(op.str());
  added.set_name(displayName(node));
  return added;
}

std::string Replacement::call(llvm::StringRef op,
                              const std::vector<std::string> &inputs,
                              const Attributes &attributes) {
  NodeProto &added = add(op);
  for (const std::string &input : inputs)
    added.add_input(input);
  for (const AttributeProto &attribute : attributes)
    *added.add_attribute() = attribute;
  std::string name = fresh();
  added.add_output(name);
  return name;
}

std::string Replacement::callOwn(llvm::StringRef op,
                                 const std::vector<std::string> &inputs) {
  std::string name = call(op, inputs);
  nodes.back().set_domain("com.microsoft");
  return name;
}

void Replacement::result(int index, const std::string &value) {
  if (!wants(index))
    return;
  NodeProto &added = add("Identity");
  added.add_input(value);
  added.add_output(node.output(index));
}

static TensorProto tensorOf(TensorProto::DataType type) {
  TensorProto tensor;
  tensor.set_data_type(type);
  return tensor;
}

std::string Replacement::number(double value, const std::string &like) {
  TensorProto tensor = tensorOf(TensorProto::FLOAT);
  tensor.add_float_data(static_cast<float>(value));
  return castLike(call("Constant", {}, {MakeAttribute("value", tensor)}), like);
}

std::string Replacement::integers(llvm::ArrayRef<int64_t> values) {
  TensorProto tensor = tensorOf(TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (int64_t value : values)
    tensor.add_int64_data(value);
  return call("Constant", {}, {MakeAttribute("value", tensor)});
}

std::string Replacement::scalar(int64_t value) {
  TensorProto tensor = tensorOf(TensorProto::INT64);
  tensor.add_int64_data(value);
  return call("Constant", {}, {MakeAttribute("value", tensor)});
}

std::string Replacement::cast(const std::string &x,
                              TensorProto::DataType type) {
  return call("Cast", {x}, {MakeAttribute("to", static_cast<int64_t>(type))});
}

std::string Replacement::castLike(const std::string &x,
                                  const std::string &like) {
  // Older opsets have no CastLike, and ONNX Runtime's tools write f32 there.
  return opset >= 15 ? call("CastLike", {x, like}) : x;
}

std::string Replacement::transpose(const std::string &x,
                                   llvm::ArrayRef<int64_t> order) {
  return call("Transpose", {x}, {MakeAttribute("perm", order.vec())});
}

std::string Replacement::reshape(const std::string &x,
                                 llvm::ArrayRef<int64_t> shape) {
  return call("Reshape", {x, integers(shape)});
}

std::string Replacement::unsqueeze(const std::string &x, int64_t axis) {
  if (opset >= 13)
    return call("Unsqueeze", {x, integers(axis)});
  return call("Unsqueeze", {x},
              {MakeAttribute("axes", std::vector<int64_t>{axis})});
}

std::string Replacement::dim(const std::string &x, int64_t axis) {
  return call("Gather", {call("Shape", {x}), integers(axis)});
}

std::string Replacement::slice(const std::string &x, const std::string &begin,
                               const std::string &end, int64_t axis) {
  return call("Slice", {x, begin, end, integers(axis)});
}

std::string Replacement::mean(const std::string &x) {
  if (opset >= 18)
    return call("ReduceMean", {x, integers(-1)});
  return call("ReduceMean", {x},
              {MakeAttribute("axes", std::vector<int64_t>{-1})});
}

std::string Replacement::channelsFirst(const std::string &x, size_t rank) {
  std::vector<int64_t> order{0, static_cast<int64_t>(rank) - 1};
  for (size_t i = 1; i + 1 < rank; ++i)
    order.push_back(static_cast<int64_t>(i));
  return transpose(x, order);
}

std::string Replacement::channelsLast(const std::string &x, size_t rank) {
  std::vector<int64_t> order{0};
  for (size_t i = 2; i < rank; ++i)
    order.push_back(static_cast<int64_t>(i));
  order.push_back(1);
  return transpose(x, order);
}

std::string Replacement::loop(
    const std::string &count, const std::string &state,
    TensorProto::DataType type,
    llvm::function_ref<std::string(const std::string &, const std::string &)>
        body) {
  std::vector<NodeProto> outside = std::exchange(nodes, {});
  std::string step = fresh(), given = fresh(), before = fresh();
  std::string after = body(step, before);
  std::string goesOn = call("Identity", {given});
  GraphProto graph;
  graph.set_name(prefix + "body");
  auto declare = [&](onnx::ValueInfoProto &value, const std::string &name,
                     TensorProto::DataType type) {
    value.set_name(name);
    auto *tensor = value.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    return tensor;
  };
  declare(*graph.add_input(), step, TensorProto::INT64)->mutable_shape();
  declare(*graph.add_input(), given, TensorProto::BOOL)->mutable_shape();
  declare(*graph.add_input(), before, type);
  declare(*graph.add_output(), goesOn, TensorProto::BOOL)->mutable_shape();
  declare(*graph.add_output(), after, type);
  for (NodeProto &inner : nodes)
    *graph.add_node() = std::move(inner);
  nodes = std::move(outside);
  return call("Loop", {count, "", state}, {MakeAttribute("body", graph)});
}

Replacement::Attributes
Replacement::given(llvm::ArrayRef<llvm::StringRef> names) const {
  Attributes attributes;
  for (llvm::StringRef name : names)
    if (const AttributeProto *found = attribute(name))
      attributes.push_back(*found);
  return attributes;
}

//===----------------------------------------------------------------------===//
// The graph
//===----------------------------------------------------------------------===//

namespace {
class Replacer {
public:
  Replacer(const Opsets &opsets, MLIRContext *context)
      : opsets(opsets), context(context) {}

  /// One round over the nodes of `graph` and of the graphs in it.
  LogicalResult replace(GraphProto &graph, const ValueTypes *parent = nullptr);
  /// Says of the nodes that wait for types that these cannot be found.
  void complain(const NodeProto &node, const Twine &why);

  int replaced = 0;
  std::vector<NodeProto> waiting;

private:
  const Opsets &opsets;
  MLIRContext *context;
  int made = 0;
};
} // namespace

void Replacer::complain(const NodeProto &node, const Twine &why) {
  std::string name = displayName(node);
  emitError(NameLoc::get(StringAttr::get(context, name)))
      << "node '" << name << "' (" << oneLine(node.op_type()) << ", opset "
      << opsets.at(node.domain()) << "): " << why;
}

LogicalResult Replacer::replace(GraphProto &graph, const ValueTypes *parent) {
  ValueTypes types(graph, parent);
  google::protobuf::RepeatedPtrField<NodeProto> nodes;
  nodes.Swap(graph.mutable_node());
  LogicalResult result = success();
  auto main = opsets.find("");
  for (NodeProto &node : nodes) {
    for (AttributeProto &attribute : *node.mutable_attribute())
      if (attribute.has_g() && failed(replace(*attribute.mutable_g(), &types)))
        result = failure();
    const auto *known = ContributedOperators::table().find(node);
    if (!known || main == opsets.end() || !opsets.count(node.domain())) {
      *graph.add_node() = std::move(node);
      continue;
    }
    Replacement replacement(node, main->second, types,
                            "contributed." + std::to_string(made) + ".");
    if (main->second < oldestOpset)
      replacement.refuse("needs opset " + Twine(oldestOpset) +
                         " of ai.onnx or a later one");
    for (const AttributeProto &attribute : node.attribute())
      if (!llvm::is_contained(known->attributes, attribute.name()))
        replacement.refuse("attribute '" + oneLine(attribute.name()) +
                           "' is not supported yet");
    if (replacement.refusal().empty())
      known->function(replacement);
    if (!replacement.refusal().empty()) {
      complain(node, replacement.refusal());
      result = failure();
      continue;
    }
    if (replacement.waitsForTypes()) {
      waiting.push_back(node);
      *graph.add_node() = std::move(node);
      continue;
    }
    if (replacement.stays()) {
      *graph.add_node() = std::move(node);
      continue;
    }
    ++replaced;
    ++made;
    for (NodeProto &added : replacement.nodes)
      *graph.add_node() = std::move(added);
  }
  return result;
}

static bool usesContributed(const GraphProto &graph) {
  return llvm::any_of(graph.node(), [](const NodeProto &node) {
    return ContributedOperators::table().find(node) ||
           llvm::any_of(node.attribute(), [](const AttributeProto &attribute) {
             return attribute.has_g() && usesContributed(attribute.g());
           });
  });
}

void onnxc::registerContributedSchemas() {
  static const bool done = [] {
    using onnx::OpSchema;
    onnx::OpSchemaRegistry::DomainToVersionRange::Instance().AddDomainToVersion(
        "com.microsoft", 1, 1);
    onnx::RegisterSchema(
        OpSchema("Tokenizer", __FILE__, __LINE__)
            .SetDomain("com.microsoft")
            .SinceVersion(1)
            .Input(0, "X", "texts, [C] or [N, C]", "T")
            .Output(0, "Y", "their tokens, [..., D]", "T")
            .TypeConstraint("T", {"tensor(string)"}, "texts")
            .Attr("mark", "whether to mark the ends", AttributeProto::INT,
                  int64_t(0))
            .Attr("mincharnum", "least characters of a token",
                  AttributeProto::INT, int64_t(1))
            .Attr("pad_value", "fills up the tokens", AttributeProto::STRING,
                  /*required=*/true)
            .Attr("separators", "what is between tokens",
                  AttributeProto::STRINGS, /*required=*/false)
            .Attr("tokenexp", "what tokens match", AttributeProto::STRING,
                  /*required=*/false)
            .TypeAndShapeInferenceFunction([](onnx::InferenceContext &context) {
              onnx::propagateElemTypeFromInputToOutput(context, 0, 0);
            }));
    onnx::RegisterSchema(
        OpSchema("MatMulNBits", __FILE__, __LINE__)
            .SetDomain("com.microsoft")
            .SinceVersion(1)
            .Input(0, "A", "[..., K]", "T1")
            .Input(1, "B", "[N, blocks, bytes]", "T2")
            .Input(2, "scales", "[N, blocks]", "T1")
            .Input(3, "zero_points", "of numbers, or of floats", "T3",
                   OpSchema::Optional)
            .Input(4, "g_idx", "the blocks of k", "T4", OpSchema::Optional)
            .Input(5, "bias", "[N]", "T1", OpSchema::Optional)
            .Output(0, "Y", "[..., N]", "T1")
            .TypeConstraint(
                "T1", {"tensor(float)", "tensor(float16)", "tensor(bfloat16)"},
                "floats")
            .TypeConstraint("T2", {"tensor(uint8)"}, "packed numbers")
            .TypeConstraint("T3",
                            {"tensor(uint8)", "tensor(float)",
                             "tensor(float16)", "tensor(bfloat16)"},
                            "zero points")
            .TypeConstraint("T4", {"tensor(int32)"}, "indices")
            .Attr("K", "rows of the matrix", AttributeProto::INT)
            .Attr("N", "columns of the matrix", AttributeProto::INT)
            .Attr("accuracy_level", "how exact the product need be",
                  AttributeProto::INT, int64_t(0))
            .Attr("bits", "of a number", AttributeProto::INT, int64_t(4))
            .Attr("block_size", "numbers that share a scale",
                  AttributeProto::INT)
            .Attr("weight_prepacked", "whether B lies in another order",
                  AttributeProto::INT, int64_t(0))
            .TypeAndShapeInferenceFunction([](onnx::InferenceContext &context) {
              onnx::propagateElemTypeFromInputToOutput(context, 0, 0);
              // Nobody has checked the attributes yet.
              const AttributeProto *columns = context.getAttribute("N");
              if (!columns || !onnx::hasInputShape(context, 0))
                return;
              onnx::TensorShapeProto shape = onnx::getInputShape(context, 0);
              if (shape.dim_size() == 0)
                fail_shape_inference("A is a scalar");
              shape.mutable_dim(shape.dim_size() - 1)
                  ->set_dim_value(columns->i());
              onnx::updateOutputShape(context, 0, shape);
            }));
    onnx::RegisterSchema(
        OpSchema("AppendToCache", __FILE__, __LINE__)
            .SetDomain("com.microsoft")
            .SinceVersion(1)
            .Input(0, "past", "[B, G, P, h]", "T", OpSchema::Optional)
            .Input(1, "fresh", "[B, S, G, h]", "T")
            .Input(2, "starts", "[B]", "I")
            .Input(3, "total", "[1]", "I")
            .Output(0, "present", "[B, G, T, h]", "T")
            .TypeConstraint(
                "T", {"tensor(float)", "tensor(float16)", "tensor(bfloat16)"},
                "floats")
            .TypeConstraint("I", {"tensor(int64)"}, "indices")
            .TypeAndShapeInferenceFunction([](onnx::InferenceContext &context) {
              onnx::propagateElemTypeFromInputToOutput(context, 1, 0);
              onnx::TensorShapeProto shape;
              for (int dim : {0, 2, 1, 3}) {
                onnx::TensorShapeProto::Dimension *size = shape.add_dim();
                if (dim != 1 && onnx::hasNInputShapes(context, 2) &&
                    onnx::getInputShape(context, 1).dim_size() == 4)
                  *size = onnx::getInputShape(context, 1).dim(dim);
              }
              onnx::updateOutputShape(context, 0, shape);
            }));
    return true;
  }();
  (void)done;
}

LogicalResult onnxc::replaceContributed(onnx::ModelProto &model,
                                        const Opsets &opsets,
                                        MLIRContext *context,
                                        function_ref<void()> infer) {
  if (!usesContributed(model.graph()))
    return success();
  Replacer replacer(opsets, context);
  while (true) {
    // What the model itself claims of shapes may be wrong.
    infer();
    replacer.replaced = 0;
    replacer.waiting.clear();
    if (failed(replacer.replace(*model.mutable_graph())))
      return failure();
    if (replacer.waiting.empty())
      return success();
    if (!replacer.replaced) {
      for (const NodeProto &node : replacer.waiting)
        replacer.complain(node, "the types of its inputs are not known");
      return failure();
    }
  }
}
