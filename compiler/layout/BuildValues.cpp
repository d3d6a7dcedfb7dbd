//===- BuildValues.cpp - Boxed values become calls of the shell -----------===//

#include "compiler/layout/EntryFunction.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace onnxc;

static Type pointerType(OpBuilder &builder) {
  return LLVM::LLVMPointerType::get(builder.getContext());
}

static Value toPointer(OpBuilder &builder, Location loc, Value address) {
  Value integer =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), address);
  return LLVM::IntToPtrOp::create(builder, loc, pointerType(builder), integer);
}

static Value toAddress(OpBuilder &builder, Location loc, Value pointer) {
  Value integer =
      LLVM::PtrToIntOp::create(builder, loc, builder.getI64Type(), pointer);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    integer);
}

static Value viewOf(OpBuilder &builder, Location loc, MemRefType type,
                    Value bytes, ValueRange sizes) {
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  return memref::ViewOp::create(builder, loc, type, bytes, zero, sizes);
}

static void build(EntryFunction &entry, kernel::NewBoxOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  auto type = cast<MemRefType>(op.getBuffer().getType());
  SmallVector<Value> dims;
  ValueRange sizes = op.getSizes();
  for (int64_t dim : type.getShape()) {
    if (!ShapedType::isDynamic(dim)) {
      dims.push_back(arith::ConstantOp::create(builder, loc,
                                               builder.getI64IntegerAttr(dim)));
      continue;
    }
    dims.push_back(arith::IndexCastOp::create(
        builder, loc, builder.getI64Type(), sizes.front()));
    sizes = sizes.drop_front();
  }
  Value pointer = entry.callNewBox(
      builder, loc, static_cast<int64_t>(op.getElemType()), dims);
  entry.returnIfNull(builder, loc, pointer);
  op.getBuffer().replaceAllUsesWith(
      viewOf(builder, loc, type, entry.boxBytes(builder, loc, pointer),
             op.getSizes()));
  op.getBoxed().replaceAllUsesWith(toAddress(builder, loc, pointer));
}

static void build(EntryFunction &entry, kernel::UnboxOp op) {
  OpBuilder builder(op);
  Value pointer = toPointer(builder, op.getLoc(), op.getBoxed());
  op.replaceAllUsesWith(
      viewOf(builder, op.getLoc(), cast<MemRefType>(op.getTensor().getType()),
             entry.boxBytes(builder, op.getLoc(), pointer), op.getSizes()));
}

static void build(EntryFunction &entry, kernel::MakeValueOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  SmallVector<Value> operands(op.getOperands());
  if (std::optional<StringRef> text = op.getText())
    operands.insert(operands.begin(),
                    toAddress(builder, loc, entry.text(builder, loc, *text)));
  Value pointer = entry.callValue(builder, loc, op.getKind(),
                                  pointerType(builder), operands);
  entry.returnIfNull(builder, loc, pointer);
  op.replaceAllUsesWith(toAddress(builder, loc, pointer));
}

static void build(EntryFunction &entry, kernel::ReadValueOp op) {
  OpBuilder builder(op);
  Value fact = entry.callValue(builder, op.getLoc(), op.getFact(),
                               builder.getI64Type(), op.getOperands());
  Value index = arith::IndexCastOp::create(builder, op.getLoc(),
                                           builder.getIndexType(), fact);
  op.getResult().replaceAllUsesWith(index);
}

static void build(EntryFunction &entry, kernel::StringsOp op,
                  Operation *begin) {
  OpBuilder builder(begin);
  std::string texts;
  for (auto value : op.getValues().getAsRange<StringAttr>())
    texts += value.str() + '\0';
  Value pointer = entry.callStrings(
      builder, op.getLoc(), entry.text(builder, op.getLoc(), texts),
      static_cast<int64_t>(op.getValues().size()));
  entry.returnIfNull(builder, op.getLoc(), pointer);
  op.replaceAllUsesWith(
      viewOf(builder, op.getLoc(), cast<MemRefType>(op.getTensor().getType()),
             EntryFunction::bytesAt(builder, op.getLoc(), pointer), {}));
}

void onnxc::buildValues(EntryFunction &entry, Operation *begin) {
  SmallVector<Operation *> operations;
  entry.function().walk([&](Operation *op) {
    if (isa<kernel::NewBoxOp, kernel::UnboxOp, kernel::MakeValueOp,
            kernel::ReadValueOp, kernel::StringsOp>(op))
      operations.push_back(op);
  });
  for (Operation *op : operations) {
    if (auto box = dyn_cast<kernel::NewBoxOp>(op))
      build(entry, box);
    else if (auto unbox = dyn_cast<kernel::UnboxOp>(op))
      build(entry, unbox);
    else if (auto make = dyn_cast<kernel::MakeValueOp>(op))
      build(entry, make);
    else if (auto read = dyn_cast<kernel::ReadValueOp>(op))
      build(entry, read);
    else
      build(entry, cast<kernel::StringsOp>(op), begin);
    op->erase();
  }
}
