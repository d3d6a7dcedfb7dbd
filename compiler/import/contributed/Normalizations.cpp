//===- Normalizations.cpp - Normalisation of sums and of embeddings -------===//

#include "compiler/import/contributed/Contributed.h"

using namespace onnxc;
using onnx::MakeAttribute;
using onnx::TensorProto;

namespace {
/// A normalised value and what it was made with; "" where not asked for.
struct Normalized {
  std::string value, mean, inverse;
};
} // namespace

/// scale (x - mean) / sqrt(variance + epsilon) + shift along the last axis; the
/// mean is left out where `centred` is false.
static Normalized normalized(Replacement &r, const std::string &x,
                             const std::string &scale, const std::string &shift,
                             float epsilon, bool centred, bool wantsParts) {
  std::string mean, inverse, y = x;
  if (centred && r.opset >= 17 && !wantsParts) {
    std::vector<std::string> inputs{x, scale};
    if (!shift.empty())
      inputs.push_back(shift);
    return {r.call("LayerNormalization", inputs,
                   {MakeAttribute("epsilon", epsilon)}),
            "", ""};
  }
  if (!centred && r.opset >= 23 && !wantsParts)
    return {r.call("RMSNormalization", {x, scale},
                   {MakeAttribute("epsilon", epsilon)}),
            "", ""};
  if (centred) {
    mean = r.mean(x);
    y = r.call("Sub", {x, mean});
  }
  std::string variance = r.mean(r.call("Mul", {y, y}));
  std::string root =
      r.call("Sqrt", {r.call("Add", {variance, r.number(epsilon, x)})});
  if (wantsParts)
    inverse = r.call("Reciprocal", {root});
  y = r.call("Mul", {r.call("Div", {y, root}), scale});
  if (!shift.empty())
    y = r.call("Add", {y, shift});
  return {y, mean, inverse};
}

/// Normalises input + skip, perhaps + bias; output 3 is that sum.
static void replaceSkip(Replacement &r, bool centred) {
  int bias = centred ? 4 : 3;
  std::string sum = r.call("Add", {r.in(0), r.in(1)});
  if (r.has(bias))
    sum = r.call("Add", {sum, r.in(bias)});
  Normalized y =
      normalized(r, sum, r.in(2), centred ? r.in(3) : "",
                 r.real("epsilon", 1e-12F), centred, r.wants(1) || r.wants(2));
  if (!centred && r.wants(1))
    return r.refuse("output 'mean' is not supported yet");
  r.result(0, y.value);
  r.result(1, y.mean);
  r.result(2, y.inverse);
  r.result(3, sum);
}

static void replaceSimplified(Replacement &r) {
  if (r.integer("axis", -1) != -1)
    return r.refuse("axis other than -1 is not supported yet");
  if (r.wants(1))
    return r.refuse("a second output is not supported yet");
  r.result(0, normalized(r, r.in(0), r.in(1), "", r.real("epsilon", 1e-5F),
                         /*centred=*/false, /*wantsParts=*/false)
                  .value);
}

/// The number of ones in each row of a mask.
static std::string countMask(Replacement &r, const std::string &mask) {
  std::string wide = r.cast(mask, TensorProto::INT32);
  onnx::AttributeProto drop = MakeAttribute("keepdims", int64_t(0));
  if (r.opset >= 13)
    return r.call("ReduceSum", {wide, r.integers(1)}, {drop});
  return r.call("ReduceSum", {wide},
                {drop, MakeAttribute("axes", std::vector<int64_t>{1})});
}

/// Words, their places and perhaps their segments, looked up, summed and
/// normalised. Tables and parameters are inputs 2 to 6; quantised ones have
/// their scales in inputs 8 to 12 and their zero points behind those.
static void embed(Replacement &r, bool isQuantised, const std::string &places) {
  constexpr int firstTable = 2, firstScale = 8, count = 5;
  if (r.wants(1) && !r.has(7))
    return r.refuse("output 'mask_index' without a mask is not supported yet");
  auto real = [&](const std::string &x, int input) {
    int scale = input - firstTable + firstScale;
    return isQuantised ? r.call("DequantizeLinear",
                                {x, r.in(scale), r.in(scale + count)})
                       : x;
  };
  auto lookUp = [&](int table, const std::string &at) {
    return real(r.call("Gather", {r.in(table), at}), table);
  };
  std::string ids = r.in(0), words = lookUp(2, ids);
  std::string atPlaces =
      places.empty()
          ? real(r.slice(r.in(3), r.integers(0), r.dim(ids, 1), 0), 3)
          : lookUp(3, places);
  std::string sum = r.call("Add", {words, atPlaces});
  if (r.has(1) && r.has(4))
    sum = r.call("Add", {sum, lookUp(4, r.in(1))});
  Normalized y = normalized(r, sum, real(r.in(5), 5), real(r.in(6), 6),
                            r.real("epsilon", 1e-12F),
                            /*centred=*/true,
                            /*wantsParts=*/false);
  r.result(0, y.value);
  if (r.wants(1))
    r.result(1, countMask(r, r.in(7)));
  r.result(2, sum);
}

static void replaceEmbed(Replacement &r) {
  if (r.integer("mask_index_type", 1) != 1 && r.wants(1))
    return r.refuse("mask_index_type other than 1 is not supported yet");
  embed(r, /*isQuantised=*/false, r.in(8));
}

static void replaceQuantisedEmbed(Replacement &r) {
  embed(r, /*isQuantised=*/true, "");
}

void onnxc::addContributedNormalizations(ContributedOperators &operators) {
  operators.add("SkipLayerNormalization",
                [](Replacement &r) { replaceSkip(r, true); }, {"epsilon"});
  operators.add("SkipSimplifiedLayerNormalization",
                [](Replacement &r) { replaceSkip(r, false); }, {"epsilon"});
  operators.add("SimplifiedLayerNormalization", replaceSimplified,
                {"axis", "epsilon", "stash_type"});
  operators.add("EmbedLayerNormalization", replaceEmbed,
                {"epsilon", "mask_index_type"});
  operators.add("QEmbedLayerNormalization", replaceQuantisedEmbed, {"epsilon"});
}
