//===- EmitDepthwiseConv.cpp - kernel.depthwise_conv ----------------------===//
//
// Vectors of channels, several neighbouring pixels at a time: each input
// vector is loaded once a row of taps and feeds every pixel that it reaches.
// The channels run inside, so that memory is read in order.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Epilogue.h"
#include "compiler/codegen/cpu/IntegerTile.h"
#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/Target.h"
#include "compiler/codegen/cpu/Window.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace onnxc;

/// Taps in a row up to which they are unrolled.
static constexpr int64_t unrolledTaps = 9;

ParallelExtent onnxc::depthwiseConvExtent(Code &code,
                                          kernel::DepthwiseConvOp op,
                                          ArrayRef<BufferView> operands,
                                          const Target &target) {
  const BufferView &filter = operands[1], &output = operands.back();
  int64_t cost = 2;
  for (Index size :
       {output.sizes[2], output.sizes[3], filter.sizes[0], filter.sizes[1]})
    cost *= Code::known(size).value_or(typicalSize);
  return {code.multiply(output.sizes[0], output.sizes[1]), cost};
}

namespace {
class DepthwiseConv {
public:
  DepthwiseConv(Code &code, const KernelBody &body, const Epilogue &epilogue,
                WindowDim rows, WindowDim columns)
      : code(code), input(body.operands[0]), filter(body.operands[1]),
        output(body.operands.back()), epilogue(epilogue), rows(rows),
        columns(columns), lanes(body.target.f32Lanes()) {}

  void emitRow(Index image, Index row);

private:
  void emitTile(Index image, Index row, const PixelTile &tile, Index channel,
                Value mask);

  Code &code;
  const BufferView &input, &filter, &output;
  const Epilogue &epilogue;
  WindowDim rows, columns;
  int64_t lanes;
};
} // namespace

