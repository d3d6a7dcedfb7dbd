//===- PlanMemory.cpp - Every buffer gets a place -------------------------===//

#include "compiler/layout/EntryFunction.h"
#include "compiler/layout/MemoryPlan.h"
#include "compiler/layout/Passes.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/Support/MathExtras.h"

namespace onnxc {
#define GEN_PASS_DEF_PLANMEMORY
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// What a dim of an input is taken to be where it is not known: a batch of
/// one, a picture or sequence of moderate size.
static int64_t guessedDim(int64_t dim) { return dim == 0 ? 1 : 256; }
static constexpr int64_t guessedUnknown = 64;

static int64_t elementBytes(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * elementBytes(complex.getElementType());
  if (!type.isIntOrFloat())
    return 8; // index
  return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8u);
}

namespace {

/// One memref.alloc of @main and what is decided about it.
struct Buffer {
  memref::AllocOp alloc;
  bool sizeKnownAtEntry = false;
  std::optional<int64_t> output; ///< index of the output that it holds
};

class Planner {
public:
  Planner(func::FuncOp main, ModuleOp module) : main(main), module(module) {}
  LogicalResult run();

private:
  LogicalResult verify();
  void hoistAllocsFromRegions();
  void shareBuffers();
  bool movable(Value value);
  void moveToEntry(Value value);
  bool isEntryValue(Value value);
  Operation *topLevel(Operation *op);
  bool dimsKnownAt(memref::AllocOp alloc, Value value);
  void claimOutputs();
  Value outputSize(OpBuilder &builder, Value value, int64_t dim);
  void place();
  int64_t guess(Value value, unsigned depth = 0);
  int64_t guessBytes(memref::AllocOp alloc);
  Value bytes(OpBuilder &builder, memref::AllocOp alloc);
  LogicalResult flattenRegions();
  void buildEntry();
  Value view(OpBuilder &builder, memref::AllocOp alloc, Value bytes,
             Value offset);

  func::FuncOp main;
  ModuleOp module;
  Block *block = nullptr;
  Operation *sizesEnd = nullptr; ///< sizes are computed before this op
  SmallVector<Buffer> buffers;
  /// Of each output its dims (as index), null where known later only.
  SmallVector<SmallVector<Value>> outputDims;
  SmallVector<unsigned> inWorkspace; ///< indices into `buffers`
  MemoryPlan plan;
  DenseSet<Value> entryValues;
};

} // namespace

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

Operation *Planner::topLevel(Operation *op) {
  return block->findAncestorOpInBlock(*op);
}

/// Whether `op` is a division by a value that is at least 1: it cannot trap,
/// which MLIR only knows of constant divisors.
static bool isGuardedDivision(Operation *op) {
  if (!isa<arith::FloorDivSIOp, arith::CeilDivSIOp, arith::DivSIOp,
           arith::RemSIOp>(op))
    return false;
  auto divisor = op->getOperand(1).getDefiningOp<arith::MaxSIOp>();
  return divisor && llvm::any_of(divisor->getOperands(), [](Value operand) {
           std::optional<int64_t> bound = getConstantIntValue(operand);
           return bound && *bound >= 1;
         });
}

/// Whether `value` follows from the inputs alone, by ops that may run first.
bool Planner::movable(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getOwner() == block;
  if (entryValues.contains(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (op->getNumRegions() != 0)
    return false;
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    // The inputs are never written.
    auto argument = dyn_cast<BlockArgument>(load.getMemRef());
    if (!argument || argument.getOwner() != block)
      return false;
  } else if (auto dim = dyn_cast<memref::DimOp>(op)) {
    if (!dim.getConstantIndex())
      return false;
  } else if (!isPure(op) && !isGuardedDivision(op)) {
    return false;
  }
  return llvm::all_of(op->getOperands(),
                      [&](Value operand) { return movable(operand); });
}

void Planner::moveToEntry(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !entryValues.insert(value).second)
    return;
  for (Value operand : op->getOperands())
    moveToEntry(operand);
  op->moveBefore(sizesEnd);
}

bool Planner::isEntryValue(Value value) {
  if (!movable(value))
    return false;
  moveToEntry(value);
  return true;
}

