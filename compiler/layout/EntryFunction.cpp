//===- EntryFunction.cpp - The function that the shell calls --------------===//

#include "compiler/layout/EntryFunction.h"

#include "runtime/include/onnxc/model_abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <cstddef>
#include <limits>

using namespace mlir;
using namespace onnxc;

/// The fields that onnxc_frame begins with.
namespace {
struct FrameFields {
  const onnxc_value *inputs;
  onnxc_value *outputs;
  const char *weights;
};
} // namespace

static Value constant64(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getI64IntegerAttr(value));
}

static LLVM::LLVMPointerType pointerType(OpBuilder &builder) {
  return LLVM::LLVMPointerType::get(builder.getContext());
}

EntryFunction::EntryFunction(ModuleOp module, Location loc) : module(module) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  entry = func::FuncOp::create(
      builder, loc, "onnxc_generated_run",
      builder.getFunctionType({pointerType(builder)}, {builder.getI32Type()}));
  entry.addEntryBlock();
}

Value EntryFunction::field(OpBuilder &builder, Location loc, Type type,
                           Value base, int64_t offset) {
  Value address = LLVM::GEPOp::create(
      builder, loc, pointerType(builder), builder.getI8Type(), base,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
  return LLVM::LoadOp::create(builder, loc, type, address);
}

Value EntryFunction::inputDim(OpBuilder &builder, Location loc, int64_t index,
                              int64_t dim) {
  Value inputs = field(builder, loc, pointerType(builder), frame(),
                       offsetof(FrameFields, inputs));
  Value size =
      field(builder, loc, builder.getI64Type(), inputs,
            index * static_cast<int64_t>(sizeof(onnxc_value)) +
                static_cast<int64_t>(offsetof(onnxc_value, dims)) + dim * 8);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), size);
}

Value EntryFunction::inputBytes(OpBuilder &builder, Location loc,
                                int64_t index) {
  Value inputs = field(builder, loc, pointerType(builder), frame(),
                       offsetof(FrameFields, inputs));
  Value data = field(builder, loc, pointerType(builder), inputs,
                     index * static_cast<int64_t>(sizeof(onnxc_value)) +
                         static_cast<int64_t>(offsetof(onnxc_value, data)));
  return bytesAt(builder, loc, data);
}

Value EntryFunction::weightBytes(OpBuilder &builder, Location loc) {
  return bytesAt(builder, loc,
                 field(builder, loc, pointerType(builder), frame(),
                       offsetof(FrameFields, weights)));
}

Value EntryFunction::bytesAt(OpBuilder &builder, Location loc, Value pointer) {
  Type i64 = builder.getI64Type();
  Type one = LLVM::LLVMArrayType::get(i64, 1);
  Type descriptor = LLVM::LLVMStructType::getLiteral(
      builder.getContext(),
      {pointer.getType(), pointer.getType(), i64, one, one});
  Value value = LLVM::PoisonOp::create(builder, loc, descriptor);
  auto insert = [&](Value part, ArrayRef<int64_t> position) {
    value = LLVM::InsertValueOp::create(builder, loc, value, part, position);
  };
  insert(pointer, {0});
  insert(pointer, {1});
  insert(constant64(builder, loc, 0), {2});
  insert(constant64(builder, loc, std::numeric_limits<int64_t>::max()), {3, 0});
  insert(constant64(builder, loc, 1), {4, 0});
  auto type = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
  return UnrealizedConversionCastOp::create(builder, loc, type, value)
      .getResult(0);
}

Value EntryFunction::call(OpBuilder &builder, Location loc, StringRef name,
                          Type result, ValueRange arguments) {
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    auto declaration = func::FuncOp::create(
        builder, loc, name,
        builder.getFunctionType(arguments.getTypes(), {result}));
    declaration.setPrivate();
  }
  return func::CallOp::create(builder, loc, name, TypeRange{result}, arguments)
      .getResult(0);
}

/// The address of `dims` in memory of the function's.
Value EntryFunction::dimsArray(OpBuilder &builder, Location loc,
                               ValueRange dims) {
  Value array;
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&entry.getBody().front());
    auto type = LLVM::LLVMArrayType::get(builder.getI64Type(),
                                         std::max<size_t>(dims.size(), 1));
    array = LLVM::AllocaOp::create(builder, loc, pointerType(builder), type,
                                   constant64(builder, loc, 1));
  }
  for (auto [i, dim] : llvm::enumerate(dims)) {
    Value address = LLVM::GEPOp::create(
        builder, loc, pointerType(builder), builder.getI64Type(), array,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
    LLVM::StoreOp::create(builder, loc, dim, address);
  }
  return array;
}

Value EntryFunction::callOutput(OpBuilder &builder, Location loc, int64_t index,
                                ValueRange dims) {
  return call(builder, loc, "onnxc_shell_output", pointerType(builder),
              {frame(), constant64(builder, loc, index),
               constant64(builder, loc, dims.size()),
               dimsArray(builder, loc, dims)});
}

Value EntryFunction::callValue(OpBuilder &builder, Location loc,
                               StringRef function, Type result,
                               ValueRange operands) {
  SmallVector<Value> arguments{frame()};
  for (Value operand : operands)
    arguments.push_back(arith::IndexCastOp::create(
        builder, loc, builder.getI64Type(), operand));
  return call(builder, loc, ("onnxc_shell_value_" + function).str(), result,
              arguments);
}

