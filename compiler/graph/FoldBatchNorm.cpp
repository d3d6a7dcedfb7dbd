//===- FoldBatchNorm.cpp - BatchNormalization as a factor and a term ------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"

#include <cmath>

namespace onnxc {
#define GEN_PASS_DEF_FOLDBATCHNORM
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

struct FoldBatchNorm : onnxc::impl::FoldBatchNormBase<FoldBatchNorm> {
  using FoldBatchNormBase::FoldBatchNormBase;

  void runOnOperation() override {
    SmallVector<Operation *> found;
    getOperation().walk([&](Operation *op) {
      if (isOnnx(op, "BatchNormalization"))
        found.push_back(op);
    });
    for (Operation *op : found)
      rewrite(op);
    eraseDead(getOperation());
  }

private:
  static void rewrite(Operation *op) {
    auto training = op->getAttrOfType<IntegerAttr>("training_mode");
    auto type = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    if ((training && training.getInt() != 0) || !type ||
        !type.getElementType().isF32() || type.getRank() < 2)
      return;
    for (Value running : op->getResults().drop_front())
      if (!running.use_empty())
        return;
    auto scale = floatConstant(op->getOperand(1));
    auto bias = floatConstant(op->getOperand(2));
    auto mean = floatConstant(op->getOperand(3));
    auto variance = floatConstant(op->getOperand(4));
    if (!scale || !bias || !mean || !variance)
      return;
    size_t channels = scale->size();
    if (bias->size() != channels || mean->size() != channels ||
        variance->size() != channels)
      return;
    auto attribute = op->getAttrOfType<FloatAttr>("epsilon");
    double epsilon = attribute ? attribute.getValueAsDouble() : 1e-5;
    std::vector<float> factor(channels), term(channels);
    for (size_t c = 0; c < channels; ++c) {
      double a = (*scale)[c] / std::sqrt((*variance)[c] + epsilon);
      factor[c] = static_cast<float>(a);
      term[c] = static_cast<float>((*bias)[c] - (*mean)[c] * a);
    }
    // [C, 1, 1, ...] broadcasts along the spatial dims.
    SmallVector<int64_t> dims(type.getRank() - 1, 1);
    dims.front() = channels;
    OpBuilder builder(op);
    Location location = op->getLoc();
    Type resultType = op->getResult(0).getType();
    Value a = createConstant(
        builder, location,
        floatElements(op->getContext(), dims, std::move(factor)));
    Value b =
        createConstant(builder, location,
                       floatElements(op->getContext(), dims, std::move(term)));
    Value product =
        createOnnx(builder, location, "Mul", {op->getOperand(0), a}, resultType)
            ->getResult(0);
    Value sum = createOnnx(builder, location, "Add", {product, b}, resultType)
                    ->getResult(0);
    op->getResult(0).replaceAllUsesWith(sum);
    if (op->use_empty())
      op->erase();
  }
};

} // namespace
