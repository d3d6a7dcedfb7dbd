//===- FuseAttention.cpp - Two products around a softmax become one kernel ===//

#include "compiler/layout/Passes.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <numeric>

namespace onnxc {
#define GEN_PASS_DEF_FUSEATTENTION
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// The input of an element-wise op that gives one tensor from another.
static Value soleInput(linalg::GenericOp op) {
  if (!op || !op.hasPureTensorSemantics() || op.getNumDpsInputs() != 1 ||
      op.getNumResults() != 1 || op.getNumParallelLoops() != op.getNumLoops() ||
      !op.getRegionOutputArgs()[0].use_empty())
    return {};
  Value input = op.getDpsInputOperand(0)->get();
  auto type = dyn_cast<RankedTensorType>(input.getType());
  // A dim of 1 may be read by a constant.
  AffineMap map = op.getIndexingMapsArray().front();
  if (!type || type != op.getResult(0).getType() ||
      !op.getIndexingMapsArray().back().isIdentity())
    return {};
  for (auto [dim, expr] : llvm::enumerate(map.getResults()))
    if (expr != getAffineDimExpr(dim, op.getContext()) &&
        type.getDimSize(dim) != 1)
      return {};
  return input;
}

/// The number that `op` multiplies a tensor by.
static std::optional<double> factorOf(linalg::GenericOp op) {
  if (!soleInput(op))
    return std::nullopt;
  Block *body = op.getBody();
  auto multiply =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::MulFOp>();
  if (!multiply)
    return std::nullopt;
  for (unsigned side : {0, 1}) {
    FloatAttr number;
    if (multiply->getOperand(side) == body->getArgument(0) &&
        matchPattern(multiply->getOperand(1 - side), m_Constant(&number)))
      return number.getValueAsDouble();
  }
  return std::nullopt;
}

/// The tensor of which `op` makes the NaNs zero; null when it does otherwise.
static Value zeroedNans(linalg::GenericOp op) {
  Value input = soleInput(op);
  if (!input)
    return {};
  Block *body = op.getBody();
  Value x = body->getArgument(0);
  auto select =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
  if (!select || select.getFalseValue() != x ||
      !matchPattern(select.getTrueValue(), m_AnyZeroFloat()))
    return {};
  auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
  bool isNan = compare && compare.getPredicate() == arith::CmpFPredicate::UNO &&
               compare.getLhs() == x && compare.getRhs() == x;
  return isNan ? input : Value();
}

namespace {

/// A tensor that a kernel reads where it lies, behind transposes and scaling.
struct Source {
  Source(Value operand, SmallVector<int64_t> startOrder,
         bool throughScaling = true)

      : tensor(operand), order(std::move(startOrder)) {
    while (Operation *op = tensor.getDefiningOp()) {
      if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
        for (int64_t &dim : order)
          dim = transpose.getPermutation()[dim];
        tensor = transpose.getInput();
      } else if (auto number = factorOf(dyn_cast<linalg::GenericOp>(op));
                 number && throughScaling) {
        factor *= *number;
        tensor = cast<linalg::GenericOp>(op).getInputs()[0];
      } else {
        return;
      }
    }
  }

