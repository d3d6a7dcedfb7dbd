//===- Tensors.cpp - Builders of tensors for lowering ---------------------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/NarrowTypes.h"
#include "compiler/lower/Scalars.h"
#include "compiler/lower/Strings.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/Elements.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cstring>

using namespace mlir;
using namespace onnxc;

Dims Lowering::sizes(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Dims result(type.getRank());
  // Through destination-passing operations to the tensor.empty.
  Value origin = tensor;
  while (Operation *op = origin.getDefiningOp()) {
    if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
      origin = destination.getTiedOpOperand(cast<OpResult>(origin))->get();
    else if (auto view = dyn_cast<tensor::CastOp>(op))
      origin = view.getSource();
    else
      break;
  }
  Dims known;
  if (auto empty = origin.getDefiningOp<tensor::EmptyOp>())
    known = empty.getMixedSizes();
  else if (auto slice = origin.getDefiningOp<tensor::ExtractSliceOp>()) {
    if (slice.getType().getRank() == slice.getSourceType().getRank())
      known = slice.getMixedSizes();
  } else if (auto expand = origin.getDefiningOp<tensor::ExpandShapeOp>())
    known = expand.getMixedOutputShape();
  else if (auto read = origin.getDefiningOp<kernel::SlotReadOp>())
    known = getMixedValues(read.getType().getShape(), read.getSizes(), b);
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (!type.isDynamicDim(i))
      result[i] = attr(type.getDimSize(i));
    else if (!known.empty())
      result[i] = known[i];
    else
      result[i] =
          getAsOpFoldResult(b.createOrFold<tensor::DimOp>(loc, origin, i));
  }
  return result;
}

Value Lowering::empty(Type element, ArrayRef<OpFoldResult> dims) {
  return tensor::EmptyOp::create(b, loc, dims, element);
}

Value Lowering::filled(Type element, ArrayRef<OpFoldResult> dims,
                       TypedAttr value) {
  Value scalar = arith::ConstantOp::create(b, loc, value);
  return linalg::FillOp::create(b, loc, scalar, empty(element, dims))
      .getResult(0);
}

Value Lowering::constantTensor(ElementsAttr value) {
  auto type = cast<RankedTensorType>(value.getShapedType());
  auto lowered =
      RankedTensorType::get(type.getShape(), signless(type.getElementType()));
  if (isString(type.getElementType())) {
    SmallVector<StringRef> texts(value.getValues<StringRef>());
    return kernel::StringsOp::create(b, loc, lowered, b.getStrArrayAttr(texts));
  }
  std::optional<ElementBytes> bytes = elementBytes(value);
  if (!bytes)
    return tensor::EmptyOp::create(b, loc, lowered.getShape(),
                                   lowered.getElementType());
  if (Type element = type.getElementType();
      isNarrowFloat(element) || isNarrowInteger(element)) {
    // Patterns in bytes; folding may have left a sign in the upper bits.
    std::vector<char> patterns = bytes->expanded();
    int mask = (1 << element.getIntOrFloatBitWidth()) - 1;
    for (char &pattern : patterns)
      pattern = static_cast<char>(pattern & mask);
    return constantTensor(makeElements(lowered, std::move(patterns)));
  }
  if (bytes->count() > 64 && !bytes->isSplat())
    return kernel::WeightOp::create(b, loc, lowered, value, nullptr, nullptr,
                                    nullptr, nullptr, nullptr);
  if (bytes->isSplat()) {
    auto one = RankedTensorType::get({1}, lowered.getElementType());
    auto element = cast<DenseElementsAttr>(makeElements(one, bytes->bytes()));
    return arith::ConstantOp::create(b, loc,
                                     element.reshape(lowered).isSplat()
                                         ? element.resizeSplat(lowered)
                                         : element);
  }
  return arith::ConstantOp::create(
      b, loc, cast<TypedAttr>(makeElements(lowered, bytes->bytes())));
}

