//===- GraphImporter.cpp - Graphs and nodes as operations -----------------===//

#include "compiler/import/GraphImporter.h"
#include "compiler/import/Tensors.h"
#include "compiler/import/Types.h"
#include "compiler/import/upgrade/Upgrade.h"
#include "dialects/onnx/Elements.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace onnxc;
using onnx::AttributeProto;
using onnx::NodeProto;
using onnx::OpSchema;

Value Scope::lookup(llvm::StringRef name) const {
  for (const Scope *scope = this; scope; scope = scope->parent)
    if (auto found = scope->values.find(name); found != scope->values.end())
      return found->second;
  return nullptr;
}

Location GraphImporter::location(llvm::StringRef name) {
  return NameLoc::get(StringAttr::get(context, name));
}

bool GraphImporter::fitsMemory(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return true;
  int64_t bytes = std::max<int64_t>(1, elementSize(tensor.getElementType()));
  for (int64_t dim : tensor.getShape())
    if (!ShapedType::isDynamic(dim) && dim != 0 &&
        llvm::MulOverflow(bytes, dim, bytes))
      return false;
  // What an address can reach.
  return bytes < int64_t(1) << 47;
}

Type GraphImporter::inputType(const onnx::ValueInfoProto &input) {
  Type type = valueType(input.type(), context);
  if (!type) {
    emitError(location(input.name()))
        << "input '" << oneLine(input.name())
        << "' has no type, or one that is not supported";
    return nullptr;
  }
  if (!fitsMemory(type)) {
    emitError(location(input.name())) << "input '" << oneLine(input.name())
                                      << "' has dims too large for any memory";
    return nullptr;
  }
  return type;
}

ElementsAttr GraphImporter::elements(const onnx::TensorProto &tensor,
                                     Location location) {
  llvm::Expected<ElementsAttr> elements =
      tensorElements(tensor, file.externalData(tensor), context);
  if (elements)
    return *elements;
  emitError(location) << oneLine(llvm::toString(elements.takeError()));
  return nullptr;
}

FailureOr<SmallVector<Value>>
GraphImporter::importBody(const onnx::GraphProto &graph, OpBuilder &builder,
                          Scope &scope) {
  for (const auto *infos : {&graph.value_info(), &graph.output()})
    for (const onnx::ValueInfoProto &info : *infos)
      if (Type type = valueType(info.type(), context))
        scope.types[info.name()] = type;

  for (const onnx::TensorProto &tensor : graph.initializer()) {
    // An input of the function that has this as its default.
    if (scope.values.count(tensor.name()))
      continue;
    Location initializer = location(tensor.name());
    ElementsAttr value = elements(tensor, initializer);
    if (!value)
      return failure();
    auto type = RankedTensorType::get(value.getShapedType().getShape(),
                                      value.getElementType());
    scope.values[tensor.name()] =
        createOperation(builder, initializer, "onnx.Constant", {},
                        builder.getNamedAttr("value", value), Type(type))
            ->getResult(0);
  }
  for (const NodeProto &node : graph.node())
    if (failed(importNode(node, builder, scope)))
      return failure();

  SmallVector<Value> results;
  for (const onnx::ValueInfoProto &output : graph.output()) {
    Value value = scope.lookup(output.name());
    if (!value)
      return emitError(location(output.name()))
             << "output '" << oneLine(output.name())
             << "' is not computed by any node";
    results.push_back(value);
  }
  return results;
}

/// The parameter that value `index` of a node belongs to; null when there are
/// too many values.
static const OpSchema::FormalParameter *
parameter(const std::vector<OpSchema::FormalParameter> &parameters,
          size_t index) {
  if (index < parameters.size())
    return &parameters[index];
  if (!parameters.empty() &&
      parameters.back().GetOption() == OpSchema::Variadic)
    return &parameters.back();
  return nullptr;
}

/// Whether the schema lists types for the parameter that are maps, whose
/// spelling differs.
static bool allows(const OpSchema::FormalParameter &parameter, Type type) {
  std::string name = typeName(type);
  if (llvm::StringRef(name).contains("map("))
    return true;
  return llvm::any_of(parameter.GetTypes(),
                      [&](onnx::DataType allowed) { return *allowed == name; });
}

