//===- Node.cpp - An ONNX node on its way to an operation -----------------===//

#include "compiler/import/Node.h"
#include "dialects/onnx/Elements.h"

#include <cstring>

using namespace mlir;

InFlightDiagnostic onnxc::Node::error() const {
  InFlightDiagnostic error = emitError(location);
  error << "node '" << name << "' (" << opType << ", opset " << opset << "): ";
  return error;
}

void onnxc::Node::setOperand(size_t index, Value value) {
  if (operands.size() <= index)
    operands.resize(index + 1);
  operands[index] = value;
}

int64_t onnxc::Node::integer(StringRef attribute, int64_t otherwise) const {
  auto value = dyn_cast_or_null<IntegerAttr>(attributes.get(attribute));
  return value ? value.getInt() : otherwise;
}

float onnxc::Node::real(StringRef attribute, float otherwise) const {
  auto value = dyn_cast_or_null<FloatAttr>(attributes.get(attribute));
  return value ? value.getValue().convertToFloat() : otherwise;
}

StringRef onnxc::Node::string(StringRef attribute, StringRef otherwise) const {
  auto value = dyn_cast_or_null<StringAttr>(attributes.get(attribute));
  return value ? value.getValue() : otherwise;
}

std::optional<ArrayRef<int64_t>>
onnxc::Node::integers(StringRef attribute) const {
  auto value = dyn_cast_or_null<DenseI64ArrayAttr>(attributes.get(attribute));
  if (!value)
    return std::nullopt;
  return value.asArrayRef();
}

std::optional<ArrayRef<float>> onnxc::Node::reals(StringRef attribute) const {
  auto value = dyn_cast_or_null<DenseF32ArrayAttr>(attributes.get(attribute));
  if (!value)
    return std::nullopt;
  return value.asArrayRef();
}

void onnxc::Node::set(StringRef attribute, int64_t value) {
  attributes.set(attribute, builder.getI64IntegerAttr(value));
}

void onnxc::Node::set(StringRef attribute, StringRef value) {
  attributes.set(attribute, builder.getStringAttr(value));
}

Value onnxc::Node::constant(ElementsAttr value) {
  return emit("onnx.Constant",
              RankedTensorType::get(value.getShapedType().getShape(),
                                    value.getElementType()),
              {}, builder.getNamedAttr("value", value));
}

Value onnxc::Node::constant(ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get(static_cast<int64_t>(values.size()),
                                    builder.getI64Type());
  return constant(makeElements(
      type, std::vector<char>(reinterpret_cast<const char *>(values.begin()),
                              reinterpret_cast<const char *>(values.end()))));
}

Value onnxc::Node::constant(ArrayRef<float> values) {
  auto type = RankedTensorType::get(static_cast<int64_t>(values.size()),
                                    builder.getF32Type());
  return constant(makeElements(
      type, std::vector<char>(reinterpret_cast<const char *>(values.begin()),
                              reinterpret_cast<const char *>(values.end()))));
}

Value onnxc::Node::scalar(Type element, double value) {
  auto type = RankedTensorType::get({}, element);
  if (isa<FloatType>(element))
    return constant(cast<ElementsAttr>(
        DenseElementsAttr::get(type, builder.getFloatAttr(element, value))));
  return constant(cast<ElementsAttr>(DenseElementsAttr::get(
      type, IntegerAttr::get(element, static_cast<int64_t>(value)))));
}

Value onnxc::Node::emit(StringRef operation, Type resultType,
                        ArrayRef<Value> operands,
                        ArrayRef<NamedAttribute> attributes) {
  return createOperation(builder, location, operation, operands, attributes,
                         resultType)
      ->getResult(0);
}

Operation *onnxc::createOperation(OpBuilder &builder, Location location,
                                  StringRef name, ArrayRef<Value> operands,
                                  ArrayRef<NamedAttribute> attributes,
                                  ArrayRef<Type> resultTypes,
                                  unsigned regions) {
  OperationState state(location, name);
  Value none;
  for (Value operand : operands) {
    if (!operand) {
      if (!none) {
        OperationState noneState(location, "onnx.None");
        noneState.addTypes(builder.getNoneType());
        none = builder.create(noneState)->getResult(0);
      }
      operand = none;
    }
    state.addOperands(operand);
  }
  for (Type type : resultTypes)
    state.addTypes(type ? type : builder.getNoneType());
  state.addAttributes(attributes);
  for (unsigned i = 0; i < regions; ++i)
    state.addRegion();
  return builder.create(state);
}

const onnx::OpSchema *onnxc::newestSchema(const std::string &opType,
                                          const std::string &domain) {
  const onnx::OpSchema *schema = onnx::OpSchemaRegistry::Schema(opType, domain);
  while (schema && schema->Deprecated())
    schema = onnx::OpSchemaRegistry::Schema(opType, schema->SinceVersion() - 1,
                                            domain);
  return schema;
}
