//===- Tensors.cpp - TensorProto as an attribute --------------------------===//

#include "compiler/import/Tensors.h"
#include "compiler/import/Types.h"
#include "dialects/onnx/Elements.h"
#include "dialects/onnx/OnnxDialect.h"

#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace mlir;
using onnx::TensorProto;

/// Bits of an element that shares bytes with others in ONNX's storage, else 0.
static int64_t packedBits(Type element) {
  unsigned bits = element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 8;
  return bits > 1 && bits < 8 ? bits : 0;
}

/// A byte for each element, from a stream of bits. Low bits first.
static std::vector<char> unpack(ArrayRef<char> packed, int64_t count,
                                int64_t bits) {
  std::vector<char> result(count);
  for (int64_t i = 0; i < count; ++i) {
    int64_t place = i * bits, from = place / 8, shift = place % 8;
    unsigned pattern = static_cast<uint8_t>(packed[from]) >> shift;
    if (shift + bits > 8)
      pattern |= static_cast<uint8_t>(packed[from + 1]) << (8 - shift);
    result[i] = static_cast<char>(pattern & ((1u << bits) - 1));
  }
  return result;
}

/// The values of a typed field as the bytes of elements of type `Element`.
template <typename Element, typename Field>
static std::vector<char> fieldBytes(const Field &field) {
  std::vector<char> result(field.size() * sizeof(Element));
  for (int i = 0; i < field.size(); ++i) {
    Element element = static_cast<Element>(field.Get(i));
    std::memcpy(result.data() + i * sizeof(Element), &element, sizeof(Element));
  }
  return result;
}

/// The bytes that the typed field of `tensor` holds, in the form of raw data.
static std::vector<char> typedBytes(const TensorProto &tensor) {
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
  case TensorProto::COMPLEX64:
    return fieldBytes<float>(tensor.float_data());
  case TensorProto::DOUBLE:
  case TensorProto::COMPLEX128:
    return fieldBytes<double>(tensor.double_data());
  case TensorProto::INT64:
    return fieldBytes<int64_t>(tensor.int64_data());
  case TensorProto::UINT64:
    return fieldBytes<uint64_t>(tensor.uint64_data());
  case TensorProto::UINT32:
    return fieldBytes<uint32_t>(tensor.uint64_data());
  case TensorProto::INT32:
    return fieldBytes<int32_t>(tensor.int32_data());
  case TensorProto::INT16:
  case TensorProto::UINT16:
  case TensorProto::FLOAT16:
  case TensorProto::BFLOAT16:
    return fieldBytes<uint16_t>(tensor.int32_data());
  default:
    return fieldBytes<uint8_t>(tensor.int32_data());
  }
}

ElementsAttr onnxc::stringElements(ArrayRef<int64_t> dims,
                                   ArrayRef<StringRef> values,
                                   MLIRContext *context) {
  return DenseStringElementsAttr::get(
      RankedTensorType::get(dims, op::StringType::get(context)), values);
}

llvm::Expected<ElementsAttr> onnxc::tensorElements(const TensorProto &tensor,
                                                   ArrayRef<char> external,
                                                   MLIRContext *context) {
  auto fail = [&](const llvm::Twine &reason) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "tensor '" + tensor.name() + "' " + reason);
  };
  Type element = elementType(tensor.data_type(), context);
  if (!element)
    return fail("has the element type " + llvm::Twine(tensor.data_type()) +
                ", which is none of ONNX");
  SmallVector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
  int64_t count = 1, bytes = 0;
  for (int64_t dim : dims) {
    if (dim < 0)
      return fail("has a negative dim, " + llvm::Twine(dim));
    if (llvm::MulOverflow(count, dim, count))
      return fail("has more elements than 64 bits count");
  }
  auto wrongSize = [&](int64_t have) {
    return fail("has dims for " + llvm::Twine(count) +
                " elements, but data for " + llvm::Twine(have));
  };
  auto type = RankedTensorType::get(dims, element);
  if (tensor.data_type() == TensorProto::STRING) {
    if (tensor.string_data_size() != count)
      return wrongSize(tensor.string_data_size());
    SmallVector<StringRef> values(tensor.string_data().begin(),
                                  tensor.string_data().end());
    if (llvm::any_of(values, [](StringRef v) { return v.contains('\0'); }))
      return fail("has a string with a NUL character, which is not supported");
    return stringElements(dims, values, context);
  }
  bool isExternal =
      !external.empty() || tensor.data_location() == TensorProto::EXTERNAL;
  bool isRaw = isExternal || tensor.has_raw_data();
  int64_t size = elementSize(element), shared = packedBits(element);
  if (shared == 6 && !isRaw)
    shared = 0; // each has a number of its own
  if (llvm::MulOverflow<int64_t>(count, shared ? 8 : size, bytes))
    return fail("has more bytes than 64 bits count");
  if (shared)
    bytes = count / 8 * shared + (count % 8 * shared + 7) / 8;
  std::vector<char> owned;
  ArrayRef<char> data = external;
  if (!isRaw)
    data = owned = typedBytes(tensor);
  else if (!isExternal)
    data = ArrayRef<char>(tensor.raw_data().data(), tensor.raw_data().size());
  if (static_cast<int64_t>(data.size()) != bytes)
    return wrongSize(shared ? data.size() * 8 / shared : data.size() / size);

  bool isOwned = !isRaw;
  if (shared) {
    owned = unpack(data, count, shared);
    isOwned = true;
  } else if (element.isInteger(1) &&
             llvm::any_of(data, [](char value) { return value & ~1; })) {
    // Any byte but 0 is true; ours are 0 and 1.
    std::vector<char> booleans(data.begin(), data.end());
    for (char &value : booleans)
      value = value != 0;
    owned = std::move(booleans);
    isOwned = true;
  }
  return isOwned ? makeElements(type, std::move(owned))
                 : makeElements(type, data);
}