  Value tensor;
  SmallVector<int64_t> order; ///< dim i of the op is dim order[i] of tensor
  double factor = 1;
};

bool isF32(Value tensor, int64_t rank) {
  auto type = cast<ShapedType>(tensor.getType());
  return type.getRank() == rank && type.getElementType().isF32();
}

bool isPlainF32(kernel::MatmulOp op, int64_t rank) {
  return !op.getPacked() && isF32(op.getLhs(), rank) &&
         isF32(op.getRhs(), rank);
}

/// Whether `block` only rounds its first argument, for whoever reads it next.
bool onlyRounds(Block *block) {
  auto rounding =
      block->getTerminator()->getOperand(0).getDefiningOp<arith::TruncFOp>();
  auto contract = arith::FastMathFlags::contract;
  return rounding && rounding.getIn() == block->getArgument(0) &&
         block->getOperations().size() == 2 &&
         rounding.getFastmath().value_or(arith::FastMathFlags::none) ==
             contract;
}

bool isFloat(Value tensor) {
  Type type = cast<ShapedType>(tensor.getType()).getElementType();
  return type.isF32() || type.isF16() || type.isBF16();
}

Value emptyOf(Type element, Value like, PatternRewriter &rewriter) {
  return tensor::EmptyOp::create(
      rewriter, like.getLoc(),
      tensor::getMixedSizes(rewriter, like.getLoc(), like), element);
}

/// `body` of each element of `tensor`, into `init`.
Value elementwise(
    Value tensor, Value init, PatternRewriter &rewriter,
    llvm::function_ref<Value(OpBuilder &, Location, Value)> body) {
  int64_t rank = cast<ShapedType>(tensor.getType()).getRank();
  SmallVector<AffineMap> maps(2, rewriter.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             rewriter, tensor.getLoc(), init.getType(), tensor, init, maps,
             loops,
             [&](OpBuilder &builder, Location loc, ValueRange in) {
               linalg::YieldOp::create(builder, loc, body(builder, loc, in[0]));
             })
      .getResult(0);
}

/// Rounds to a narrower float; whoever widens it again may keep the digits.
Value roundTo(OpBuilder &builder, Location loc, Value x, Type type) {
  return arith::TruncFOp::create(
      builder, loc, type, x, arith::RoundingModeAttr(),
      arith::FastMathFlagsAttr::get(builder.getContext(),
                                    arith::FastMathFlags::contract));
}

/// The epilogue's operands in f32, as the kernel reads them.
SmallVector<Value> widened(OperandRange operands, PatternRewriter &rewriter) {
  SmallVector<Value> result;
  for (Value operand : operands) {
    Type element = cast<ShapedType>(operand.getType()).getElementType();
    if (!element.isF32()) {
      Value init = emptyOf(rewriter.getF32Type(), operand, rewriter);
      operand = elementwise(operand, init, rewriter,
                            [](OpBuilder &builder, Location loc, Value x) {
                              return arith::ExtFOp::create(
                                  builder, loc, builder.getF32Type(), x);
                            });
    }
    result.push_back(operand);
  }
  return result;
}

/// Makes the epilogue take its operands in f32; of halves, exact.
void widenArguments(Block *epilogue, PatternRewriter &rewriter) {
  rewriter.setInsertionPointToStart(epilogue);
  for (BlockArgument argument : epilogue->getArguments().drop_front()) {
    Type type = argument.getType();
    if (type.isF32())
      continue;
    argument.setType(rewriter.getF32Type());
    auto narrow = roundTo(rewriter, argument.getLoc(), argument, type);
    rewriter.replaceAllUsesExcept(argument, narrow, narrow.getDefiningOp());
  }
}

struct FuseAttention : OpRewritePattern<kernel::MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(kernel::MatmulOp weighted,
                                PatternRewriter &rewriter) const override {
    auto type = cast<ShapedType>(weighted.getInit().getType());
    int64_t rank = type.getRank();
    bool rounds = onlyRounds(weighted.getEpilogueBlock());
    if (!isPlainF32(weighted, rank) ||
        !(weighted.hasTrivialEpilogue() || rounds))
      return rewriter.notifyMatchFailure(
          weighted, "not a plain product of tensors of one rank");
    Value weights = weighted.getLhs();
    bool zeroNanRows = false;
    if (Value input = zeroedNans(weights.getDefiningOp<linalg::GenericOp>());
        input && weights.hasOneUse()) {
      weights = input;
      zeroNanRows = true;
    }
    auto softmax = weights.getDefiningOp<kernel::SoftmaxOp>();
    if (!softmax || !weights.hasOneUse())
      return rewriter.notifyMatchFailure(
          weighted, "lhs is not a softmax that nothing else needs");
    auto scores = softmax.getInput().getDefiningOp<kernel::MatmulOp>();
    if (!scores || !softmax.getInput().hasOneUse() ||
        !isPlainF32(scores, rank) || !isF32(scores.getInit(), rank) ||
        !llvm::all_of(scores.getEpilogueOperands(), isFloat))
      return rewriter.notifyMatchFailure(
          weighted, "the softmax is not of a product that nothing else needs");

    SmallVector<int64_t> plain(rank);
    std::iota(plain.begin(), plain.end(), 0);
    SmallVector<int64_t> transposed(plain);
    std::swap(transposed[rank - 2], transposed[rank - 1]);
    Source query(scores.getLhs(), plain), key(scores.getRhs(), transposed),
        value(weighted.getRhs(), plain, /*throughScaling=*/false);
    auto shapeOf = [](const Source &source) {
      return applyPermutation(
          cast<ShapedType>(source.tensor.getType()).getShape(), source.order);
    };
    SmallVector<int64_t> queryShape = shapeOf(query), keyShape = shapeOf(key),
                         valueShape = shapeOf(value);
    int64_t width = queryShape.back();
    if (ShapedType::isDynamic(width) || width != keyShape.back() || width < 1 ||
        width > kernel::AttentionOp::maxHeadWidth)
      return rewriter.notifyMatchFailure(
          weighted, "the width of a head is not static, or too large");
    for (int64_t dim = 0; dim + 2 < rank; ++dim) {
      int64_t size = type.getDimSize(dim);
      auto repeats = [&](int64_t own) { return own == size || own == 1; };
      if (queryShape[dim] != size || !repeats(keyShape[dim]) ||
          !repeats(valueShape[dim]))
        return rewriter.notifyMatchFailure(weighted, "batch dims differ");
    }

    Location loc = weighted.getLoc();
    Value init = weighted.getInit();
    if (rounds)
      init = emptyOf(rewriter.getF32Type(), init, rewriter);
    auto attention = kernel::AttentionOp::create(
        rewriter, loc, TypeRange(init.getType()), query.tensor, key.tensor,
        value.tensor, widened(scores.getEpilogueOperands(), rewriter), init,
        scores.getEpilogueMaps(), query.order, key.order, value.order, plain,
        zeroNanRows);
    rewriter.inlineRegionBefore(scores.getEpilogue(), attention.getEpilogue(),
                                attention.getEpilogue().end());
    widenArguments(attention.getEpilogueBlock(), rewriter);
    if (double factor = query.factor * key.factor; factor != 1) {
      Block *block = attention.getEpilogueBlock();
      rewriter.setInsertionPointToStart(block);
      Value product = block->getArgument(0);
      Value number = arith::ConstantOp::create(
          rewriter, loc, rewriter.getF32FloatAttr(static_cast<float>(factor)));
      auto scaled = arith::MulFOp::create(rewriter, loc, product, number);
      rewriter.replaceAllUsesExcept(product, scaled, scaled);
    }
    if (!rounds) {
      rewriter.replaceOp(weighted, attention->getResults());
      return success();
    }
    rewriter.setInsertionPoint(weighted);
    rewriter.replaceOp(
        weighted,
        elementwise(attention.getResult(0), weighted.getInit(), rewriter,
                    [&](OpBuilder &builder, Location place, Value x) {
                      return roundTo(builder, place, x, type.getElementType());
                    }));
    return success();
  }
};

