//===- Products.cpp - Fused and quantised matrix products -----------------===//

#include "compiler/import/contributed/Contributed.h"

using namespace onnxc;
using onnx::MakeAttribute;
using onnx::TensorProto;

/// alpha op(A) op(B), where op may exchange the last two dims.
static void replaceFusedMatMul(Replacement &r) {
  if (r.integer("transBatchA", 0) || r.integer("transBatchB", 0))
    return r.refuse("transBatchA and transBatchB are not supported yet");
  std::vector<std::string> factors{r.in(0), r.in(1)};
  const char *flags[] = {"transA", "transB"};
  for (size_t i = 0; i < 2; ++i) {
    if (!r.integer(flags[i], 0))
      continue;
    std::optional<size_t> rank = r.rank(factors[i]);
    if (!rank)
      return;
    if (*rank < 2)
      continue; // A vector is its own transpose.
    std::vector<int64_t> order(*rank);
    for (size_t d = 0; d < *rank; ++d)
      order[d] = static_cast<int64_t>(d);
    std::swap(order[*rank - 1], order[*rank - 2]);
    factors[i] = r.transpose(factors[i], order);
  }
  std::string y = r.call("MatMul", factors);
  if (float alpha = r.real("alpha", 1); alpha != 1)
    y = r.call("Mul", {y, r.number(alpha, y)});
  r.result(0, y);
}

/// The product of integers with their zero points and scales, and a bias.
static std::string
scaledProduct(Replacement &r, const std::string &a, const std::string &b,
              const std::string &aScale, const std::string &bScale,
              const std::string &aZero, const std::string &bZero,
              const std::string &bias) {
  std::string sums = r.call("MatMulInteger", {a, b, aZero, bZero});
  std::string scale = r.call("Mul", {aScale, bScale});
  std::string y = r.call("Mul", {r.cast(sums, TensorProto::FLOAT), scale});
  return bias.empty() ? y : r.call("Add", {y, bias});
}

static void replaceMatMulIntegerToFloat(Replacement &r) {
  r.result(0, scaledProduct(r, r.in(0), r.in(1), r.in(2), r.in(3), r.in(4),
                            r.in(5), r.in(6)));
}

static void replaceDynamicQuantizeMatMul(Replacement &r) {
  // Three results: the quantised tensor, its scale and its zero point.
  std::string a = r.call("DynamicQuantizeLinear", {r.in(0)});
  onnx::NodeProto &quantize = r.nodes.back();
  std::string scale = a + ".scale", zero = a + ".zero";
  quantize.add_output(scale);
  quantize.add_output(zero);
  r.result(
      0, scaledProduct(r, a, r.in(1), scale, r.in(2), zero, r.in(3), r.in(4)));
}

void onnxc::addContributedProducts(ContributedOperators &operators) {
  std::vector<std::string> fused{"alpha", "transA", "transB", "transBatchA",
                                 "transBatchB"};
  operators.add("FusedMatMul", replaceFusedMatMul, fused);
  operators.add("TransposeMatMul", replaceFusedMatMul, fused);
  operators.add("MatMulIntegerToFloat", replaceMatMulIntegerToFloat);
  operators.add("DynamicQuantizeMatMul", replaceDynamicQuantizeMatMul);
}
