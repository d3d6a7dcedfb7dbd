//===- InferLengths.cpp - Lengths of operands that ranks decide -----------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

#include "dialects/onnx/OnnxDialect.h"

namespace onnxc {
#define GEN_PASS_DEF_INFERLENGTHS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

using Length = std::optional<int64_t>;

/// The rank of an operand or result; nullopt when it is absent or not known.
static Length rankOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? Length(type.getRank()) : std::nullopt;
}

static Length inputRank(Operation *op, unsigned operand) {
  return hasOperand(op, operand) ? rankOf(op->getOperand(operand))
                                 : std::nullopt;
}

static Length plus(Length a, Length b) {
  return a && b ? Length(*a + *b) : std::nullopt;
}

static Length minus(Length a, Length b) {
  return a && b ? Length(*a - *b) : std::nullopt;
}

/// The number of elements of a vector, where it is known.
static Length lengthOf(Operation *op, unsigned operand) {
  if (inputRank(op, operand) != 1)
    return std::nullopt;
  auto type = cast<RankedTensorType>(op->getOperand(operand).getType());
  return type.isDynamicDim(0) ? std::nullopt : Length(type.getDimSize(0));
}

/// The number of axes that a node works on: those of the attribute, or all.
static Length axisCount(Operation *op) {
  if (auto axes = op->getAttrOfType<DenseI64ArrayAttr>("axes"))
    return axes.size();
  return inputRank(op, 0);
}

/// Operands that are one element, as scalars or as vectors.
static SmallVector<unsigned> singleOperands(StringRef name) {
  return llvm::StringSwitch<SmallVector<unsigned>>(name)
      .Cases({"CumProd", "CumSum", "OneHot", "TopK", "Trilu"}, {1})
      .Case("DFT", {1, 2})
      .Case("NonMaxSuppression", {2, 3, 4})
      .Case("STFT", {1, 3})
      .Default({});
}

/// Calls `is(operand, length)` for the operands of `op` whose last dim follows
/// from the ranks or lengths of others.
static void visitLengths(Operation *op,
                         llvm::function_ref<void(unsigned, Length)> is) {
  StringRef name = op->getName().stripDialect();
  for (unsigned operand : singleOperands(name))
    is(operand, 1);
  if (op->getNumResults() == 0)
    return;
  Length input = inputRank(op, 0), output = rankOf(op->getResult(0));
  if (name == "Reshape" || name == "AffineGrid") {
    is(1, output);
  } else if (name == "ConstantOfShape") {
    is(0, output);
  } else if (name == "Expand") {
    // Otherwise it may be shorter.
    if (input && output && *input < *output)
      is(1, output);
  } else if (name == "Tile") {
    is(1, input);
  } else if (name == "Pad") {
    Length axes = hasOperand(op, 3) ? lengthOf(op, 3) : input;
    is(1, plus(axes, axes));
    if (Length pads = lengthOf(op, 1))
      is(3, *pads / 2);
  } else if (name == "Slice") {
    Length count;
    for (unsigned operand : {1, 2, 3, 4})
      if (!count)
        count = lengthOf(op, operand);
    for (unsigned operand : {1, 2, 3, 4})
      is(operand, count);
  } else if (name == "Split") {
    is(1, op->getNumResults());
  } else if (name == "Squeeze") {
    is(1, minus(input, output));
  } else if (name == "Unsqueeze") {
    is(1, minus(output, input));
  } else if (name == "Resize") {
    // Of scales and sizes one may be there and empty.
    if (!hasOperand(op, 2) || !hasOperand(op, 3))
      for (unsigned operand : {2, 3})
        is(operand, axisCount(op));
    if (op->getAttrOfType<StringAttr>("coordinate_transformation_mode") ==
        StringAttr::get(op->getContext(), "tf_crop_and_resize"))
      is(1, plus(axisCount(op), axisCount(op)));
  } else if (name == "MaxUnpool") {
    is(2, input);
  } else if (name == "GridSample") {
    is(1, minus(input, 2));
  } else if (name == "NonMaxSuppression") {
    is(0, 4); // corners
  } else if (name == "RoiAlign") {
    is(1, 4);
  } else if (name == "CenterCropPad") {
    is(1, axisCount(op));
  } else if (name == "Col2Im") {
    for (unsigned operand : {1, 2})
      is(operand, minus(output, 2));
  } else if (name == "GatherND") {
    auto batch = op->getAttrOfType<IntegerAttr>("batch_dims");
    is(1, minus(plus(input, inputRank(op, 1)),
                plus(output, 1 + (batch ? batch.getInt() : 0))));
  } else if (name == "ScatterND") {
    is(1, minus(plus(input, inputRank(op, 1)), plus(inputRank(op, 2), 1)));
  }
}

