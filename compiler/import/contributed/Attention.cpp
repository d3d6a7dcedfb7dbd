//===- Attention.cpp - Attention, MultiHeadAttention, RotaryEmbedding -----===//

#include "compiler/import/contributed/Contributed.h"

#include <limits>

using namespace onnxc;
using onnx::TensorProto;

/// 0 where `keeps`, of any numbers, is not 0, otherwise `masked`.
static std::string penalty(Replacement &r, const std::string &keeps,
                           double masked, const std::string &like) {
  return r.call("Where", {r.cast(keeps, TensorProto::BOOL), r.number(0, like),
                          r.number(masked, like)});
}

/// The numbers below that of `size`, a vector of one element, as [size].
static std::string countTo(Replacement &r, const std::string &size) {
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

/// input [B, S, D] times weights [D, 3 N h] is queries, keys and values.
static void replaceAttention(Replacement &r) {
  int64_t heads = r.integer("num_heads", 0);
  if (heads < 1)
    return r.refuse("num_heads is missing");
  if (r.has(4))
    return r.refuse("input 'past' is not supported yet");
  refuseFrom(r, 6, {"past_sequence_length"}, 1);
  if (!r.refusal().empty())
    return;
  std::string all = r.call("MatMul", {r.in(0), r.in(1)});
  if (r.has(2))
    all = r.call("Add", {all, r.in(2)});
  std::string parts =
      r.transpose(r.reshape(all, {0, 0, 3, heads, -1}), {2, 0, 3, 1, 4});
  auto part = [&](int64_t index) {
    return r.call("Gather", {parts, r.scalar(index)});
  };
  std::string q = part(0), k = part(1), v = part(2), mask, causal;
  if (r.has(3))
    mask = maskPenalty(r, r.in(3), k, q);
  if (r.integer("unidirectional", 0))
    causal = causalPenalty(r, q, k);
  r.result(0, attend(r, q, k, v, {causal, mask, r.in(5)}));
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

/// Turns pairs of elements of each head by the angles of the position: the
/// first half with the second, or neighbours. The input is [B, S, N * h] or
/// [B, N, S, h], the position of the first element [1] or that of each [B, S].
static void replaceRotaryEmbedding(Replacement &r) {
  if (r.integer("is_packed_batching", 0) || r.real("scale", 1) != 1)
    return r.refuse("is_packed_batching, or a scale, is not supported yet");
  std::string x = r.in(0), cosines = r.in(2), sines = r.in(3);
  std::optional<size_t> rank = r.rank(x), placeRank = r.rank(r.in(1));
  if (!rank || !placeRank)
    return;
  if ((*rank != 3 && *rank != 4) || *placeRank < 1 || *placeRank > 2)
    return r.refuse("the input's or the positions' rank is not supported");
  auto joined = [&](const std::vector<std::string> &parts, int64_t axis) {
    return r.call("Concat", parts, {onnx::MakeAttribute("axis", axis)});
  };
  std::string half = r.dim(cosines, 1), whole = r.call("Add", {half, half});
  int64_t heads = r.integer("num_heads", 0);
  if (*rank == 4)
    x = r.transpose(x, {0, 2, 1, 3});
  else if (heads > 0)
    x = r.reshape(x, {0, 0, heads, -1});
  else
    x = r.call("Reshape", {x, joined({r.integers({0, 0, -1}), whole}, 0)});

  // The angles of each place, [B or 1, S, 1, half].
  std::string places = r.cast(r.in(1), TensorProto::INT64);
  if (*placeRank == 1)
    places = r.unsqueeze(r.call("Add", {countTo(r, r.dim(x, 1)), places}), 0);
  auto angles = [&](const std::string &table) {
    return r.unsqueeze(r.call("Gather", {table, places}), 2);
  };
  std::string cosine = angles(cosines), sine = angles(sines);

  std::string zero = r.integers(0), one = r.integers(1), two = r.integers(2),
              axis = r.integers(3);
  std::string end = r.integers(std::numeric_limits<int64_t>::max());
  std::string turned = r.slice(x, zero, whole, 3);
  bool interleaved = r.integer("interleaved", 0);
  auto part = [&](bool second) {
    if (interleaved)
      return r.call("Slice", {turned, second ? one : zero, end, axis, two});
    return second ? r.slice(turned, half, whole, 3)
                  : r.slice(turned, zero, half, 3);
  };
  std::string a = part(false), b = part(true);
  auto times = [&](const std::string &y, const std::string &z) {
    return r.call("Mul", {y, z});
  };
  std::string first = r.call("Sub", {times(a, cosine), times(b, sine)});
  std::string second = r.call("Add", {times(b, cosine), times(a, sine)});
  if (interleaved)
    turned =
        r.reshape(joined({r.unsqueeze(first, 4), r.unsqueeze(second, 4)}, 4),
                  {0, 0, 0, -1});
  else
    turned = joined({first, second}, 3);
  // What is behind the dims that turn stays.
  if (r.integer("rotary_embedding_dim", 0) > 0)
    turned = joined({turned, r.slice(x, whole, end, 3)}, 3);
  r.result(0, *rank == 4 ? r.transpose(turned, {0, 2, 1, 3})
                         : r.reshape(turned, {0, 0, -1}));
}

void onnxc::addContributedAttention(ContributedOperators &operators) {
  operators.add("Attention", replaceAttention,
                {"num_heads", "unidirectional", "mask_filter_value", "scale"});
  operators.add("MultiHeadAttention", replaceMultiHeadAttention,
                {"num_heads", "unidirectional", "mask_filter_value", "scale"});
  operators.add("RotaryEmbedding", replaceRotaryEmbedding,
                {"num_heads", "rotary_embedding_dim", "interleaved",
                 "is_packed_batching", "scale"});
}
