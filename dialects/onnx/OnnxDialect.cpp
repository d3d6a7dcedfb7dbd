//===- OnnxDialect.cpp - The onnx dialect and its own operations ----------===//

#include "dialects/onnx/OnnxDialect.h"
#include "dialects/onnx/OnnxOps.h"
#include "dialects/onnx/OnnxSupport.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace onnxc::op;

#include "dialects/onnx/OnnxDialect.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/onnx/OnnxTypes.cpp.inc"

namespace onnxc::op {
#define GET_OP_REGISTRATION_DECLARATIONS
} // namespace onnxc::op

void OnnxDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/onnx/OnnxTypes.cpp.inc"
      >();
  registerOnnxDialectOperations(this);
}

Operation *OnnxDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                            Type type, Location location) {
  if (isa<NoneType>(type) && isa<UnitAttr>(value))
    return NoneOp::create(builder, location, type);
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements ||
      elements.getShapedType().getElementType() != getElementTypeOrSelf(type))
    return nullptr;
  return ConstantOp::create(builder, location, type, elements);
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValueAttr(); }

LogicalResult ConstantOp::verify() {
  auto type = dyn_cast<TensorType>(getType());
  if (!type || type.getElementType() != getValue().getElementType())
    return emitOpError("must give a tensor of the value's element type");
  if (type.hasRank() &&
      failed(verifyCompatibleShape(type, getValue().getShapedType())))
    return emitOpError("has a value whose shape is not that of its result");
  return success();
}

OpFoldResult NoneOp::fold(FoldAdaptor) { return UnitAttr::get(getContext()); }

llvm::StringRef onnxc::op::operatorName(Operation *op) {
  return op->getName().getStringRef().rsplit('.').second;
}

llvm::StringRef onnxc::op::operatorDomain(Operation *op) {
  llvm::StringRef prefix = op->getName().getStringRef().rsplit('.').first;
  if (prefix == "onnx.ml")
    return "ai.onnx.ml";
  if (prefix == "onnx.preview")
    return "ai.onnx.preview";
  if (prefix == "onnx.preview.training")
    return "ai.onnx.preview.training";
  return "";
}

/// The element type's `TensorProto::DataType`, 0 for one that ONNX lacks.
static unsigned dataType(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type)) {
    if (integer.isSigned())
      return 0;
    bool isUnsigned = integer.isUnsigned();
    switch (integer.getWidth()) {
    case 1:
      return isUnsigned ? 0 : 9;
    case 2:
      return isUnsigned ? 25 : 26;
    case 4:
      return isUnsigned ? 21 : 22;
    case 8:
      return isUnsigned ? 2 : 3;
    case 16:
      return isUnsigned ? 4 : 5;
    case 32:
      return isUnsigned ? 12 : 6;
    case 64:
      return isUnsigned ? 13 : 7;
    default:
      return 0;
    }
  }
  return TypeSwitch<Type, unsigned>(type)
      .Case([](Float32Type) { return 1; })
      .Case([](StringType) { return 8; })
      .Case([](Float16Type) { return 10; })
      .Case([](Float64Type) { return 11; })
      .Case([](ComplexType complex) {
        return complex.getElementType().isF32()   ? 14
               : complex.getElementType().isF64() ? 15
                                                  : 0;
      })
      .Case([](BFloat16Type) { return 16; })
      .Case([](Float8E4M3FNType) { return 17; })
      .Case([](Float8E4M3FNUZType) { return 18; })
      .Case([](Float8E5M2Type) { return 19; })
      .Case([](Float8E5M2FNUZType) { return 20; })
      .Case([](Float4E2M1FNType) { return 23; })
      .Case([](Float8E8M0FNUType) { return 24; })
      .Case([](Float6E2M3FNType) { return 27; })
      .Case([](Float6E3M2FNType) { return 28; })
      .Default([](Type) { return 0; });
}

static bool isTensorOf(Type type, uint64_t mask) {
  auto tensor = dyn_cast<TensorType>(type);
  if (!tensor)
    return false;
  unsigned element = dataType(tensor.getElementType());
  return element && (mask >> element & 1);
}

static bool isSequenceOf(Type type, uint64_t mask) {
  auto sequence = dyn_cast<SequenceType>(type);
  return sequence && isTensorOf(sequence.getElement(), mask);
}

bool onnxc::op::isAllowed(Type type, AllowedTypes allowed) {
  if (isa<NoneType>(type))
    return allowed.none;
  if (isTensorOf(type, allowed.tensors) ||
      isSequenceOf(type, allowed.sequences))
    return true;
  if (auto optional = dyn_cast<OptionalType>(type))
    return isTensorOf(optional.getElement(), allowed.optionals) ||
           isSequenceOf(optional.getElement(), allowed.optionalSequences);
  if (isa<MapType>(type))
    return allowed.maps;
  auto sequence = dyn_cast<SequenceType>(type);
  return sequence && allowed.sequencesOfMaps &&
         isa<MapType>(sequence.getElement());
}
