//===- BuildEntry.cpp - @main becomes the function that the shell calls ---===//

#include "compiler/layout/BufferPlan.h"
#include "compiler/layout/EntryFunction.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace onnxc;

/// The size of a buffer, without what lies between it and the next.
static Value exactBytes(OpBuilder &builder, Location loc, MemRefType type,
                        ValueRange sizes) {
  int64_t constant = elementBytes(type.getElementType());
  for (int64_t size : type.getShape())
    if (!ShapedType::isDynamic(size))
      constant *= size;
  Value result = arith::ConstantIndexOp::create(builder, loc, constant);
  for (Value size : sizes)
    result = builder.createOrFold<arith::MulIOp>(loc, result, size);
  return result;
}

/// The buffer's size, rounded up to the alignment.
static Value bytes(OpBuilder &builder, memref::AllocOp alloc) {
  Location loc = alloc.getLoc();
  auto index = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value).getResult();
  };
  Value exact =
      exactBytes(builder, loc, alloc.getType(), alloc.getDynamicSizes());
  if (std::optional<int64_t> constant = getConstantIntValue(exact))
    return index(llvm::alignTo(*constant, bufferAlignment));
  Value result =
      arith::AddIOp::create(builder, loc, exact, index(bufferAlignment - 1));
  return arith::AndIOp::create(builder, loc, result, index(-bufferAlignment));
}

/// A return in the middle of a region needs blocks: regions that ask for memory
/// or hold a check become branches.
static LogicalResult flattenRegions(func::FuncOp main) {
  DenseSet<Operation *> flatten;
  main.walk([&](Operation *op) {
    if (!isa<memref::AllocOp, cf::AssertOp, kernel::CheckOp, kernel::ReserveOp,
             kernel::NewBoxOp, kernel::MakeValueOp>(op))
      return;
    for (Operation *parent = op->getParentOp(); parent != main;
         parent = parent->getParentOp())
      flatten.insert(parent);
  });
  if (flatten.empty())
    return success();
  RewritePatternSet patterns(main.getContext());
  populateSCFToControlFlowConversionPatterns(patterns);
  ConversionTarget target(*main.getContext());
  target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  target.addDynamicallyLegalDialect<scf::SCFDialect>(
      [&](Operation *op) { return !flatten.contains(op); });
  return applyPartialConversion(main, target, std::move(patterns));
}

/// Memory of the size that buffers of loops need, slot by slot.
static void buildSlots(EntryFunction &entry, BufferPlan &plan) {
  SmallVector<kernel::SlotOp> slots;
  SmallVector<kernel::ReserveOp> reserved;
  entry.function().walk([&](Operation *op) {
    if (auto slot = dyn_cast<kernel::SlotOp>(op))
      slots.push_back(slot);
    if (auto reserve = dyn_cast<kernel::ReserveOp>(op))
      reserved.push_back(reserve);
  });
  int64_t count = 0;
  for (kernel::SlotOp slot : slots) {
    OpBuilder builder(slot);
    slot.replaceAllUsesWith(
        arith::ConstantIndexOp::create(builder, slot.getLoc(), count++)
            .getResult());
    slot.erase();
  }
  for (Buffer &buffer : plan.buffers) {
    if (!buffer.perIteration || buffer.alloc.use_empty())
      continue;
    memref::AllocOp alloc = buffer.alloc;
    OpBuilder builder(alloc);
    auto index = [&](int64_t value) {
      return arith::ConstantIndexOp::create(builder, alloc.getLoc(), value)
          .getResult();
    };
    auto reserve = kernel::ReserveOp::create(builder, alloc.getLoc(),
                                             alloc.getType(), index(count++),
                                             index(0), alloc.getDynamicSizes());
    alloc.replaceAllUsesWith(reserve.getBuffer());
    reserved.push_back(reserve);
  }
  if (reserved.empty())
    return;
  Value memory = entry.slots(reserved.front().getLoc(), count);
  for (kernel::ReserveOp reserve : reserved) {
    OpBuilder builder(reserve);
    Location loc = reserve.getLoc();
    auto type = cast<MemRefType>(reserve.getBuffer().getType());
    Value size = exactBytes(builder, loc, type, reserve.getSizes());
    Value offset =
        builder.createOrFold<arith::MulIOp>(loc, reserve.getPosition(), size);
    Value pointer = entry.callReserve(builder, loc, memory, reserve.getSlot(),
                                      offset, size);
    entry.returnIfNull(builder, loc, pointer);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    reserve.replaceAllUsesWith(
        memref::ViewOp::create(builder, loc, type,
                               EntryFunction::bytesAt(builder, loc, pointer),
                               zero, reserve.getSizes())
            .getResult());
    reserve.erase();
  }
}

