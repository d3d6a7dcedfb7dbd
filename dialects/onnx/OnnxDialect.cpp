//===- OnnxDialect.cpp - The onnx dialect and its own operations ----------===//

#include "dialects/onnx/OnnxDialect.h"
#include "dialects/onnx/ElementTypes.h"
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

static bool isTensorOf(Type type, uint64_t mask) {
  auto tensor = dyn_cast<TensorType>(type);
  if (!tensor)
    return false;
  int32_t element = onnxc::dataType(tensor.getElementType());
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
