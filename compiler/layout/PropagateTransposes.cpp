//===- PropagateTransposes.cpp - Move transposes until they cancel --------===//

#include "compiler/layout/Passes.h"
#include "compiler/layout/Transpose.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace onnxc {
#define GEN_PASS_DEF_PROPAGATETRANSPOSES
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

linalg::TransposeOp asTranspose(Value value) {
  return value.getDefiningOp<linalg::TransposeOp>();
}

/// Whether permuting `value` costs nothing at run time.
bool isFreeToTranspose(Value value) {
  if (auto weight = value.getDefiningOp<kernel::WeightOp>())
    return !weight.getPanelWidth();
  return isa_and_nonnull<arith::ConstantOp, tensor::EmptyOp>(
      value.getDefiningOp());
}

/// Counts which layout the operands of an operation have.
class LayoutVotes {
public:
  void add(Value value) {
    if (auto transpose = asTranspose(value)) {
      ArrayRef<int64_t> permutation = transpose.getPermutation();
      auto *entry = llvm::find_if(votes, [&](const Vote &vote) {
        return ArrayRef(vote.permutation) == permutation;
      });
      if (entry == votes.end())
        votes.push_back({SmallVector<int64_t>(permutation), 1});
      else
        ++entry->count;
    } else if (!isFreeToTranspose(value)) {
      ++plain;
    }
  }

  /// The permutation that most operands have. Where as many have none, only
  /// one that comes from a channels-last tensor, not its inverse: otherwise
  /// the losing side, transposed, would win the next round.
  std::optional<SmallVector<int64_t>> winner() const {
    const auto *best = llvm::max_element(
        votes, [](const Vote &a, const Vote &b) { return a.count < b.count; });
    if (best == votes.end() || best->count < plain ||
        (best->count == plain && !isFromChannelsLast(best->permutation)))
      return std::nullopt;
    return best->permutation;
  }

private:
  static bool isFromChannelsLast(ArrayRef<int64_t> permutation) {
    auto movesLast = [](ArrayRef<int64_t> candidate) {
      return candidate.size() > 2 &&
             candidate[1] == static_cast<int64_t>(candidate.size()) - 1;
    };
    return movesLast(permutation) &&
           !movesLast(invertPermutationVector(permutation));
  }

  struct Vote {
    SmallVector<int64_t> permutation;
    int64_t count;
  };
  SmallVector<Vote> votes; // a handful at most
  int64_t plain = 0;
};

/// The map that reads `transpose`'s input where `map` reads its result.
AffineMap absorb(linalg::TransposeOp transpose, AffineMap map) {
  SmallVector<AffineExpr> results(map.getNumResults());
  for (auto [position, source] : llvm::enumerate(transpose.getPermutation()))
    results[source] = map.getResult(position);
  return AffineMap::get(map.getNumDims(), 0, results, map.getContext());
}

/// Makes each tensor.extract in `body` read the input of a transpose instead
/// of its result.
bool absorbIntoExtracts(Block *body, RewriterBase &rewriter) {
  bool changed = false;
  body->walk([&](tensor::ExtractOp extract) {
    auto transpose = asTranspose(extract.getTensor());
    if (!transpose)
      return;
    SmallVector<Value> indices(extract.getIndices().size());
    for (auto [position, source] : llvm::enumerate(transpose.getPermutation()))
      indices[source] = extract.getIndices()[position];
    rewriter.setInsertionPoint(extract);
    rewriter.replaceOpWithNewOp<tensor::ExtractOp>(
        extract, transpose.getInput(), indices);
    changed = true;
  });
  return changed;
}

/// Whether the result of `op` is computed without reading its inits.
bool ignoresInits(linalg::GenericOp op) {
  return llvm::none_of(op.getRegionOutputArgs(),
                       [](BlockArgument arg) { return !arg.use_empty(); });
}

/// Whether `op` is a long computation, but for its innermost loop a short one:
/// what it computes from the others' positions, such as where a sample of a
/// picture lies, serves all of a row. Another loop order would repeat it.
bool sharesWorkAlongRows(linalg::GenericOp op) {
  constexpr int64_t muchWork = 64;
  if (op.getBody()->getOps<tensor::ExtractOp>().empty())
    return false;
  llvm::SmallDenseSet<Value> alongRows(op.getBody()->args_begin(),
                                       op.getBody()->args_end());
  int64_t shared = 0, repeated = 0;
  for (Operation &inner : op.getBody()->without_terminator()) {
    auto index = dyn_cast<linalg::IndexOp>(inner);
    bool isAlong = index
                       ? index.getDim() + 1 == op.getNumLoops()
                       : llvm::any_of(inner.getOperands(), [&](Value operand) {
                           return alongRows.contains(operand);
                         });
    if (isAlong)
      alongRows.insert(inner.result_begin(), inner.result_end());
    ++(isAlong ? repeated : shared);
  }
  return shared >= muchWork && shared >= 2 * repeated;
}