static Value view(OpBuilder &builder, memref::AllocOp alloc, Value bytes,
                  Value offset) {
  return memref::ViewOp::create(builder, alloc.getLoc(), alloc.getType(), bytes,
                                offset, alloc.getDynamicSizes());
}

LogicalResult onnxc::buildEntry(func::FuncOp main, BufferPlan plan) {
  if (failed(flattenRegions(main)))
    return failure();
  Block *block = &main.getBody().front();
  auto module = main->getParentOfType<ModuleOp>();
  Location loc = main.getLoc();
  EntryFunction entry(module, loc);
  OpBuilder builder(plan.sizesEnd);
  auto index = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value).getResult();
  };
  Region &body = entry.function().getBody();

  // Inputs: equal names are equal dims, and one value.
  builder.setInsertionPointToStart(block);
  llvm::StringMap<Value> namedDims;
  for (BlockArgument argument : main.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type) {
      OpBuilder behindSizes(plan.sizesEnd->getBlock(),
                            ++plan.sizesEnd->getIterator());
      Value position = arith::ConstantIndexOp::create(behindSizes, loc, number);
      argument.replaceAllUsesWith(
          kernel::MakeValueOp::create(behindSizes, loc,
                                      behindSizes.getIndexType(), "input",
                                      position, StringAttr())
              .getBoxed());
      continue;
    }
    auto names = main.getArgAttrOfType<ArrayAttr>(number, "onnx.dims");
    SmallVector<Value> sizes;
    for (int64_t i = 0; i < type.getRank(); ++i) {
      if (!type.isDynamicDim(i))
        continue;
      StringRef name;
      if (names && i < static_cast<int64_t>(names.size()))
        if (auto attr = dyn_cast<StringAttr>(names[i]))
          name = attr.getValue();
      Value &known =
          namedDims[name.empty() ? ("#" + Twine(number) + "." + Twine(i)).str()
                                 : name.str()];
      if (!known)
        known = entry.inputDim(builder, loc, number, i);
      sizes.push_back(known);
    }
    Value input = memref::ViewOp::create(builder, loc, type,
                                         entry.inputBytes(builder, loc, number),
                                         index(0), sizes);
    argument.replaceAllUsesWith(input);
  }

  // Outputs and the workspace, as early as their sizes are known.
  builder.setInsertionPoint(plan.sizesEnd);
  SmallVector<Value> pointers;
  SmallVector<std::pair<Buffer *, Value>> atEntry;
  for (int64_t i = 0, e = plan.outputDims.size(); i < e; ++i)
    for (Buffer &buffer : plan.buffers)
      if (buffer.output == i && buffer.sizeKnownAtEntry) {
        pointers.push_back(
            entry.callOutput(builder, loc, i, plan.outputDims[i]));
        atEntry.push_back({&buffer, pointers.back()});
      }
  SmallVector<Value> offsets(plan.inWorkspace.size()),
      ends(plan.inWorkspace.size());
  Value total = index(bufferAlignment);
  for (unsigned i : plan.places.order) {
    Value size = bytes(builder, plan.buffers[plan.inWorkspace[i]].alloc);
    Value offset = index(0);
    for (unsigned below : plan.places.below[i])
      offset = builder.createOrFold<arith::MaxSIOp>(loc, offset, ends[below]);
    offsets[i] = offset;
    ends[i] = builder.createOrFold<arith::AddIOp>(loc, offset, size);
    total = builder.createOrFold<arith::MaxSIOp>(loc, total, ends[i]);
  }
  pointers.push_back(entry.callWorkspace(builder, loc, total));
  for (auto [buffer, pointer] : atEntry) {
    buffer->alloc.replaceAllUsesWith(
        view(builder, buffer->alloc,
             EntryFunction::bytesAt(builder, loc, pointer), index(0)));
  }
  Value workspace = EntryFunction::bytesAt(builder, loc, pointers.back());
  for (auto [i, offset] : llvm::enumerate(offsets)) {
    memref::AllocOp alloc = plan.buffers[plan.inWorkspace[i]].alloc;
    alloc.replaceAllUsesWith(view(builder, alloc, workspace, offset));
  }
  main.walk([&](kernel::WeightOp weight) {
    Value bytes = entry.weightBytes(builder, loc);
    weight.getResult().replaceAllUsesWith(memref::ViewOp::create(
        builder, weight.getLoc(), cast<MemRefType>(weight.getType()), bytes,
        index(*weight.getOffset()), ValueRange()));
    weight.erase();
  });

  // Take the body over, then split it where it may return.
  auto terminators = llvm::to_vector(main.getBody().getOps<func::ReturnOp>());
  body.getBlocks().splice(body.end(), main.getBody().getBlocks());
  Block *first = &body.front();
  block->eraseArguments(0, block->getNumArguments());
  first->getOperations().splice(first->end(), block->getOperations());
  block->erase();
  for (func::ReturnOp terminator : terminators) {
    builder.setInsertionPoint(terminator);
    for (OpOperand &operand : terminator->getOpOperands())
      if (operand.get().getType().isIndex())
        kernel::MakeValueOp::create(
            builder, loc, builder.getIndexType(), "output",
            ValueRange{index(operand.getOperandNumber()), operand.get()},
            StringAttr());
    Value ok =
        arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(0));
    terminator->setOperands(ok);
  }
  builder.setInsertionPoint(plan.sizesEnd);
  entry.returnIfNull(builder, loc, pointers);
  buildSlots(entry, plan);
  buildValues(entry, plan.sizesEnd);
  for (Buffer &buffer : plan.buffers) {
    memref::AllocOp alloc = buffer.alloc;
    // An output is announced though nothing writes it: it may be empty.
    if (!buffer.sizeKnownAtEntry && (buffer.output || !alloc.use_empty())) {
      builder.setInsertionPoint(alloc);
      Value pointer =
          buffer.output
              ? entry.callOutput(builder, loc, *buffer.output,
                                 plan.outputDims[*buffer.output])
              : entry.callAllocate(builder, loc, bytes(builder, alloc));
      entry.returnIfNull(builder, loc, pointer);
      alloc.replaceAllUsesWith(
          view(builder, alloc, EntryFunction::bytesAt(builder, loc, pointer),
               index(0)));
    }
    alloc.erase();
  }
  SmallVector<Operation *> checks;
  entry.function().walk([&](Operation *op) {
    if (isa<cf::AssertOp, kernel::CheckOp>(op))
      checks.push_back(op);
  });
  for (Operation *op : checks) {
    builder.setInsertionPoint(op);
    if (auto check = dyn_cast<kernel::CheckOp>(op))
      entry.returnUnless(builder, check.getLoc(), check.getCondition(),
                         check.getMessage(), check.getValues());
    else if (auto assertion = dyn_cast<cf::AssertOp>(op))
      entry.returnUnless(builder, assertion.getLoc(), assertion.getArg(),
                         assertion.getMsg());
    op->erase();
  }
  if (plan.sizesEnd->use_empty())
    plan.sizesEnd->erase();
  main.erase();
  return success();
}
