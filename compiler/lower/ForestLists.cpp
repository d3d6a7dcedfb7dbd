//===- ForestLists.cpp - The attributes that list a model's trees ---------===//

#include "compiler/lower/Forest.h"
#include "dialects/onnx/Elements.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

static SmallVector<int64_t> integerList(OnnxNode n, const Twine &name) {
  return n.integers(name.str()).value_or(SmallVector<int64_t>());
}

std::optional<ForestLists> onnxc::readForestLists(Lowering &l, OnnxNode n,
                                                  StringRef leaves) {
  ForestLists lists;
  lists.trees = integerList(n, "nodes_treeids");
  lists.nodes = integerList(n, "nodes_nodeids");
  lists.features = integerList(n, "nodes_featureids");
  lists.whenTrue = integerList(n, "nodes_truenodeids");
  lists.whenFalse = integerList(n, "nodes_falsenodeids");
  lists.tracks = integerList(n, "nodes_missing_value_tracks_true");
  if (lists.tracks.empty())
    lists.tracks.resize(lists.trees.size(), 0);
  auto values = realList(n, "nodes_values");
  auto weights = realList(n, (leaves + "_weights").str());
  if (!values || !weights) {
    (void)l.refuse("nodes_values_as_tensor or " + leaves +
                   "_weights_as_tensor is no list of numbers");
    return std::nullopt;
  }
  lists.values = *values;
  lists.weights = *weights;
  if (auto modes = n.op->getAttrOfType<ArrayAttr>("nodes_modes"))
    for (Attribute mode : modes)
      lists.modes.push_back(cast<StringAttr>(mode).getValue());
  lists.weightTrees = integerList(n, leaves + "_treeids");
  lists.weightNodes = integerList(n, leaves + "_nodeids");
  lists.weightTargets = integerList(n, leaves + "_ids");
  return lists;
}

namespace {
/// Reads version 5's lists, where nodes and leaves are numbered apart and trees
/// are what can be reached from `tree_roots`.
class TreeEnsembleReader {
public:
  TreeEnsembleReader(Lowering &l, OnnxNode n) : l(l), n(n) {}
  std::optional<ForestLists> read();

private:
  bool readAttributes();
  bool readMembers();
  bool addTree(int64_t tree, int64_t root);
  bool refuse(const Twine &reason) {
    (void)l.refuse(reason);
    return false;
  }

  Lowering &l;
  OnnxNode n;
  SmallVector<int64_t> features, modes, whenTrue, whenFalse, trueLeafs,
      falseLeafs, tracks, leafTargets, roots;
  SmallVector<double> splits, leafWeights;
  DenseMap<int64_t, SmallVector<double>> members; ///< by node
  ForestLists lists;
};
} // namespace

static constexpr StringRef branchModes[] = {
    "BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE",   "BRANCH_GT",
    "BRANCH_EQ",  "BRANCH_NEQ", "BRANCH_MEMBER"};
static constexpr int64_t memberMode = 6;

bool TreeEnsembleReader::readAttributes() {
  features = integerList(n, "nodes_featureids");
  whenTrue = integerList(n, "nodes_truenodeids");
  whenFalse = integerList(n, "nodes_falsenodeids");
  trueLeafs = integerList(n, "nodes_trueleafs");
  falseLeafs = integerList(n, "nodes_falseleafs");
  tracks = integerList(n, "nodes_missing_value_tracks_true");
  if (tracks.empty())
    tracks.resize(features.size(), 0);
  leafTargets = integerList(n, "leaf_targetids");
  roots = integerList(n, "tree_roots");
  auto reals = [&](StringRef name) {
    auto given = n.op->getAttrOfType<ElementsAttr>(name);
    return given ? floatValues(given) : std::nullopt;
  };
  auto splitValues = reals("nodes_splits"), weights = reals("leaf_weights");
  auto modeList = n.op->getAttrOfType<ElementsAttr>("nodes_modes");
  auto modeValues = modeList ? integerValues(modeList) : std::nullopt;
  if (!splitValues || !weights || !modeValues)
    return refuse("nodes_splits, nodes_modes or leaf_weights is no tensor of "
                  "numbers");
  splits = *splitValues;
  leafWeights = *weights;
  modes = *modeValues;
  for (size_t size :
       {whenTrue.size(), whenFalse.size(), trueLeafs.size(), falseLeafs.size(),
        tracks.size(), splits.size(), modes.size()})
    if (size != features.size())
      return refuse("the lists of nodes differ in length");
  if (leafTargets.size() != leafWeights.size())
    return refuse("the lists of leaves differ in length");
  for (int64_t mode : modes)
    if (mode < 0 || mode > memberMode)
      return refuse("there is no mode " + Twine(mode));
  return readMembers();
}

