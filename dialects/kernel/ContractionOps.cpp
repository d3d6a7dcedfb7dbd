//===- ContractionOps.cpp - Verifiers of contractions ---------------------===//
//
// Matrix products, convolutions and attention: kernels with an epilogue.
//
//===----------------------------------------------------------------------===//

#include "dialects/kernel/KernelDialect.h"
#include "dialects/kernel/KernelVerifiers.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace onnxc::kernel;

/// Checks the epilogue's operands, maps and block arguments. What it yields
/// has `shape`.
template <typename OpTy>
static LogicalResult verifyEpilogue(OpTy op, Value lhs, Value rhs,
                                    ArrayRef<int64_t> shape) {
  auto isInteger = [](Value operand) {
    return cast<ShapedType>(operand.getType()).getElementType().isInteger();
  };
  if (isInteger(lhs) != isInteger(rhs))
    return op.emitOpError("multiplies integers by floating point");
  auto init = cast<ShapedType>(op.getInit().getType());
  auto rank = static_cast<int64_t>(shape.size());
  auto maps = op.getEpilogueMaps();
  if (maps.size() != op.getEpilogueOperands().size())
    return op.emitOpError("has ")
           << op.getEpilogueOperands().size() << " epilogue operands but "
           << maps.size() << " epilogue maps";
  Block *block = op.getEpilogueBlock();
  if (block->getNumArguments() != maps.size() + 1)
    return op.emitOpError("epilogue takes ")
           << block->getNumArguments() << " arguments, expected "
           << maps.size() + 1;
  Type sum = isInteger(lhs) ? Type(IntegerType::get(op.getContext(), 32))
                            : Type(Float32Type::get(op.getContext()));
  if (block->getArgument(0).getType() != sum)
    return op.emitOpError("accumulates in ")
           << sum << ", but its epilogue takes "
           << block->getArgument(0).getType();
  for (auto [map, operand, argument] : llvm::zip(
           maps.template getAsValueRange<AffineMapAttr>(),
           op.getEpilogueOperands(), block->getArguments().drop_front())) {
    auto type = cast<ShapedType>(operand.getType());
    if (map.getNumDims() != rank || map.getNumResults() != type.getRank())
      return op.emitOpError("epilogue map ")
             << AffineMapAttr::get(map) << " does not fit output rank " << rank
             << " and operand rank " << type.getRank();
    for (auto [position, expr] : llvm::enumerate(map.getResults())) {
      int64_t size = type.getDimSize(position);
      if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
        if (!compatible(size, shape[dim.getPosition()]))
          return op.emitOpError("epilogue operand dim ")
                 << position << " is " << size << ", the output's is "
                 << shape[dim.getPosition()];
        continue;
      }
      auto constant = dyn_cast<AffineConstantExpr>(expr);
      if (!constant || constant.getValue() != 0)
        return op.emitOpError("epilogue map result must be a dim or 0");
    }
    if (argument.getType() != type.getElementType())
      return op.emitOpError("epilogue argument type ")
             << argument.getType()
             << " differs from the operand's element type";
  }
  auto yield = dyn_cast<YieldOp>(block->back());
  if (!yield || yield.getValue().getType() != init.getElementType())
    return op.emitOpError("epilogue must yield one ") << init.getElementType();
  return success();
}

template <typename OpTy>
static LogicalResult verifyEpilogue(OpTy op, Value lhs, Value rhs) {
  return verifyEpilogue(op, lhs, rhs,
                        cast<ShapedType>(op.getInit().getType()).getShape());
}

template <typename OpTy> static bool trivialEpilogue(OpTy op) {
  auto yield = cast<YieldOp>(op.getEpilogueBlock()->getTerminator());
  return yield.getValue() == op.getEpilogueBlock()->getArgument(0);
}