Value Lowering::rearrangedConstant(
    ElementsAttr value, ArrayRef<int64_t> shape,
    function_ref<int64_t(ArrayRef<int64_t>)> from) {
  std::optional<ElementBytes> bytes = elementBytes(value);
  auto type = RankedTensorType::get(
      shape, signless(value.getShapedType().getElementType()));
  int64_t size = bytes ? bytes->elementSize() : 1;
  std::vector<char> result(type.getNumElements() * size);
  SmallVector<int64_t> position(shape.size());
  for (int64_t i = 0, e = type.getNumElements(); i < e; ++i) {
    int64_t source = from(position);
    if (bytes && source >= 0)
      std::memcpy(result.data() + i * size, bytes->element(source).data(),
                  size);
    for (int64_t axis = shape.size() - 1; axis >= 0; --axis) {
      if (++position[axis] < shape[axis])
        break;
      position[axis] = 0;
    }
  }
  return constantTensor(makeElements(type, std::move(result)));
}

//===----------------------------------------------------------------------===//
// Structured operations
//===----------------------------------------------------------------------===//

Value Lowering::generic(Value init, AffineMap outMap,
                        ArrayRef<MappedOperand> operands,
                        ArrayRef<utils::IteratorType> iterators,
                        BodyFunction body) {
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (const MappedOperand &operand : operands) {
    inputs.push_back(operand.tensor);
    maps.push_back(operand.map);
  }
  maps.push_back(outMap);
  return linalg::GenericOp::create(
             b, loc, init.getType(), inputs, init, maps, iterators,
             [&](OpBuilder &nested, Location, ValueRange arguments) {
               linalg::YieldOp::create(nested, loc, body(nested, arguments));
             })
      .getResult(0);
}

/// `map` with the dim itself in place of a constant 0 where the dim has size 1:
/// what is read in the order of the result is then seen to be.
static AffineMap preferDims(AffineMap map, ArrayRef<OpFoldResult> dims) {
  SmallVector<AffineExpr> exprs(map.getResults());
  size_t missing = dims.size() - exprs.size();
  for (auto [axis, expr] : llvm::enumerate(exprs))
    if (auto zero = dyn_cast<AffineConstantExpr>(expr);
        zero && zero.getValue() == 0 &&
        getConstantIntValue(dims[axis + missing]) == 1)
      expr = getAffineDimExpr(axis + missing, map.getContext());
  return AffineMap::get(map.getNumDims(), 0, exprs, map.getContext());
}

Value Lowering::map(Type element, ArrayRef<OpFoldResult> dims,
                    ArrayRef<MappedOperand> operands, BodyFunction body) {
  SmallVector<utils::IteratorType> iterators(dims.size(),
                                             utils::IteratorType::parallel);
  SmallVector<MappedOperand> mapped(operands);
  for (MappedOperand &operand : mapped)
    if (operand.map.getNumResults() <= dims.size())
      operand.map = preferDims(operand.map, dims);
  return generic(empty(element, dims), b.getMultiDimIdentityMap(dims.size()),
                 mapped, iterators, body);
}

Value Lowering::pull(Type element, ArrayRef<OpFoldResult> dims,
                     function_ref<Value(OpBuilder &, ArrayRef<Value>)> body) {
  return map(element, dims, {}, [&](OpBuilder &nested, ValueRange) {
    SmallVector<Value> indices;
    for (size_t i = 0; i < dims.size(); ++i)
      indices.push_back(linalg::IndexOp::create(nested, loc, i));
    return body(nested, indices);
  });
}

Value Lowering::mapSame(Type element, ArrayRef<Value> tensors,
                        BodyFunction body) {
  Dims dims = sizes(tensors.front());
  SmallVector<MappedOperand> operands;
  for (Value tensor : tensors)
    operands.push_back({tensor, b.getMultiDimIdentityMap(dims.size())});
  return map(element, dims, operands, body);
}

//===----------------------------------------------------------------------===//
// Broadcast
//===----------------------------------------------------------------------===//

Dims Lowering::broadcastDims(ArrayRef<Value> onnx) {
  int64_t outRank = 0;
  for (Value operand : onnx)
    outRank = std::max(outRank, rank(operand));
  Dims result;
  for (int64_t d = 0; d < outRank; ++d) {
    OpFoldResult dim = attr(1);
    SmallVector<AffineExpr> seen;
    for (Value operand : onnx) {
      int64_t axis = d - (outRank - rank(operand));
      if (axis < 0)
        continue;
      int64_t size = staticDim(operand, axis);
      if (size == 1)
        continue;
      if (size >= 0) {
        // A constant other than 1 decides.
        dim = attr(size);
        break;
      }
      if (auto known = exprs(operand)) {
        if (llvm::is_contained(seen, (*known)[axis]))
          continue;
        seen.push_back((*known)[axis]);
      }
      OpFoldResult candidate = dims(operand)[axis];
      if (getConstantIntValue(dim) == 1) {
        dim = candidate;
        continue;
      }
      // Two dims that may differ: the one that is not 1.
      Scalars s{b, loc};
      Value first = index(dim);
      dim = s.select(s.compare(Comparison::Equal, first, index(1), false),
                     index(candidate), first);
    }
    result.push_back(dim);
  }
  return result;
}

