//===- LinearModels.cpp - LinearRegressor, LinearClassifier ---------------===//
//
// And what all models of ai.onnx.ml share: samples, scores, labels.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/MatrixProducts.h"
#include "compiler/lower/Scalars.h"
#include "compiler/lower/Traditional.h"

using namespace mlir;
using namespace onnxc;

Value onnxc::featureMatrix(Lowering &l, Value onnx, Type element) {
  int64_t rank = l.rank(onnx);
  if (rank < 1 || rank > 2) {
    (void)l.refuse("the samples must have rank 1 or 2");
    return nullptr;
  }
  Value tensor = l.convert(l.value(onnx), l.elementType(onnx), element);
  return rank == 2 ? tensor : l.reshape(tensor, {l.attr(1), l.dims(onnx)[0]});
}

Value onnxc::numbers(Lowering &l, ArrayRef<int64_t> shape,
                     ArrayRef<float> values) {
  return l.constantTensor(DenseElementsAttr::get(
      RankedTensorType::get(shape, l.b.getF32Type()), values));
}

//===----------------------------------------------------------------------===//
// Scores and labels
//===----------------------------------------------------------------------===//

/// sqrt(2) erfinv(2x - 1), by Winitzki's formula, as ONNX Runtime has it.
static Value probit(Scalars s, Value x) {
  Type f32 = x.getType();
  auto constant = [&](double value) { return s.constant(f32, value); };
  Value argument = s.sub(s.mul(x, constant(2)), constant(1));
  Value negative = s.compare(Comparison::Less, argument, constant(0), false);
  Value log =
      s.log(s.mul(s.sub(constant(1), argument), s.add(constant(1), argument)));
  Value v = s.add(constant(2 / (3.14159 * 0.147)), s.mul(log, constant(0.5)));
  Value w = s.mul(log, constant(1 / 0.147));
  Value size = s.sqrt(s.add(s.negate(v), s.sqrt(s.sub(s.mul(v, v), w))));
  Value inverse = s.select(negative, s.negate(size), size);
  return s.mul(inverse, constant(1.41421356));
}

/// Softmax that leaves zeros as they are.
static Value softmaxZero(Lowering &l, Value scores) {
  Type f32 = l.b.getF32Type();
  Value maximum = l.reduce(scores, {1}, lowestValue(f32, false),
                           [&](OpBuilder &nested, Value acc, Value x) {
                             return Scalars{nested, l.loc}.max(acc, x, false);
                           });
  Value raised = l.withReduced(
      f32, scores, {maximum}, {1}, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Value isZero = s.compare(Comparison::LessOrEqual, s.abs(in[0]),
                                 s.constant(f32, 1e-7), false);
        return s.select(isZero, s.mul(in[0], s.exp(s.negate(in[1]))),
                        s.exp(s.sub(in[0], in[1])));
      });
  Value sum = l.reduce(raised, {1}, numberAttr(f32, 0),
                       [&](OpBuilder &nested, Value acc, Value x) {
                         return Scalars{nested, l.loc}.accumulate(acc, x);
                       });
  return l.withReduced(f32, raised, {sum}, {1},
                       [&](OpBuilder &nested, ValueRange in) {
                         return Scalars{nested, l.loc}.div(in[0], in[1], false);
                       });
}

Value onnxc::postTransform(Lowering &l, Value scores, StringRef name) {
  if (name == "NONE")
    return scores;
  if (name == "SOFTMAX")
    return softmaxTensor(l, scores, 1, false);
  if (name == "SOFTMAX_ZERO")
    return softmaxZero(l, scores);
  if (name == "LOGISTIC" || name == "PROBIT")
    return l.mapSame(
        l.b.getF32Type(), {scores}, [&](OpBuilder &nested, ValueRange in) {
          Scalars s{nested, l.loc};
          return name == "PROBIT" ? probit(s, in[0]) : s.sigmoid(in[0]);
        });
  (void)l.refuse("there is no post_transform '" + name + "'");
  return nullptr;
}

Value onnxc::winningLabels(Lowering &l, Value scores,
                           ArrayRef<int64_t> labels) {
  Type i64 = l.b.getI64Type();
  return l.pull(
      i64, l.sizes(scores)[0], [&](OpBuilder &nested, ArrayRef<Value> at) {
        Scalars s{nested, l.loc};
        auto score = [&](size_t i) -> Value {
          Value column =
              s.integer(nested.getIndexType(), static_cast<int64_t>(i));
          return tensor::ExtractOp::create(nested, l.loc, scores,
                                           ValueRange{at[0], column});
        };
        Value best = score(0), label = s.integer(i64, labels[0]);
        for (size_t i = 1; i < labels.size(); ++i) {
          Value other = score(i);
          Value isMore = s.compare(Comparison::Greater, other, best, false);
          best = s.select(isMore, other, best);
          label = s.select(isMore, s.integer(i64, labels[i]), label);
        }
        return label;
      });
}

Value onnxc::labelsAbove(Lowering &l, Value scores, int64_t column,
                         double threshold, ArrayRef<int64_t> labels) {
  Type i64 = l.b.getI64Type(), f32 = l.b.getF32Type();
  return l.pull(i64, l.sizes(scores)[0],
                [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
                  Scalars s{nested, l.loc};
                  Value where = s.integer(nested.getIndexType(), column);
                  Value score = tensor::ExtractOp::create(
                      nested, l.loc, scores, ValueRange{at[0], where});
                  Value above = s.compare(Comparison::Greater, score,
                                          s.constant(f32, threshold), false);
                  return s.select(above, s.integer(i64, labels[1]),
                                  s.integer(i64, labels[0]));
                });
}

