//===- Rewriting.cpp - What graph rewrites share --------------------------===//

#include "compiler/graph/Rewriting.h"

#include "dialects/onnx/Elements.h"

#include "mlir/IR/Iterators.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace onnxc;

bool onnxc::isOnnx(Operation *op, StringRef name) {
  StringRef full = op ? op->getName().getStringRef() : StringRef();
  return full.consume_front("onnx.") && full == name;
}

Operation *onnxc::definedBy(Value value, StringRef name) {
  Operation *op = value.getDefiningOp();
  return isOnnx(op, name) ? op : nullptr;
}

Operation *onnxc::createOnnx(OpBuilder &builder, Location location,
                             StringRef name, ValueRange operands,
                             TypeRange results,
                             ArrayRef<NamedAttribute> attributes) {
  OperationState state(location, ("onnx." + name).str());
  state.addOperands(operands);
  state.addTypes(results);
  state.addAttributes(attributes);
  return builder.create(state);
}

Value onnxc::createConstant(OpBuilder &builder, Location location,
                            ElementsAttr value) {
  auto type = RankedTensorType::get(value.getShapedType().getShape(),
                                    value.getElementType());
  return createOnnx(builder, location, "Constant", {}, type,
                    builder.getNamedAttr("value", value))
      ->getResult(0);
}

Value onnxc::createNone(OpBuilder &builder, Location location) {
  return createOnnx(builder, location, "None", {},
                    NoneType::get(builder.getContext()))
      ->getResult(0);
}

bool onnxc::hasOperand(Operation *op, unsigned index) {
  return index < op->getNumOperands() &&
         !isa<NoneType>(op->getOperand(index).getType());
}

std::optional<double> onnxc::splatFloat(Value value) {
  ElementsAttr elements = constantElements(value);
  if (!elements || !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  if (elements.getNumElements() > 64 && !elements.isSplat())
    return std::nullopt;
  std::optional<SmallVector<double>> values;
  if (elements.isSplat() && isa<DenseElementsAttr>(elements))
    return cast<DenseElementsAttr>(elements)
        .getSplatValue<APFloat>()
        .convertToDouble();
  values = floatValues(elements);
  if (!values || values->empty() || !llvm::all_equal(*values))
    return std::nullopt;
  return values->front();
}

bool onnxc::isSplatOf(Value value, double number) {
  auto splat = splatFloat(value);
  if (!splat)
    return false;
  // The number as the constant's type holds it.
  auto type = cast<FloatType>(getElementTypeOrSelf(value.getType()));
  APFloat rounded(number);
  bool losesInfo;
  rounded.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
  double expected = rounded.convertToDouble();
  return std::abs(*splat - expected) <= 1e-6 * std::abs(expected);
}

std::optional<std::vector<float>> onnxc::floatConstant(Value value) {
  ElementsAttr elements = constantElements(value);
  if (!elements || !elements.getElementType().isF32())
    return std::nullopt;
  auto data = elementBytes(elements);
  if (!data)
    return std::nullopt;
  std::vector<float> result(data->count());
  if (data->isSplat()) {
    float splat;
    std::memcpy(&splat, data->bytes().data(), sizeof splat);
    std::fill(result.begin(), result.end(), splat);
  } else if (!result.empty()) {
    std::memcpy(result.data(), data->bytes().data(),
                result.size() * sizeof(float));
  }
  return result;
}

ElementsAttr onnxc::floatElements(MLIRContext *context, ArrayRef<int64_t> dims,
                                  std::vector<float> values) {
  std::vector<char> bytes(values.size() * sizeof(float));
  if (!values.empty())
    std::memcpy(bytes.data(), values.data(), bytes.size());
  return makeElements(RankedTensorType::get(dims, Float32Type::get(context)),
                      std::move(bytes));
}

std::optional<SmallVector<int64_t>> onnxc::integerConstant(Value value) {
  ElementsAttr elements = constantElements(value);
  return elements ? integerValues(elements) : std::nullopt;
}

void onnxc::eraseDead(func::FuncOp function) {
  // Users before what they use.
  function.walk<WalkOrder::PostOrder, ReverseIterator>([](Operation *op) {
    if (isOpTriviallyDead(op))
      op->erase();
  });
}

void onnxc::updateFunctionType(func::FuncOp function) {
  Operation *end = function.getBody().front().getTerminator();
  function.setFunctionType(
      FunctionType::get(function.getContext(), function.getArgumentTypes(),
                        llvm::to_vector(end->getOperandTypes())));
}