/// A guess for a size, to order buffers by.
int64_t Planner::guess(Value value, unsigned depth) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return *constant;
  Operation *op = value.getDefiningOp();
  if (!op || depth > 32)
    return guessedUnknown;
  if (auto dim = dyn_cast<memref::DimOp>(op))
    return guessedDim(dim.getConstantIndex().value_or(1));
  if (!isPure(op) || op->getNumRegions() != 0 || op->getNumResults() != 1)
    return guessedUnknown;
  SmallVector<Attribute> operands;
  for (Value operand : op->getOperands()) {
    if (!operand.getType().isIntOrIndex())
      return guessedUnknown;
    operands.push_back(
        IntegerAttr::get(operand.getType(),
                         APInt(operand.getType().isIndex()
                                   ? 64
                                   : operand.getType().getIntOrFloatBitWidth(),
                               guess(operand, depth + 1), /*isSigned=*/true,
                               /*implicitTrunc=*/true)));
  }
  SmallVector<OpFoldResult> results;
  if (failed(op->fold(operands, results)) || results.empty())
    return guessedUnknown;
  if (std::optional<int64_t> constant = getConstantIntValue(results[0]))
    return *constant;
  if (auto other = dyn_cast<Value>(results[0]); other && other != value)
    return guess(other, depth + 1);
  return guessedUnknown;
}

int64_t Planner::guessBytes(memref::AllocOp alloc) {
  MemRefType type = alloc.getType();
  // Not so large that the sum of all buffers could overflow.
  const int64_t limit = int64_t(1) << 44;
  int64_t result = elementBytes(type.getElementType());
  unsigned dynamic = 0;
  for (int64_t size : type.getShape()) {
    int64_t factor = ShapedType::isDynamic(size)
                         ? guess(alloc.getDynamicSizes()[dynamic++])
                         : size;
    if (factor <= 0)
      return 0;
    result = result > limit / factor ? limit : result * factor;
  }
  return result;
}

/// The buffer's size, rounded up to the alignment.
Value Planner::bytes(OpBuilder &builder, memref::AllocOp alloc) {
  MemRefType type = alloc.getType();
  Location loc = alloc.getLoc();
  int64_t constant = elementBytes(type.getElementType());
  for (int64_t size : type.getShape())
    if (!ShapedType::isDynamic(size))
      constant *= size;
  auto index = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value).getResult();
  };
  if (type.hasStaticShape())
    return index(llvm::alignTo(constant, bufferAlignment));
  Value result = index(constant);
  for (Value size : alloc.getDynamicSizes())
    result = builder.createOrFold<arith::MulIOp>(loc, result, size);
  result =
      arith::AddIOp::create(builder, loc, result, index(bufferAlignment - 1));
  return arith::AndIOp::create(builder, loc, result, index(-bufferAlignment));
}

//===----------------------------------------------------------------------===//
// What is decided before the function is rebuilt
//===----------------------------------------------------------------------===//

LogicalResult Planner::verify() {
  if (!main.getBody().hasOneBlock())
    return main.emitError("@main must have one block");
  for (Type type : llvm::concat<const Type>(main.getArgumentTypes(),
                                            main.getResultTypes())) {
    auto memref = dyn_cast<MemRefType>(type);
    if (!memref || !memref.getLayout().isIdentity())
      return main.emitError("@main takes and returns contiguous buffers, not ")
             << type;
  }
  return success();
}

/// An alloc in a loop or branch moves in front of it when its size is known
/// there and its contents do not leave the iteration.
void Planner::hoistAllocsFromRegions() {
  BufferViewFlowAnalysis views(main);
  SmallVector<memref::AllocOp> nested;
  main.walk([&](memref::AllocOp alloc) {
    if (alloc->getBlock() != block)
      nested.push_back(alloc);
  });
  for (memref::AllocOp alloc : nested) {
    bool leaves = llvm::any_of(views.resolve(alloc), [&](Value alias) {
      if (isa<BlockArgument>(alias))
        return true;
      return alias.getDefiningOp()->getNumRegions() != 0;
    });
    if (leaves)
      continue;
    Operation *ancestor = topLevel(alloc);
    bool known = llvm::all_of(alloc.getDynamicSizes(), [&](Value size) {
      if (Operation *op = size.getDefiningOp();
          op && op->getBlock() == block && op->isBeforeInBlock(ancestor))
        return true;
      return isEntryValue(size);
    });
    if (known)
      alloc->moveBefore(ancestor);
  }
}

