//===- ProfileKernels.cpp - Time stamps around each kernel ----------------===//

#include "compiler/codegen/cpu/FindKernels.h"
#include "compiler/codegen/cpu/KernelCost.h"
#include "compiler/codegen/cpu/Passes.h"
#include "dialects/onnx/NodeLocation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

namespace onnxc {
#define GEN_PASS_DEF_PROFILEKERNELS
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// What code a kernel runs: "conv", "transpose", "elementwise", "reduce".
static StringRef kindOf(Operation *op) {
  if (isLoopNest(op))
    return "loops";
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return generic.getNumReductionLoops() ? "reduce" : "elementwise";
  return op->getName().stripDialect();
}

namespace {
/// The op's buffers as a text with a '?' for each size that only a run knows,
/// and those sizes.
struct Shapes {
  std::string text;
  SmallVector<Value> sizes;
};
} // namespace

static Shapes shapesOf(Code &code, Operation *op) {
  Shapes shapes;
  llvm::raw_string_ostream stream(shapes.text);
  auto destination = dyn_cast<DestinationStyleOpInterface>(op);
  StringRef comma = "", arrow = "-> ";
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type)
      continue;
    bool isResult = destination ? destination.isDpsInit(&operand)
                                : operand.getOperandNumber() > 0; // a copy
    stream << (isResult ? arrow : comma) << type.getElementType() << "[";
    llvm::interleave(
        memref::getMixedSizes(code.builder, code.loc, operand.get()), stream,
        [&](OpFoldResult size) {
          if (std::optional<int64_t> known = Code::known(size)) {
            stream << *known;
            return;
          }
          stream << "?";
          shapes.sizes.push_back(code.value(size));
        },
        ",");
    stream << "]";
    comma = ", ";
    arrow = " -> ";
  }
  return shapes;
}

namespace {

class Profiler {
public:
  Profiler(ModuleOp module, func::FuncOp entry)
      : module(module), entry(entry),
        i64(IntegerType::get(entry.getContext(), 64)) {}

  void run() {
    for (Operation *op : findKernels(entry))
      bracket(op);
    module->setAttr("onnxc.kernels",
                    ArrayAttr::get(module.getContext(), kernels));
  }

private:
  void bracket(Operation *op) {
    OpBuilder builder(op);
    Code code(builder, op->getLoc());
    KernelCost cost = kernelCost(code, op);
    Shapes shapes = shapesOf(code, op);
    Value index = constant(code, static_cast<int64_t>(kernels.size()));
    kernels.push_back(describe(op, shapes));
    Value sizes = sizeMemory(shapes.sizes.size());
    for (auto [position, size] : llvm::enumerate(shapes.sizes)) {
      Value place = LLVM::GEPOp::create(
          builder, code.loc, sizes.getType(), i64, sizes,
          ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(position)});
      LLVM::StoreOp::create(builder, code.loc, asI64(code, size), place);
    }
    Value flops = asI64(code, code.value(cost.flops));
    Value bytes = asI64(code, code.value(cost.bytes));
    call(builder, code.loc, "onnxc_shell_kernel_begin", {frame(), index});
    builder.setInsertionPointAfter(op);
    call(builder, code.loc, "onnxc_shell_kernel_end",
         {frame(), index, flops, bytes, sizes});
  }

  Attribute describe(Operation *op, const Shapes &shapes) {
    Builder builder(module.getContext());
    SmallVector<Attribute> nodes, operators;
    for (const SourceNode &node : sourceNodes(op)) {
      nodes.push_back(node.name);
      operators.push_back(node.op);
    }
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("kind", builder.getStringAttr(kindOf(op))),
         builder.getNamedAttr("nodes", builder.getArrayAttr(nodes)),
         builder.getNamedAttr("operators", builder.getArrayAttr(operators)),
         builder.getNamedAttr("shapes", builder.getStringAttr(shapes.text))});
  }

  Value frame() { return entry.getArgument(0); }

  Value constant(Code &code, int64_t value) {
    return arith::ConstantOp::create(code.builder, code.loc,
                                     code.builder.getI64IntegerAttr(value));
  }

  Value asI64(Code &code, Value index) {
    return arith::IndexCastOp::create(code.builder, code.loc, i64, index);
  }

  /// Stack memory for `count` sizes; calls follow one another and share it.
  Value sizeMemory(size_t count) {
    Value &place = memory[count];
    if (!place) {
      OpBuilder builder = OpBuilder::atBlockBegin(&entry.getBody().front());
      Code code(builder, entry.getLoc());
      place = LLVM::AllocaOp::create(
          builder, code.loc, LLVM::LLVMPointerType::get(i64.getContext()),
          LLVM::LLVMArrayType::get(i64, std::max<size_t>(count, 1)),
          constant(code, 1));
    }
    return place;
  }

  void call(OpBuilder &builder, Location loc, StringRef name,
            ValueRange arguments) {
    if (!module.lookupSymbol(name)) {
      OpBuilder atStart = OpBuilder::atBlockBegin(module.getBody());
      func::FuncOp::create(atStart, loc, name,
                           builder.getFunctionType(arguments.getTypes(), {}))
          .setPrivate();
    }
    func::CallOp::create(builder, loc, name, TypeRange(), arguments);
  }

  ModuleOp module;
  func::FuncOp entry;
  Type i64;
  SmallVector<Attribute> kernels;
  DenseMap<size_t, Value> memory;
};

struct ProfileKernelsPass
    : onnxc::impl::ProfileKernelsBase<ProfileKernelsPass> {
  void runOnOperation() override {
    auto entry =
        getOperation().lookupSymbol<func::FuncOp>("onnxc_generated_run");
    if (!entry) {
      getOperation().emitError("module has no function @onnxc_generated_run");
      return signalPassFailure();
    }
    Profiler(getOperation(), entry).run();
  }
};

} // namespace