/// Checks the operands' types against the schema, and binds its type variables.
static LogicalResult checkOperandTypes(Node &node,
                                       llvm::StringMap<Type> &variables) {
  for (auto [i, operand] : llvm::enumerate(node.operands)) {
    const auto *formal = parameter(node.schema->inputs(), i);
    if (!formal)
      return node.error() << "has more than " << node.schema->inputs().size()
                          << " inputs";
    if (!operand)
      continue;
    Type type = withoutShape(operand.getType());
    if (!allows(*formal, type))
      return node.error() << "input '" << formal->GetName()
                          << "' cannot be of type " << typeName(type);
    if (!formal->GetIsHomogeneous())
      continue;
    auto [bound, isNew] = variables.try_emplace(formal->GetTypeStr(), type);
    if (!isNew && bound->second != type)
      return node.error() << "input '" << formal->GetName() << "' is of type "
                          << typeName(type) << ", but must be of type "
                          << typeName(bound->second) << " as another input is";
  }
  return success();
}

/// The `TensorProto::DataType` that an attribute names, by its number or (Cast
/// before 6) its name; 0 for none.
static int64_t dataTypeOf(const Node &node, StringRef attribute) {
  onnx::TensorProto::DataType named = onnx::TensorProto::UNDEFINED;
  onnx::TensorProto::DataType_Parse(node.string(attribute, "").str(), &named);
  return node.integer(attribute, named);
}

LogicalResult GraphImporter::readResultTypes(Node &node, const NodeProto &proto,
                                             const Scope &scope) {
  llvm::StringMap<Type> variables;
  if (failed(checkOperandTypes(node, variables)))
    return failure();
  const auto &formals = node.schema->outputs();
  size_t count = proto.output_size();
  if (formals.empty() || formals.back().GetOption() != OpSchema::Variadic)
    count = std::max(count, formals.size());
  for (size_t i = 0; i < count; ++i) {
    const auto *formal = parameter(formals, i);
    if (!formal)
      return node.error() << "has more than " << formals.size() << " outputs";
    bool isNamed = i < static_cast<size_t>(proto.output_size()) &&
                   !proto.output(static_cast<int>(i)).empty();
    Type type;
    if (isNamed)
      type = scope.types.lookup(proto.output(static_cast<int>(i)));
    else if (formal->GetOption() == OpSchema::Optional) {
      node.resultTypes.push_back(nullptr);
      continue;
    }
    Type bound = variables.lookup(formal->GetTypeStr());
    Type named = namedType(formal->GetTypeStr(), context);
    // Inference knows the shape, the schema the element type.
    if (auto fixed = dyn_cast_or_null<TensorType>(named)) {
      auto inferred = dyn_cast_or_null<RankedTensorType>(type);
      type = inferred ? inferred.clone(fixed.getElementType()) : named;
    }
    // Where inference knows nothing, it is what the model declares.
    if (type && bound && withoutShape(type) != bound)
      return node.error() << "output '" << formal->GetName() << "' is of type "
                          << typeName(bound) << ", but declared as "
                          << typeName(withoutShape(type));
    if (!type)
      type = bound ? bound : named;
    // Cast and its like say it in an attribute.
    for (StringRef attribute : {"to", "dtype"})
      if (int64_t dataType = dataTypeOf(node, attribute);
          !type && dataType > 0 && dataType <= onnx::TensorProto::DataType_MAX)
        if (Type element = elementType(static_cast<int32_t>(dataType), context))
          type = UnrankedTensorType::get(element);
    if (!type && formal->GetTypes().size() == 1)
      type = namedType(**formal->GetTypes().begin(), context);
    if (!type)
      return node.error() << "the type of output '" << formal->GetName()
                          << "' cannot be inferred";
    if (!fitsMemory(type))
      return node.error() << "output '" << formal->GetName()
                          << "' has dims too large for any memory";
    node.resultTypes.push_back(type);
  }
  return success();
}

