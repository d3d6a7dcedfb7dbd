//===- MaxUnpool.cpp - MaxUnpool ------------------------------------------===//

#include "compiler/lower/Scalars.h"
#include "compiler/lower/Window.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

/// Each element goes to its place, by a flat index, of a tensor of zeros that
/// has the size that the pool was of; a larger `output_shape` adds zeros
/// behind.
static LogicalResult lowerMaxUnpool(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0)), spatial = rank - 2;
  auto kernel = n.integers("kernel_shape");
  if (spatial < 1 || !kernel ||
      static_cast<int64_t>(kernel->size()) != spatial ||
      l.rank(n.in(1)) != rank)
    return l.refuse("kernel_shape and indices must fit the input's rank");
  FailureOr<Window> window = readWindow(
      l, n, l.dims(n.in(0)), getAsIndexOpFoldResult(l.b.getContext(), *kernel));
  if (failed(window))
    return failure();
  Dims source = l.dims(n.in(0)), indexDims = l.dims(n.in(1));
  Dims pooled = {source[0], source[1]};
  for (int64_t i = 0; i < spatial; ++i) {
    OpFoldResult steps =
        l.mul(l.sub(source[i + 2], l.attr(1)), l.attr(window->strides[i]));
    OpFoldResult pads = l.add(window->before[i], window->after[i]);
    pooled.push_back(
        l.max(l.sub(l.add(steps, l.attr((*kernel)[i])), pads), l.attr(0)));
  }
  Dims dims = pooled;
  if (n.in(2)) {
    auto given = l.elements(n.in(2));
    if (!given || static_cast<int64_t>(given->size()) != rank)
      return l.refuse("output_shape does not fit the input's rank");
    dims.clear();
    for (OpFoldResult dim : *given)
      dims.push_back(l.max(dim, l.attr(0)));
  }
  dims = l.preferKnown(n.out(), dims);
  if (!n.in(2))
    pooled = dims;

  Type element = signless(l.elementType(n.in(0)));
  TypedAttr zero = numberAttr(element, 0);
  OpFoldResult size = l.product(pooled);
  OpFoldResult count = l.min(l.product(source), l.product(indexDims));
  Value values = l.reshape(l.value(n.in(0)), {l.product(source)});
  Value indices = l.reshape(l.value(n.in(1)), {l.product(indexDims)});
  Value bound = l.index(size);
  auto loop = scf::ForOp::create(
      l.b, l.loc, l.index(0), l.index(count), l.index(1),
      l.filled(element, {size}, zero),
      [&](OpBuilder &nested, Location loc, Value i, ValueRange state) {
        Scalars s{nested, loc};
        Value at =
            s.toIndex(tensor::ExtractOp::create(nested, loc, indices, i));
        // Below zero is beyond the size when seen as unsigned.
        Value inside = s.compare(Comparison::Less, at, bound, true);
        auto choice = scf::IfOp::create(
            nested, loc, inside,
            [&](OpBuilder &then, Location) {
              Value x = tensor::ExtractOp::create(then, loc, values, i);
              Value written =
                  tensor::InsertOp::create(then, loc, x, state[0], at);
              scf::YieldOp::create(then, loc, written);
            },
            [&](OpBuilder &otherwise, Location) {
              scf::YieldOp::create(otherwise, loc, state);
            });
        scf::YieldOp::create(nested, loc, choice.getResults());
      });
  Value result = l.reshape(loop.getResult(0), pooled);
  if (n.in(2)) {
    // A smaller shape cuts off.
    Dims kept, origin(rank, l.attr(0)), ones(rank, l.attr(1));
    for (auto [a, b] : llvm::zip(pooled, dims))
      kept.push_back(l.min(a, b));
    result = l.insertSlice(l.slice(result, origin, kept, ones),
                           l.filled(element, dims, zero), origin, kept, ones);
  }
  l.set(n.out(), result);
  return success();
}

void onnxc::addMaxUnpool(LoweringTable &table) {
  table.onOp("MaxUnpool", lowerMaxUnpool);
}
