//===- SupportVectors.cpp - SVMRegressor, SVMClassifier -------------------===//
//
// One matrix says how alike each sample is to each support vector; products
// with the coefficients make of its rows the scores. For classes that is one
// score for each pair of them, by the sign of which one of the two gets a vote.
// Where the standard is silent it is as in ONNX Runtime.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/MatrixProducts.h"
#include "compiler/lower/Scalars.h"
#include "compiler/lower/Traditional.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// The attributes that both operators have.
struct Machine {
  ArrayRef<float> coefficients, vectors, rho;
  StringRef kernel;
  double gamma = 0, coef0 = 0, degree = 0;
  int64_t features = 0;
};
} // namespace

static ArrayRef<float> floatList(OnnxNode n, StringRef name) {
  auto given = n.op->getAttrOfType<DenseF32ArrayAttr>(name);
  return given ? given.asArrayRef() : ArrayRef<float>();
}

static std::optional<Machine> readMachine(Lowering &l, OnnxNode n) {
  auto refuse = [&](const Twine &why) {
    (void)l.refuse(why);
    return std::nullopt;
  };
  Machine machine{floatList(n, "coefficients"), floatList(n, "support_vectors"),
                  floatList(n, "rho"), n.string("kernel_type", "LINEAR")};
  ArrayRef<float> parameters = floatList(n, "kernel_params");
  if (!parameters.empty()) {
    if (parameters.size() != 3)
      return refuse("kernel_params must have three values");
    machine.gamma = parameters[0];
    machine.coef0 = parameters[1];
    machine.degree = parameters[2];
  }
  if (!llvm::is_contained({"LINEAR", "POLY", "RBF", "SIGMOID"}, machine.kernel))
    return refuse("there is no kernel_type '" + machine.kernel + "'");
  if (machine.coefficients.empty() || machine.rho.empty())
    return refuse("coefficients or rho is missing");
  int64_t rank = l.rank(n.in(0));
  machine.features = rank > 0 ? l.staticDim(n.in(0), rank - 1) : -1;
  if (machine.features < 1)
    return refuse("the number of features must be static");
  return machine;
}

/// x times the transpose of `values`, [rows, features].
static Value timesTransposed(Lowering &l, Value x, int64_t rows,
                             ArrayRef<float> values) {
  auto columns = static_cast<int64_t>(values.size()) / rows;
  auto type = RankedTensorType::get({rows, columns}, l.b.getF32Type());
  Value weights = weightOperand(l, DenseElementsAttr::get(type, values), true);
  return kernelMatmul(l, x, weights, {l.sizes(x)[0], l.attr(rows)});
}

/// The kernel of each sample, [N, F], with each of `count` support vectors.
static Value similarities(Lowering &l, Value x, const Machine &machine,
                          int64_t count) {
  Type f32 = l.b.getF32Type();
  Dims dims{l.sizes(x)[0], l.attr(count)};
  if (machine.kernel == "RBF") {
    // Not by products: differences of near vectors would lose their digits.
    Value vectors = numbers(l, {count, machine.features}, machine.vectors);
    MLIRContext *context = l.b.getContext();
    AffineExpr sample, vector, feature;
    bindDims(context, sample, vector, feature);
    auto map = [&](ArrayRef<AffineExpr> exprs) {
      return AffineMap::get(3, 0, exprs, context);
    };
    using utils::IteratorType;
    Value distances = l.generic(
        l.filled(f32, dims, numberAttr(f32, 0)), map({sample, vector}),
        {{x, map({sample, feature})}, {vectors, map({vector, feature})}},
        {IteratorType::parallel, IteratorType::parallel,
         IteratorType::reduction},
        [&](OpBuilder &nested, ValueRange in) {
          Scalars s{nested, l.loc};
          Value difference = s.sub(in[0], in[1]);
          return s.accumulate(in[2], s.mul(difference, difference));
        });
    return l.mapSame(f32, distances, [&](OpBuilder &nested, ValueRange in) {
      Scalars s{nested, l.loc};
      return s.exp(s.mul(in[0], s.constant(f32, -machine.gamma)));
    });
  }
  Value products = timesTransposed(l, x, count, machine.vectors);
  if (machine.kernel == "LINEAR")
    return products;
  return l.mapSame(f32, products, [&](OpBuilder &nested, ValueRange in) {
    Scalars s{nested, l.loc};
    Value value = s.add(s.mul(in[0], s.constant(f32, machine.gamma)),
                        s.constant(f32, machine.coef0));
    if (machine.kernel == "SIGMOID")
      return s.tanh(value);
    return math::PowFOp::create(nested, l.loc, value,
                                s.constant(f32, machine.degree))
        .getResult();
  });
}

