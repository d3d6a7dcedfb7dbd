//===- BufferPlan.cpp - Decides where buffers lie -------------------------===//

#include "compiler/layout/BufferPlan.h"

#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace onnxc;

/// What a dim of an input is taken to be where it is not known: a batch of
/// one, a picture or sequence of moderate size.
static int64_t guessedDim(int64_t dim) { return dim == 0 ? 1 : 256; }
static constexpr int64_t guessedUnknown = 64;

int64_t onnxc::elementBytes(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * elementBytes(complex.getElementType());
  if (!type.isIntOrFloat())
    return 8; // index
  return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8u);
}

namespace {

class Planner {
public:
  explicit Planner(func::FuncOp main)
      : main(main), block(&main.getBody().front()) {}
  BufferPlan run();

private:
  bool leavesIteration(const BufferViewFlowAnalysis &views,
                       memref::AllocOp alloc);
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

  func::FuncOp main;
  Block *block;
  BufferPlan plan;
  DenseSet<Value> entryValues;
  /// Of an alloc that was hoisted: the op whose region it stood in.
  DenseMap<Operation *, Operation *> madeIn;
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
    // The inputs are never written. A plan may lack the data of all but small
    // integer tensors.
    auto argument = dyn_cast<BlockArgument>(load.getMemRef());
    MemRefType type = load.getMemRefType();
    if (!argument || argument.getOwner() != block || type.getRank() > 1 ||
        isa<FloatType>(type.getElementType()) || !type.hasStaticShape() ||
        type.getNumElements() > 64)
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
  op->moveBefore(plan.sizesEnd);
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

//===----------------------------------------------------------------------===//
// Decisions
//===----------------------------------------------------------------------===//

/// Whether the contents of `alloc` are seen after the iteration that makes
/// them, of any loop around it.
bool Planner::leavesIteration(const BufferViewFlowAnalysis &views,
                              memref::AllocOp alloc) {
  return llvm::any_of(views.resolve(alloc), [](Value alias) {
    return isa<BlockArgument>(alias) ||
           isa<LoopLikeOpInterface>(alias.getDefiningOp());
  });
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
    if (leavesIteration(views, alloc))
      continue;
    Operation *ancestor = topLevel(alloc);
    bool known = llvm::all_of(alloc.getDynamicSizes(), [&](Value size) {
      if (Operation *op = size.getDefiningOp();
          op && op->getBlock() == block && op->isBeforeInBlock(ancestor))
        return true;
      return isEntryValue(size);
    });
    if (!known)
      continue;
    madeIn[alloc] = alloc->getParentOp();
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
      madeIn.erase(result);
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
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
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
  BufferViewFlowAnalysis views(main);
  main.walk([&](memref::AllocOp alloc) {
    Buffer buffer;
    buffer.alloc = alloc;
    buffer.perIteration = alloc->getParentOfType<LoopLikeOpInterface>() &&
                          !leavesIteration(views, alloc);
    buffer.sizeKnownAtEntry =
        alloc->getBlock() == block &&
        llvm::all_of(alloc.getDynamicSizes(),
                     [&](Value size) { return isEntryValue(size); });
    if (auto it = claimed.find(alloc); it != claimed.end())
      buffer.output = it->second;
    plan.buffers.push_back(buffer);
  });
  // The dims are those of the returned view, which may differ in shape from
  // the buffer that it shows.
  plan.outputDims.resize(terminator->getNumOperands());
  for (Buffer &buffer : plan.buffers) {
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
      Value dim = arith::IndexCastOp::create(atAlloc, buffer.alloc.getLoc(),
                                             atAlloc.getI64Type(), size);
      buffer.sizeKnownAtEntry &= isEntryValue(dim);
      plan.outputDims[*buffer.output].push_back(dim);
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

/// The operations of @main numbered as they stand, each with the number of the
/// last one inside of it.
static DenseMap<Operation *, std::pair<int64_t, int64_t>>
numberOperations(func::FuncOp main) {
  DenseMap<Operation *, std::pair<int64_t, int64_t>> numbers;
  int64_t next = 0;
  main->walk([&](Operation *op, const WalkStage &stage) {
    if (stage.isBeforeAllRegions())
      numbers[op].first = next++;
    if (stage.isAfterAllRegions())
      numbers[op].second = next - 1;
  });
  return numbers;
}

/// Live ranges and places of the workspace's buffers. What an iteration makes
/// is dead at its end; what comes from before a loop lives as long as the loop.
void Planner::place() {
  BufferViewFlowAnalysis views(main);
  auto numbers = numberOperations(main);
  SmallVector<PlannedBuffer> planned;
  for (auto [i, buffer] : llvm::enumerate(plan.buffers)) {
    if (buffer.output || !buffer.sizeKnownAtEntry)
      continue;
    PlannedBuffer range{guessBytes(buffer.alloc),
                        std::numeric_limits<int64_t>::max(), -1};
    Operation *home = madeIn.lookup(buffer.alloc);
    if (!home)
      home = main;
    for (Value alias : views.resolve(buffer.alloc))
      for (Operation *user : alias.getUsers()) {
        Operation *whole = user;
        for (Operation *parent = user; parent != main;
             parent = parent->getParentOp())
          if (isa<LoopLikeOpInterface>(parent) && !parent->isAncestor(home))
            whole = parent;
        // Making a view reads nothing.
        if (!isa<ViewLikeOpInterface>(user))
          range.first = std::min(range.first, numbers[whole].first);
        range.last = std::max(range.last, numbers[whole].second);
      }
    if (range.last < 0 || range.first > range.last)
      range.first = range.last = numbers[buffer.alloc].first;
    planned.push_back(range);
    plan.inWorkspace.push_back(i);
  }
  plan.places = planMemory(planned);
}

BufferPlan Planner::run() {
  // A mark that stays while ops move around it.
  OpBuilder builder = OpBuilder::atBlockBegin(block);
  plan.sizesEnd = arith::ConstantIndexOp::create(builder, main.getLoc(), 0);
  // Checks of what the inputs say come before sizes are used.
  for (Operation &op : llvm::make_early_inc_range(*block))
    if (isa<cf::AssertOp, kernel::CheckOp>(op) &&
        llvm::all_of(op.getOperands(),
                     [&](Value operand) { return movable(operand); })) {
      for (Value operand : op.getOperands())
        moveToEntry(operand);
      op.moveBefore(plan.sizesEnd);
    }
  hoistAllocsFromRegions();
  shareBuffers();
  claimOutputs();
  place();
  return std::move(plan);
}

BufferPlan onnxc::planBuffers(func::FuncOp main) { return Planner(main).run(); }
