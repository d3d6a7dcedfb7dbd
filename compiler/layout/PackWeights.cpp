//===- PackWeights.cpp - Constant operands into panels --------------------===//

#include "compiler/codegen/cpu/Target.h"
#include "compiler/layout/Passes.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/MathExtras.h"

namespace onnxc {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

/// Whether the rows of a packed constant of `type`, [..., K, N], go in pairs:
/// what integers of 8 bits are multiplied by adds two products.
bool canPair(ShapedType type) {
  return type.getElementType().isInteger(8) && type.getRank() > 1 &&
         type.getDimSize(type.getRank() - 2) % 2 == 0;
}

/// The packed form of constant `value`, its panels counted by dim `axis`; null
/// when it is no constant.
Value packConstant(Value value, int64_t axis, OpBuilder &builder,
                   bool paired = false) {
  ElementsAttr elements;
  DenseI64ArrayAttr expandedShape, permutation;
  if (auto weight = value.getDefiningOp<kernel::WeightOp>()) {
    if (weight.getPanelWidth())
      return nullptr;
    elements = weight.getValue();
    expandedShape = weight.getExpandedShapeAttr();
    permutation = weight.getPermutationAttr();
  } else if (auto constant = value.getDefiningOp<arith::ConstantOp>()) {
    elements = dyn_cast<ElementsAttr>(constant.getValue());
  }
  if (!elements)
    return nullptr;
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  int64_t panels = llvm::divideCeil(shape.back(), panelWidth);
  shape.back() = panelWidth;
  shape.insert(shape.begin() + axis, panels);
  auto packed = kernel::WeightOp::create(
      builder, value.getLoc(),
      RankedTensorType::get(shape, type.getElementType()), elements,
      expandedShape, permutation, builder.getI64IntegerAttr(panelWidth),
      builder.getI64IntegerAttr(axis), IntegerAttr());
  packed.setPaired(paired);
  return packed;
}

struct PackMatmul : OpRewritePattern<kernel::MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(kernel::MatmulOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getPacked())
      return rewriter.notifyMatchFailure(op, "already packed");
    if (cast<ShapedType>(op.getRhs().getType()).getRank() != 2)
      return rewriter.notifyMatchFailure(op, "rhs is a batch of matrices");
    bool paired = canPair(cast<ShapedType>(op.getRhs().getType()));
    Value packed = packConstant(op.getRhs(), 0, rewriter, paired);
    if (!packed)
      return rewriter.notifyMatchFailure(op, "rhs is not a constant");
    rewriter.modifyOpInPlace(op, [&] {
      op.getRhsMutable().assign(packed);
      op.setPaired(paired);
      op.setPacked(true);
    });
    return success();
  }
};

struct PackQuantizedMatmul : OpRewritePattern<kernel::QuantizedMatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(kernel::QuantizedMatmulOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getPacked())
      return rewriter.notifyMatchFailure(op, "already packed");
    SmallVector<Value> packed;
    for (Value operand : {op.getWeights(), op.getScales(), op.getZeroPoints()})
      if (operand) {
        packed.push_back(packConstant(operand, 0, rewriter));
        if (!packed.back())
          return rewriter.notifyMatchFailure(op,
                                             "an operand is not a constant");
      }
    rewriter.modifyOpInPlace(op, [&] {
      op.getWeightsMutable().assign(packed[0]);
      op.getScalesMutable().assign(packed[1]);
      if (packed.size() > 2)
        op.getZeroPointsMutable().assign(packed[2]);
      op.setPacked(true);
    });
    return success();
  }
};

struct PackConv : OpRewritePattern<kernel::ConvOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(kernel::ConvOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getPacked())
      return rewriter.notifyMatchFailure(op, "already packed");
    bool paired = canPair(cast<ShapedType>(op.getFilter().getType()));
    Value packed = packConstant(op.getFilter(), 1, rewriter, paired);
    if (!packed)
      return rewriter.notifyMatchFailure(op, "filter is not a constant");
    rewriter.modifyOpInPlace(op, [&] {
      op.getFilterMutable().assign(packed);
      op.setPaired(paired);
      op.setPacked(true);
    });
    return success();
  }
};

struct PackRecurrence : OpRewritePattern<kernel::RecurrenceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(kernel::RecurrenceOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getPacked())
      return rewriter.notifyMatchFailure(op, "already packed");
    SmallVector<Value> packed;
    for (Value weight : op.getWeights()) {
      packed.push_back(packConstant(weight, 2, rewriter));
      if (!packed.back())
        return rewriter.notifyMatchFailure(op, "a weight is not a constant");
    }
    rewriter.modifyOpInPlace(op, [&] {
      op.getWeightsMutable().assign(packed);
      op.setPacked(true);
    });
    return success();
  }
};

/// Whether `packed` holds the panels of the transposed matrix that `matrix`
/// is: element (i, k) is at (i / width, k, i % width).
bool holdsTransposed(kernel::WeightOp packed, kernel::WeightOp matrix) {
  auto permutation = packed.getPermutation();
  return packed.getValue() == matrix.getValue() && packed.getPanelWidth() &&
         packed.getPanelAxis() == 0 && !packed.getExpandedShape() &&
         permutation && *permutation == ArrayRef<int64_t>{1, 0};
}

/// Element by element reads of a large matrix go to its panels, so that it is
/// not stored as rows, too. Each element of a row is then on a line of its own;
/// an embedding's few rows are nothing beside the product that has the panels.
void readFromPanels(kernel::WeightOp matrix,
                    ArrayRef<kernel::WeightOp> packedWeights) {
  auto type = cast<RankedTensorType>(matrix.getType());
  constexpr int64_t largeElements = 1 << 20;
  if (type.getRank() != 2 || type.getNumElements() < largeElements ||
      matrix.getPanelWidth() || matrix.getPermutation() ||
      matrix.getExpandedShape() ||
      !llvm::all_of(matrix->getUsers(), llvm::IsaPred<tensor::ExtractOp>))
    return;
  auto packed = llvm::find_if(packedWeights, [&](kernel::WeightOp weight) {
    return holdsTransposed(weight, matrix);
  });
  if (packed == packedWeights.end())
    return;
  OpBuilder builder(matrix);
  Value panels = builder.clone(**packed)->getResult(0);
  for (Operation *user : llvm::make_early_inc_range(matrix->getUsers())) {
    auto extract = cast<tensor::ExtractOp>(user);
    builder.setInsertionPoint(extract);
    Location loc = extract.getLoc();
    Value width = arith::ConstantIndexOp::create(builder, loc, panelWidth);
    Value row = extract.getIndices()[0], column = extract.getIndices()[1];
    Value panel = arith::DivUIOp::create(builder, loc, row, width);
    Value place = arith::RemUIOp::create(builder, loc, row, width);
    Value element = tensor::ExtractOp::create(builder, loc, panels,
                                              ValueRange{panel, column, place});
    extract.replaceAllUsesWith(element);
    extract.erase();
  }
}

struct PackWeightsPass : onnxc::impl::PackWeightsBase<PackWeightsPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<PackMatmul, PackQuantizedMatmul, PackConv, PackRecurrence>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    SmallVector<kernel::WeightOp> matrices, packed;
    getOperation().walk([&](kernel::WeightOp weight) {
      (weight.getPanelWidth() ? packed : matrices).push_back(weight);
    });
    for (kernel::WeightOp matrix : matrices)
      readFromPanels(matrix, packed);
  }
};

} // namespace
