//===- Optionals.cpp - Values that may be absent --------------------------===//

#include "compiler/lower/BoxedValues.h"
#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/Scalars.h"
#include "dialects/onnx/OnnxDialect.h"

using namespace mlir;
using namespace onnxc;

/// An optional that is there is the value it holds, boxed.
static LogicalResult lowerOptional(Lowering &l, OnnxNode n) {
  Value value = n.in(0);
  if (value && failed(canHold(l, n.out().getType(), value)))
    return failure();
  if (!value)
    l.bind(n.out(), makeValue(l, "none"));
  else
    l.bind(n.out(), asBoxed(l, value));
  return success();
}

/// Whether the boxed optional is there, as an i1.
static Value isThere(Lowering &l, Value optional) {
  return Scalars{l.b, l.loc}.compare(
      Comparison::NotEqual, readValue(l, "kind", optional), l.index(0), false);
}

static LogicalResult lowerHasElement(Lowering &l, OnnxNode n) {
  Value value = n.in(0);
  Scalars s{l.b, l.loc};
  Value there = value && isa<op::OptionalType>(value.getType())
                    ? isThere(l, l.value(value))
                    : s.integer(l.b.getI1Type(), value ? 1 : 0);
  l.set(n.out(), tensor::FromElementsOp::create(
                     l.b, l.loc, loweredType(l, n.out()), there));
  return success();
}

static LogicalResult lowerGetElement(Lowering &l, OnnxNode n) {
  Value value = n.in(0);
  if (!value)
    return l.refuse("the optional value is absent");
  if (!isa<op::OptionalType>(value.getType())) {
    l.bind(n.out(), l.value(value));
    return success();
  }
  if (failed(canHold(l, value.getType(), n.out())))
    return failure();
  Value optional = l.value(value);
  l.require(isThere(l, optional), "the optional value is absent");
  if (isBoxed(n.out().getType()))
    l.bind(n.out(), optional);
  else
    l.set(n.out(), unboxTensor(l, optional, n.out(), "the optional value"));
  return success();
}

void onnxc::addOptionals(LoweringTable &table) {
  table.onOp("Optional", lowerOptional);
  table.onOp("OptionalHasElement", lowerHasElement);
  table.onOp("OptionalGetElement", lowerGetElement);
}