Value onnxc::bothScores(Lowering &l, Value scores, bool logistic,
                        bool isProbability) {
  Type f32 = l.b.getF32Type();
  return l.pull(f32, {l.sizes(scores)[0], l.attr(2)},
                [&](OpBuilder &nested, ArrayRef<Value> at) {
                  Scalars s{nested, l.loc};
                  Value zero = s.integer(nested.getIndexType(), 0);
                  Value score = tensor::ExtractOp::create(
                      nested, l.loc, scores, ValueRange{at[0], zero});
                  Value other = isProbability && !logistic
                                    ? s.sub(s.constant(f32, 1), score)
                                    : s.negate(score);
                  Value isFirst =
                      s.compare(Comparison::Equal, at[1], zero, false);
                  Value result = s.select(isFirst, other, score);
                  return logistic ? s.sigmoid(result) : result;
                });
}

//===----------------------------------------------------------------------===//
// Linear models
//===----------------------------------------------------------------------===//

/// X coefficients^T + intercepts, [N, rows]; null with a refusal.
static Value linearScores(Lowering &l, OnnxNode n, int64_t rows) {
  auto coefficients = n.op->getAttrOfType<DenseF32ArrayAttr>("coefficients");
  auto intercepts = n.op->getAttrOfType<DenseF32ArrayAttr>("intercepts");
  int64_t rank = l.rank(n.in(0));
  int64_t features = rank > 0 ? l.staticDim(n.in(0), rank - 1) : -1;
  if (!coefficients || rows < 1 || coefficients.size() % rows) {
    (void)l.refuse("coefficients are missing, or not as many for each score");
    return nullptr;
  }
  int64_t columns = coefficients.size() / rows;
  if (features != columns) {
    (void)l.refuse("the samples must have " + Twine(columns) +
                   " features, in a static dim");
    return nullptr;
  }
  if (intercepts && !intercepts.empty() && intercepts.size() != rows) {
    (void)l.refuse("there must be " + Twine(rows) + " intercepts");
    return nullptr;
  }
  Type f32 = l.b.getF32Type();
  Value samples = featureMatrix(l, n.in(0), f32);
  if (!samples)
    return nullptr;
  auto type = RankedTensorType::get({rows, columns}, f32);
  Value weights = weightOperand(
      l, DenseElementsAttr::get(type, coefficients.asArrayRef()), true);
  Dims dims = {l.sizes(samples)[0], l.attr(rows)};
  Value scores = kernelMatmul(l, samples, weights, dims);
  if (!intercepts || intercepts.empty())
    return scores;
  MLIRContext *context = l.b.getContext();
  return l.map(f32, dims,
               {{scores, AffineMap::getMultiDimIdentityMap(2, context)},
                {numbers(l, {rows}, intercepts.asArrayRef()),
                 AffineMap::get(2, 0, l.b.getAffineDimExpr(1), context)}},
               [&](OpBuilder &nested, ValueRange in) {
                 return Scalars{nested, l.loc}.add(in[0], in[1]);
               });
}

LogicalResult onnxc::setScores(Lowering &l, OnnxNode n, Value scores) {
  if (!n.out(1))
    return success();
  Value result = postTransform(l, scores, n.string("post_transform", "NONE"));
  if (!result)
    return failure();
  l.set(n.out(1), result);
  return success();
}

static LogicalResult lowerLinearRegressor(Lowering &l, OnnxNode n) {
  Value scores = linearScores(l, n, n.integer("targets", 1));
  if (!scores)
    return failure();
  Value result = postTransform(l, scores, n.string("post_transform", "NONE"));
  if (!result)
    return failure();
  l.set(n.out(), result);
  return success();
}

static LogicalResult lowerLinearClassifier(Lowering &l, OnnxNode n) {
  auto labels = classLabels(l, n, "classlabels_ints");
  auto intercepts = n.op->getAttrOfType<DenseF32ArrayAttr>("intercepts");
  if (!labels)
    return failure();
  auto rows = static_cast<int64_t>(labels->size());
  if (rows < 2)
    return l.refuse("fewer than two class labels are not supported yet");
  bool isOneScore = rows == 2 && intercepts && intercepts.size() == 1;
  Value scores = linearScores(l, n, isOneScore ? 1 : rows);
  if (!scores)
    return failure();
  if (isOneScore) {
    // How much a sample is of the second class: where the standard is silent,
    // as in ONNX Runtime.
    StringRef transform = n.string("post_transform", "NONE");
    if (transform == "PROBIT")
      return l.refuse("post_transform 'PROBIT' of one score is not supported "
                      "yet");
    if (n.out(0))
      l.set(n.out(0), asLabels(l, labelsAbove(l, scores, 0, 0, labels->numbers),
                               *labels));
    if (n.out(1))
      l.set(n.out(1), bothScores(l, scores, transform == "LOGISTIC", true));
    return success();
  }
  if (n.out(0))
    l.set(n.out(0),
          asLabels(l, winningLabels(l, scores, labels->numbers), *labels));
  return setScores(l, n, scores);
}

void onnxc::addLinearModels(LoweringTable &table) {
  table.onOp("ml.LinearRegressor", lowerLinearRegressor);
  table.onOp("ml.LinearClassifier", lowerLinearClassifier);
}
