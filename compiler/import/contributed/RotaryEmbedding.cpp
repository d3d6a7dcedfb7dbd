//===- RotaryEmbedding.cpp - Turns the elements of heads by their place ---===//

#include "compiler/import/contributed/AttentionParts.h"

#include <limits>

using namespace onnxc;
using onnx::TensorProto;

static std::string joined(Replacement &r, const std::vector<std::string> &parts,
                          int64_t axis) {
  return r.call("Concat", parts, {onnx::MakeAttribute("axis", axis)});
}

std::string onnxc::rotated(Replacement &r, const std::string &x,
                           const std::string &places,
                           const Rotation &rotation) {
  std::string half = r.dim(rotation.cosines, 1),
              whole = r.call("Add", {half, half});
  // The angles of each place, [B or 1, S, 1, half].
  auto angles = [&](const std::string &table) {
    return r.unsqueeze(r.call("Gather", {table, places}), 2);
  };
  std::string cosine = angles(rotation.cosines), sine = angles(rotation.sines);
  std::string zero = r.integers(0), one = r.integers(1), two = r.integers(2),
              axis = r.integers(3);
  std::string end = r.integers(std::numeric_limits<int64_t>::max());
  std::string turned = r.slice(x, zero, whole, 3);
  auto part = [&](bool second) {
    if (rotation.interleaved)
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
  if (rotation.interleaved)
    turned =
        r.reshape(joined(r, {r.unsqueeze(first, 4), r.unsqueeze(second, 4)}, 4),
                  {0, 0, 0, -1});
  else
    turned = joined(r, {first, second}, 3);
  if (rotation.isPart)
    turned = joined(r, {turned, r.slice(x, whole, end, 3)}, 3);
  return turned;
}

/// The input is [B, S, N * h] or [B, N, S, h], the position of the first
/// element [1] or that of each [B, S].
static void replaceRotaryEmbedding(Replacement &r) {
  if (r.integer("is_packed_batching", 0) || r.real("scale", 1) != 1)
    return r.refuse("is_packed_batching, or a scale, is not supported yet");
  std::string x = r.in(0);
  std::optional<size_t> rank = r.rank(x), placeRank = r.rank(r.in(1));
  if (!rank || !placeRank)
    return;
  if ((*rank != 3 && *rank != 4) || *placeRank < 1 || *placeRank > 2)
    return r.refuse("the input's or the positions' rank is not supported");
  int64_t heads = r.integer("num_heads", 0);
  if (*rank == 4) {
    x = r.transpose(x, {0, 2, 1, 3});
  } else if (heads > 0) {
    x = r.reshape(x, {0, 0, heads, -1});
  } else {
    std::string half = r.dim(r.in(2), 1), whole = r.call("Add", {half, half});
    x = r.call("Reshape", {x, joined(r, {r.integers({0, 0, -1}), whole}, 0)});
  }
  std::string places = r.cast(r.in(1), TensorProto::INT64);
  if (*placeRank == 1)
    places = r.unsqueeze(r.call("Add", {countTo(r, r.dim(x, 1)), places}), 0);
  std::string turned =
      rotated(r, x, places,
              {r.in(2), r.in(3), r.integer("interleaved", 0) != 0,
               r.integer("rotary_embedding_dim", 0) > 0});
  r.result(0, *rank == 4 ? r.transpose(turned, {0, 2, 1, 3})
                         : r.reshape(turned, {0, 0, -1}));
}

void onnxc::addContributedRotaryEmbedding(ContributedOperators &operators) {
  operators.add("RotaryEmbedding", replaceRotaryEmbedding,
                {"num_heads", "rotary_embedding_dim", "interleaved",
                 "is_packed_batching", "scale"});
}
