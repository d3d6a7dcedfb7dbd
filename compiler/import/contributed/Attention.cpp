//===- Attention.cpp - Attention, QAttention, MultiHeadAttention ----------===//

#include "compiler/import/contributed/AttentionParts.h"

#include <limits>

using namespace onnxc;
using onnx::TensorProto;

std::string onnxc::penalty(Replacement &r, const std::string &keeps,
                           double masked, const std::string &like) {
  return r.call("Where", {r.cast(keeps, TensorProto::BOOL), r.number(0, like),
                          r.number(masked, like)});
}

std::string onnxc::countTo(Replacement &r, const std::string &size) {
  std::string end =
      r.call("Reshape", {size, r.integers(llvm::ArrayRef<int64_t>())});
  return r.call("Range", {r.scalar(0), end, r.scalar(1)});
}

/// What is added to the scores [B, N, S, L] for a mask of the keys: [B, L], one
/// for each query [B, S, L], or how many keys of each there are, [B]. "" where
/// the rank is another or is not known.
static std::string maskPenalty(Replacement &r, const std::string &mask,
                               const std::string &keys,
                               const std::string &like) {
  std::optional<size_t> rank = r.rank(mask);
  if (!rank)
    return "";
  double masked = r.real("mask_filter_value", -10000);
  if (*rank == 1) {
    std::string counts =
        r.reshape(r.cast(mask, TensorProto::INT64), {-1, 1, 1, 1});
    std::string present = r.call("Less", {countTo(r, r.dim(keys, 2)), counts});
    return penalty(r, present, masked, like);
  }
  if (*rank == 2)
    return penalty(r, r.unsqueeze(r.unsqueeze(mask, 1), 1), masked, like);
  if (*rank == 3)
    return penalty(r, r.unsqueeze(mask, 1), masked, like);
  r.refuse("a mask of rank " + llvm::Twine(*rank) + " is not supported yet");
  return "";
}

/// What is added for queries [B, N, S, h] that see the keys [B, N, L, h] up to
/// their own place only, which is behind those of `past`, if any.
static std::string causalPenalty(Replacement &r, const std::string &queries,
                                 const std::string &keys,
                                 const std::string &past = "") {
  std::string row = countTo(r, r.dim(queries, 2));
  if (!past.empty())
    row = r.call("Add", {row, r.dim(past, 2)});
  row = r.reshape(row, {-1, 1});
  std::string isLater = r.call("Less", {row, countTo(r, r.dim(keys, 2))});
  return penalty(r, r.call("Not", {isLater}),
                 std::numeric_limits<float>::lowest() / 2, queries);
}

/// [B, S, N * h] as [B, N, S, h].
static std::string toHeads(Replacement &r, const std::string &x,
                           int64_t heads) {
  return r.transpose(r.reshape(x, {0, 0, heads, -1}), {0, 2, 1, 3});
}

/// softmax(q k^T scale + penalties) v as [B, S, N * h].
static std::string attend(Replacement &r, const std::string &q,
                          const std::string &k, const std::string &v,
                          llvm::ArrayRef<std::string> penalties) {
  std::string scores = r.call("MatMul", {q, r.transpose(k, {0, 1, 3, 2})});
  if (float scale = r.real("scale", 0); scale != 0) {
    scores = r.call("Mul", {scores, r.number(scale, q)});
  } else {
    std::string size = r.cast(r.dim(q, 3), TensorProto::FLOAT);
    scores = r.call("Div", {scores, r.castLike(r.call("Sqrt", {size}), q)});
  }
  for (const std::string &added : penalties)
    if (!added.empty())
      scores = r.call("Add", {scores, added});
  std::string weights =
      r.call("Softmax", {scores}, {onnx::MakeAttribute("axis", int64_t(3))});
  std::string mixed = r.call("MatMul", {weights, v});
  return r.reshape(r.transpose(mixed, {0, 2, 1, 3}), {0, 0, -1});
}

/// Refuses inputs from `first` on, and all but the first `outputs`.
static void refuseFrom(Replacement &r, int first,
                       llvm::ArrayRef<const char *> names, int outputs) {
  for (int i = first; i < r.node.input_size(); ++i)
    if (r.has(i))
      return r.refuse("input '" + llvm::Twine(names[i - first]) +
                      "' is not supported yet");
  for (int i = outputs; i < r.node.output_size(); ++i)
    if (r.wants(i))
      return r.refuse("output " + llvm::Twine(i) + " is not supported yet");
}

namespace {
/// The inputs of Attention and QAttention behind the product, by position.
struct AttentionInputs {
  int mask, past, bias;
};
} // namespace

