//===- ForestTables.cpp - Decision trees as tables of the tree kernels ----===//
//
// kernel.tree_walk serves few rows and deep trees, kernel.tree_scan many rows
// of trees that are not too large. Where both may be wanted the number of rows
// decides at run time. They add up the trees in the same order, so a row's
// result is the same by either.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Forest.h"
#include "dialects/onnx/Elements.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/SwapByteOrder.h"

#include <cmath>
#include <limits>
#include <map>

using namespace mlir;
using namespace onnxc;

/// Fewer rows are faster one by one (measured on AVX2: 10 to 13).
static constexpr int64_t fewestScannedRows = 12;
/// With more, a block's ranks leave the nearest cache.
static constexpr size_t mostScannedColumns = 256;

namespace {

/// A column as in kernel.tree_walk: feature, whether NaN goes above, set.
using Column = std::tuple<int32_t, int32_t, int32_t>;

/// One tree: its nodes from the root on, each before those under it.
struct Tree {
  int32_t root;
  size_t number;              ///< in the model
  SmallVector<int32_t> order; ///< references, leaves too
  int64_t depth = 0;
};

class TableBuilder {
public:
  TableBuilder(Lowering &l, const Forest &forest, int64_t targets,
               kernel::TreeAggregation aggregation, Type element)
      : l(l), forest(forest), targets(targets), aggregation(aggregation),
        element(element) {}

  Value build(Value samples);

private:
  void findColumns();
  void findTrees();
  bool findWeights();
  bool scanPays() const;
  /// The operands of the two kernels, from `columns` to the last table.
  std::optional<SmallVector<Value>> walkTables();
  SmallVector<Value> scanTables();

  /// The leaves under each node of `tree`, by reference: [first, last).
  DenseMap<int32_t, std::pair<int64_t, int64_t>>
  countLeaves(const Tree &tree) const;
  /// Of a node, the leaves that it strikes out when a row goes above.
  static int64_t groupsTouched(std::pair<int64_t, int64_t> leaves) {
    return (leaves.second - 1) / leavesInGroup - leaves.first / leavesInGroup +
           1;
  }
  int64_t rankOf(int32_t node) const;

  template <typename T> Value table(ArrayRef<T> values, int64_t width, Type);
  Value integers(ArrayRef<int32_t> values, int64_t width = 0) {
    return table(values, width, l.b.getI32Type());
  }
  Value reals(ArrayRef<double> values);
  /// The bits of a number of `element`, in an order as of unsigned integers.
  uint64_t ordered(double value) const;
  uint64_t bits(double value) const {
    return element.isF64() ? llvm::bit_cast<uint64_t>(value)
                           : llvm::bit_cast<uint32_t>(float(value));
  }

  static constexpr int64_t walksAtATime = kernel::TreeWalkOp::walksAtATime;
  static constexpr int64_t leavesInGroup = kernel::TreeScanOp::leavesInGroup;

  Lowering &l;
  const Forest &forest;
  int64_t targets;
  kernel::TreeAggregation aggregation;
  Type element;

  llvm::MapVector<Column, int32_t> columns; ///< with their numbers
  SmallVector<int32_t> columnOf;            ///< by node
  SmallVector<SmallVector<double>> cuts;    ///< by column, ascending
  std::vector<Tree> trees;                  ///< by depth
  int64_t width = 1;
  SmallVector<int32_t> targetOf; ///< by leaf; 0 where `width` is all
  std::vector<double> weights;   ///< `width` for each leaf, then a neutral row
};

} // namespace

//===----------------------------------------------------------------------===//
// What both kernels need
//===----------------------------------------------------------------------===//

template <typename T>
Value TableBuilder::table(ArrayRef<T> values, int64_t width, Type type) {
  auto size = static_cast<int64_t>(values.size());
  SmallVector<int64_t> shape{size};
  if (width)
    shape = {size / width, width};
  auto tableType = RankedTensorType::get(shape, type);
  static_assert(llvm::sys::IsLittleEndianHost);
  const char *begin = reinterpret_cast<const char *>(values.data());
  ElementsAttr elements = makeElements(
      tableType, std::vector<char>(begin, begin + values.size() * sizeof(T)));
  return kernel::WeightOp::create(l.b, l.loc, tableType, elements, nullptr,
                                  nullptr, nullptr, nullptr, nullptr);
}

Value TableBuilder::reals(ArrayRef<double> values) {
  if (element.isF64())
    return table(values, 0, element);
  std::vector<float> singles(values.begin(), values.end());
  return table(ArrayRef<float>(singles), 0, element);
}

uint64_t TableBuilder::ordered(double value) const {
  uint64_t all = bits(value == 0 ? 0.0 : value); // -0 and 0 are equal
  uint64_t sign = uint64_t(1) << (element.isF64() ? 63 : 31);
  return all & sign ? ~all & (sign | (sign - 1)) : all | sign;
}

