//===- EmitTreeWalk.cpp - kernel.tree_walk, eight walks at a time ---------===//
//
// A unit is one row. Blocks of rows have their columns written as integers, a
// column's rows side by side, to the stack; then each tree is walked by eight
// rows at a time. They take the first three levels as one vector, which
// compares with all seven nodes: that is less than an eighth of the scalar
// steps it spares, and a fourth level would be no gain. Rows that are left over
// walk eight trees at a time. Either way a row adds up the trees in their
// order.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/Target.h"
#include "compiler/codegen/cpu/TreeColumns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace onnxc;

static constexpr int64_t walks = kernel::TreeWalkOp::walksAtATime;
/// Levels of a tree that eight rows pass as one vector.
static constexpr int64_t topLevels = 3;

ParallelExtent onnxc::treeWalkExtent(kernel::TreeWalkOp op,
                                     ArrayRef<BufferView> operands) {
  constexpr int64_t costOfWalk = 384;
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
        keysOfRow(columns.count() + 1) {
    // Some rows for each tree, but of few columns.
    constexpr int64_t bytes = 16 * 1024;
    int64_t rowBytes = keysOfRow * (word.getIntOrFloatBitWidth() / 8);
    block = std::clamp<int64_t>(bytes / rowBytes / walks * walks, walks, 64);
    if (block * rowBytes > 4 * bytes)
      block = 1;
    keys = code.stackMemory(word, block * keysOfRow);
  }

  /// Rows [row, row + count); `count` is at most `rowsAtATime`.
  void write(Index row, Index count);
  int64_t rowsAtATime() const { return block; }

private:
  Value integer(int64_t value) {
    return arith::ConstantOp::create(code.builder, code.loc,
                                     code.builder.getIntegerAttr(word, value));
  }
  /// The keys of rows [row, row + count): a column's rows are side by side, and
  /// columns `stride` apart.
  void writeKeys(Index row, Index count, int64_t stride);

  /// A node: what it compares with, and the first of the two below it.
  struct Node {
    Value threshold, column, below;
  };
  Node node(Value position);
  /// Where a walk is behind each of `topLevels` levels, and what it compares
  /// on the way: the root, the two nodes below it, the four below these.
  SmallVector<Node> topOf(Value root);
  /// The nodes that the rows from `first` of the block on come to from the top.
  SmallVector<Value> passTop(ArrayRef<Node> top, Index first);
  /// Eight walks of `depth` steps from the nodes `start`; lane i finds the key
  /// of a column at `from` + column * stride + i * laneStride.
  SmallVector<Value> walk(SmallVector<Value> start, Value depth, Value from,
                          int64_t stride, int64_t laneStride);
  void prefetch(Index tree, Index first);
  /// `count` rows, a multiple of `walks`, from the first of the block.
  void walkRows(Index row, Index count);
  /// One row, whose keys are side by side.
  void walkTrees(Index row);
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
  int64_t keysOfRow;
  int64_t block;
  Value keys;
};
} // namespace

void WalkWriter::writeKeys(Index row, Index count, int64_t stride) {
  auto forRows = [&](Index column, llvm::function_ref<Value(Index)> key) {
    code.loop(code.constant(0), count, 1, [&](Index i) {
      code.storeScalar(key(code.add(row, i)), keys, word,
                       code.add(code.multiply(column, stride), i));
    });
  };
  code.loop(
      code.constant(0), code.constant(columns.count()), 1, [&](Index column) {
        auto description = columns.describe(column);
        forRows(column, [&](Index of) {
          Value key = columns.key(description, of);
          if (key.getType() != word)
            key = arith::ExtUIOp::create(code.builder, code.loc, word, key);
          return key;
        });
      });
  // Nothing is less than what leaves compare.
  forRows(code.constant(columns.count()), [&](Index) { return integer(0); });
}

WalkWriter::Node WalkWriter::node(Value position) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  Type i64 = b.getI64Type();
  Index row = code.multiply(Index(asIndex(code, position)), 2);
  Value threshold = code.loadScalar(nodes.pointer, word, row);
  Value second =
      code.address(nodes.pointer, word, code.add(row, code.constant(1)));
  auto number = [&](int64_t part) -> Value {
    return arith::ExtUIOp::create(
        b, loc, i64, code.loadScalar(second, half, code.constant(part)));
  };
  return {threshold, asIndex(code, number(0)),
          arith::AddIOp::create(b, loc, position, number(1))};
}

