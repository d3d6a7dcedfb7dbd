//===- Import.cpp - Reads an ONNX model into the onnx dialect -------------===//

#include "compiler/import/Import.h"
#include "compiler/import/GraphImporter.h"
#include "compiler/import/ModelFile.h"
#include "compiler/import/Prepare.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"

#include <limits>

using namespace mlir;
using namespace onnxc;
using onnx::ValueInfoProto;

/// What a model's declared or inferred type says of dims: a name for each that
/// has one.
static ArrayAttr dimNames(const onnx::TypeProto &type, Builder &builder) {
  SmallVector<StringRef> names;
  for (const auto &dim : type.tensor_type().shape().dim())
    names.push_back(dim.has_dim_param() ? StringRef(dim.dim_param())
                                        : StringRef());
  return builder.getStrArrayAttr(names);
}

/// The names for a result's dims: those that the model declares, where they
/// speak of a dim that is not static.
static ArrayAttr resultDimNames(Type type, const onnx::TypeProto &declared,
                                Builder &builder) {
  const auto &dims = declared.tensor_type().shape().dim();
  auto ranked = dyn_cast<RankedTensorType>(type);
  SmallVector<StringRef> names(ranked ? ranked.getRank() : dims.size());
  if (static_cast<size_t>(dims.size()) == names.size())
    for (int i = 0; i < dims.size(); ++i)
      if ((!ranked || ranked.isDynamicDim(i)) && dims[i].has_dim_param() &&
          dims[i].dim_param() != "?")
        names[i] = dims[i].dim_param();
  return builder.getStrArrayAttr(names);
}

static void setModelAttributes(ModuleOp module, const onnx::ModelProto &model,
                               const Opsets &opsets) {
  Builder builder(module.getContext());
  auto set = [&](StringRef name, StringRef value) {
    module->setAttr(name, builder.getStringAttr(value));
  };
  set("onnx.producer_name", model.producer_name());
  set("onnx.producer_version", model.producer_version());
  set("onnx.domain", model.domain());
  set("onnx.graph_name", model.graph().name());
  set("onnx.description", model.doc_string());
  set("onnx.graph_description", model.graph().doc_string());
  module->setAttr(
      "onnx.model_version",
      builder.getI64IntegerAttr(model.has_model_version()
                                    ? model.model_version()
                                    : std::numeric_limits<int64_t>::max()));
  NamedAttrList metadata;
  for (const auto &entry : model.metadata_props())
    metadata.set(entry.key(), builder.getStringAttr(entry.value()));
  module->setAttr("onnx.metadata", metadata.getDictionary(module.getContext()));
  for (auto [domain, name] :
       {std::pair("", "onnx.opset"), std::pair("ai.onnx.ml", "onnx.ml_opset")})
    if (auto opset = opsets.find(domain); opset != opsets.end())
      module->setAttr(name, builder.getI64IntegerAttr(opset->second));
}

/// Whether the graph's inputs that are initializers too are inputs that have a
/// default, and not constants.
static bool hasOverridableInitializers(const onnx::ModelProto &model) {
  return model.ir_version() >= 4;
}

static LogicalResult importMain(const onnx::ModelProto &model,
                                const std::vector<ValueInfoProto> &declared,
                                GraphImporter &importer, ModuleOp module) {
  MLIRContext *context = module.getContext();
  Builder builder(context);
  const onnx::GraphProto &graph = model.graph();
  llvm::StringMap<const onnx::TensorProto *> initializers;
  for (const onnx::TensorProto &tensor : graph.initializer())
    initializers[tensor.name()] = &tensor;

  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  SmallVector<const ValueInfoProto *> inputs;
  for (const ValueInfoProto &input : graph.input()) {
    const onnx::TensorProto *initializer = initializers.lookup(input.name());
    if (initializer && !hasOverridableInitializers(model))
      continue;
    Type type = importer.inputType(input);
    if (!type)
      return failure();
    NamedAttrList list;
    list.set("onnx.name", builder.getStringAttr(input.name()));
    list.set("onnx.dims", dimNames(input.type(), builder));
    if (initializer) {
      ElementsAttr value =
          importer.elements(*initializer, importer.location(input.name()));
      if (!value)
        return failure();
      list.set("onnx.default", value);
    }
    inputs.push_back(&input);
    types.push_back(type);
    attributes.push_back(list.getDictionary(context));
  }

  OpBuilder body(context);
  body.setInsertionPointToEnd(module.getBody());
  auto function = func::FuncOp::create(body, UnknownLoc::get(context), "main",
                                       FunctionType::get(context, types, {}));
  Block *block = function.addEntryBlock();
  Scope scope;
  for (auto [input, argument] : llvm::zip(inputs, block->getArguments()))
    scope.values[input->name()] = argument;
  body.setInsertionPointToEnd(block);
  FailureOr<SmallVector<Value>> results =
      importer.importBody(graph, body, scope);
  if (failed(results))
    return failure();
  func::ReturnOp::create(body, UnknownLoc::get(context), *results);

  function.setFunctionType(FunctionType::get(
      context, types, SmallVector<Type>(ValueRange(*results).getTypes())));
  function.setAllArgAttrs(attributes);
  SmallVector<DictionaryAttr> resultAttributes;
  for (auto [output, value] : llvm::zip(declared, *results)) {
    NamedAttrList list;
    list.set("onnx.name", builder.getStringAttr(output.name()));
    list.set("onnx.dims",
             resultDimNames(value.getType(), output.type(), builder));
    resultAttributes.push_back(list.getDictionary(context));
  }
  function.setAllResultAttrs(resultAttributes);
  return success();
}

static FailureOr<ImportedModel>
importFile(llvm::Expected<std::unique_ptr<ModelFile>> read,
           const std::string &name, MLIRContext *context,
           const ImportOptions &options) {
  Location location = NameLoc::get(StringAttr::get(context, name));
  if (!read)
    return emitError(location)
           << "'" << name << "' " << oneLine(llvm::toString(read.takeError()));
  context->loadDialect<op::OnnxDialect, func::FuncDialect>();
  std::shared_ptr<ModelFile> file = std::move(*read);
  // Preparing replaces the outputs' declared dims.
  std::vector<ValueInfoProto> declared(file->model().graph().output().begin(),
                                       file->model().graph().output().end());
  Opsets opsets;
  if (failed(prepareModel(*file, options, location, opsets)))
    return failure();
  OwningOpRef<ModuleOp> module = ModuleOp::create(location);
  setModelAttributes(*module, file->model(), opsets);
  GraphImporter importer(*file, opsets, context);
  if (failed(importMain(file->model(), declared, importer, *module)) ||
      failed(verify(*module)))
    return failure();
  return ImportedModel{std::move(module), file};
}

FailureOr<ImportedModel> onnxc::importModel(const std::string &path,
                                            MLIRContext *context,
                                            const ImportOptions &options) {
  return importFile(ModelFile::read(path), path, context, options);
}

FailureOr<ImportedModel> onnxc::importModel(ArrayRef<char> bytes,
                                            MLIRContext *context,
                                            const ImportOptions &options) {
  return importFile(ModelFile::parse(bytes), "model in memory", context,
                    options);
}
