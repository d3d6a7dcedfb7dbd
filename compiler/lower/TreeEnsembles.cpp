//===- TreeEnsembles.cpp - TreeEnsemble, and its -Regressor, -Classifier --===//

#include "compiler/lower/Forest.h"
#include "compiler/lower/Scalars.h"
#include "compiler/lower/Traditional.h"

#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// A model's trees, and what they sum up for each sample.
struct Ensemble {
  Forest forest;
  Value sums; ///< [N, targets] of f32, or of f64 where the samples are
};
} // namespace

/// `sums` with one constant for each column, or one for all, added.
static Value plus(Lowering &l, Value sums, ArrayRef<double> base) {
  if (base.empty())
    return sums;
  Type f32 = l.b.getF32Type();
  SmallVector<float> values(base.begin(), base.end());
  MLIRContext *context = l.b.getContext();
  AffineExpr column =
      base.size() == 1 ? l.b.getAffineConstantExpr(0) : l.b.getAffineDimExpr(1);
  return l.map(f32, l.sizes(sums),
               {{sums, AffineMap::getMultiDimIdentityMap(2, context)},
                {numbers(l, {static_cast<int64_t>(values.size())}, values),
                 AffineMap::get(2, 0, column, context)}},
               [&](OpBuilder &nested, ValueRange in) {
                 return Scalars{nested, l.loc}.add(in[0], in[1]);
               });
}

static std::optional<Ensemble>
evaluate(Lowering &l, OnnxNode n, std::optional<ForestLists> lists,
         int64_t targets,
         kernel::TreeAggregation aggregation = kernel::TreeAggregation::Sum) {
  if (!lists)
    return std::nullopt;
  Value x = n.in(0);
  Type f32 = l.b.getF32Type(), given = l.elementType(x);
  Type element = given.isF64() ? given : f32;
  int64_t rank = l.rank(x);
  int64_t features = rank > 0 ? l.staticDim(x, rank - 1) : 0;
  if (features < 0) {
    // As many as the trees compare, or more.
    features = 1;
    for (int64_t feature : lists->features)
      if (feature < INT32_MAX)
        features = std::max(features, feature + 1);
    l.requireAtLeast(l.dims(x).back(), features, "the number of features");
  }
  if (features > INT32_MAX / 2) {
    (void)l.refuse("there are too many features");
    return std::nullopt;
  }
  if (targets < 1 || targets > INT32_MAX) {
    (void)l.refuse("there are no targets, or too many");
    return std::nullopt;
  }
  std::optional<Forest> forest =
      readForest(l, std::move(*lists), element, features, targets);
  if (!forest)
    return std::nullopt;
  Value samples = featureMatrix(l, x, element);
  if (!samples)
    return std::nullopt;
  Value sums = aggregateLeaves(l, samples, *forest, targets, aggregation);
  if (!sums)
    return std::nullopt;
  return Ensemble{std::move(*forest), sums};
}

/// By the number of trees.
static Value averaged(Lowering &l, const Ensemble &ensemble) {
  auto trees = static_cast<double>(ensemble.forest.roots.size());
  Type type = cast<RankedTensorType>(ensemble.sums.getType()).getElementType();
  return l.mapSame(type, {ensemble.sums},
                   [&](OpBuilder &nested, ValueRange in) {
                     Scalars s{nested, l.loc};
                     return s.div(in[0], s.constant(type, trees), false);
                   });
}

static Value inSingle(Lowering &l, Value tensor) {
  return l.convert(tensor,
                   cast<RankedTensorType>(tensor.getType()).getElementType(),
                   l.b.getF32Type());
}

static std::optional<kernel::TreeAggregation> aggregationNamed(StringRef name) {
  return llvm::StringSwitch<std::optional<kernel::TreeAggregation>>(name)
      .Cases({"SUM", "AVERAGE"}, kernel::TreeAggregation::Sum)
      .Case("MIN", kernel::TreeAggregation::Least)
      .Case("MAX", kernel::TreeAggregation::Greatest)
      .Default(std::nullopt);
}

/// TreeEnsemble names by number what the older operators spell out.
static LogicalResult lowerTreeEnsemble(Lowering &l, OnnxNode n) {
  static constexpr StringRef aggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  static constexpr StringRef transforms[] = {"NONE", "SOFTMAX", "LOGISTIC",
                                             "SOFTMAX_ZERO", "PROBIT"};
  int64_t aggregate = n.integer("aggregate_function", 1);
  int64_t transform = n.integer("post_transform", 0);
  if (aggregate < 0 || aggregate > 3 || transform < 0 || transform > 4)
    return l.refuse("there is no such aggregate_function or post_transform");
  std::optional<Ensemble> ensemble =
      evaluate(l, n, readTreeEnsembleLists(l, n), n.integer("n_targets", 1),
               *aggregationNamed(aggregates[aggregate]));
  if (!ensemble)
    return failure();
  Value scores = aggregates[aggregate] == "AVERAGE" ? averaged(l, *ensemble)
                                                    : ensemble->sums;
  if (transforms[transform] != "NONE") {
    scores = postTransform(l, inSingle(l, scores), transforms[transform]);
    if (!scores)
      return failure();
  }
  Type own = cast<RankedTensorType>(scores.getType()).getElementType();
  l.set(n.out(), l.convert(scores, own, l.elementType(n.out())));
  return success();
}

