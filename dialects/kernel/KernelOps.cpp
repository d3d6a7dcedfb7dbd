//===- KernelOps.cpp - Verifiers and effects of the kernel dialect --------===//

#include "dialects/kernel/KernelDialect.h"
#include "dialects/kernel/KernelVerifiers.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
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
// Effects
//===----------------------------------------------------------------------===//

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
void CacheAppendOp::getEffects(
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
  if (auto transform = getPointTransform()) {
    if (shape.size() != 5 || shape[0] != 1 ||
        !getValue().getShapedType().getElementType().isF32())
      return emitOpError(
          "point_transform needs a filter [1, KH, KW, IC, OC] of f32");
    int64_t taps = shape[1] * shape[2];
    auto coefficients = static_cast<int64_t>(transform->size());
    if (taps == 0 || coefficients == 0 || coefficients % taps != 0)
      return emitOpError("point_transform has ")
             << coefficients << " numbers, no rows of " << taps;
    shape.erase(shape.begin(), shape.begin() + 3);
    if (int64_t points = coefficients / taps; points > 1)
      shape.insert(shape.begin(), points);
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
  if (getPaired() && (shape.size() < 2 || shape[shape.size() - 2] % 2 != 0))
    return emitOpError("only an even number of rows can be paired");
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
// Softmax
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

LogicalResult CacheAppendOp::verify() {
  auto fresh = cast<ShapedType>(getFresh().getType());
  auto starts = cast<ShapedType>(getStarts().getType());
  auto init = cast<ShapedType>(getInit().getType());
  if (fresh.getRank() != 4 || init.getRank() != 4 || starts.getRank() != 1 ||
      !starts.getElementType().isInteger(64))
    return emitOpError("needs fresh and init of rank 4 and starts of i64");
  if (fresh.getElementType() != init.getElementType() ||
      !init.getElementType().isIntOrFloat())
    return emitOpError("fresh and init differ in their elements");
  if (!compatible(fresh.getDimSize(0), init.getDimSize(0)) ||
      !compatible(fresh.getDimSize(2), init.getDimSize(1)) ||
      !compatible(fresh.getDimSize(3), init.getDimSize(3)) ||
      !compatible(starts.getDimSize(0), init.getDimSize(0)))
    return emitOpError("fresh and starts do not fit init");
  if (!getPast())
    return success();
  auto past = cast<ShapedType>(getPast().getType());
  if (past.getRank() != 4 || past.getElementType() != init.getElementType())
    return emitOpError("past and init differ in rank or elements");
  for (int64_t dim : {0, 1, 3})
    if (!compatible(past.getDimSize(dim), init.getDimSize(dim)))
      return emitOpError("past and init differ in dim ") << dim;
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
  if (!getEnds() != !getNodes())
    return emitOpError("ends and nodes belong together");
  return verifyTrees(*this, {{"columns", getColumns(), 2, 3, i32},
                             {"cuts", getCuts(), 1, 0, element},
                             {"cut_begins", getCutBegins(), 1, 0, i32},
                             {"updates", getUpdates(), 2, 4, i16},
                             {"groups", getGroups(), 1, 0, i32},
                             {"trees", getTrees(), 2, 4, i32},
                             {"weights", getWeights(), 1, 0, element},
                             {"ends", getEnds(), 1, 0, i32},
                             {"nodes", getNodes(), 2, 4, i16},
                             {"members", getMembers(), 1, 0, element}});
}