namespace {
/// How one operand is read in a broadcast.
struct BroadcastOperand {
  enum { Scalar, Mapped, Indexed } kind;
  TypedAttr scalar;
  MappedOperand mapped;
  /// Indexed: per axis of the operand, the dim that may be 1 at run time (null
  /// where it follows the output), or the constant 0.
  Value tensor;
  SmallVector<Value> mayBeOne;
  SmallVector<bool> isOne;
};
} // namespace

Value Lowering::broadcast(Type element, ArrayRef<Value> onnx,
                          BodyFunction body) {
  Dims dims = broadcastDims(onnx);
  int64_t outRank = dims.size();
  for (Value operand : onnx)
    for (auto [axis, own] : llvm::enumerate(this->dims(operand)))
      requireBroadcast(own, dims[axis + outRank - rank(operand)]);
  MLIRContext *context = b.getContext();
  SmallVector<BroadcastOperand> operands;
  SmallVector<MappedOperand> mapped;
  for (Value operand : onnx) {
    BroadcastOperand how;
    int64_t operandRank = rank(operand);
    if (ElementsAttr attribute = constant(operand)) {
      std::optional<ElementBytes> bytes = elementBytes(attribute);
      if (bytes && bytes->count() > 0 &&
          (bytes->isSplat() || bytes->count() == 1)) {
        how.kind = BroadcastOperand::Scalar;
        auto one = RankedTensorType::get({1}, signless(elementType(operand)));
        auto dense =
            cast<DenseElementsAttr>(makeElements(one, bytes->element(0)));
        how.scalar = cast<TypedAttr>(dense.getSplatValue<Attribute>());
        operands.push_back(how);
        continue;
      }
    }
    how.kind = BroadcastOperand::Mapped;
    Dims own = this->dims(operand);
    SmallVector<AffineExpr> exprs;
    for (int64_t axis = 0; axis < operandRank; ++axis) {
      int64_t d = axis + outRank - operandRank;
      how.isOne.push_back(false);
      how.mayBeOne.push_back(nullptr);
      if (getConstantIntValue(own[axis]) == 1) {
        exprs.push_back(getAffineConstantExpr(0, context));
        how.isOne.back() = true;
        continue;
      }
      exprs.push_back(getAffineDimExpr(d, context));
      if (own[axis] == dims[d] || getConstantIntValue(own[axis]))
        continue;
      how.kind = BroadcastOperand::Indexed;
      how.mayBeOne.back() = index(own[axis]);
    }
    how.tensor = value(operand);
    if (how.kind == BroadcastOperand::Mapped)
      mapped.push_back(
          {how.tensor, AffineMap::get(outRank, 0, exprs, context)});
    operands.push_back(how);
  }
  return map(
      element, dims, mapped, [&](OpBuilder &nested, ValueRange arguments) {
        Scalars s{nested, loc};
        SmallVector<Value> scalars;
        size_t next = 0;
        for (BroadcastOperand &operand : operands) {
          if (operand.kind == BroadcastOperand::Scalar) {
            scalars.push_back(
                arith::ConstantOp::create(nested, loc, operand.scalar));
          } else if (operand.kind == BroadcastOperand::Mapped) {
            scalars.push_back(arguments[next++]);
          } else {
            SmallVector<Value> position;
            int64_t operandRank = operand.isOne.size();
            Value zero = arith::ConstantIndexOp::create(nested, loc, 0);
            for (int64_t axis = 0; axis < operandRank; ++axis) {
              if (operand.isOne[axis]) {
                position.push_back(zero);
                continue;
              }
              Value at = linalg::IndexOp::create(nested, loc,
                                                 axis + outRank - operandRank);
              if (Value size = operand.mayBeOne[axis]) {
                Value one = arith::ConstantIndexOp::create(nested, loc, 1);
                at = s.select(s.compare(Comparison::Equal, size, one, false),
                              zero, at);
              }
              position.push_back(at);
            }
            scalars.push_back(tensor::ExtractOp::create(
                nested, loc, operand.tensor, position));
          }
        }
        return body(nested, scalars);
      });
}

