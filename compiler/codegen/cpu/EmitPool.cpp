//===- EmitPool.cpp - kernel.pool -----------------------------------------===//
//
// Vectors of channels; a few neighbouring pixels at a time.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/Target.h"
#include "compiler/codegen/cpu/Window.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
using namespace onnxc;

ParallelExtent onnxc::poolExtent(Code &code, kernel::PoolOp op,
                                 ArrayRef<BufferView> operands,
                                 const Target &target) {
  const BufferView &output = operands.back();
  int64_t cost = elementCost * op.getWindow()[0] * op.getWindow()[1];
  for (Index size : {output.sizes[2], output.sizes[3]})
    cost *= Code::known(size).value_or(typicalSize);
  return {code.multiply(output.sizes[0], output.sizes[1]), cost};
}

namespace {
class Pool {
public:
  Pool(Code &code, kernel::PoolOp op, const KernelBody &body, WindowDim rows,
       WindowDim columns)
      : code(code), op(op), input(body.operands[0]), output(body.operands[1]),
        rows(rows), columns(columns), element(output.elementType),
        sumElement(element) {
    if (element.isF16() || element.isBF16())
      sumElement = code.builder.getF32Type();
    lanes =
        body.target.vectorBits / std::max(element.getIntOrFloatBitWidth(),
                                          sumElement.getIntOrFloatBitWidth());
  }

  void emitRow(Index image, Index row);

private:
  void emitTile(Index image, Index row, const PixelTile &tile, Index channel,
                Value mask);
  Value initial();
  Value combine(Value sum, Value x);
  Value finish(Value sum, Index row, Index column);
  Index tapsInside(const WindowDim &dim, Index position, int64_t after);

  Code &code;
  kernel::PoolOp op;
  const BufferView &input, &output;
  WindowDim rows, columns;
  Type element, sumElement;
  int64_t lanes;
};
} // namespace

void Pool::emitRow(Index image, Index row) {
  bool unrolled = columns.taps <= 7;
  emitPixelTiles(code, columns, 4, [&](const PixelTile &tile) {
    if (!unrolled && tile.taps == PixelTile::Taps::Known) {
      code.loop(tile.start, code.add(tile.start, code.constant(tile.pixels)), 1,
                [&](Index at) {
                  PixelTile pixel{at, 1, PixelTile::Taps::Dynamic};
                  emitChannels(code, output.sizes[3], lanes,
                               [&](Index channel, Value mask) {
                                 emitTile(image, row, pixel, channel, mask);
                               });
                });
      return;
    }
    emitChannels(code, output.sizes[3], lanes, [&](Index channel, Value mask) {
      emitTile(image, row, tile, channel, mask);
    });
  });
}

/// What a window without taps yields.
Value Pool::initial() {
  if (op.getKind() != kernel::PoolKind::Max)
    return code.zeros(sumElement, lanes);
  VectorType type = code.vectorType(sumElement, lanes);
  Attribute lowest;
  if (auto floating = dyn_cast<FloatType>(sumElement))
    lowest = code.builder.getFloatAttr(
        sumElement, llvm::APFloat::getInf(floating.getFloatSemantics(),
                                          /*Negative=*/true));
  else
    lowest = code.builder.getIntegerAttr(
        element,
        op.getIsUnsigned()
            ? llvm::APInt::getMinValue(element.getIntOrFloatBitWidth())
            : llvm::APInt::getSignedMinValue(element.getIntOrFloatBitWidth()));
  return arith::ConstantOp::create(code.builder, code.loc,
                                   DenseElementsAttr::get(type, lowest));
}

Value Pool::combine(Value sum, Value x) {
  OpBuilder &builder = code.builder;
  bool floating = isa<FloatType>(element);
  if (element != sumElement)
    x = arith::ExtFOp::create(builder, code.loc,
                              code.vectorType(sumElement, lanes), x);
  if (op.getKind() == kernel::PoolKind::Max) {
    if (floating)
      return arith::MaximumFOp::create(builder, code.loc, sum, x);
    if (op.getIsUnsigned())
      return arith::MaxUIOp::create(builder, code.loc, sum, x);
    return arith::MaxSIOp::create(builder, code.loc, sum, x);
  }
  if (!floating)
    return arith::AddIOp::create(builder, code.loc, sum, x);
  return arith::AddFOp::create(builder, code.loc, sum, x);
}

/// The taps of one dim that an average counts.
Index Pool::tapsInside(const WindowDim &dim, Index position, int64_t after) {
  if (op.getKind() == kernel::PoolKind::Average)
    return code.subtract(dim.lastTap(code, position),
                         dim.firstTap(code, position));
  return dim.lastTap(code, position, after);
}

