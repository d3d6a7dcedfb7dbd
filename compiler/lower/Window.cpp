//===- Window.cpp - Sliding windows of convolutions and pools -------------===//

#include "compiler/lower/Window.h"

#include "compiler/lower/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

bool Window::hasStaticPads() const {
  auto isStatic = [](OpFoldResult pad) {
    return getConstantIntValue(pad).has_value();
  };
  return llvm::all_of(before, isStatic) && llvm::all_of(after, isStatic);
}

bool Window::hasNoPads() const {
  auto isZero = [](OpFoldResult pad) { return getConstantIntValue(pad) == 0; };
  return llvm::all_of(before, isZero) && llvm::all_of(after, isZero);
}

FailureOr<Window> onnxc::readWindow(Lowering &l, OnnxNode n,
                                    ArrayRef<OpFoldResult> input,
                                    ArrayRef<OpFoldResult> kernel) {
  size_t spatial = kernel.size();
  Window window;
  for (OpFoldResult size : kernel)
    window.kernel.push_back(
        getConstantIntValue(size).value_or(ShapedType::kDynamic));
  SmallVector<int64_t> ones(spatial, 1);
  window.strides = n.integers("strides").value_or(ones);
  window.dilations = n.integers("dilations").value_or(ones);
  SmallVector<int64_t> pads =
      n.integers("pads").value_or(SmallVector<int64_t>(2 * spatial, 0));
  if (pads.empty())
    pads.assign(2 * spatial, 0);
  if (window.strides.size() != spatial || window.dilations.size() != spatial ||
      pads.size() != 2 * spatial || input.size() != spatial + 2)
    return l.refuse("strides, dilations, pads and the kernel do not fit the "
                    "input's rank");
  for (size_t i = 0; i < spatial; ++i)
    if (window.strides[i] < 1 || window.dilations[i] < 1 ||
        getConstantIntValue(kernel[i]).value_or(1) < 1 || pads[i] < 0 ||
        pads[i + spatial] < 0 || window.strides[i] > INT32_MAX ||
        window.dilations[i] > INT32_MAX || window.kernel[i] > INT32_MAX ||
        pads[i] > INT32_MAX || pads[i + spatial] > INT32_MAX)
      return l.refuse("strides, dilations, kernel and pads must be positive "
                      "and below 2^31");
  StringRef autoPad = n.string("auto_pad", "NOTSET");
  bool ceilMode = n.integer("ceil_mode", 0);
  for (size_t i = 0; i < spatial; ++i) {
    OpFoldResult size = input[i + 2];
    OpFoldResult stride = l.attr(window.strides[i]);
    l.requireAtLeast(kernel[i], 1, "a dim of the kernel");
    OpFoldResult reach =
        l.mul(l.sub(kernel[i], l.attr(1)), l.attr(window.dilations[i]));
    OpFoldResult extent = l.add(reach, l.attr(1));
    if (autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER") {
      OpFoldResult count = l.ceilDiv(size, stride);
      OpFoldResult total =
          window.strides[i] == 1
              ? reach
              : l.max(
                    l.sub(l.add(l.mul(l.sub(count, l.attr(1)), stride), extent),
                          size),
                    l.attr(0));
      OpFoldResult less = l.floorDiv(total, l.attr(2));
      OpFoldResult more = l.sub(total, less);
      bool upper = autoPad == "SAME_UPPER";
      window.before.push_back(upper ? less : more);
      window.after.push_back(upper ? more : less);
      window.outputs.push_back(count);
      continue;
    }
    bool valid = autoPad == "VALID";
    OpFoldResult before = l.attr(valid ? 0 : pads[i]);
    OpFoldResult after = l.attr(valid ? 0 : pads[i + spatial]);
    window.before.push_back(before);
    window.after.push_back(after);
    OpFoldResult room = l.sub(l.add(size, l.add(before, after)), extent);
    OpFoldResult steps =
        ceilMode ? l.ceilDiv(room, stride) : l.floorDiv(room, stride);
    OpFoldResult count = l.add(steps, l.attr(1));
    l.requireAtLeast(count, 0, "dim " + Twine(i + 2) + " of the output");
    count = l.max(count, l.attr(0));
    if (ceilMode) {
      // The last window must begin inside the input or its left padding.
      OpFoldResult limit = l.ceilDiv(l.add(size, before), stride);
      count = l.min(count, limit);
    }
    window.outputs.push_back(count);
  }
  return window;
}

