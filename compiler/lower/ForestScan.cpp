//===- ForestScan.cpp - The tables of kernel.tree_scan --------------------===//

#include "compiler/lower/ForestTables.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace onnxc;

/// With more, a block's ranks leave the nearest cache.
static constexpr size_t mostScannedColumns = 256;
/// Of trees that are walked on: at most as many ends as a group has leaves.
static constexpr int64_t topLevels = 4;
static constexpr int64_t allLevels = std::numeric_limits<int64_t>::max();
static constexpr int64_t leavesInGroup = kernel::TreeScanOp::leavesInGroup;
static constexpr int64_t childrenOfCuts = kernel::TreeScanOp::cutsInNode + 1;

namespace {
/// The first levels of a tree.
struct Top {
  /// Leaves, and the nodes behind the last level, from below to above.
  SmallVector<int32_t> ends;
  SmallVector<int32_t> nodes; ///< each before those under it
  /// Of each the ends under it, [first, last).
  DenseMap<int32_t, std::pair<int64_t, int64_t>> under;
};
} // namespace

static Top topOf(const Forest &forest, const ForestTree &tree, int64_t levels) {
  Top top;
  SmallVector<std::pair<int32_t, int64_t>> open{{tree.root, 0}};
  while (!open.empty()) {
    auto [at, level] = open.pop_back_val();
    if (at < 0 || level == levels) {
      auto number = static_cast<int64_t>(top.ends.size());
      top.under[at] = {number, number + 1};
      top.ends.push_back(at);
      continue;
    }
    top.nodes.push_back(at);
    open.push_back({forest.above[at], level + 1});
    open.push_back({forest.below[at], level + 1});
  }
  for (int32_t at : llvm::reverse(top.nodes))
    top.under[at] = {top.under[forest.below[at]].first,
                     top.under[forest.above[at]].second};
  return top;
}

/// Of how many groups a node strikes out ends: those under the one below it.
static int64_t groupsTouched(std::pair<int64_t, int64_t> ends) {
  return (ends.second - 1) / leavesInGroup - ends.first / leavesInGroup + 1;
}

/// In nanoseconds a row, measured on AVX2 with trees of 31 to 256 leaves.
std::optional<int64_t> ForestTables::scannedLevels() const {
  if (columns.empty() || columns.size() > mostScannedColumns)
    return std::nullopt;
  double ranks = 0, walk = 0, whole = 0, top = 0;
  for (const SmallVector<double> &list : cuts) {
    if (list.size() > kernel::TreeScanOp::mostCuts)
      return std::nullopt;
    ranks += 1;
    for (size_t rest = list.size(); rest; rest /= childrenOfCuts)
      ranks += 1.2;
  }
  for (const ForestTree &tree : trees) {
    if (tree.order.size() > UINT16_MAX)
      return std::nullopt;
    auto depth = static_cast<double>(tree.depth);
    walk += 1.0 + 0.8 * std::max(depth - 3, 0.0);
    auto scan = [&](int64_t levels) {
      Top top = topOf(forest, tree, levels);
      double cost = 0.3;
      for (int32_t at : top.nodes)
        cost += 0.03 *
                static_cast<double>(groupsTouched(top.under[forest.below[at]]));
      return cost;
    };
    whole += scan(allLevels);
    top += scan(topLevels) + 0.4 + std::max(depth - topLevels, 0.0);
  }
  if (ranks + std::min(whole, top) >= walk)
    return std::nullopt;
  return whole <= top ? allLevels : topLevels;
}

/// `ascending` as nodes of `cutsInNode`, level by level. Cut i of the whole is
/// on the last level unless a whole number of subtrees is before it.
static void appendSearchTree(SmallVectorImpl<double> &cuts,
                             ArrayRef<double> ascending) {
  int64_t size = childrenOfCuts; // with one more
  while (size - 1 < static_cast<int64_t>(ascending.size()))
    size *= childrenOfCuts;
  size_t begin = cuts.size();
  cuts.append(size - 1, INFINITY);
  for (auto [i, cut] : llvm::enumerate(ascending)) {
    auto number = static_cast<int64_t>(i) + 1;
    int64_t level = size / childrenOfCuts; // nodes on it
    while (number % childrenOfCuts == 0) {
      number /= childrenOfCuts;
      level /= childrenOfCuts;
    }
    // Of `childrenOfCuts` numbers the node's cuts take all but the last.
    int64_t place = number - 1 - number / childrenOfCuts;
    cuts[begin + level - 1 + place] = cut;
  }
}

/// Collects the tables, tree by tree.
class ForestTables::ScanTables {
public:
  ScanTables(ForestTables &builder, int64_t levels)
      : builder(builder), forest(builder.forest), levels(levels) {}

