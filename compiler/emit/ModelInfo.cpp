//===- ModelInfo.cpp - What a compiled model says of itself ---------------===//

#include "compiler/emit/ModelInfo.h"
#include "dialects/onnx/ElementTypes.h"
#include "dialects/onnx/OnnxDialect.h"
#include "runtime/include/onnxc/model_abi.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace onnxc;

/// What a type of the onnx dialect says; its kind is none for one that cannot
/// be described.
static ValueInfo infoOfType(Type type) {
  ValueInfo info;
  auto holds = [&](onnxc_value_kind kind, Type element) {
    info.kind = kind;
    info.element.push_back(infoOfType(element));
    if (info.element.back().kind == ONNXC_KIND_NONE)
      info.kind = ONNXC_KIND_NONE;
  };
  if (auto tensor = dyn_cast<TensorType>(type)) {
    info.elemType = dataType(tensor.getElementType());
    info.kind = info.elemType ? ONNXC_KIND_TENSOR : ONNXC_KIND_NONE;
    if (!tensor.hasRank())
      return info;
    info.rank = tensor.getRank();
    for (int64_t dim : tensor.getShape())
      info.dims.push_back(ShapedType::isDynamic(dim) ? -1 : dim);
    info.dimNames.resize(info.dims.size());
  } else if (auto sequence = dyn_cast<op::SequenceType>(type)) {
    holds(ONNXC_KIND_SEQUENCE, sequence.getElement());
  } else if (auto optional = dyn_cast<op::OptionalType>(type)) {
    holds(ONNXC_KIND_OPTIONAL, optional.getElement());
  } else if (auto map = dyn_cast<op::MapType>(type)) {
    holds(ONNXC_KIND_MAP, map.getValue());
    info.elemType = dataType(map.getKey());
  }
  return info;
}

static FailureOr<ValueInfo> valueInfo(func::FuncOp function, Type type,
                                      DictionaryAttr attributes, StringRef kind,
                                      size_t position) {
  ValueInfo info;
  auto name = attributes ? attributes.getAs<StringAttr>("onnx.name") : nullptr;
  info.name = name ? name.str() : (kind + Twine(position)).str();
  auto refuse = [&](const Twine &reason) {
    return function.emitError() << kind << " '" << info.name << "' has type "
                                << type << ": " << reason;
  };
  auto boxed = attributes ? attributes.getAs<TypeAttr>("onnx.type") : nullptr;
  if (boxed) {
    std::string name = std::move(info.name);
    info = infoOfType(boxed.getValue());
    info.name = std::move(name);
    if (info.kind == ONNXC_KIND_NONE)
      return refuse("values of this type cannot be a model's inputs and "
                    "outputs yet");
    return info;
  }
  info.kind = ONNXC_KIND_TENSOR;
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped || !isa<TensorType, MemRefType>(type))
    return refuse("values of this type cannot be a model's inputs and outputs "
                  "yet");
  auto elemType =
      attributes ? attributes.getAs<IntegerAttr>("onnx.elem_type") : nullptr;
  info.elemType =
      elemType ? elemType.getInt() : dataType(shaped.getElementType());
  if (info.elemType == ONNXC_UNDEFINED)
    return refuse("this element type is not supported");
  if (attributes)
    info.defaultValue = attributes.getAs<ElementsAttr>("onnx.default");
  if (!shaped.hasRank())
    return info;
  info.rank = shaped.getRank();
  if (info.rank > ONNXC_MAX_RANK)
    return refuse("the rank is above " + Twine(ONNXC_MAX_RANK));
  auto names = attributes ? attributes.getAs<ArrayAttr>("onnx.dims") : nullptr;
  for (int64_t i = 0; i < info.rank; ++i) {
    bool isDynamic = shaped.isDynamicDim(i);
    info.dims.push_back(isDynamic ? -1 : shaped.getDimSize(i));
    auto dimName = names && i < static_cast<int64_t>(names.size())
                       ? dyn_cast<StringAttr>(names[i])
                       : nullptr;
    info.dimNames.push_back(isDynamic && dimName ? dimName.str() : "");
  }
  if (info.defaultValue && !shaped.hasStaticShape())
    return refuse("an input with a default needs static dims");
  return info;
}

FailureOr<ModelInfo> ModelInfo::fromModule(ModuleOp module) {
  auto function = module.lookupSymbol<func::FuncOp>("main");
  if (!function)
    return module.emitError("has no function @main");
  ModelInfo info;
  auto text = [&](StringRef name) -> std::string {
    auto attr = module->getAttrOfType<StringAttr>(name);
    return attr ? attr.str() : "";
  };
  info.producerName = text("onnx.producer_name");
  info.producerVersion = text("onnx.producer_version");
  info.domain = text("onnx.domain");
  info.graphName = text("onnx.graph_name");
  info.description = text("onnx.description");
  info.graphDescription = text("onnx.graph_description");
  if (auto version = module->getAttrOfType<IntegerAttr>("onnx.model_version"))
    info.modelVersion = version.getInt();
  if (auto metadata = module->getAttrOfType<DictionaryAttr>("onnx.metadata"))
    for (NamedAttribute entry : metadata)
      if (auto value = dyn_cast<StringAttr>(entry.getValue()))
        info.metadata.emplace_back(entry.getName().str(), value.str());
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    FailureOr<ValueInfo> value =
        valueInfo(function, type, function.getArgAttrDict(i), "input", i);
    if (failed(value))
      return failure();
    info.inputs.push_back(std::move(*value));
  }
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    FailureOr<ValueInfo> value =
        valueInfo(function, type, function.getResultAttrDict(i), "output", i);
    if (failed(value))
      return failure();
    info.outputs.push_back(std::move(*value));
  }
  return info;
}

static std::vector<std::string> texts(ArrayAttr array) {
  std::vector<std::string> result;
  for (auto text : array.getAsRange<StringAttr>())
    result.push_back(text.str());
  return result;
}

void ModelInfo::readKernels(ModuleOp module) {
  auto list = module->getAttrOfType<ArrayAttr>("onnxc.kernels");
  if (!list)
    return;
  for (auto kernel : list.getAsRange<DictionaryAttr>())
    kernels.push_back({kernel.getAs<StringAttr>("kind").str(),
                       kernel.getAs<StringAttr>("shapes").str(),
                       texts(kernel.getAs<ArrayAttr>("nodes")),
                       texts(kernel.getAs<ArrayAttr>("operators"))});
}