/// `all`, [B, S, 3 N h], is queries, keys and values. Before keys and values
/// are those of the past, [2, B, N, P, h], to which they are appended.
static void attendToAll(Replacement &r, const std::string &all, int64_t heads,
                        AttentionInputs inputs) {
  std::string q, k, v, mask, causal, pastKeys;
  onnx::AttributeProto axis = onnx::MakeAttribute("axis", int64_t(2)),
                       first = onnx::MakeAttribute("axis", int64_t(0));
  if (const onnx::AttributeProto *sizes = r.attribute("qkv_hidden_sizes");
      sizes && sizes->ints_size()) {
    if (sizes->ints_size() != 3 || sizes->ints(0) < 1 || sizes->ints(1) < 1 ||
        sizes->ints(2) < 1)
      return r.refuse("qkv_hidden_sizes must be three sizes");
    int64_t begin = 0;
    for (auto [part, size] :
         {std::pair(&q, sizes->ints(0)), std::pair(&k, sizes->ints(1)),
          std::pair(&v, sizes->ints(2))}) {
      *part = toHeads(
          r, r.slice(all, r.integers(begin), r.integers(begin + size), 2),
          heads);
      begin += size;
    }
  } else {
    std::string parts =
        r.transpose(r.reshape(all, {0, 0, 3, heads, -1}), {2, 0, 3, 1, 4});
    auto part = [&](int64_t index) {
      return r.call("Gather", {parts, r.scalar(index)});
    };
    q = part(0), k = part(1), v = part(2);
  }
  if (r.has(inputs.past)) {
    auto before = [&](int64_t index) {
      return r.call("Gather", {r.in(inputs.past), r.scalar(index)});
    };
    pastKeys = before(0);
    k = r.call("Concat", {pastKeys, k}, {axis});
    v = r.call("Concat", {before(1), v}, {axis});
  }
  if (r.wants(1))
    r.result(1,
             r.call("Concat", {r.unsqueeze(k, 0), r.unsqueeze(v, 0)}, {first}));
  if (r.has(inputs.mask))
    mask = maskPenalty(r, r.in(inputs.mask), k, q);
  if (r.integer("unidirectional", 0))
    causal = causalPenalty(r, q, k, pastKeys);
  r.result(0, attend(r, q, k, v,
                     {causal, mask, inputs.bias < 0 ? "" : r.in(inputs.bias)}));
}

/// The number of heads; 0, with a refusal, where it is missing or the past's
/// memory is to be shared.
static int64_t headsOf(Replacement &r) {
  int64_t heads = r.integer("num_heads", 0);
  if (heads < 1)
    r.refuse("num_heads is missing");
  if (r.integer("past_present_share_buffer", 0))
    r.refuse("past_present_share_buffer is not supported yet");
  return heads;
}

/// input [B, S, D] times weights [D, 3 N h].
static void replaceAttention(Replacement &r) {
  int64_t heads = headsOf(r);
  refuseFrom(r, 6, {"past_sequence_length"}, 2);
  if (!r.refusal().empty())
    return;
  std::string all = r.call("MatMul", {r.in(0), r.in(1)});
  if (r.has(2))
    all = r.call("Add", {all, r.in(2)});
  attendToAll(r, all, heads, {3, 4, 5});
}

/// The same with an input and weights in 8 bits.
static void replaceQAttention(Replacement &r) {
  int64_t heads = headsOf(r);
  if (!r.refusal().empty())
    return;
  std::string sums =
      r.call("MatMulInteger", {r.in(0), r.in(1), r.in(6), r.in(7)});
  std::string scale = r.call("Mul", {r.in(3), r.in(4)});
  std::string all = r.call("Mul", {r.cast(sums, TensorProto::FLOAT), scale});
  attendToAll(r, r.call("Add", {all, r.in(2)}), heads, {5, 8, -1});
}

/// Queries, keys and values, each [B, S or L, N * h], perhaps with one bias for
/// all, [3 N h]; or keys and values by heads, [B, N, L, h]. Before them are
/// those of the past, [B, N, P, h]; what is attended to is the present.
static void replaceMultiHeadAttention(Replacement &r) {
  int64_t heads = r.integer("num_heads", 0);
  if (heads < 1)
    return r.refuse("num_heads is missing");
  if (!r.has(1) || !r.has(2))
    return r.refuse("packed keys and values are not supported yet");
  if (r.has(6) != r.has(7))
    return r.refuse("past_key and past_value must come together");
  refuseFrom(r, 8, {"past_sequence_length", "cache_indirection"}, 3);
  if (!r.refusal().empty())
    return;
  std::string q = r.in(0), k = r.in(1), v = r.in(2), mask, causal;
  std::optional<size_t> rank = r.rank(k);
  if (!rank)
    return;
  if (*rank != 3 && *rank != 4)
    return r.refuse("keys of rank " + llvm::Twine(*rank) +
                    " are not supported yet");
  if (r.has(3)) {
    std::string width = r.dim(q, 2);
    std::string twice = r.call("Add", {width, width});
    std::string bias = r.in(3);
    q = r.call("Add", {q, r.slice(bias, r.integers(0), width, 0)});
    if (*rank == 3) {
      k = r.call("Add", {k, r.slice(bias, width, twice, 0)});
      v = r.call(
          "Add",
          {v, r.slice(bias, twice,
                      r.integers(std::numeric_limits<int64_t>::max()), 0)});
    }
  }
  q = toHeads(r, q, heads);
  if (*rank == 3) {
    k = toHeads(r, k, heads);
    v = toHeads(r, v, heads);
  }
  if (r.has(6)) {
    onnx::AttributeProto axis = onnx::MakeAttribute("axis", int64_t(2));
    k = r.call("Concat", {r.in(6), k}, {axis});
    v = r.call("Concat", {r.in(7), v}, {axis});
  }
  r.result(1, k);
  r.result(2, v);
  if (r.has(4)) {
    std::optional<size_t> maskRank = r.rank(r.in(4));
    if (maskRank && *maskRank == 1)
      return r.refuse("a key_padding_mask of rank 1 is not supported yet");
    mask = maskPenalty(r, r.in(4), k, q);
  }
  if (r.integer("unidirectional", 0))
    causal = causalPenalty(r, q, k, r.in(6));
  r.result(0, attend(r, q, k, v, {causal, mask, r.in(5)}));
}

void onnxc::addContributedAttention(ContributedOperators &operators) {
  operators.add("Attention", replaceAttention,
                {"num_heads", "unidirectional", "mask_filter_value", "scale",
                 "qkv_hidden_sizes", "past_present_share_buffer"});
  operators.add("QAttention", replaceQAttention,
                {"num_heads", "unidirectional", "mask_filter_value", "scale",
                 "past_present_share_buffer"});
  operators.add("MultiHeadAttention", replaceMultiHeadAttention,
                {"num_heads", "unidirectional", "mask_filter_value", "scale"});
}