/// The result is transposed before it is rounded, so that the kernel can write
/// it that way.
struct TransposeBeforeRounding : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto generic = op.getInput().getDefiningOp<linalg::GenericOp>();
    if (!generic || !generic->hasOneUse() || generic->getNumResults() != 1 ||
        generic.getNumDpsInputs() != 1 ||
        generic.getNumParallelLoops() != generic.getNumLoops() ||
        !llvm::all_of(generic.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isIdentity(); }) ||
        !onlyRounds(generic.getBody()))
      return rewriter.notifyMatchFailure(op, "input is not just rounded");
    auto attention =
        generic.getInputs()[0].getDefiningOp<kernel::AttentionOp>();
    if (!attention || !attention->hasOneUse() ||
        attention->getBlock() != op->getBlock())
      return rewriter.notifyMatchFailure(op,
                                         "not the only user of an attention");
    Value init = emptyOf(rewriter.getF32Type(), op.getInit(), rewriter);
    auto moved = linalg::TransposeOp::create(rewriter, op.getLoc(),
                                             attention.getResult(0), init,
                                             op.getPermutation());
    IRMapping mapping;
    mapping.map(attention.getResult(0), moved->getResult(0));
    mapping.map(generic.getOutputs()[0], op.getInit());
    Operation *rounded = rewriter.clone(*generic, mapping);
    rounded->getResult(0).setType(op->getResult(0).getType());
    rewriter.replaceOp(op, rounded->getResults());
    return success();
  }
};

/// The result is written the way its only user wants it.
struct AbsorbTranspose : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto attention = op.getInput().getDefiningOp<kernel::AttentionOp>();
    if (!attention || !op.getInput().hasOneUse() ||
        attention->getBlock() != op->getBlock())
      return rewriter.notifyMatchFailure(op,
                                         "not the only user of an attention");
    SmallVector<int64_t> places = invertPermutationVector(op.getPermutation());
    SmallVector<int64_t> order;
    for (int64_t dim : attention.getInitOrder())
      order.push_back(places[dim]);
    IRMapping mapping;
    mapping.map(attention.getInit(), op.getInit());
    auto moved = cast<kernel::AttentionOp>(rewriter.clone(*attention, mapping));
    moved.setInitOrder(order);
    moved->getResult(0).setType(op.getInit().getType());
    rewriter.replaceOp(op, moved->getResults());
    rewriter.eraseOp(attention);
    return success();
  }
};

struct FuseAttentionPass : onnxc::impl::FuseAttentionBase<FuseAttentionPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseAttention, TransposeBeforeRounding, AbsorbTranspose>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
