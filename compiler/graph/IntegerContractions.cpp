//===- IntegerContractions.cpp - Products of quantised tensors ------------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"
#include "dialects/onnx/Elements.h"

#include <cmath>

namespace onnxc {
#define GEN_PASS_DEF_INTEGERCONTRACTIONS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

/// A tensor of 8-bit integers behind a DequantizeLinear.
struct Quantized {
  Value tensor, zero; ///< zero is `none` where absent
  std::vector<float> scales;
  int64_t axis = 0; ///< of several scales

  bool isPerTensor() const { return scales.size() == 1; }
};

/// ONNX's number of float, which Cast's attribute names.
constexpr int64_t onnxFloat = 1;

/// Terms that a sum of products of two centred 8-bit integers may have in i32.
constexpr int64_t maxDepth = INT32_MAX / (255 * 255);

struct IntegerContractions
    : onnxc::impl::IntegerContractionsBase<IntegerContractions> {
  using IntegerContractionsBase::IntegerContractionsBase;

  void runOnOperation() override {
    SmallVector<Operation *> found;
    getOperation().walk([&](Operation *op) {
      if (isOnnx(op, "Conv") || isOnnx(op, "MatMul") || isOnnx(op, "Gemm"))
        found.push_back(op);
    });
    for (Operation *op : found) {
      if (isOnnx(op, "Conv"))
        rewriteConv(op);
      else
        rewriteProduct(op);
    }
    eraseDead(getOperation());
  }

private:
  static int64_t integer(Operation *op, StringRef name, int64_t missing) {
    auto attribute = op->getAttrOfType<IntegerAttr>(name);
    return attribute ? attribute.getInt() : missing;
  }
  static float real(Operation *op, StringRef name) {
    auto attribute = op->getAttrOfType<FloatAttr>(name);
    return attribute ? static_cast<float>(attribute.getValueAsDouble()) : 1;
  }

  static std::optional<Quantized> dequantized(Value value) {
    Operation *op = definedBy(value, "DequantizeLinear");
    auto type = op ? dyn_cast<RankedTensorType>(op->getOperand(0).getType())
                   : RankedTensorType();
    if (!type || type.getElementTypeBitWidth() != 8 ||
        !type.getElementType().isInteger() || integer(op, "block_size", 0) != 0)
      return std::nullopt;
    auto scales = floatConstant(op->getOperand(1));
    if (!scales || scales->empty())
      return std::nullopt;
    Quantized q;
    q.tensor = op->getOperand(0);
    q.zero = op->getOperand(2);
    q.scales = std::move(*scales);
    q.axis = integer(op, "axis", 1);
    if (q.axis < 0)
      q.axis += type.getRank();
    // A zero point of one element is one for all.
    auto zeroType = dyn_cast<RankedTensorType>(q.zero.getType());
    if (q.isPerTensor() && zeroType && zeroType.getRank() > 1)
      return std::nullopt;
    return q;
  }

  /// The elements of a bias: f32, or i32 behind a DequantizeLinear.
  static std::optional<std::vector<float>> biasOf(Value value) {
    if (auto constant = floatConstant(value))
      return constant;
    Operation *op = definedBy(value, "DequantizeLinear");
    if (!op)
      return std::nullopt;
    auto elements = integerConstant(op->getOperand(0));
    auto scales = floatConstant(op->getOperand(1));
    if (!elements || !scales || scales->empty() ||
        (scales->size() != 1 && scales->size() != elements->size()))
      return std::nullopt;
    if (hasOperand(op, 2)) {
      auto zeros = integerConstant(op->getOperand(2));
      if (!zeros || !llvm::all_of(*zeros, [](int64_t z) { return z == 0; }))
        return std::nullopt;
    }
    std::vector<float> bias;
    for (auto [i, element] : llvm::enumerate(*elements))
      bias.push_back(static_cast<float>(element) *
                     (*scales)[scales->size() == 1 ? 0 : i]);
    return bias;
  }

  /// `sums * factors + terms`, replacing `op`: factors and terms lie along the
  /// dim that `trailing` dims follow.
  static void dequantize(OpBuilder &builder, Operation *op, Value sums,
                         std::vector<float> factors, std::vector<float> terms,
                         int64_t trailing) {
    Location location = op->getLoc();
    Type result = op->getResult(0).getType();
    auto constant = [&](std::vector<float> values) {
      SmallVector<int64_t> dims;
      if (values.size() > 1) {
        dims.push_back(static_cast<int64_t>(values.size()));
        dims.append(trailing, 1);
      }
      return createConstant(
          builder, location,
          floatElements(builder.getContext(), dims, std::move(values)));
    };
    Value value = createOnnx(builder, location, "Cast", sums, result,
                             builder.getNamedAttr(
                                 "to", builder.getI64IntegerAttr(onnxFloat)))
                      ->getResult(0);
    value = createOnnx(builder, location, "Mul",
                       {value, constant(std::move(factors))}, result)
                ->getResult(0);
    if (!terms.empty())
      value = createOnnx(builder, location, "Add",
                         {value, constant(std::move(terms))}, result)
                  ->getResult(0);
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
  }

  static RankedTensorType sumsType(Operation *op) {
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!type || !type.getElementType().isF32())
      return {};
    return type.clone(IntegerType::get(op->getContext(), 32));
  }

