//===- EmitTreeScan.cpp - kernel.tree_scan, a row in each lane ------------===//
//
// A unit is 32 rows. A block of as many rows as eight vectors of ranks have
// lanes shares the loads of the tables; what is left over goes by smaller
// blocks. Lanes behind the last row repeat it. Below the top of a large tree
// rows walk on as in kernel.tree_walk, by their ranks.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/Target.h"
#include "compiler/codegen/cpu/TreeColumns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace onnxc;

static constexpr int64_t unitRows = 32;
/// Vectors of ranks in the larger blocks: with a threshold, a mask and the
/// address of a column they fill 16 registers half.
static constexpr int64_t mostVectors = 8;
/// Rows that one binary search is for: they hide its latency.
static constexpr int64_t searches = 8;
static constexpr int64_t leavesInGroup = kernel::TreeScanOp::leavesInGroup;
static constexpr int64_t cutsInNode = kernel::TreeScanOp::cutsInNode;
static constexpr int64_t mostCuts = kernel::TreeScanOp::mostCuts;

ParallelExtent onnxc::treeScanExtent(Code &code, kernel::TreeScanOp op,
                                     ArrayRef<BufferView> operands) {
  return {code.ceilDivide(operands[0].sizes[0], unitRows),
          elementCost * unitRows * *Code::known(operands[4].sizes[0])};
}

namespace {
class ScanWriter {
public:
  ScanWriter(Code &code, kernel::TreeScanOp op, ArrayRef<BufferView> operands,
             const Target &target)
      : code(code), cuts(operands[2]), cutBegins(operands[3]),
        updates(operands[4]), groups(operands[5]), trees(operands[6]),
        weights(operands[7]), ends(op.getEnds() ? &operands[8] : nullptr),
        nodes(op.getEnds() ? &operands[9] : nullptr), width(op.getWidth()),
        rows(operands[0].sizes[0]), lanes(target.vectorBits / 16),
        columns(code, operands[0], operands[1],
                op.getMembers() ? &operands[operands.size() - 2] : nullptr),
        sums(code, operands.back(), op.getAggregation(), op.getWidth(),
             target.vectorBits /
                 operands[0].elementType.getIntOrFloatBitWidth()),
        i16(code.builder.getI16Type()) {
    ranks = code.stackMemory(i16, columns.count() * mostVectors * lanes);
    leaves = code.stackMemory(i16, mostVectors * lanes);
  }

  /// Units in a block of `vectors` vectors.
  int64_t unitsOf(int64_t vectors) const { return vectors * lanes / unitRows; }
  int64_t vectorsOfUnit() const {
    return std::max<int64_t>(unitRows / lanes, 1);
  }
  /// Rows from the unit `unit` on, as many as there are in `vectors` vectors,
  /// and before `end`.
  void write(Index unit, Index end, int64_t vectors);

private:
  Value vector(Value scalar) { return code.splat(scalar, lanes); }
  Value integer(int64_t value) {
    return arith::ConstantOp::create(code.builder, code.loc,
                                     code.builder.getI16IntegerAttr(value));
  }
  void rankColumns(Index row, int64_t vectors);
  void search(Index column, ArrayRef<Index> rows, Index into);
  /// Leaves that rows come to in the tree of groups [first, last).
  void findLeaves(Index first, Index last, int64_t vectors);
  SmallVector<Value> standing(Index group, int64_t vectors);
  /// Walks from the ends that rows have come to in `tree` to leaves.
  void walk(Index tree, int64_t vectors);
  void addWeights(Index row, Index count, Index firstWeight, Index target);
  Value ofTree(Index tree, int64_t field) {
    return asIndex(code, loadNumber(code, trees,
                                    code.add(code.multiply(tree, 4),
                                             code.constant(field))));
  }

  Code &code;
  const BufferView &cuts, &cutBegins, &updates, &groups, &trees, &weights;
  const BufferView *ends, *nodes; ///< null where leaves are scanned for
  int64_t width;
  Index rows;
  int64_t lanes;
  TreeColumns columns;
  TreeSums sums;
  Type i16;
  Value ranks;  ///< [column, row of the block]
  Value leaves; ///< [row of the block]
};
} // namespace