  void add(const ForestTree &tree);
  SmallVector<Value> finish();

private:
  int64_t rankOf(int32_t node) const;
  void addUpdates(const Top &top);
  /// What is walked from the ends of `top` on; `leaves` tells their numbers.
  void addNodes(const Top &top, const Top &leaves);
  void addRow(std::vector<int16_t> &table, std::array<int64_t, 4> fields) {
    for (int64_t field : fields)
      table.push_back(static_cast<int16_t>(field));
  }

  ForestTables &builder;
  const Forest &forest;
  int64_t levels;
  std::vector<int16_t> updates, nodes;
  SmallVector<int32_t> groups, rows, ends;
  std::vector<double> weights; // by tree and leaf
};

/// How many cuts of its column are up to the node's threshold.
int64_t ForestTables::ScanTables::rankOf(int32_t node) const {
  const SmallVector<double> &list = builder.cuts[builder.columnOf[node]];
  return llvm::upper_bound(list, forest.threshold[node]) - list.begin();
}

void ForestTables::ScanTables::addUpdates(const Top &top) {
  auto count = static_cast<int64_t>(top.ends.size());
  SmallVector<SmallVector<std::pair<int32_t, uint16_t>>> byGroup(
      llvm::divideCeil(count, leavesInGroup));
  for (int32_t at : top.nodes) {
    auto [first, last] = top.under.lookup(forest.below[at]);
    for (int64_t group = first / leavesInGroup; group * leavesInGroup < last;
         ++group) {
      int64_t begin = std::max(first - group * leavesInGroup, int64_t(0));
      int64_t end = std::min(last - group * leavesInGroup, leavesInGroup);
      uint32_t struck = (1u << end) - (1u << begin);
      byGroup[group].push_back({at, static_cast<uint16_t>(~struck)});
    }
  }
  for (const auto &list : byGroup) {
    groups.push_back(static_cast<int32_t>(updates.size() / 4));
    for (auto [at, kept] : list)
      addRow(updates, {rankOf(at), kept, builder.columnOf[at], 0});
  }
}

void ForestTables::ScanTables::addNodes(const Top &top, const Top &leaves) {
  constexpr int64_t greatest = std::numeric_limits<int16_t>::max();
  // The ends, then pairs of siblings, level by level.
  auto first = static_cast<int64_t>(nodes.size() / 4);
  std::vector<int32_t> order(top.ends.begin(), top.ends.end());
  for (size_t i = 0; i < order.size(); ++i) {
    int32_t at = order[i];
    if (at < 0) {
      addRow(nodes, {greatest, 0, 0, leaves.under.lookup(at).first});
      continue;
    }
    auto distance = static_cast<int64_t>(order.size() - i);
    addRow(nodes, {rankOf(at) - 1, builder.columnOf[at], distance, 0});
    order.insert(order.end(), {forest.below[at], forest.above[at]});
  }
  for (int64_t i = 0; i < leavesInGroup; ++i)
    ends.push_back(static_cast<int32_t>(
        first + std::min<int64_t>(i, top.ends.size() - 1)));
}

void ForestTables::ScanTables::add(const ForestTree &tree) {
  Top leaves = topOf(forest, tree, allLevels);
  rows.push_back(static_cast<int32_t>(groups.size()));
  rows.push_back(static_cast<int32_t>(weights.size()));
  rows.push_back(builder.targetOf[~leaves.ends.front()]);
  rows.push_back(
      static_cast<int32_t>(std::max<int64_t>(tree.depth - levels, 0)));
  for (int32_t leaf : leaves.ends) {
    auto *own = &builder.weights[~leaf * builder.width];
    weights.insert(weights.end(), own, own + builder.width);
  }
  if (levels == allLevels)
    return addUpdates(leaves);
  Top top = topOf(forest, tree, levels);
  addUpdates(top);
  addNodes(top, leaves);
}

SmallVector<Value> ForestTables::ScanTables::finish() {
  SmallVector<double> searchTrees;
  SmallVector<int32_t> cutBegins{0};
  for (const SmallVector<double> &list : builder.cuts) {
    appendSearchTree(searchTrees, list);
    cutBegins.push_back(static_cast<int32_t>(searchTrees.size()));
  }
  if (updates.empty()) // trees of one leaf each
    updates.resize(4, 0);
  rows.append({static_cast<int32_t>(groups.size()), 0, 0, 0});
  groups.push_back(static_cast<int32_t>(updates.size() / 4));
  Type i16 = builder.l.b.getI16Type();
  SmallVector<Value> tables{builder.reals(searchTrees),
                            builder.integers(cutBegins),
                            builder.table(ArrayRef<int16_t>(updates), 4, i16),
                            builder.integers(groups),
                            builder.integers(rows, 4),
                            builder.reals(weights)};
  if (levels == allLevels)
    tables.append(2, Value());
  else
    tables.append({builder.integers(ends),
                   builder.table(ArrayRef<int16_t>(nodes), 4, i16)});
  return tables;
}

SmallVector<Value> ForestTables::scanTables(int64_t levels) {
  ScanTables tables(*this, levels);
  for (const ForestTree &tree : trees)
    tables.add(tree);
  return tables.finish();
}
