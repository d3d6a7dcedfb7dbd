//===- Emit.cpp - From the LLVM dialect to a file -------------------------===//

#include "compiler/emit/Emit.h"
#include "compiler/emit/CompileParts.h"
#include "compiler/emit/Link.h"
#include "compiler/emit/ModelTable.h"
#include "compiler/emit/NativeCode.h"
#include "compiler/emit/OutputFile.h"
#include "compiler/emit/Shell.h"
#include "compiler/emit/WeightSection.h"
#include "runtime/include/onnxc/model_abi.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Transforms/IPO/Internalize.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;
using namespace onnxc;
using kernel::PlacedWeight;
using kernel::WeightLayout;

static constexpr StringLiteral generatedEntry = "onnxc_generated_run";

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

Expected<std::unique_ptr<Module>>
onnxc::translateToLlvm(mlir::ModuleOp module, LLVMContext &context,
                       const onnxc::Target &target) {
  mlir::registerBuiltinDialectTranslation(*module.getContext());
  mlir::registerLLVMDialectTranslation(*module.getContext());
  Expected<std::unique_ptr<TargetMachine>> machine = makeTargetMachine(target);
  if (!machine)
    return machine.takeError();
  std::unique_ptr<Module> result =
      mlir::translateModuleToLLVMIR(module, context, "model");
  if (!result)
    return makeError("the generated code does not translate to LLVM IR");
  Function *entry = result->getFunction(generatedEntry);
  if (!entry || entry->isDeclaration())
    return makeError("internal error: the generated code has no " +
                     generatedEntry);
  setTarget(*result, target, **machine);
  return result;
}

/// Appends the defaults of inputs to the weights. Returns their offsets, one an
/// input, -1 for none.
static SmallVector<int64_t> placeDefaults(const ModelInfo &info,
                                          WeightLayout &weights) {
  SmallVector<int64_t> offsets;
  for (const ValueInfo &input : info.inputs) {
    offsets.push_back(-1);
    if (!input.defaultValue)
      continue;
    mlir::ShapedType type = input.defaultValue.getShapedType();
    PlacedWeight weight;
    weight.value = input.defaultValue;
    weight.offset = alignTo(weights.bytes, kernel::weightAlignment);
    weight.bytes = type.getNumElements() *
                   kernel::elementStorageBytes(type.getElementType());
    weights.bytes = weight.offset + weight.bytes;
    weights.weights.push_back(weight);
    offsets.back() = weight.offset;
  }
  return offsets;
}

/// Links the shell into `module`. Returns the functions that the code generator
/// may call by name (memcpy).
static Expected<std::vector<std::string>>
linkShell(Module &module, const onnxc::Target &target) {
  Expected<std::unique_ptr<Module>> shell =
      loadShell(module.getContext(), Triple(target.triple));
  if (!shell)
    return shell.takeError();
  std::vector<std::string> calledByName;
  for (const Function &function : **shell)
    if (!function.isDeclaration() && !function.hasLocalLinkage() &&
        !function.getName().starts_with("onnxc_"))
      calledByName.push_back(function.getName().str());
  (*shell)->setTargetTriple(module.getTargetTriple());
  (*shell)->setDataLayout(module.getDataLayout());
  if (Linker::linkModules(module, std::move(*shell)))
    return makeError("internal error: the model shell does not link");
  return calledByName;
}

/// Names the function `entryName` as the user wants it and hides everything
/// else. `calledByName` must stay although nothing uses it yet.
static void hideAllButEntry(Module &module, StringRef entryName,
                            StringRef symbol,
                            ArrayRef<std::string> calledByName) {
  Function *entry = module.getFunction(entryName);
  entry->setVisibility(GlobalValue::DefaultVisibility);
  entry->setDSOLocal(false);
  internalizeModule(module,
                    [&](const GlobalValue &value) { return &value == entry; });
  SmallVector<GlobalValue *> kept;
  for (const std::string &name : calledByName)
    kept.push_back(module.getFunction(name));
  appendToCompilerUsed(module, kept);
  if (GlobalValue *other = module.getNamedValue(symbol);
      other && other != entry)
    other->setName("onnxc_local_" + symbol);
  entry->setName(symbol);
}

