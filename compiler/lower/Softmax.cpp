//===- Softmax.cpp - Softmax, LogSoftmax, Hardmax -------------------------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/ExtremePositions.h"
#include "dialects/kernel/KernelDialect.h"

using namespace mlir;
using namespace onnxc;

Value onnxc::softmaxTensor(Lowering &l, Value input, int64_t axis,
                           bool logarithm) {
  auto shape = cast<RankedTensorType>(input.getType());
  Type type = shape.getElementType();
  if (!logarithm && type.isF32() && axis + 1 == shape.getRank()) {
    Value init = l.empty(type, l.sizes(input));
    return kernel::SoftmaxOp::create(l.b, l.loc, TypeRange(init.getType()),
                                     input, init)
        .getResult(0);
  }
  Value maximum = l.reduce(input, axis, lowestValue(type, false),
                           [&](OpBuilder &nested, Value acc, Value x) {
                             return Scalars{nested, l.loc}.max(acc, x, false);
                           });
  auto shiftedExp = [&](Scalars &s, Value x, Value most) {
    return s.exp(s.sub(x, most));
  };
  if (logarithm) {
    // The sum alone is stored, so that each element is read three times and
    // written once.
    Value sum =
        l.reduceWith(input, maximum, axis, numberAttr(type, 0),
                     [&](OpBuilder &nested, Value acc, Value x, Value most) {
                       Scalars s{nested, l.loc};
                       return s.accumulate(acc, shiftedExp(s, x, most));
                     });
    Value log = l.mapSame(type, sum, [&](OpBuilder &nested, ValueRange in) {
      return Scalars{nested, l.loc}.log(in[0]);
    });
    return l.withReduced(type, input, {maximum, log}, axis,
                         [&](OpBuilder &nested, ValueRange in) {
                           Scalars s{nested, l.loc};
                           return s.sub(s.sub(in[0], in[1]), in[2]);
                         });
  }
  Value raised = l.withReduced(type, input, maximum, axis,
                               [&](OpBuilder &nested, ValueRange in) {
                                 Scalars s{nested, l.loc};
                                 return shiftedExp(s, in[0], in[1]);
                               });
  Value sum = l.reduce(raised, axis, numberAttr(type, 0),
                       [&](OpBuilder &nested, Value acc, Value x) {
                         return Scalars{nested, l.loc}.accumulate(acc, x);
                       });
  return l.withReduced(type, raised, sum, axis,
                       [&](OpBuilder &nested, ValueRange in) {
                         Scalars s{nested, l.loc};
                         return s.div(in[0], in[1], false);
                       });
}

template <bool logarithm>
static LogicalResult lowerSoftmax(Lowering &l, OnnxNode n) {
  auto axis = normalizeAxis(n.integer("axis", -1), l.rank(n.in(0)));
  if (!axis)
    return l.refuse("axis is out of range");
  Type element = l.elementType(n.in(0)), compute = computeType(element);
  Value input = l.convert(l.value(n.in(0)), element, compute);
  l.set(n.out(),
        l.convert(softmaxTensor(l, input, *axis, logarithm), compute, element));
  return success();
}

static LogicalResult lowerHardmax(Lowering &l, OnnxNode n) {
  auto axis = normalizeAxis(n.integer("axis", -1), l.rank(n.in(0)));
  if (!axis)
    return l.refuse("axis is out of range");
  Type type = l.elementType(n.in(0));
  Value input = l.value(n.in(0));
  Value maximum = l.reduce(input, *axis, lowestValue(type, false),
                           [&](OpBuilder &nested, Value acc, Value x) {
                             return Scalars{nested, l.loc}.max(acc, x, false);
                           });
  Value first = extremePositions(l, input, maximum, *axis);
  Type position = cast<RankedTensorType>(first.getType()).getElementType();
  l.set(n.out(),
        l.withReduced(
            type, input, first, *axis, [&](OpBuilder &nested, ValueRange in) {
              Scalars s{nested, l.loc};
              Value at = s.fromIndex(
                  linalg::IndexOp::create(nested, l.loc, *axis), position);
              return s.select(s.compare(Comparison::Equal, at, in[1], false),
                              s.constant(type, 1), s.constant(type, 0));
            }));
  return success();
}

void onnxc::addSoftmax(LoweringTable &table) {
  table.onOp("Softmax", lowerSoftmax<false>);
  table.onOp("LogSoftmax", lowerSoftmax<true>);
  table.onOp("Hardmax", lowerHardmax);
}
