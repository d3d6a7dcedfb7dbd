//===- MapTables.cpp - Element-wise operators on tables instead of rows ---===//

#include "compiler/graph/Rewriting.h"
#include "compiler/graph/patterns/Patterns.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace onnxc;

/// Operators that compute each element of their one operand by itself.
static bool isUnary(StringRef name) {
  return llvm::StringSwitch<bool>(name)
      .Cases({"onnx.Relu", "onnx.Gelu", "onnx.Sigmoid", "onnx.Tanh"}, true)
      .Cases({"onnx.Swish", "onnx.HardSwish", "onnx.HardSigmoid"}, true)
      .Cases({"onnx.Mish", "onnx.Elu", "onnx.LeakyRelu", "onnx.Exp"}, true)
      .Default(false);
}

static bool isBinary(StringRef name) {
  return llvm::StringSwitch<bool>(name)
      .Cases({"onnx.Add", "onnx.Sub", "onnx.Mul", "onnx.Div"}, true)
      .Default(false);
}

/// A constant that is the same for all rows of `width` elements.
static bool isSameForRows(Value value, int64_t width) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape() || !floatConstant(value))
    return false;
  int64_t elements = type.getNumElements();
  return elements == 1 ||
         (elements == width && type.getShape().back() == width);
}

namespace {

/// f(Gather(table, i)) -> Gather(f(table), i), where the rows are more than the
/// table has and f is element-wise with constants; of a constant table it is
/// folded.
struct MapTable : RewritePattern {
  MapTable(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    StringRef name = op->getName().getStringRef();
    bool binary = isBinary(name);
    if ((!binary && !isUnary(name)) || op->getNumResults() != 1)
      return rewriter.notifyMatchFailure(op, "not element-wise");
    for (unsigned side = 0; side < (binary ? 2 : 1); ++side)
      if (succeeded(rewrite(op, side, rewriter)))
        return success();
    return rewriter.notifyMatchFailure(op, "no rows of a smaller table");
  }

private:
  static LogicalResult rewrite(Operation *op, unsigned side,
                               PatternRewriter &rewriter) {
    Operation *gather = definedBy(op->getOperand(side), "Gather");
    if (!gather || !gather->hasOneUse())
      return failure();
    auto axis = gather->getAttrOfType<IntegerAttr>("axis");
    Value table = gather->getOperand(0);
    auto type = dyn_cast<RankedTensorType>(table.getType());
    auto rows = dyn_cast<RankedTensorType>(gather->getResult(0).getType());
    if ((axis && axis.getInt() != 0) || !type || !type.hasStaticShape() ||
        type.getRank() != 2 || !type.getElementType().isF32() || !rows ||
        op->getResult(0).getType() != rows)
      return failure();
    int64_t elements = 1;
    for (int64_t dim : rows.getShape())
      elements *= ShapedType::isDynamic(dim) ? 1 : dim;
    if (elements <= type.getNumElements())
      return failure();

    SmallVector<Value> operands(op->getOperands());
    for (auto [position, operand] : llvm::enumerate(operands)) {
      if (position == side) {
        operand = table;
        continue;
      }
      if (!isSameForRows(operand, type.getDimSize(1)))
        return failure();
      // Of any rank; beside the table it has two dims at most.
      std::vector<float> values = *floatConstant(operand);
      auto count = static_cast<int64_t>(values.size());
      operand = createConstant(
          rewriter, op->getLoc(),
          floatElements(rewriter.getContext(), {count}, std::move(values)));
    }
    Value mapped =
        createOnnx(rewriter, op->getLoc(), op->getName().stripDialect(),
                   operands, type, op->getAttrs())
            ->getResult(0);
    rewriter.replaceOp(op, createOnnx(rewriter, gather->getLoc(), "Gather",
                                      {mapped, gather->getOperand(1)}, rows,
                                      gather->getAttrs()));
    return success();
  }
};

} // namespace

void onnxc::addMapTablePatterns(RewritePatternSet &patterns) {
  patterns.add<MapTable>(patterns.getContext());
}