/// `scores`, [N, columns], plus a constant for each column.
static Value plusColumns(Lowering &l, Value scores, ArrayRef<float> added) {
  MLIRContext *context = l.b.getContext();
  return l.map(l.b.getF32Type(), l.sizes(scores),
               {{scores, AffineMap::getMultiDimIdentityMap(2, context)},
                {numbers(l, {static_cast<int64_t>(added.size())}, added),
                 AffineMap::get(2, 0, l.b.getAffineDimExpr(1), context)}},
               [&](OpBuilder &nested, ValueRange in) {
                 return Scalars{nested, l.loc}.add(in[0], in[1]);
               });
}

static LogicalResult lowerRegressor(Lowering &l, OnnxNode n) {
  std::optional<Machine> machine = readMachine(l, n);
  if (!machine)
    return failure();
  StringRef transform = n.string("post_transform", "NONE");
  if (transform != "NONE")
    return l.refuse("post_transform '" + transform + "' is not supported yet");
  Value x = featureMatrix(l, n.in(0), l.b.getF32Type());
  if (!x)
    return failure();
  int64_t count = n.integer("n_supports", 0);
  auto coefficients = static_cast<int64_t>(machine->coefficients.size());
  auto numbersOfVectors = static_cast<int64_t>(machine->vectors.size());
  if (count > 0 &&
      (coefficients != count || numbersOfVectors / count != machine->features ||
       numbersOfVectors % count))
    return l.refuse("support_vectors or coefficients do not fit n_supports and "
                    "the features");
  if (count <= 0 && coefficients != machine->features)
    return l.refuse("there must be a coefficient for each feature");
  if (count > 0)
    x = similarities(l, x, *machine, count);
  Value scores = timesTransposed(l, x, 1, machine->coefficients);
  scores = plusColumns(l, scores, machine->rho.take_front());
  if (n.integer("one_class", 0)) {
    Type f32 = l.b.getF32Type();
    scores = l.mapSame(f32, scores, [&](OpBuilder &nested, ValueRange in) {
      Scalars s{nested, l.loc};
      Value inside =
          s.compare(Comparison::Greater, in[0], s.constant(f32, 0), false);
      return s.select(inside, s.constant(f32, 1), s.constant(f32, -1));
    });
  }
  l.set(n.out(), scores);
  return success();
}

//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

namespace {
/// The pairs of classes in the order of their scores.
struct Pairs {
  SmallVector<int64_t> first, second;
};
} // namespace

/// For each pair of classes the coefficients of all support vectors, which are
/// those of the two classes' vectors for the other class: [pairs, vectors].
static std::vector<float> pairCoefficients(const Machine &machine,
                                           ArrayRef<int64_t> perClass,
                                           int64_t count, Pairs &pairs) {
  SmallVector<int64_t> begin{0};
  for (int64_t size : perClass)
    begin.push_back(begin.back() + size);
  auto classes = static_cast<int64_t>(perClass.size());
  std::vector<float> result;
  for (int64_t i = 0; i < classes; ++i)
    for (int64_t j = i + 1; j < classes; ++j) {
      pairs.first.push_back(i);
      pairs.second.push_back(j);
      for (int64_t k = 0; k < count; ++k) {
        float value = 0;
        if (k >= begin[i] && k < begin[i + 1])
          value = machine.coefficients[(j - 1) * count + k];
        else if (k >= begin[j] && k < begin[j + 1])
          value = machine.coefficients[i * count + k];
        result.push_back(value);
      }
    }
  return result;
}

/// How many pairs each class wins, [N, classes].
static Value votes(Lowering &l, Value scores, const Pairs &pairs,
                   int64_t classes) {
  Type f32 = l.b.getF32Type(), i64 = l.b.getI64Type();
  auto list = [&](ArrayRef<int64_t> values) {
    return l.constantTensor(DenseElementsAttr::get(
        RankedTensorType::get({static_cast<int64_t>(values.size())}, i64),
        values));
  };
  MLIRContext *context = l.b.getContext();
  AffineExpr sample, label, pair;
  bindDims(context, sample, label, pair);
  auto map = [&](ArrayRef<AffineExpr> exprs) {
    return AffineMap::get(3, 0, exprs, context);
  };
  using utils::IteratorType;
  Dims dims{l.sizes(scores)[0], l.attr(classes)};
  return l.generic(
      l.filled(f32, dims, numberAttr(f32, 0)), map({sample, label}),
      {{scores, map({sample, pair})},
       {list(pairs.first), map({pair})},
       {list(pairs.second), map({pair})}},
      {IteratorType::parallel, IteratorType::parallel, IteratorType::reduction},
      [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Value isFirst =
            s.compare(Comparison::Greater, in[0], s.constant(f32, 0), false);
        Value winner = s.select(isFirst, in[1], in[2]);
        Value own = s.fromIndex(linalg::IndexOp::create(nested, l.loc, 1), i64);
        Value wins = s.compare(Comparison::Equal, winner, own, false);
        return s.add(in[3],
                     s.select(wins, s.constant(f32, 1), s.constant(f32, 0)));
      });
}