void DepthwiseConv::emitRow(Index image, Index row) {
  bool unrolled = columns.taps <= unrolledTaps;
  emitPixelTiles(code, columns, 8, [&](const PixelTile &tile) {
    if (!unrolled && tile.taps == PixelTile::Taps::Known) {
      // Too many taps to write each: every pixel finds its own.
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

void DepthwiseConv::emitTile(Index image, Index row, const PixelTile &tile,
                             Index channel, Value mask) {
  // Pointers at tap (0, 0) of the first pixel; it may lie outside.
  Index origin = code.add(
      code.add(code.multiply(image, input.strides[0]),
               code.multiply(rows.origin(code, row), input.strides[1])),
      code.add(
          code.multiply(columns.origin(code, tile.start), input.strides[2]),
          code.multiply(channel, input.strides[3])));
  Value inputTile = code.address(input.pointer, input.elementType, origin);
  Value filterTile = code.address(filter.pointer, filter.elementType,
                                  code.multiply(channel, filter.strides[2]));
  Index rowStride = code.multiply(input.strides[1], rows.dilation);
  Index tapStride = code.multiply(input.strides[2], columns.dilation);
  Index pixelStride = code.multiply(input.strides[2], columns.stride);
  auto loadFilter = [&](Value at, Index tap) {
    return code.toF32(code.loadVector(at, filter.elementType,
                                      code.multiply(tap, filter.strides[1]),
                                      lanes, mask, filter.strides[2]));
  };
  auto loadInput = [&](Value at, Index offset) {
    return code.toF32(code.loadVector(at, input.elementType, offset, lanes,
                                      mask, input.strides[3]));
  };
  auto accumulate = [&](Value x, Value weight, Value &sum) {
    sum = vector::FMAOp::create(code.builder, code.loc, x, weight, sum);
  };

  bool unrolled =
      columns.taps <= unrolledTaps && tile.taps != PixelTile::Taps::Dynamic;
  SmallVector<Value> sums(tile.pixels,
                          code.zeros(code.builder.getF32Type(), lanes));
  sums = code.loop(
      rows.firstTap(code, row), rows.lastTap(code, row), 1, sums,
      [&](Index tapRow, ValueRange carried) {
        SmallVector<Value> next(carried);
        Value inputRow = code.address(inputTile, input.elementType,
                                      code.multiply(tapRow, rowStride));
        Value filterRow =
            code.address(filterTile, filter.elementType,
                         code.multiply(tapRow, filter.strides[0]));
        if (!unrolled) {
          Index first = code.constant(0), last = code.constant(columns.taps);
          if (tile.taps == PixelTile::Taps::Dynamic) {
            first = columns.firstTap(code, tile.start);
            last = columns.lastTap(code, tile.start);
          }
          return code.loop(
              first, last, 1, next, [&](Index tap, ValueRange inner) {
                SmallVector<Value> result(inner);
                Value weight = loadFilter(filterRow, tap);
                Value at = code.address(inputRow, input.elementType,
                                        code.multiply(tap, tapStride));
                for (int64_t pixel = 0; pixel < tile.pixels; ++pixel)
                  accumulate(loadInput(at, code.multiply(pixelStride, pixel)),
                             weight, result[pixel]);
                return result;
              });
        }
        SmallVector<Value> weights(columns.taps);
        // Column by column of the input; the pixels and taps that meet there.
        int64_t extent = (tile.pixels - 1) * columns.stride +
                         (columns.taps - 1) * columns.dilation + 1;
        for (int64_t column = 0; column < extent; ++column) {
          Value x;
          for (int64_t pixel = 0; pixel < tile.pixels; ++pixel) {
            int64_t distance = column - pixel * columns.stride;
            if (distance < 0 || distance % columns.dilation != 0)
              continue;
            int64_t tap = distance / columns.dilation;
            if (tap >= columns.taps || !tile.isInside(columns, pixel, tap))
              continue;
            if (!weights[tap])
              weights[tap] = loadFilter(filterRow, code.constant(tap));
            if (!x)
              x = loadInput(inputRow, code.multiply(input.strides[2], column));
            accumulate(x, weights[tap], next[pixel]);
          }
        }
        return next;
      });

  // Sums of integers are exact in f32 as far as lowering makes this operation.
  if (isIntegerContraction(input.elementType, filter.elementType))
    for (Value &sum : sums)
      sum = arith::FPToSIOp::create(
          code.builder, code.loc,
          code.vectorType(code.builder.getI32Type(), lanes), sum);
  SmallVector<RowSteps> steps;
  for (int64_t pixel = 0; pixel < tile.pixels; ++pixel)
    steps.push_back({Step{2, pixel}});
  epilogue.store(code, {image, row, tile.start, channel}, steps, sums, {mask},
                 lanes);
}

LogicalResult onnxc::emitDepthwiseConv(kernel::DepthwiseConvOp op,
                                       KernelBody &body) {
  Code code(body.builder, body.loc);
  const BufferView &input = body.operands[0], &filter = body.operands[1],
                   &output = body.operands.back();
  size_t count = op.getEpilogueOperands().size();
  Epilogue epilogue(op.getEpilogueBlock(), op.getEpilogueMaps(),
                    body.operands.slice(2, count), body.scalars.slice(2, count),
                    output);
  std::string reason;
  if (failed(epilogue.check(reason)))
    return op.emitOpError() << reason;
  bool integers = isIntegerContraction(input.elementType, filter.elementType);
  if (!integers && (!isa<FloatType>(input.elementType) ||
                    !isa<FloatType>(filter.elementType)))
    return op.emitOpError("operands must be of floating point, or signed "
                          "integers of 8 or 16 bits");
  auto taps = [&](int64_t i) { return Code::known(filter.sizes[i]); };
  if (!taps(0) || !taps(1))
    return op.emitOpError("the filter's window must be static");
  auto dim = [&](int64_t i) {
    return WindowDim{input.sizes[i + 1], output.sizes[i + 1],  *taps(i),
                     op.getStrides()[i], op.getDilations()[i], op.getPads()[i]};
  };
  DepthwiseConv conv(code, body, epilogue, dim(0), dim(1));
  code.loop(body.begin, body.end, 1, [&](Index unit) {
    conv.emitRow(code.divide(unit, output.sizes[1]),
                 code.remainder(unit, output.sizes[1]));
  });
  return success();
}
