//===- AffineGrid.cpp - AffineGrid ----------------------------------------===//

#include "compiler/lower/Elementwise.h"

using namespace mlir;
using namespace onnxc;

/// theta, [N, r, r + 1], applied to the places of an output of `size`,
/// [N, C, ..., H, W], each in [-1, 1], x first: [N, ..., H, W, r].
static LogicalResult lowerAffineGrid(Lowering &l, OnnxNode n) {
  Value theta = n.in(0);
  auto size = l.elements(n.in(1));
  if (!size || (size->size() != 4 && size->size() != 5))
    return l.refuse("size must have 4 or 5 elements");
  int64_t spatial = static_cast<int64_t>(size->size()) - 2;
  if (l.rank(theta) != 3)
    return l.refuse("theta must have rank 3");
  Dims own = l.dims(theta);
  l.requireEqual(own[0], size->front(), "the batches of theta and size");
  l.requireEqual(own[1], l.attr(spatial), "rows of theta");
  l.requireEqual(own[2], l.attr(spatial + 1), "columns of theta");
  Dims dims{own[0]};
  for (OpFoldResult dim : llvm::drop_begin(*size, 2)) {
    l.requireAtLeast(dim, 0, "a dim of size");
    dims.push_back(dim);
  }
  dims.push_back(l.attr(spatial));
  dims = l.preferKnown(n.out(), dims);
  l.requireAllocatable(dims);
  if (!l.refusal().empty())
    return failure();

  bool align = n.integer("align_corners", 0);
  Type element = l.elementType(theta), compute = computeType(element);
  Value tensor = l.value(theta);
  SmallVector<Value> sizes;
  for (int64_t d = 0; d < spatial; ++d)
    sizes.push_back(l.index(dims[d + 1]));
  l.set(n.out(),
        l.pull(element, dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
          Scalars s{nested, l.loc};
          Type index = nested.getIndexType();
          auto factor = [&](int64_t column) {
            Value x = tensor::ExtractOp::create(
                nested, l.loc, tensor,
                ValueRange{at.front(), at.back(), s.integer(index, column)});
            return widen(s, x);
          };
          Value sum = factor(spatial);
          for (int64_t d = 0; d < spatial; ++d) {
            // The place 2i / (size - 1) - 1, or (2i + 1) / size - 1.
            Value twice = s.mul(at[d + 1], s.integer(index, 2)),
                  size = sizes[d];
            Value one = s.integer(index, 1);
            if (align)
              size = s.max(s.sub(size, one), one, false);
            else
              twice = s.add(twice, one);
            Value place = s.sub(s.div(s.fromIndex(twice, compute),
                                      s.fromIndex(size, compute), false),
                                s.constant(compute, 1));
            sum = s.add(sum, s.mul(factor(spatial - 1 - d), place));
          }
          return toFloat(s, sum, element);
        }));
  return success();
}

void onnxc::addAffineGrid(LoweringTable &table) {
  table.onOp("AffineGrid", lowerAffineGrid);
}
