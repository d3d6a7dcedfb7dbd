//===- KernelOps.cpp - Verifiers and effects of the kernel dialect --------===//

#include "dialects/kernel/KernelDialect.h"

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

#define GET_OP_CLASSES
#include "dialects/kernel/KernelOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Shared by all kernels
//===----------------------------------------------------------------------===//

/// After bufferization a kernel reads its inputs and writes its init.
template <typename OpTy>
static void
memrefEffects(OpTy op,
              SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (op.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

static bool compatible(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

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
ONNXC_CONTRACTION(ConvOp)
ONNXC_CONTRACTION(WinogradConvOp)
ONNXC_CONTRACTION(DepthwiseConvOp)
ONNXC_CONTRACTION(AttentionOp)
#undef ONNXC_CONTRACTION

void WinogradInputOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  memrefEffects(*this, effects);
}

void PoolOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  memrefEffects(*this, effects);
}

void SoftmaxOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  memrefEffects(*this, effects);
}

void PadOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  memrefEffects(*this, effects);
}

void TreeWalkOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  memrefEffects(*this, effects);
}

void TreeScanOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  memrefEffects(*this, effects);
}

void PadBorderOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  memrefEffects(*this, effects);
}

/// The states and the room for intermediate values are read as well.
void RecurrenceOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  memrefEffects(*this, effects);
  for (OpOperand &init : getInitsMutable())
    if (isa<MemRefType>(init.get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), &init);
}

//===----------------------------------------------------------------------===//
// WeightOp
//===----------------------------------------------------------------------===//

static unsigned elementBits(Type type) {
  auto complex = dyn_cast<ComplexType>(type);
  return complex ? 2 * complex.getElementType().getIntOrFloatBitWidth()
                 : type.getIntOrFloatBitWidth();
}

LogicalResult WeightOp::verify() {
  SmallVector<int64_t> shape(getValue().getShapedType().getShape());
  int64_t elements = getValue().getShapedType().getNumElements();
  if (auto expanded = getExpandedShape()) {
    if (ShapedType::getNumElements(*expanded) != elements)
      return emitOpError("expanded shape has ")
             << ShapedType::getNumElements(*expanded) << " elements, the value "
             << elements;
    shape.assign(expanded->begin(), expanded->end());
  }
  if (auto permutation = getPermutation()) {
    if (!isPermutationVector(*permutation) ||
        permutation->size() != shape.size())
      return emitOpError("not a permutation of ") << shape.size() << " dims";
    shape = applyPermutation(shape, *permutation);
  }
  if (getWinograd()) {
    if (shape.size() != 5 || shape[0] != 1 || shape[1] != 3 || shape[2] != 3 ||
        !getValue().getShapedType().getElementType().isF32())
      return emitOpError("winograd needs a filter [1, 3, 3, IC, OC] of f32");
    shape = {16, shape[3], shape[4]};
  }
  if (getPanelWidth().has_value() != getPanelAxis().has_value())
    return emitOpError("panel_width and panel_axis go together");
  if (auto width = getPanelWidth()) {
    int64_t axis = static_cast<int64_t>(*getPanelAxis());
    int64_t panel = static_cast<int64_t>(*width);
    if (panel <= 0 || shape.empty() || axis < 0 ||
        axis >= static_cast<int64_t>(shape.size()))
      return emitOpError("panel_width or panel_axis out of range");
    int64_t panels = llvm::divideCeil(shape.back(), panel);
    shape.back() = panel;
    shape.insert(shape.begin() + axis, panels);
  }
  auto type = cast<ShapedType>(getResult().getType());
  if (type.getShape() != ArrayRef<int64_t>(shape))
    return emitOpError("result shape does not follow from the value's");
  if (elementBits(type.getElementType()) !=
      elementBits(getValue().getShapedType().getElementType()))
    return emitOpError("result element type differs from the value's");
  return success();
}

//===----------------------------------------------------------------------===//
// Memory that grows
//===----------------------------------------------------------------------===//

static LogicalResult verifySizes(Operation *op, ShapedType type,
                                 ValueRange sizes) {
  if (static_cast<size_t>(type.getNumDynamicDims()) == sizes.size())
    return success();
  return op->emitOpError("has ")
         << sizes.size() << " sizes for " << type.getNumDynamicDims()
         << " dims that the type does not tell";
}

LogicalResult SlotReadOp::verify() {
  return verifySizes(*this, getTensor().getType(), getSizes());
}

LogicalResult NewBoxOp::verify() {
  return verifySizes(*this, cast<ShapedType>(getBuffer().getType()),
                     getSizes());
}

LogicalResult UnboxOp::verify() {
  return verifySizes(*this, cast<ShapedType>(getTensor().getType()),
                     getSizes());
}

LogicalResult ReserveOp::verify() {
  return verifySizes(*this, cast<ShapedType>(getBuffer().getType()),
                     getSizes());
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

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
  return verifyEpilogue(*this, getLhs(), getRhs());
}