Value EntryFunction::callNewBox(OpBuilder &builder, Location loc,
                                int64_t elemType, ValueRange dims) {
  return call(builder, loc, "onnxc_shell_value_tensor", pointerType(builder),
              {frame(), constant64(builder, loc, elemType),
               constant64(builder, loc, dims.size()),
               dimsArray(builder, loc, dims)});
}

Value EntryFunction::boxBytes(OpBuilder &builder, Location loc, Value pointer) {
  Value data = field(builder, loc, pointerType(builder), pointer,
                     static_cast<int64_t>(offsetof(onnxc_value, data)));
  return bytesAt(builder, loc, data);
}

Value EntryFunction::callStrings(OpBuilder &builder, Location loc, Value texts,
                                 int64_t count) {
  return call(builder, loc, "onnxc_shell_strings", pointerType(builder),
              {frame(), texts, constant64(builder, loc, count)});
}

Value EntryFunction::callWorkspace(OpBuilder &builder, Location loc,
                                   Value bytes) {
  bytes = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), bytes);
  return call(builder, loc, "onnxc_shell_workspace", pointerType(builder),
              {frame(), bytes});
}

Value EntryFunction::callAllocate(OpBuilder &builder, Location loc,
                                  Value bytes) {
  bytes = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), bytes);
  return call(builder, loc, "onnxc_shell_allocate", pointerType(builder),
              {frame(), bytes});
}

/// The words of the shell's onnxc_slot: a pointer and a size.
static constexpr int64_t slotWords = 2;

Value EntryFunction::slots(Location loc, int64_t count) {
  OpBuilder builder = OpBuilder::atBlockBegin(&entry.getBody().front());
  Value words = constant64(builder, loc, count * slotWords);
  Value memory = LLVM::AllocaOp::create(builder, loc, pointerType(builder),
                                        builder.getI64Type(), words);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getI8IntegerAttr(0));
  LLVM::MemsetOp::create(builder, loc, memory, zero,
                         constant64(builder, loc, count * slotWords * 8),
                         /*isVolatile=*/false);
  return memory;
}

Value EntryFunction::callReserve(OpBuilder &builder, Location loc, Value slots,
                                 Value slot, Value offset, Value bytes) {
  auto word = [&](Value index) {
    return arith::IndexCastOp::create(builder, loc, builder.getI64Type(), index)
        .getResult();
  };
  auto type = LLVM::LLVMArrayType::get(builder.getI64Type(), slotWords);
  Value address =
      LLVM::GEPOp::create(builder, loc, pointerType(builder), type, slots,
                          ArrayRef<LLVM::GEPArg>{word(slot)});
  return call(builder, loc, "onnxc_shell_reserve", pointerType(builder),
              {frame(), address, word(offset), word(bytes)});
}

void EntryFunction::branch(OpBuilder &builder, Location loc, Value good,
                           Block *bad) {
  Block *here = builder.getInsertionBlock();
  Block *rest = here->splitBlock(builder.getInsertionPoint());
  builder.setInsertionPointToEnd(here);
  cf::CondBranchOp::create(builder, loc, good, rest, ValueRange(), bad,
                           ValueRange());
  builder.setInsertionPointToStart(rest);
}

Block *EntryFunction::statusBlock(Location loc) {
  if (!status) {
    OpBuilder builder(module.getContext());
    status = builder.createBlock(&entry.getBody(), entry.getBody().end());
    Value result = call(builder, loc, "onnxc_shell_status",
                        builder.getI32Type(), {frame()});
    func::ReturnOp::create(builder, loc, result);
  }
  return status;
}

void EntryFunction::returnIfNull(OpBuilder &builder, Location loc,
                                 ValueRange pointers) {
  Value good;
  Value null = LLVM::ZeroOp::create(builder, loc, pointerType(builder));
  for (Value pointer : pointers) {
    Value notNull = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne,
                                         pointer, null);
    good = good ? arith::AndIOp::create(builder, loc, good, notNull).getResult()
                : notNull;
  }
  if (good)
    branch(builder, loc, good, statusBlock(loc));
}

Value EntryFunction::text(OpBuilder &builder, Location loc, StringRef value) {
  LLVM::GlobalOp global;
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    std::string bytes = value.str();
    bytes.push_back('\0');
    auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size());
    global = LLVM::GlobalOp::create(
        builder, loc, type, /*isConstant=*/true, LLVM::Linkage::Private,
        ("onnxc_text_" + Twine(texts++)).str(), builder.getStringAttr(bytes));
  }
  return LLVM::AddressOfOp::create(builder, loc, pointerType(builder),
                                   global.getSymName());
}

void EntryFunction::returnUnless(OpBuilder &builder, Location loc,
                                 Value condition, StringRef message,
                                 ValueRange values) {
  Block *failBlock;
  {
    OpBuilder::InsertionGuard guard(builder);
    failBlock = builder.createBlock(&entry.getBody(), entry.getBody().end());
    Type i64 = builder.getI64Type();
    SmallVector<Value> arguments = {frame(), text(builder, loc, message)};
    for (Value value : values)
      arguments.push_back(arith::IndexCastOp::create(builder, loc, i64, value));
    while (arguments.size() < 4)
      arguments.push_back(arith::ConstantIntOp::create(builder, loc, i64, 0));
    Value result =
        call(builder, loc, "onnxc_shell_fail", builder.getI32Type(), arguments);
    func::ReturnOp::create(builder, loc, result);
  }
  branch(builder, loc, condition, failBlock);
}
