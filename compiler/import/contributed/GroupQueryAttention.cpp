//===- GroupQueryAttention.cpp - Decoders' attention with a cache ---------===//
//
// Several heads of queries share one of keys and values, and are rows of one
// product with it. Each row of the batch has its own number of tokens so far.
//
//===----------------------------------------------------------------------===//

#include "compiler/import/contributed/AttentionParts.h"

#include <limits>

using namespace onnxc;
using onnx::MakeAttribute;
using onnx::TensorProto;

namespace {
enum Input {
  Query,
  Key,
  Value,
  PastKey,
  PastValue,
  Lengths,
  Total,
  Cosines,
  Sines,
  Positions,
  Bias,
  Sink
};

class GroupedAttention {
public:
  explicit GroupedAttention(Replacement &r)
      : r(r), heads(r.integer("num_heads", 0)),
        groups(r.integer("kv_num_heads", 0)) {}

  void replace();

private:
  bool isSupported();
  void splitHeads();
  void findPlaces();
  void rotate();
  /// The cache behind the new tokens: [B, G, T, h].
  std::string present(Input past, const std::string &fresh);
  /// The tokens of the cache: all but what a longer one has room for.
  std::string used(const std::string &cache);
  std::string scores(const std::string &keys);
  std::string mask(const std::string &keys);
  std::string weightsOf(std::string scores);

  std::string add(const std::string &x, const std::string &y) {
    return r.call("Add", {x, y});
  }
  std::string joined(const std::vector<std::string> &parts, int64_t axis) {
    return r.call("Concat", parts, {MakeAttribute("axis", axis)});
  }
  std::string isLess(const std::string &x, const std::string &y) {
    return r.call("Less", {x, y});
  }

  Replacement &r;
  const int64_t heads, groups;
  std::string q, k, v; ///< [B, S, heads, h]
  std::string count;   ///< S, [1]
  std::string rows;    ///< queries that share keys: S heads / groups, [1]
  std::string total;   ///< tokens of the longest row, [1]
  std::string before;  ///< how many tokens each row has before: [B]
  std::string places;  ///< of the new tokens: [B, S]
};
} // namespace

bool GroupedAttention::isSupported() {
  if (heads < 1 || groups < 1 || heads % groups)
    r.refuse("num_heads must be a multiple of kv_num_heads");
  else if (r.has(Key) != r.has(Value) || r.has(PastKey) != r.has(PastValue))
    r.refuse("keys and values must come together");
  else if (!r.has(Lengths) || !r.has(Total))
    r.refuse("seqlens_k or total_sequence_length is missing");
  else if (r.integer("do_rotary", 0) && (!r.has(Cosines) || !r.has(Sines)))
    r.refuse("do_rotary needs cos_cache and sin_cache");
  else if (r.opset < 13)
    r.refuse("needs opset 13 of ai.onnx or a later one");
  for (int i = Sink + 1; i < r.node.input_size(); ++i)
    if (r.has(i))
      r.refuse("input " + llvm::Twine(i) + " is not supported yet");
  if (r.wants(3))
    r.refuse("output 3 is not supported yet");
  return r.refusal().empty();
}

void GroupedAttention::splitHeads() {
  if (r.has(Key)) {
    q = r.reshape(r.in(Query), {0, 0, heads, -1});
    k = r.reshape(r.in(Key), {0, 0, groups, -1});
    v = r.reshape(r.in(Value), {0, 0, groups, -1});
    return;
  }
  std::string all = r.reshape(r.in(Query), {0, 0, heads + 2 * groups, -1});
  auto part = [&](int64_t from, int64_t size) {
    return r.slice(all, r.integers(from), r.integers(from + size), 2);
  };
  q = part(0, heads);
  k = part(heads, groups);
  v = part(heads + groups, groups);
}

void GroupedAttention::findPlaces() {
  auto vectorOf = [&](Input input) {
    return r.reshape(r.cast(r.in(input), TensorProto::INT64), -1);
  };
  total = vectorOf(Total);
  count = r.dim(q, 1);
  rows = r.call("Mul", {count, r.integers(heads / groups)});
  // In the first run lengths may be less than S: rows are filled up behind.
  std::string lengths = add(vectorOf(Lengths), r.integers(1));
  std::string isFirst = r.call("Equal", {count, total});
  before = r.call("Where",
                  {isFirst, r.integers(0), r.call("Sub", {lengths, count})});
  places = add(r.unsqueeze(countTo(r, count), 0), r.unsqueeze(before, 1));
}

void GroupedAttention::rotate() {
  if (!r.integer("do_rotary", 0))
    return;
  std::string at =
      r.has(Positions) ? r.cast(r.in(Positions), TensorProto::INT64) : places;
  Rotation rotation{r.in(Cosines), r.in(Sines),
                    r.integer("rotary_interleaved", 0) != 0, true};
  q = rotated(r, q, at, rotation);
  k = rotated(r, k, at, rotation);
}

