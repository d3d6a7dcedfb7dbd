//===- Compile.cpp - Compiles an ONNX model to a native library -----------===//

#include "compiler/driver/Compile.h"
#include "compiler/codegen/cpu/Pipeline.h"
#include "compiler/codegen/cpu/Target.h"
#include "compiler/driver/CrashRecovery.h"
#include "compiler/driver/Diagnostics.h"
#include "compiler/driver/Registration.h"
#include "compiler/emit/Emit.h"
#include "compiler/emit/OutputFile.h"
#include "compiler/graph/Pipeline.h"
#include "compiler/import/Import.h"
#include "compiler/layout/Pipeline.h"
#include "compiler/lower/Passes.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/Threading.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

using namespace onnxc;

namespace {

/// One compilation.
class Compilation {
public:
  Compilation(const std::string &model, const std::string &output,
              const CompileOptions &options)
      : model(model), output(output), options(options),
        registry(makeRegistry()),
        context(registry, mlir::MLIRContext::Threading::DISABLED),
        errors(&context) {}

  /// Sets `error` and returns false on failure.
  bool run(std::string &error);

private:
  static mlir::DialectRegistry makeRegistry() {
    mlir::DialectRegistry registry;
    registerDialects(registry);
    return registry;
  }

  using Build = llvm::function_ref<void(mlir::OpPassManager &)>;
  /// Runs a pipeline on the module. An error without a text is one that
  /// `errors` has.
  llvm::Error stage(const char *name, Build build);
  void begin(const char *name);
  void end();

  llvm::Error compile();
  /// What precedes the choice of a CPU.
  llvm::Error import();
  /// The code of the module, which is gone afterwards, for one CPU.
  llvm::Expected<ModelCode> generate(const Target &target,
                                     llvm::LLVMContext &llvmContext);
  llvm::Error emit(const std::vector<Target> &targets);
  llvm::Error printModule();

  const std::string &model, &output;
  const CompileOptions &options;
  mlir::DialectRegistry registry;
  mlir::MLIRContext context;
  ErrorCollector errors;
  ImportedModel imported;
  ModelInfo info;
  kernel::WeightLayout weights;
  mlir::Attribute weightPlaces; ///< the same, as the module says it
  bool importing = true;
  const char *stageName = "";
  std::chrono::steady_clock::time_point stageBegin;
};

} // namespace

void Compilation::begin(const char *name) {
  stageName = name;
  stageBegin = std::chrono::steady_clock::now();
}

void Compilation::end() {
  if (!options.verbose)
    return;
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - stageBegin;
  llvm::errs() << llvm::format("%-8s %7.3f s\n", stageName, seconds.count());
}

static llvm::Error reportedError() {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "");
}

llvm::Error Compilation::stage(const char *name, Build build) {
  begin(name);
  mlir::PassManager manager(&context);
  build(manager);
  bool ok = mlir::succeeded(manager.run(*imported.module));
  end();
  return ok ? llvm::Error::success() : reportedError();
}

llvm::Error Compilation::printModule() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  mlir::OpPrintingFlags flags;
  flags.elideLargeElementsAttrs(16).elideLargeResourceString(0);
  imported.module->print(stream, flags);
  stream << "\n";
  return writeTextFile(output, text);
}

/// Does the tasks on as many threads as there are cores.
static llvm::Error runInParallel(size_t count,
                                 llvm::function_ref<llvm::Error(size_t)> task) {
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  llvm::Error error = llvm::Error::success();
  auto keepFirst = [&](llvm::Error failure) {
    std::lock_guard<std::mutex> lock(mutex);
    if (!error)
      error = std::move(failure);
    else
      llvm::consumeError(std::move(failure));
  };
  auto work = [&] {
    for (size_t i = next++; i < count; i = next++) {
      std::string crash;
      if (!runRecovering([&] { keepFirst(task(i)); }, crash))
        keepFirst(
            llvm::createStringError(llvm::inconvertibleErrorCode(), crash));
    }
  };
  size_t cores = llvm::hardware_concurrency().compute_thread_count();
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < std::min(count, cores); ++i)
    helpers.emplace_back(work);
  work();
  for (std::thread &helper : helpers)
    helper.join();
  return error;
}

llvm::Error Compilation::import() {
  begin("import");
  ImportOptions importOptions;
  importOptions.shapes = options.shapes;
  importOptions.keeps = hasLowering;
  mlir::FailureOr<ImportedModel> read =
      importModel(model, &context, importOptions);
  end();
  if (mlir::failed(read))
    return reportedError();
  imported = std::move(*read);
  if (options.emit == Emit::Onnx)
    return llvm::Error::success();

  if (llvm::Error error = stage("graph", buildGraphPipeline))
    return error;
  if (options.emit == Emit::Graph)
    return llvm::Error::success();

  if (llvm::Error error = stage("lower", buildLowerPipeline))
    return error;
  mlir::FailureOr<ModelInfo> described =
      ModelInfo::fromModule(*imported.module);
  if (mlir::failed(described))
    return reportedError();
  info = std::move(*described);
  info.compilerVersion = std::string("onnxc ") + compilerVersion();
  return llvm::Error::success();
}

