//===- NativeCode.cpp - From LLVM IR to machine code ----------------------===//

#include "compiler/emit/NativeCode.h"

#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"

using namespace llvm;
using namespace onnxc;

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

Expected<std::unique_ptr<TargetMachine>>
onnxc::makeTargetMachine(const onnxc::Target &target) {
  Triple triple(target.triple);
  std::string error;
  const llvm::Target *registered = TargetRegistry::lookupTarget(triple, error);
  if (!registered)
    return makeError(error);
  TargetOptions options;
  options.FunctionSections = true; // the linker drops what nothing calls
  options.DataSections = true;
  std::unique_ptr<TargetMachine> machine(registered->createTargetMachine(
      triple, target.cpu, target.features, options, Reloc::PIC_,
      CodeModel::Small, CodeGenOptLevel::Default));
  if (!machine)
    return makeError("no code generator for " + target.triple);
  return machine;
}

void onnxc::setTarget(Module &module, const onnxc::Target &target,
                      TargetMachine &machine) {
  module.setTargetTriple(Triple(target.triple));
  module.setDataLayout(machine.createDataLayout());
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.cpu);
    function.removeFnAttr("tune-cpu");
    function.removeFnAttr("min-legal-vector-width");
    if (target.features.empty())
      function.removeFnAttr("target-features");
    else
      function.addFnAttr("target-features", target.features);
    if (target.vectorBits == 512) // some CPUs' tuning prefers 256
      function.addFnAttr("prefer-vector-width", "512");
    // A loop or call must not turn into a call of a C library that is not
    // there (sincos for sin and cos).
    function.addFnAttr("no-builtins");
    function.addFnAttr(Attribute::NoUnwind);
  }
}

void onnxc::optimize(Module &module, TargetMachine &machine) {
  PipelineTuningOptions tuning;
  tuning.LoopVectorization = true;
  tuning.SLPVectorization = true;
  tuning.LoopInterleaving = true;
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  ModulePassManager passes;
  // What this model does not use of the shell is not worth optimising.
  passes.addPass(GlobalDCEPass());
  passes.addPass(builder.buildPerModuleDefaultPipeline(OptimizationLevel::O2));
  passes.run(module, modules);
}

Error onnxc::generateCode(Module &module, TargetMachine &machine,
                          CodeGenFileType kind, raw_pwrite_stream &stream) {
  legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, kind,
                                  /*DisableVerify=*/true))
    return makeError("the code generator cannot write this kind of file");
  passes.run(module);
  return Error::success();
}
