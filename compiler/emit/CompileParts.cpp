//===- CompileParts.cpp - Machine code for parts of a model ---------------===//

#include "compiler/emit/CompileParts.h"
#include "compiler/emit/NativeCode.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

#include <algorithm>
#include <tuple>

using namespace llvm;
using namespace onnxc;

/// Instructions of a part, before they are optimised: about half a second's
/// work.
static constexpr size_t partInstructions = 10000;
static constexpr size_t mostParts = 16;

Error onnxc::runInOrder(size_t count, function_ref<Error(size_t)> task) {
  for (size_t i = 0; i < count; ++i)
    if (Error error = task(i))
      return error;
  return Error::success();
}

std::vector<std::vector<std::string>>
onnxc::divideFunctions(Module &module, ArrayRef<std::string> functions) {
  std::vector<std::pair<size_t, StringRef>> sizes;
  size_t total = 0;
  for (const std::string &name : functions) {
    sizes.emplace_back(module.getFunction(name)->getInstructionCount(), name);
    total += sizes.back().first;
  }
  size_t count = std::clamp<size_t>(total / partInstructions, 1, mostParts);
  std::vector<std::vector<std::string>> groups(count);
  // The largest first, each to the group that has least.
  llvm::sort(sizes, [](const auto &a, const auto &b) {
    return std::tie(b.first, a.second) < std::tie(a.first, b.second);
  });
  std::vector<size_t> filled(count);
  for (auto [size, name] : sizes) {
    size_t least =
        std::min_element(filled.begin(), filled.end()) - filled.begin();
    filled[least] += size;
    groups[least].push_back(name.str());
  }
  return groups;
}

namespace {
/// Where LLVM's code generator reports errors; it would end the process.
struct BackendErrors : DiagnosticHandler {
  explicit BackendErrors(std::string &first) : first(first) {}
  bool handleDiagnostics(const DiagnosticInfo &info) override {
    if (info.getSeverity() != DS_Error || !first.empty())
      return true;
    raw_string_ostream stream(first);
    DiagnosticPrinterRawOStream printer(stream);
    info.print(printer);
    return true;
  }
  std::string &first;
};
} // namespace

/// Leaves what group number `group` is to be compiled with.
static void keepPart(Module &module, ArrayRef<std::vector<std::string>> groups,
                     size_t group) {
  if (groups.size() == 1)
    return;
  StringSet<> own;
  for (const std::string &name : groups[group])
    own.insert(name);
  for (const std::vector<std::string> &names : groups) {
    for (const std::string &name : names) {
      Function *function = module.getFunction(name);
      if (!own.contains(name))
        function->deleteBody(); // makes it external
      function->setLinkage(GlobalValue::ExternalLinkage);
      function->setVisibility(GlobalValue::HiddenVisibility);
      function->setDSOLocal(true);
    }
  }
  if (group == 0)
    return;
  // The first part alone has the entry, the note and the weights' place.
  module.setModuleInlineAsm("");
  removeFromUsedLists(module, [](Constant *used) {
    return !isa<Function>(used->stripPointerCasts());
  });
  for (GlobalObject &object : module.global_objects())
    if (!object.isDeclaration() && !own.contains(object.getName())) {
      object.setVisibility(GlobalValue::DefaultVisibility);
      object.setLinkage(GlobalValue::InternalLinkage);
    }
}

Expected<std::vector<SmallVector<char, 0>>> onnxc::compileParts(
    const Module &module, ArrayRef<std::vector<std::string>> groups,
    const onnxc::Target &target, CodeGenFileType kind, RunTasks runTasks) {
  SmallVector<char, 0> bitcode;
  raw_svector_ostream bitcodeStream(bitcode);
  WriteBitcodeToFile(module, bitcodeStream);
  MemoryBufferRef buffer(StringRef(bitcode.data(), bitcode.size()), "model");

  std::vector<SmallVector<char, 0>> parts(groups.size());
  Error error = runTasks(groups.size(), [&](size_t group) -> Error {
    std::string message;
    LLVMContext context;
    context.setDiagnosticHandler(std::make_unique<BackendErrors>(message));
    Expected<std::unique_ptr<Module>> part = parseBitcodeFile(buffer, context);
    if (!part)
      return part.takeError();
    Expected<std::unique_ptr<TargetMachine>> machine =
        makeTargetMachine(target);
    if (!machine)
      return machine.takeError();
    keepPart(**part, groups, group);
    optimize(**part, **machine);
    raw_svector_ostream stream(parts[group]);
    if (Error failure = generateCode(**part, **machine, kind, stream))
      return failure;
    if (!message.empty())
      return createStringError(inconvertibleErrorCode(),
                               "code generation: " + message);
    return Error::success();
  });
  if (error)
    return std::move(error);
  return parts;
}