/// The output rows that a window of `taps` makes of `size` rows.
static int64_t windowCount(int64_t size, int64_t taps, int64_t stride,
                           int64_t dilation) {
  int64_t extent = (taps - 1) * dilation + 1;
  return size < extent ? 0 : (size - extent) / stride + 1;
}

static LogicalResult verifySpatialAttr(Operation *op, StringRef name,
                                       ArrayRef<int64_t> values, size_t size,
                                       int64_t least) {
  if (values.size() != size)
    return op->emitOpError() << name << " must have " << size << " entries";
  for (int64_t value : values)
    if (value < least)
      return op->emitOpError() << name << " must be at least " << least;
  return success();
}

static LogicalResult verifyChannelsLast(Operation *op, Value input,
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

//===----------------------------------------------------------------------===//
// Softmax and attention
//===----------------------------------------------------------------------===//

LogicalResult SoftmaxOp::verify() {
  auto input = cast<ShapedType>(getInput().getType());
  auto init = cast<ShapedType>(getInit().getType());
  if (input.getRank() < 1 || failed(verifyCompatibleShape(input, init)))
    return emitOpError(
        "input and output must have one shape of rank 1 or more");
  if (!input.getElementType().isF32() || !init.getElementType().isF32())
    return emitOpError("computes in f32");
  return success();
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

LogicalResult PoolOp::verify() {
  if (failed(verifyChannelsLast(*this, getInput(), getInit())) ||
      failed(verifySpatialAttr(*this, "window", getWindow(), 2, 1)) ||
      failed(verifySpatialAttr(*this, "strides", getStrides(), 2, 1)) ||
      failed(verifySpatialAttr(*this, "dilations", getDilations(), 2, 1)) ||
      failed(verifySpatialAttr(*this, "pads", getPads(), 4, 0)))
    return failure();
  if (!compatible(cast<ShapedType>(getInput().getType()).getDimSize(3),
                  cast<ShapedType>(getInit().getType()).getDimSize(3)))
    return emitOpError("input and output differ in channels");
  return success();
}

LogicalResult PadOp::verify() {
  if (failed(verifyChannelsLast(*this, getInput(), getInit())) ||
      failed(verifySpatialAttr(*this, "pads", getPads(), 2, 0)))
    return failure();
  return success();
}

LogicalResult PadBorderOp::verify() {
  if (failed(verifyChannelsLast(*this, getInit(), getInit())) ||
      failed(verifySpatialAttr(*this, "pads", getPads(), 2, 0)))
    return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// RecurrenceOp
//===----------------------------------------------------------------------===//

/// Fails unless `value` has the dims `wanted`, a negative one being any.
static LogicalResult verifyDims(Operation *op, StringRef what, Value value,
                                ArrayRef<int64_t> wanted) {
  auto type = cast<ShapedType>(value.getType());
  if (type.getRank() != static_cast<int64_t>(wanted.size()))
    return op->emitOpError() << what << " must have rank " << wanted.size();
  for (auto [size, expected] : llvm::zip(type.getShape(), wanted))
    if (expected >= 0 && !compatible(size, expected))
      return op->emitOpError()
             << what << " has a dim of " << size << ", expected " << expected;
  return success();
}

LogicalResult RecurrenceOp::verify() {
  auto input = cast<ShapedType>(getInput().getType());
  Type element = input.getElementType();
  if (input.getRank() != 5)
    return emitOpError("input must have rank 5");
  if (!element.isF32() && !element.isF64())
    return emitOpError("computes in f32 or f64, not in ") << element;
  int64_t steps = input.getDimSize(0), batch = input.getDimSize(1),
          directions = input.getDimSize(2), width = input.getDimSize(4);
  if (ShapedType::isDynamic(directions) ||
      ShapedType::isDynamic(input.getDimSize(3)))
    return emitOpError("input must have static directions and gates");
  if (directions < 1 || directions > 2)
    return emitOpError("must have one or two directions");
  if (getReversed().size() != static_cast<size_t>(directions) ||
      !llvm::all_of(getReversed(), [](int64_t flag) { return flag >> 1 == 0; }))
    return emitOpError("reversed must have a 0 or 1 per direction");
  if (getWeights().empty() || getWeights().size() > 2 ||
      getWeights().size() != getStages().size())
    return emitOpError("must have one or two weights and as many stages");
  if (getInits().size() < (getHasSequence() ? 3u : 2u))
    return emitOpError("must have a state");

  int64_t coefficients = 0, previous = 0, kept = 0;
  if (getCoefficients()) {
    coefficients = cast<ShapedType>(getCoefficients().getType()).getDimSize(1);
    if (failed(verifyDims(*this, "coefficients", getCoefficients(),
                          {directions, -1, width})))
      return failure();
    if (ShapedType::isDynamic(coefficients))
      return emitOpError("must have a static number of coefficients");
  }
  int64_t states = static_cast<int64_t>(getStates().size());
  for (auto [i, weight] : llvm::enumerate(getWeights())) {
    auto type = cast<ShapedType>(weight.getType());
    SmallVector<int64_t> dims = {directions, -1, width, width};
    if (getPacked())
      dims = {directions, -1, -1, width, -1};
    if (failed(verifyDims(*this, "weight", weight, dims)))
      return failure();
    if (ShapedType::isDynamic(type.getDimSize(1)))
      return emitOpError("weight must have a static number of gates");
    Block &block = getStages()[i].front();
    int64_t arguments = type.getDimSize(1) + input.getDimSize(3) + states +
                        previous + coefficients;
    if (static_cast<int64_t>(block.getNumArguments()) != arguments)
      return emitOpError("stage takes ")
             << block.getNumArguments() << " arguments, expected " << arguments;
    if (!llvm::all_of(block.getArgumentTypes(),
                      [&](Type type) { return type == element; }))
      return emitOpError("stage must take arguments of type ") << element;
    if (block.empty() || !isa<StageYieldOp>(block.back()))
      return emitOpError("stage must end in kernel.stage_yield");
    bool last = i + 1 == getWeights().size();
    previous = getYieldCount(i);
    if (last ? previous != states : previous == 0)
      return emitOpError("stage yields ") << previous << " values";
    if (!last)
      kept += previous;
  }
  for (Value state : getStates())
    if (failed(verifyDims(*this, "state", state, {directions, batch, width})))
      return failure();
  if (getHasSequence() && failed(verifyDims(*this, "sequence", getInits()[0],
                                            {steps, directions, batch, width})))
    return failure();
  if (getLengths() &&
      failed(verifyDims(*this, "lengths", getLengths(), {batch})))
    return failure();
  return verifyDims(*this, "room", getInits().back(),
                    {directions, batch, kept + 1, width});
}

//===----------------------------------------------------------------------===//
// Decision trees
//===----------------------------------------------------------------------===//

namespace {
/// A table of a tree op: how many dims, how wide the last (0: any), of what.
struct Table {
  StringRef name;
  Value value;
  int64_t rank, width;
  Type element;
};
} // namespace

template <typename OpTy>
static LogicalResult verifyTrees(OpTy op, ArrayRef<Table> tables) {
  auto samples = cast<ShapedType>(op.getSamples().getType());
  auto init = cast<ShapedType>(op.getInit().getType());
  Type element = samples.getElementType();
  if (samples.getRank() != 2 || init.getRank() != 2 ||
      !compatible(samples.getDimSize(0), init.getDimSize(0)))
    return op.emitOpError("needs samples and sums of as many rows");
  if ((!element.isF32() && !element.isF64()) ||
      init.getElementType() != element)
    return op.emitOpError("computes in f32 or f64");
  if (init.isDynamicDim(1) || op.getWidth() < 1 ||
      static_cast<int64_t>(op.getWidth()) > init.getDimSize(1))
    return op.emitOpError("width must be from 1 to the number of targets");
  for (const Table &table : tables) {
    if (!table.value)
      continue;
    auto type = cast<ShapedType>(table.value.getType());
    if (type.getRank() != table.rank || !type.hasStaticShape() ||
        (table.width && type.getShape().back() != table.width) ||
        type.getElementType() != table.element)
      return op.emitOpError() << table.name << " has a wrong type";
  }
  return success();
}

LogicalResult TreeWalkOp::verify() {
  Type element = getElementTypeOrSelf(getSamples());
  Type i32 = IntegerType::get(getContext(), 32);
  Type word = getElementTypeOrSelf(getNodes());
  if (!word.isInteger(32) && !word.isInteger(64))
    return emitOpError("nodes are of i32 or i64");
  if (word.isInteger(32) && element.isF64())
    return emitOpError("nodes of i32 hold no threshold of f64");
  if (failed(verifyTrees(*this, {{"columns", getColumns(), 2, 3, i32},
                                 {"nodes", getNodes(), 2, 2, word},
                                 {"trees", getTrees(), 2, 3, i32},
                                 {"weights", getWeights(), 1, 0, element},
                                 {"members", getMembers(), 1, 0, element}})))
    return failure();
  if (!getWeights() && getWidth() != 1)
    return emitOpError("leaves of several weights need a list of them");
  if (cast<ShapedType>(getTrees().getType()).getDimSize(0) % walksAtATime)
    return emitOpError("trees must come in eights");
  return success();
}

LogicalResult TreeScanOp::verify() {
  Type element = getElementTypeOrSelf(getSamples());
  Type i16 = IntegerType::get(getContext(), 16);
  Type i32 = IntegerType::get(getContext(), 32);
  return verifyTrees(*this, {{"columns", getColumns(), 2, 3, i32},
                             {"cuts", getCuts(), 1, 0, element},
                             {"cut_begins", getCutBegins(), 1, 0, i32},
                             {"updates", getUpdates(), 2, 4, i16},
                             {"groups", getGroups(), 1, 0, i32},
                             {"trees", getTrees(), 2, 3, i32},
                             {"weights", getWeights(), 1, 0, element},
                             {"members", getMembers(), 1, 0, element}});
}