llvm::Expected<ModelCode>
Compilation::generate(const Target &target, llvm::LLVMContext &llvmContext) {
  // The layout stage settled the weights: they lie alike for every CPU.
  weights = kernel::placeWeights(*imported.module);
  mlir::Attribute places =
      imported.module->getOperation()->getAttr(kernel::weightsAttrName);
  if (weightPlaces && places != weightPlaces)
    return llvm::createStringError(
        "internal error: the code for '%s' places the weights differently",
        target.name.c_str());
  weightPlaces = places;
  if (llvm::Error error = stage("memory", buildMemoryPipeline))
    return std::move(error);
  if (options.emit == Emit::Loops)
    return ModelCode();
  if (llvm::Error error = stage("codegen", [&](mlir::OpPassManager &manager) {
        buildCpuCodegenPipeline(manager, target, options.profile);
      }))
    return std::move(error);
  ModelCode code{nullptr, info, target};
  code.info.readKernels(*imported.module);
  llvm::Expected<std::unique_ptr<llvm::Module>> translated =
      translateToLlvm(*imported.module, llvmContext, target);
  if (!translated)
    return translated.takeError();
  imported.module = nullptr; // weights live in the context and the storage
  code.module = std::move(*translated);
  return code;
}

llvm::Error Compilation::emit(const std::vector<Target> &targets) {
  llvm::LLVMContext llvmContext;
  std::vector<ModelCode> variants;
  mlir::OwningOpRef<mlir::ModuleOp> common = std::move(imported.module);
  for (const Target &target : targets) {
    imported.module = variants.size() + 1 == targets.size() ? std::move(common)
                                                            : common->clone();
    if (llvm::Error error = stage("tiles", [&](mlir::OpPassManager &manager) {
          buildStrategyPipeline(manager, target);
        }))
      return error;
    if (options.emit == Emit::Tensor)
      return printModule();
    if (llvm::Error error = stage("buffers", buildBufferPipeline))
      return error;
    llvm::Expected<ModelCode> code = generate(target, llvmContext);
    if (!code)
      return code.takeError();
    if (options.emit == Emit::Loops)
      return printModule();
    variants.push_back(std::move(*code));
  }
  if (options.emit == Emit::Llvm) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    variants.front().module->print(stream, nullptr);
    return writeTextFile(output, text);
  }
  EmitKind kind = options.emit == Emit::Asm   ? EmitKind::Assembler
                  : options.emit == Emit::Obj ? EmitKind::Object
                                              : EmitKind::Library;
  begin("emit");
  llvm::Error error = emitModel(std::move(variants), std::move(weights), kind,
                                options.symbol, output, runInParallel);
  end();
  return error;
}

llvm::Error Compilation::compile() {
  llvm::Expected<std::vector<Target>> targets =
      makeTargets(options.cpu, options.triple);
  if (!targets)
    return targets.takeError();
  if (targets->size() > 1 && options.emit != Emit::So)
    return llvm::createStringError(
        llvm::inconvertibleErrorCode(),
        "CPUs '" + options.cpu +
            "': only a library can be for several; name one");
  if (llvm::Error error = import())
    return error;
  if (options.emit == Emit::Onnx || options.emit == Emit::Graph)
    return printModule();
  importing = false;
  if (llvm::Error error = stage("layout", [&](mlir::OpPassManager &manager) {
        buildLayoutPipeline(manager, targets->front());
      }))
    return error;
  return emit(*targets);
}

bool Compilation::run(std::string &error) {
  llvm::Error failure = compile();
  if (!failure)
    return true;
  std::string line = toString(std::move(failure));
  if (!errors.empty())
    line = errors.line(/*all=*/importing);
  else if (line.empty())
    line = std::string("internal error: stage ") + stageName +
           " failed without a reason";
  error = oneLine(line);
  return false;
}

/// What is wrong with the options; empty if nothing is.
static std::string checkOptions(const CompileOptions &options) {
  const std::string &symbol = options.symbol;
  bool valid = !symbol.empty() && !llvm::isDigit(symbol[0]);
  for (char c : symbol)
    valid &= llvm::isAlnum(c) || c == '_';
  if (!valid)
    return "'" + symbol + "' is not a name for a C function";
  if (symbol != "onnxc_get_model" && options.emit == Emit::So)
    return "a library's entry is onnxc_get_model; another name is for objects";
  return "";
}

bool onnxc::compile(const std::string &model, const std::string &output,
                    const CompileOptions &options, std::string &error) {
  error = checkOptions(options);
  if (!error.empty())
    return false;
  bool ok = false;
  return runRecovering(
             [&] { ok = Compilation(model, output, options).run(error); },
             error) &&
         ok;
}

const char *onnxc::compilerVersion() { return ONNXC_VERSION; }