LogicalResult GraphImporter::readAttribute(Node &node,
                                           const AttributeProto &attribute) {
  Builder &builder = node.builder;
  Attribute value;
  switch (attribute.type()) {
  case AttributeProto::INT:
    value = builder.getI64IntegerAttr(attribute.i());
    break;
  case AttributeProto::FLOAT:
    value = builder.getF32FloatAttr(attribute.f());
    break;
  case AttributeProto::STRING:
    value = builder.getStringAttr(attribute.s());
    break;
  case AttributeProto::INTS:
    value = builder.getDenseI64ArrayAttr(
        {attribute.ints().data(), static_cast<size_t>(attribute.ints_size())});
    break;
  case AttributeProto::FLOATS:
    value = builder.getDenseF32ArrayAttr(
        {attribute.floats().data(),
         static_cast<size_t>(attribute.floats_size())});
    break;
  case AttributeProto::STRINGS: {
    SmallVector<StringRef> strings(attribute.strings().begin(),
                                   attribute.strings().end());
    value = builder.getStrArrayAttr(strings);
    break;
  }
  case AttributeProto::TENSOR:
    value = elements(attribute.t(), node.location);
    if (!value)
      return failure();
    break;
  case AttributeProto::TYPE_PROTO:
    if (Type type = valueType(attribute.tp(), context))
      value = TypeAttr::get(type);
    break;
  case AttributeProto::GRAPH: // imported as a region
    return success();
  default:
    break;
  }
  if (!value || !attribute.ref_attr_name().empty())
    return node.error() << "attribute '" << oneLine(attribute.name())
                        << "' is of a kind that is not supported";
  node.attributes.set(attribute.name(), value);
  return success();
}

LogicalResult GraphImporter::readAttributes(Node &node,
                                            const NodeProto &proto) {
  for (const AttributeProto &attribute : proto.attribute())
    if (failed(readAttribute(node, attribute)))
      return failure();
  // Before opset 6: which inputs' memory may be written.
  node.attributes.erase("consumed_inputs");
  const OpSchema *newest = newestSchema(proto.op_type(), proto.domain());
  for (const auto &[name, attribute] : node.schema->attributes()) {
    auto found = newest->attributes().find(name);
    if (found != newest->attributes().end() && !node.attributes.get(name) &&
        attribute.default_value.has_type() &&
        attribute.default_value.SerializeAsString() !=
            found->second.default_value.SerializeAsString() &&
        failed(readAttribute(node, attribute.default_value)))
      return failure();
  }
  return success();
}

LogicalResult GraphImporter::importConstant(Node &node,
                                            const NodeProto &proto) {
  const AttributeProto *attribute = nullptr;
  for (const AttributeProto &candidate : proto.attribute())
    if (llvm::StringRef(candidate.name()).starts_with("value")) {
      if (attribute)
        return node.error() << "has more than one value";
      attribute = &candidate;
    }
  if (!attribute)
    return node.error() << "has no value";
  Builder &builder = node.builder;
  ElementsAttr value;
  switch (attribute->type()) {
  case AttributeProto::TENSOR:
    value = elements(attribute->t(), node.location);
    if (!value)
      return failure();
    break;
  case AttributeProto::FLOAT:
    value = DenseElementsAttr::get(
        RankedTensorType::get({}, builder.getF32Type()), attribute->f());
    break;
  case AttributeProto::INT:
    value =
        DenseElementsAttr::get(RankedTensorType::get({}, builder.getI64Type()),
                               static_cast<int64_t>(attribute->i()));
    break;
  case AttributeProto::FLOATS:
    value = makeElements(
        RankedTensorType::get(attribute->floats_size(), builder.getF32Type()),
        ArrayRef<char>(
            reinterpret_cast<const char *>(attribute->floats().data()),
            attribute->floats_size() * sizeof(float)));
    break;
  case AttributeProto::INTS:
    value = makeElements(
        RankedTensorType::get(attribute->ints_size(), builder.getI64Type()),
        ArrayRef<char>(reinterpret_cast<const char *>(attribute->ints().data()),
                       attribute->ints_size() * sizeof(int64_t)));
    break;
  case AttributeProto::STRING:
    value = stringElements({}, StringRef(attribute->s()), context);
    break;
  case AttributeProto::STRINGS: {
    SmallVector<StringRef> strings(attribute->strings().begin(),
                                   attribute->strings().end());
    value =
        stringElements(static_cast<int64_t>(strings.size()), strings, context);
    break;
  }
  default:
    return node.error() << "attribute '" << attribute->name()
                        << "' is not supported";
  }
  node.results = {node.constant(value)};
  return success();
}

