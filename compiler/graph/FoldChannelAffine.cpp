//===- FoldChannelAffine.cpp - Factors and terms into weights -------------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

namespace onnxc {
#define GEN_PASS_DEF_FOLDCHANNELAFFINE
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

/// How the weights of a product lie with respect to its output channels:
/// weight element i belongs to channel (i / inner) % channels, or, with
/// groups, to a channel of the group that its first dim is in.
struct Weights {
  std::vector<float> values;
  SmallVector<int64_t> dims;
  int64_t channels = 0, inner = 1;
  /// For ConvTranspose: groups, and elements of the first dim in each.
  int64_t groups = 1, rowsOfGroup = 0, row = 0;
  /// Which dim of the result holds the channels, counted from the last.
  int64_t channelFromEnd = 0;

  int64_t channelOf(int64_t index) const {
    int64_t channel = (index / inner) % (channels / groups);
    if (groups > 1)
      channel += index / row / rowsOfGroup * (channels / groups);
    return channel;
  }
};

struct FoldChannelAffine
    : onnxc::impl::FoldChannelAffineBase<FoldChannelAffine> {
  using FoldChannelAffineBase::FoldChannelAffineBase;

  void runOnOperation() override {
    SmallVector<Operation *> found;
    getOperation().walk([&](Operation *op) {
      if (isOnnx(op, "Mul") || isOnnx(op, "Div") || isOnnx(op, "Add") ||
          isOnnx(op, "Sub"))
        found.push_back(op);
    });
    for (Operation *op : found)
      fold(op);
    eraseDead(getOperation());
  }

private:
  static void fold(Operation *op) {
    bool isTerm = isOnnx(op, "Add") || isOnnx(op, "Sub");
    bool commutes = isOnnx(op, "Add") || isOnnx(op, "Mul");
    if (op->getNumOperands() != 2)
      return;
    for (unsigned side : {0, 1}) {
      if (side == 1 && !commutes)
        return;
      Operation *producer = op->getOperand(side).getDefiningOp();
      Value operand = op->getOperand(1 - side);
      // The constant must not change the product's shape.
      if (!producer || !producer->hasOneUse() ||
          op->getResult(0).getType() != producer->getResult(0).getType())
        continue;
      auto values = floatConstant(operand);
      if (!values || values->empty())
        continue;
      if (foldInto(op, producer, operand, std::move(*values), isTerm))
        return;
    }
  }

  static bool foldInto(Operation *op, Operation *producer, Value operand,
                       std::vector<float> values, bool isTerm) {
    bool isConv = isOnnx(producer, "Conv");
    bool isTransposed = isOnnx(producer, "ConvTranspose");
    bool isGemm = isOnnx(producer, "Gemm");
    bool isMatMul = isOnnx(producer, "MatMul");
    if (!isConv && !isTransposed && !isGemm && !isMatMul)
      return false;
    // A term after MatMul is left for the epilogue of the product.
    if (isMatMul && isTerm)
      return false;
    std::optional<Weights> weights = readWeights(producer, !isTerm);
    if (!weights || weights->channels == 0)
      return false;
    auto channels =
        perChannel(operand, std::move(values), *weights,
                   cast<RankedTensorType>(producer->getResult(0).getType()));
    if (!channels)
      return false;
    if (isOnnx(op, "Div"))
      for (float &value : *channels) {
        if (value == 0)
          return false;
        value = 1 / value;
      }
    if (isOnnx(op, "Sub"))
      for (float &value : *channels)
        value = -value;

    std::vector<float> bias;
    float beta = 1;
    if (!isMatMul) {
      if (hasOperand(producer, 2)) {
        auto known = floatConstant(producer->getOperand(2));
        if (!known)
          return false;
        bias = std::move(*known);
        if (isGemm && !isBias(producer->getOperand(2), weights->channels))
          return false;
        if (bias.size() == 1)
          bias.resize(weights->channels, bias.front());
        if (static_cast<int64_t>(bias.size()) != weights->channels)
          return false;
        if (auto attribute = producer->getAttrOfType<FloatAttr>("beta");
            isGemm && attribute)
          beta = static_cast<float>(attribute.getValueAsDouble());
      } else if (isTerm) {
        bias.resize(weights->channels, 0);
      }
    }
    for (auto [index, value] : llvm::enumerate(bias))
      value = isTerm ? beta * value + (*channels)[index]
                     : beta * value * (*channels)[index];

    OpBuilder builder(op);
    builder.setInsertionPoint(producer);
    Location location = producer->getLoc();
    if (!isTerm) {
      for (int64_t index = 0,
                   count = static_cast<int64_t>(weights->values.size());
           index < count; ++index)
        weights->values[index] *= (*channels)[weights->channelOf(index)];
      producer->setOperand(
          1, createConstant(builder, location,
                            floatElements(op->getContext(), weights->dims,
                                          std::move(weights->values))));
    }
    if (!bias.empty()) {
      producer->setOperand(
          2, createConstant(builder, location,
                            floatElements(op->getContext(), {weights->channels},
                                          std::move(bias))));
      if (isGemm)
        producer->setAttr("beta", builder.getF32FloatAttr(1));
    }
    op->getResult(0).replaceAllUsesWith(producer->getResult(0));
    op->erase();
    return true;
  }

  /// What is needed of the product's weights; their values only on demand.
  static std::optional<Weights> readWeights(Operation *producer,
                                            bool needsValues) {
    Value operand = producer->getOperand(1);
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    auto result = dyn_cast<RankedTensorType>(producer->getResult(0).getType());
    if (!type || !result || !type.hasStaticShape() ||
        !type.getElementType().isF32() || !result.getElementType().isF32())
      return std::nullopt;
    Weights weights;
    weights.dims.assign(type.getShape().begin(), type.getShape().end());
    auto flag = [&](StringRef name, int64_t missing) {
      auto attribute = producer->getAttrOfType<IntegerAttr>(name);
      return attribute ? attribute.getInt() : missing;
    };
    int64_t rank = type.getRank();
    if (isOnnx(producer, "Conv")) {
      if (rank < 3)
        return std::nullopt;
      weights.channels = weights.dims[0];
      for (int64_t size : ArrayRef(weights.dims).drop_front())
        weights.inner *= size;
      weights.channelFromEnd = rank - 2;
    } else if (isOnnx(producer, "ConvTranspose")) {
      if (rank < 3)
        return std::nullopt;
      weights.groups = flag("group", 1);
      if (weights.groups < 1 || weights.dims[0] % weights.groups != 0)
        return std::nullopt;
      weights.channels = weights.dims[1] * weights.groups;
      for (int64_t size : ArrayRef(weights.dims).drop_front(2))
        weights.inner *= size;
      weights.row = weights.inner * weights.dims[1];
      weights.rowsOfGroup = weights.dims[0] / weights.groups;
      weights.channelFromEnd = rank - 2;
    } else if (isOnnx(producer, "Gemm")) {
      if (rank != 2)
        return std::nullopt;
      bool transposed = flag("transB", 0) != 0;
      weights.channels = weights.dims[transposed ? 0 : 1];
      weights.inner = transposed ? weights.dims[1] : 1;
    } else { // MatMul
      if (rank != 2)
        return std::nullopt;
      weights.channels = weights.dims[1];
    }
    if (llvm::is_contained(weights.dims, 0))
      return std::nullopt;
    if (needsValues) {
      auto values = floatConstant(operand);
      if (!values)
        return std::nullopt;
      weights.values = std::move(*values);
    }
    return weights;
  }

  /// The constant's value for each channel, if it is constant but for these.
  static std::optional<std::vector<float>> perChannel(Value operand,
                                                      std::vector<float> values,
                                                      const Weights &weights,
                                                      RankedTensorType result) {
    auto type = cast<RankedTensorType>(operand.getType());
    if (values.size() == 1) {
      values.resize(weights.channels, values.front());
      return values;
    }
    int64_t rank = type.getRank();
    int64_t axis = rank - 1 - weights.channelFromEnd;
    if (axis < 0 || rank > result.getRank() ||
        type.getDimSize(axis) != weights.channels ||
        static_cast<int64_t>(values.size()) != weights.channels)
      return std::nullopt;
    return values;
  }

  /// Whether C of a Gemm is one number or one for each column.
  static bool isBias(Value operand, int64_t channels) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!type || !type.hasStaticShape())
      return false;
    return type.getNumElements() == 1 || (type.getNumElements() == channels &&
                                          type.getShape().back() == channels);
  }
};

} // namespace