/// The functions that kernels became.
static std::vector<std::string> kernelNames(const Module &module) {
  std::vector<std::string> names;
  for (const Function &function : module)
    if (!function.isDeclaration() && function.getName() != generatedEntry)
      names.push_back(function.getName().str());
  return names;
}

/// What a model calls it must contain.
static Error checkNothingUndefined(ArrayRef<SmallVector<char, 0>> objects) {
  StringSet<> defined;
  std::vector<std::string> used;
  for (const SmallVector<char, 0> &object : objects) {
    Expected<std::unique_ptr<object::ObjectFile>> file =
        object::ObjectFile::createObjectFile(
            MemoryBufferRef(StringRef(object.data(), object.size()), "model"));
    if (!file)
      return file.takeError();
    for (const object::SymbolRef &symbol : (*file)->symbols()) {
      Expected<uint32_t> flags = symbol.getFlags();
      if (!flags)
        return flags.takeError();
      Expected<StringRef> name = symbol.getName();
      if (!name)
        return name.takeError();
      if (*flags & object::SymbolRef::SF_Undefined)
        used.push_back(name->str());
      else if (*flags & object::SymbolRef::SF_Global)
        defined.insert(*name);
    }
  }
  for (const std::string &name : used)
    if (!name.empty() && !defined.contains(name))
      return makeError("the generated code calls '" + name +
                       "', which a model does not contain");
  return Error::success();
}

namespace {
/// Writes one model.
class Emitter {
public:
  Emitter(EmitKind kind, StringRef symbol, WeightLayout weights,
          RunTasks runTasks)
      : kind(kind), symbol(symbol), weights(std::move(weights)),
        runTasks(runTasks) {}

  Error emit(std::vector<ModelCode> variants, StringRef path);

private:
  bool isLibrary() const { return kind == EmitKind::Library; }
  /// Compiles a model whose entry is to be called `entry`. One that is alone in
  /// its file also holds the weights and the note.
  Error addModel(ModelCode code, StringRef entry, bool alone);
  /// Compiles what picks one of the variants, whose entries are `entries`.
  Error addSelection(LLVMContext &context, ArrayRef<onnxc::Target> targets,
                     ArrayRef<std::string> entries);
  void addCommon(Module &module, const onnxc::Target &target) {
    reserveWeights(module, weights.bytes, isLibrary());
    addNote(module, target);
  }
  Error compile(const Module &module, ArrayRef<std::vector<std::string>> groups,
                const onnxc::Target &target);

  EmitKind kind;
  StringRef symbol;
  WeightLayout weights;
  SmallVector<int64_t> defaults; ///< of the inputs, in the weights
  RunTasks runTasks;
  std::vector<SmallVector<char, 0>> parts;
};
} // namespace

Error Emitter::compile(const Module &module,
                       ArrayRef<std::vector<std::string>> groups,
                       const onnxc::Target &target) {
  Expected<std::vector<SmallVector<char, 0>>> compiled =
      compileParts(module, groups, target,
                   kind == EmitKind::Assembler ? CodeGenFileType::AssemblyFile
                                               : CodeGenFileType::ObjectFile,
                   runTasks);
  if (!compiled)
    return compiled.takeError();
  move(*compiled, std::back_inserter(parts));
  return Error::success();
}