LogicalResult GraphImporter::importRegion(Node &node,
                                          const onnx::GraphProto &graph,
                                          Region &region, const Scope &scope) {
  Block &block = region.emplaceBlock();
  Scope inner;
  inner.parent = &scope;
  for (const onnx::ValueInfoProto &input : graph.input()) {
    Type type = inputType(input);
    if (!type)
      return failure();
    inner.values[input.name()] =
        block.addArgument(type, location(input.name()));
  }
  OpBuilder builder = OpBuilder::atBlockEnd(&block);
  FailureOr<SmallVector<Value>> results = importBody(graph, builder, inner);
  if (failed(results))
    return failure();
  createOperation(builder, node.location, "onnx.Return", *results, {}, {});
  return success();
}

/// Pads a list of values with absent ones to the schema's positions.
template <typename T>
static void pad(SmallVector<T> &values,
                const std::vector<OpSchema::FormalParameter> &formals) {
  size_t count = formals.size();
  if (count && formals.back().GetOption() == OpSchema::Variadic)
    --count;
  if (values.size() < count)
    values.resize(count);
}

LogicalResult GraphImporter::importNode(const NodeProto &proto,
                                        OpBuilder &builder, Scope &scope) {
  int64_t opset = opsets.at(proto.domain());
  Node node{builder,
            location(displayName(proto)),
            displayName(proto),
            proto.op_type(),
            opset,
            onnx::OpSchemaRegistry::Schema(
                proto.op_type(), static_cast<int>(opset), proto.domain()),
            /*operation=*/"",
            {},
            {},
            {},
            std::nullopt,
            std::nullopt};
  node.operation = operationName(proto.domain(), proto.op_type());
  for (const std::string &input : proto.input()) {
    Value value = input.empty() ? Value() : scope.lookup(input);
    if (!value && !input.empty())
      return node.error() << "input '" << oneLine(input)
                          << "' is not defined before it";
    node.operands.push_back(value);
  }

  const OpSchema *newest = nullptr;
  if (proto.op_type() == "Constant" && proto.domain().empty()) {
    if (failed(importConstant(node, proto)))
      return failure();
  } else if (node.operation == "onnx.preview.training.Gradient") {
    if (failed(importGradient(node, proto, scope)))
      return failure();
  } else {
    if (failed(readAttributes(node, proto)) ||
        failed(readResultTypes(node, proto, scope)))
      return failure();
    if (const Upgrade *upgrade = Upgrades::table().find(*node.schema))
      if (failed((*upgrade)(node)))
        return failure();
  }

  if (!node.results) {
    llvm::StringRef newName =
        llvm::StringRef(node.operation).rsplit('.').second;
    newest = newestSchema(newName.str(), proto.domain());
    pad(node.operands, newest->inputs());
    pad(node.resultTypes, newest->outputs());
    SmallVector<const onnx::GraphProto *> graphs;
    for (const auto &[name, attribute] : newest->attributes()) {
      if (attribute.type != AttributeProto::GRAPH)
        continue;
      graphs.push_back(nullptr);
      for (const AttributeProto &candidate : proto.attribute())
        if (candidate.name() == name && candidate.has_g())
          graphs.back() = &candidate.g();
    }
    if (node.batch) {
      if (graphs.size() != 1 || !graphs.front())
        return node.error() << "has no body";
      if (failed(importBatchedScan(node, *graphs.front(), scope)))
        return failure();
    } else {
      Operation *op =
          createOperation(builder, node.location, node.operation, node.operands,
                          node.attributes, node.resultTypes, graphs.size());
      node.results.emplace(op->result_begin(), op->result_end());
      for (auto [graph, region] : llvm::zip(graphs, op->getRegions()))
        if (graph && failed(importRegion(node, *graph, region, scope)))
          return failure();
    }
  }
  for (int i = 0; i < proto.output_size(); ++i) {
    const std::string &output = proto.output(i);
    if (output.empty())
      continue;
    Value value = i < static_cast<int>(node.results->size())
                      ? (*node.results)[i]
                      : Value();
    if (!value)
      return node.error() << "output '" << oneLine(output)
                          << "' is not supported";
    scope.values[output] = value;
  }
  return success();
}
