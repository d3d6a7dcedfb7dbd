//===- InferSequenceTypes.cpp - The ranks of what sequences hold ----------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

#include "dialects/onnx/OnnxDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <set>

namespace onnxc {
#define GEN_PASS_DEF_INFERSEQUENCETYPES
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

/// The ranks of the tensors in a sequence or optional.
struct ElementRanks {
  std::set<int64_t> known;
  bool isAny = false;  ///< of the caller's tensors, with a type that says none
  bool isOpen = false; ///< of a tensor whose rank is not known yet

  static ElementRanks of(int64_t rank) { return {{rank}}; }
  static ElementRanks any() { return {{}, true}; }
  static ElementRanks open() { return {{}, false, true}; }
  /// Whether all tensors that say a rank say the same.
  bool isOne() const { return known.size() == 1 && !isAny; }
  /// Whether there are none but those known.
  bool isClosed() const { return !isAny && !isOpen; }
  /// Whether `other` added any.
  bool join(const ElementRanks &other) {
    size_t before = known.size() + isAny + isOpen;
    known.insert(other.known.begin(), other.known.end());
    isAny |= other.isAny;
    isOpen |= other.isOpen;
    return known.size() + isAny + isOpen != before;
  }
};

struct InferSequenceTypes
    : onnxc::impl::InferSequenceTypesBase<InferSequenceTypes> {
  using InferSequenceTypesBase::InferSequenceTypesBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    ranks.clear();
    for (BlockArgument argument : function.getArguments())
      if (TensorType held = heldTensor(argument.getType()))
        ranks[argument] = held.hasRank() ? ElementRanks::of(held.getRank())
                                         : ElementRanks::any();
    // A value gets at most the ranks that there are.
    do {
      changed = false;
      function.walk([&](Operation *op) { visit(op); });
    } while (changed);
    if (ranks.empty())
      return markAllAnalysesPreserved();
    // The arguments have their types from the model.
    for (auto [value, rank] : ranks)
      if (rank.isOne() && !llvm::is_contained(function.getArguments(), value))
        refine(value, *rank.known.begin());
    function.walk([&](Operation *op) { refineRead(op); });
    updateFunctionType(function);
  }

private:
  /// The tensor type in a sequence or optional; null for other types.
  static TensorType heldTensor(Type type) {
    if (auto sequence = dyn_cast<op::SequenceType>(type))
      type = sequence.getElement();
    else if (auto optional = dyn_cast<op::OptionalType>(type))
      type = optional.getElement();
    else
      return nullptr;
    if (auto sequence = dyn_cast<op::SequenceType>(type))
      type = sequence.getElement();
    return dyn_cast<TensorType>(type);
  }

  static Type withHeld(Type type, TensorType held) {
    MLIRContext *context = type.getContext();
    if (auto sequence = dyn_cast<op::SequenceType>(type))
      return op::SequenceType::get(context,
                                   withHeld(sequence.getElement(), held));
    if (auto optional = dyn_cast<op::OptionalType>(type))
      return op::OptionalType::get(context,
                                   withHeld(optional.getElement(), held));
    return held;
  }

  static TensorType ofRank(TensorType type, int64_t rank) {
    return type.hasRank() && type.getRank() == rank
               ? type
               : RankedTensorType::get(
                     SmallVector<int64_t>(rank, ShapedType::kDynamic),
                     type.getElementType());
  }

  static void refine(Value value, int64_t rank) {
    TensorType held = heldTensor(value.getType());
    value.setType(withHeld(value.getType(), ofRank(held, rank)));
  }