/// An element-wise op may write its result over an operand that nothing reads
/// afterwards: one buffer less, and memory that is in the cache already.
void Planner::shareBuffers() {
  BufferViewFlowAnalysis views(main);
  DenseMap<Operation *, BufferViewFlowAnalysis::ValueSetT> aliases;
  auto aliasesOf =
      [&](memref::AllocOp alloc) -> BufferViewFlowAnalysis::ValueSetT & {
    auto [entry, isNew] = aliases.try_emplace(alloc);
    if (isNew)
      entry->second = views.resolve(alloc);
    return entry->second;
  };
  // Whether all uses of the buffer but `use` are on the given side of `op`.
  auto allUses = [&](memref::AllocOp alloc, OpOperand &use, bool before) {
    Operation *op = use.getOwner();
    for (Value alias : aliasesOf(alloc))
      for (OpOperand &other : alias.getUses()) {
        if (&other == &use)
          continue;
        Operation *user = topLevel(other.getOwner());
        bool isView = isa<ViewLikeOpInterface>(other.getOwner());
        if (user == op || (before ? !user->isBeforeInBlock(op)
                                  : user->isBeforeInBlock(op) && !isView))
          return false;
      }
    return true;
  };
  for (Operation &op : llvm::make_early_inc_range(*block)) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (!linalgOp || linalgOp.getNumDpsInits() != 1 ||
        linalgOp.getNumParallelLoops() != linalgOp.getNumLoops())
      continue;
    OpOperand &init = *linalgOp.getDpsInitOperand(0);
    AffineMap map = linalgOp.getMatchingIndexingMap(&init);
    auto result = init.get().getDefiningOp<memref::AllocOp>();
    if (!result || result->getBlock() != block || !map.isPermutation() ||
        linalgOp.payloadUsesValueFromOperand(&init) ||
        !allUses(result, init, /*before=*/false))
      continue;
    for (OpOperand *input : linalgOp.getDpsInputOperands()) {
      auto source = input->get().getDefiningOp<memref::AllocOp>();
      if (!source || source->getBlock() != block || source == result ||
          source.getType() != result.getType() ||
          !llvm::equal(source.getDynamicSizes(), result.getDynamicSizes()) ||
          linalgOp.getMatchingIndexingMap(input) != map ||
          !allUses(source, *input, /*before=*/true))
        continue;
      BufferViewFlowAnalysis::ValueSetT resultAliases = aliasesOf(result);
      aliasesOf(source).insert(resultAliases.begin(), resultAliases.end());
      aliasesOf(source).erase(result);
      result.replaceAllUsesWith(source.getResult());
      result.erase();
      break;
    }
  }
}

/// The alloc whose whole contents `value` shows, or null.
static memref::AllocOp wholeAlloc(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto alloc = dyn_cast<memref::AllocOp>(op))
      return alloc.getType().getLayout().isIdentity() ? alloc
                                                      : memref::AllocOp();
    // A reinterpret_cast here comes from a reshape of a whole buffer.
    if (!isa<memref::CastOp, memref::CollapseShapeOp, memref::ExpandShapeOp,
             memref::ReinterpretCastOp>(op))
      return {};
    value = op->getOperand(0);
  }
  return {};
}

/// Whether the dims of `value`, a view of `alloc`, can be told before `alloc`:
/// an output's memory is asked for by its dims.
bool Planner::dimsKnownAt(memref::AllocOp alloc, Value value) {
  while (value != alloc.getResult()) {
    Operation *view = value.getDefiningOp();
    for (Value size : view->getOperands().drop_front()) {
      Operation *op = size.getDefiningOp();
      bool isBefore =
          !op || (op->getBlock() == block && op->isBeforeInBlock(alloc));
      if (!isBefore && !movable(size))
        return false;
    }
    value = view->getOperand(0);
  }
  return true;
}