/// reduction(transpose(x)) → reduction(x) with permuted indexing maps.
struct AbsorbIntoReduction : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getNumReductionLoops() == 0)
      return rewriter.notifyMatchFailure(op, "no reduction");
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    SmallVector<Value> inputs(op.getInputs());
    bool changed = false;
    for (auto [position, input] : llvm::enumerate(inputs))
      if (auto transpose = asTranspose(input)) {
        maps[position] = absorb(transpose, maps[position]);
        input = transpose.getInput();
        changed = true;
      }
    if (!changed)
      return rewriter.notifyMatchFailure(op, "no transposed operand");
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputsMutable().assign(inputs);
      op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    });
    return success();
  }
};

/// elementwise(transpose(x), ...) → transpose(elementwise(x, ...)).
struct SinkThroughElementwise : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() ||
        op.getNumParallelLoops() != op.getNumLoops())
      return rewriter.notifyMatchFailure(op, "not element-wise");
    if (!ignoresInits(op))
      return rewriter.notifyMatchFailure(op, "reads its init");
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    for (AffineMap map : ArrayRef(maps).drop_front(op.getNumDpsInputs()))
      if (!map.isIdentity())
        return rewriter.notifyMatchFailure(op, "output map not the identity");

    LayoutVotes votes;
    for (auto [input, map] : llvm::zip(op.getInputs(), maps))
      if (map.isIdentity())
        votes.add(input);
    int64_t rank = op.getNumLoops();
    if (sharesWorkAlongRows(op))
      return rewriter.notifyMatchFailure(op, "its innermost loop is cheap");
    op.getBody()->walk([&](tensor::ExtractOp extract) {
      if (extract.getTensor().getType().getRank() == rank)
        votes.add(extract.getTensor());
    });
    auto permutation = votes.winner();
    if (!permutation)
      return rewriter.notifyMatchFailure(
          op, "most operands are not transposed alike");

    // Loop d_i of the old operation is loop permutation[i] of the new one.
    MLIRContext *context = op.getContext();
    SmallVector<AffineExpr> loops;
    for (int64_t loop : *permutation)
      loops.push_back(getAffineDimExpr(loop, context));
    SmallVector<int64_t> inverse = invertPermutationVector(*permutation);
    AffineMap identity = AffineMap::getMultiDimIdentityMap(rank, context);

    Location loc = op.getLoc();
    SmallVector<Value> inputs;
    SmallVector<AffineMap> newMaps;
    for (auto [input, map] : llvm::zip(op.getInputs(), maps)) {
      if (map.isIdentity()) {
        inputs.push_back(createTranspose(rewriter, loc, input, inverse));
        newMaps.push_back(identity);
        continue;
      }
      AffineMap newMap = map.replaceDimsAndSymbols(loops, {}, rank, 0);
      if (auto transpose = asTranspose(input)) {
        newMap = absorb(transpose, newMap);
        input = transpose.getInput();
      }
      inputs.push_back(input);
      newMaps.push_back(newMap);
    }
    SmallVector<Value> inits;
    SmallVector<Type> types;
    for (Value init : op.getOutputs()) {
      auto type = cast<RankedTensorType>(init.getType());
      SmallVector<OpFoldResult> sizes =
          tensor::getMixedSizes(rewriter, loc, init);
      inits.push_back(tensor::EmptyOp::create(rewriter, loc,
                                              applyPermutation(sizes, inverse),
                                              type.getElementType()));
      types.push_back(inits.back().getType());
      newMaps.push_back(identity);
    }
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    auto newOp = linalg::GenericOp::create(rewriter, loc, types, inputs, inits,
                                           newMaps, iterators);
    rewriter.inlineRegionBefore(op.getRegion(), newOp.getRegion(),
                                newOp.getRegion().end());
    newOp.getBody()->walk([&](linalg::IndexOp index) {
      rewriter.modifyOpInPlace(
          index, [&] { index.setDim((*permutation)[index.getDim()]); });
    });
    absorbIntoExtracts(newOp.getBody(), rewriter);
    rewriter.setInsertionPointAfter(newOp);
    SmallVector<Value> results;
    for (Value result : newOp.getResults())
      results.push_back(createTranspose(rewriter, loc, result, *permutation));
    rewriter.replaceOp(op, results);
    return success();
  }
};

