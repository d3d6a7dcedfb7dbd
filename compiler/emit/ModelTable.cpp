//===- ModelTable.cpp - The constants that describe a model ---------------===//

#include "compiler/emit/ModelTable.h"
#include "runtime/include/onnxc/model_abi.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;
using namespace onnxc;

namespace {
/// Builds constants laid out as C would lay out the structs of model_abi.h.
class TableBuilder {
public:
  explicit TableBuilder(Module &module)
      : module(module), context(module.getContext()),
        pointer(PointerType::get(context, 0)) {}

  Constant *i32(int64_t value) {
    return ConstantInt::getSigned(Type::getInt32Ty(context), value);
  }
  Constant *i64(int64_t value) {
    return ConstantInt::getSigned(Type::getInt64Ty(context), value);
  }
  Constant *null() { return ConstantPointerNull::get(pointer); }

  /// A NUL-terminated string; equal ones are one.
  Constant *text(StringRef value) {
    Constant *&entry = texts[value];
    if (!entry) {
      Constant *data = ConstantDataArray::getString(context, value);
      entry = variable(data, "onnxc_text", true);
    }
    return entry;
  }

  Constant *record(ArrayRef<Constant *> fields) {
    return ConstantStruct::getAnon(context, fields);
  }

  /// The address of an array; null when it is empty.
  Constant *array(Type *type, ArrayRef<Constant *> elements, StringRef name) {
    if (elements.empty())
      return null();
    Constant *data =
        ConstantArray::get(ArrayType::get(type, elements.size()), elements);
    return variable(data, name, true);
  }

  GlobalVariable *variable(Constant *data, const Twine &name,
                           bool isPrivate = false) {
    auto *global = new GlobalVariable(
        module, data->getType(), /*isConstant=*/true,
        isPrivate ? GlobalValue::PrivateLinkage : GlobalValue::ExternalLinkage,
        data, name);
    if (isPrivate)
      global->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
    return global;
  }

  /// Defines what the shell declares as `name`.
  GlobalVariable *define(StringRef name, Constant *data) {
    GlobalVariable *declaration = module.getNamedGlobal(name);
    GlobalVariable *definition = variable(data, "");
    definition->setVisibility(GlobalValue::HiddenVisibility);
    if (declaration) {
      declaration->replaceAllUsesWith(definition);
      declaration->eraseFromParent();
    }
    definition->setName(name);
    return definition;
  }

  Module &module;
  LLVMContext &context;
  PointerType *pointer;

private:
  StringMap<Constant *> texts;
};
} // namespace

/// An onnxc_value_info.
static Constant *valueInfo(TableBuilder &build, const ValueInfo &info) {
  SmallVector<Constant *> dims, names;
  for (int64_t dim : info.dims)
    dims.push_back(build.i64(dim));
  for (const std::string &name : info.dimNames)
    names.push_back(name.empty() ? build.null() : build.text(name));
  Type *i64 = Type::getInt64Ty(build.context);
  Constant *element = build.null();
  if (!info.element.empty())
    element = build.variable(valueInfo(build, info.element.front()),
                             "onnxc_element_info", true);
  return build.record(
      {build.text(info.name), build.i32(info.kind), build.i32(info.elemType),
       build.i64(info.rank), build.array(i64, dims, "onnxc_dims"),
       build.array(build.pointer, names, "onnxc_dim_names"),
       build.i32(info.defaultValue ? 1 : 0), build.i32(0), element});
}

static Constant *valueInfos(TableBuilder &build,
                            const std::vector<ValueInfo> &infos) {
  SmallVector<Constant *> elements;
  for (const ValueInfo &info : infos)
    elements.push_back(valueInfo(build, info));
  return elements.empty() ? build.null()
                          : build.array(elements.front()->getType(), elements,
                                        "onnxc_value_infos");
}

/// The addresses of texts.
static Constant *textArray(TableBuilder &build,
                           const std::vector<std::string> &texts) {
  SmallVector<Constant *> elements;
  for (const std::string &text : texts)
    elements.push_back(build.text(text));
  return build.array(build.pointer, elements, "onnxc_texts");
}

/// An array of onnxc_kernel_info.
static Constant *kernelInfos(TableBuilder &build,
                             const std::vector<KernelInfo> &infos) {
  SmallVector<Constant *> elements;
  for (const KernelInfo &info : infos)
    elements.push_back(build.record(
        {build.text(info.kind), build.i64(info.nodes.size()),
         textArray(build, info.nodes), textArray(build, info.operators),
         build.text(info.shapes), build.i64(count(info.shapes, '?'))}));
  return elements.empty() ? build.null()
                          : build.array(elements.front()->getType(), elements,
                                        "onnxc_kernels");
}

/// For each dim of each input the first one of the same name.
static void defineSameDims(TableBuilder &build, const ModelInfo &info) {
  struct Place {
    int32_t input, dim;
  };
  StringMap<Place> first;
  SmallVector<Constant *> entries;
  for (auto [i, input] : enumerate(info.inputs)) {
    for (auto [d, name] : enumerate(input.dimNames)) {
      Place place{-1, 0};
      if (!name.empty()) {
        auto [entry, isNew] = first.try_emplace(
            name, Place{static_cast<int32_t>(i), static_cast<int32_t>(d)});
        if (!isNew)
          place = entry->second;
      }
      entries.push_back(
          build.record({build.i32(place.input), build.i32(place.dim)}));
    }
  }
  // An empty table has an address, too.
  entries.push_back(build.record({build.i32(-1), build.i32(0)}));
  build.define(
      "onnxc_generated_same_dims",
      ConstantArray::get(
          ArrayType::get(entries.front()->getType(), entries.size()), entries));
}

