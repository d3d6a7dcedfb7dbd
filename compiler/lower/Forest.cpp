//===- Forest.cpp - Decision trees as tables ------------------------------===//

#include "compiler/lower/Forest.h"
#include "compiler/lower/Scalars.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/MapVector.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

std::optional<SmallVector<double>> onnxc::realList(OnnxNode n, StringRef name) {
  if (auto list = n.reals(name); list && !list->empty())
    return list;
  Attribute given = n.op->getAttr((name + "_as_tensor").str());
  if (!given)
    return SmallVector<double>();
  auto tensor = dyn_cast<DenseElementsAttr>(given);
  if (!tensor || !isa<FloatType>(tensor.getElementType()))
    return std::nullopt;
  SmallVector<double> result;
  for (APFloat value : tensor.getValues<APFloat>()) {
    bool inexact;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven,
                  &inexact);
    result.push_back(value.convertToDouble());
  }
  return result;
}

bool Forest::alwaysReaches(int32_t wanted) const {
  auto scores = [&](int32_t leaf) {
    for (int32_t i = leafBegin[leaf]; i < leafBegin[leaf + 1]; ++i)
      if (target[i] == wanted)
        return true;
    return false;
  };
  return llvm::any_of(roots, [&](int32_t root) {
    SmallVector<int32_t> open{root};
    while (!open.empty()) {
      int32_t at = open.pop_back_val();
      if (at < 0 && !scores(~at))
        return false;
      if (at >= 0)
        open.append({below[at], above[at]});
    }
    return true;
  });
}

//===----------------------------------------------------------------------===//
// From attributes
//===----------------------------------------------------------------------===//

/// The greatest number of a type that is not above `bound`, or below it.
static double floorTo(double bound, bool isFloat, bool strictly) {
  if (!isFloat)
    return strictly ? std::nextafter(bound, -INFINITY) : bound;
  auto value = static_cast<float>(bound);
  if (static_cast<double>(value) > bound ||
      (strictly && static_cast<double>(value) >= bound))
    value = std::nextafterf(value, -INFINITY);
  return static_cast<double>(value);
}

namespace {
class ForestReader {
public:
  ForestReader(Lowering &l, OnnxNode n, StringRef leaves, bool isFloat,
               int64_t features, int64_t targets)
      : l(l), n(n), leaves(leaves), isFloat(isFloat), features(features),
        targets(targets) {}

  std::optional<Forest> read();

private:
  using Place = std::pair<int64_t, int64_t>; // tree, node

  bool readLists();
  bool readLeaves();
  /// The reference to node `i` and, below it, all its tree.
  std::optional<int32_t> addTree(size_t root);
  int32_t leaf(size_t i);
  bool hasChild(size_t i, int64_t node);
  int32_t compare(size_t i, double threshold);
  bool refuse(const Twine &reason) {
    (void)l.refuse(reason);
    return false;
  }
  std::string name(size_t i) {
    return ("node " + Twine(nodes[i]) + " of tree " + Twine(trees[i])).str();
  }

  Lowering &l;
  OnnxNode n;
  StringRef leaves;
  bool isFloat;
  int64_t features, targets;
  SmallVector<int64_t> trees, nodes, featureIds, whenTrue, whenFalse, tracks;
  SmallVector<double> values;
  SmallVector<StringRef> modes;
  DenseMap<Place, size_t> places;
  SmallVector<SmallVector<std::pair<int32_t, double>>> weightsOf;
  size_t reached = 0; // nodes, in all trees
  Forest forest;
};
} // namespace

