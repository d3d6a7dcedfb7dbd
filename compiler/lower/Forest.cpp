//===- Forest.cpp - Decision trees as tables ------------------------------===//

#include "compiler/lower/Forest.h"
#include "compiler/lower/Scalars.h"
#include "dialects/onnx/Elements.h"

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
  auto tensor = dyn_cast<ElementsAttr>(given);
  return tensor ? floatValues(tensor) : std::nullopt;
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
    llvm::DenseSet<int32_t> seen;
    while (!open.empty()) {
      int32_t at = open.pop_back_val();
      if (!seen.insert(at).second)
        continue;
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
  ForestReader(Lowering &l, ForestLists lists, bool isFloat, int64_t features,
               int64_t targets)
      : l(l), lists(std::move(lists)), isFloat(isFloat), features(features),
        targets(targets) {}

  std::optional<Forest> read();

private:
  using Place = std::pair<int64_t, int64_t>; // tree, node

  bool checkLists();
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
    return ("node " + Twine(lists.nodes[i]) + " of tree " +
            Twine(lists.trees[i]))
        .str();
  }

  Lowering &l;
  ForestLists lists;
  bool isFloat;
  int64_t features, targets;
  DenseMap<Place, size_t> places;
  SmallVector<SmallVector<std::pair<int32_t, double>>> weightsOf;
  size_t reached = 0; // nodes, in all trees
  Forest forest;
};
} // namespace

bool ForestReader::checkLists() {
  size_t count = lists.trees.size();
  for (size_t size :
       {lists.nodes.size(), lists.features.size(), lists.whenTrue.size(),
        lists.whenFalse.size(), lists.tracks.size(), lists.values.size(),
        lists.modes.size()})
    if (!count || size != count)
      return refuse("the lists of nodes are empty or of different lengths");
  for (size_t i = 0; i < count; ++i)
    if (!places.try_emplace({lists.trees[i], lists.nodes[i]}, i).second)
      return refuse(name(i) + " is given twice");
  return true;
}

bool ForestReader::readLeaves() {
  size_t count = lists.weights.size();
  if (count != lists.weightTrees.size() || count != lists.weightNodes.size() ||
      count != lists.weightTargets.size())
    return refuse("the lists of weights differ in length");
  weightsOf.resize(lists.trees.size());
  for (size_t i = 0; i < count; ++i) {
    auto place = places.find({lists.weightTrees[i], lists.weightNodes[i]});
    if (place == places.end() || lists.modes[place->second] != "LEAF")
      return refuse("a weight belongs to node " + Twine(lists.weightNodes[i]) +
                    " of tree " + Twine(lists.weightTrees[i]) +
                    ", which is no leaf");
    int64_t target = lists.weightTargets[i];
    if (target < 0 || target >= targets)
      return refuse("a weight is for target " + Twine(target) + " of " +
                    Twine(targets));
    weightsOf[place->second].push_back(
        {static_cast<int32_t>(target), lists.weights[i]});
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
  return places.contains({lists.trees[i], node}) ||
         refuse(name(i) + " names node " + Twine(node) +
                ", which does not exist");
}

int32_t ForestReader::compare(size_t i, double threshold) {
  forest.feature.push_back(static_cast<int32_t>(lists.features[i]));
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
    if (lists.modes[i] == "LEAF")
      continue;
    if (lists.features[i] < 0 || lists.features[i] >= features) {
      refuse(name(i) + " compares feature " + Twine(lists.features[i]) +
             " of " + Twine(features));
      return std::nullopt;
    }
    if (std::isnan(lists.values[i])) {
      refuse(name(i) + " compares with NaN");
      return std::nullopt;
    }
    for (int64_t node : {lists.whenTrue[i], lists.whenFalse[i]}) {
      size_t next = places[{lists.trees[i], node}];
      if (!seen.insert(next).second) {
        refuse(name(next) + " is reached in two ways: that is no tree");
        return std::nullopt;
      }
      open.push_back(next);
    }
  }
  reached += order.size();
  for (size_t i : llvm::reverse(order)) {
    if (lists.modes[i] == "LEAF") {
      done[i] = leaf(i);
      continue;
    }
    int32_t yes = done[places[{lists.trees[i], lists.whenTrue[i]}]];
    int32_t no = done[places[{lists.trees[i], lists.whenFalse[i]}]];
    StringRef mode = lists.modes[i];
    bool strict = mode == "BRANCH_LT" || mode == "BRANCH_GTE";
    int32_t at = compare(i, floorTo(lists.values[i], isFloat, strict));
    // NaN differs from any value.
    forest.missing[at] = lists.tracks[i] || mode == "BRANCH_NEQ" ? yes : no;
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
      int32_t second = compare(i, floorTo(lists.values[i], isFloat, true));
      branch(second, no, yes);
      branch(at, second, no);
      forest.missing[second] = no; // never asked
    } else if (mode == "BRANCH_MEMBER") {
      // One comparison for equality after the other. The first decides on NaN.
      SmallVector<double> members = lists.members.lookup(i);
      int32_t rest = no;
      for (double member : members) {
        at = compare(i, floorTo(member, isFloat, false));
        int32_t second = compare(i, floorTo(member, isFloat, true));
        branch(second, rest, yes);
        branch(at, second, rest);
        forest.missing[second] = no; // never asked
        forest.missing[at] = lists.tracks[i] ? yes : no;
        rest = at;
      }
      if (members.empty())
        branch(at, no, no);
    } else {
      refuse("mode '" + mode + "' is not supported yet");
      return std::nullopt;
    }
    done[i] = at;
  }
  return done[root];
}

