//===- GatherOneHot.cpp - Products with one-hot rows are rows of a table --===//

#include "compiler/graph/Rewriting.h"
#include "compiler/graph/patterns/Patterns.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

namespace {

/// Integers, and rows that hold 1 where the column is the integer.
struct OneHot {
  Value indices; ///< with a last dim of 1, unless it wraps
  int64_t depth; ///< columns
  bool wraps;    ///< whether -1 is the last column, and so on: OneHot itself
};

} // namespace

/// Whether `value` holds 0, 1, 2, ... along its last dim and has no other.
static bool countsUp(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  std::optional<SmallVector<int64_t>> numbers = integerConstant(value);
  if (!type || !numbers || type.getRank() == 0 ||
      type.getShape().back() != static_cast<int64_t>(numbers->size()))
    return false;
  return llvm::all_of(llvm::enumerate(*numbers), [](auto each) {
    return each.value() == static_cast<int64_t>(each.index());
  });
}

/// Equal(indices, [0, 1, 2, ...]), as a number.
static std::optional<OneHot> comparison(Value value) {
  Operation *cast = definedBy(value, "Cast");
  Operation *equal = cast ? definedBy(cast->getOperand(0), "Equal") : nullptr;
  if (!equal)
    return std::nullopt;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  for (unsigned side : {0, 1}) {
    Value columns = equal->getOperand(side);
    Value indices = equal->getOperand(1 - side);
    auto indexType = dyn_cast<RankedTensorType>(indices.getType());
    if (!type || !indexType || indexType.getRank() != type.getRank() ||
        indexType.getRank() == 0 || indexType.getShape().back() != 1 ||
        !countsUp(columns))
      continue;
    return OneHot{indices, type.getShape().back(), /*wraps=*/false};
  }
  return std::nullopt;
}

/// OneHot(indices, depth, [0, 1]) along the last dim.
static std::optional<OneHot> oneHotOperator(Value value) {
  Operation *op = definedBy(value, "OneHot");
  if (!op || op->getNumOperands() != 3)
    return std::nullopt;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  auto axis = op->getAttrOfType<IntegerAttr>("axis");
  auto values = floatConstant(op->getOperand(2));
  if (!type || !values || *values != std::vector<float>{0, 1} ||
      (axis && axis.getInt() != -1 && axis.getInt() != type.getRank() - 1) ||
      !isa<RankedTensorType>(op->getOperand(0).getType()))
    return std::nullopt;
  return OneHot{op->getOperand(0), type.getShape().back(), /*wraps=*/true};
}

namespace {

/// MatMul(one-hot rows, table) -> Gather(table and a row of zeros, indices):
/// what is no column's number has a row of zeros.
struct GatherOneHot : RewritePattern {
  GatherOneHot(MLIRContext *context)
      : RewritePattern("onnx.MatMul", 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    std::optional<OneHot> oneHot = comparison(op->getOperand(0));
    if (!oneHot)
      oneHot = oneHotOperator(op->getOperand(0));
    if (!oneHot)
      return rewriter.notifyMatchFailure(op, "lhs has no one-hot rows");
    auto indexType = cast<RankedTensorType>(oneHot->indices.getType());
    Type integer = indexType.getElementType();
    if (!integer.isSignlessInteger(32) && !integer.isSignlessInteger(64))
      return rewriter.notifyMatchFailure(op, "indices are no i32 or i64");
    auto tableType = dyn_cast<RankedTensorType>(op->getOperand(1).getType());
    std::optional<std::vector<float>> table = floatConstant(op->getOperand(1));
    if (!table || !tableType || tableType.getRank() != 2 ||
        tableType.getDimSize(0) != oneHot->depth)
      return rewriter.notifyMatchFailure(op, "rhs is no constant f32 matrix");
    // 0 * infinity is not 0.
    if (!llvm::all_of(*table, [](float x) { return std::isfinite(x); }))
      return rewriter.notifyMatchFailure(op, "rhs is not finite");

    Location loc = op->getLoc();
    int64_t width = tableType.getDimSize(1);
    table->resize(table->size() + width, 0.0f);
    Value rows = createConstant(rewriter, loc,
                                floatElements(rewriter.getContext(),
                                              {oneHot->depth + 1, width},
                                              std::move(*table)));
    auto create = [&](StringRef name, ValueRange operands, Type result,
                      ArrayRef<NamedAttribute> attributes = {}) {
      return createOnnx(rewriter, loc, name, operands, result, attributes)
          ->getResult(0);
    };
    auto number = [&](int64_t value) {
      return createConstant(
          rewriter, loc,
          DenseElementsAttr::get(RankedTensorType::get({}, integer),
                                 rewriter.getIntegerAttr(integer, value)));
    };
    RankedTensorType flat = indexType;
    Value index = oneHot->indices, depth = number(oneHot->depth);
    if (!oneHot->wraps) {
      flat = RankedTensorType::get(indexType.getShape().drop_back(), integer);
      Value axes = createConstant(rewriter, loc,
                                  rewriter.getI64TensorAttr({flat.getRank()}));
      index = create("Squeeze", {index, axes}, flat);
    }
    auto flags = flat.clone(rewriter.getI1Type());
    if (oneHot->wraps)
      index = create("Where",
                     {create("Less", {index, number(0)}, flags),
                      create("Add", {index, depth}, flat), index},
                     flat);
    Value inside = create("And",
                          {create("GreaterOrEqual", {index, number(0)}, flags),
                           create("Less", {index, depth}, flags)},
                          flags);
    Value row = create("Where", {inside, index, depth}, flat);
    rewriter.replaceOp(
        op,
        create("Gather", {rows, row}, op->getResult(0).getType(),
               rewriter.getNamedAttr("axis", rewriter.getI64IntegerAttr(0))));
    return success();
  }
};

} // namespace

void onnxc::addGatherOneHotPatterns(RewritePatternSet &patterns) {
  patterns.add<GatherOneHot>(patterns.getContext());
}