/// Gives each output an alloc of its own: the one it is computed in, or one
/// that it is copied to at the end.
void Planner::claimOutputs() {
  Operation *terminator = block->getTerminator();
  OpBuilder builder(terminator);
  DenseMap<Operation *, int64_t> claimed;
  for (OpOperand &operand : terminator->getOpOperands()) {
    memref::AllocOp alloc = wholeAlloc(operand.get());
    if (!alloc || alloc->getBlock() != block || claimed.contains(alloc) ||
        !dimsKnownAt(alloc, operand.get())) {
      auto type = cast<MemRefType>(operand.get().getType());
      SmallVector<Value> sizes;
      for (int64_t i = 0; i < type.getRank(); ++i)
        if (type.isDynamicDim(i))
          sizes.push_back(outputSize(builder, operand.get(), i));
      alloc =
          memref::AllocOp::create(builder, terminator->getLoc(), type, sizes);
      memref::CopyOp::create(builder, terminator->getLoc(), operand.get(),
                             alloc);
      operand.set(alloc);
    }
    claimed[alloc] = operand.getOperandNumber();
  }
  main.walk([&](memref::AllocOp alloc) {
    Buffer buffer;
    buffer.alloc = alloc;
    buffer.sizeKnownAtEntry =
        alloc->getBlock() == block &&
        llvm::all_of(alloc.getDynamicSizes(),
                     [&](Value size) { return isEntryValue(size); });
    if (auto it = claimed.find(alloc); it != claimed.end())
      buffer.output = it->second;
    buffers.push_back(buffer);
  });
  // The dims are those of the returned view, which may differ in shape from
  // the buffer that it shows.
  outputDims.resize(terminator->getNumOperands());
  for (Buffer &buffer : buffers) {
    if (!buffer.output)
      continue;
    Value value = terminator->getOperand(*buffer.output);
    auto type = cast<MemRefType>(value.getType());
    OpBuilder atAlloc(buffer.alloc);
    for (int64_t i = 0; i < type.getRank(); ++i) {
      Value size = type.isDynamicDim(i)
                       ? outputSize(atAlloc, value, i)
                       : arith::ConstantIndexOp::create(
                             atAlloc, buffer.alloc.getLoc(), type.getDimSize(i))
                             .getResult();
      buffer.sizeKnownAtEntry &= isEntryValue(size);
      outputDims[*buffer.output].push_back(size);
    }
  }
}

/// Dim `dim` of a view, from the sizes that its chain of ops names.
Value Planner::outputSize(OpBuilder &builder, Value value, int64_t dim) {
  auto type = cast<MemRefType>(value.getType());
  Location loc = value.getLoc();
  if (!type.isDynamicDim(dim))
    return arith::ConstantIndexOp::create(builder, loc, type.getDimSize(dim));
  if (auto cast = value.getDefiningOp<memref::CastOp>();
      cast && isa<MemRefType>(cast.getSource().getType()))
    return outputSize(builder, cast.getSource(), dim);
  if (auto collapse = value.getDefiningOp<memref::CollapseShapeOp>()) {
    Value size;
    ReassociationIndices group = collapse.getReassociationIndices()[dim];
    for (int64_t inner : group) {
      Value factor = outputSize(builder, collapse.getSrc(), inner);
      size = size ? builder.createOrFold<arith::MulIOp>(loc, size, factor)
                  : factor;
    }
    return size;
  }
  auto known = [&](OpFoldResult size) {
    if (auto sizeValue = dyn_cast<Value>(size))
      return sizeValue;
    return arith::ConstantIndexOp::create(builder, loc,
                                          *getConstantIntValue(size))
        .getResult();
  };
  if (auto expand = value.getDefiningOp<memref::ExpandShapeOp>())
    return known(expand.getMixedOutputShape()[dim]);
  if (auto cast = value.getDefiningOp<memref::ReinterpretCastOp>())
    return known(cast.getMixedSizes()[dim]);
  return builder.createOrFold<memref::DimOp>(
      loc, value,
      arith::ConstantIndexOp::create(builder, loc, dim).getResult());
}

/// Live ranges and places of the workspace's buffers.
void Planner::place() {
  BufferViewFlowAnalysis views(main);
  DenseMap<Operation *, int64_t> position;
  for (auto [i, op] : llvm::enumerate(*block))
    position[&op] = i;
  SmallVector<PlannedBuffer> planned;
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    if (buffer.output || !buffer.sizeKnownAtEntry)
      continue;
    PlannedBuffer range{guessBytes(buffer.alloc),
                        std::numeric_limits<int64_t>::max(), -1};
    for (Value alias : views.resolve(buffer.alloc))
      for (Operation *user : alias.getUsers()) {
        int64_t where = position[topLevel(user)];
        // Making a view reads nothing.
        if (!isa<ViewLikeOpInterface>(user))
          range.first = std::min(range.first, where);
        range.last = std::max(range.last, where);
      }
    if (range.last < 0 || range.first > range.last)
      range.first = range.last = position[buffer.alloc];
    planned.push_back(range);
    inWorkspace.push_back(i);
  }
  plan = planMemory(planned);
}

//===----------------------------------------------------------------------===//
// The entry
//===----------------------------------------------------------------------===//