/// The ranks of one column in eight rows. What is less in each node on the way
/// down the search tree are the rank's digits, to the base of its children.
void ScanWriter::search(Index column, ArrayRef<Index> rows, Index into) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  Type i64 = b.getI64Type(), element = cuts.elementType;
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
  };
  constexpr int64_t children = cutsInNode + 1;
  Value begin = loadNumber(code, cutBegins, column);
  Value size = arith::SubIOp::create(
      b, loc, loadNumber(code, cutBegins, code.add(column, code.constant(1))),
      begin);
  Value tree = code.address(cuts.pointer, element, Index(asIndex(code, begin)));
  Value levels = constant(0);
  for (int64_t power = 1; power <= mostCuts; power *= children) {
    Value more = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, size,
                                       constant(power));
    levels = arith::AddIOp::create(b, loc, levels,
                                   arith::ExtUIOp::create(b, loc, i64, more));
  }
  TreeColumns::Description description = columns.describe(column);
  SmallVector<Value> numbers = llvm::map_to_vector(rows, [&](Index row) {
    return code.splat(columns.number(description, row), cutsInNode);
  });
  SmallVector<Value> state(searches, constant(0));
  state.push_back(constant(1)); // nodes on the level
  state = code.loop(
      code.constant(0), Index(asIndex(code, levels)), 1, state,
      [&](Index, ValueRange at) {
        // Before the level are as many cuts as it has nodes, less one.
        Value level = code.address(
            tree, element,
            code.subtract(Index(asIndex(code, at.back())), code.constant(1)));
        SmallVector<Value> next;
        for (auto [number, node] : llvm::zip(numbers, at.drop_back())) {
          Value list = code.loadVector(
              level, element,
              code.multiply(Index(asIndex(code, node)), cutsInNode),
              cutsInNode);
          // NaN is above all.
          Value less = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ULT,
                                             list, number);
          Value bits = LLVM::BitcastOp::create(
              b, loc, b.getIntegerType(cutsInNode), less);
          Value digit = LLVM::CtPopOp::create(
              b, loc, i64, arith::ExtUIOp::create(b, loc, i64, bits));
          next.push_back(arith::AddIOp::create(
              b, loc, arith::MulIOp::create(b, loc, node, constant(children)),
              digit));
        }
        next.push_back(
            arith::MulIOp::create(b, loc, at.back(), constant(children)));
        return next;
      });
  // A NaN that is above all has counted what fills up the tree.
  for (int64_t i = 0; i < searches; ++i) {
    Value rank = arith::MinSIOp::create(b, loc, state[i], constant(mostCuts));
    code.storeScalar(arith::TruncIOp::create(b, loc, i16, rank), ranks, i16,
                     code.add(into, code.constant(i)));
  }
}

void ScanWriter::rankColumns(Index row, int64_t vectors) {
  int64_t blockRows = vectors * lanes;
  Index last = code.subtract(rows, code.constant(1));
  code.loop(
      code.constant(0), code.constant(blockRows), searches, [&](Index first) {
        SmallVector<Index> each;
        for (int64_t i = 0; i < searches; ++i)
          each.push_back(code.minimum(
              code.add(code.add(row, first), code.constant(i)), last));
        code.loop(code.constant(0), code.constant(columns.count()), 1,
                  [&](Index column) {
                    search(column, each,
                           code.add(code.multiply(column, blockRows), first));
                  });
      });
}

/// Of each row the leaves of the group that no node strikes out, as bits.
SmallVector<Value> ScanWriter::standing(Index group, int64_t vectors) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  auto begin = [&](Index of) {
    return Index(asIndex(code, loadNumber(code, groups, of)));
  };
  Value all = vector(integer(-1));
  return code.loop(
      begin(group), begin(code.add(group, code.constant(1))), 1,
      SmallVector<Value>(vectors, all), [&](Index update, ValueRange at) {
        auto field = [&](int64_t number) {
          return code.loadScalar(
              updates.pointer, i16,
              code.add(code.multiply(update, 4), code.constant(number)));
        };
        Value bound = vector(field(0)), kept = vector(field(1));
        Value column = arith::ExtUIOp::create(b, loc, b.getI64Type(), field(2));
        Value from = code.address(
            ranks, i16,
            code.multiply(Index(asIndex(code, column)), vectors * lanes));
        SmallVector<Value> next;
        for (auto [i, left] : llvm::enumerate(at)) {
          Index place = code.constant(static_cast<int64_t>(i) * lanes);
          Value rank = code.loadVector(from, i16, place, lanes);
          Value goesBelow = arith::CmpIOp::create(
              b, loc, arith::CmpIPredicate::sgt, bound, rank);
          Value keeps = arith::OrIOp::create(
              b, loc, arith::ExtSIOp::create(b, loc, left.getType(), goesBelow),
              kept);
          next.push_back(arith::AndIOp::create(b, loc, left, keeps));
        }
        return next;
      });
}

/// The first leaf is in the first group with any: groups from the last on.
void ScanWriter::findLeaves(Index first, Index last, int64_t vectors) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  Value zero = code.zeros(i16, lanes);
  Index count = code.subtract(last, first);
  SmallVector<Value> found = code.loop(
      code.constant(0), count, 1, SmallVector<Value>(vectors, zero),
      [&](Index i, ValueRange found) {
        Index number = code.subtract(code.subtract(count, i), code.constant(1));
        Value base = vector(arith::IndexCastOp::create(
            b, loc, i16, code.value(code.multiply(number, leavesInGroup))));
        SmallVector<Value> next;
        for (auto [bits, behind] :
             llvm::zip(standing(code.add(first, number), vectors), found)) {
          Value place = LLVM::CountTrailingZerosOp::create(
              b, loc, bits.getType(), bits, /*is_zero_poison=*/false);
          Value leaf = arith::AddIOp::create(b, loc, place, base);
          Value none = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                             bits, zero);
          next.push_back(arith::SelectOp::create(b, loc, none, behind, leaf));
        }
        return next;
      });
  for (auto [i, vector] : llvm::enumerate(found))
    code.storeVector(vector, leaves,
                     code.constant(static_cast<int64_t>(i) * lanes));
}