Value Pool::finish(Value sum, Index row, Index column) {
  OpBuilder &builder = code.builder;
  if (op.getKind() == kernel::PoolKind::Average ||
      op.getKind() == kernel::PoolKind::AverageWithPad) {
    Index count = code.multiply(tapsInside(rows, row, op.getPads()[2]),
                                tapsInside(columns, column, op.getPads()[3]));
    // A window without taps is 0, not 0 / 0.
    count = code.maximum(count, code.constant(1));
    Value integer = arith::IndexCastOp::create(
        builder, code.loc, builder.getI64Type(), code.value(count));
    Value divisor =
        arith::SIToFPOp::create(builder, code.loc, sumElement, integer);
    sum = arith::DivFOp::create(builder, code.loc, sum,
                                code.splat(divisor, lanes));
  }
  if (element != sumElement)
    sum = arith::TruncFOp::create(builder, code.loc,
                                  code.vectorType(element, lanes), sum);
  return sum;
}

void Pool::emitTile(Index image, Index row, const PixelTile &tile,
                    Index channel, Value mask) {
  Index origin = code.add(
      code.add(code.multiply(image, input.strides[0]),
               code.multiply(rows.origin(code, row), input.strides[1])),
      code.add(
          code.multiply(columns.origin(code, tile.start), input.strides[2]),
          code.multiply(channel, input.strides[3])));
  Value inputTile = code.address(input.pointer, element, origin);
  Index rowStride = code.multiply(input.strides[1], rows.dilation);
  Index tapStride = code.multiply(input.strides[2], columns.dilation);
  Index pixelStride = code.multiply(input.strides[2], columns.stride);

  bool unrolled = columns.taps <= 7 && tile.taps != PixelTile::Taps::Dynamic;
  SmallVector<Value> sums(tile.pixels, initial());
  sums = code.loop(
      rows.firstTap(code, row), rows.lastTap(code, row), 1, sums,
      [&](Index tapRow, ValueRange carried) {
        SmallVector<Value> next(carried);
        Value inputRow =
            code.address(inputTile, element, code.multiply(tapRow, rowStride));
        if (!unrolled) {
          Index first = code.constant(0), last = code.constant(columns.taps);
          if (tile.taps == PixelTile::Taps::Dynamic) {
            first = columns.firstTap(code, tile.start);
            last = columns.lastTap(code, tile.start);
          }
          return code.loop(
              first, last, 1, next, [&](Index tap, ValueRange inner) {
                SmallVector<Value> result(inner);
                Value at = code.address(inputRow, element,
                                        code.multiply(tap, tapStride));
                for (int64_t pixel = 0; pixel < tile.pixels; ++pixel)
                  result[pixel] =
                      combine(result[pixel],
                              code.loadVector(at, element,
                                              code.multiply(pixelStride, pixel),
                                              lanes, mask, input.strides[3]));
                return result;
              });
        }
        for (int64_t tap = 0; tap < columns.taps; ++tap)
          for (int64_t pixel = 0; pixel < tile.pixels; ++pixel)
            if (tile.isInside(columns, pixel, tap))
              next[pixel] = combine(
                  next[pixel],
                  code.loadVector(inputRow, element,
                                  code.add(code.multiply(tapStride, tap),
                                           code.multiply(pixelStride, pixel)),
                                  lanes, mask, input.strides[3]));
        return next;
      });

  Index outputOffset =
      code.add(code.add(code.multiply(image, output.strides[0]),
                        code.multiply(row, output.strides[1])),
               code.add(code.multiply(tile.start, output.strides[2]),
                        code.multiply(channel, output.strides[3])));
  Value outputTile = code.address(output.pointer, element, outputOffset);
  for (int64_t pixel = 0; pixel < tile.pixels; ++pixel)
    code.storeVector(
        finish(sums[pixel], row, code.add(tile.start, code.constant(pixel))),
        outputTile, code.multiply(output.strides[2], pixel), mask,
        output.strides[3]);
}

LogicalResult onnxc::emitPool(kernel::PoolOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  const BufferView &input = body.operands[0], &output = body.operands[1];
  if (input.elementType != output.elementType)
    return op.emitOpError("input and output differ in element type");
  if (!input.elementType.isIntOrFloat() ||
      input.elementType.getIntOrFloatBitWidth() < 8 ||
      (!isa<FloatType>(input.elementType) &&
       (op.getKind() == kernel::PoolKind::Average ||
        op.getKind() == kernel::PoolKind::AverageWithPad)))
    return op.emitOpError("cannot compute this kind on elements of type ")
           << input.elementType;
  auto dim = [&](int64_t i) {
    return WindowDim{input.sizes[i + 1],   output.sizes[i + 1],
                     op.getWindow()[i],    op.getStrides()[i],
                     op.getDilations()[i], op.getPads()[i]};
  };
  Pool pool(code, op, body, dim(0), dim(1));
  code.loop(body.begin, body.end, 1, [&](Index unit) {
    pool.emitRow(code.divide(unit, output.sizes[1]),
                 code.remainder(unit, output.sizes[1]));
  });
  return success();
}
