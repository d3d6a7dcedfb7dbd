//===- TerminateRuns.cpp - Let the host end a run between kernels ---------===//

#include "compiler/codegen/cpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace onnxc {
#define GEN_PASS_DEF_TERMINATERUNS
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace onnxc

using namespace mlir;

namespace {

constexpr llvm::StringLiteral parallel = "onnxc_shell_parallel",
                              terminated = "onnxc_shell_terminated";

struct TerminateRuns : onnxc::impl::TerminateRunsBase<TerminateRuns> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto entry = module.lookupSymbol<func::FuncOp>("onnxc_generated_run");
    if (!entry) // a piece of a model, in a test
      return;
    SymbolTable symbols(module);
    SmallVector<func::CallOp> calls;
    for (Block &block : entry.getBody())
      for (auto call : block.getOps<func::CallOp>())
        if (isKernel(call, symbols))
          calls.push_back(call);
    if (calls.empty())
      return;
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    Type i32 = builder.getI32Type();
    func::FuncOp::create(
        builder, entry.getLoc(), terminated,
        builder.getFunctionType(entry.getArgumentTypes().front(), i32))
        .setPrivate();
    Block *end = builder.createBlock(&entry.getBody(), entry.getBody().end(),
                                     i32, entry.getLoc());
    func::ReturnOp::create(builder, entry.getLoc(), end->getArgument(0));
    for (func::CallOp call : calls) {
      Location loc = call.getLoc();
      Block *here = call->getBlock(), *next = here->splitBlock(call);
      builder.setInsertionPointToEnd(here);
      Value status = func::CallOp::create(builder, loc, terminated, i32,
                                          entry.getArgument(0))
                         .getResult(0);
      Value ok = arith::ConstantIntOp::create(builder, loc, i32, 0);
      Value goesOn = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::eq, status, ok);
      cf::CondBranchOp::create(builder, loc, goesOn, next, ValueRange(), end,
                               status);
    }
  }

  /// Kernels are the functions of the module; what else is called is declared.
  static bool isKernel(func::CallOp call, const SymbolTable &symbols) {
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    return call.getCallee() == parallel || (callee && !callee.isExternal());
  }
};

} // namespace