  static std::vector<float> products(const Quantized &x, const Quantized &w) {
    std::vector<float> factors = w.scales;
    for (float &factor : factors)
      factor *= x.scales.front();
    return factors;
  }

  static void rewriteConv(Operation *op) {
    RankedTensorType sums = sumsType(op);
    auto x = dequantized(op->getOperand(0)), w = dequantized(op->getOperand(1));
    if (!sums || !x || !w || !x->isPerTensor())
      return;
    auto filter = dyn_cast<RankedTensorType>(w->tensor.getType());
    if (!filter || !filter.hasStaticShape() || filter.getRank() < 3 ||
        filter.getDimSize(0) == 0)
      return;
    int64_t channels = filter.getDimSize(0);
    if (filter.getNumElements() / channels > maxDepth ||
        (!w->isPerTensor() &&
         (w->axis != 0 || static_cast<int64_t>(w->scales.size()) != channels)))
      return;
    std::vector<float> bias;
    if (hasOperand(op, 2)) {
      auto known = biasOf(op->getOperand(2));
      if (!known || static_cast<int64_t>(known->size()) != channels)
        return;
      bias = std::move(*known);
    }
    OpBuilder builder(op);
    Value product = createOnnx(builder, op->getLoc(), "ConvInteger",
                               {x->tensor, w->tensor, x->zero, w->zero}, sums,
                               llvm::to_vector(op->getAttrs()))
                        ->getResult(0);
    dequantize(builder, op, product, products(*x, *w), std::move(bias),
               filter.getRank() - 2);
  }

  static void rewriteProduct(Operation *op) {
    RankedTensorType sums = sumsType(op);
    auto a = dequantized(op->getOperand(0)), b = dequantized(op->getOperand(1));
    if (!sums || !a || !b || !a->isPerTensor())
      return;
    auto type = cast<RankedTensorType>(b->tensor.getType());
    bool isGemm = isOnnx(op, "Gemm");
    bool transposed = isGemm && integer(op, "transB", 0) != 0;
    if (type.getRank() != 2 || !type.hasStaticShape() ||
        (isGemm && integer(op, "transA", 0) != 0))
      return;
    int64_t columnAxis = transposed ? 0 : 1;
    int64_t columns = type.getDimSize(columnAxis);
    if (type.getDimSize(1 - columnAxis) > maxDepth ||
        (!b->isPerTensor() &&
         (b->axis != columnAxis ||
          static_cast<int64_t>(b->scales.size()) != columns)))
      return;
    std::vector<float> bias, factors = products(*a, *b);
    if (isGemm) {
      if (hasOperand(op, 2)) {
        auto known = biasOf(op->getOperand(2));
        auto biasType = dyn_cast<RankedTensorType>(op->getOperand(2).getType());
        // One term, or one a column.
        if (!known || !biasType || biasType.getRank() > 2 ||
            (known->size() != 1 &&
             (static_cast<int64_t>(known->size()) != columns ||
              biasType.getShape().back() != columns)))
          return;
        bias = std::move(*known);
        for (float &term : bias)
          term *= real(op, "beta");
      }
      for (float &factor : factors)
        factor *= real(op, "alpha");
    }
    OpBuilder builder(op);
    Value weights = b->tensor;
    if (transposed) {
      auto turned = RankedTensorType::get(
          {type.getDimSize(1), type.getDimSize(0)}, type.getElementType());
      weights = createOnnx(builder, op->getLoc(), "Transpose", weights, turned,
                           builder.getNamedAttr(
                               "perm", builder.getDenseI64ArrayAttr({1, 0})))
                    ->getResult(0);
    }
    Value product = createOnnx(builder, op->getLoc(), "MatMulInteger",
                               {a->tensor, weights, a->zero, b->zero}, sums)
                        ->getResult(0);
    dequantize(builder, op, product, std::move(factors), std::move(bias), 0);
  }
};

} // namespace
