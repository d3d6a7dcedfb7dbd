//===- RunTimeAxes.cpp - Axes that only a run tells -----------------------===//

#include "compiler/lower/RunTimeAxes.h"

#include "compiler/lower/Scalars.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

SmallVector<Value> onnxc::axisFlags(Lowering &l, Value axes, int64_t rank) {
  Scalars outer{l.b, l.loc};
  SmallVector<Value> none(rank, outer.integer(l.b.getI1Type(), 0));
  l.requireIndices(axes, l.attr(rank), "an axis");
  if (none.empty())
    return none;
  Value list = l.value(axes);
  Type type = l.elementType(axes);
  auto loop = scf::ForOp::create(
      l.b, l.loc, l.index(0), l.index(l.dims(axes)[0]), l.index(1), none,
      [&](OpBuilder &nested, Location loc, Value i, ValueRange state) {
        Scalars s{nested, loc};
        Type i64 = nested.getI64Type();
        Value one = tensor::ExtractOp::create(nested, loc, list, i);
        one = s.convert(one, type, i64);
        SmallVector<Value> next;
        for (auto [axis, flag] : llvm::enumerate(state)) {
          auto position = static_cast<int64_t>(axis);
          for (int64_t alias : {position, position - rank}) {
            Value same =
                s.compare(Comparison::Equal, one, s.integer(i64, alias), false);
            flag = s.logicalOr(flag, same);
          }
          next.push_back(flag);
        }
        scf::YieldOp::create(nested, loc, next);
      });
  return llvm::to_vector_of<Value>(loop.getResults());
}

Value onnxc::padVector(Lowering &l, Value vector, int64_t count, int64_t filler,
                       FillerSide side) {
  OpFoldResult all = l.attr(count), given = l.dims(vector)[0];
  l.requireAtMost(given, all, "the number of elements of a vector");
  Type element = signless(l.elementType(vector));
  Value target = l.filled(element, {all}, numberAttr(element, filler));
  bool isBehind = side == FillerSide::Behind;
  return l.insertSlice(l.value(vector), target,
                       {isBehind ? l.attr(0) : l.sub(all, given)}, {given},
                       {l.attr(1)});
}

Value onnxc::elementAt(Lowering &l, Value tensor, OpFoldResult i) {
  Value element = tensor::ExtractOp::create(l.b, l.loc, tensor, l.index(i));
  return Scalars{l.b, l.loc}.toIndex(element);
}

Dims onnxc::dimsWithout(Lowering &l, ArrayRef<OpFoldResult> dims,
                        ArrayRef<Value> flags, int64_t rank) {
  Scalars s{l.b, l.loc};
  SmallVector<Value> shape(rank, l.index(1));
  Value place = l.index(0);
  for (auto [flag, dim] : llvm::zip(flags, dims)) {
    for (int64_t j = 0; j < rank; ++j) {
      Value here =
          s.logicalAnd(s.logicalNot(flag),
                       s.compare(Comparison::Equal, place, l.index(j), false));
      shape[j] = s.select(here, l.index(dim), shape[j]);
    }
    place = s.select(flag, place, s.add(place, l.index(1)));
  }
  l.requireEqual(getAsOpFoldResult(place), l.attr(rank),
                 "the number of dims that remain");
  Dims result;
  for (Value dim : shape)
    result.push_back(getAsOpFoldResult(dim));
  return result;
}

RunTimeReduction::RunTimeReduction(Lowering &l, OnnxNode n)
    : l(l), dims(l.dims(n.in(0))),
      isReduced(axisFlags(l, n.in(1), l.rank(n.in(0)))) {
  Scalars s{l.b, l.loc};
  // Without axes all are reduced, unless the attribute says none.
  if (!n.integer("noop_with_empty_axes", 0)) {
    Value isEmpty = s.compare(Comparison::Equal, l.index(l.dims(n.in(1))[0]),
                              l.index(0), false);
    for (Value &reduced : isReduced)
      reduced = s.logicalOr(reduced, isEmpty);
  }
  for (auto [reduced, dim] : llvm::zip(isReduced, dims))
    kept.push_back(
        getAsOpFoldResult(s.select(reduced, l.index(1), l.index(dim))));
}