void onnxc::addNote(Module &module, const onnxc::Target &target) {
  TableBuilder build(module);
  StringRef text(ONNXC_NOTE_NAME, sizeof(ONNXC_NOTE_NAME)); // with its NUL
  SmallVector<uint8_t> name(text.bytes());
  uint32_t nameBytes = name.size();
  name.resize(alignTo(name.size(), 4), 0);
  Constant *note = ConstantStruct::getAnon(
      build.context,
      {build.i32(nameBytes), build.i32(sizeof(onnxc_note)),
       build.i32(ONNXC_NOTE_TYPE),
       ConstantDataArray::get(build.context, ArrayRef<uint8_t>(name)),
       build.i32(ONNXC_ABI_VERSION), build.i32(0),
       build.i64(static_cast<int64_t>(cpuFeatureBits(target))), build.i64(0)},
      /*Packed=*/true);
  GlobalVariable *global = build.variable(note, "onnxc_note", true);
  global->setUnnamedAddr(GlobalValue::UnnamedAddr::None);
  global->setSection(noteSectionName);
  global->setAlignment(Align(4));
  appendToCompilerUsed(build.module, {global});
}

/// An entry point of onnxc_model, which has arguments of these types: calls the
/// shell's function `callee` for `variant`.
static Function *entryPoint(Module &module, StringRef callee,
                            ArrayRef<Type *> types, GlobalVariable *variant) {
  LLVMContext &context = module.getContext();
  Type *status = Type::getInt32Ty(context);
  SmallVector<Type *> shellTypes = {variant->getType()};
  append_range(shellTypes, types);
  FunctionCallee shell = module.getOrInsertFunction(
      callee, FunctionType::get(status, shellTypes, /*isVarArg=*/false));
  auto *function = Function::Create(
      FunctionType::get(status, types, /*isVarArg=*/false),
      GlobalValue::InternalLinkage, callee + "_of_variant", module);
  IRBuilder<> builder(BasicBlock::Create(context, "", function));
  SmallVector<Value *> arguments = {variant};
  for (Argument &argument : function->args())
    arguments.push_back(&argument);
  builder.CreateRet(builder.CreateCall(shell, arguments));
  return function;
}

GlobalVariable *onnxc::addModelTable(Module &module, const ModelInfo &info,
                                     const onnxc::Target &target,
                                     Function &run) {
  TableBuilder build(module);
  auto *variantType = StructType::get(Type::getInt64Ty(build.context),
                                      build.pointer, build.pointer);
  auto *variant = new GlobalVariable(
      module, variantType, /*isConstant=*/true, GlobalValue::ExternalLinkage,
      /*Initializer=*/nullptr, "onnxc_generated_variant");
  SmallVector<Constant *> metadata;
  for (const auto &[key, value] : info.metadata)
    metadata.push_back(build.record({build.text(key), build.text(value)}));
  Constant *metadataTable = metadata.empty()
                                ? build.null()
                                : build.array(metadata.front()->getType(),
                                              metadata, "onnxc_metadata");
  Type *pointer = build.pointer;
  GlobalVariable *model = build.variable(
      build.record({build.i64(static_cast<int64_t>(ONNXC_MODEL_MAGIC)),
                    build.i32(ONNXC_ABI_VERSION),
                    build.i32(sizeof(onnxc_model)),
                    build.text(info.producerName),
                    build.text(info.producerVersion),
                    build.text(info.domain),
                    build.text(info.graphName),
                    build.text(info.description),
                    build.text(info.graphDescription),
                    build.i64(info.modelVersion),
                    build.i64(info.metadata.size()),
                    metadataTable,
                    build.text(info.compilerVersion),
                    build.text(target.name),
                    build.i64(info.inputs.size()),
                    valueInfos(build, info.inputs),
                    build.i64(info.outputs.size()),
                    valueInfos(build, info.outputs),
                    entryPoint(module, "onnxc_shell_plan",
                               {pointer, pointer, pointer, pointer}, variant),
                    entryPoint(module, "onnxc_shell_run",
                               {pointer, pointer, pointer, pointer,
                                Type::getInt64Ty(build.context), pointer},
                               variant),
                    build.i64(info.kernels.size()),
                    kernelInfos(build, info.kernels)}),
      "onnxc_model", true);
  variant->setInitializer(ConstantStruct::get(
      variantType,
      {build.i64(static_cast<int64_t>(cpuFeatureBits(target))), model, &run}));
  return variant;
}

void onnxc::addInputTables(Module &module, const ModelInfo &info,
                           ArrayRef<int64_t> defaultOffsets) {
  TableBuilder build(module);
  defineSameDims(build, info);
  SmallVector<Constant *> defaults;
  int64_t defaultCount = 0;
  for (int64_t offset : defaultOffsets) {
    defaults.push_back(build.i64(offset));
    defaultCount += offset >= 0;
  }
  defaults.push_back(build.i64(-1));
  build.define(
      "onnxc_generated_defaults",
      ConstantArray::get(
          ArrayType::get(Type::getInt64Ty(build.context), defaults.size()),
          defaults));
  build.define("onnxc_generated_default_count", build.i64(defaultCount));
}

void onnxc::addVariantTable(Module &module, ArrayRef<std::string> variants) {
  TableBuilder build(module);
  SmallVector<Constant *> entries;
  for (const std::string &name : variants)
    entries.push_back(
        module.getOrInsertGlobal(name, Type::getInt8Ty(build.context)));
  build.define("onnxc_generated_variants",
               ConstantArray::get(ArrayType::get(build.pointer, entries.size()),
                                  entries));
  build.define("onnxc_generated_variant_count", build.i64(variants.size()));
}
