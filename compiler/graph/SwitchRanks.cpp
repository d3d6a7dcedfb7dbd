//===- SwitchRanks.cpp - A branch for each rank that an element can have --===//

#include "compiler/graph/AnyRank.h"
#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

#include "dialects/onnx/OnnxDialect.h"

namespace onnxc {
#define GEN_PASS_DEF_SWITCHRANKS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// More would be as many copies of what follows.
static constexpr size_t mostRanks = 4;

/// `tensor` with the first of `ranks` that is `rank`, a scalar; with the last
/// where none of the others is.
static Value chosen(OpBuilder &builder, Location loc, Value tensor, Value rank,
                    ArrayRef<int64_t> ranks) {
  auto type = cast<UnrankedTensorType>(tensor.getType());
  auto seen = [&](OpBuilder &inside) {
    SmallVector<int64_t> shape(ranks.front(), ShapedType::kDynamic);
    return createOnnx(inside, loc, "Identity", tensor,
                      RankedTensorType::get(shape, type.getElementType()))
        ->getResult(0);
  };
  if (ranks.size() == 1)
    return seen(builder);
  auto scalar = RankedTensorType::get({}, builder.getI64Type());
  Value number = createConstant(builder, loc,
                                DenseElementsAttr::get(scalar, ranks.front()));
  Value isThis = createOnnx(builder, loc, "Equal", {rank, number},
                            RankedTensorType::get({}, builder.getI1Type()))
                     ->getResult(0);
  OperationState state(loc, "onnx.If");
  state.addOperands(isThis);
  state.addTypes(type);
  state.addRegion();
  state.addRegion();
  Operation *conditional = builder.create(state);
  // In the order of their names: else_branch, then_branch.
  for (unsigned branch : {0, 1}) {
    Block &block = conditional->getRegion(branch).emplaceBlock();
    OpBuilder inside = OpBuilder::atBlockEnd(&block);
    Value value = branch
                      ? seen(inside)
                      : chosen(inside, loc, tensor, rank, ranks.drop_front());
    createOnnx(inside, loc, "Return", value, {});
  }
  return conditional->getResult(0);
}

static void rewrite(Operation *read, ArrayRef<int64_t> ranks) {
  Value tensor = read->getResult(0);
  OpBuilder builder(read->getContext());
  builder.setInsertionPointAfter(read);
  Location loc = read->getLoc();
  Type i64 = builder.getI64Type();
  SmallVector<OpOperand *> uses;
  for (OpOperand &use : tensor.getUses())
    uses.push_back(&use);
  Value shape = createOnnx(builder, loc, "Shape", tensor,
                           RankedTensorType::get({ShapedType::kDynamic}, i64))
                    ->getResult(0);
  Value rank =
      createOnnx(builder, loc, "Size", shape, RankedTensorType::get({}, i64))
          ->getResult(0);
  Value value = chosen(builder, loc, tensor, rank, ranks);
  for (OpOperand *use : uses)
    use->set(value);
}

namespace {
struct SwitchRanks : onnxc::impl::SwitchRanksBase<SwitchRanks> {
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      auto ranks = op->getAttrOfType<DenseI64ArrayAttr>("onnx.ranks");
      if (!ranks)
        return;
      op->removeAttr("onnx.ranks");
      if (ranks.size() <= static_cast<int64_t>(mostRanks) &&
          isa<UnrankedTensorType>(op->getResult(0).getType()) &&
          !llvm::all_of(op->getResult(0).getUses(), takesAnyRank))
        rewrite(op, ranks.asArrayRef());
    });
  }
};
} // namespace
