//===- Models.cpp - Small generated models for the emitter's tests --------===//

#include "test/unit/emit/Models.h"

#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/Parser/Parser.h"
#include "llvm/IR/LLVMContext.h"

using namespace mlir;
using namespace onnxc;

static const char *const declared = R"mlir(
module attributes {onnx.producer_name = "tester", onnx.graph_name = "scale",
                   onnx.model_version = 7, onnx.metadata = {key = "value"}} {
  func.func private @main(tensor<?x4xf32> {onnx.name = "x", onnx.dims = ["N", ""]},
                          tensor<?xi64> {onnx.name = "unused", onnx.dims = ["N"]})
      -> (tensor<?x4xf32> {onnx.name = "y", onnx.dims = ["N", ""]})
})mlir";

static const char *const declaredWithDefault = R"mlir(
module {
  func.func private @main(tensor<1x4xf32> {onnx.name = "x",
      onnx.default = dense<[[5.0, 6.0, 7.0, 8.0]]> : tensor<1x4xf32>})
      -> (tensor<1x4xf32> {onnx.name = "y"})
})mlir";

static const char *const generated = R"mlir(
module {
  llvm.func @onnxc_shell_output(!llvm.ptr, i64, i64, !llvm.ptr) -> !llvm.ptr
  llvm.func @onnxc_shell_workspace(!llvm.ptr, i64) -> !llvm.ptr
  llvm.func @onnxc_shell_status(!llvm.ptr) -> i32
  llvm.func @onnxc_shell_fail(!llvm.ptr, !llvm.ptr, i64, i64) -> i32
  llvm.func @onnxc_shell_parallel(!llvm.ptr, i64, i64, !llvm.ptr, !llvm.ptr)
  llvm.mlir.global internal constant @refused("{} rows are refused\00")
  llvm.func internal @body(%arg: !llvm.ptr, %begin: i64, %end: i64) {
    %one = llvm.mlir.constant(1 : i64) : i64
    %three = llvm.mlir.constant(3 : i64) : i64
    %from = llvm.load %arg : !llvm.ptr -> !llvm.ptr
    %p1 = llvm.getelementptr %arg[8] : (!llvm.ptr) -> !llvm.ptr, i8
    %weights = llvm.load %p1 : !llvm.ptr -> !llvm.ptr
    %p2 = llvm.getelementptr %arg[16] : (!llvm.ptr) -> !llvm.ptr, i8
    %to = llvm.load %p2 : !llvm.ptr -> !llvm.ptr
    llvm.br ^head(%begin : i64)
  ^head(%i: i64):
    %more = llvm.icmp "slt" %i, %end : i64
    llvm.cond_br %more, ^step, ^done
  ^step:
    %x = llvm.getelementptr %from[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %column = llvm.and %i, %three : i64
    %w = llvm.getelementptr %weights[%column] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %a = llvm.load %x : !llvm.ptr -> f32
    %b = llvm.load %w : !llvm.ptr -> f32
    %c = llvm.fmul %a, %b : f32
    %y = llvm.getelementptr %to[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %c, %y : f32, !llvm.ptr
    %next = llvm.add %i, %one : i64
    llvm.br ^head(%next : i64)
  ^done:
    llvm.return
  }
  llvm.func @onnxc_generated_run(%frame: !llvm.ptr) -> i32 {
    %zero = llvm.mlir.constant(0 : i64) : i64
    %ok = llvm.mlir.constant(0 : i32) : i32
    %one = llvm.mlir.constant(1 : i64) : i64
    %two = llvm.mlir.constant(2 : i64) : i64
    %four = llvm.mlir.constant(4 : i64) : i64
    %sixteen = llvm.mlir.constant(16 : i64) : i64
    %thirteen = llvm.mlir.constant(13 : i64) : i64
    %null = llvm.mlir.zero : !llvm.ptr
    %inputs = llvm.load %frame : !llvm.ptr -> !llvm.ptr
    %dimAt = llvm.getelementptr %inputs[16] : (!llvm.ptr) -> !llvm.ptr, i8
    %n = llvm.load %dimAt : !llvm.ptr -> i64
    %dims = llvm.alloca %two x i64 : (i64) -> !llvm.ptr
    llvm.store %n, %dims : i64, !llvm.ptr
    %dim1 = llvm.getelementptr %dims[1] : (!llvm.ptr) -> !llvm.ptr, i64
    llvm.store %four, %dim1 : i64, !llvm.ptr
    %out = llvm.call @onnxc_shell_output(%frame, %zero, %two, %dims) : (!llvm.ptr, i64, i64, !llvm.ptr) -> !llvm.ptr
    %bytes = llvm.mul %n, %sixteen : i64
    %space = llvm.call @onnxc_shell_workspace(%frame, %bytes) : (!llvm.ptr, i64) -> !llvm.ptr
    %missing = llvm.icmp "eq" %space, %null : !llvm.ptr
    llvm.cond_br %missing, ^stop, ^check
  ^stop:
    %status = llvm.call @onnxc_shell_status(%frame) : (!llvm.ptr) -> i32
    llvm.return %status : i32
  ^check:
    %unlucky = llvm.icmp "eq" %n, %thirteen : i64
    llvm.cond_br %unlucky, ^refuse, ^work
  ^refuse:
    %message = llvm.mlir.addressof @refused : !llvm.ptr
    %failed = llvm.call @onnxc_shell_fail(%frame, %message, %n, %n) : (!llvm.ptr, !llvm.ptr, i64, i64) -> i32
    llvm.return %failed : i32
  ^work:
    %dataAt = llvm.getelementptr %inputs[144] : (!llvm.ptr) -> !llvm.ptr, i8
    %data = llvm.load %dataAt : !llvm.ptr -> !llvm.ptr
    "llvm.intr.memcpy"(%space, %data, %bytes) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
    %weightsAt = llvm.getelementptr %frame[16] : (!llvm.ptr) -> !llvm.ptr, i8
    %weights = llvm.load %weightsAt : !llvm.ptr -> !llvm.ptr
    %arg = llvm.alloca %four x i64 : (i64) -> !llvm.ptr
    llvm.store %space, %arg : !llvm.ptr, !llvm.ptr
    %arg1 = llvm.getelementptr %arg[8] : (!llvm.ptr) -> !llvm.ptr, i8
    llvm.store %weights, %arg1 : !llvm.ptr, !llvm.ptr
    %arg2 = llvm.getelementptr %arg[16] : (!llvm.ptr) -> !llvm.ptr, i8
    llvm.store %out, %arg2 : !llvm.ptr, !llvm.ptr
    %count = llvm.mul %n, %four : i64
    %body = llvm.mlir.addressof @body : !llvm.ptr
    llvm.call @onnxc_shell_parallel(%frame, %count, %four, %body, %arg) : (!llvm.ptr, i64, i64, !llvm.ptr, !llvm.ptr) -> ()
    llvm.return %ok : i32
  }
})mlir";

std::string onnxc::test::emitScale(const std::string &path,
                                   llvm::ArrayRef<float> scale, EmitKind kind,
                                   const std::string &cpu,
                                   const std::string &triple,
                                   const std::string &symbol, bool hasDefault) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<LLVM::LLVMDialect, func::FuncDialect, DLTIDialect>();
  auto described = parseSourceString<ModuleOp>(
      hasDefault ? declaredWithDefault : declared, &context);
  FailureOr<ModelInfo> info = ModelInfo::fromModule(*described);
  if (failed(info))
    return "no model info";
  info->compilerVersion = "onnxc test";

  kernel::WeightLayout layout;
  kernel::PlacedWeight weight;
  auto type = RankedTensorType::get({static_cast<int64_t>(scale.size())},
                                    Float32Type::get(&context));
  weight.value = DenseElementsAttr::get(type, scale);
  weight.bytes = layout.bytes = 4 * static_cast<int64_t>(scale.size());
  if (!scale.empty())
    layout.weights.push_back(weight);

  llvm::Expected<Target> target = makeTarget(cpu, triple);
  if (!target)
    return toString(target.takeError());
  auto module = parseSourceString<ModuleOp>(generated, &context);
  llvm::LLVMContext llvmContext;
  auto translated = translateToLlvm(*module, llvmContext, *target);
  if (!translated)
    return toString(translated.takeError());
  std::vector<ModelCode> variants;
  variants.push_back({std::move(*translated), *info, *target});
  return toString(emitModel(std::move(variants), layout, kind, symbol, path));
}
