//===- NonMaxSuppression.cpp - NonMaxSuppression --------------------------===//

#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/Heap.h"
#include "compiler/lower/Lowering.h"
#include "compiler/lower/Ranks.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// A box as its corners.
struct Box {
  Value x0, y0, x1, y1;
};

/// What suppression works on.
struct Suppression {
  Value boxes;  // [batch, box, 4]
  Value scores; // [batch, class, box]
  bool centred; // boxes are centre and size, not two corners
  Value boxCount, limit;
  Value overlap; // the IoU from which on a box is suppressed
  Value score;   // the least score, or null
};

/// What a class leaves behind: the rows selected so far, and scratch.
struct Selection {
  Value rows, count;      // [capacity, 3] of i64, index
  HeapTensors candidates; ///< their ranks

  SmallVector<Value> values() const { return {rows, count, candidates.keys}; }
  static Selection of(ValueRange values) {
    return {values[0], values[1], {values[2], nullptr}};
  }
};
} // namespace

static Value extract(Scalars &s, Value tensor, ArrayRef<Value> at) {
  return tensor::ExtractOp::create(s.b, s.loc, tensor, at);
}

static Box readBox(Scalars &s, const Suppression &work, Value batch, Value at) {
  Value v[4];
  for (int i = 0; i < 4; ++i)
    v[i] =
        extract(s, work.boxes, {batch, at, s.integer(s.b.getIndexType(), i)});
  if (work.centred) {
    Value half = s.constant(v[0].getType(), 0.5);
    Value width = s.mul(v[2], half), height = s.mul(v[3], half);
    return {s.sub(v[0], width), s.sub(v[1], height), s.add(v[0], width),
            s.add(v[1], height)};
  }
  // Either diagonal pair of corners: [y, x, y, x].
  return {s.min(v[1], v[3], false), s.min(v[0], v[2], false),
          s.max(v[1], v[3], false), s.max(v[0], v[2], false)};
}

/// Whether the intersection over the union of two boxes exceeds the threshold;
/// boxes without an area overlap nothing.
static Value overlaps(Scalars &s, const Suppression &work, Box a, Box b) {
  Value zero = s.constant(a.x0.getType(), 0);
  auto area = [&](const Box &box) {
    return s.mul(s.sub(box.x1, box.x0), s.sub(box.y1, box.y0));
  };
  auto positive = [&](Value x) {
    return s.compare(Comparison::Greater, x, zero, false);
  };
  Box both{s.max(a.x0, b.x0, false), s.max(a.y0, b.y0, false),
           s.min(a.x1, b.x1, false), s.min(a.y1, b.y1, false)};
  Value meet =
      s.logicalAnd(s.compare(Comparison::Greater, both.x1, both.x0, false),
                   s.compare(Comparison::Greater, both.y1, both.y0, false));
  Value intersection = area(both), first = area(a), second = area(b);
  Value all = s.sub(s.add(first, second), intersection);
  meet = s.logicalAnd(meet, positive(intersection));
  meet = s.logicalAnd(meet, s.logicalAnd(positive(first), positive(second)));
  meet = s.logicalAnd(meet, positive(all));
  Value ratio = s.div(intersection, all, false);
  return s.logicalAnd(
      meet, s.compare(Comparison::Greater, ratio, work.overlap, false));
}

/// Whether one of the rows [from, to) overlaps box `candidate`.
static Value isSuppressed(Scalars &s, const Suppression &work, Value batch,
                          Value rows, Value from, Value to, Value candidate) {
  Type index = s.b.getIndexType();
  Box box = readBox(s, work, batch, candidate);
  auto loop = scf::WhileOp::create(
      s.b, s.loc, TypeRange{index, s.b.getI1Type()},
      ValueRange{from, s.integer(s.b.getI1Type(), 0)},
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Scalars t{nested, loc};
        Value more =
            t.logicalAnd(t.compare(Comparison::Less, state[0], to, false),
                         t.logicalNot(state[1]));
        scf::ConditionOp::create(nested, loc, more, state);
      },
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Scalars t{nested, loc};
        Value chosen =
            t.toIndex(extract(t, rows, {state[0], t.integer(index, 2)}));
        Value hit = overlaps(t, work, readBox(t, work, batch, chosen), box);
        scf::YieldOp::create(
            nested, loc, ValueRange{t.add(state[0], t.integer(index, 1)), hit});
      });
  return loop.getResult(1);
}