Error Emitter::addModel(ModelCode code, StringRef entry, bool alone) {
  Module &module = *code.module;
  Expected<std::unique_ptr<TargetMachine>> machine =
      makeTargetMachine(code.target);
  if (!machine)
    return machine.takeError();
  std::vector<std::string> kernels = kernelNames(module);
  Expected<std::vector<std::string>> calledByName =
      linkShell(module, code.target);
  if (!calledByName)
    return calledByName.takeError();
  addModelTable(module, code.info, code.target, defaults);
  if (alone)
    addCommon(module, code.target);
  else if (weights.bytes == 0)
    reserveWeights(module, 0, isLibrary());
  setTarget(module, code.target, **machine);
  hideAllButEntry(module, ONNXC_GET_MODEL_SYMBOL, entry, *calledByName);
  if (!alone) {
    module.getFunction(entry)->setVisibility(GlobalValue::HiddenVisibility);
    for (std::string &name : kernels) {
      Function *kernel = module.getFunction(name);
      kernel->setName(name + "." + code.target.name);
      name = kernel->getName().str();
    }
  }
  // An object is one file, so that it links as any other.
  std::vector<std::vector<std::string>> groups(1);
  if (isLibrary())
    groups = divideFunctions(module, kernels);
  return compile(module, groups, code.target);
}

Error Emitter::addSelection(LLVMContext &context,
                            ArrayRef<onnxc::Target> targets,
                            ArrayRef<std::string> entries) {
  const onnxc::Target &least = targets.back();
  Expected<std::unique_ptr<TargetMachine>> machine = makeTargetMachine(least);
  if (!machine)
    return machine.takeError();
  Module module("selection", context);
  setTarget(module, least, **machine);
  Expected<std::vector<std::string>> calledByName = linkShell(module, least);
  if (!calledByName)
    return calledByName.takeError();
  Type *pointer = PointerType::get(context, 0);
  SmallVector<std::pair<uint64_t, Function *>> variants;
  for (auto [target, name] : zip_equal(targets, entries)) {
    auto *entry =
        Function::Create(FunctionType::get(pointer, /*isVarArg=*/false),
                         GlobalValue::ExternalLinkage, name, module);
    entry->setVisibility(GlobalValue::HiddenVisibility);
    variants.emplace_back(cpuFeatureBits(target), entry);
  }
  addVariantTable(module, variants);
  addCommon(module, least);
  setTarget(module, least, **machine);
  hideAllButEntry(module, "onnxc_select_model", symbol, *calledByName);
  return compile(module, std::vector<std::vector<std::string>>(1), least);
}

Error Emitter::emit(std::vector<ModelCode> variants, StringRef path) {
  defaults = placeDefaults(variants.front().info, weights);
  std::vector<onnxc::Target> targets;
  std::vector<std::string> entries;
  LLVMContext &context = variants.front().module->getContext();
  bool alone = variants.size() == 1;
  Triple triple(variants.front().target.triple);
  for (ModelCode &variant : variants) {
    targets.push_back(variant.target);
    entries.push_back(alone ? symbol.str()
                            : (symbol + "." + variant.target.name).str());
    if (Error error = addModel(std::move(variant), entries.back(), alone))
      return error;
  }
  if (!alone)
    if (Error error = addSelection(context, targets, entries))
      return error;

  StringRef bytes(parts.front().data(), parts.front().size());
  if (kind == EmitKind::Assembler)
    return writeTextFile(path, bytes);
  if (Error error = checkNothingUndefined(parts))
    return error;
  Expected<OutputFile> output = OutputFile::create(path);
  if (!output)
    return output.takeError();
  std::unique_ptr<MemoryBuffer> library;
  if (isLibrary()) {
    Expected<std::unique_ptr<MemoryBuffer>> linked = linkLibrary(parts, triple);
    if (!linked)
      return linked.takeError();
    library = std::move(*linked);
    bytes = library->getBuffer();
  }
  if (Error error = output->write(bytes))
    return error;
  if (Error error =
          appendWeights(output->temporaryPath(), weights, isLibrary()))
    return error;
  return output->commit();
}

Error onnxc::emitModel(std::vector<ModelCode> variants, WeightLayout weights,
                       EmitKind kind, StringRef symbol, StringRef path,
                       RunTasks runTasks) {
  if (path == "-" && kind != EmitKind::Assembler)
    return makeError("machine code is not written to the standard output: "
                     "name a file");
  if (variants.size() > 1 && kind != EmitKind::Library)
    return makeError("only a library can be for several CPUs");
  return Emitter(kind, symbol, std::move(weights), runTasks)
      .emit(std::move(variants), path);
}
