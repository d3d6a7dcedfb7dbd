//===- Evaluator.cpp - Numeric evaluation of operators on constants -------===//

#include "compiler/graph/fold/Evaluator.h"

#include "llvm/ADT/APFloat.h"

#include <cstring>

using namespace mlir;
using namespace onnxc;
using namespace onnxc::fold;

std::optional<Operand> Operand::get(ElementsAttr elements) {
  std::optional<ElementBytes> data = elementBytes(elements);
  if (!data)
    return std::nullopt;
  Operand operand(std::move(*data));
  Type type = elements.getElementType();
  operand.type = type;
  operand.isSingle = type.isF32();
  operand.bits = type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 64;
  operand.isSigned = operand.bits > 1 && !type.isUnsignedInteger();
  operand.shape.assign(elements.getShapedType().getShape().begin(),
                       elements.getShapedType().getShape().end());
  return operand;
}

bool Operand::isFloat() const {
  auto floating = dyn_cast<FloatType>(type);
  return floating && floating.getWidth() <= 64;
}

double Operand::real(int64_t index) const {
  const char *bytes = data.element(index).data();
  if (isSingle) {
    float value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  if (type.isF64()) {
    double value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  if (auto floating = dyn_cast<FloatType>(type)) {
    uint64_t raw = 0;
    std::memcpy(&raw, bytes, data.elementSize());
    APFloat value(
        floating.getFloatSemantics(),
        APInt(floating.getWidth(), raw, false, /*implicitTrunc=*/true));
    bool losesInfo;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    return value.convertToDouble();
  }
  return static_cast<double>(integer(index));
}

int64_t Operand::integer(int64_t index) const {
  uint64_t raw = 0;
  std::memcpy(&raw, data.element(index).data(), data.elementSize());
  raw <<= 64 - bits;
  return isSigned ? static_cast<int64_t>(raw) >> (64 - bits)
                  : static_cast<int64_t>(raw >> (64 - bits));
}

static int64_t countOf(ArrayRef<int64_t> dims) {
  int64_t count = 1;
  for (int64_t size : dims)
    count *= size;
  return count;
}

Result::Result(ArrayRef<int64_t> dims, Type elementType, bool splat)
    : shape(dims), type(elementType), elements(countOf(dims)),
      size(elementSize(elementType)), splat(splat && elements > 1),
      isSingle(elementType.isF32()),
      bits(elementType.isIntOrFloat() ? elementType.getIntOrFloatBitWidth()
                                      : 0) {
  data.resize(stored() * size);
}

void Result::setBytes(int64_t index, ArrayRef<char> bytes) {
  std::memcpy(data.data() + index * size, bytes.data(), size);
}

void Result::setReal(int64_t index, double value) {
  char *bytes = data.data() + index * size;
  if (isSingle) {
    float narrow = static_cast<float>(value);
    std::memcpy(bytes, &narrow, sizeof narrow);
  } else if (type.isF64()) {
    std::memcpy(bytes, &value, sizeof value);
  } else {
    APFloat narrow(value);
    bool losesInfo;
    narrow.convert(cast<FloatType>(type).getFloatSemantics(),
                   APFloat::rmNearestTiesToEven, &losesInfo);
    uint64_t raw = narrow.bitcastToAPInt().getZExtValue();
    std::memcpy(bytes, &raw, size);
  }
}

void Result::setInteger(int64_t index, int64_t value) {
  if (bits == 1)
    value = value != 0;
  else if (bits < 8)
    value &= (1 << bits) - 1;
  std::memcpy(data.data() + index * size, &value, size);
}

ElementsAttr Result::take() {
  auto tensor = RankedTensorType::get(shape, type);
  if (!splat)
    return makeElements(tensor, std::move(data));
  if (type.isInteger(1))
    return DenseElementsAttr::get(tensor, data[0] != 0);
  return DenseElementsAttr::getFromRawBuffer(tensor, data);
}

Type Evaluation::resultElementType(unsigned index) const {
  return cast<TensorType>(op->getResult(index).getType()).getElementType();
}

int64_t Evaluation::integer(StringRef name, int64_t missing) const {
  auto attribute = op->getAttrOfType<IntegerAttr>(name);
  return attribute ? attribute.getValue().getSExtValue() : missing;
}

double Evaluation::real(StringRef name, double missing) const {
  auto attribute = op->getAttrOfType<FloatAttr>(name);
  return attribute ? attribute.getValueAsDouble() : missing;
}

std::optional<SmallVector<int64_t>> Evaluation::integers(StringRef name) const {
  auto attribute = op->getAttrOfType<DenseI64ArrayAttr>(name);
  if (!attribute)
    return std::nullopt;
  return SmallVector<int64_t>(attribute.asArrayRef());
}

SmallVector<int64_t> Evaluation::values(unsigned index) const {
  SmallVector<int64_t> result;
  const Operand &from = operand(index);
  for (int64_t i = 0; i < from.count(); ++i)
    result.push_back(from.integer(i));
  return result;
}

Evaluators::Evaluators() {
  addElementwise(*this);
  addDataMovement(*this);
  addReductions(*this);
}

SmallVector<int64_t> fold::strides(ArrayRef<int64_t> dims) {
  SmallVector<int64_t> result(dims.size(), 1);
  for (size_t axis = dims.size(); axis-- > 1;)
    result[axis - 1] = result[axis] * dims[axis];
  return result;
}

void fold::forEach(ArrayRef<int64_t> dims,
                   llvm::function_ref<void(ArrayRef<int64_t>, int64_t)> visit) {
  int64_t count = countOf(dims);
  SmallVector<int64_t> position(dims.size(), 0);
  for (int64_t index = 0; index < count; ++index) {
    visit(position, index);
    for (size_t axis = dims.size(); axis-- > 0;) {
      if (++position[axis] < dims[axis])
        break;
      position[axis] = 0;
    }
  }
}

int64_t fold::broadcastIndex(const Operand &operand,
                             ArrayRef<int64_t> position) {
  int64_t index = 0;
  size_t skipped = position.size() - operand.rank();
  for (auto [axis, size] : llvm::enumerate(operand.dims()))
    index = index * size + (size == 1 ? 0 : position[axis + skipped]);
  return index;
}
