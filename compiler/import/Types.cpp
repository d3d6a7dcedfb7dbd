//===- Types.cpp - ONNX types as MLIR types -------------------------------===//

#include "compiler/import/Types.h"
#include "dialects/onnx/OnnxDialect.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using onnx::TensorProto;
using onnx::TypeProto;

Type onnxc::elementType(int32_t dataType, MLIRContext *context) {
  auto unsignedInteger = [&](unsigned bits) {
    return IntegerType::get(context, bits, IntegerType::Unsigned);
  };
  switch (dataType) {
  case TensorProto::FLOAT:
    return Float32Type::get(context);
  case TensorProto::UINT8:
    return unsignedInteger(8);
  case TensorProto::INT8:
    return IntegerType::get(context, 8);
  case TensorProto::UINT16:
    return unsignedInteger(16);
  case TensorProto::INT16:
    return IntegerType::get(context, 16);
  case TensorProto::INT32:
    return IntegerType::get(context, 32);
  case TensorProto::INT64:
    return IntegerType::get(context, 64);
  case TensorProto::STRING:
    return op::StringType::get(context);
  case TensorProto::BOOL:
    return IntegerType::get(context, 1);
  case TensorProto::FLOAT16:
    return Float16Type::get(context);
  case TensorProto::DOUBLE:
    return Float64Type::get(context);
  case TensorProto::UINT32:
    return unsignedInteger(32);
  case TensorProto::UINT64:
    return unsignedInteger(64);
  case TensorProto::COMPLEX64:
    return ComplexType::get(Float32Type::get(context));
  case TensorProto::COMPLEX128:
    return ComplexType::get(Float64Type::get(context));
  case TensorProto::BFLOAT16:
    return BFloat16Type::get(context);
  case TensorProto::FLOAT8E4M3FN:
    return Float8E4M3FNType::get(context);
  case TensorProto::FLOAT8E4M3FNUZ:
    return Float8E4M3FNUZType::get(context);
  case TensorProto::FLOAT8E5M2:
    return Float8E5M2Type::get(context);
  case TensorProto::FLOAT8E5M2FNUZ:
    return Float8E5M2FNUZType::get(context);
  case TensorProto::UINT4:
    return unsignedInteger(4);
  case TensorProto::INT4:
    return IntegerType::get(context, 4);
  case TensorProto::FLOAT4E2M1:
    return Float4E2M1FNType::get(context);
  case TensorProto::FLOAT8E8M0:
    return Float8E8M0FNUType::get(context);
  case TensorProto::UINT2:
    return unsignedInteger(2);
  case TensorProto::INT2:
    return IntegerType::get(context, 2);
  case TensorProto::FLOAT6E2M3:
    return Float6E2M3FNType::get(context);
  case TensorProto::FLOAT6E3M2:
    return Float6E3M2FNType::get(context);
  default:
    return nullptr;
  }
}

static Type tensorType(const TypeProto::Tensor &tensor, MLIRContext *context) {
  Type element = onnxc::elementType(tensor.elem_type(), context);
  if (!element)
    return nullptr;
  if (!tensor.has_shape())
    return UnrankedTensorType::get(element);
  SmallVector<int64_t> dims;
  for (const auto &dim : tensor.shape().dim())
    dims.push_back(dim.has_dim_value() && dim.dim_value() >= 0
                       ? dim.dim_value()
                       : ShapedType::kDynamic);
  return RankedTensorType::get(dims, element);
}

Type onnxc::valueType(const TypeProto &type, MLIRContext *context) {
  switch (type.value_case()) {
  case TypeProto::kTensorType:
    return tensorType(type.tensor_type(), context);
  case TypeProto::kSequenceType: {
    Type element = valueType(type.sequence_type().elem_type(), context);
    return element ? op::SequenceType::get(context, element) : nullptr;
  }
  case TypeProto::kOptionalType: {
    Type element = valueType(type.optional_type().elem_type(), context);
    return element ? op::OptionalType::get(context, element) : nullptr;
  }
  case TypeProto::kMapType: {
    Type key = elementType(type.map_type().key_type(), context);
    Type value = valueType(type.map_type().value_type(), context);
    return key && value ? op::MapType::get(context, key, value) : nullptr;
  }
  default:
    return nullptr;
  }
}

Type onnxc::namedType(llvm::StringRef name, MLIRContext *context) {
  // "kind(inner)".
  auto inner = [&](llvm::StringRef kind) {
    llvm::StringRef rest = name;
    return rest.consume_front(kind) && rest.consume_back(")")
               ? rest
               : llvm::StringRef();
  };
  if (llvm::StringRef element = inner("tensor("); !element.empty()) {
    TensorProto::DataType dataType;
    if (!TensorProto::DataType_Parse(element.upper(), &dataType))
      return nullptr;
    Type type = elementType(dataType, context);
    return type ? UnrankedTensorType::get(type) : nullptr;
  }
  if (llvm::StringRef element = inner("seq("); !element.empty()) {
    Type type = namedType(element, context);
    return type ? op::SequenceType::get(context, type) : nullptr;
  }
  if (llvm::StringRef element = inner("optional("); !element.empty()) {
    Type type = namedType(element, context);
    return type ? op::OptionalType::get(context, type) : nullptr;
  }
  return nullptr;
}

/// The name of an element's type, "" where it has none.
static std::string elementName(Type type) {
  for (int32_t i = TensorProto::DataType_MIN; i <= TensorProto::DataType_MAX;
       ++i)
    if (TensorProto::DataType_IsValid(i) &&
        onnxc::elementType(i, type.getContext()) == type)
      return llvm::StringRef(TensorProto::DataType_Name(
                                 static_cast<TensorProto::DataType>(i)))
          .lower();
  return "";
}

std::string onnxc::typeName(Type type) {
  if (auto tensor = dyn_cast<TensorType>(type))
    return "tensor(" + elementName(tensor.getElementType()) + ")";
  if (auto sequence = dyn_cast<op::SequenceType>(type))
    return "seq(" + typeName(sequence.getElement()) + ")";
  if (auto optional = dyn_cast<op::OptionalType>(type))
    return "optional(" + typeName(optional.getElement()) + ")";
  if (auto map = dyn_cast<op::MapType>(type))
    return "map(" + elementName(map.getKey()) + ", " +
           typeName(map.getValue()) + ")";
  return "";
}

Type onnxc::withoutShape(Type type) {
  if (auto tensor = dyn_cast<TensorType>(type))
    return UnrankedTensorType::get(tensor.getElementType());
  MLIRContext *context = type.getContext();
  if (auto sequence = dyn_cast<op::SequenceType>(type))
    return op::SequenceType::get(context, withoutShape(sequence.getElement()));
  if (auto optional = dyn_cast<op::OptionalType>(type))
    return op::OptionalType::get(context, withoutShape(optional.getElement()));
  if (auto map = dyn_cast<op::MapType>(type))
    return op::MapType::get(context, map.getKey(),
                            withoutShape(map.getValue()));
  return type;
}
