//===- SinkIntoBranches.cpp - What follows an If goes into its branches ---===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"
#include "compiler/graph/SymbolicShapes.h"

#include "mlir/IR/IRMapping.h"

#include <set>

namespace onnxc {
#define GEN_PASS_DEF_SINKINTOBRANCHES
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// Copies of operations that a function may get at most: they double with each
/// If in a row.
static constexpr int64_t mostCopies = 20000;

/// Whether `op`, or an operation in it, reads one of `values`.
static bool reads(Operation *op, const DenseSet<Value> &values) {
  return op
      ->walk([&](Operation *inner) {
        return llvm::any_of(
                   inner->getOperands(),
                   [&](Value operand) { return values.contains(operand); })
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

static bool isConditional(Operation *op) {
  return isOnnx(op, "If") && op->getNumRegions() == 2 &&
         llvm::all_of(op->getRegions(), [&](Region &region) {
           return region.hasOneBlock() && !region.front().empty() &&
                  region.front().back().getNumOperands() == op->getNumResults();
         });
}

/// Whether the branches give a tensor of one rank each, but different ones; or
/// do so in an If of their own.
static bool differInRank(Operation *conditional, unsigned index) {
  std::set<int64_t> ranks;
  for (Region &region : conditional->getRegions()) {
    Value given = region.front().back().getOperand(index);
    if (auto type = dyn_cast<RankedTensorType>(given.getType())) {
      ranks.insert(type.getRank());
      continue;
    }
    Operation *inner = given.getDefiningOp();
    if (!isa<UnrankedTensorType>(given.getType()) || !inner ||
        !isConditional(inner) || inner->getParentRegion() != &region ||
        !differInRank(inner, cast<OpResult>(given).getResultNumber()))
      return false;
    ranks.insert(-1); // several
  }
  return ranks.size() > 1 || ranks.count(-1);
}

/// The operations behind `conditional` that read what has no rank because of
/// it, and those between them, in order.
static SmallVector<Operation *> followers(Operation *conditional) {
  DenseSet<Value> unranked,
      following(conditional->result_begin(), conditional->result_end());
  for (OpResult result : conditional->getResults())
    if (isa<UnrankedTensorType>(result.getType()) &&
        differInRank(conditional, result.getResultNumber()))
      unranked.insert(result);
  if (unranked.empty())
    return {};
  DenseSet<Operation *> chosen;
  SmallVector<Operation *> behind;
  for (Operation *op = conditional->getNextNode();
       op && op != conditional->getBlock()->getTerminator();
       op = op->getNextNode()) {
    if (!reads(op, following))
      continue;
    behind.push_back(op);
    following.insert(op->result_begin(), op->result_end());
    if (!reads(op, unranked))
      continue;
    chosen.insert(op);
    for (Value result : op->getResults())
      if (isa<UnrankedTensorType>(result.getType()))
        unranked.insert(result);
  }
  // What the chosen need of what follows.
  DenseSet<Value> needed;
  SmallVector<Operation *> found;
  for (Operation *op : llvm::reverse(behind)) {
    if (!chosen.contains(op) &&
        llvm::none_of(op->getResults(),
                      [&](Value result) { return needed.contains(result); }))
      continue;
    found.push_back(op);
    op->walk([&](Operation *inner) {
      needed.insert(inner->operand_begin(), inner->operand_end());
    });
  }
  return llvm::to_vector(llvm::reverse(found));
}

/// Gives the results that differ in rank the rank that they have in one branch.
/// Returns whether there are any.
static bool takeRanksOf(Operation *conditional, unsigned branch) {
  Operation *end = &conditional->getRegion(branch).front().back();
  bool found = false;
  for (OpResult result : conditional->getResults()) {
    unsigned index = result.getResultNumber();
    auto type = dyn_cast<RankedTensorType>(end->getOperand(index).getType());
    if (!type || !isa<UnrankedTensorType>(result.getType()) ||
        !differInRank(conditional, index))
      continue;
    result.setType(RankedTensorType::get(
        SmallVector<int64_t>(type.getRank(), ShapedType::kDynamic),
        type.getElementType()));
    found = true;
  }
  return found;
}

/// Makes the If anew with copies of `moved` at the end of each branch.
static void sink(Operation *conditional, ArrayRef<Operation *> moved) {
  // What does not follow from the If goes before it: the copies may read it.
  DenseSet<Value> following(conditional->result_begin(),
                            conditional->result_end());
  for (Operation *op = conditional->getNextNode(); op != moved.back();) {
    Operation *next = op->getNextNode();
    if (reads(op, following))
      following.insert(op->result_begin(), op->result_end());
    else
      op->moveBefore(conditional);
    op = next;
  }
  SmallVector<Value> given(conditional->getResults());
  for (Operation *op : moved)
    llvm::append_range(given, op->getResults());
  DenseSet<Operation *> isMoved(moved.begin(), moved.end());
  llvm::erase_if(given, [&](Value value) {
    return llvm::all_of(value.getUses(), [&](OpOperand &use) {
      Operation *user =
          conditional->getBlock()->findAncestorOpInBlock(*use.getOwner());
      return isMoved.contains(user);
    });
  });
  for (Region &region : conditional->getRegions()) {
    Operation *end = &region.front().back();
    IRMapping mapping;
    for (auto [result, yielded] :
         llvm::zip(conditional->getResults(), end->getOperands()))
      mapping.map(result, yielded);
    OpBuilder builder(end);
    for (Operation *op : moved)
      builder.clone(*op, mapping);
    SmallVector<Value> yielded;
    for (Value value : given)
      yielded.push_back(mapping.lookup(value));
    end->setOperands(yielded);
  }
  OpBuilder builder(conditional);
  OperationState state(conditional->getLoc(), conditional->getName());
  state.addOperands(conditional->getOperands());
  state.addTypes(llvm::to_vector(ValueRange(given).getTypes()));
  state.addAttributes(conditional->getAttrs());
  for (Region &region : conditional->getRegions())
    state.addRegion()->takeBody(region);
  Operation *made = builder.create(state);
  for (auto [old, value] : llvm::zip(given, made->getResults()))
    old.replaceAllUsesWith(value);
  for (Operation *op : llvm::reverse(moved))
    op->erase();
  conditional->erase();
}

/// Whether `change` can be made to a copy of the function, and leaves no error
/// of shapes.
static bool
hasShapes(func::FuncOp function,
          llvm::function_ref<bool(const IRMapping &mapping)> change) {
  IRMapping mapping;
  OwningOpRef<func::FuncOp> copy = cast<func::FuncOp>(function->clone(mapping));
  if (!change(mapping))
    return false;
  ScopedDiagnosticHandler quiet(function.getContext(),
                                [](Diagnostic &) { return success(); });
  return succeeded(SymbolicShapes::compute(*copy));
}

/// Sinks `moved`; but where that is an error in one branch, and not with the
/// other one's rank, the run fails when the branch is taken.
static void settle(func::FuncOp function, Operation *conditional,
                   ArrayRef<Operation *> moved) {
  bool fitsBoth = hasShapes(function, [&](const IRMapping &mapping) {
    SmallVector<Operation *> copies;
    for (Operation *op : moved)
      copies.push_back(mapping.lookup(op));
    sink(mapping.lookup(conditional), copies);
    return true;
  });
  for (unsigned branch : {0, 1})
    if (!fitsBoth && hasShapes(function, [&](const IRMapping &mapping) {
          return takeRanksOf(mapping.lookup(conditional), branch);
        })) {
      takeRanksOf(conditional, branch);
      return;
    }
  sink(conditional, moved);
}

namespace {
struct SinkIntoBranches : onnxc::impl::SinkIntoBranchesBase<SinkIntoBranches> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    int64_t copies = 0;
    // One at a time: those behind the first may go into its branches.
    bool changed = false, found = true;
    while (found) {
      found = false;
      function.walk<WalkOrder::PreOrder>([&](Operation *op) {
        if (!isConditional(op))
          return WalkResult::advance();
        SmallVector<Operation *> moved = followers(op);
        if (moved.empty())
          return WalkResult::advance();
        for (Operation *each : moved)
          each->walk([&](Operation *) { ++copies; });
        if (copies > mostCopies)
          return WalkResult::interrupt();
        settle(function, op, moved);
        changed = found = true;
        return WalkResult::interrupt();
      });
    }
    if (!changed)
      markAllAnalysesPreserved();
    else
      updateFunctionType(function);
  }
};
} // namespace