/// Makes `operand`, whose last dim is not known, a tensor whose last dim is
/// `length`.
static void setLength(Operation *op, unsigned operand, Length length) {
  Length rank = inputRank(op, operand);
  // An empty tensor folds, and the check with it.
  if (!length || *length < 1 || !rank || *rank == 0)
    return;
  Value value = op->getOperand(operand);
  auto type = cast<RankedTensorType>(value.getType());
  if (!type.isDynamicDim(*rank - 1))
    return;
  OpBuilder builder(op);
  SmallVector<int64_t> shape(type.getShape()), target(*rank, 0); // kept
  shape.back() = target.back() = *length;
  auto vector = RankedTensorType::get({*rank}, builder.getI64Type());
  Value lengths = createConstant(
      builder, op->getLoc(), DenseElementsAttr::get(vector, ArrayRef(target)));
  op->setOperand(operand,
                 createOnnx(builder, op->getLoc(), "Reshape", {value, lengths},
                            RankedTensorType::get(shape, type.getElementType()))
                     ->getResult(0));
}

/// Whether the rank of what `op` gives is the length of an operand, follows
/// from it, or is that of a branch or an element that only a run tells.
static bool checksRank(Operation *op) {
  static constexpr StringLiteral names[] = {
      "AffineGrid",      "Col2Im",       "ConstantOfShape",    "Expand",
      "GatherND",        "If",           "OptionalGetElement", "ReduceL1",
      "ReduceL2",        "ReduceLogSum", "ReduceLogSumExp",    "ReduceMax",
      "ReduceMean",      "ReduceMin",    "ReduceProd",         "ReduceSum",
      "ReduceSumSquare", "Reshape",      "SequenceAt",         "Squeeze",
      "Unsqueeze"};
  return llvm::is_contained(names, op->getName().stripDialect());
}

/// Whether the result of `op` has the rank of operand 0.
static bool keepsRank(Operation *op) {
  static constexpr StringLiteral names[] = {
      "Abs", "Cast", "CastLike", "Exp",  "Identity", "Log",
      "Neg", "Relu", "Sigmoid",  "Sqrt", "Tanh"};
  return llvm::is_contained(names, op->getName().stripDialect());
}

/// The only rank with which reading `operand` is no error, where it has no rank
/// yet.
static Length neededRank(OpOperand &operand) {
  Operation *op = operand.getOwner();
  if (!isa<UnrankedTensorType>(operand.get().getType()) ||
      !isa_and_nonnull<op::OnnxDialect>(op->getDialect()))
    return std::nullopt;
  StringRef name = op->getName().stripDialect();
  if (name == "Concat") {
    for (Value other : op->getOperands())
      if (Length rank = rankOf(other))
        return rank;
    return std::nullopt;
  }
  if (name == "Gemm" && operand.getOperandNumber() < 2)
    return 2;
  if (operand.getOperandNumber() != 0)
    return std::nullopt;
  if (auto order = op->getAttrOfType<DenseI64ArrayAttr>("perm");
      order && name == "Transpose")
    return order.size();
  return llvm::StringSwitch<Length>(name)
      .Cases({"Conv", "ConvInteger", "ConvTranspose", "DeformConv"},
             inputRank(op, 1))
      .Cases({"GRU", "LSTM", "RNN"}, 3)
      .Cases({"DepthToSpace", "SpaceToDepth"}, 4)
      .Default(std::nullopt);
}

namespace {
struct InferLengths : onnxc::impl::InferLengthsBase<InferLengths> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    takeDeclaredRanks(function);
    function.walk([](Operation *op) {
      for (OpOperand &operand : op->getOpOperands())
        if (Length rank = neededRank(operand))
          declareRank(operand.get(), *rank);
    });
    function.walk([](Operation *op) {
      if (isa_and_nonnull<op::OnnxDialect>(op->getDialect()))
        visitLengths(op, [&](unsigned operand, Length length) {
          setLength(op, operand, length);
        });
    });
  }

  /// Gives `value`, and what it is computed from element by element, a rank
  /// that is checked where it comes about.
  static void declareRank(Value value, int64_t rank) {
    SmallVector<Value> chain;
    Operation *op;
    do {
      op = value.getDefiningOp();
      if (!op || !isa<UnrankedTensorType>(value.getType()))
        return;
      chain.push_back(value);
      if (!keepsRank(op) && !checksRank(op))
        return;
      value = op->getOperand(0);
    } while (keepsRank(op));
    SmallVector<int64_t> shape(rank, ShapedType::kDynamic);
    for (Value link : chain)
      link.setType(RankedTensorType::get(
          shape, cast<TensorType>(link.getType()).getElementType()));
  }

  /// The model's outputs have as many dims as it names.
  static void takeDeclaredRanks(func::FuncOp function) {
    Operation *end = function.getBody().front().getTerminator();
    for (auto [index, value] : llvm::enumerate(end->getOperands())) {
      auto names = function.getResultAttrOfType<ArrayAttr>(index, "onnx.dims");
      if (names && !names.empty())
        declareRank(value, names.size());
    }
    updateFunctionType(function);
  }
};
} // namespace