/// The score of the one pair of two classes, and before it its negative.
static Value withNegative(Lowering &l, Value scores) {
  return l.pull(l.b.getF32Type(), {l.sizes(scores)[0], l.attr(2)},
                [&](OpBuilder &nested, ArrayRef<Value> at) {
                  Scalars s{nested, l.loc};
                  Value zero = s.integer(nested.getIndexType(), 0);
                  Value score = tensor::ExtractOp::create(
                      nested, l.loc, scores, ValueRange{at[0], zero});
                  Value isFirst =
                      s.compare(Comparison::Equal, at[1], zero, false);
                  return s.select(isFirst, s.negate(score), score);
                });
}

/// Labels from `weights`, [N, classes]: the first of the greatest. Where all
/// coefficients of a machine with one rho are positive, ONNX Runtime says the
/// second of two classes from a weight of 0.5 on.
static LogicalResult setLabels(Lowering &l, OnnxNode n, const Machine &machine,
                               Value weights, const ClassLabels &labels) {
  bool isPositive =
      llvm::all_of(machine.coefficients, [](float c) { return c >= 0; });
  if (machine.rho.size() == 1 && (labels.size() != 2 || isPositive))
    return l.refuse("one rho, unless of two classes and with coefficients of "
                    "both signs, is not supported yet");
  if (n.out(0))
    l.set(n.out(0),
          asLabels(l, winningLabels(l, weights, labels.numbers), labels));
  return success();
}

/// A score for each class from the features themselves.
static LogicalResult lowerLinearMachine(Lowering &l, OnnxNode n,
                                        const Machine &machine, Value x,
                                        const ClassLabels &labels) {
  auto classes = static_cast<int64_t>(labels.size());
  if (static_cast<int64_t>(machine.coefficients.size()) !=
      classes * machine.features)
    return l.refuse("there must be a coefficient for each feature and class");
  Value scores = timesTransposed(l, x, classes, machine.coefficients);
  std::vector<float> shift(classes, machine.rho.front());
  scores = plusColumns(l, scores, shift);
  if (failed(setLabels(l, n, machine, scores, labels)))
    return failure();
  return setScores(l, n, scores);
}

static LogicalResult lowerClassifier(Lowering &l, OnnxNode n) {
  auto labels = classLabels(l, n, "classlabels_ints");
  if (!labels)
    return failure();
  if (labels->size() < 2)
    return l.refuse("fewer than two class labels are not supported yet");
  ArrayRef<float> slopes = floatList(n, "prob_a"),
                  offsets = floatList(n, "prob_b");
  std::optional<Machine> machine = readMachine(l, n);
  if (!machine)
    return failure();
  Value x = featureMatrix(l, n.in(0), l.b.getF32Type());
  if (!x)
    return failure();
  auto perClass = n.integers("vectors_per_class");
  if (slopes.size() != offsets.size())
    return l.refuse("prob_a and prob_b differ in length");
  if (!perClass || perClass->empty())
    return lowerLinearMachine(l, n, *machine, x, *labels);

  auto classes = static_cast<int64_t>(labels->size());
  int64_t count = 0;
  for (int64_t size : *perClass) {
    if (size < 0 || size > static_cast<int64_t>(machine->coefficients.size()))
      return l.refuse("vectors_per_class is out of range");
    count += size;
  }
  if (static_cast<int64_t>(perClass->size()) != classes || count < 1 ||
      static_cast<int64_t>(machine->coefficients.size()) !=
          (classes - 1) * count ||
      static_cast<int64_t>(machine->vectors.size()) !=
          count * machine->features)
    return l.refuse("support_vectors or coefficients do not fit the classes "
                    "and the features");
  Pairs pairs;
  std::vector<float> coefficients =
      pairCoefficients(*machine, *perClass, count, pairs);
  auto pairCount = static_cast<int64_t>(pairs.first.size());
  if (static_cast<int64_t>(machine->rho.size()) < pairCount)
    return l.refuse("there must be a rho for each pair of classes");
  if (!slopes.empty() && static_cast<int64_t>(slopes.size()) < pairCount)
    return l.refuse("there must be a prob_a for each pair of classes");
  Value alike = similarities(l, x, *machine, count);
  Value scores = timesTransposed(l, alike, pairCount, coefficients);
  scores = plusColumns(l, scores, machine->rho.take_front(pairCount));
  if (failed(
          setLabels(l, n, *machine, votes(l, scores, pairs, classes), *labels)))
    return failure();
  if (!slopes.empty())
    return setScores(l, n,
                     coupledProbabilities(l, scores, classes, slopes, offsets));
  if (pairCount > 1)
    return setScores(l, n, scores);
  // What else there is ONNX Runtime and onnx's reference do not agree on.
  StringRef transform = n.string("post_transform", "NONE");
  if (transform != "NONE" && transform != "LOGISTIC")
    return l.refuse("post_transform '" + transform +
                    "' of one score is not supported yet");
  return setScores(l, n, withNegative(l, scores));
}

void onnxc::addSupportVectors(LoweringTable &table) {
  table.onOp("ml.SVMRegressor", lowerRegressor);
  table.onOp("ml.SVMClassifier", lowerClassifier);
}
