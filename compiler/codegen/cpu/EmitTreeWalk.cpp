//===- EmitTreeWalk.cpp - kernel.tree_walk, eight walks at a time ---------===//
//
// A unit is one row. Blocks of rows have their columns written as integers, in
// the order of `nodes`, to the stack; then each tree is walked by eight rows at
// a time. Rows that are left over walk eight trees at a time. Either way a row
// adds up the trees in their order.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/Target.h"
#include "compiler/codegen/cpu/TreeColumns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

static constexpr int64_t walks = kernel::TreeWalkOp::walksAtATime;

ParallelExtent onnxc::treeWalkExtent(kernel::TreeWalkOp op,
                                     ArrayRef<BufferView> operands) {
  constexpr int64_t costOfWalk = 48;
  return {operands[0].sizes[0],
          costOfWalk * *Code::known(operands[3].sizes[0])};
}

namespace {
class WalkWriter {
public:
  WalkWriter(Code &code, kernel::TreeWalkOp op, ArrayRef<BufferView> operands,
             int64_t lanes)
      : code(code), nodes(operands[2]), trees(operands[3]),
        list(op.getWeights() ? &operands[4] : nullptr),
        columns(code, operands[0], operands[1],
                op.getMembers() ? &operands[operands.size() - 2] : nullptr),
        sums(code, operands.back(), op.getAggregation(), op.getWidth(), lanes),
        word(nodes.elementType),
        half(code.builder.getIntegerType(word.getIntOrFloatBitWidth() / 2)),
        rowKeys(columns.count() + 1) {
    // Some rows for each tree, but of few columns.
    constexpr int64_t bytes = 16 * 1024;
    int64_t rowBytes = rowKeys * (word.getIntOrFloatBitWidth() / 8);
    block = std::clamp<int64_t>(bytes / rowBytes / walks * walks, walks, 64);
    if (block * rowBytes > 4 * bytes)
      block = 1;
    keys = code.stackMemory(word, block * rowKeys);
  }

  /// Rows [row, row + count); `count` is at most `rowsAtATime`.
  void write(Index row, Index count);
  int64_t rowsAtATime() const { return block; }

private:
  Value integer(int64_t value) {
    return arith::ConstantOp::create(code.builder, code.loc,
                                     code.builder.getIntegerAttr(word, value));
  }
  void writeKeys(Index row, Index into);
  /// Eight walks of `depth` steps from the nodes `start`, over the keys that
  /// begin at `base`, a lane's `stride` behind the last lane's: the leaves.
  SmallVector<Value> walk(SmallVector<Value> start, Value depth, Index base,
                          int64_t stride);
  void prefetch(Index tree, Index first);
  /// `count` rows, a multiple of `walks`, from the first of the block.
  void walkRows(Index row, Index count);
  /// One row, whose keys begin at `base`.
  void walkTrees(Index row, Index base);
  Value leafWord(Value leaf) {
    return code.loadScalar(nodes.pointer, word,
                           code.multiply(Index(asIndex(code, leaf)), 2));
  }
  Value weight(Value leaf);
  Index place(Value leaf);
  Value ofTree(Index tree, int64_t field) {
    return loadNumber(code, trees,
                      code.add(code.multiply(tree, 3), code.constant(field)));
  }

  Code &code;
  const BufferView &nodes, &trees;
  const BufferView *list; ///< of weights; null where leaves hold theirs
  TreeColumns columns;
  TreeSums sums;
  Type word, half;
  int64_t rowKeys;
  int64_t block;
  Value keys;
};
} // namespace

void WalkWriter::writeKeys(Index row, Index into) {
  code.loop(code.constant(0), code.constant(columns.count()), 1,
            [&](Index column) {
              Value key = columns.key(columns.describe(column), row);
              if (key.getType() != word)
                key = arith::ExtUIOp::create(code.builder, code.loc, word, key);
              code.storeScalar(key, keys, word, code.add(into, column));
            });
  // Nothing is less than what leaves compare.
  code.storeScalar(integer(0), keys, word,
                   code.add(into, code.constant(rowKeys - 1)));
}

SmallVector<Value> WalkWriter::walk(SmallVector<Value> start, Value depth,
                                    Index base, int64_t stride) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  Type i64 = b.getI64Type();
  Value from = code.address(keys, word, base);
  return code.loop(
      code.constant(0), Index(depth), 1, start, [&](Index, ValueRange at) {
        SmallVector<Value> next;
        for (auto [lane, node] : llvm::enumerate(at)) {
          Index row = code.multiply(Index(asIndex(code, node)), 2);
          Value threshold = code.loadScalar(nodes.pointer, word, row);
          Value second = code.address(nodes.pointer, word,
                                      code.add(row, code.constant(1)));
          auto number = [&](int64_t part) -> Value {
            return arith::ExtUIOp::create(
                b, loc, i64,
                code.loadScalar(second, half, code.constant(part)));
          };
          Value column = asIndex(code, number(0));
          Value key = code.loadScalar(
              code.address(from, word,
                           code.constant(static_cast<int64_t>(lane) * stride)),
              word, Index(column));
          Value isAbove = arith::CmpIOp::create(
              b, loc, arith::CmpIPredicate::ult, threshold, key);
          Value below = arith::AddIOp::create(b, loc, node, number(1));
          next.push_back(arith::AddIOp::create(
              b, loc, below, arith::ExtUIOp::create(b, loc, i64, isAbove)));
        }
        return next;
      });
}

