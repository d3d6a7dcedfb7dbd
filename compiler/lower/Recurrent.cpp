//===- Recurrent.cpp - RNN, GRU and LSTM ----------------------------------===//
//
// The products of all inputs with W need no state: they are one matrix product
// up front, with the biases. What is left, a step per element of the sequence,
// is one kernel.recurrence for both directions.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Recurrent.h"
#include "compiler/lower/MatrixProducts.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/Elements.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace onnxc;
using namespace onnxc::recurrent;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

LogicalResult Recurrent::readAttributes() {
  gates = cell == Cell::Rnn ? 1 : cell == Cell::Gru ? 3 : 4;
  functions = cell == Cell::Rnn ? 1 : cell == Cell::Gru ? 2 : 3;
  element = l.elementType(n.in(X));
  compute = computeType(element);
  hidden = l.staticDim(n.in(R), 2);
  if (hidden < 0)
    hidden = n.integer("hidden_size", -1);
  if (hidden < 0)
    return l.refuse("a hidden size that is not known when compiling is not "
                    "supported");
  if (hidden == 0)
    return l.refuse("hidden_size must be at least 1");
  StringRef direction = n.string("direction", "forward");
  if (direction == "forward")
    reversed = {0};
  else if (direction == "reverse")
    reversed = {1};
  else
    reversed = {0, 1};
  directions = static_cast<int64_t>(reversed.size());
  batchFirst = n.integer("layout", 0) != 0;
  resetAfter = cell == Cell::Gru && n.integer("linear_before_reset", 0) != 0;
  if (n.has("clip")) {
    clip = n.real("clip", 0);
    if (!(*clip >= 0))
      return l.refuse("clip must not be negative");
  }
  return readActivations();
}

/// Which of alpha and beta an activation takes, and their defaults.
static std::optional<std::pair<std::optional<double>, std::optional<double>>>
activationDefaults(StringRef name) {
  using Pair = std::pair<std::optional<double>, std::optional<double>>;
  return llvm::StringSwitch<std::optional<Pair>>(name)
      .Cases({"relu", "tanh", "sigmoid", "softsign", "softplus"}, Pair{})
      .Case("affine", Pair{1.0, 0.0})
      .Case("leakyrelu", Pair{0.01, {}})
      .Case("thresholdedrelu", Pair{1.0, {}})
      .Case("scaledtanh", Pair{1.0, 1.0})
      .Case("hardsigmoid", Pair{0.2, 0.5})
      .Case("elu", Pair{1.0, {}})
      .Default(std::nullopt);
}

