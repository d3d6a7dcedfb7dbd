//===- Forest.cpp - Decision trees from the attributes of a node ----------===//

#include "compiler/lower/Forest.h"
#include "dialects/onnx/Elements.h"

#include "llvm/ADT/MapVector.h"

#include <cmath>
#include <map>

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
  /// The reference to node `root` and, below it, all its tree. A node may have
  /// several others that name it: each gets one of its own.
  std::optional<int32_t> addTree(size_t root);
  bool separate(int32_t root);
  int32_t copyOf(int32_t reference);
  int32_t leaf(size_t i);
  bool hasChild(size_t i, int64_t node);
  int32_t compare(size_t i, double threshold, bool missingAbove);
  int32_t isIn(size_t i, ArrayRef<double> members, bool isMissing);
  /// The node for list element `i`, with the nodes below and above it; nullopt
  /// when there is no such mode.
  std::optional<int32_t> branch(size_t i, int32_t yes, int32_t no);
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
  size_t reached = 0;                          // nodes, in all trees
  std::map<std::vector<double>, int32_t> sets; // to their places in the forest
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

int32_t ForestReader::compare(size_t i, double threshold, bool missingAbove) {
  forest.feature.push_back(static_cast<int32_t>(lists.features[i]));
  forest.threshold.push_back(threshold);
  forest.missingAbove.push_back(missingAbove);
  forest.set.push_back(-1);
  forest.below.push_back(0);
  forest.above.push_back(0);
  return static_cast<int32_t>(forest.feature.size() - 1);
}

/// A node that goes above where the feature is one of `members`.
int32_t ForestReader::isIn(size_t i, ArrayRef<double> members, bool isMissing) {
  SmallVector<double> set;
  for (double member : members)
    if (!isFloat || static_cast<double>(static_cast<float>(member)) == member)
      set.push_back(member);
  auto [known, isNew] =
      sets.try_emplace(std::vector<double>(set.begin(), set.end()),
                       static_cast<int32_t>(forest.sets.size()));
  if (isNew)
    forest.sets.push_back(set);
  int32_t at = compare(i, 0.5, isMissing);
  forest.set[at] = known->second;
  return at;
}

std::optional<int32_t> ForestReader::branch(size_t i, int32_t yes, int32_t no) {
  StringRef mode = lists.modes[i];
  double value = lists.values[i];
  bool tracks = lists.tracks[i];
  bool isStrict = mode == "BRANCH_LT" || mode == "BRANCH_GTE";
  bool isLess = mode == "BRANCH_LEQ" || mode == "BRANCH_LT";
  int32_t at;
  if (isLess || mode == "BRANCH_GT" || mode == "BRANCH_GTE") {
    // Where a feature that is less goes, where others, and whether NaN is one
    // of those.
    int32_t below = isLess ? yes : no, above = isLess ? no : yes;
    bool missingAbove = isLess != tracks;
    if (isStrict && value == -INFINITY) {
      // Nothing is less: only NaN may go there.
      at = isIn(i, {}, !missingAbove);
      std::swap(below, above);
    } else {
      at = compare(i, floorTo(value, isFloat, isStrict), missingAbove);
    }
    forest.below[at] = below;
    forest.above[at] = above;
    return at;
  }
  if (mode == "BRANCH_NEQ") {
    at = isIn(i, value, false); // NaN differs from any value.
    std::swap(yes, no);
  } else if (mode == "BRANCH_EQ") {
    // LightGBM's sets come as chains of these: one node for each chain.
    if (no >= 0 && forest.set[no] >= 0 && forest.above[no] == yes &&
        forest.feature[no] == lists.features[i]) {
      SmallVector<double> set = forest.sets[forest.set[no]];
      set.push_back(value);
      tracks |= forest.missingAbove[no];
      no = forest.below[no];
      at = isIn(i, set, tracks);
    } else {
      at = isIn(i, value, tracks);
    }
  } else if (mode == "BRANCH_MEMBER") {
    at = isIn(i, lists.members.lookup(i), tracks);
  } else {
    refuse("mode '" + mode + "' is not supported yet");
    return std::nullopt;
  }
  forest.below[at] = no;
  forest.above[at] = yes;
  return at;
}

/// Without recursion: a tree may be a chain of a million nodes.
std::optional<int32_t> ForestReader::addTree(size_t root) {
  DenseMap<size_t, int32_t> done; // the reference to a node
  llvm::DenseSet<size_t> above;   // those that the walk stands below
  SmallVector<std::pair<size_t, bool>> open{{root, false}};
  while (!open.empty()) {
    auto [i, isComplete] = open.pop_back_val();
    if (isComplete) {
      int32_t yes = done[places[{lists.trees[i], lists.whenTrue[i]}]];
      int32_t no = done[places[{lists.trees[i], lists.whenFalse[i]}]];
      std::optional<int32_t> at = branch(i, yes, no);
      if (!at)
        return std::nullopt;
      done[i] = *at;
      above.erase(i);
      continue;
    }
    if (done.contains(i))
      continue;
    if (lists.modes[i] == "LEAF") {
      done[i] = leaf(i);
      continue;
    }
    if (lists.features[i] < 0 || lists.features[i] >= features) {
      refuse(name(i) + " compares feature " + Twine(lists.features[i]) +
             " of " + Twine(features));
      return std::nullopt;
    }
    if (std::isnan(lists.values[i])) {
      refuse(name(i) + " compares with NaN");
      return std::nullopt;
    }
    above.insert(i);
    open.push_back({i, true});
    for (int64_t node : {lists.whenTrue[i], lists.whenFalse[i]}) {
      size_t next = places[{lists.trees[i], node}];
      if (above.contains(next)) {
        refuse("some nodes name each other in a circle");
        return std::nullopt;
      }
      open.push_back({next, false});
    }
  }
  reached += done.size();
  int32_t reference = done[root];
  if (!separate(reference))
    return std::nullopt;
  return reference;
}

int32_t ForestReader::copyOf(int32_t reference) {
  if (reference >= 0) {
    for (auto *list :
         {&forest.feature, &forest.set, &forest.below, &forest.above})
      list->push_back(int32_t((*list)[reference]));
    forest.threshold.push_back(double(forest.threshold[reference]));
    forest.missingAbove.push_back(bool(forest.missingAbove[reference]));
    return static_cast<int32_t>(forest.feature.size() - 1);
  }
  for (int32_t i = forest.leafBegin[~reference];
       i < forest.leafBegin[~reference + 1]; ++i) {
    forest.target.push_back(int32_t(forest.target[i]));
    forest.weight.push_back(double(forest.weight[i]));
  }
  forest.leafBegin.push_back(static_cast<int32_t>(forest.target.size()));
  return ~static_cast<int32_t>(forest.leafBegin.size() - 2);
}

bool ForestReader::separate(int32_t root) {
  constexpr int64_t mostCopies = 1 << 22; // of a tree
  int64_t copies = 0;
  llvm::DenseSet<int32_t> seen{root};
  SmallVector<int32_t> open{root};
  while (!open.empty()) {
    int32_t at = open.pop_back_val();
    if (at < 0)
      continue;
    for (auto *list : {&forest.below, &forest.above}) {
      int32_t next = (*list)[at];
      if (!seen.insert(next).second) {
        if (++copies > mostCopies)
          return refuse("too many paths lead to the same nodes");
        next = copyOf(next);
        (*list)[at] = next;
        seen.insert(next);
      }
      open.push_back(next);
    }
  }
  return true;
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
