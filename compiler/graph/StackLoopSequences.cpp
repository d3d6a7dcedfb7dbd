//===- StackLoopSequences.cpp - Sequences that loops append to ------------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"
#include "compiler/graph/SymbolicShapes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace onnxc {
#define GEN_PASS_DEF_STACKLOOPSEQUENCES
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

/// A variable of a Loop that starts as an empty sequence and to which each
/// iteration appends a tensor.
struct AppendedSequence {
  unsigned variable;
  Operation *insert;
  Operation *concat; ///< what reads the loop's result
  int64_t rank;      ///< of the tensors
};

struct StackLoopSequences
    : onnxc::impl::StackLoopSequencesBase<StackLoopSequences> {
  using StackLoopSequencesBase::StackLoopSequencesBase;

  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(getOperation());
    if (failed(shapes))
      return signalPassFailure();
    SmallVector<Operation *> loops;
    getOperation().walk([&](Operation *op) {
      if (isOnnx(op, "Loop"))
        loops.push_back(op);
    });
    for (Operation *loop : loops)
      while (loop)
        loop = rewriteOne(loop, *shapes);
    eraseDead(getOperation());
  }

private:
  /// Operands M, cond, v...; body arguments i, cond, v...; it yields cond,
  /// v..., scan outputs....
  static std::optional<AppendedSequence> find(Operation *loop) {
    if (loop->getNumRegions() != 1 || !loop->getRegion(0).hasOneBlock() ||
        loop->getNumOperands() < 2)
      return std::nullopt;
    Block &body = loop->getRegion(0).front();
    unsigned carried = loop->getNumOperands() - 2;
    if (body.getNumArguments() != carried + 2 ||
        loop->getNumResults() < carried ||
        body.getTerminator()->getNumOperands() != loop->getNumResults() + 1)
      return std::nullopt;
    for (unsigned i = 0; i < carried; ++i) {
      BlockArgument argument = body.getArgument(i + 2);
      Value result = loop->getResult(i);
      if (!definedBy(loop->getOperand(i + 2), "SequenceEmpty") ||
          !argument.hasOneUse() || !result.hasOneUse())
        continue;
      Operation *insert = *argument.user_begin();
      Operation *concat = *result.user_begin();
      if (!isOnnx(insert, "SequenceInsert") ||
          !isOnnx(concat, "ConcatFromSequence") ||
          insert->getBlock() != &body || insert->getOperand(0) != argument ||
          hasOperand(insert, 2) || !insert->getResult(0).hasOneUse() ||
          body.getTerminator()->getOperand(i + 1) != insert->getResult(0) ||
          !concat->hasAttrOfType<IntegerAttr>("axis"))
        continue;
      if (auto type =
              dyn_cast<RankedTensorType>(insert->getOperand(1).getType()))
        return AppendedSequence{i, insert, concat, type.getRank()};
    }
    return std::nullopt;
  }

  /// Whether a dim of `tensor` is the same in all iterations.
  static bool isInvariant(Operation *loop, Value tensor, int64_t axis,
                          const SymbolicShapes &shapes) {
    auto dims = shapes.dims(tensor);
    if (!dims)
      return false;
    bool invariant = true;
    (*dims)[axis].walk([&](AffineExpr part) {
      if (auto symbol = dyn_cast<AffineSymbolExpr>(part)) {
        Value value = shapes.symbols()[symbol.getPosition()].value;
        invariant &= !loop->isAncestor(value.getParentRegion()->getParentOp());
      }
    });
    return invariant;
  }

  /// The loop without one of its sequences; null when it has none.
  static Operation *rewriteOne(Operation *loop, const SymbolicShapes &shapes) {
    std::optional<AppendedSequence> found = find(loop);
    if (!found)
      return nullptr;
    auto axisAttr = found->concat->getAttrOfType<IntegerAttr>("axis");
    auto stacks = found->concat->getAttrOfType<IntegerAttr>("new_axis");
    bool newAxis = stacks && stacks.getInt() != 0;
    int64_t places = found->rank + (newAxis ? 1 : 0), axis = axisAttr.getInt();
    if (axis < -places || axis >= places)
      return nullptr;
    axis += axis < 0 ? places : 0;
    Value tensor = found->insert->getOperand(1);
    if (!newAxis && !isInvariant(loop, tensor, axis, shapes))
      return nullptr;

    Block &body = loop->getRegion(0).front();
    Operation *end = body.getTerminator();
    SmallVector<Value> yielded(end->getOperands());
    yielded.erase(yielded.begin() + found->variable + 1);
    yielded.push_back(tensor);
    end->setOperands(yielded);
    found->insert->erase();
    body.eraseArgument(found->variable + 2);

    SmallVector<Value> operands(loop->getOperands());
    operands.erase(operands.begin() + found->variable + 2);
    SmallVector<Type> types(loop->getResultTypes());
    types.erase(types.begin() + found->variable);
    types.push_back(openType(tensor));
    OperationState state(loop->getLoc(), loop->getName());
    state.addOperands(operands);
    state.addTypes(types);
    state.addAttributes(loop->getAttrs());
    state.addRegion()->takeBody(loop->getRegion(0));
    OpBuilder builder(loop);
    Operation *stacking = builder.create(state);
    unsigned next = 0;
    for (auto [i, result] : llvm::enumerate(loop->getResults()))
      if (i != found->variable)
        result.replaceAllUsesWith(stacking->getResult(next++));
    builder.setInsertionPoint(found->concat);
    Value joined =
        arrange(builder, found->concat->getLoc(), stacking->getResults().back(),
                found->rank, axis, newAxis);
    found->concat->getResult(0).replaceAllUsesWith(joined);
    found->concat->erase();
    loop->erase();
    return stacking;
  }

  static Type openType(Value value) {
    return UnrankedTensorType::get(
        cast<TensorType>(value.getType()).getElementType());
  }

  /// The stack [T, d0, d1, ...] with T as dim `axis`, or joined with dim `axis`
  /// of the tensors.
  static Value arrange(OpBuilder &builder, Location loc, Value stack,
                       int64_t rank, int64_t axis, bool newAxis) {
    auto create = [&](StringRef name, ValueRange operands, Type type,
                      ArrayRef<NamedAttribute> attributes) {
      return createOnnx(builder, loc, name, operands, type, attributes)
          ->getResult(0);
    };
    if (axis != 0) {
      SmallVector<int64_t> order;
      for (int64_t dim = 0; dim < rank; ++dim) {
        if (dim == axis)
          order.push_back(0);
        order.push_back(dim + 1);
      }
      if (axis == rank)
        order.push_back(0);
      stack = create(
          "Transpose", stack, openType(stack),
          builder.getNamedAttr("perm", builder.getDenseI64ArrayAttr(order)));
    }
    if (newAxis)
      return stack;
    // 0 takes a dim over, -1 is T times the tensors' dim.
    SmallVector<int64_t> first(axis, 0);
    first.push_back(-1);
    auto type = RankedTensorType::get({axis + 1}, builder.getI64Type());
    Value before = createConstant(
        builder, loc, DenseElementsAttr::get(type, ArrayRef(first)));
    Type shape =
        RankedTensorType::get({ShapedType::kDynamic}, builder.getI64Type());
    Value after = create(
        "Shape", stack, shape,
        builder.getNamedAttr("start", builder.getI64IntegerAttr(axis + 2)));
    Value dims =
        create("Concat", {before, after}, shape,
               builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
    return create("Reshape", {stack, dims}, openType(stack), {});
  }
};

} // namespace
