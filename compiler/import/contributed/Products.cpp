//===- Products.cpp - Fused and quantised matrix products -----------------===//

#include "compiler/import/contributed/Contributed.h"

#include <cstdint>

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

/// How far each row of A [M, K] is from each of B [N, K], or its square.
static void replaceDistances(Replacement &r) {
  std::string metric = r.text("metric", "sqeuclidean");
  if (metric != "sqeuclidean" && metric != "euclidean")
    return r.refuse("metric '" + metric + "' is not supported yet");
  std::string differences =
      r.call("Sub", {r.unsqueeze(r.in(0), 1), r.unsqueeze(r.in(1), 0)});
  onnx::AttributeProto drop = MakeAttribute("keepdims", int64_t(0));
  std::string squares =
      r.opset >= 18
          ? r.call("ReduceSumSquare", {differences, r.integers(2)}, {drop})
          : r.call("ReduceSumSquare", {differences},
                   {drop, MakeAttribute("axes", std::vector<int64_t>{2})});
  r.result(0, metric == "euclidean" ? r.call("Sqrt", {squares}) : squares);
}

/// [N, blocks, bytes] of packed numbers, the lower bits first, as [N, blocks,
/// numbers] of u8.
static std::string unpacked(Replacement &r, const std::string &packed,
                            int64_t bits, int64_t rows) {
  if (bits == 8)
    return packed;
  std::string four = r.cast(r.scalar(4), TensorProto::UINT8);
  auto shift = [&](const std::string &x, const char *direction) {
    return r.call("BitShift", {x, four},
                  {MakeAttribute("direction", std::string(direction))});
  };
  std::string low = shift(shift(packed, "LEFT"), "RIGHT");
  std::string high = shift(packed, "RIGHT");
  std::string pairs =
      r.call("Concat", {r.unsqueeze(low, 3), r.unsqueeze(high, 3)},
             {MakeAttribute("axis", int64_t(3))});
  return r.reshape(pairs, {rows, 0, -1});
}

/// A product with a matrix [N, K] whose rows are numbers of a few bits in
/// blocks, each with a scale and a zero point. The dialect has it for constant
/// matrices; others are made floats.
static void replaceMatMulNBits(Replacement &r) {
  int64_t rows = r.integer("N", 0), columns = r.integer("K", 0);
  int64_t block = r.integer("block_size", 0), bits = r.integer("bits", 4);
  if (bits != 2 && bits != 4 && bits != 8)
    return r.refuse("bits other than 2, 4 and 8 are not supported yet");
  if (rows < 1 || columns < 1 || rows > INT32_MAX || columns > INT32_MAX ||
      block < 16 || block > INT32_MAX || block % 16)
    return r.refuse("N, K or block_size is missing or out of range");
  if (r.has(4))
    return r.refuse("input 'g_idx' is not supported yet");
  if (r.integer("weight_prepacked", 0))
    return r.refuse("weight_prepacked is not supported yet");
  if (r.isConstant(r.in(1)) && r.isConstant(r.in(2)) &&
      (!r.has(3) || r.isConstant(r.in(3))))
    return r.keep();
  if (bits == 2)
    return r.refuse("weights of 2 bits that are not constant are not "
                    "supported yet");
  int64_t blocks = (columns + block - 1) / block;
  std::string scales = r.reshape(r.in(2), {rows, blocks, 1});
  auto real = [&](const std::string &x) {
    return r.castLike(r.cast(x, TensorProto::FLOAT), scales);
  };
  std::string values = r.reshape(r.in(1), {rows, blocks, block * bits / 8});
  values = real(unpacked(r, values, bits, rows));
  std::string zero;
  if (r.has(3)) {
    std::optional<int32_t> type = r.elementType(r.in(3));
    if (!type)
      return;
    zero = r.in(3);
    if (*type == TensorProto::UINT8) {
      zero = unpacked(r, r.reshape(zero, {rows, 1, -1}), bits, rows);
      zero = r.slice(r.reshape(zero, {rows, -1}), r.integers(0),
                     r.integers(blocks), 1);
      zero = real(zero);
    }
    zero = r.reshape(zero, {rows, blocks, 1});
  } else {
    zero = r.number(static_cast<double>(int64_t(1) << (bits - 1)), scales);
  }
  std::string weights = r.call("Mul", {r.call("Sub", {values, zero}), scales});
  weights = r.reshape(weights, {rows, blocks * block});
  if (columns % block)
    weights = r.slice(weights, r.integers(0), r.integers(columns), 1);
  std::string y = r.call("MatMul", {r.in(0), r.transpose(weights, {1, 0})});
  r.result(0, r.has(5) ? r.call("Add", {y, r.in(5)}) : y);
}

void onnxc::addContributedProducts(ContributedOperators &operators) {
  std::vector<std::string> fused{"alpha", "transA", "transB", "transBatchA",
                                 "transBatchB"};
  operators.add("FusedMatMul", replaceFusedMatMul, fused);
  operators.add("TransposeMatMul", replaceFusedMatMul, fused);
  operators.add("CDist", replaceDistances, {"metric"});
  operators.add("MatMulIntegerToFloat", replaceMatMulIntegerToFloat);
  operators.add("DynamicQuantizeMatMul", replaceDynamicQuantizeMatMul);
  operators.add(
      "MatMulNBits", replaceMatMulNBits,
      {"K", "N", "accuracy_level", "bits", "block_size", "weight_prepacked"});
}
