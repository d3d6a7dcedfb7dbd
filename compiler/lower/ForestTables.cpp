//===- ForestTables.cpp - Decision trees as tables of the tree kernels ----===//
//
// kernel.tree_walk serves few rows, kernel.tree_scan many, unless the trees
// have too many nodes or features. Where both may be wanted the number of rows
// decides at run time. They add up the trees in the same order, so a row's
// result is the same by either.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/ForestTables.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace onnxc;

/// Fewer rows are faster one by one (measured on AVX2: 10 to 13).
static constexpr int64_t fewestScannedRows = 12;

//===----------------------------------------------------------------------===//
// What both kernels need
//===----------------------------------------------------------------------===//

Value ForestTables::reals(ArrayRef<double> values) {
  if (element.isF64())
    return table(values, 0, element);
  std::vector<float> singles(values.begin(), values.end());
  return table(ArrayRef<float>(singles), 0, element);
}

uint64_t ForestTables::ordered(double value) const {
  uint64_t all = bits(value == 0 ? 0.0 : value); // -0 and 0 are equal
  uint64_t sign = uint64_t(1) << (element.isF64() ? 63 : 31);
  return all & sign ? ~all & (sign | (sign - 1)) : all | sign;
}

void ForestTables::findColumns() {
  for (size_t i = 0; i < forest.feature.size(); ++i) {
    ForestColumn column(forest.feature[i], forest.missingAbove[i],
                        forest.set[i]);
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

void ForestTables::findTrees() {
  for (int32_t root : forest.roots) {
    ForestTree tree{root, trees.size(), {}, 0};
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
  llvm::sort(trees, [](const ForestTree &a, const ForestTree &b) {
    return std::pair(a.depth, a.number) < std::pair(b.depth, b.number);
  });
}

/// One weight a leaf where each tree is for one target; otherwise one for each
/// target.
bool ForestTables::findWeights() {
  size_t leaves = forest.leafBegin.size() - 1;
  targetOf.assign(leaves, 0);
  for (const ForestTree &tree : trees) {
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

std::optional<SmallVector<Value>> ForestTables::walkTables() {
  // Positions in the table, a pair of siblings side by side, level by level.
  std::vector<std::array<uint64_t, 3>> nodes; // word, column, distance
  SmallVector<int32_t> roots;
  bool hasList = width > 1;
  // Behind the last; where no node compares there is one column, too.
  uint64_t leafColumn = std::max<size_t>(columns.size(), 1);
  uint64_t farthest = leafColumn;
  auto leafWord = [&](int64_t number) {
    return hasList ? static_cast<uint64_t>(number * width)
                   : bits(weights[number]);
  };
  int64_t filling = llvm::alignTo(trees.size(), walksAtATime) - trees.size();
  if (filling) {
    nodes.push_back({leafWord(forest.leafBegin.size() - 1), leafColumn, 0});
    for (int64_t i = 0; i < filling; ++i)
      roots.append({0, 0, 0});
  }
  for (const ForestTree &tree : trees) {
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
          nodes[at++] = {leafWord(~node), leafColumn, 0};
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
// Both
//===----------------------------------------------------------------------===//

Value ForestTables::build(Value samples) {
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
  std::optional<int64_t> levels = scannedLevels();
  bool scans = levels && (!fixed || *fixed >= fewestScannedRows);
  SmallVector<Value> scan, walk;
  if (scans)
    scan = scanTables(*levels);
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
    return kernel::TreeScanOp::create(
               b, l.loc, TypeRange(type), samples, columnTable, scan[0],
               scan[1], scan[2], scan[3], scan[4], scan[5], scan[6], scan[7],
               memberTable, init, aggregation, width)
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
  return ForestTables(l, forest, targets, aggregation, element).build(samples);
}