/// extract_slice(transpose(x)) → transpose(extract_slice(x)).
struct SinkThroughExtractSlice : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractSliceOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = asTranspose(op.getSource());
    if (!transpose)
      return rewriter.notifyMatchFailure(op, "source is not a transpose");
    if (op.getType().getRank() != op.getSourceType().getRank())
      return rewriter.notifyMatchFailure(op, "drops dims");
    SmallVector<int64_t> inverse =
        invertPermutationVector(transpose.getPermutation());
    Value slice = tensor::ExtractSliceOp::create(
        rewriter, op.getLoc(), transpose.getInput(),
        applyPermutation(op.getMixedOffsets(), inverse),
        applyPermutation(op.getMixedSizes(), inverse),
        applyPermutation(op.getMixedStrides(), inverse));
    rewriter.replaceOp(op, createTranspose(rewriter, op.getLoc(), slice,
                                           transpose.getPermutation()));
    return success();
  }
};

/// A concatenation, `insert_slice`s of transposes into one empty tensor →
/// transpose of the concatenation of their inputs.
struct SinkThroughConcat : OpRewritePattern<tensor::InsertSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::InsertSliceOp last,
                                PatternRewriter &rewriter) const override {
    for (Operation *user : last->getUsers())
      if (auto next = dyn_cast<tensor::InsertSliceOp>(user);
          next && next.getDest() == last.getResult())
        return rewriter.notifyMatchFailure(last, "not the last of its chain");
    SmallVector<tensor::InsertSliceOp> chain;
    LayoutVotes votes;
    Value dest = last.getResult();
    while (auto insert = dest.getDefiningOp<tensor::InsertSliceOp>()) {
      if (insert.getSourceType().getRank() != insert.getType().getRank())
        return rewriter.notifyMatchFailure(last, "source of lower rank");
      if (insert != last && !insert->hasOneUse())
        return rewriter.notifyMatchFailure(last, "part of the chain is used");
      votes.add(insert.getSource());
      chain.push_back(insert);
      dest = insert.getDest();
    }
    if (!dest.getDefiningOp<tensor::EmptyOp>())
      return rewriter.notifyMatchFailure(last, "not into an empty tensor");
    auto permutation = votes.winner();
    if (!permutation)
      return rewriter.notifyMatchFailure(last,
                                         "most parts are not transposed alike");
    SmallVector<int64_t> inverse = invertPermutationVector(*permutation);
    Location loc = last.getLoc();
    Value result = createTranspose(rewriter, loc, dest, inverse);
    for (tensor::InsertSliceOp insert : llvm::reverse(chain)) {
      Value source =
          createTranspose(rewriter, loc, insert.getSource(), inverse);
      result = tensor::InsertSliceOp::create(
          rewriter, loc, source, result,
          applyPermutation(insert.getMixedOffsets(), inverse),
          applyPermutation(insert.getMixedSizes(), inverse),
          applyPermutation(insert.getMixedStrides(), inverse));
    }
    rewriter.replaceOp(last,
                       createTranspose(rewriter, loc, result, *permutation));
    return success();
  }
};

/// pad(transpose(x)) → transpose(pad(x)), for a constant padding value.
struct SinkThroughPad : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = asTranspose(op.getSource());
    if (!transpose)
      return rewriter.notifyMatchFailure(op, "source is not a transpose");
    Value value = op.getConstantPaddingValue();
    if (!value)
      return rewriter.notifyMatchFailure(op, "padding value is not constant");
    SmallVector<int64_t> inverse =
        invertPermutationVector(transpose.getPermutation());
    auto type = cast<RankedTensorType>(op.getType());
    auto newType = RankedTensorType::get(
        applyPermutation(type.getShape(), inverse), type.getElementType());
    Value pad = tensor::PadOp::create(
        rewriter, op.getLoc(), newType, transpose.getInput(),
        applyPermutation(op.getMixedLowPad(), inverse),
        applyPermutation(op.getMixedHighPad(), inverse), value);
    rewriter.replaceOp(op, createTranspose(rewriter, op.getLoc(), pad,
                                           transpose.getPermutation()));
    return success();
  }
};

/// Composes a transpose with what made its input.
struct FoldTranspose : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "works on buffers");
    if (!isIdentityPermutation(op.getPermutation()) &&
        !asTranspose(op.getInput()) && !isFreeToTranspose(op.getInput()))
      return rewriter.notifyMatchFailure(op, "input does not compose");
    rewriter.replaceOp(op, createTranspose(rewriter, op.getLoc(), op.getInput(),
                                           op.getPermutation()));
    return success();
  }
};

struct PropagateTransposesPass
    : onnxc::impl::PropagateTransposesBase<PropagateTransposesPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<AbsorbIntoReduction, SinkThroughElementwise,
                 SinkThroughExtractSlice, SinkThroughConcat, SinkThroughPad,
                 FoldTranspose>(&getContext());
    tensor::EmptyOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::DimOp::getCanonicalizationPatterns(patterns, &getContext());
    GreedyRewriteConfig config;
    config.setUseTopDownTraversal(true);
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      signalPassFailure();
  }
};

} // namespace