/// Alphas and betas belong in order to the activations that take them.
LogicalResult Recurrent::readActivations() {
  SmallVector<std::string> names;
  if (auto given = n.op->getAttrOfType<ArrayAttr>("activations"))
    for (auto name : given.getAsRange<StringAttr>())
      names.push_back(name.getValue().lower());
  if (names.empty())
    for (int64_t d = 0; d < directions; ++d) {
      names.push_back(cell == Cell::Rnn ? "tanh" : "sigmoid");
      names.append(functions - 1, "tanh");
    }
  // RNN's default is two, whatever the direction.
  size_t expected = functions * directions;
  if (cell == Cell::Rnn && names.size() > expected)
    names.resize(expected);
  if (names.size() != expected)
    return l.refuse("expects " + Twine(expected) + " activations, not " +
                    Twine(names.size()));
  auto alphas = n.reals("activation_alpha"), betas = n.reals("activation_beta");
  size_t nextAlpha = 0, nextBeta = 0;
  for (const std::string &name : names) {
    auto defaults = activationDefaults(name);
    if (!defaults)
      return l.refuse("activation '" + Twine(name) + "' is not known");
    Activation activation{name, defaults->first.value_or(0),
                          defaults->second.value_or(0)};
    if (defaults->first && alphas && nextAlpha < alphas->size())
      activation.alpha = (*alphas)[nextAlpha++];
    if (defaults->second && betas && nextBeta < betas->size())
      activation.beta = (*betas)[nextBeta++];
    activations.push_back(activation);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

/// Checks `condition` when running.
void Recurrent::require(Value condition, const Twine &message) {
  l.require(condition, message);
}

/// Checks now, or when running what shapes leave open.
LogicalResult Recurrent::requireEqual(OpFoldResult actual,
                                      OpFoldResult expected,
                                      const Twine &what) {
  auto a = getConstantIntValue(actual), b = getConstantIntValue(expected);
  if (actual == expected || (a && a == b))
    return success();
  if (a && b)
    return l.refuse(what + " is " + Twine(*a) + ", expected " + Twine(*b));
  Scalars s{l.b, l.loc};
  require(
      s.compare(Comparison::Equal, l.index(actual), l.index(expected), false),
      what + " does not fit");
  return success();
}

LogicalResult Recurrent::checkDims() {
  Dims input = l.dims(n.in(X)), weight = l.dims(n.in(W)),
       recurrence = l.dims(n.in(R));
  OpFoldResult rows = l.attr(gates * hidden), two = l.attr(directions);
  if (failed(requireEqual(weight[0], two, "the number of directions in W")) ||
      failed(requireEqual(weight[1], rows, "the number of rows of W")) ||
      failed(requireEqual(weight[2], input[2], "the number of columns of W")) ||
      failed(
          requireEqual(recurrence[0], two, "the number of directions in R")) ||
      failed(requireEqual(recurrence[1], rows, "the number of rows of R")) ||
      failed(requireEqual(recurrence[2], l.attr(hidden),
                          "the number of columns of R")))
    return failure();
  if (Value bias = n.in(Bias)) {
    if (l.rank(bias) != 2)
      return l.refuse("B must have rank 2");
    Dims dims = l.dims(bias);
    if (failed(requireEqual(dims[0], two, "the number of directions in B")) ||
        failed(requireEqual(dims[1], l.attr(2 * gates * hidden),
                            "the number of columns of B")))
      return failure();
  }
  if (Value lengths = n.in(Lengths)) {
    if (l.rank(lengths) != 1)
      return l.refuse("sequence_lens must have rank 1");
    if (failed(requireEqual(l.dims(lengths)[0], batch,
                            "the size of sequence_lens")))
      return failure();
  }
  for (auto [position, name] :
       {std::pair{InitialH, "initial_h"}, {InitialC, "initial_c"}}) {
    Value state = n.in(position);
    if (!state)
      continue;
    if (l.rank(state) != 3)
      return l.refuse(Twine(name) + " must have rank 3");
    Dims dims = l.dims(state);
    if (batchFirst)
      std::swap(dims[0], dims[1]);
    if (failed(requireEqual(dims[0], two,
                            Twine("the number of directions in ") + name)) ||
        failed(requireEqual(dims[1], batch, Twine("the batch of ") + name)) ||
        failed(requireEqual(dims[2], l.attr(hidden),
                            Twine("the number of columns of ") + name)))
      return failure();
  }
  if (Value peepholes = n.in(Peepholes)) {
    if (l.rank(peepholes) != 2)
      return l.refuse("P must have rank 2");
    Dims dims = l.dims(peepholes);
    if (failed(requireEqual(dims[0], two, "the number of directions in P")) ||
        failed(requireEqual(dims[1], l.attr(3 * hidden),
                            "the number of columns of P")))
      return failure();
  }
  return success();
}

/// A length outside the sequence is an error.
void Recurrent::checkLengths() {
  Scalars s{l.b, l.loc};
  Value longest = s.fromIndex(l.index(length), l.b.getI32Type());
  Value wrong = l.reduce(
      l.value(n.in(Lengths)), {0}, l.b.getBoolAttr(false),
      [&](OpBuilder &nested, Value found, Value each) -> Value {
        Scalars s{nested, l.loc};
        Value negative = s.compare(Comparison::Less, each,
                                   s.integer(each.getType(), 0), false);
        Value beyond = s.compare(Comparison::Greater, each, longest, false);
        return s.logicalOr(found, s.logicalOr(negative, beyond));
      });
  Value found = tensor::ExtractOp::create(l.b, l.loc, wrong, ValueRange());
  require(s.logicalNot(found),
          "a value of sequence_lens is outside the sequence");
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// The elements of a constant in the type of the computation, else null.
ElementsAttr Recurrent::constantOf(Value onnx) {
  ElementsAttr value = l.constant(onnx);
  if (!value || value.getElementType() == compute)
    return value;
  auto reals = floatValues(value);
  if (!reals)
    return nullptr;
  auto type = RankedTensorType::get(value.getShapedType().getShape(), compute);
  std::vector<char> bytes(reals->size() * sizeof(float));
  for (auto [i, real] : llvm::enumerate(*reals)) {
    float narrow = static_cast<float>(real);
    std::memcpy(bytes.data() + i * sizeof(float), &narrow, sizeof(float));
  }
  return makeElements(type, std::move(bytes));
}

Value Recurrent::operand(Value onnx) {
  if (ElementsAttr constant = constantOf(onnx))
    return l.constantTensor(constant);
  return l.convert(l.value(onnx), element, compute);
}

/// W of all directions as [input size, directions * gates * hidden].
Value Recurrent::inputWeight() {
  int64_t columns = directions * gates * hidden;
  ElementsAttr constant = constantOf(n.in(W));
  if (constant && constant.getNumElements() > 0) {
    int64_t rows = constant.getNumElements() / columns;
    return kernel::WeightOp::create(
        l.b, l.loc, RankedTensorType::get({rows, columns}, compute), constant,
        l.b.getDenseI64ArrayAttr({columns, rows}),
        l.b.getDenseI64ArrayAttr({1, 0}), nullptr, nullptr, nullptr);
  }
  Value flat =
      l.reshape(operand(n.in(W)), {l.attr(columns), l.dims(n.in(X))[2]});
  return l.transpose(flat, {1, 0});
}

/// Some gates of some directions of R as [directions, gates, hidden (summed
/// over), hidden].
Value Recurrent::recurrenceWeight(int64_t firstGate, int64_t count,
                                  int64_t first, int64_t directionCount) {
  ElementsAttr constant = constantOf(n.in(R));
  bool whole = count == gates && directionCount == directions;
  if (constant && whole)
    return kernel::WeightOp::create(
        l.b, l.loc,
        RankedTensorType::get({directions, gates, hidden, hidden}, compute),
        constant, l.b.getDenseI64ArrayAttr({directions, gates, hidden, hidden}),
        l.b.getDenseI64ArrayAttr({0, 1, 3, 2}), nullptr, nullptr, nullptr);
  if (constant)
    return l.rearrangedConstant(
        constant, {directionCount, count, hidden, hidden},
        [&](ArrayRef<int64_t> at) {
          int64_t gate = (first + at[0]) * gates + firstGate + at[1];
          return (gate * hidden + at[3]) * hidden + at[2];
        });
  Value tensor = l.reshape(operand(n.in(R)), {l.attr(directions), l.attr(gates),
                                              l.attr(hidden), l.attr(hidden)});
  if (!whole)
    tensor = l.slice(
        tensor, {l.attr(first), l.attr(firstGate), l.attr(0), l.attr(0)},
        {l.attr(directionCount), l.attr(count), l.attr(hidden), l.attr(hidden)},
        Dims(4, l.attr(1)));
  return l.transpose(tensor, {0, 1, 3, 2});
}

/// The biases that are added to the input's products, [directions * gates *
/// hidden], and those that only the recurrence can add, [directions, 1,
/// hidden]; each may be null.
std::pair<Value, Value> Recurrent::biases() {
  Value bias = n.in(Bias);
  if (!bias)
    return {};
  int64_t columns = gates * hidden;
  auto onlyInput = [&](int64_t gate) {
    return resetAfter && gate == HiddenGate;
  };
  Dims ones(3, l.attr(1));
  Value all = l.reshape(operand(bias),
                        {l.attr(directions), l.attr(2), l.attr(columns)});
  Value late;
  if (resetAfter)
    late = l.slice(all, {l.attr(0), l.attr(1), l.attr(HiddenGate * hidden)},
                   {l.attr(directions), l.attr(1), l.attr(hidden)}, ones);
  if (ElementsAttr constant = constantOf(bias)) {
    auto values = *floatValues(constant);
    auto type = RankedTensorType::get({directions * columns}, compute);
    SmallVector<Attribute> sums;
    for (int64_t d = 0; d < directions; ++d)
      for (int64_t i = 0; i < columns; ++i) {
        double sum = values[d * 2 * columns + i];
        if (!onlyInput(i / hidden))
          sum += values[(d * 2 + 1) * columns + i];
        sums.push_back(l.b.getFloatAttr(compute, sum));
      }
    return {l.constantTensor(DenseElementsAttr::get(type, sums)), late};
  }
  auto half = [&](int64_t which) {
    return l.reshape(l.slice(all, {l.attr(0), l.attr(which), l.attr(0)},
                             {l.attr(directions), l.attr(1), l.attr(columns)},
                             ones),
                     {l.attr(directions), l.attr(columns)});
  };
  Value sum = l.mapSame(
      compute, {half(0), half(1)}, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Value both = s.add(in[0], in[1]);
        if (!resetAfter)
          return both;
        Value column = linalg::IndexOp::create(nested, l.loc, 1);
        Value early = s.compare(
            Comparison::Less, column,
            s.integer(nested.getIndexType(), HiddenGate * hidden), false);
        return s.select(early, both, in[0]);
      });
  return {l.reshape(sum, {l.attr(directions * columns)}), late};
}

/// X * W + bias as [length, batch, directions, gates, hidden].
Value Recurrent::projectedInput(Value bias) {
  Value input = l.convert(l.value(n.in(X)), element, compute);
  if (batchFirst)
    input = l.transpose(input, {1, 0, 2});
  Value product = matmulTensors(l, input, inputWeight());
  int64_t columns = directions * gates * hidden;
  Dims dims{length, batch, l.attr(columns)};
  if (bias)
    product = l.map(compute, dims,
                    {{product, l.b.getMultiDimIdentityMap(3)},
                     {bias, AffineMap::get(3, 0, {l.b.getAffineDimExpr(2)},
                                           l.b.getContext())}},
                    [&](OpBuilder &nested, ValueRange in) {
                      return Scalars{nested, l.loc}.add(in[0], in[1]);
                    });
  Dims parts{length, batch, l.attr(directions), l.attr(gates), l.attr(hidden)};
  return tensor::ExpandShapeOp::create(
      l.b, l.loc, tensorType(compute, parts), product,
      ArrayRef<ReassociationIndices>{{0}, {1}, {2, 3, 4}}, parts);
}

/// `count` directions of a tensor from `first` on, counted by dim `axis`.
Value Recurrent::directionsOf(Value tensor, int64_t axis, int64_t first,
                              int64_t count) {
  if (!tensor || count == directions)
    return tensor;
  Dims sizes = l.sizes(tensor), offsets(sizes.size(), l.attr(0));
  offsets[axis] = l.attr(first);
  sizes[axis] = l.attr(count);
  return l.slice(tensor, offsets, sizes, Dims(sizes.size(), l.attr(1)));
}

Value Recurrent::initialState(Operand position) {
  Value given = n.in(position);
  if (!given)
    return l.filled(compute, {l.attr(directions), batch, l.attr(hidden)},
                    numberAttr(compute, 0));
  Value state = operand(given);
  return batchFirst ? l.transpose(state, {1, 0, 2}) : state;
}

LogicalResult Recurrent::lower() {
  if (failed(readAttributes()))
    return failure();
  Dims input = l.dims(n.in(X));
  length = input[batchFirst ? 1 : 0];
  batch = input[batchFirst ? 0 : 1];
  if (failed(checkDims()))
    return failure();
  auto [bias, coefficients] = biases();
  if (Value peepholes = n.in(Peepholes))
    coefficients = l.reshape(operand(peepholes),
                             {l.attr(directions), l.attr(3), l.attr(hidden)});
  Value projected = projectedInput(bias);

  // Beyond a row's length the sequence is zero.
  SmallVector<Value> inits;
  Dims sequence{length, l.attr(directions), batch, l.attr(hidden)};
  bool wanted = n.out(0) && !n.out(0).use_empty();
  if (n.in(Lengths))
    checkLengths();
  inits.push_back(!wanted ? Value()
                  : n.in(Lengths)
                      ? l.filled(compute, sequence, numberAttr(compute, 0))
                      : l.empty(compute, sequence));
  inits.push_back(initialState(InitialH));
  if (cell == Cell::Lstm)
    inits.push_back(initialState(InitialC));

  // Directions whose cells differ cannot share a kernel.
  ArrayRef<Activation> all(activations);
  int64_t together =
      directions == 2 && all.take_front(functions) == all.drop_front(functions)
          ? 2
          : 1;
  SmallVector<Value> results;
  for (int64_t first = 0; first < directions; first += together) {
    SmallVector<Value> some =
        recurrence(projected, coefficients, inits, first, together);
    if (together == directions) {
      results = some;
      continue;
    }
    if (first == 0)
      for (Value init : inits)
        if (init)
          results.push_back(l.empty(compute, l.sizes(init)));
    for (auto [i, part] : llvm::enumerate(some)) {
      int64_t axis = wanted && i == 0 ? 1 : 0;
      Dims sizes = l.sizes(results[i]), offsets(sizes.size(), l.attr(0));
      sizes[axis] = l.attr(together);
      offsets[axis] = l.attr(first);
      results[i] = l.insertSlice(part, results[i], offsets, sizes,
                                 Dims(sizes.size(), l.attr(1)));
    }
  }

  auto give = [&](unsigned output, Value tensor,
                  ArrayRef<int64_t> permutation) {
    if (!n.out(output))
      return;
    if (batchFirst)
      tensor = l.transpose(tensor, permutation);
    l.set(n.out(output), l.convert(tensor, compute, element));
  };
  size_t next = 0;
  if (wanted)
    give(0, results[next++], {2, 0, 1, 3});
  give(1, results[next++], {1, 0, 2});
  if (cell == Cell::Lstm)
    give(2, results[next], {1, 0, 2});
  return success();
}

void onnxc::addRecurrent(LoweringTable &table) {
  table.onOp("RNN", [](Lowering &l, OnnxNode n) {
    return Recurrent(l, n, Cell::Rnn).lower();
  });
  table.onOp("GRU", [](Lowering &l, OnnxNode n) {
    return Recurrent(l, n, Cell::Gru).lower();
  });
  table.onOp("LSTM", [](Lowering &l, OnnxNode n) {
    return Recurrent(l, n, Cell::Lstm).lower();
  });
}