/// A return in the middle of a region needs blocks: regions that hold an alloc
/// or a check become branches.
LogicalResult Planner::flattenRegions() {
  DenseSet<Operation *> flatten;
  main.walk([&](Operation *op) {
    if (!isa<memref::AllocOp, cf::AssertOp>(op))
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

Value Planner::view(OpBuilder &builder, memref::AllocOp alloc, Value bytes,
                    Value offset) {
  return memref::ViewOp::create(builder, alloc.getLoc(), alloc.getType(), bytes,
                                offset, alloc.getDynamicSizes());
}

void Planner::buildEntry() {
  Location loc = main.getLoc();
  EntryFunction entry(module, loc);
  OpBuilder builder(sizesEnd);
  auto index = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value).getResult();
  };
  Region &body = entry.function().getBody();

  // Inputs: equal names are equal dims, and one value.
  builder.setInsertionPointToStart(block);
  llvm::StringMap<Value> namedDims;
  for (BlockArgument argument : main.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto type = cast<MemRefType>(argument.getType());
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
  builder.setInsertionPoint(sizesEnd);
  auto dims64 = [&](ArrayRef<Value> dims) {
    return llvm::map_to_vector(dims, [&](Value dim) {
      return arith::IndexCastOp::create(builder, loc, builder.getI64Type(), dim)
          .getResult();
    });
  };
  SmallVector<Value> pointers;
  SmallVector<std::pair<Buffer *, Value>> atEntry;
  for (int64_t i = 0, e = outputDims.size(); i < e; ++i)
    for (Buffer &buffer : buffers)
      if (buffer.output == i && buffer.sizeKnownAtEntry) {
        pointers.push_back(
            entry.callOutput(builder, loc, i, dims64(outputDims[i])));
        atEntry.push_back({&buffer, pointers.back()});
      }
  SmallVector<Value> offsets(inWorkspace.size()), ends(inWorkspace.size());
  Value total = index(bufferAlignment);
  for (unsigned i : plan.order) {
    Value size = bytes(builder, buffers[inWorkspace[i]].alloc);
    Value offset = index(0);
    for (unsigned below : plan.below[i])
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
    memref::AllocOp alloc = buffers[inWorkspace[i]].alloc;
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
    Value ok =
        arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(0));
    terminator->setOperands(ok);
  }
  builder.setInsertionPoint(sizesEnd);
  entry.returnIfNull(builder, loc, pointers);
  for (Buffer &buffer : buffers) {
    memref::AllocOp alloc = buffer.alloc;
    if (!alloc.use_empty() && (buffer.output || !buffer.sizeKnownAtEntry)) {
      builder.setInsertionPoint(alloc);
      Value pointer =
          buffer.output
              ? entry.callOutput(builder, loc, *buffer.output,
                                 dims64(outputDims[*buffer.output]))
              : entry.callAllocate(builder, loc, bytes(builder, alloc));
      entry.returnIfNull(builder, loc, pointer);
      alloc.replaceAllUsesWith(
          view(builder, alloc, EntryFunction::bytesAt(builder, loc, pointer),
               index(0)));
    }
    alloc.erase();
  }
  SmallVector<cf::AssertOp> checks;
  entry.function().walk([&](cf::AssertOp check) { checks.push_back(check); });
  for (cf::AssertOp check : checks) {
    builder.setInsertionPoint(check);
    entry.returnUnless(builder, check.getLoc(), check.getArg(), check.getMsg());
    check.erase();
  }
  main.erase();
}

LogicalResult Planner::run() {
  if (failed(verify()))
    return failure();
  WalkResult placed = main.walk([&](kernel::WeightOp weight) {
    if (weight.getOffset())
      return WalkResult::advance();
    weight.emitError("weight has no offset in the weight section");
    return WalkResult::interrupt();
  });
  if (placed.wasInterrupted())
    return failure();
  block = &main.getBody().front();
  // A mark that stays while ops move around it.
  OpBuilder builder = OpBuilder::atBlockBegin(block);
  sizesEnd = arith::ConstantIndexOp::create(builder, main.getLoc(), 0);
  // Checks of what the inputs say come before sizes are used.
  for (cf::AssertOp check :
       llvm::to_vector(main.getBody().getOps<cf::AssertOp>()))
    if (isEntryValue(check.getArg()))
      check->moveBefore(sizesEnd);
  hoistAllocsFromRegions();
  shareBuffers();
  claimOutputs();
  place();
  if (failed(flattenRegions()))
    return failure();
  buildEntry();
  if (sizesEnd->use_empty())
    sizesEnd->erase();
  return success();
}

namespace {
class PlanMemoryPass : public onnxc::impl::PlanMemoryBase<PlanMemoryPass> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main) {
      getOperation().emitError("module has no function @main");
      return signalPassFailure();
    }
    if (failed(Planner(main, getOperation()).run()))
      return signalPassFailure();
  }
};
} // namespace
