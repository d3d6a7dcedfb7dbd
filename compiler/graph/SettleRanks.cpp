//===- SettleRanks.cpp - Ranks that their readers tell --------------------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

#include "dialects/onnx/Elements.h"

namespace onnxc {
#define GEN_PASS_DEF_SETTLERANKS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

static bool isAnyOf(Operation *op, ArrayRef<StringLiteral> names) {
  StringRef name = op->getName().getStringRef();
  return name.consume_front("onnx.") && llvm::is_contained(names, name);
}

static Value axesConstant(OpBuilder &builder, Location location,
                          ArrayRef<int64_t> axes) {
  auto type = RankedTensorType::get(static_cast<int64_t>(axes.size()),
                                    builder.getI64Type());
  return createConstant(builder, location,
                        cast<ElementsAttr>(DenseElementsAttr::get(type, axes)));
}

//===----------------------------------------------------------------------===//
// Squeeze without axes
//===----------------------------------------------------------------------===//

/// The least rank with which `use` is not an error.
static int64_t leastRank(OpOperand &use) {
  Operation *op = use.getOwner();
  if (isOnnx(op, "Transpose")) {
    auto order = op->getAttrOfType<DenseI64ArrayAttr>("perm");
    return order ? order.size() : 0;
  }
  static constexpr StringLiteral ofFirst[] = {
      "ArgMax",  "ArgMin", "Gather", "GatherElements", "Hardmax", "LogSoftmax",
      "Softmax", "Split",  "TopK"};
  bool isData = use.getOperandNumber() == 0 && isAnyOf(op, ofFirst);
  auto axis = op->getAttrOfType<IntegerAttr>("axis");
  if (!axis || (!isData && !isOnnx(op, "Concat")))
    return 0;
  return axis.getInt() < 0 ? -axis.getInt() : axis.getInt() + 1;
}

static void settleSqueeze(Operation *squeeze) {
  auto type = dyn_cast<RankedTensorType>(squeeze->getOperand(0).getType());
  if (hasOperand(squeeze, 1) || !type || type.hasStaticShape())
    return;
  SmallVector<int64_t> ones;
  for (auto [axis, size] : llvm::enumerate(type.getShape()))
    if (size == 1)
      ones.push_back(static_cast<int64_t>(axis));
  int64_t most = type.getRank() - static_cast<int64_t>(ones.size());
  if (llvm::none_of(squeeze->getUses(),
                    [&](OpOperand &use) { return leastRank(use) >= most; }))
    return;
  if (ones.empty()) {
    squeeze->getResult(0).replaceAllUsesWith(squeeze->getOperand(0));
    return;
  }
  OpBuilder builder(squeeze);
  squeeze->setOperand(1, axesConstant(builder, squeeze->getLoc(), ones));
}

//===----------------------------------------------------------------------===//
// Branches of different ranks
//===----------------------------------------------------------------------===//

/// Whether `use` gives the same with any number of dims of 1 put before the
/// operand's, up to `rank` dims.
static bool ignoresLeadingOnes(OpOperand &use, int64_t rank) {
  Operation *op = use.getOwner();
  if (isOnnx(op, "CastLike") && use.getOperandNumber() == 1)
    return true;
  static constexpr StringLiteral broadcasting[] = {
      "Add",   "And",   "BitShift",      "BitwiseAnd", "BitwiseOr",
      "Div",   "Equal", "Greater",       "Less",       "BitwiseXor",
      "Max",   "Mean",  "Min",           "Mod",        "Mul",
      "Or",    "Pow",   "LessOrEqual",   "Sub",        "Sum",
      "Where", "Xor",   "GreaterOrEqual"};
  return isAnyOf(op, broadcasting) &&
         llvm::any_of(op->getOpOperands(), [&](OpOperand &other) {
           auto type = dyn_cast<RankedTensorType>(other.get().getType());
           return other.get() != use.get() && type && type.getRank() >= rank;
         });
}

static void settleBranches(Operation *conditional) {
  if (conditional->getNumRegions() != 2 ||
      !llvm::all_of(conditional->getRegions(), [](Region &region) {
        return region.hasOneBlock() && !region.front().empty();
      }))
    return;
  for (OpResult result : conditional->getResults()) {
    Operation *ends[2];
    RankedTensorType types[2];
    for (unsigned branch : {0, 1}) {
      ends[branch] = &conditional->getRegion(branch).front().back();
      if (ends[branch]->getNumOperands() == conditional->getNumResults())
        types[branch] = dyn_cast<RankedTensorType>(
            ends[branch]->getOperand(result.getResultNumber()).getType());
    }
    if (!types[0] || !types[1] || types[0].getRank() == types[1].getRank())
      continue;
    unsigned lower = types[0].getRank() < types[1].getRank() ? 0 : 1;
    int64_t rank = types[1 - lower].getRank();
    if (!llvm::all_of(result.getUses(), [&](OpOperand &use) {
          return ignoresLeadingOnes(use, rank);
        }))
      continue;
    Operation *end = ends[lower];
    OpBuilder builder(end);
    SmallVector<int64_t> shape(rank - types[lower].getRank(), 1);
    Value axes = axesConstant(builder, conditional->getLoc(),
                              llvm::to_vector(llvm::seq<int64_t>(
                                  0, static_cast<int64_t>(shape.size()))));
    llvm::append_range(shape, types[lower].getShape());
    OpOperand &yielded = end->getOpOperand(result.getResultNumber());
    Operation *unsqueeze = createOnnx(
        builder, conditional->getLoc(), "Unsqueeze", {yielded.get(), axes},
        RankedTensorType::get(shape, types[lower].getElementType()));
    yielded.set(unsqueeze->getResult(0));
  }
}

namespace {
struct SettleRanks : onnxc::impl::SettleRanksBase<SettleRanks> {
  void runOnOperation() override {
    SmallVector<Operation *> open;
    getOperation().walk([&](Operation *op) {
      if (isOnnx(op, "Squeeze") || isOnnx(op, "If"))
        open.push_back(op);
    });
    for (Operation *op : open)
      if (isOnnx(op, "If"))
        settleBranches(op);
      else
        settleSqueeze(op);
    eraseDead(getOperation());
  }
};
} // namespace
