//===- LoopValues.cpp - What a loop's iterations hand on ------------------===//

#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/Scalars.h"
#include "dialects/kernel/KernelDialect.h"

using namespace mlir;
using namespace onnxc;

/// How many values a loop hands on for one that goes through a slot: its dims
/// that the type does not tell.
static unsigned dynamicDims(RankedTensorType type) {
  return type.getNumDynamicDims();
}

/// The dims of `tensor` that `type` does not tell.
static SmallVector<Value> dynamicSizes(Lowering &l, Value tensor,
                                       RankedTensorType type) {
  SmallVector<Value> result;
  for (auto [i, dim] : llvm::enumerate(l.sizes(tensor)))
    if (type.isDynamicDim(i))
      result.push_back(l.index(dim));
  return result;
}

static RankedTensorType withRows(RankedTensorType slice) {
  SmallVector<int64_t> shape(slice.getShape());
  shape.insert(shape.begin(), ShapedType::kDynamic);
  return RankedTensorType::get(shape, slice.getElementType());
}

LogicalResult LoopValues::carry(Value operand, BlockArgument argument,
                                Value yielded, Value result) {
  std::string what =
      "variable " + std::to_string(argument.getArgNumber()) + " of the body";
  for (Value other : {operand, yielded, result})
    if (other && failed(fits(l, other, argument, what)))
      return failure();
  if (isBoxed(argument.getType())) {
    first.push_back(l.value(operand));
    carried.push_back({argument, yielded, result, nullptr, {}});
    return success();
  }
  Carried value{argument, yielded, result, loweredType(l, argument), {}};
  // Dims that an iteration may change are symbols of the argument itself,
  // which nothing outside knows.
  Dims dims = l.knownDims(argument);
  Value tensor = l.value(operand);
  if (llvm::all_of(dims, [](OpFoldResult dim) { return !!dim; })) {
    first.push_back(writeInto(
        l, tensor, destination(l, value.type.getElementType(), dims)));
  } else {
    for (Value &slot : value.slots)
      slot = kernel::SlotOp::create(l.b, l.loc, l.b.getIndexType());
    llvm::append_range(first, dynamicSizes(l, tensor, value.type));
    kernel::SlotWriteOp::create(l.b, l.loc, castTo(l, tensor, value.type),
                                value.slots[0], l.index(0));
  }
  carried.push_back(value);
  return success();
}

LogicalResult LoopValues::stack(Value yielded, Value result, OpFoldResult count,
                                int64_t axis, bool reversed) {
  auto slice = dyn_cast<RankedTensorType>(yielded.getType());
  auto whole = cast<RankedTensorType>(result.getType());
  if (!slice || slice.getElementType() != whole.getElementType() ||
      slice.getRank() + 1 != whole.getRank())
    return l.refuse("a scan output does not fit what the body yields");
  Stacked stacked{
      yielded, result, count, axis, reversed, loweredType(l, yielded), {}};
  Dims dims = l.knownDims(result);
  dims[axis] = count;
  if (llvm::all_of(dims, [](OpFoldResult dim) { return !!dim; })) {
    first.push_back(destination(l, stacked.slice.getElementType(), dims));
  } else {
    stacked.slot = kernel::SlotOp::create(l.b, l.loc, l.b.getIndexType());
    // A loop without iterations gives dims of 0 where none is known.
    dims.erase(dims.begin() + axis);
    for (auto [i, dim] : llvm::enumerate(dims))
      if (stacked.slice.isDynamicDim(i))
        first.push_back(dim ? l.index(dim) : l.index(0));
  }
  stacks.push_back(stacked);
  return success();
}

SmallVector<Value> LoopValues::initial() const { return first; }

/// The slot that iteration `position` reads; it writes that of the next.
Value LoopValues::slotAt(const Carried &value, Value position) {
  Scalars s{l.b, l.loc};
  Value odd = arith::AndIOp::create(l.b, l.loc, position, l.index(1));
  return s.select(s.compare(Comparison::Equal, odd, l.index(0),
                            /*isUnsigned=*/false),
                  value.slots[0], value.slots[1]);
}

void LoopValues::enter(Value iteration, ValueRange arguments) {
  position = iteration;
  current.assign(arguments.begin(), arguments.end());
  for (const Carried &value : carried) {
    if (!value.slots[0]) {
      l.bind(value.argument, arguments.front());
      arguments = arguments.drop_front();
      continue;
    }
    unsigned dims = dynamicDims(value.type);
    l.bind(value.argument, kernel::SlotReadOp::create(
                               l.b, l.loc, value.type, slotAt(value, position),
                               arguments.take_front(dims)));
    arguments = arguments.drop_front(dims);
  }
}

/// Whether `tensor` is a view of what the iteration was handed.
bool LoopValues::showsArgument(Value tensor) const {
  while (Operation *op = tensor.getDefiningOp()) {
    if (!isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
             tensor::ReshapeOp, tensor::ExtractSliceOp>(op))
      return false;
    tensor = op->getOperand(0);
  }
  return llvm::is_contained(current, tensor);
}