#define ONNXC_CONTRACTION(OP)                                                  \
  bool OP::hasTrivialEpilogue() { return trivialEpilogue(*this); }             \
  void OP::getEffects(                                                         \
      SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {               \
    memrefEffects(*this, effects);                                             \
  }

ONNXC_CONTRACTION(MatmulOp)
ONNXC_CONTRACTION(QuantizedMatmulOp)
ONNXC_CONTRACTION(ConvOp)
ONNXC_CONTRACTION(WinogradConvOp)
ONNXC_CONTRACTION(DepthwiseConvOp)
ONNXC_CONTRACTION(AttentionOp)
#undef ONNXC_CONTRACTION

LogicalResult CheckOp::verify() {
  if (getValues().size() > 2)
    return emitOpError("shows at most two values");
  if (getMessage().count("{}") != getValues().size())
    return emitOpError("needs one '{}' in the message for each value");
  return success();
}

/// A condition that always holds needs no check.
LogicalResult CheckOp::canonicalize(CheckOp check, PatternRewriter &rewriter) {
  if (!matchPattern(check.getCondition(), m_One()))
    return rewriter.notifyMatchFailure(check, "the condition is not known");
  rewriter.eraseOp(check);
  return success();
}

/// Checks that weights marked `paired` can be: packed integers, an even number
/// of rows in a panel.
template <typename OpTy>
static LogicalResult verifyPairs(OpTy op, Value weights) {
  if (!op.getPaired())
    return success();
  auto type = cast<ShapedType>(weights.getType());
  if (!op.getPacked() || !type.getElementType().isInteger() ||
      type.getDimSize(type.getRank() - 2) % 2 != 0)
    return op.emitOpError("only packed integers of an even depth are paired");
  return success();
}

LogicalResult MatmulOp::verify() {
  auto lhs = cast<ShapedType>(getLhs().getType());
  auto rhs = cast<ShapedType>(getRhs().getType());
  auto init = cast<ShapedType>(getInit().getType());
  if (lhs.getRank() < 2 || rhs.getRank() < 2 || init.getRank() < 2)
    return emitOpError("operands must have rank 2 or more");
  int64_t k = lhs.getShape().back();
  int64_t n = init.getShape().back();
  if (!compatible(lhs.getDimSize(lhs.getRank() - 2),
                  init.getDimSize(init.getRank() - 2)))
    return emitOpError("lhs and output have different row counts");
  if (getPacked()) {
    if (rhs.getRank() != 3)
      return emitOpError("packed rhs must have rank 3");
    if (!compatible(k, rhs.getDimSize(1)))
      return emitOpError("lhs and rhs differ in K: ")
             << k << " and " << rhs.getDimSize(1);
    int64_t columns = rhs.getDimSize(0) * rhs.getDimSize(2);
    if (ShapedType::isDynamic(n) || columns < n ||
        columns - n >= rhs.getDimSize(2))
      return emitOpError("packed rhs does not cover the output's columns");
  } else {
    if (!compatible(k, rhs.getDimSize(rhs.getRank() - 2)))
      return emitOpError("lhs and rhs differ in K: ")
             << k << " and " << rhs.getDimSize(rhs.getRank() - 2);
    if (!compatible(n, rhs.getShape().back()))
      return emitOpError("rhs and output have different column counts");
  }
  if (failed(verifyPairs(*this, getRhs())))
    return failure();
  return verifyEpilogue(*this, getLhs(), getRhs());
}

LogicalResult QuantizedMatmulOp::verify() {
  auto typeOf = [](Value value) { return cast<ShapedType>(value.getType()); };
  ShapedType lhs = typeOf(getLhs()), init = typeOf(getInit());
  int64_t bits = getBits(), block = getBlock(), depth = getDepth();
  if (bits != 2 && bits != 4 && bits != 8)
    return emitOpError("weights must have 2, 4 or 8 bits");
  if (depth < 1 || block < 1 || block % stepsPerWord() != 0)
    return emitOpError("blocks must be whole words");
  if (lhs.getRank() < 2 || lhs.getRank() != init.getRank())
    return emitOpError("lhs and output must have the same rank of 2 or more");
  if (!compatible(lhs.getDimSize(lhs.getRank() - 2),
                  init.getDimSize(init.getRank() - 2)) ||
      !compatible(lhs.getShape().back(), depth))
    return emitOpError("lhs does not fit the output and the depth");
  int64_t columns = init.getShape().back();
  if (!isa<FloatType>(lhs.getElementType()) || ShapedType::isDynamic(columns))
    return emitOpError("multiplies floats by a known number of columns");
  auto fits = [&](Value operand, int64_t rows) {
    ArrayRef<int64_t> shape = typeOf(operand).getShape();
    if (!getPacked())
      return shape == ArrayRef<int64_t>{rows, columns};
    return shape.size() == 3 && shape[1] == rows &&
           shape[0] == llvm::divideCeilSigned(columns, shape[2]);
  };
  int64_t words = blocks() * (block / stepsPerWord());
  if (!typeOf(getWeights()).getElementType().isInteger(32) ||
      !fits(getWeights(), words))
    return emitOpError("weights must be ") << words << " rows of words";
  if (!isa<FloatType>(typeOf(getScales()).getElementType()) ||
      !fits(getScales(), blocks()))
    return emitOpError("scales must be ") << blocks() << " rows of floats";
  if (Value zero = getZeroPoints()) {
    bool areWords = typeOf(zero).getElementType().isInteger(32);
    if (!fits(zero,
              areWords ? llvm::divideCeil(blocks(), stepsPerWord()) : blocks()))
      return emitOpError("zero points do not fit the blocks");
  }
  return verifyEpilogue(*this, getLhs(), getScales());
}

/// The output rows that a window of `taps` makes of `size` rows.
static int64_t windowCount(int64_t size, int64_t taps, int64_t stride,
                           int64_t dilation) {
  int64_t extent = (taps - 1) * dilation + 1;
  return size < extent ? 0 : (size - extent) / stride + 1;
}

LogicalResult onnxc::kernel::verifySpatialAttr(Operation *op, StringRef name,
                                               ArrayRef<int64_t> values,
                                               size_t size, int64_t least) {
  if (values.size() != size)
    return op->emitOpError() << name << " must have " << size << " entries";
  for (int64_t value : values)
    if (value < least)
      return op->emitOpError() << name << " must be at least " << least;
  return success();
}

LogicalResult onnxc::kernel::verifyChannelsLast(Operation *op, Value input,
                                                Value init) {
  auto inputType = cast<ShapedType>(input.getType());
  auto initType = cast<ShapedType>(init.getType());
  if (inputType.getRank() != 4 || initType.getRank() != 4)
    return op->emitOpError("input and output must have rank 4");
  if (!compatible(inputType.getDimSize(0), initType.getDimSize(0)))
    return op->emitOpError("input and output differ in batch");
  return success();
}

LogicalResult ConvOp::verify() {
  if (failed(verifyChannelsLast(*this, getInput(), getInit())) ||
      failed(verifySpatialAttr(*this, "strides", getStrides(), 2, 1)) ||
      failed(verifySpatialAttr(*this, "dilations", getDilations(), 2, 1)))
    return failure();
  auto input = cast<ShapedType>(getInput().getType());
  auto filter = cast<ShapedType>(getFilter().getType());
  auto init = cast<ShapedType>(getInit().getType());
  if (filter.getRank() != (getPacked() ? 6 : 5))
    return emitOpError("filter must have rank ") << (getPacked() ? 6 : 5);
  ArrayRef<int64_t> taps = filter.getShape().slice(getPacked() ? 2 : 1, 3);
  int64_t groups = filter.getDimSize(0);
  if (!ShapedType::isDynamic(groups) && !ShapedType::isDynamic(taps[2]) &&
      !compatible(input.getDimSize(3), groups * taps[2]))
    return emitOpError("input has ")
           << input.getDimSize(3) << " channels, the filter takes "
           << groups * taps[2];
  for (int i = 0; i < 2; ++i)
    if (!ShapedType::isDynamic(input.getDimSize(i + 1)) &&
        !ShapedType::isDynamic(taps[i]) &&
        !compatible(init.getDimSize(i + 1),
                    windowCount(input.getDimSize(i + 1), taps[i],
                                getStrides()[i], getDilations()[i])))
      return emitOpError("output dim ") << i + 1 << " does not fit the input";
  if (failed(verifyPairs(*this, getFilter())))
    return failure();
  return verifyEpilogue(*this, getInput(), getFilter());
}

LogicalResult WinogradInputOp::verify() {
  if (failed(verifyChannelsLast(*this, getInput(), getInit())) ||
      failed(verifySpatialAttr(*this, "pads", getPads(), 2, 0)))
    return failure();
  int64_t channels = cast<ShapedType>(getInput().getType()).getDimSize(3);
  if (ShapedType::isDynamic(channels))
    return emitOpError("input must have a static number of channels");
  if (cast<ShapedType>(getInit().getType()).getDimSize(3) !=
      16 * channels + gap)
    return emitOpError("init must have ") << 16 * channels + gap << " columns";
  return success();
}

LogicalResult WinogradConvOp::verify() {
  if (failed(verifyChannelsLast(*this, getPatches(), getInit())))
    return failure();
  auto patches = cast<ShapedType>(getPatches().getType());
  auto filter = cast<ShapedType>(getFilter().getType());
  auto init = cast<ShapedType>(getInit().getType());
  if (filter.getRank() != 4 || !filter.hasStaticShape() ||
      filter.getDimSize(1) != 16)
    return emitOpError("filter must be [P, 16, IC, W]");
  if (patches.getDimSize(3) != 16 * filter.getDimSize(2) + WinogradInputOp::gap)
    return emitOpError("patches and filter differ in channels");
  int64_t columns = filter.getDimSize(0) * filter.getDimSize(3);
  if (init.isDynamicDim(3) || columns < init.getDimSize(3) ||
      columns - init.getDimSize(3) >= filter.getDimSize(3))
    return emitOpError("filter does not cover the output's channels");
  if (!init.isDynamicDim(2) &&
      !compatible(patches.getDimSize(2),
                  llvm::divideCeil(init.getDimSize(2), 2)))
    return emitOpError("output dim 2 does not fit the patches");
  if (!init.isDynamicDim(1) && !patches.isDynamicDim(1) &&
      2 * patches.getDimSize(1) < init.getDimSize(1))
    return emitOpError("output has more rows than the patches give");
  return verifyEpilogue(*this, getPatches(), getFilter());
}

LogicalResult DepthwiseConvOp::verify() {
  if (failed(verifyChannelsLast(*this, getInput(), getInit())) ||
      failed(verifySpatialAttr(*this, "strides", getStrides(), 2, 1)) ||
      failed(verifySpatialAttr(*this, "dilations", getDilations(), 2, 1)) ||
      failed(verifySpatialAttr(*this, "pads", getPads(), 2, 0)))
    return failure();
  auto input = cast<ShapedType>(getInput().getType());
  auto filter = cast<ShapedType>(getFilter().getType());
  auto init = cast<ShapedType>(getInit().getType());
  if (filter.getRank() != 3)
    return emitOpError("filter must have rank 3");
  if (!compatible(input.getDimSize(3), filter.getDimSize(2)) ||
      !compatible(init.getDimSize(3), filter.getDimSize(2)))
    return emitOpError("input, filter and output differ in channels");
  return verifyEpilogue(*this, getInput(), getFilter());
}

LogicalResult AttentionOp::verify() {
  int64_t rank = cast<ShapedType>(getInit().getType()).getRank();
  if (rank < 2)
    return emitOpError("operands must have rank 2 or more");
  auto inOrder = [&](StringRef name, Value operand, ArrayRef<int64_t> order,
                     SmallVector<int64_t> &shape) -> LogicalResult {
    auto type = cast<ShapedType>(operand.getType());
    if (type.getRank() != rank || !type.getElementType().isF32())
      return emitOpError() << name << " must be f32 of rank " << rank;
    if (static_cast<int64_t>(order.size()) != rank ||
        !isPermutationVector(order))
      return emitOpError() << name << "_order is no permutation of " << rank
                           << " dims";
    shape = applyPermutation(type.getShape(), order);
    return success();
  };
  SmallVector<int64_t> query, key, value, init;
  if (failed(inOrder("query", getQuery(), getQueryOrder(), query)) ||
      failed(inOrder("key", getKey(), getKeyOrder(), key)) ||
      failed(inOrder("value", getValue(), getValueOrder(), value)) ||
      failed(inOrder("init", getInit(), getInitOrder(), init)))
    return failure();
  for (int64_t dim = 0; dim + 2 < rank; ++dim)
    if (!compatible(query[dim], init[dim]) ||
        (key[dim] != 1 && !compatible(key[dim], init[dim])) ||
        (value[dim] != 1 && !compatible(value[dim], init[dim])))
      return emitOpError("operands and output differ in batch dim ") << dim;
  if (ShapedType::isDynamic(query.back()) || query.back() > maxHeadWidth ||
      query.back() != key.back())
    return emitOpError("query and key must have the same static width of at "
                       "most ")
           << maxHeadWidth;
  if (!compatible(query[rank - 2], init[rank - 2]) ||
      !compatible(key[rank - 2], value[rank - 2]) ||
      !compatible(value.back(), init.back()))
    return emitOpError("operands do not fit each other");
  for (Value operand : getEpilogueOperands())
    if (!cast<ShapedType>(operand.getType()).getElementType().isF32())
      return emitOpError("epilogue operands must be f32");
  SmallVector<int64_t> scores(init);
  scores.back() = key[rank - 2];
  return verifyEpilogue(*this, getQuery(), getKey(), scores);
}
