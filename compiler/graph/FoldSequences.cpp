//===- FoldSequences.cpp - Sequences and optionals of known elements ------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

#include "dialects/onnx/Elements.h"
#include "dialects/onnx/NodeError.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace onnxc {
#define GEN_PASS_DEF_FOLDSEQUENCES
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

/// More parts than this are not told apart at compile time.
constexpr int64_t maxParts = 1024;

struct FoldSequences : onnxc::impl::FoldSequencesBase<FoldSequences> {
  using FoldSequencesBase::FoldSequencesBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    sequences.clear();
    optionals.clear();
    // What makes a sequence stands before what reads it.
    SmallVector<Operation *> operations;
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op->getName().getStringRef().starts_with("onnx."))
        operations.push_back(op);
    });
    for (Operation *op : operations)
      if (failed(visit(op)))
        return signalPassFailure();
    eraseDead(function);
    updateFunctionType(function);
  }

private:
  using Elements = SmallVector<Value>;

  LogicalResult visit(Operation *op) {
    StringRef name = op->getName().getStringRef();
    name.consume_front("onnx.");
    if (name == "SequenceEmpty")
      sequences[op->getResult(0)] = {};
    else if (name == "SequenceConstruct")
      sequences[op->getResult(0)] = Elements(op->getOperands());
    else if (name == "SequenceInsert" || name == "SequenceErase" ||
             name == "SequenceAt")
      return atPosition(op, name);
    else if (name == "SequenceLength")
      length(op);
    else if (name == "ConcatFromSequence")
      return concat(op);
    else if (name == "SplitToSequence")
      return split(op);
    else if (name == "Optional")
      optionals[op->getResult(0)] =
          hasOperand(op, 0) ? op->getOperand(0) : Value();
    else if (name == "OptionalHasElement")
      hasElement(op);
    else if (name == "OptionalGetElement")
      return getElement(op);
    return success();
  }

  const Elements *elementsOf(Value sequence) const {
    auto it = sequences.find(sequence);
    return it == sequences.end() ? nullptr : &it->second;
  }

  /// A mistake in the model; in a subgraph, which may never run, no reason to
  /// refuse it.
  static LogicalResult reject(Operation *op, const Twine &reason) {
    if (!isa<func::FuncOp>(op->getParentOp()))
      return success();
    nodeError(op) << reason;
    return failure();
  }

  void replace(Operation *op, Value value) {
    op->getResult(0).replaceAllUsesWith(value);
  }

  static Value integers(OpBuilder &builder, Location loc,
                        ArrayRef<int64_t> dims, ArrayRef<int64_t> values) {
    auto type = RankedTensorType::get(dims, builder.getI64Type());
    return createConstant(builder, loc, DenseElementsAttr::get(type, values));
  }

  /// Insertion, removal and reading, whose position is the last operand.
  LogicalResult atPosition(Operation *op, StringRef name) {
    const Elements *known = elementsOf(op->getOperand(0));
    if (!known)
      return success();
    Elements elements = *known;
    bool inserts = name == "SequenceInsert";
    int64_t size = elements.size(), places = inserts ? size + 1 : size;
    int64_t position = places - 1; // the end, unless one is given
    unsigned operand = inserts ? 2 : 1;
    if (hasOperand(op, operand)) {
      auto constant = integerConstant(op->getOperand(operand));
      if (!constant || constant->size() != 1)
        return success();
      position = constant->front();
      if (position < 0)
        position += size;
    }
    if (position < 0 || position >= places)
      return reject(op, "its position is out of range: the sequence has " +
                            Twine(size) + " elements");
    if (name == "SequenceAt") {
      replace(op, elements[position]);
      return success();
    }
    if (inserts)
      elements.insert(elements.begin() + position, op->getOperand(1));
    else
      elements.erase(elements.begin() + position);
    sequences[op->getResult(0)] = std::move(elements);
    return success();
  }

  void length(Operation *op) {
    const Elements *elements = elementsOf(op->getOperand(0));
    if (!elements)
      return;
    OpBuilder builder(op);
    replace(op, integers(builder, op->getLoc(), {},
                         static_cast<int64_t>(elements->size())));
  }

  LogicalResult concat(Operation *op) {
    const Elements *known = elementsOf(op->getOperand(0));
    if (!known)
      return success();
    Elements elements = *known;
    if (elements.empty())
      return reject(op, "the sequence is empty");
    OpBuilder builder(op);
    Location loc = op->getLoc();
    auto axis = op->getAttrOfType<IntegerAttr>("axis");
    auto stacks = op->getAttrOfType<IntegerAttr>("new_axis");
    if (!axis)
      return reject(op, "has no axis");
    if (stacks && stacks.getInt() != 0) {
      Value axes = integers(builder, loc, {1}, axis.getInt());
      for (Value &element : elements)
        element = createOnnx(builder, loc, "Unsqueeze", {element, axes},
                             openType(element))
                      ->getResult(0);
    }
    replace(op, createOnnx(builder, loc, "Concat", elements,
                           openType(elements.front()),
                           builder.getNamedAttr("axis", axis))
                    ->getResult(0));
    return success();
  }

  /// A tensor like `value`, of a shape that inference finds.
  static Type openType(Value value) {
    return UnrankedTensorType::get(
        cast<TensorType>(value.getType()).getElementType());
  }

  /// The sizes of the parts that a SplitToSequence makes; nullopt where they
  /// are not known.
  static std::optional<SmallVector<int64_t>> partSizes(Operation *op,
                                                       int64_t dim) {
    bool isKnown = !ShapedType::isDynamic(dim);
    int64_t step = 1;
    if (hasOperand(op, 1)) {
      ElementsAttr given = constantElements(op->getOperand(1));
      auto sizes = given ? integerValues(given) : std::nullopt;
      if (!sizes)
        return std::nullopt;
      if (given.getShapedType().getRank() == 1)
        return sizes;
      step = sizes->front();
    }
    if (!isKnown || step < 1 || dim / step > maxParts)
      return std::nullopt;
    SmallVector<int64_t> sizes(dim / step, step);
    if (dim % step)
      sizes.push_back(dim % step);
    return sizes;
  }

  LogicalResult split(Operation *op) {
    Value data = op->getOperand(0);
    auto type = dyn_cast<RankedTensorType>(data.getType());
    if (!type || type.getRank() == 0)
      return success();
    auto axisAttr = op->getAttrOfType<IntegerAttr>("axis");
    int64_t axis = axisAttr ? axisAttr.getInt() : 0, rank = type.getRank();
    if (axis < -rank || axis >= rank)
      return reject(op, "axis " + Twine(axis) + " is out of range for rank " +
                            Twine(rank));
    axis += axis < 0 ? rank : 0;
    auto sizes = partSizes(op, type.getDimSize(axis));
    if (!sizes || sizes->empty() ||
        static_cast<int64_t>(sizes->size()) > maxParts)
      return success();
    OpBuilder builder(op);
    Location loc = op->getLoc();
    Value parts =
        integers(builder, loc, {static_cast<int64_t>(sizes->size())}, *sizes);
    SmallVector<Type> types(sizes->size(), openType(data));
    Operation *divided = createOnnx(
        builder, loc, "Split", {data, parts}, types,
        builder.getNamedAttr("axis", builder.getI64IntegerAttr(axis)));
    Elements elements(divided->getResults());
    auto keeps = op->getAttrOfType<IntegerAttr>("keepdims");
    // The standard ignores `keepdims` where the sizes are given.
    if (keeps && keeps.getInt() == 0 && !hasOperand(op, 1)) {
      Value axes = integers(builder, loc, {1}, axis);
      for (Value &element : elements)
        element =
            createOnnx(builder, loc, "Squeeze", {element, axes}, openType(data))
                ->getResult(0);
    }
    sequences[op->getResult(0)] = std::move(elements);
    return success();
  }

  /// Whether an optional has a value: nullopt where only a run tells.
  std::optional<bool> hasValue(Operation *op) const {
    if (!hasOperand(op, 0))
      return false;
    Value operand = op->getOperand(0);
    if (!isa<op::OptionalType>(operand.getType()))
      return true;
    auto it = optionals.find(operand);
    if (it == optionals.end())
      return std::nullopt;
    return it->second != nullptr;
  }

  void hasElement(Operation *op) {
    std::optional<bool> known = hasValue(op);
    if (!known)
      return;
    OpBuilder builder(op);
    auto type = RankedTensorType::get({}, builder.getI1Type());
    replace(op, createConstant(builder, op->getLoc(),
                               DenseElementsAttr::get(type, *known)));
  }

  LogicalResult getElement(Operation *op) {
    std::optional<bool> known = hasValue(op);
    if (!known)
      return success();
    if (!*known)
      return reject(op, "the optional value is absent");
    Value operand = op->getOperand(0);
    replace(op, isa<op::OptionalType>(operand.getType())
                    ? optionals.lookup(operand)
                    : operand);
    return success();
  }

  DenseMap<Value, Elements> sequences;
  DenseMap<Value, Value> optionals; ///< null: absent
};

} // namespace
