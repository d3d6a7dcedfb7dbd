//===- ModelInfo.cpp - What a compiled model says of itself ---------------===//

#include "compiler/emit/ModelInfo.h"
#include "dialects/onnx/ElementTypes.h"
#include "runtime/include/onnxc/model_abi.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace onnxc;

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
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped || !isa<TensorType, MemRefType>(type))
    return refuse("only tensors can be a model's inputs and outputs yet");
  auto elemType =
      attributes ? attributes.getAs<IntegerAttr>("onnx.elem_type") : nullptr;
  info.elemType =
      elemType ? elemType.getInt() : dataType(shaped.getElementType());
  if (info.elemType == ONNXC_UNDEFINED || info.elemType == ONNXC_STRING)
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
