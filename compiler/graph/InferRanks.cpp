//===- InferRanks.cpp - Ranks that what reads a tensor decides ------------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

#include "dialects/onnx/Elements.h"
#include "dialects/onnx/OnnxDialect.h"

namespace onnxc {
#define GEN_PASS_DEF_INFERRANKS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

using Rank = std::optional<int64_t>;

/// nullopt when the value is no tensor or its rank is not known.
static Rank rankOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? Rank(type.getRank()) : std::nullopt;
}

static Rank inputRank(Operation *op, unsigned operand) {
  return hasOperand(op, operand) ? rankOf(op->getOperand(operand))
                                 : std::nullopt;
}

static Type ofRank(Type type, int64_t rank) {
  return RankedTensorType::get(SmallVector<int64_t>(rank, ShapedType::kDynamic),
                               cast<TensorType>(type).getElementType());
}

/// Whether the rank of what `op` gives is the length of an operand, follows
/// from it, or is that of a branch or an element that only a run tells.
/// Lowering checks it then.
static bool checksRank(Operation *op) {
  static constexpr StringLiteral names[] = {"AffineGrid",
                                            "Col2Im",
                                            "ConstantOfShape",
                                            "Expand",
                                            "GatherND",
                                            "Identity",
                                            "If",
                                            "ReduceL1",
                                            "OptionalGetElement",
                                            "ReduceL2",
                                            "ReduceLogSum",
                                            "ReduceLogSumExp",
                                            "ReduceMax",
                                            "ReduceMin",
                                            "ReduceMean",
                                            "ReduceProd",
                                            "ReduceSum",
                                            "Reshape",
                                            "ReduceSumSquare",
                                            "SequenceAt",
                                            "Squeeze",
                                            "Unsqueeze"};
  return llvm::is_contained(names, op->getName().stripDialect());
}

/// Whether the result of `op` has the rank of operand 0.
static bool keepsRank(Operation *op) {
  static constexpr StringLiteral names[] = {
      "Abs",     "Cast",  "CastLike",   "Clip", "Exp",
      "Log",     "Neg",   "LogSoftmax", "Pad",  "Relu",
      "Sigmoid", "Slice", "Softmax",    "Sqrt", "Tanh"};
  return llvm::is_contained(names, op->getName().stripDialect());
}

/// How many axes operand 1 of a Squeeze or Unsqueeze names.
static Rank axisCount(Operation *op) {
  if (inputRank(op, 1) != 1)
    return std::nullopt;
  auto type = cast<RankedTensorType>(op->getOperand(1).getType());
  return type.isDynamicDim(0) ? std::nullopt : Rank(type.getDimSize(0));
}

/// The only rank with which reading `operand`, which has none yet, is no error.
static Rank neededRank(OpOperand &operand) {
  Operation *op = operand.getOwner();
  if (!isa<UnrankedTensorType>(operand.get().getType()) ||
      !isa_and_nonnull<op::OnnxDialect>(op->getDialect()))
    return std::nullopt;
  StringRef name = op->getName().stripDialect();
  unsigned position = operand.getOperandNumber();
  if (name == "Concat") {
    for (Value other : op->getOperands())
      if (Rank rank = rankOf(other))
        return rank;
    return std::nullopt;
  }
  if (name == "Gemm" && position < 2)
    return 2;
  if (position == 1 &&
      llvm::is_contained({"Expand", "Reshape", "Tile", "Pad"}, name))
    return 1;
  if (name == "GatherElements")
    return inputRank(op, 1 - position);
  if (position != 0)
    return std::nullopt;
  if (auto order = op->getAttrOfType<DenseI64ArrayAttr>("perm");
      order && name == "Transpose")
    return order.size();
  if (name == "Squeeze" || name == "Unsqueeze") {
    Rank result = rankOf(op->getResult(0)), axes = axisCount(op);
    if (!result || !axes)
      return std::nullopt;
    return name == "Squeeze" ? *result + *axes : *result - *axes;
  }
  return llvm::StringSwitch<Rank>(name)
      .Cases({"Conv", "ConvInteger", "ConvTranspose", "DeformConv"},
             inputRank(op, 1))
      .Case("ConstantOfShape", 1)
      .Cases({"GRU", "LSTM", "RNN"}, 3)
      .Cases({"DepthToSpace", "SpaceToDepth"}, 4)
      .Default(std::nullopt);
}

/// Gives what `operand` reads, and what that is computed from, the rank, which
/// is checked where it comes about. What is from outside the reader's block is
/// seen with it there alone: the block may never be run.
static void setRank(OpOperand &operand, int64_t rank) {
  Value value = operand.get();
  if (!isa<UnrankedTensorType>(value.getType()) || rank < 0)
    return;
  Operation *op = value.getDefiningOp(), *reader = operand.getOwner();
  Type type = ofRank(value.getType(), rank);
  if (!op || op->getBlock() != reader->getBlock()) {
    OpBuilder builder(reader);
    operand.set(createOnnx(builder, reader->getLoc(), "Identity", value, type)
                    ->getResult(0));
    return;
  }
  if (keepsRank(op)) {
    if (rankOf(op->getOperand(0)))
      return; // inference finds it
    value.setType(type);
    setRank(op->getOpOperand(0), rank);
  } else if (checksRank(op)) {
    value.setType(type);
    // Of an If: what the branches themselves make.
    for (Region &region : op->getRegions()) {
      if (!isOnnx(op, "If") || !region.hasOneBlock() || region.front().empty())
        return;
      Operation *end = &region.front().back();
      unsigned index = cast<OpResult>(value).getResultNumber();
      if (end->getNumOperands() != op->getNumResults())
        return;
      Operation *from = end->getOperand(index).getDefiningOp();
      if (from && from->getBlock() == end->getBlock())
        setRank(end->getOpOperand(index), rank);
    }
  }
}

namespace {
struct InferRanks : onnxc::impl::InferRanksBase<InferRanks> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    // The model's outputs have as many dims as it names.
    Operation *end = function.getBody().front().getTerminator();
    for (OpOperand &output : end->getOpOperands()) {
      auto names = function.getResultAttrOfType<ArrayAttr>(
          output.getOperandNumber(), "onnx.dims");
      if (names && !names.empty())
        setRank(output, static_cast<int64_t>(names.size()));
    }
    function.walk([](Operation *op) {
      for (OpOperand &operand : op->getOpOperands())
        if (Rank rank = neededRank(operand))
          setRank(operand, *rank);
    });
    updateFunctionType(function);
  }
};
} // namespace