Value onnxc::reduceWindow(Lowering &l, Value input, const Window &window,
                          TypedAttr start,
                          function_ref<Value(OpBuilder &, Value, Value,
                                             ArrayRef<Value>, ArrayRef<Value>)>
                              combine) {
  OpBuilder &b = l.b;
  Dims source = l.sizes(input);
  Dims dims = {source[0], source[1]};
  llvm::append_range(dims, window.outputs);
  size_t outRank = dims.size(), spatial = window.spatial();
  size_t loops = outRank + spatial;
  SmallVector<utils::IteratorType> iterators(outRank,
                                             utils::IteratorType::parallel);
  iterators.append(spatial, utils::IteratorType::reduction);
  SmallVector<AffineExpr> outExprs, kernelExprs;
  for (size_t i = 0; i < outRank; ++i)
    outExprs.push_back(b.getAffineDimExpr(i));
  for (size_t i = 0; i < spatial; ++i)
    kernelExprs.push_back(b.getAffineDimExpr(outRank + i));
  // Only its shape is used: it gives the loops over the window their bounds.
  Value shape =
      tensor::EmptyOp::create(b, l.loc, window.kernel, b.getF32Type());
  SmallVector<Value> sizes, before;
  for (size_t i = 0; i < spatial; ++i) {
    sizes.push_back(l.index(source[i + 2]));
    before.push_back(l.index(window.before[i]));
  }
  return l.generic(
      l.filled(start.getType(), dims, start),
      AffineMap::get(loops, 0, outExprs, b.getContext()),
      {{shape, AffineMap::get(loops, 0, kernelExprs, b.getContext())}},
      iterators, [&](OpBuilder &nested, ValueRange arguments) -> Value {
        Scalars s{nested, l.loc};
        Value accumulator = arguments[1];
        SmallVector<Value> output;
        for (size_t i = 0; i < outRank; ++i)
          output.push_back(linalg::IndexOp::create(nested, l.loc, i));
        SmallVector<Value> position(ArrayRef(output).take_front(2));
        Value inside;
        for (size_t i = 0; i < spatial; ++i) {
          Value tap = linalg::IndexOp::create(nested, l.loc, outRank + i);
          Type index = nested.getIndexType();
          Value at = s.sub(
              s.add(s.mul(output[i + 2], s.integer(index, window.strides[i])),
                    s.mul(tap, s.integer(index, window.dilations[i]))),
              before[i]);
          position.push_back(at);
          // Below zero is beyond the size when seen as unsigned.
          Value fits = s.compare(Comparison::Less, at, sizes[i], true);
          inside = inside ? s.logicalAnd(inside, fits) : fits;
        }
        if (!inside)
          inside = s.integer(nested.getI1Type(), 1);
        return scf::IfOp::create(
                   nested, l.loc, inside,
                   [&](OpBuilder &then, Location loc) {
                     Value tap =
                         tensor::ExtractOp::create(then, loc, input, position);
                     scf::YieldOp::create(
                         then, loc,
                         combine(then, accumulator, tap, position, output));
                   },
                   [&](OpBuilder &otherwise, Location loc) {
                     scf::YieldOp::create(otherwise, loc, accumulator);
                   })
            .getResult(0);
      });
}

Value onnxc::padWith(Lowering &l, Value tensor, ArrayRef<OpFoldResult> before,
                     ArrayRef<OpFoldResult> after, TypedAttr value) {
  Dims source = l.sizes(tensor), dims;
  for (size_t i = 0; i < source.size(); ++i)
    dims.push_back(l.add(source[i], l.add(before[i], after[i])));
  Value init = l.filled(value.getType(), dims, value);
  Dims ones(source.size(), l.attr(1));
  return l.insertSlice(tensor, init, before, source, ones);
}

Value onnxc::toChannelsLast(Lowering &l, Value tensor) {
  Dims dims = l.sizes(tensor);
  if (dims.size() == 3) {
    tensor = l.reshape(tensor, {dims[0], dims[1], l.attr(1), dims[2]});
  }
  return l.transpose(tensor, {0, 2, 3, 1});
}

Value onnxc::fromChannelsLast(Lowering &l, Value tensor, int64_t rank) {
  tensor = l.transpose(tensor, {0, 3, 1, 2});
  if (rank == 4)
    return tensor;
  Dims dims = l.sizes(tensor);
  return l.reshape(tensor, {dims[0], dims[1], dims[3]});
}

Value onnxc::addBias(Lowering &l, Value tensor, Value bias, int64_t axis) {
  Dims dims = l.sizes(tensor);
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  AffineMap map = AffineMap::get(dims.size(), 0, l.b.getAffineDimExpr(axis));
  return l.map(element, dims,
               {{tensor, l.b.getMultiDimIdentityMap(dims.size())}, {bias, map}},
               [&](OpBuilder &nested, ValueRange in) {
                 return Scalars{nested, l.loc}.add(in[0], in[1]);
               });
}