/// The boxes of one class that pass the threshold become a heap, whose root is
/// the best: O(n), whatever number is taken from it.
static std::pair<HeapTensors, Value>
candidatesOf(Scalars &s, const Suppression &work, const Heap &heap,
             HeapTensors scratch, Value batch, Value label) {
  Type index = s.b.getIndexType();
  Value zero = s.integer(index, 0), one = s.integer(index, 1);
  auto loop = scf::ForOp::create(
      s.b, s.loc, zero, work.boxCount, one, ValueRange{scratch.keys, zero},
      [&](OpBuilder &nested, Location loc, Value i, ValueRange state) {
        Scalars t{nested, loc};
        Value key = extract(t, work.scores, {batch, label, i});
        Value passes =
            work.score ? t.compare(Comparison::Greater, key, work.score, false)
                       : t.integer(nested.getI1Type(), 1);
        auto choice = scf::IfOp::create(
            nested, loc, passes,
            [&](OpBuilder &then, Location) {
              Scalars u{then, loc};
              HeapTensors next =
                  heap.write(u, {state[0], nullptr}, state[1],
                             {rankOf(u, key, i, true, false), nullptr});
              scf::YieldOp::create(then, loc,
                                   ValueRange{next.keys, u.add(state[1], one)});
            },
            [&](OpBuilder &otherwise, Location) {
              scf::YieldOp::create(otherwise, loc, state);
            });
        scf::YieldOp::create(nested, loc, choice.getResults());
      });
  Value count = loop.getResult(1);
  return {heap.build(s, {loop.getResult(0), nullptr}, count), count};
}

/// Takes the best candidates of a class, as long as there are any and no more
/// than the limit are selected, and keeps those that no selected one overlaps.
static Selection selectFrom(Scalars &s, const Suppression &work,
                            const Heap &heap, Selection selection, Value batch,
                            Value label) {
  auto [candidates, size] =
      candidatesOf(s, work, heap, selection.candidates, batch, label);
  selection.candidates = candidates;
  Type index = s.b.getIndexType(), i64 = s.b.getI64Type();
  Value zero = s.integer(index, 0), one = s.integer(index, 1);
  Value begin = selection.count;
  SmallVector<Value> inits = selection.values();
  inits.push_back(size);
  SmallVector<Type> types =
      llvm::map_to_vector(inits, [](Value value) { return value.getType(); });
  auto loop = scf::WhileOp::create(
      s.b, s.loc, types, inits,
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Scalars t{nested, loc};
        Value some = t.compare(Comparison::Greater, state.back(), zero, false);
        Value room = t.compare(Comparison::Less, t.sub(state[1], begin),
                               work.limit, false);
        scf::ConditionOp::create(nested, loc, t.logicalAnd(some, room), state);
      },
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Scalars t{nested, loc};
        Selection now = Selection::of(state);
        Value best = positionIn(t, heap.read(t, now.candidates, zero).key);
        now.candidates = heap.removeRoot(t, now.candidates, state.back());
        Value suppressed = isSuppressed(t, work, batch, now.rows, begin,
                                        now.count, t.toIndex(best));
        auto choice = scf::IfOp::create(
            nested, loc, suppressed,
            [&](OpBuilder &then, Location) {
              scf::YieldOp::create(then, loc, ValueRange{now.rows, now.count});
            },
            [&](OpBuilder &otherwise, Location) {
              Scalars u{otherwise, loc};
              Value row[] = {u.fromIndex(batch, i64), u.fromIndex(label, i64),
                             best};
              Value rows = now.rows;
              for (auto [i, value] : llvm::enumerate(row))
                rows = tensor::InsertOp::create(
                    otherwise, loc, value, rows,
                    ValueRange{now.count, u.integer(index, i)});
              scf::YieldOp::create(otherwise, loc,
                                   ValueRange{rows, u.add(now.count, one)});
            });
        now.rows = choice.getResult(0);
        now.count = choice.getResult(1);
        SmallVector<Value> next = now.values();
        next.push_back(t.sub(state.back(), one));
        scf::YieldOp::create(nested, loc, next);
      });
  return Selection::of(loop.getResults());
}