std::optional<Forest> ForestReader::read() {
  if (!checkLists() || !readLeaves())
    return std::nullopt;
  // The root of a tree is the node that none of the tree's nodes names.
  llvm::DenseSet<Place> named;
  for (size_t i = 0; i < lists.trees.size(); ++i) {
    if (lists.modes[i] == "LEAF")
      continue;
    for (int64_t node : {lists.whenTrue[i], lists.whenFalse[i]}) {
      if (!hasChild(i, node))
        return std::nullopt;
      named.insert({lists.trees[i], node});
    }
  }
  llvm::MapVector<int64_t, SmallVector<size_t>> roots;
  for (size_t i = 0; i < lists.trees.size(); ++i) {
    SmallVector<size_t> &ofTree = roots[lists.trees[i]];
    if (!named.contains({lists.trees[i], lists.nodes[i]}))
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
  if (reached != lists.trees.size()) {
    refuse("some nodes name each other in a circle");
    return std::nullopt;
  }
  return std::move(forest);
}

std::optional<Forest> onnxc::readForest(Lowering &l, ForestLists lists,
                                        Type element, int64_t features,
                                        int64_t targets) {
  return ForestReader(l, std::move(lists), element.isF32(), features, targets)
      .read();
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

/// What a target's number is before its first weight.
static TypedAttr startOf(Aggregation aggregation, Type element) {
  if (aggregation == Aggregation::Sum)
    return numberAttr(element, 0);
  return aggregation == Aggregation::Least ? highestValue(element, false)
                                           : lowestValue(element, false);
}

static Value aggregated(Scalars &s, Aggregation aggregation, Value x, Value y) {
  switch (aggregation) {
  case Aggregation::Sum:
    return s.add(x, y);
  case Aggregation::Least:
    return s.min(x, y, false);
  case Aggregation::Greatest:
    return s.max(x, y, false);
  }
  llvm_unreachable("all aggregations are above");
}

Value onnxc::aggregateLeaves(Lowering &l, Value samples, const Forest &forest,
                             int64_t targets, Aggregation aggregation) {
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
  Value sums = l.filled(element, {count, l.attr(targets)},
                        startOf(aggregation, element));
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
                        aggregated(s, aggregation, read(b, state[0], {row, to}),
                                   read(b, weight, i));
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
