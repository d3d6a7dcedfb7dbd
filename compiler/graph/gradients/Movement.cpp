//===- Movement.cpp - Gradients of operators that move elements -----------===//

#include "compiler/graph/gradients/Gradients.h"

using namespace mlir;
using namespace onnxc;

/// Reshape and its like.
static LogicalResult reshaped(Backward &g) {
  g.give(0, g.reshapeLike(g.gradient(), g.in(0)));
  return success();
}

static LogicalResult identity(Backward &g) {
  g.give(0, g.gradient());
  return success();
}

static LogicalResult transposed(Backward &g) {
  auto order = g.op->getAttrOfType<DenseI64ArrayAttr>("perm");
  if (!order) {
    g.give(0, g.call("Transpose", {g.gradient()}));
    return success();
  }
  SmallVector<int64_t> inverse(order.size());
  for (auto [i, axis] : llvm::enumerate(order.asArrayRef()))
    inverse[axis] = static_cast<int64_t>(i);
  g.give(0, g.call("Transpose", {g.gradient()}, g.attribute("perm", inverse)));
  return success();
}

static LogicalResult concatenated(Backward &g) {
  int64_t rank = g.rank(g.out()), axis = g.integer("axis", 0);
  if (rank < 0)
    return g.refuse("the rank of its result is not known when compiling");
  axis += axis < 0 ? rank : 0;
  SmallVector<Value> lengths;
  for (unsigned i = 0; i < g.inputs(); ++i)
    lengths.push_back(g.call("Gather", {g.shapeOf(g.in(i)), g.integers(axis)}));
  Value sizes = g.call("Concat", lengths, g.attribute("axis", 0));
  Operation *split = g.create("Split", {g.gradient(), sizes},
                              g.attribute("axis", axis), g.inputs());
  for (unsigned i = 0; i < g.inputs(); ++i)
    g.give(i, split->getResult(i));
  return success();
}

/// Padding with a constant: what the pads add is cut off again.
static LogicalResult padded(Backward &g) {
  auto mode = g.op->getAttrOfType<StringAttr>("mode");
  if ((mode && mode.getValue() != "constant") || (g.in(2) && g.wants(2)))
    return g.refuse("the gradient of this mode is not supported");
  g.give(0, g.call("Pad", {g.gradient(), g.neg(g.in(1)), Value(), g.in(3)}));
  return success();
}

static LogicalResult triangle(Backward &g) {
  g.give(0, g.call("Trilu", {g.gradient(), g.in(1)}, g.op->getAttrs()));
  return success();
}

/// `gradient` added to the elements of `total`, a vector, at `positions`.
static Value added(Backward &g, Value total, Value positions, Value gradient) {
  Value flat = g.integers(-1);
  return g.call("ScatterElements",
                {total, g.call("Reshape", {positions, flat}),
                 g.call("Reshape", {gradient, flat})},
                g.text("reduction", "add"));
}

/// Any operator whose results are elements of operand 0: applied to their
/// positions it tells where each came from, which the gradient is added to.
static LogicalResult moved(Backward &g) {
  for (unsigned i = 1; i < g.inputs(); ++i)
    if (g.in(i) && g.wants(i))
      return g.refuse("operand " + Twine(i) + " has no gradient");
  Value x = g.in(0), flat = g.integers(-1);
  Type i64 = IntegerType::get(x.getContext(), 64);
  Value size = g.call("Size", {x}, {}, i64);
  Value positions =
      g.call("Range", {g.number(0, size), size, g.number(1, size)});
  SmallVector<Value> operands{g.reshapeLike(positions, x)};
  for (unsigned i = 1; i < g.inputs(); ++i)
    operands.push_back(g.in(i));
  Operation *from = g.create(g.op->getName().getStringRef().rsplit('.').second,
                             operands, g.op->getAttrs(), g.op->getNumResults());
  Value total = g.call("Reshape", {g.filled(0, x), flat});
  for (unsigned i = 0; i < g.op->getNumResults(); ++i)
    total = added(g, total, from->getResult(i), g.gradient(i));
  g.give(0, g.reshapeLike(total, x));
  return success();
}

/// Each result is the element whose position a second result tells.
static LogicalResult maxPool(Backward &g) {
  if (g.integer("storage_order", 0))
    return g.refuse("the gradient with storage_order is not supported");
  Value x = g.in(0);
  Operation *pool = g.create("MaxPool", {x}, g.op->getAttrs(), 2);
  Value from = pool->getResult(1);
  from.setType(UnrankedTensorType::get(IntegerType::get(x.getContext(), 64)));
  Value zeros = g.call("Reshape", {g.filled(0, x), g.integers(-1)});
  g.give(0, g.reshapeLike(added(g, zeros, from, g.gradient()), x));
  return success();
}

void onnxc::addMovementGradients(GradientRules &rules) {
  for (StringRef name : {"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
    rules.add(name, reshaped);
  rules.add("Identity", identity);
  rules.add("Transpose", transposed);
  rules.add("Concat", concatenated);
  rules.add("MaxPool", maxPool);
  rules.add("Pad", padded);
  rules.add("Trilu", triangle);
  for (StringRef name : {"DepthToSpace", "Expand", "Gather", "GatherElements",
                         "GatherND", "Slice", "SpaceToDepth", "Split", "Tile"})
    rules.add(name, moved);
}
