//===- RecurrentSteps.cpp - One step of RNN, GRU and LSTM -----------------===//

#include "compiler/lower/Activations.h"
#include "compiler/lower/Recurrent.h"
#include "dialects/kernel/KernelDialect.h"

using namespace mlir;
using namespace onnxc;
using namespace onnxc::recurrent;

Value Recurrent::activate(Scalars &s, unsigned function, Value x) {
  const Activation &activation = activations[firstFunction + function];
  StringRef name = activation.name;
  Value alpha = s.constant(compute, activation.alpha),
        beta = s.constant(compute, activation.beta);
  if (name == "sigmoid")
    return s.sigmoid(x);
  if (name == "tanh")
    return s.tanh(x);
  if (name == "relu")
    return relu(s, x);
  if (name == "affine")
    return s.add(s.mul(alpha, x), beta);
  if (name == "leakyrelu")
    return leakyRelu(s, x, alpha);
  if (name == "thresholdedrelu")
    return thresholdedRelu(s, x, alpha);
  if (name == "scaledtanh")
    return s.mul(alpha, s.tanh(s.mul(beta, x)));
  if (name == "hardsigmoid")
    return hardSigmoid(s, x, alpha, beta);
  if (name == "elu")
    return elu(s, x, alpha);
  if (name == "softsign")
    return softsign(s, x);
  return softplus(s, x);
}

/// A gate's activation. Its input is clipped; what h of an LSTM takes is not,
/// as in ONNX Runtime.
Value Recurrent::gate(Scalars &s, unsigned function, Value x) {
  if (clip)
    x = s.atMost(s.atLeast(x, s.constant(compute, -*clip)),
                 s.constant(compute, *clip));
  return activate(s, function, x);
}

/// H' = f(sum + x)
SmallVector<Value> Recurrent::rnnStep(Scalars &s, ValueRange in) {
  return {gate(s, 0, s.add(in[0], in[1]))};
}

/// in: 4 sums, 4 inputs, H, C, perhaps the peepholes of i, o and f.
SmallVector<Value> Recurrent::lstmStep(Scalars &s, ValueRange in) {
  Value state = in[9];
  ValueRange peepholes = in.drop_front(10);
  auto sumOf = [&](LstmGate which, Value cell, unsigned peephole) {
    Value sum = s.add(in[which], in[4 + which]);
    if (!peepholes.empty() && cell)
      sum = s.add(sum, s.mul(peepholes[peephole], cell));
    return sum;
  };
  Value input = gate(s, 0, sumOf(InputGate, state, 0));
  Value forget = n.integer("input_forget", 0)
                     ? s.sub(s.constant(compute, 1), input)
                     : gate(s, 0, sumOf(ForgetGate, state, 2));
  Value candidate = gate(s, 1, sumOf(CellGate, nullptr, 0));
  Value next = s.add(s.mul(forget, state), s.mul(input, candidate));
  Value output = gate(s, 0, sumOf(OutputGate, next, 1));
  return {s.mul(output, activate(s, 2, next)), next};
}

/// in: sums of z and r, 3 inputs, H. Yields r * H, which the hidden gate's
/// weight multiplies, and z.
SmallVector<Value> Recurrent::gruGates(Scalars &s, ValueRange in) {
  Value update = gate(s, 0, s.add(in[0], in[2]));
  Value reset = gate(s, 0, s.add(in[1], in[3]));
  return {s.mul(reset, in[5]), update};
}

/// H' = (1 - z) * h + z * H
static Value gruMix(Scalars &s, Value update, Value candidate, Value state) {
  Value one = s.constant(state.getType(), 1);
  return s.add(s.mul(s.sub(one, update), candidate), s.mul(update, state));
}

/// in: sum of r * H, 3 inputs, H, r * H, z.
SmallVector<Value> Recurrent::gruOutput(Scalars &s, ValueRange in) {
  Value candidate = gate(s, 1, s.add(in[0], in[1 + HiddenGate]));
  return {gruMix(s, in[6], candidate, in[4])};
}

/// in: 3 sums, 3 inputs, H, perhaps the hidden gate's recurrent bias.
SmallVector<Value> Recurrent::gruStep(Scalars &s, ValueRange in) {
  Value update = gate(s, 0, s.add(in[UpdateGate], in[3 + UpdateGate]));
  Value reset = gate(s, 0, s.add(in[ResetGate], in[3 + ResetGate]));
  Value linear = in[HiddenGate];
  if (in.size() > 7)
    linear = s.add(linear, in[7]);
  Value candidate = gate(s, 1, s.add(in[3 + HiddenGate], s.mul(reset, linear)));
  return {gruMix(s, update, candidate, in[6])};
}

void Recurrent::addStage(Region &region, int64_t arguments, Stage stage) {
  OpBuilder::InsertionGuard guard(l.b);
  Block *block =
      l.b.createBlock(&region, {}, SmallVector<Type>(arguments, compute),
                      SmallVector<Location>(arguments, l.loc));
  Scalars s{l.b, l.loc};
  kernel::StageYieldOp::create(l.b, l.loc,
                               (this->*stage)(s, block->getArguments()));
}

/// The kernel for `count` directions from `first` on. `inits`: the sequence,
/// null where nobody reads it, and the states, of all directions.
SmallVector<Value> Recurrent::recurrence(Value input, Value coefficients,
                                         ArrayRef<Value> allInits,
                                         int64_t first, int64_t count) {
  bool twoStages = cell == Cell::Gru && !resetAfter;
  firstFunction = first * functions;
  SmallVector<Value> weights;
  if (twoStages) {
    weights.push_back(recurrenceWeight(UpdateGate, 2, first, count));
    weights.push_back(recurrenceWeight(HiddenGate, 1, first, count));
  } else {
    weights.push_back(recurrenceWeight(0, gates, first, count));
  }
  SmallVector<Value> inits;
  for (auto [i, init] : llvm::enumerate(allInits))
    if (init)
      inits.push_back(directionsOf(init, i == 0 ? 1 : 0, first, count));
  inits.push_back(
      l.empty(compute, {l.attr(count), batch, l.attr(twoStages ? 3 : 1),
                        l.attr(hidden)}));
  coefficients = directionsOf(coefficients, 0, first, count);
  Value lengths = n.in(Lengths) ? l.value(n.in(Lengths)) : Value();
  auto op = kernel::RecurrenceOp::create(
      l.b, l.loc, ValueRange(inits).getTypes(),
      directionsOf(input, 2, first, count), weights, coefficients, lengths,
      inits, ArrayRef<int64_t>(reversed).slice(first, count),
      /*has_sequence=*/allInits[0] != nullptr, /*packed=*/false,
      kernel::TileAttr(), twoStages ? 2 : 1);
  int64_t states = static_cast<int64_t>(allInits.size()) - 1;
  int64_t given = gates + states;
  if (coefficients)
    given += cast<RankedTensorType>(coefficients.getType()).getDimSize(1);
  if (twoStages) {
    addStage(op.getStages()[0], 2 + given, &Recurrent::gruGates);
    addStage(op.getStages()[1], 1 + given + 2, &Recurrent::gruOutput);
  } else {
    addStage(op.getStages()[0], gates + given,
             cell == Cell::Rnn    ? &Recurrent::rnnStep
             : cell == Cell::Lstm ? &Recurrent::lstmStep
                                  : &Recurrent::gruStep);
  }
  return SmallVector<Value>(op.getResults().drop_back());
}
