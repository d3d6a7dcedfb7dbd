//===- InferLengths.cpp - Lengths of operands that ranks decide -----------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

#include "dialects/onnx/OnnxDialect.h"

namespace onnxc {
#define GEN_PASS_DEF_INFERLENGTHS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

using Length = std::optional<int64_t>;

/// The rank of an operand or result; nullopt when it is absent or not known.
static Length rankOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? Length(type.getRank()) : std::nullopt;
}

static Length inputRank(Operation *op, unsigned operand) {
  return hasOperand(op, operand) ? rankOf(op->getOperand(operand))
                                 : std::nullopt;
}

static Length plus(Length a, Length b) {
  return a && b ? Length(*a + *b) : std::nullopt;
}

static Length minus(Length a, Length b) {
  return a && b ? Length(*a - *b) : std::nullopt;
}

/// The number of elements of a vector, where it is known.
static Length lengthOf(Operation *op, unsigned operand) {
  if (inputRank(op, operand) != 1)
    return std::nullopt;
  auto type = cast<RankedTensorType>(op->getOperand(operand).getType());
  return type.isDynamicDim(0) ? std::nullopt : Length(type.getDimSize(0));
}

/// The number of axes that a node works on: those of the attribute, or all.
static Length axisCount(Operation *op) {
  if (auto axes = op->getAttrOfType<DenseI64ArrayAttr>("axes"))
    return axes.size();
  return inputRank(op, 0);
}

/// Operands that are one element, as scalars or as vectors.
static SmallVector<unsigned> singleOperands(StringRef name) {
  return llvm::StringSwitch<SmallVector<unsigned>>(name)
      .Cases({"CumProd", "CumSum", "OneHot", "TopK", "Trilu"}, {1})
      .Case("DFT", {1, 2})
      .Case("NonMaxSuppression", {2, 3, 4})
      .Case("STFT", {1, 3})
      .Default({});
}

/// Calls `is(operand, length)` for the operands of `op` whose last dim follows
/// from the ranks or lengths of others.
static void visitLengths(Operation *op,
                         llvm::function_ref<void(unsigned, Length)> is) {
  StringRef name = op->getName().stripDialect();
  for (unsigned operand : singleOperands(name))
    is(operand, 1);
  if (op->getNumResults() == 0)
    return;
  Length input = inputRank(op, 0), output = rankOf(op->getResult(0));
  if (name == "Reshape" || name == "AffineGrid") {
    is(1, output);
  } else if (name == "ConstantOfShape") {
    is(0, output);
  } else if (name == "Expand") {
    // Otherwise it may be shorter.
    if (input && output && *input < *output)
      is(1, output);
  } else if (name == "Tile") {
    is(1, input);
  } else if (name == "Pad") {
    Length axes = hasOperand(op, 3) ? lengthOf(op, 3) : input;
    is(1, plus(axes, axes));
    if (Length pads = lengthOf(op, 1))
      is(3, *pads / 2);
  } else if (name == "Slice") {
    Length count;
    for (unsigned operand : {1, 2, 3, 4})
      if (!count)
        count = lengthOf(op, operand);
    for (unsigned operand : {1, 2, 3, 4})
      is(operand, count);
  } else if (name == "Split") {
    is(1, op->getNumResults());
  } else if (name == "Squeeze") {
    is(1, minus(input, output));
  } else if (name == "Unsqueeze") {
    is(1, minus(output, input));
  } else if (name == "Resize") {
    // Of scales and sizes one may be there and empty.
    if (!hasOperand(op, 2) || !hasOperand(op, 3))
      for (unsigned operand : {2, 3})
        is(operand, axisCount(op));
    if (op->getAttrOfType<StringAttr>("coordinate_transformation_mode") ==
        StringAttr::get(op->getContext(), "tf_crop_and_resize"))
      is(1, plus(axisCount(op), axisCount(op)));
  } else if (name == "MaxUnpool") {
    is(2, input);
  } else if (name == "GridSample") {
    is(1, minus(input, 2));
  } else if (name == "NonMaxSuppression") {
    is(0, 4); // corners
  } else if (name == "RoiAlign") {
    is(1, 4);
  } else if (name == "CenterCropPad") {
    is(1, axisCount(op));
  } else if (name == "Col2Im") {
    for (unsigned operand : {1, 2})
      is(operand, minus(output, 2));
  } else if (name == "GatherND") {
    auto batch = op->getAttrOfType<IntegerAttr>("batch_dims");
    is(1, minus(plus(input, inputRank(op, 1)),
                plus(output, 1 + (batch ? batch.getInt() : 0))));
  } else if (name == "ScatterND") {
    is(1, minus(plus(input, inputRank(op, 1)), plus(inputRank(op, 2), 1)));
  }
}

namespace {
/// The one operand of a Concat of vectors whose length is not known, and how
/// long the others are together.
struct OpenPart {
  Operation *concat;
  unsigned operand;
  int64_t others;
};
} // namespace

/// Of `value`, which `reader` reads in the block that makes it.
static std::optional<OpenPart> onlyOpenPart(Operation *reader, Value value) {
  Operation *concat = definedBy(value, "Concat");
  if (!concat || concat->getBlock() != reader->getBlock())
    return std::nullopt;
  std::optional<OpenPart> open;
  int64_t others = 0;
  for (OpOperand &part : concat->getOpOperands()) {
    if (Length length = lengthOf(concat, part.getOperandNumber()))
      others += *length;
    else if (open || inputRank(concat, part.getOperandNumber()) != 1)
      return std::nullopt;
    else
      open = OpenPart{concat, part.getOperandNumber(), 0};
  }
  if (open)
    open->others = others;
  return open;
}

/// Makes `operand`, whose last dim is not known, a tensor whose last dim is
/// `length`.
static void setLength(Operation *op, unsigned operand, Length length) {
  Length rank = inputRank(op, operand);
  // An empty tensor folds, and the check with it.
  if (!length || *length < 1 || !rank || *rank == 0)
    return;
  Value value = op->getOperand(operand);
  auto type = cast<RankedTensorType>(value.getType());
  if (!type.isDynamicDim(*rank - 1))
    return;
  if (auto open = onlyOpenPart(op, value)) {
    auto [concat, part, others] = *open;
    if (*length > others) {
      setLength(concat, part, *length - others);
      value.setType(RankedTensorType::get({*length}, type.getElementType()));
      return;
    }
  }
  OpBuilder builder(op);
  SmallVector<int64_t> shape(type.getShape()), target(*rank, 0); // kept
  shape.back() = target.back() = *length;
  auto vector = RankedTensorType::get({*rank}, builder.getI64Type());
  Value lengths = createConstant(
      builder, op->getLoc(), DenseElementsAttr::get(vector, ArrayRef(target)));
  op->setOperand(operand,
                 createOnnx(builder, op->getLoc(), "Reshape", {value, lengths},
                            RankedTensorType::get(shape, type.getElementType()))
                     ->getResult(0));
}

namespace {
struct InferLengths : onnxc::impl::InferLengthsBase<InferLengths> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    function.walk([](Operation *op) {
      if (isa_and_nonnull<op::OnnxDialect>(op->getDialect()))
        visitLengths(op, [&](unsigned operand, Length length) {
          setLength(op, operand, length);
        });
    });
  }
};
} // namespace