  /// A tensor that is put into a sequence or optional, or such a value itself.
  ElementRanks rankOf(Value value) const {
    if (isa<TensorType>(value.getType())) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      return type ? ElementRanks::of(type.getRank()) : ElementRanks::open();
    }
    return ranks.lookup(value);
  }

  void join(Value value, const ElementRanks &more) {
    if (heldTensor(value.getType()))
      changed |= ranks[value].join(more);
  }

  /// A part of a tensor.
  static ElementRanks partRank(Operation *op) {
    auto type = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    if (!type || type.getRank() == 0)
      return ElementRanks::open();
    auto keeps = op->getAttrOfType<IntegerAttr>("keepdims");
    bool drops = keeps && keeps.getInt() == 0 && !hasOperand(op, 1);
    return ElementRanks::of(type.getRank() - (drops ? 1 : 0));
  }

  void visit(Operation *op) {
    StringRef name = op->getName().getStringRef();
    if (!name.consume_front("onnx."))
      return;
    if (name == "If")
      return conditional(op);
    if (name == "Loop")
      return loop(op);
    if (op->getNumResults() != 1)
      return;
    Value result = op->getResult(0);
    if (name == "SequenceConstruct" || name == "SequenceInsert") {
      for (Value operand : op->getOperands().take_front(
               name == "SequenceInsert" ? 2 : op->getNumOperands()))
        join(result, rankOf(operand));
    } else if (name == "SequenceErase" || name == "OptionalGetElement" ||
               (name == "Optional" && hasOperand(op, 0))) {
      join(result, rankOf(op->getOperand(0)));
    } else if (name == "SplitToSequence") {
      join(result, partRank(op));
    }
  }

  void conditional(Operation *op) {
    for (Region &region : op->getRegions()) {
      Operation *end = terminator(region);
      if (end && end->getNumOperands() == op->getNumResults())
        for (auto [result, value] :
             llvm::zip(op->getResults(), end->getOperands()))
          join(result, rankOf(value));
    }
  }

  /// Operands M, cond, v...; body arguments i, cond, v...; it yields cond,
  /// v..., scan outputs...
  void loop(Operation *op) {
    Operation *end = terminator(op->getRegion(0));
    Block &body = op->getRegion(0).front();
    if (!end || op->getNumOperands() != body.getNumArguments() ||
        op->getNumOperands() < 2 ||
        end->getNumOperands() + 1 < op->getNumOperands() ||
        op->getNumResults() + 1 != end->getNumOperands())
      return;
    for (unsigned i = 2; i < op->getNumOperands(); ++i) {
      BlockArgument argument = body.getArgument(i);
      join(argument, rankOf(op->getOperand(i)));
      join(argument, rankOf(end->getOperand(i - 1)));
      join(op->getResult(i - 2), rankOf(argument));
    }
  }

  static Operation *terminator(Region &region) {
    return region.hasOneBlock() && !region.front().empty()
               ? &region.front().back()
               : nullptr;
  }

  /// What is read has the rank that was found.
  void refineRead(Operation *op) {
    StringRef name = op->getName().getStringRef();
    if (!name.consume_front("onnx.") || op->getNumResults() != 1 ||
        op->getNumOperands() == 0)
      return;
    auto type = dyn_cast<UnrankedTensorType>(op->getResult(0).getType());
    ElementRanks found = ranks.lookup(op->getOperand(0));
    bool isRead = name == "SequenceAt" || name == "OptionalGetElement";
    if (isRead)
      op->removeAttr("onnx.ranks");
    if (type && isRead && found.isClosed() && found.known.size() > 1)
      op->setAttr("onnx.ranks",
                  DenseI64ArrayAttr::get(op->getContext(),
                                         llvm::to_vector(found.known)));
    if (!type || !found.isOne())
      return;
    int64_t rank = *found.known.begin();
    auto stacks = op->getAttrOfType<IntegerAttr>("new_axis");
    if (isRead)
      op->getResult(0).setType(ofRank(type, rank));
    else if (name == "ConcatFromSequence")
      op->getResult(0).setType(
          ofRank(type, rank + (stacks && stacks.getInt() != 0)));
  }

  DenseMap<Value, ElementRanks> ranks;
  bool changed = false;
};

} // namespace