static LogicalResult lowerNonMaxSuppression(Lowering &l, OnnxNode n) {
  if (l.rank(n.in(0)) != 3 || l.rank(n.in(1)) != 3 ||
      l.staticDim(n.in(0), 2) != 4)
    return l.refuse(
        "boxes must be [batch, box, 4], scores [batch, class, box]");
  int64_t centred = n.integer("center_point_box", 0);
  if (centred != 0 && centred != 1)
    return l.refuse("center_point_box must be 0 or 1");
  Dims boxes = l.dims(n.in(0)), scores = l.dims(n.in(1));
  // Inputs that disagree are not read outside.
  OpFoldResult batches = l.min(boxes[0], scores[0]);
  OpFoldResult boxCount = l.min(boxes[1], scores[2]);
  OpFoldResult limit = l.attr(0);
  if (n.in(2)) {
    auto given = l.elements(n.in(2));
    if (!given || given->size() != 1)
      return l.refuse("max_output_boxes_per_class must have one element");
    limit = l.max(l.min(given->front(), boxCount), l.attr(0));
  }
  Scalars s{l.b, l.loc};
  Suppression work;
  work.overlap = s.constant(l.b.getF32Type(), 0);
  if (n.in(3) && !(work.overlap = onlyElement(l, n.in(3), "iou_threshold")))
    return failure();
  if (n.in(4) && !(work.score = onlyElement(l, n.in(4), "score_threshold")))
    return failure();
  l.requireAtMost(boxCount, l.attr(mostRanked), "the number of boxes");
  work.boxes = l.value(n.in(0));
  work.scores = l.value(n.in(1));
  work.centred = centred;
  work.boxCount = l.index(boxCount);
  work.limit = l.index(limit);

  Heap heap;
  heap.isUnsigned = true;
  heap.place = [](Scalars &, Value i) { return SmallVector<Value>{i}; };
  Type i64 = l.b.getI64Type();
  OpFoldResult capacity = l.product({batches, scores[1], limit});
  Selection none{l.empty(i64, {capacity, l.attr(3)}),
                 l.index(0),
                 {l.empty(i64, {boxCount}), nullptr}};
  Value zero = l.index(0), one = l.index(1);
  SmallVector<Value> results =
      scf::buildLoopNest(l.b, l.loc, {zero, zero},
                         {l.index(batches), l.index(scores[1])}, {one, one},
                         none.values(),
                         [&](OpBuilder &nested, Location loc, ValueRange at,
                             ValueRange state) -> scf::ValueVector {
                           Scalars inner{nested, loc};
                           return selectFrom(inner, work, heap,
                                             Selection::of(state), at[0], at[1])
                               .values();
                         })
          .results;
  Selection done = Selection::of(results);
  l.set(n.out(),
        l.slice(done.rows, {l.attr(0), l.attr(0)},
                {OpFoldResult(done.count), l.attr(3)}, {l.attr(1), l.attr(1)}));
  return success();
}

void onnxc::addNonMaxSuppression(LoweringTable &table) {
  table.onOp("NonMaxSuppression", lowerNonMaxSuppression);
}
