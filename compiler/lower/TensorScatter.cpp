//===- TensorScatter.cpp - TensorScatter ----------------------------------===//

#include "compiler/lower/Lowering.h"
#include "compiler/lower/Scalars.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

/// The cache with a sequence of updates written along `axis`, for each element
/// of the batch from a place of its own on; past the end in mode "circular" the
/// places go on at the begin.
static LogicalResult lowerTensorScatter(Lowering &l, OnnxNode n) {
  Value cache = n.in(0), update = n.in(1), starts = n.in(2);
  int64_t rank = l.rank(cache);
  auto axis = normalizeAxis(n.integer("axis", -2), rank);
  if (!axis || *axis == 0 || l.rank(update) != rank)
    return l.refuse("the axis, or the update's rank, does not fit the cache");
  StringRef mode = n.string("mode", "linear");
  if (mode != "linear" && mode != "circular")
    return l.refuse("there is no mode '" + mode + "'");
  Dims dims = l.dims(cache), own = l.dims(update);
  for (int64_t d = 0; d < rank; ++d)
    if (d != *axis)
      l.requireEqual(own[d], dims[d], "dim " + Twine(d));
  l.requireAtMost(own[*axis], dims[*axis], "the number of updates");
  OpFoldResult last = l.sub(dims[*axis], own[*axis]);
  if (starts) {
    if (l.rank(starts) != 1)
      return l.refuse("write_indices must have rank 1");
    l.requireEqual(l.dims(starts)[0], dims[0], "the number of write_indices");
    l.requireIndices(starts,
                     mode == "linear" ? l.add(last, l.attr(1)) : dims[*axis],
                     "write_indices", IndexSet::FromZero);
  }
  if (!l.refusal().empty())
    return failure();
  Type element = signless(l.elementType(cache));
  Value old = l.value(cache), fresh = l.value(update);
  Value places = starts ? l.value(starts) : Value();
  Value size = l.index(dims[*axis]), count = l.index(own[*axis]);
  l.set(n.out(),
        l.pull(
            element, dims, [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
              Scalars s{nested, l.loc};
              Value step = at[*axis];
              if (places) {
                Value start = s.toIndex(
                    tensor::ExtractOp::create(nested, l.loc, places, at[0]));
                step = s.sub(step, start);
                Value before =
                    s.compare(Comparison::Less, step,
                              s.integer(nested.getIndexType(), 0), false);
                if (mode == "circular")
                  step = s.select(before, s.add(step, size), step);
              }
              // Below zero is beyond the count when seen as unsigned.
              Value isNew = s.compare(Comparison::Less, step, count, true);
              auto choice = scf::IfOp::create(
                  nested, l.loc, isNew,
                  [&](OpBuilder &then, Location loc) {
                    SmallVector<Value> from(at);
                    from[*axis] = step;
                    Value x = tensor::ExtractOp::create(then, loc, fresh, from);
                    scf::YieldOp::create(then, loc, x);
                  },
                  [&](OpBuilder &otherwise, Location loc) {
                    Value x =
                        tensor::ExtractOp::create(otherwise, loc, old, at);
                    scf::YieldOp::create(otherwise, loc, x);
                  });
              return choice.getResult(0);
            }));
  return success();
}

void onnxc::addTensorScatter(LoweringTable &table) {
  table.onOp("TensorScatter", lowerTensorScatter);
}