void TableBuilder::findColumns() {
  for (size_t i = 0; i < forest.feature.size(); ++i) {
    Column column(forest.feature[i], forest.missingAbove[i], forest.set[i]);
    auto number = static_cast<int32_t>(columns.size());
    columnOf.push_back(columns.try_emplace(column, number).first->second);
    cuts.resize(columns.size());
    cuts[columnOf[i]].push_back(forest.threshold[i]);
  }
  for (SmallVector<double> &list : cuts) {
    llvm::sort(list);
    list.erase(llvm::unique(list), list.end());
  }
}

void TableBuilder::findTrees() {
  for (int32_t root : forest.roots) {
    Tree tree{root, trees.size(), {}, 0};
    SmallVector<std::pair<int32_t, int64_t>> open{{root, 0}};
    while (!open.empty()) {
      auto [at, depth] = open.pop_back_val();
      tree.order.push_back(at);
      tree.depth = std::max(tree.depth, depth);
      if (at >= 0) {
        open.push_back({forest.above[at], depth + 1});
        open.push_back({forest.below[at], depth + 1});
      }
    }
    trees.push_back(std::move(tree));
  }
  llvm::sort(trees, [](const Tree &a, const Tree &b) {
    return std::pair(a.depth, a.number) < std::pair(b.depth, b.number);
  });
}

/// One weight a leaf where each tree is for one target; otherwise one for each
/// target.
bool TableBuilder::findWeights() {
  size_t leaves = forest.leafBegin.size() - 1;
  targetOf.assign(leaves, 0);
  for (const Tree &tree : trees) {
    int32_t only = -1;
    for (int32_t at : tree.order)
      if (at < 0)
        for (int32_t i = forest.leafBegin[~at]; i < forest.leafBegin[~at + 1];
             ++i) {
          if (only >= 0 && only != forest.target[i])
            width = targets;
          only = forest.target[i];
        }
    for (int32_t at : tree.order)
      if (at < 0)
        targetOf[~at] = std::max(only, 0);
  }
  if (width > 1)
    targetOf.assign(leaves, 0);
  if (width * static_cast<int64_t>(leaves + 1) > INT32_MAX)
    return false;
  bool isSum = aggregation == kernel::TreeAggregation::Sum;
  double neutral = isSum ? 0 : std::numeric_limits<double>::quiet_NaN();
  weights.assign(width * (leaves + 1), neutral);
  for (size_t leaf = 0; leaf < leaves; ++leaf)
    for (int32_t i = forest.leafBegin[leaf]; i < forest.leafBegin[leaf + 1];
         ++i) {
      double &sum = weights[leaf * width + (width > 1 ? forest.target[i] : 0)];
      if (isSum)
        sum += forest.weight[i];
      else if (aggregation == kernel::TreeAggregation::Least)
        sum = std::fmin(sum, forest.weight[i]);
      else
        sum = std::fmax(sum, forest.weight[i]);
    }
  return true;
}

//===----------------------------------------------------------------------===//
// kernel.tree_walk
//===----------------------------------------------------------------------===//

std::optional<SmallVector<Value>> TableBuilder::walkTables() {
  // Positions in the table, a pair of siblings side by side, level by level.
  std::vector<std::array<uint64_t, 3>> nodes; // word, column, distance
  SmallVector<int32_t> roots;
  bool hasList = width > 1;
  uint64_t farthest = columns.size();
  auto leafWord = [&](int64_t number) {
    return hasList ? static_cast<uint64_t>(number * width)
                   : bits(weights[number]);
  };
  int64_t filling = llvm::alignTo(trees.size(), walksAtATime) - trees.size();
  if (filling) {
    nodes.push_back({leafWord(forest.leafBegin.size() - 1), columns.size(), 0});
    for (int64_t i = 0; i < filling; ++i)
      roots.append({0, 0, 0});
  }
  for (const Tree &tree : trees) {
    auto root = static_cast<int64_t>(nodes.size());
    if (root > INT32_MAX - 2 * static_cast<int64_t>(tree.order.size()))
      return std::nullopt;
    SmallVector<int32_t> level{tree.root};
    nodes.emplace_back();
    size_t at = root; // of the first in `level`
    SmallVector<int32_t> next;
    for (; !level.empty(); level = std::exchange(next, {}))
      for (int32_t node : level) {
        if (node < 0) {
          nodes[at++] = {leafWord(~node), columns.size(), 0};
          continue;
        }
        uint64_t distance = nodes.size() - at;
        farthest = std::max(farthest, distance);
        nodes[at++] = {ordered(forest.threshold[node]),
                       static_cast<uint64_t>(columnOf[node]), distance};
        nodes.resize(nodes.size() + 2);
        next.append({forest.below[node], forest.above[node]});
      }
    int32_t target = 0;
    for (int32_t node : tree.order)
      if (node < 0)
        target = targetOf[~node];
    roots.append(
        {static_cast<int32_t>(root), static_cast<int32_t>(tree.depth), target});
  }

  Value table;
  if (element.isF32() && farthest <= UINT16_MAX) {
    std::vector<uint32_t> words;
    for (auto [word, column, distance] : nodes) {
      words.push_back(static_cast<uint32_t>(word));
      words.push_back(static_cast<uint32_t>(column | distance << 16));
    }
    table = this->table(ArrayRef<uint32_t>(words), 2, l.b.getI32Type());
  } else {
    std::vector<uint64_t> words;
    for (auto [word, column, distance] : nodes) {
      words.push_back(word);
      words.push_back(column | distance << 32);
    }
    table = this->table(ArrayRef<uint64_t>(words), 2, l.b.getI64Type());
  }
  return SmallVector<Value>{table, integers(roots, 3)};
}