static LogicalResult lowerRegressor(Lowering &l, OnnxNode n) {
  int64_t targets = n.integer("n_targets", 1);
  StringRef aggregate = n.string("aggregate_function", "SUM");
  StringRef transform = n.string("post_transform", "NONE");
  auto base = realList(n, "base_values");
  auto aggregation = aggregationNamed(aggregate);
  if (!aggregation)
    return l.refuse("there is no aggregate_function '" + aggregate + "'");
  // ONNX Runtime leaves it out, which the standard does not say.
  if (transform != "NONE" && targets == 1)
    return l.refuse("post_transform '" + transform +
                    "' of one target is not supported yet");
  if (!base ||
      (!base->empty() && static_cast<int64_t>(base->size()) != targets))
    return l.refuse("there must be a base value for each target");
  std::optional<Ensemble> ensemble =
      evaluate(l, n, readForestLists(l, n, "target"), targets, *aggregation);
  if (!ensemble)
    return failure();
  Value sums = aggregate == "AVERAGE" ? averaged(l, *ensemble) : ensemble->sums;
  sums = postTransform(l, plus(l, inSingle(l, sums), *base), transform);
  if (!sums)
    return failure();
  l.set(n.out(), sums);
  return success();
}

//===----------------------------------------------------------------------===//
// Classes
//===----------------------------------------------------------------------===//

/// Where all weights are for one of two classes the standard is silent: as in
/// ONNX Runtime the second wins when the score is above 0, or above 0.5 where
/// no weight is negative.
static LogicalResult lowerClassifier(Lowering &l, OnnxNode n) {
  auto labels = classLabels(l, n, "classlabels_int64s");
  StringRef transform = n.string("post_transform", "NONE");
  auto base = realList(n, "base_values");
  if (!labels)
    return failure();
  if (labels->size() < 2)
    return l.refuse("fewer than two class labels are not supported yet");
  auto classes = static_cast<int64_t>(labels->size());
  std::optional<Ensemble> ensemble =
      evaluate(l, n, readForestLists(l, n, "class"), classes);
  if (!ensemble)
    return failure();
  const Forest &forest = ensemble->forest;
  llvm::SmallSet<int32_t, 4> scored;
  scored.insert(forest.target.begin(), forest.target.end());
  bool isOneScore = classes == 2 && scored.size() == 1;
  bool isSecond = isOneScore && scored.contains(1);
  size_t wanted = isOneScore ? 1 : labels->size();
  if (!base || (!base->empty() && (base->size() != wanted || isSecond ||
                                   (classes == 2 && !isOneScore))))
    return l.refuse("these base values are not supported yet");
  // A class that none of a sample's leaves has a weight for has the score 0.
  // The second of two, alone with weights, is none that could be told from 0.
  if (isSecond && !forest.alwaysReaches(1))
    return l.refuse("that some sample has no score for class 1, the only one "
                    "with weights, is not supported yet");

  bool isProbability = isOneScore && llvm::all_of(forest.weight, [](double w) {
                         return w >= 0;
                       });
  Value scores = plus(l, inSingle(l, ensemble->sums), *base);
  if (n.out(0))
    l.set(n.out(0),
          asLabels(l,
                   isOneScore
                       ? labelsAbove(l, scores, isSecond ? 1 : 0,
                                     isProbability ? 0.5 : 0, labels->numbers)
                       : winningLabels(l, scores, labels->numbers),
                   *labels));
  if (!n.out(1))
    return success();
  if (isOneScore && !isSecond) {
    if (transform == "PROBIT")
      return l.refuse("post_transform 'PROBIT' of one score is not supported "
                      "yet");
    scores = bothScores(l, scores, transform == "LOGISTIC", isProbability);
  } else {
    scores = postTransform(l, scores, transform);
    if (!scores)
      return failure();
  }
  l.set(n.out(1), scores);
  return success();
}

void onnxc::addTreeEnsembles(LoweringTable &table) {
  table.onOp("ml.TreeEnsemble", lowerTreeEnsemble);
  table.onOp("ml.TreeEnsembleRegressor", lowerRegressor);
  table.onOp("ml.TreeEnsembleClassifier", lowerClassifier);
}