bool ForestReader::readLists() {
  auto take = [&](StringRef name, SmallVector<int64_t> &list) {
    if (auto given = n.integers(name))
      list = *given;
  };
  take("nodes_treeids", trees);
  take("nodes_nodeids", nodes);
  take("nodes_featureids", featureIds);
  take("nodes_truenodeids", whenTrue);
  take("nodes_falsenodeids", whenFalse);
  take("nodes_missing_value_tracks_true", tracks);
  auto thresholds = realList(n, "nodes_values");
  if (!thresholds)
    return refuse("nodes_values_as_tensor is no list of numbers");
  values = *thresholds;
  if (auto list = n.op->getAttrOfType<ArrayAttr>("nodes_modes"))
    for (Attribute mode : list)
      modes.push_back(cast<StringAttr>(mode).getValue());
  size_t count = trees.size();
  tracks.resize(tracks.empty() ? count : tracks.size(), 0);
  for (size_t size :
       {nodes.size(), featureIds.size(), whenTrue.size(), whenFalse.size(),
        tracks.size(), values.size(), modes.size()})
    if (!count || size != count)
      return refuse("the lists of nodes are empty or of different lengths");
  for (size_t i = 0; i < count; ++i)
    if (!places.try_emplace({trees[i], nodes[i]}, i).second)
      return refuse(name(i) + " is given twice");
  return true;
}

bool ForestReader::readLeaves() {
  auto list = [&](StringRef what) {
    return n.integers((leaves + what).str()).value_or(SmallVector<int64_t>());
  };
  SmallVector<int64_t> ofTree = list("_treeids"), ofNode = list("_nodeids"),
                       ids = list("_ids");
  auto weights = realList(n, (leaves + "_weights").str());
  if (!weights || ofTree.size() != ofNode.size() ||
      ofTree.size() != ids.size() || ofTree.size() != weights->size())
    return refuse("the lists of " + leaves + " weights differ in length");
  weightsOf.resize(trees.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    auto place = places.find({ofTree[i], ofNode[i]});
    if (place == places.end() || modes[place->second] != "LEAF")
      return refuse("a weight belongs to node " + Twine(ofNode[i]) +
                    " of tree " + Twine(ofTree[i]) + ", which is no leaf");
    if (ids[i] < 0 || ids[i] >= targets)
      return refuse("a weight is for " + leaves + " " + Twine(ids[i]) + " of " +
                    Twine(targets));
    weightsOf[place->second].push_back(
        {static_cast<int32_t>(ids[i]), (*weights)[i]});
  }
  return true;
}

int32_t ForestReader::leaf(size_t i) {
  auto index = static_cast<int32_t>(forest.leafBegin.size() - 1);
  for (auto [target, weight] : weightsOf[i]) {
    forest.target.push_back(target);
    forest.weight.push_back(weight);
  }
  forest.leafBegin.push_back(static_cast<int32_t>(forest.target.size()));
  return ~index;
}

bool ForestReader::hasChild(size_t i, int64_t node) {
  return places.contains({trees[i], node}) ||
         refuse(name(i) + " names node " + Twine(node) +
                ", which does not exist");
}

int32_t ForestReader::compare(size_t i, double threshold) {
  forest.feature.push_back(static_cast<int32_t>(featureIds[i]));
  forest.threshold.push_back(threshold);
  forest.below.push_back(0);
  forest.above.push_back(0);
  forest.missing.push_back(0);
  return static_cast<int32_t>(forest.feature.size() - 1);
}