SmallVector<Value> RunTimeReduction::place(OpBuilder &b, Location loc,
                                           ValueRange at) const {
  Scalars s{b, loc};
  SmallVector<Value> where;
  for (auto [i, reduced] : llvm::zip(at, isReduced))
    where.push_back(s.select(reduced, s.integer(b.getIndexType(), 0), i));
  return where;
}

Dims RunTimeReduction::groups(bool lastIsReduced) {
  Scalars s{l.b, l.loc};
  Type index = l.b.getIndexType();
  auto rank = static_cast<int64_t>(dims.size());
  SmallVector<Value> sizes(rank, s.integer(index, 1));
  // From the last axis on, whose kind is that of the last group: an axis of the
  // other kind begins the group before.
  Value group = s.integer(index, rank - 1);
  Value inReduced = s.integer(l.b.getI1Type(), lastIsReduced);
  for (int64_t axis = rank; axis-- > 0;) {
    Value reduced = isReduced[axis];
    Value isOther =
        arith::XOrIOp::create(l.b, l.loc, reduced, inReduced).getResult();
    group = s.select(isOther, s.sub(group, s.integer(index, 1)), group);
    inReduced = reduced;
    for (int64_t i = 0; i < rank; ++i) {
      Value here =
          s.compare(Comparison::Equal, group, s.integer(index, i), false);
      sizes[i] = s.select(here, s.mul(sizes[i], l.index(dims[axis])), sizes[i]);
    }
  }
  return llvm::map_to_vector(
      sizes, [](Value size) { return getAsOpFoldResult(size); });
}

Value RunTimeReduction::reduceGroups(Value tensor, Value init,
                                     bool lastIsReduced, Combine combine) {
  Dims sizes = groups(lastIsReduced), left;
  auto rank = static_cast<unsigned>(sizes.size());
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  SmallVector<AffineExpr> exprs;
  for (unsigned group = 0; group < rank; ++group) {
    if (((rank - 1 - group) % 2 == 0) == lastIsReduced) {
      iterators[group] = utils::IteratorType::reduction;
      continue;
    }
    exprs.push_back(l.b.getAffineDimExpr(group));
    left.push_back(sizes[group]);
  }
  Value result = l.generic(
      l.reshape(init, left), AffineMap::get(rank, 0, exprs, l.b.getContext()),
      {{l.reshape(tensor, sizes), l.b.getMultiDimIdentityMap(rank)}}, iterators,
      [&](OpBuilder &nested, ValueRange in) {
        return combine(nested, in[1], in[0]);
      });
  return l.reshape(result, kept);
}

Value RunTimeReduction::reduce(Value tensor, TypedAttr start, Combine combine) {
  Value init = l.filled(start.getType(), kept, start);
  if (dims.empty()) {
    Value x = tensor::ExtractOp::create(l.b, l.loc, tensor, ValueRange());
    Value from = tensor::ExtractOp::create(l.b, l.loc, init, ValueRange());
    return tensor::InsertOp::create(l.b, l.loc, combine(l.b, from, x), init,
                                    ValueRange());
  }
  auto branch = [&](bool lastIsReduced) {
    return [&, lastIsReduced](OpBuilder &nested, Location loc) {
      OpBuilder::InsertionGuard guard(l.b);
      l.b.setInsertionPoint(nested.getInsertionBlock(),
                            nested.getInsertionPoint());
      Value result = reduceGroups(tensor, init, lastIsReduced, combine);
      scf::YieldOp::create(l.b, loc, result);
    };
  };
  return scf::IfOp::create(l.b, l.loc, isReduced.back(), branch(true),
                           branch(false))
      .getResult(0);
}

Value RunTimeReduction::withReduced(Value tensor, Value reduced,
                                    BodyFunction body) {
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  return l.pull(element, dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
    Value x = tensor::ExtractOp::create(nested, l.loc, tensor, at);
    Value y = tensor::ExtractOp::create(nested, l.loc, reduced,
                                        place(nested, l.loc, at));
    return body(nested, {x, y});
  });
}

OpFoldResult RunTimeReduction::count() {
  Scalars s{l.b, l.loc};
  OpFoldResult result = l.attr(1);
  for (auto [reduced, dim] : llvm::zip(isReduced, dims))
    result = l.mul(
        result, getAsOpFoldResult(s.select(reduced, l.index(dim), l.index(1))));
  return result;
}

Value RunTimeReduction::drop(Value reduced, int64_t rank) {
  return l.reshape(reduced, dimsWithout(l, kept, isReduced, rank));
}
