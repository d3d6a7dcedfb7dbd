//===- CacheAppend.cpp - The cache of GroupQueryAttention -----------------===//

#include "compiler/lower/Lowering.h"
#include "dialects/kernel/KernelDialect.h"

using namespace mlir;
using namespace onnxc;

/// past [B, G, P, h], fresh [B, S, G, h], starts [B] and total [1] to
/// [B, G, max(P, total), h].
static LogicalResult lowerAppendToCache(Lowering &l, OnnxNode n) {
  Value past = n.in(0), fresh = n.in(1), starts = n.in(2), total = n.in(3);
  if (l.rank(fresh) != 4 || l.rank(starts) != 1 || (past && l.rank(past) != 4))
    return l.refuse("past and new tokens must have rank 4");
  auto size = l.elements(total);
  if (!size || size->size() != 1)
    return l.refuse("total_sequence_length must be one number");
  Dims added = l.dims(fresh);
  OpFoldResult length = (*size)[0], before = l.attr(0);
  l.requireAtLeast(length, 0, "total_sequence_length");
  if (past) {
    Dims own = l.dims(past);
    for (auto [dim, other] : {std::pair(0, 0), {1, 2}, {3, 3}})
      l.requireEqual(own[dim], added[other], "dim " + Twine(dim) + " of past");
    before = own[2];
    length = l.max(length, before);
  }
  l.requireEqual(l.dims(starts)[0], added[0], "the number of seqlens_k");
  l.requireAtMost(added[1], length, "the number of new tokens");
  OpFoldResult last = l.min(before, l.sub(length, added[1]));
  l.requireIndices(starts, l.add(last, l.attr(1)), "seqlens_k",
                   IndexSet::FromZero);
  if (!l.refusal().empty())
    return failure();
  Dims dims = {added[0], added[2], length, added[3]};
  l.requireAllocatable(dims);
  Value init = l.empty(signless(l.elementType(fresh)), dims);
  auto append = kernel::CacheAppendOp::create(
      l.b, l.loc, TypeRange(init.getType()), past ? l.value(past) : Value(),
      l.value(fresh), l.value(starts), init);
  l.set(n.out(), append.getResult(0));
  return success();
}

void onnxc::addCacheAppend(LoweringTable &table) {
  table.onOp("com.microsoft.AppendToCache", lowerAppendToCache);
}