/// Without recursion: a tree may be a chain of a million nodes.
std::optional<int32_t> ForestReader::addTree(size_t root) {
  DenseMap<size_t, int32_t> done; // the reference to a node
  SmallVector<size_t> order, open{root};
  llvm::DenseSet<size_t> seen{root};
  while (!open.empty()) {
    size_t i = open.pop_back_val();
    order.push_back(i);
    if (modes[i] == "LEAF")
      continue;
    if (featureIds[i] < 0 || featureIds[i] >= features) {
      refuse(name(i) + " compares feature " + Twine(featureIds[i]) + " of " +
             Twine(features));
      return std::nullopt;
    }
    if (std::isnan(values[i])) {
      refuse(name(i) + " compares with NaN");
      return std::nullopt;
    }
    for (int64_t node : {whenTrue[i], whenFalse[i]}) {
      size_t next = places[{trees[i], node}];
      if (!seen.insert(next).second) {
        refuse(name(next) + " is reached in two ways: that is no tree");
        return std::nullopt;
      }
      open.push_back(next);
    }
  }
  reached += order.size();
  for (size_t i : llvm::reverse(order)) {
    if (modes[i] == "LEAF") {
      done[i] = leaf(i);
      continue;
    }
    int32_t yes = done[places[{trees[i], whenTrue[i]}]];
    int32_t no = done[places[{trees[i], whenFalse[i]}]];
    StringRef mode = modes[i];
    bool strict = mode == "BRANCH_LT" || mode == "BRANCH_GTE";
    int32_t at = compare(i, floorTo(values[i], isFloat, strict));
    // NaN differs from any value.
    forest.missing[at] = tracks[i] || mode == "BRANCH_NEQ" ? yes : no;
    auto branch = [&](int32_t node, int32_t below, int32_t above) {
      forest.below[node] = below;
      forest.above[node] = above;
    };
    if (mode == "BRANCH_LEQ" || mode == "BRANCH_LT") {
      branch(at, yes, no);
    } else if (mode == "BRANCH_GT" || mode == "BRANCH_GTE") {
      branch(at, no, yes);
    } else if (mode == "BRANCH_EQ" || mode == "BRANCH_NEQ") {
      // Equal: not above the value, and not below it.
      if (mode == "BRANCH_NEQ")
        std::swap(yes, no);
      int32_t second = compare(i, floorTo(values[i], isFloat, true));
      branch(second, no, yes);
      branch(at, second, no);
      forest.missing[second] = no; // never asked
    } else {
      refuse("mode '" + mode + "' is not supported yet");
      return std::nullopt;
    }
    done[i] = at;
  }
  return done[root];
}

std::optional<Forest> ForestReader::read() {
  if (!readLists() || !readLeaves())
    return std::nullopt;
  // The root of a tree is the node that none of the tree's nodes names.
  llvm::DenseSet<Place> named;
  for (size_t i = 0; i < trees.size(); ++i) {
    if (modes[i] == "LEAF")
      continue;
    for (int64_t node : {whenTrue[i], whenFalse[i]}) {
      if (!hasChild(i, node))
        return std::nullopt;
      named.insert({trees[i], node});
    }
  }
  llvm::MapVector<int64_t, SmallVector<size_t>> roots;
  for (size_t i = 0; i < trees.size(); ++i) {
    SmallVector<size_t> &ofTree = roots[trees[i]];
    if (!named.contains({trees[i], nodes[i]}))
      ofTree.push_back(i);
  }
  forest.leafBegin.push_back(0);
  for (auto &[tree, candidates] : roots) {
    if (candidates.size() != 1) {
      refuse("tree " + Twine(tree) + " has " + Twine(candidates.size()) +
             " roots");
      return std::nullopt;
    }
    std::optional<int32_t> root = addTree(candidates[0]);
    if (!root)
      return std::nullopt;
    forest.roots.push_back(*root);
  }
  if (reached != trees.size()) {
    refuse("some nodes name each other in a circle");
    return std::nullopt;
  }
  return std::move(forest);
}

std::optional<Forest> onnxc::readForest(Lowering &l, OnnxNode n,
                                        StringRef leaves, Type element,
                                        int64_t features, int64_t targets) {
  return ForestReader(l, n, leaves, element.isF32(), features, targets).read();
}

//===----------------------------------------------------------------------===//
// Walking
//===----------------------------------------------------------------------===//

namespace {
/// The tables as constant tensors, and reads of them.
struct Tables {
  Lowering &l;

  Value integers(ArrayRef<int32_t> values) {
    SmallVector<int32_t> list(values);
    if (list.empty()) // of which nothing is read
      list.push_back(0);
    return l.constantTensor(DenseElementsAttr::get(
        RankedTensorType::get({static_cast<int64_t>(list.size())},
                              l.b.getI32Type()),
        ArrayRef(list)));
  }
  Value reals(ArrayRef<double> values, Type element) {
    SmallVector<Attribute> list;
    for (double value : values)
      list.push_back(FloatAttr::get(element, value));
    if (list.empty())
      list.push_back(FloatAttr::get(element, 0.0));
    return l.constantTensor(DenseElementsAttr::get(
        RankedTensorType::get({static_cast<int64_t>(list.size())}, element),
        ArrayRef(list)));
  }
};
} // namespace

