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

/// Names the entry and hides everything else. What the code generator may call
/// by name (memcpy) must stay although nothing uses it yet.
static void hideAllButEntry(Module &module, StringRef symbol) {
  SmallVector<GlobalValue *> calledByName;
  for (Function &function : module)
    if (!function.isDeclaration() && !function.getName().starts_with("onnxc_"))
      calledByName.push_back(&function);
  Function *entry = module.getFunction(ONNXC_GET_MODEL_SYMBOL);
  entry->setVisibility(GlobalValue::DefaultVisibility);
  entry->setDSOLocal(false);
  internalizeModule(module,
                    [&](const GlobalValue &value) { return &value == entry; });
  appendToCompilerUsed(module, calledByName);
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

Error onnxc::emitModel(std::unique_ptr<Module> module, const ModelInfo &info,
                       WeightLayout weights, const onnxc::Target &target,
                       EmitKind kind, StringRef symbol, StringRef path,
                       RunTasks runTasks) {
  if (path == "-" && kind != EmitKind::Assembler)
    return makeError("machine code is not written to the standard output: "
                     "name a file");
  Expected<std::unique_ptr<TargetMachine>> machine = makeTargetMachine(target);
  if (!machine)
    return machine.takeError();
  Expected<std::unique_ptr<Module>> shell =
      loadShell(module->getContext(), Triple(target.triple));
  if (!shell)
    return shell.takeError();
  std::vector<std::string> kernels = kernelNames(*module);
  (*shell)->setTargetTriple(module->getTargetTriple());
  (*shell)->setDataLayout(module->getDataLayout());
  if (Linker::linkModules(*module, std::move(*shell)))
    return makeError("internal error: the model shell does not link");

  bool isLibrary = kind == EmitKind::Library;
  SmallVector<int64_t> defaults = placeDefaults(info, weights);
  addModelTable(*module, info, target, defaults);
  reserveWeights(*module, weights.bytes, isLibrary);
  setTarget(*module, target, **machine);
  hideAllButEntry(*module, symbol);

  // An object is one file, so that it links as any other.
  std::vector<std::vector<std::string>> groups(1);
  if (isLibrary)
    groups = divideFunctions(*module, kernels);
  Expected<std::vector<SmallVector<char, 0>>> parts =
      compileParts(*module, groups, target,
                   kind == EmitKind::Assembler ? CodeGenFileType::AssemblyFile
                                               : CodeGenFileType::ObjectFile,
                   runTasks);
  module.reset();
  if (!parts)
    return parts.takeError();
  StringRef bytes(parts->front().data(), parts->front().size());
  if (kind == EmitKind::Assembler)
    return writeTextFile(path, bytes);
  if (Error error = checkNothingUndefined(*parts))
    return error;
  Expected<OutputFile> output = OutputFile::create(path);
  if (!output)
    return output.takeError();
  std::unique_ptr<MemoryBuffer> library;
  if (isLibrary) {
    Expected<std::unique_ptr<MemoryBuffer>> linked =
        linkLibrary(*parts, Triple(target.triple));
    if (!linked)
      return linked.takeError();
    library = std::move(*linked);
    bytes = library->getBuffer();
  }
  if (Error error = output->write(bytes))
    return error;
  if (Error error = appendWeights(output->temporaryPath(), weights, isLibrary))
    return error;
  return output->commit();
}
