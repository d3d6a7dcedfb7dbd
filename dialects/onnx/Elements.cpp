//===- Elements.cpp - The bytes of constant tensors -----------------------===//

#include "dialects/onnx/Elements.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Operation.h"

#include <cstring>

using namespace mlir;

/// Constants up to this many bytes are `dense`.
static constexpr int64_t maxDenseBytes = 1024;

int64_t onnxc::elementSize(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * elementSize(complex.getElementType());
  if (type.isIndex())
    return 8;
  if (!type.isIntOrFloat())
    return 0;
  return (type.getIntOrFloatBitWidth() + 7) / 8;
}

std::vector<char> onnxc::ElementBytes::expanded() const {
  if (!splat)
    return bytes().vec();
  std::vector<char> result(elements * size);
  for (int64_t i = 0; i < elements; ++i)
    std::memcpy(result.data() + i * size, bytes().data(), size);
  return result;
}

std::optional<onnxc::ElementBytes> onnxc::elementBytes(ElementsAttr elements) {
  ElementBytes result;
  result.size = elementSize(elements.getElementType());
  result.elements = elements.getNumElements();
  if (!result.size)
    return std::nullopt;
  if (!result.elements)
    return result;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || static_cast<int64_t>(blob->getData().size()) !=
                     result.elements * result.size)
      return std::nullopt;
    result.referenced = blob->getData();
    return result;
  }
  auto dense = dyn_cast<DenseIntOrFPElementsAttr>(elements);
  if (!dense)
    return std::nullopt;
  result.splat = dense.isSplat();
  if (elements.getElementType().isInteger(1)) {
    // MLIR's own storage of booleans is not ours.
    if (result.splat)
      result.owned.push_back(dense.getSplatValue<bool>());
    else
      for (bool value : dense.getValues<bool>())
        result.owned.push_back(value);
    return result;
  }
  result.referenced = dense.getRawData();
  return result;
}

std::optional<SmallVector<int64_t>>
onnxc::integerValues(ElementsAttr elements) {
  Type type = elements.getElementType();
  if (!type.isIntOrIndex())
    return std::nullopt;
  std::optional<ElementBytes> bytes = elementBytes(elements);
  if (!bytes || bytes->elementSize() > 8)
    return std::nullopt;
  unsigned bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  bool isSigned = bits > 1 && !type.isUnsignedInteger();
  SmallVector<int64_t> result;
  result.reserve(bytes->count());
  for (int64_t i = 0; i < bytes->count(); ++i) {
    uint64_t raw = 0;
    std::memcpy(&raw, bytes->element(i).data(), bytes->elementSize());
    raw <<= 64 - bits;
    result.push_back(isSigned ? static_cast<int64_t>(raw) >> (64 - bits)
                              : static_cast<int64_t>(raw >> (64 - bits)));
  }
  return result;
}

std::optional<SmallVector<double>> onnxc::floatValues(ElementsAttr elements) {
  auto type = dyn_cast<FloatType>(elements.getElementType());
  std::optional<ElementBytes> bytes;
  if (type && type.getWidth() <= 64)
    bytes = elementBytes(elements);
  if (!bytes)
    return std::nullopt;
  SmallVector<double> result;
  result.reserve(bytes->count());
  for (int64_t i = 0; i < bytes->count(); ++i) {
    uint64_t raw = 0;
    std::memcpy(&raw, bytes->element(i).data(), bytes->elementSize());
    APFloat value(type.getFloatSemantics(),
                  APInt(type.getWidth(), raw, false, true));
    bool losesInfo;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    result.push_back(value.convertToDouble());
  }
  return result;
}

/// The `dense` form, or null where the bytes belong into a resource.
static ElementsAttr makeDense(ShapedType type, ArrayRef<char> bytes) {
  int64_t size = onnxc::elementSize(type.getElementType());
  assert(static_cast<int64_t>(bytes.size()) == type.getNumElements() * size);
  // All elements equal: each byte equals the one an element before it.
  bool splat =
      static_cast<int64_t>(bytes.size()) > size &&
      !std::memcmp(bytes.data(), bytes.data() + size, bytes.size() - size);
  if (!splat && static_cast<int64_t>(bytes.size()) > maxDenseBytes)
    return nullptr;
  if (splat)
    bytes = bytes.take_front(size);
  if (type.getElementType().isInteger(1)) {
    SmallVector<bool> values(bytes.begin(), bytes.end());
    return DenseElementsAttr::get(type, ArrayRef<bool>(values));
  }
  return DenseElementsAttr::getFromRawBuffer(type, bytes);
}

ElementsAttr onnxc::makeElements(ShapedType type, ArrayRef<char> bytes) {
  if (ElementsAttr dense = makeDense(type, bytes))
    return dense;
  return DenseResourceElementsAttr::get(
      type, "weight",
      UnmanagedAsmResourceBlob::allocateWithAlign(bytes, /*align=*/1));
}

ElementsAttr onnxc::makeElements(ShapedType type, std::vector<char> &&bytes) {
  if (ElementsAttr dense = makeDense(type, bytes))
    return dense;
  auto *owned = new std::vector<char>(std::move(bytes));
  return DenseResourceElementsAttr::get(
      type, "weight",
      AsmResourceBlob(
          *owned, /*dataAlignment=*/1,
          [owned](void *, size_t, size_t) { delete owned; },
          /*dataIsMutable=*/false));
}

ElementsAttr onnxc::constantElements(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getName().getStringRef() != "onnx.Constant")
    return nullptr;
  return op->getAttrOfType<ElementsAttr>("value");
}