SmallVector<Value> LoopValues::leave() {
  // All that an iteration reads is read before its arguments are overwritten.
  SmallVector<Value> result, tensors;
  for (const Carried &value : carried)
    tensors.push_back(l.value(value.yielded));
  ArrayRef<Value> arguments = current;
  for (auto [value, tensor] : llvm::zip(carried, tensors)) {
    if (value.slots[0]) {
      llvm::append_range(result, dynamicSizes(l, tensor, value.type));
      Value next = l.index(l.add(getAsOpFoldResult(position), l.attr(1)));
      kernel::SlotWriteOp::create(l.b, l.loc, castTo(l, tensor, value.type),
                                  slotAt(value, next), l.index(0));
      arguments = arguments.drop_front(dynamicDims(value.type));
      continue;
    }
    if (value.type && tensor != arguments.front() && showsArgument(tensor))
      tensor = ownCopy(l, tensor);
    result.push_back(tensor);
    arguments = arguments.drop_front();
  }
  for (const Stacked &stacked : stacks) {
    Value slice = l.value(stacked.yielded);
    unsigned count = stacked.slot ? dynamicDims(stacked.slice) : 1;
    if (stacked.slot) {
      push(stacked, slice, arguments.take_front(count));
      llvm::append_range(result, dynamicSizes(l, slice, stacked.slice));
    } else {
      result.push_back(insert(stacked, slice, arguments.front()));
    }
    arguments = arguments.drop_front(count);
  }
  unsigned next = 0;
  for (const Carried &value : carried) {
    if (value.slots[0]) {
      next += dynamicDims(value.type);
      continue;
    }
    if (value.type && result[next] != current[next])
      result[next] = writeInto(l, result[next], current[next]);
    ++next;
  }
  return result;
}

/// Puts a slice in its place in the result.
Value LoopValues::insert(const Stacked &stacked, Value slice, Value into) {
  OpFoldResult place = getAsOpFoldResult(position);
  if (stacked.reversed)
    place = l.sub(l.sub(stacked.count, place), l.attr(1));
  Dims sizes = l.sizes(slice), offsets(sizes.size(), l.attr(0));
  offsets.insert(offsets.begin() + stacked.axis, place);
  sizes.insert(sizes.begin() + stacked.axis, l.attr(1));
  Dims strides(sizes.size(), l.attr(1));
  return tensor::InsertSliceOp::create(l.b, l.loc, slice, into, offsets, sizes,
                                       strides);
}

/// Appends a slice, which must have the dims of those before.
void LoopValues::push(const Stacked &stacked, Value slice,
                      ValueRange dimsBefore) {
  Scalars s{l.b, l.loc};
  Value fits = s.compare(Comparison::Equal, position, l.index(0), false);
  Value equal;
  for (auto [before, dim] :
       llvm::zip_equal(dimsBefore, dynamicSizes(l, slice, stacked.slice))) {
    Value same = s.compare(Comparison::Equal, before, dim, false);
    equal = equal ? s.logicalAnd(equal, same) : same;
  }
  if (equal)
    l.require(s.logicalOr(fits, equal),
              "the slices of a scan output differ in shape");
  kernel::SlotWriteOp::create(l.b, l.loc, castTo(l, slice, stacked.slice),
                              stacked.slot, position);
}

/// `rows`, a slice each, along the axis and in the order asked for.
Value LoopValues::arrange(const Stacked &stacked, Value rows, Value count) {
  if (stacked.axis == 0 && !stacked.reversed)
    return rows;
  Dims sizes = l.sizes(rows);
  Dims target(sizes.begin() + 1, sizes.end());
  target.insert(target.begin() + stacked.axis, sizes.front());
  return l.pull(stacked.slice.getElementType(), target,
                [&](OpBuilder &builder, ArrayRef<Value> at) -> Value {
                  Scalars s{builder, l.loc};
                  SmallVector<Value> place(at);
                  Value row = at[stacked.axis];
                  if (stacked.reversed)
                    row = s.sub(s.sub(count, row),
                                s.integer(builder.getIndexType(), 1));
                  place.erase(place.begin() + stacked.axis);
                  place.insert(place.begin(), row);
                  return tensor::ExtractOp::create(builder, l.loc, rows, place);
                });
}

void LoopValues::finish(Value count, ValueRange last) {
  for (const Carried &value : carried) {
    unsigned used = value.slots[0] ? dynamicDims(value.type) : 1;
    Value tensor = value.slots[0]
                       ? kernel::SlotReadOp::create(l.b, l.loc, value.type,
                                                    slotAt(value, count),
                                                    last.take_front(used))
                             .getTensor()
                       : last.front();
    if (value.result && !value.type)
      l.bind(value.result, tensor);
    else if (value.result)
      l.set(value.result, tensor);
    last = last.drop_front(used);
  }
  for (const Stacked &stacked : stacks) {
    unsigned used = stacked.slot ? dynamicDims(stacked.slice) : 1;
    Value tensor;
    if (!stacked.slot) {
      tensor = last.front();
    } else {
      SmallVector<Value> sizes{count};
      llvm::append_range(sizes, last.take_front(used));
      tensor =
          arrange(stacked,
                  kernel::SlotReadOp::create(
                      l.b, l.loc, withRows(stacked.slice), stacked.slot, sizes),
                  count);
    }
    l.set(stacked.result, tensor);
    last = last.drop_front(used);
  }
}