SmallVector<WalkWriter::Node> WalkWriter::topOf(Value root) {
  OpBuilder &b = code.builder;
  Type i64 = b.getI64Type();
  Value one = arith::ConstantOp::create(b, code.loc, b.getI64IntegerAttr(1));
  // Behind the last leaf, where no row goes, is no node.
  Value last = arith::IndexCastOp::create(
      b, code.loc, i64,
      code.value(code.subtract(nodes.sizes[0], code.constant(1))));
  SmallVector<Node> top{node(root)};
  for (size_t i = 0; i < (1u << (topLevels - 1)) - 1; ++i) {
    Value below = top[i].below;
    Value above = arith::AddIOp::create(b, code.loc, below, one);
    top.push_back(node(below));
    top.push_back(node(arith::MinSIOp::create(b, code.loc, above, last)));
  }
  return top;
}

SmallVector<Value> WalkWriter::passTop(ArrayRef<Node> top, Index first) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  VectorType vector = code.vectorType(i32, walks);
  SmallVector<Value> above = llvm::map_to_vector(top, [&](const Node &node) {
    Value own = code.loadVector(
        keys, word, code.add(code.multiply(Index(node.column), block), first),
        walks);
    return Value(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult,
                                       code.splat(node.threshold, walks), own));
  });
  // From the last level up: what the one below and the one above lead to.
  size_t inner = top.size() / 2;
  SmallVector<Value> reached(top.size());
  for (size_t i = top.size(); i-- > 0;) {
    if (i < inner) {
      reached[i] = arith::SelectOp::create(b, loc, above[i], reached[2 * i + 2],
                                           reached[2 * i + 1]);
      continue;
    }
    Value below = arith::TruncIOp::create(b, loc, i32, top[i].below);
    reached[i] =
        arith::AddIOp::create(b, loc, code.splat(below, walks),
                              arith::ExtUIOp::create(b, loc, vector, above[i]));
  }
  SmallVector<Value> lanes;
  for (int64_t lane = 0; lane < walks; ++lane)
    lanes.push_back(arith::ExtUIOp::create(
        b, loc, i64, vector::ExtractOp::create(b, loc, reached[0], lane)));
  return lanes;
}

SmallVector<Value> WalkWriter::walk(SmallVector<Value> start, Value depth,
                                    Value from, int64_t stride,
                                    int64_t laneStride) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  return code.loop(
      code.constant(0), Index(depth), 1, start, [&](Index, ValueRange at) {
        SmallVector<Value> next;
        for (auto [lane, position] : llvm::enumerate(at)) {
          Node of = node(position);
          Value key = code.loadScalar(
              code.address(
                  from, word,
                  code.constant(static_cast<int64_t>(lane) * laneStride)),
              word, code.multiply(Index(of.column), stride));
          Value isAbove = arith::CmpIOp::create(
              b, loc, arith::CmpIPredicate::ult, of.threshold, key);
          next.push_back(arith::AddIOp::create(
              b, loc, of.below,
              arith::ExtUIOp::create(b, loc, b.getI64Type(), isAbove)));
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
    SmallVector<Node> top = topOf(root);
    Value rest = code.value(
        code.subtract(code.maximum(Index(depth), code.constant(topLevels)),
                      code.constant(topLevels)));
    code.loop(code.constant(0), count, walks, [&](Index first) {
      prefetch(tree, first);
      SmallVector<Value> leaves = walk(passTop(top, first), rest,
                                       code.address(keys, word, first), block,
                                       /*laneStride=*/1);
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

void WalkWriter::walkTrees(Index row) {
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
            walk(roots, asIndex(code, ofTree(each.back(), 1)), keys,
                 /*stride=*/1, /*laneStride=*/0);
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
  code.loop(code.constant(0), count, 1,
            [&](Index i) { sums.begin(code.add(row, i)); });
  Index whole = code.constant(0);
  if (block >= walks) {
    whole = code.multiply(code.divide(count, walks), walks);
    writeKeys(row, whole, block);
    walkRows(row, whole);
  }
  code.loop(whole, count, 1, [&](Index i) {
    Index of = code.add(row, i);
    writeKeys(of, code.constant(1), /*stride=*/1);
    walkTrees(of);
  });
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