std::string GroupedAttention::present(Input past, const std::string &fresh) {
  return r.callOwn("AppendToCache", {r.in(past), fresh, before, total});
}

std::string GroupedAttention::used(const std::string &cache) {
  return r.slice(cache, r.integers(0), total, 2);
}

/// What hides keys from queries, [B, 1, rows, T]: nobody sees what comes later,
/// nor what is too far before.
std::string GroupedAttention::mask(const std::string &keys) {
  std::string keyPlaces = countTo(r, r.dim(keys, 2));
  std::string own = r.unsqueeze(places, 2);
  std::string hidden = isLess(own, keyPlaces);
  if (int64_t window = r.integer("local_window_size", -1); window > 0)
    hidden = r.call(
        "Or", {hidden, isLess(add(keyPlaces, r.scalar(window - 1)), own)});
  std::string mask =
      r.unsqueeze(penalty(r, r.call("Not", {hidden}),
                          std::numeric_limits<float>::lowest() / 2, q),
                  1);
  if (heads == groups)
    return mask;
  std::string length = r.dim(keys, 2), batch = r.dim(keys, 0);
  mask = r.call(
      "Expand",
      {mask, joined({batch, r.integers(heads / groups), count, length}, 0)});
  return r.call("Reshape",
                {mask, joined({batch, r.integers(1), rows, length}, 0)});
}

/// [B, G, rows, T]
std::string GroupedAttention::scores(const std::string &keys) {
  std::string queries = r.transpose(q, {0, 2, 1, 3});
  queries = r.call(
      "Reshape",
      {queries, joined({r.integers({0, groups}), rows, r.dim(q, 3)}, 0)});
  std::string scores =
      r.call("MatMul", {queries, r.transpose(keys, {0, 1, 3, 2})});
  if (float scale = r.real("scale", 0); scale != 0) {
    scores = r.call("Mul", {scores, r.number(scale, q)});
  } else {
    std::string size = r.cast(r.dim(q, 3), TensorProto::FLOAT);
    scores = r.call("Div", {scores, r.castLike(r.call("Sqrt", {size}), q)});
  }
  if (float cap = r.real("softcap", 0); cap != 0) {
    std::string bound = r.number(cap, q);
    scores = r.call("Mul",
                    {r.call("Tanh", {r.call("Div", {scores, bound})}), bound});
  }
  scores = add(scores, mask(keys));
  if (!r.has(Bias))
    return scores;
  // [B or 1, N or 1, S, T]; all heads in one dim while it is added.
  std::string byHead = r.call(
      "Reshape",
      {scores, joined({r.integers({0, heads}), count, r.integers(-1)}, 0)});
  std::string both = add(byHead, r.in(Bias));
  return r.call("Reshape", {both, r.call("Shape", {scores})});
}

/// Softmax; with another score beside the keys' that no value belongs to: 0, or
/// one for each head.
std::string GroupedAttention::weightsOf(std::string scores) {
  bool hasSink = r.has(Sink) || r.integer("smooth_softmax", 0) == 1;
  if (hasSink) {
    std::string sink = r.number(0, q);
    if (r.has(Sink))
      sink = r.reshape(r.in(Sink), {1, groups, heads / groups, 1, 1});
    std::string batch = r.dim(scores, 0);
    sink = r.call("Expand",
                  {sink, joined({batch, r.integers({groups, heads / groups}),
                                 count, r.integers(1)},
                                0)});
    sink = r.call(
        "Reshape",
        {sink, joined({batch, r.integers(groups), rows, r.integers(1)}, 0)});
    scores = joined({scores, sink}, 3);
  }
  std::string weights =
      r.call("Softmax", {scores}, {MakeAttribute("axis", int64_t(3))});
  return hasSink ? r.slice(weights, r.integers(0), r.integers(-1), 3) : weights;
}

void GroupedAttention::replace() {
  if (!isSupported())
    return;
  splitHeads();
  findPlaces();
  rotate();
  std::string keys = present(PastKey, k), values = present(PastValue, v);
  r.result(1, keys);
  r.result(2, values);
  std::string mixed =
      r.call("MatMul", {weightsOf(scores(used(keys))), used(values)});
  std::string shape =
      joined({r.integers({0, heads}), count, r.integers(-1)}, 0);
  mixed = r.transpose(r.call("Reshape", {mixed, shape}), {0, 2, 1, 3});
  r.result(0, r.reshape(mixed, {0, 0, -1}));
}

void onnxc::addContributedGroupQueryAttention(ContributedOperators &operators) {
  operators.add("GroupQueryAttention",
                [](Replacement &r) { GroupedAttention(r).replace(); },
                {"num_heads", "kv_num_heads", "scale", "softcap",
                 "local_window_size", "do_rotary", "rotary_interleaved",
                 "smooth_softmax"});
}
