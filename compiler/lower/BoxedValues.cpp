//===- BoxedValues.cpp - Sequences, optionals and maps --------------------===//

#include "compiler/lower/BoxedValues.h"
#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/NarrowTypes.h"
#include "compiler/lower/Scalars.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/ElementTypes.h"
#include "dialects/onnx/OnnxDialect.h"
#include "runtime/include/onnxc/model_abi.h"

using namespace mlir;
using namespace onnxc;

bool onnxc::isBoxed(Type type) {
  return isa<op::SequenceType, op::OptionalType, op::MapType,
             UnrankedTensorType>(type);
}

bool onnxc::holdAlike(Type a, Type b) {
  if (auto tensor = dyn_cast<TensorType>(a)) {
    auto other = dyn_cast<TensorType>(b);
    return other && tensor.getElementType() == other.getElementType();
  }
  if (auto sequence = dyn_cast<op::SequenceType>(a)) {
    auto other = dyn_cast<op::SequenceType>(b);
    return other && holdAlike(sequence.getElement(), other.getElement());
  }
  if (auto optional = dyn_cast<op::OptionalType>(a)) {
    auto other = dyn_cast<op::OptionalType>(b);
    return other && holdAlike(optional.getElement(), other.getElement());
  }
  auto map = dyn_cast<op::MapType>(a), other = dyn_cast<op::MapType>(b);
  return map && other && map.getKey() == other.getKey() &&
         holdAlike(map.getValue(), other.getValue());
}

LogicalResult onnxc::canHold(Lowering &l, Type boxed, Value value) {
  Type held;
  if (auto sequence = dyn_cast<op::SequenceType>(boxed))
    held = sequence.getElement();
  if (auto optional = dyn_cast<op::OptionalType>(boxed))
    held = optional.getElement();
  if (held && holdAlike(held, value.getType()))
    return success();
  std::string text;
  llvm::raw_string_ostream(text)
      << boxed << " does not hold values of type " << value.getType();
  return l.refuse(text);
}

Value onnxc::boxTensor(Lowering &l, Value tensor, Type onnxElement) {
  auto box = [&](Value what, int32_t number) -> Value {
    return kernel::BoxOp::create(l.b, l.loc, l.b.getIndexType(), what, number);
  };
  if (!packedBits(onnxElement))
    return box(tensor, dataType(onnxElement));
  // As bytes, which are then shown as the elements that share them.
  Scalars s{l.b, l.loc};
  SmallVector<Value> dims;
  for (OpFoldResult dim : l.sizes(tensor))
    dims.push_back(s.fromIndex(l.index(dim), l.b.getI64Type()));
  auto type = RankedTensorType::get({static_cast<int64_t>(dims.size())},
                                    l.b.getI64Type());
  Value shape = tensor::FromElementsOp::create(l.b, l.loc, type, dims);
  return makeValue(l, "shaped",
                   {box(packedBytes(l, tensor, onnxElement), ONNXC_UINT8),
                    box(shape, ONNXC_INT64),
                    l.index(int64_t(dataType(onnxElement)))});
}

Value onnxc::asBoxed(Lowering &l, Value onnx) {
  return isBoxed(onnx.getType())
             ? l.value(onnx)
             : boxTensor(l, l.value(onnx), l.elementType(onnx));
}

Value onnxc::anyElements(Lowering &l, Value onnx) {
  Value value = l.value(onnx);
  if (!isBoxed(onnx.getType()))
    return value;
  Type element = l.elementType(onnx);
  auto type = RankedTensorType::get({ShapedType::kDynamic}, signless(element));
  Value count =
      readValue(l, "extent", {value, l.index(0), readValue(l, "rank", value)});
  return unboxedElements(l, value, type, count, element);
}

Value onnxc::unboxedElements(Lowering &l, Value boxed, RankedTensorType type,
                             ValueRange sizes, Type onnxElement) {
  Value tensor = kernel::UnboxOp::create(l.b, l.loc, type, boxed, sizes);
  return packedBits(onnxElement) ? unpackElements(l, tensor, onnxElement)
                                 : tensor;
}

Value onnxc::makeValue(Lowering &l, StringRef kind, ValueRange operands,
                       StringRef text) {
  return kernel::MakeValueOp::create(
      l.b, l.loc, l.b.getIndexType(), l.b.getStringAttr(kind), operands,
      text.empty() ? StringAttr() : l.b.getStringAttr(text));
}

Value onnxc::readValue(Lowering &l, StringRef fact, ValueRange operands) {
  return kernel::ReadValueOp::create(l.b, l.loc, l.b.getIndexType(), fact,
                                     operands);
}

Value onnxc::appended(Lowering &l, Value sequence, Value element) {
  return makeValue(l, "insert",
                   {sequence, element, readValue(l, "length", sequence)});
}

Value onnxc::unboxTensor(Lowering &l, Value boxed, Value onnx, StringRef what) {
  RankedTensorType type = loweredType(l, onnx);
  Value rank = readValue(l, "rank", boxed);
  l.requireEqual(getAsOpFoldResult(rank), l.attr(type.getRank()),
                 "the rank of " + what);
  SmallVector<Value> sizes;
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    Value size = readValue(l, "dim", {boxed, l.index(axis)});
    if (type.isDynamicDim(axis))
      sizes.push_back(size);
    else
      l.requireEqual(getAsOpFoldResult(size), l.attr(type.getDimSize(axis)),
                     "dim " + Twine(axis) + " of " + what);
  }
  return unboxedElements(l, boxed, type, sizes, l.elementType(onnx));
}
