//===- FlattenElementwise.cpp - Element by element, whatever the rank -----===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

namespace onnxc {
#define GEN_PASS_DEF_FLATTENELEMENTWISE
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

static bool isElementwise(Operation *op) {
  static constexpr StringLiteral names[] = {
      "Abs",         "Acos",       "Acosh",       "Add",
      "And",         "Asin",       "Asinh",       "Atan",
      "Atanh",       "BitShift",   "BitwiseAnd",  "BitwiseNot",
      "BitwiseOr",   "BitwiseXor", "Cast",        "CastLike",
      "Ceil",        "Celu",       "Clip",        "Cos",
      "Cosh",        "Div",        "Elu",         "Equal",
      "Erf",         "Exp",        "Floor",       "Gelu",
      "Greater",     "HardSwish",  "HardSigmoid", "GreaterOrEqual",
      "IsInf",       "IsNaN",      "LeakyRelu",   "Less",
      "LessOrEqual", "Log",        "Max",         "Mean",
      "Min",         "Mish",       "Mod",         "Mul",
      "Neg",         "Not",        "Or",          "Pow",
      "Reciprocal",  "Relu",       "Round",       "Selu",
      "Shrink",      "Sigmoid",    "Sign",        "Sin",
      "Sinh",        "Softplus",   "Softsign",    "Sqrt",
      "Sub",         "Sum",        "Swish",       "Tan",
      "Tanh",        "Where",      "Xor",         "ThresholdedRelu"};
  StringRef name = op->getName().getStringRef();
  return name.consume_front("onnx.") && llvm::is_contained(names, name);
}

/// The only tensor without a rank that `op` reads, beside numbers that are
/// repeated; null where the result could have another shape.
static Value onlyUnranked(Operation *op) {
  Value found;
  for (OpOperand &operand : op->getOpOperands()) {
    Type type = operand.get().getType();
    bool tellsType = isOnnx(op, "CastLike") && operand.getOperandNumber() == 1;
    if (isa<NoneType>(type) || tellsType)
      continue;
    if (isa<UnrankedTensorType>(type)) {
      if (found && found != operand.get())
        return nullptr;
      found = operand.get();
    } else if (auto ranked = dyn_cast<RankedTensorType>(type);
               !ranked || ranked.getRank() != 0) {
      return nullptr;
    }
  }
  return found;
}

static void rewrite(Operation *op) {
  Value x = onlyUnranked(op);
  auto result = dyn_cast<UnrankedTensorType>(op->getResult(0).getType());
  if (!x || !result)
    return;
  OpBuilder builder(op);
  Location loc = op->getLoc();
  Type i64 = builder.getI64Type();
  auto vector = [](Type element) {
    return RankedTensorType::get({ShapedType::kDynamic}, element);
  };
  Value all = createConstant(
      builder, loc,
      DenseElementsAttr::get(RankedTensorType::get({1}, i64), int64_t(-1)));
  Type element = cast<TensorType>(x.getType()).getElementType();
  Value flat = createOnnx(builder, loc, "Reshape", {x, all}, vector(element))
                   ->getResult(0);
  Value shape = createOnnx(builder, loc, "Shape", x, vector(i64))->getResult(0);
  for (OpOperand &operand : op->getOpOperands())
    if (operand.get() == x)
      operand.set(flat);
  op->getResult(0).setType(vector(result.getElementType()));
  builder.setInsertionPointAfter(op);
  Operation *back = createOnnx(
      builder, loc, "Reshape", {op->getResult(0), shape}, result,
      builder.getNamedAttr("allowzero", builder.getI64IntegerAttr(1)));
  op->getResult(0).replaceAllUsesExcept(back->getResult(0), back);
}

namespace {
struct FlattenElementwise
    : onnxc::impl::FlattenElementwiseBase<FlattenElementwise> {
  void runOnOperation() override {
    SmallVector<Operation *> open;
    getOperation().walk([&](Operation *op) {
      if (op->getNumResults() == 1 && isElementwise(op))
        open.push_back(op);
    });
    llvm::for_each(open, rewrite);
  }
};
} // namespace