/// The members of each set, in the order of the nodes, end with a NaN.
bool TreeEnsembleReader::readMembers() {
  SmallVector<double> values;
  if (auto given = n.op->getAttrOfType<ElementsAttr>("membership_values")) {
    auto list = floatValues(given);
    if (!list)
      return refuse("membership_values is no tensor of numbers");
    values = *list;
  }
  size_t next = 0;
  for (auto [node, mode] : llvm::enumerate(modes)) {
    if (mode != memberMode)
      continue;
    SmallVector<double> &set = members[static_cast<int64_t>(node)];
    for (; next < values.size() && !std::isnan(values[next]); ++next)
      set.push_back(values[next]);
    if (next++ >= values.size())
      return refuse("membership_values end before the nodes that need them");
  }
  return next >= values.size() ||
         refuse("membership_values has values that no node needs");
}

/// Adds what can be reached from node `root`; leaves get numbers of their own.
bool TreeEnsembleReader::addTree(int64_t tree, int64_t root) {
  auto nodeCount = static_cast<int64_t>(features.size());
  auto leafCount = static_cast<int64_t>(leafTargets.size());
  int64_t nextLeaf = nodeCount;
  auto add = [&](int64_t node, int64_t feature, double value, StringRef mode,
                 int64_t track) {
    lists.trees.push_back(tree);
    lists.nodes.push_back(node);
    lists.features.push_back(feature);
    lists.values.push_back(value);
    lists.modes.push_back(mode);
    lists.tracks.push_back(track);
    lists.whenTrue.push_back(0);
    lists.whenFalse.push_back(0);
  };
  SmallVector<int64_t> open{root};
  llvm::DenseSet<int64_t> seen;
  while (!open.empty()) {
    int64_t node = open.pop_back_val();
    if (node < 0 || node >= nodeCount)
      return refuse("there is no node " + Twine(node));
    if (!seen.insert(node).second)
      continue;
    size_t at = lists.nodes.size();
    // A set's node has no threshold.
    bool isSet = modes[node] == memberMode;
    add(node, features[node], isSet ? 0 : splits[node],
        branchModes[modes[node]], tracks[node]);
    if (isSet)
      lists.members[at] = members.lookup(node);
    auto child = [&](int64_t next, bool isLeaf) -> std::optional<int64_t> {
      if (!isLeaf) {
        open.push_back(next);
        return next;
      }
      if (next < 0 || next >= leafCount) {
        refuse("there is no leaf " + Twine(next));
        return std::nullopt;
      }
      add(nextLeaf, 0, 0, "LEAF", 0);
      lists.weightTrees.push_back(tree);
      lists.weightNodes.push_back(nextLeaf);
      lists.weightTargets.push_back(leafTargets[next]);
      lists.weights.push_back(leafWeights[next]);
      return nextLeaf++;
    };
    auto yes = child(whenTrue[node], trueLeafs[node] != 0);
    auto no = child(whenFalse[node], falseLeafs[node] != 0);
    if (!yes || !no)
      return false;
    lists.whenTrue[at] = *yes;
    lists.whenFalse[at] = *no;
  }
  return true;
}

std::optional<ForestLists> TreeEnsembleReader::read() {
  if (!readAttributes())
    return std::nullopt;
  for (auto [tree, root] : llvm::enumerate(roots))
    if (!addTree(static_cast<int64_t>(tree), root))
      return std::nullopt;
  return std::move(lists);
}

std::optional<ForestLists> onnxc::readTreeEnsembleLists(Lowering &l,
                                                        OnnxNode n) {
  return TreeEnsembleReader(l, n).read();
}