Value onnxc::sumOfLeaves(Lowering &l, Value samples, const Forest &forest,
                         int64_t targets) {
  Type element = cast<RankedTensorType>(samples.getType()).getElementType();
  Type i32 = l.b.getI32Type();
  Tables tables{l};
  Value feature = tables.integers(forest.feature);
  Value threshold = tables.reals(forest.threshold, element);
  Value below = tables.integers(forest.below);
  Value above = tables.integers(forest.above);
  Value missing = tables.integers(forest.missing);
  Value roots = tables.integers(forest.roots);
  Value leafBegin = tables.integers(forest.leafBegin);
  Value target = tables.integers(forest.target);
  Value weight = tables.reals(forest.weight, element);
  auto read = [&](OpBuilder &b, Value table, ValueRange at) -> Value {
    return tensor::ExtractOp::create(b, l.loc, table, at);
  };

  OpFoldResult count = l.sizes(samples)[0];
  Value sums =
      l.filled(element, {count, l.attr(targets)}, numberAttr(element, 0));
  Value zero = l.index(0), one = l.index(1);
  Value treeCount = l.index(static_cast<int64_t>(forest.roots.size()));
  auto rows = scf::ForOp::create(
      l.b, l.loc, zero, l.index(count), one, ValueRange{sums},
      [&](OpBuilder &b, Location loc, Value row, ValueRange state) {
        auto trees = scf::ForOp::create(
            b, loc, zero, treeCount, one, state,
            [&](OpBuilder &b, Location loc, Value tree, ValueRange state) {
              Value root = read(b, roots, tree);
              auto walk = scf::WhileOp::create(
                  b, loc, TypeRange{i32}, ValueRange{root},
                  [&](OpBuilder &b, Location loc, ValueRange at) {
                    Scalars s{b, loc};
                    Value isNode = s.compare(Comparison::GreaterOrEqual, at[0],
                                             s.integer(i32, 0), false);
                    scf::ConditionOp::create(b, loc, isNode, at);
                  },
                  [&](OpBuilder &b, Location loc, ValueRange at) {
                    Scalars s{b, loc};
                    Value node = s.toIndex(at[0]);
                    Value column = s.toIndex(read(b, feature, node));
                    Value x = read(b, samples, {row, column});
                    Value isBelow = s.compare(Comparison::LessOrEqual, x,
                                              read(b, threshold, node), false);
                    Value next = s.select(isBelow, read(b, below, node),
                                          read(b, above, node));
                    next = s.select(s.isNaN(x), read(b, missing, node), next);
                    scf::YieldOp::create(b, loc, next);
                  });
              Scalars s{b, loc};
              Value leaf =
                  s.toIndex(s.sub(s.integer(i32, -1), walk.getResult(0)));
              Value begin = s.toIndex(read(b, leafBegin, leaf));
              Value end = s.toIndex(read(b, leafBegin, s.add(leaf, one)));
              auto leaves = scf::ForOp::create(
                  b, loc, begin, end, one, state,
                  [&](OpBuilder &b, Location loc, Value i, ValueRange state) {
                    Scalars s{b, loc};
                    Value to = s.toIndex(read(b, target, i));
                    Value sum =
                        s.add(read(b, state[0], {row, to}), read(b, weight, i));
                    Value next = tensor::InsertOp::create(b, loc, sum, state[0],
                                                          ValueRange{row, to});
                    scf::YieldOp::create(b, loc, next);
                  });
              scf::YieldOp::create(b, loc, leaves.getResults());
            });
        scf::YieldOp::create(b, loc, trees.getResults());
      });
  return rows.getResult(0);
}