Value WalkWriter::weight(Value leaf) {
  OpBuilder &b = code.builder;
  Value bits = leafWord(leaf);
  Type integer = b.getIntegerType(sums.element().getIntOrFloatBitWidth());
  if (integer != word)
    bits = arith::TruncIOp::create(b, code.loc, integer, bits);
  return arith::BitcastOp::create(b, code.loc, sums.element(), bits);
}

Index WalkWriter::place(Value leaf) {
  Value number = leafWord(leaf);
  if (!word.isInteger(64))
    number = arith::ExtUIOp::create(code.builder, code.loc,
                                    code.builder.getI64Type(), number);
  return asIndex(code, number);
}

/// Trees come one after the other in memory. Eight lines for each eight rows
/// are brought in ahead of time, from where the next tree begins.
void WalkWriter::prefetch(Index tree, Index first) {
  int64_t inLine = 64 * 8 / word.getIntOrFloatBitWidth();
  Index next = code.minimum(code.add(tree, code.constant(1)),
                            code.subtract(trees.sizes[0], code.constant(1)));
  Index begin =
      code.add(code.multiply(Index(asIndex(code, ofTree(next, 0))), 2),
               code.multiply(first, inLine));
  for (int64_t line = 0; line < walks; ++line)
    code.prefetch(nodes.pointer, word,
                  code.add(begin, code.constant(line * inLine)));
}

void WalkWriter::walkRows(Index row, Index count) {
  code.loop(code.constant(0), trees.sizes[0], 1, [&](Index tree) {
    Value root = ofTree(tree, 0), depth = asIndex(code, ofTree(tree, 1));
    Index target = asIndex(code, ofTree(tree, 2));
    code.loop(code.constant(0), count, walks, [&](Index first) {
      prefetch(tree, first);
      SmallVector<Value> leaves = walk(SmallVector<Value>(walks, root), depth,
                                       code.multiply(first, rowKeys), rowKeys);
      for (auto [lane, leaf] : llvm::enumerate(leaves)) {
        Index of = code.add(code.add(row, first),
                            code.constant(static_cast<int64_t>(lane)));
        if (list)
          sums.add(of, target, *list, place(leaf));
        else
          sums.add(of, target, weight(leaf));
      }
    });
  });
}

void WalkWriter::walkTrees(Index row, Index base) {
  // One sum stays in a register.
  bool isOne = sums.targets() == 1 && !list;
  SmallVector<Value> carried;
  if (isOne)
    carried.push_back(sums.neutral());
  SmallVector<Value> sum = code.loop(
      code.constant(0), trees.sizes[0], walks, carried,
      [&](Index tree, ValueRange sum) {
        SmallVector<Index> each;
        SmallVector<Value> roots;
        for (int64_t i = 0; i < walks; ++i) {
          each.push_back(code.add(tree, code.constant(i)));
          roots.push_back(ofTree(each.back(), 0));
        }
        // They are ordered by depth.
        SmallVector<Value> leaves =
            walk(roots, asIndex(code, ofTree(each.back(), 1)), base, 0);
        if (isOne) {
          Value next = sum[0];
          for (Value leaf : leaves)
            next = sums.join(next, weight(leaf));
          return SmallVector<Value>{next};
        }
        if (list) {
          SmallVector<Index> places = llvm::map_to_vector(
              leaves, [&](Value leaf) { return place(leaf); });
          sums.add(row, code.constant(0), *list, places);
          return SmallVector<Value>();
        }
        for (auto [of, leaf] : llvm::zip(each, leaves))
          sums.add(row, Index(asIndex(code, ofTree(of, 2))), weight(leaf));
        return SmallVector<Value>();
      });
  if (isOne)
    sums.store(row, code.constant(0), sum[0]);
}

void WalkWriter::write(Index row, Index count) {
  auto keysOf = [&](Index i) { return code.multiply(i, rowKeys); };
  code.loop(code.constant(0), count, 1, [&](Index i) {
    writeKeys(code.add(row, i), keysOf(i));
    sums.begin(code.add(row, i));
  });
  Index whole = code.constant(0);
  if (block >= walks) {
    whole = code.multiply(code.divide(count, walks), walks);
    walkRows(row, whole);
  }
  code.loop(whole, count, 1,
            [&](Index i) { walkTrees(code.add(row, i), keysOf(i)); });
  code.loop(code.constant(0), count, 1,
            [&](Index i) { sums.end(code.add(row, i)); });
}

LogicalResult onnxc::emitTreeWalk(kernel::TreeWalkOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  int64_t width = body.operands[0].elementType.getIntOrFloatBitWidth();
  WalkWriter writer(code, op, body.operands, body.target.vectorBits / width);
  code.loop(body.begin, body.end, writer.rowsAtATime(), [&](Index row) {
    Index count = code.minimum(code.subtract(body.end, row),
                               code.constant(writer.rowsAtATime()));
    writer.write(row, count);
  });
  return success();
}