//===----------------------------------------------------------------------===//
// kernel.tree_scan
//===----------------------------------------------------------------------===//

DenseMap<int32_t, std::pair<int64_t, int64_t>>
TableBuilder::countLeaves(const Tree &tree) const {
  DenseMap<int32_t, std::pair<int64_t, int64_t>> leaves;
  int64_t count = 0;
  for (int32_t at : tree.order) // goes below first
    if (at < 0) {
      leaves[at] = {count, count + 1};
      ++count;
    }
  for (int32_t at : llvm::reverse(tree.order))
    if (at >= 0)
      leaves[at] = {leaves[forest.below[at]].first,
                    leaves[forest.above[at]].second};
  return leaves;
}

/// In nanoseconds a row, measured on AVX2 with trees of 31 to 256 leaves.
bool TableBuilder::scanPays() const {
  if (columns.empty() || columns.size() > mostScannedColumns)
    return false;
  for (const SmallVector<double> &list : cuts)
    if (list.size() > UINT16_MAX)
      return false;
  double scan = 0, walk = 0;
  for (const Tree &tree : trees) {
    auto leaves = countLeaves(tree);
    if (leaves[tree.root].second > UINT16_MAX)
      return false;
    walk += 0.3 + 0.93 * static_cast<double>(tree.depth);
    scan += 0.3;
    for (int32_t at : tree.order)
      if (at >= 0)
        scan +=
            0.03 * static_cast<double>(groupsTouched(leaves[forest.below[at]]));
  }
  return scan < walk;
}

/// How many cuts of its column are up to the node's threshold.
int64_t TableBuilder::rankOf(int32_t node) const {
  const SmallVector<double> &list = cuts[columnOf[node]];
  return llvm::upper_bound(list, forest.threshold[node]) - list.begin();
}

/// `ascending` as nodes of `cutsInNode`, level by level. Cut i of the whole is
/// on the last level unless a whole number of subtrees is before it.
static void appendSearchTree(SmallVectorImpl<double> &cuts,
                             ArrayRef<double> ascending) {
  constexpr int64_t children = kernel::TreeScanOp::cutsInNode + 1;
  int64_t size = children; // with one more
  while (size - 1 < static_cast<int64_t>(ascending.size()))
    size *= children;
  size_t begin = cuts.size();
  cuts.append(size - 1, INFINITY);
  for (auto [i, cut] : llvm::enumerate(ascending)) {
    auto number = static_cast<int64_t>(i) + 1;
    int64_t level = size / children; // nodes on it
    while (number % children == 0) {
      number /= children;
      level /= children;
    }
    // Of `children` numbers the node's cuts take all but the last.
    int64_t place = number - 1 - number / children;
    cuts[begin + level - 1 + place] = cut;
  }
}

