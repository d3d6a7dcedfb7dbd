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

/// Links the whole shell into `module`. Returns the functions that the code
/// generator may call by name (memcpy).
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

/// Links what `module` calls of the shell's mathematics into it.
static Error linkMathematics(Module &module, const onnxc::Target &target) {
  Expected<std::unique_ptr<Module>> mathematics =
      loadShellMathematics(module.getContext(), Triple(target.triple));
  if (!mathematics)
    return mathematics.takeError();
  (*mathematics)->setTargetTriple(module.getTargetTriple());
  (*mathematics)->setDataLayout(module.getDataLayout());
  if (Linker::linkModules(module, std::move(*mathematics),
                          Linker::LinkOnlyNeeded))
    return makeError("internal error: the shell's mathematics does not link");
  return Error::success();
}

/// Names the entry of an object as the user wants it and hides everything
/// else. `calledByName` must stay although nothing uses it yet.
static void hideAllButEntry(Module &module, StringRef symbol,
                            ArrayRef<std::string> calledByName) {
  Function *entry = module.getFunction(ONNXC_GET_MODEL_SYMBOL);
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

/// Hides all of a library's part but what its other parts and the shell refer
/// to, which they find without a detour.
static void hideAllButGenerated(Module &module) {
  auto isShared = [](const GlobalValue &value) {
    return value.getName().starts_with("onnxc_generated_");
  };
  internalizeModule(module, isShared);
  for (GlobalValue &value : module.global_values()) {
    if (!isShared(value) && !value.getName().starts_with("onnxc_shell_"))
      continue;
    value.setVisibility(GlobalValue::HiddenVisibility);
    value.setDSOLocal(true);
  }
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
static Error checkNothingUndefined(ArrayRef<StringRef> objects) {
  StringSet<> defined;
  std::vector<std::string> used;
  for (StringRef object : objects) {
    Expected<std::unique_ptr<object::ObjectFile>> file =
        object::ObjectFile::createObjectFile(MemoryBufferRef(object, "model"));
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

  Error emit(std::vector<ModelCode> codes, StringRef path);

private:
  bool isLibrary() const { return kind == EmitKind::Library; }
  /// Compiles the code of an object, which is one file so that it links as any
  /// other: with the shell and everything else that it has.
  Error addObject(ModelCode code);
  /// Compiles the code of a library for one CPU.
  Error addVariant(ModelCode code);
  /// Compiles what a library's variants share, for the least demanding CPU.
  Error addShared(LLVMContext &context, const onnxc::Target &least);
  /// Adds to `module` what the shell asks for, the weights' place and the note.
  void defineShared(Module &module, const onnxc::Target &target);
  Error compile(const Module &module, ArrayRef<std::vector<std::string>> groups,
                const onnxc::Target &target);

  EmitKind kind;
  StringRef symbol;
  WeightLayout weights;
  ModelInfo info;                ///< of the first variant
  SmallVector<int64_t> defaults; ///< of the inputs, in the weights
  RunTasks runTasks;
  std::vector<std::string> variants; ///< names of their onnxc_variants
  std::vector<SmallVector<char, 0>> parts;
};
} // namespace

void Emitter::defineShared(Module &module, const onnxc::Target &target) {
  addInputTables(module, info, defaults);
  addVariantTable(module, variants);
  reserveWeights(module, weights.bytes, isLibrary());
  addNote(module, target);
}

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

Error Emitter::addObject(ModelCode code) {
  Module &module = *code.module;
  Expected<std::unique_ptr<TargetMachine>> machine =
      makeTargetMachine(code.target);
  if (!machine)
    return machine.takeError();
  Expected<std::vector<std::string>> calledByName =
      linkShell(module, code.target);
  if (!calledByName)
    return calledByName.takeError();
  Function *run = module.getFunction(generatedEntry);
  GlobalVariable *variant = addModelTable(module, code.info, code.target, *run);
  variants.push_back(variant->getName().str());
  defineShared(module, code.target);
  setTarget(module, code.target, **machine);
  hideAllButEntry(module, symbol, *calledByName);
  return compile(module, std::vector<std::vector<std::string>>(1), code.target);
}

Error Emitter::addVariant(ModelCode code) {
  Module &module = *code.module;
  Expected<std::unique_ptr<TargetMachine>> machine =
      makeTargetMachine(code.target);
  if (!machine)
    return machine.takeError();
  std::vector<std::string> kernels = kernelNames(module);
  if (Error error = linkMathematics(module, code.target))
    return error;
  auto rename = [&](GlobalValue &value) {
    value.setName(value.getName() + "." + code.target.name);
    return value.getName().str();
  };
  Function *run = module.getFunction(generatedEntry);
  variants.push_back(
      rename(*addModelTable(module, code.info, code.target, *run)));
  rename(*run);
  for (std::string &name : kernels)
    name = rename(*module.getFunction(name));
  setTarget(module, code.target, **machine);
  hideAllButGenerated(module);
  return compile(module, divideFunctions(module, kernels), code.target);
}

Error Emitter::addShared(LLVMContext &context, const onnxc::Target &least) {
  Expected<std::unique_ptr<TargetMachine>> machine = makeTargetMachine(least);
  if (!machine)
    return machine.takeError();
  Module module("shared", context);
  setTarget(module, least, **machine);
  defineShared(module, least);
  hideAllButGenerated(module);
  return compile(module, std::vector<std::vector<std::string>>(1), least);
}

Error Emitter::emit(std::vector<ModelCode> codes, StringRef path) {
  info = codes.front().info;
  defaults = placeDefaults(info, weights);
  LLVMContext &context = codes.front().module->getContext();
  const onnxc::Target least = codes.back().target;
  Triple triple(least.triple);
  if (isLibrary()) {
    for (ModelCode &code : codes)
      if (Error error = addVariant(std::move(code)))
        return error;
    if (Error error = addShared(context, least))
      return error;
  } else if (Error error = addObject(std::move(codes.front()))) {
    return error;
  }

  SmallVector<StringRef> objects;
  for (const SmallVector<char, 0> &part : parts)
    objects.emplace_back(part.data(), part.size());
  StringRef bytes = objects.front();
  if (kind == EmitKind::Assembler)
    return writeTextFile(path, bytes);
  if (isLibrary())
    objects.push_back(shellObject(triple));
  if (Error error = checkNothingUndefined(objects))
    return error;
  Expected<OutputFile> output = OutputFile::create(path);
  if (!output)
    return output.takeError();
  std::unique_ptr<MemoryBuffer> library;
  if (isLibrary()) {
    Expected<std::unique_ptr<MemoryBuffer>> linked =
        linkLibrary(objects, triple);
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