Value Lowering::broadcastTo(Value onnx, ArrayRef<OpFoldResult> dims) {
  Value tensor = value(onnx);
  Dims own = this->dims(onnx);
  int64_t shift = dims.size() - own.size();
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  SmallVector<AffineExpr> exprs;
  bool known = true;
  for (auto [axis, size] : llvm::enumerate(own)) {
    requireBroadcast(size, dims[axis + shift]);
    bool one = getConstantIntValue(size) == 1;
    exprs.push_back(one ? b.getAffineConstantExpr(0)
                        : b.getAffineDimExpr(axis + shift));
    known &= getConstantIntValue(size) || size == dims[axis + shift];
  }
  if (known)
    return map(
        element, dims,
        {{tensor, AffineMap::get(dims.size(), 0, exprs, b.getContext())}},
        [](OpBuilder &, ValueRange in) { return in[0]; });
  // A dim that may be 1 at run time only.
  return pull(element, dims, [&](OpBuilder &nested, ArrayRef<Value> indices) {
    Scalars s{nested, loc};
    SmallVector<Value> position;
    Value zero = s.integer(nested.getIndexType(), 0);
    Value one = s.integer(nested.getIndexType(), 1);
    for (auto [axis, size] : llvm::enumerate(own)) {
      Value at = indices[axis + shift];
      if (getConstantIntValue(size) == 1)
        at = zero;
      else if (auto dynamic = dyn_cast<Value>(size))
        at = s.select(s.compare(Comparison::Equal, dynamic, one, false), zero,
                      at);
      position.push_back(at);
    }
    return tensor::ExtractOp::create(nested, loc, tensor, position);
  });
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

Value Lowering::reduce(Value tensor, ArrayRef<int64_t> axes, TypedAttr start,
                       function_ref<Value(OpBuilder &, Value, Value)> combine) {
  return reduceWith(
      tensor, nullptr, axes, start,
      [&](OpBuilder &nested, Value accumulator, Value element, Value) {
        return combine(nested, accumulator, element);
      });
}

Value Lowering::reduceWith(
    Value tensor, Value operand, ArrayRef<int64_t> axes, TypedAttr start,
    function_ref<Value(OpBuilder &, Value, Value, Value)> combine) {
  Dims source = sizes(tensor), kept;
  int64_t rank = source.size();
  SmallVector<utils::IteratorType> iterators;
  SmallVector<AffineExpr> exprs;
  for (int64_t axis = 0; axis < rank; ++axis) {
    bool reduced = llvm::is_contained(axes, axis);
    iterators.push_back(reduced ? utils::IteratorType::reduction
                                : utils::IteratorType::parallel);
    if (reduced)
      continue;
    kept.push_back(source[axis]);
    exprs.push_back(b.getAffineDimExpr(axis));
  }
  AffineMap outer = AffineMap::get(rank, 0, exprs, b.getContext());
  SmallVector<MappedOperand> operands = {
      {tensor, b.getMultiDimIdentityMap(rank)}};
  if (operand)
    operands.push_back({operand, outer});
  return generic(filled(start.getType(), kept, start), outer, operands,
                 iterators, [&](OpBuilder &nested, ValueRange in) {
                   return operand ? combine(nested, in[2], in[0], in[1])
                                  : combine(nested, in[1], in[0], Value());
                 });
}

Value Lowering::keepAxes(Value reduced, ArrayRef<int64_t> axes) {
  Dims dims = sizes(reduced);
  SmallVector<int64_t> sorted(axes);
  llvm::sort(sorted);
  for (int64_t axis : sorted)
    dims.insert(dims.begin() + axis, attr(1));
  return reshape(reduced, dims);
}

Value Lowering::withReduced(Type element, Value tensor, ArrayRef<Value> reduced,
                            ArrayRef<int64_t> axes, BodyFunction body) {
  Dims dims = sizes(tensor);
  int64_t rank = dims.size();
  SmallVector<AffineExpr> exprs;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (!llvm::is_contained(axes, axis))
      exprs.push_back(b.getAffineDimExpr(axis));
  SmallVector<MappedOperand> operands = {
      {tensor, b.getMultiDimIdentityMap(rank)}};
  for (Value value : reduced)
    operands.push_back({value, AffineMap::get(rank, 0, exprs, b.getContext())});
  return map(element, dims, operands, body);
}