void ScanWriter::walk(Index tree, int64_t vectors) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  Type i64 = b.getI64Type();
  Index firstEnd = code.multiply(tree, leavesInGroup);
  Value depth = code.value(ofTree(tree, 3));
  int64_t blockRows = vectors * lanes;
  auto wide = [&](Value x) -> Value {
    return arith::ExtUIOp::create(b, loc, i64, x);
  };
  auto field = [&](Value node, int64_t number) {
    Index row = code.multiply(Index(asIndex(code, node)), 4);
    return code.loadScalar(nodes->pointer, i16,
                           code.add(row, code.constant(number)));
  };
  code.loop(
      code.constant(0), code.constant(blockRows), searches, [&](Index first) {
        SmallVector<Index> rows;
        SmallVector<Value> at;
        for (int64_t i = 0; i < searches; ++i) {
          rows.push_back(code.add(first, code.constant(i)));
          Value end = wide(code.loadScalar(leaves, i16, rows[i]));
          at.push_back(loadNumber(
              code, *ends, code.add(firstEnd, Index(asIndex(code, end)))));
        }
        Value own = code.address(ranks, i16, first);
        at = code.loop(
            code.constant(0), Index(depth), 1, at, [&](Index, ValueRange at) {
              SmallVector<Value> next;
              for (auto [lane, node] : llvm::enumerate(at)) {
                Index column = asIndex(code, wide(field(node, 1)));
                Value ofRow = code.address(
                    own, i16, code.constant(static_cast<int64_t>(lane)));
                Value rank = code.loadScalar(ofRow, i16,
                                             code.multiply(column, blockRows));
                Value isAbove = arith::CmpIOp::create(
                    b, loc, arith::CmpIPredicate::ult, field(node, 0), rank);
                Value below =
                    arith::AddIOp::create(b, loc, node, wide(field(node, 2)));
                next.push_back(
                    arith::AddIOp::create(b, loc, below, wide(isAbove)));
              }
              return next;
            });
        for (auto [row, node] : llvm::zip(rows, at))
          code.storeScalar(field(node, 3), leaves, i16, row);
      });
}

void ScanWriter::addWeights(Index row, Index count, Index firstWeight,
                            Index target) {
  auto add = [&](Index i) {
    Value leaf = arith::ExtUIOp::create(code.builder, code.loc,
                                        code.builder.getI64Type(),
                                        code.loadScalar(leaves, i16, i));
    Index place =
        code.add(firstWeight, code.multiply(Index(asIndex(code, leaf)), width));
    if (width > 1)
      sums.add(code.add(row, i), target, weights, place);
    else
      sums.add(code.add(row, i), target,
               code.loadScalar(weights.pointer, sums.element(), place));
  };
  Index whole = width > 1
                    ? code.constant(0)
                    : code.multiply(code.divide(count, searches), searches);
  code.loop(code.constant(0), whole, searches, [&](Index i) {
    for (int64_t lane = 0; lane < searches; ++lane)
      add(code.add(i, code.constant(lane)));
  });
  code.loop(whole, count, 1, add);
}

void ScanWriter::write(Index unit, Index end, int64_t vectors) {
  Index row = code.multiply(unit, unitRows);
  Index count = code.minimum(
      code.constant(vectors * lanes),
      code.subtract(code.minimum(code.multiply(end, unitRows), rows), row));
  rankColumns(row, vectors);
  code.loop(code.constant(0), count, 1,
            [&](Index i) { sums.begin(code.add(row, i)); });
  // The last row ends the list.
  Index treeCount = code.subtract(trees.sizes[0], code.constant(1));
  code.loop(code.constant(0), treeCount, 1, [&](Index tree) {
    Index next = code.add(tree, code.constant(1));
    findLeaves(Index(ofTree(tree, 0)), Index(ofTree(next, 0)), vectors);
    if (nodes)
      walk(tree, vectors);
    addWeights(row, count, Index(ofTree(tree, 1)), Index(ofTree(tree, 2)));
  });
  code.loop(code.constant(0), count, 1,
            [&](Index i) { sums.end(code.add(row, i)); });
}

LogicalResult onnxc::emitTreeScan(kernel::TreeScanOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  ScanWriter writer(code, op, body.operands, body.target);
  int64_t large = writer.unitsOf(mostVectors);
  // More than half a large block is worth one.
  Index count = code.subtract(body.end, body.begin);
  Index blocks = code.divide(code.add(count, code.constant(large / 2 - 1)),
                             code.constant(large));
  Index split = code.minimum(code.add(body.begin, code.multiply(blocks, large)),
                             body.end);
  code.loop(body.begin, split, large,
            [&](Index unit) { writer.write(unit, body.end, mostVectors); });
  code.loop(split, body.end, 1, [&](Index unit) {
    writer.write(unit, body.end, writer.vectorsOfUnit());
  });
  return success();
}