SmallVector<Value> TableBuilder::scanTables() {
  SmallVector<double> searchTrees;
  SmallVector<int32_t> cutBegins{0};
  for (const SmallVector<double> &list : cuts) {
    appendSearchTree(searchTrees, list);
    cutBegins.push_back(static_cast<int32_t>(searchTrees.size()));
  }
  std::vector<int16_t> updates;
  SmallVector<int32_t> groups, roots;
  std::vector<double> inOrder; // the weights, tree by tree, by leaf
  for (const Tree &tree : trees) {
    auto leaves = countLeaves(tree);
    int32_t target = 0;
    int64_t count = leaves[tree.root].second;
    roots.push_back(static_cast<int32_t>(groups.size()));
    roots.push_back(static_cast<int32_t>(inOrder.size()));
    for (int32_t at : tree.order)
      if (at < 0) {
        target = targetOf[~at];
        auto *first = &weights[~at * width];
        inOrder.insert(inOrder.end(), first, first + width);
      }
    roots.push_back(target);
    int64_t groupCount = llvm::divideCeil(count, leavesInGroup);
    SmallVector<SmallVector<std::pair<int32_t, uint16_t>>> byGroup(groupCount);
    for (int32_t at : tree.order) {
      if (at < 0)
        continue;
      auto [first, last] = leaves[forest.below[at]];
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
        for (int64_t field : {rankOf(at) - 32768, int64_t(kept),
                              int64_t(columnOf[at]), int64_t(0)})
          updates.push_back(static_cast<int16_t>(field));
    }
  }
  if (updates.empty()) // trees of one leaf each
    updates.resize(4, 0);
  roots.append({static_cast<int32_t>(groups.size()), 0, 0});
  groups.push_back(static_cast<int32_t>(updates.size() / 4));
  return {reals(searchTrees),
          integers(cutBegins),
          table(ArrayRef<int16_t>(updates), 4, l.b.getI16Type()),
          integers(groups),
          integers(roots, 3),
          reals(inOrder)};
}

//===----------------------------------------------------------------------===//
// Both
//===----------------------------------------------------------------------===//

Value TableBuilder::build(Value samples) {
  findColumns();
  findTrees();
  if (!findWeights()) {
    (void)l.refuse("the leaves have too many weights");
    return {};
  }
  if (aggregation != kernel::TreeAggregation::Sum &&
      llvm::any_of(forest.weight, [](double w) { return std::isnan(w); })) {
    (void)l.refuse("the least or greatest of NaN is not supported yet");
    return {};
  }
  SmallVector<int32_t> columnRows;
  SmallVector<double> members;
  SmallVector<std::pair<int32_t, int32_t>> places; // of each set's members
  for (const SmallVector<double> &set : forest.sets) {
    auto first = static_cast<int32_t>(members.size());
    llvm::append_range(members, set);
    places.push_back({first, static_cast<int32_t>(members.size())});
  }
  for (auto [column, number] : columns) {
    auto [feature, missingAbove, set] = column;
    std::pair<int32_t, int32_t> place =
        set < 0 ? std::pair<int32_t, int32_t>(-1, -1) : places[set];
    columnRows.append({2 * feature + missingAbove, place.first, place.second});
  }
  if (columnRows.empty()) // no node compares
    columnRows.append({0, -1, -1});
  Value columnTable = integers(columnRows, 3);
  Value memberTable;
  if (!forest.sets.empty()) {
    members.push_back(0); // the table must not be empty
    memberTable = reals(members);
  }

  Value init = l.empty(element, {l.sizes(samples)[0], l.attr(targets)});
  Type type = init.getType();
  OpFoldResult rows = l.sizes(samples)[0];
  auto fixed = getConstantIntValue(rows);
  bool scans = scanPays() && (!fixed || *fixed >= fewestScannedRows);
  SmallVector<Value> scan, walk;
  if (scans)
    scan = scanTables();
  Value list;
  if (!scans || !fixed) {
    std::optional<SmallVector<Value>> tables = walkTables();
    if (!tables) {
      (void)l.refuse("there are too many nodes");
      return {};
    }
    walk = *tables;
    if (width > 1)
      list = reals(weights);
  }
  auto scanned = [&](OpBuilder &b) -> Value {
    return kernel::TreeScanOp::create(b, l.loc, TypeRange(type), samples,
                                      columnTable, scan[0], scan[1], scan[2],
                                      scan[3], scan[4], scan[5], memberTable,
                                      init, aggregation, width)
        .getResult(0);
  };
  auto walked = [&](OpBuilder &b) -> Value {
    return kernel::TreeWalkOp::create(b, l.loc, TypeRange(type), samples,
                                      columnTable, walk[0], walk[1], list,
                                      memberTable, init, aggregation, width)
        .getResult(0);
  };
  if (!scans)
    return walked(l.b);
  if (fixed)
    return scanned(l.b);
  Value isMany =
      arith::CmpIOp::create(l.b, l.loc, arith::CmpIPredicate::sge,
                            l.index(rows), l.index(fewestScannedRows));
  return scf::IfOp::create(
             l.b, l.loc, isMany,
             [&](OpBuilder &b, Location loc) {
               scf::YieldOp::create(b, loc, scanned(b));
             },
             [&](OpBuilder &b, Location loc) {
               scf::YieldOp::create(b, loc, walked(b));
             })
      .getResult(0);
}

Value onnxc::aggregateLeaves(Lowering &l, Value samples, const Forest &forest,
                             int64_t targets,
                             kernel::TreeAggregation aggregation) {
  Type element = cast<RankedTensorType>(samples.getType()).getElementType();
  return TableBuilder(l, forest, targets, aggregation, element).build(samples);
}
