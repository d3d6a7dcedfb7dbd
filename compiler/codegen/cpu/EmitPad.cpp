//===- EmitPad.cpp - kernel.pad -------------------------------------------===//
//
// Row by row of the output: zeros, a copy, zeros.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/Target.h"
#include "compiler/codegen/cpu/Window.h"

using namespace mlir;
using namespace onnxc;

ParallelExtent onnxc::padExtent(Code &code, kernel::PadOp op,
                                ArrayRef<BufferView> operands,
                                const Target &target) {
  const BufferView &output = operands.back();
  int64_t cost = Code::known(output.sizes[2]).value_or(0) *
                 Code::known(output.sizes[3]).value_or(0);
  return {code.multiply(output.sizes[0], output.sizes[1]), cost};
}

LogicalResult onnxc::emitPad(kernel::PadOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  const BufferView &input = body.operands[0], &output = body.operands[1];
  Type element = input.elementType;
  if (element != output.elementType || !element.isIntOrFloat() ||
      element.getIntOrFloatBitWidth() < 8)
    return op.emitOpError("cannot pad elements of type ") << element;
  if (!Code::isKnown(input.strides[3], 1) ||
      !Code::isKnown(output.strides[3], 1))
    return op.emitOpError("channels must be contiguous");
  int64_t lanes = body.target.vectorBits / element.getIntOrFloatBitWidth();
  int64_t padH = op.getPads()[0], padW = op.getPads()[1];
  Index channels = output.sizes[3];

  // Elements [from, to) of a row of the output.
  auto clear = [&](Value row, Index from, Index to) {
    Value at = code.address(row, element, from);
    emitChannels(code, code.maximum(code.subtract(to, from), code.constant(0)),
                 lanes, [&](Index i, Value mask) {
                   code.storeVector(code.zeros(element, lanes), at, i, mask);
                 });
  };
  auto copy = [&](Value from, Value to, Index count) {
    emitChannels(code, count, lanes, [&](Index i, Value mask) {
      code.storeVector(code.loadVector(from, element, i, lanes, mask), to, i,
                       mask);
    });
  };
  auto isSame = [](Index a, Index b) {
    return a == b || (Code::known(a) && Code::known(a) == Code::known(b));
  };
  bool gapless =
      isSame(input.strides[2], channels) && isSame(output.strides[2], channels);

  code.loop(body.begin, body.end, 1, [&](Index unit) {
    Index image = code.divide(unit, output.sizes[1]);
    Index row = code.remainder(unit, output.sizes[1]);
    Value outputRow =
        code.address(output.pointer, element,
                     code.add(code.multiply(image, output.strides[0]),
                              code.multiply(row, output.strides[1])));
    // Runs of pixels; one at a time where they do not adjoin.
    auto clearPixels = [&](Index from, Index to) {
      if (gapless)
        return clear(outputRow, code.multiply(from, channels),
                     code.multiply(to, channels));
      code.loop(from, to, 1, [&](Index pixel) {
        Index start = code.multiply(pixel, output.strides[2]);
        clear(outputRow, start, code.add(start, channels));
      });
    };
    Index inputRow = code.subtract(row, code.constant(padH));
    Index above = code.less(row, code.constant(padH));
    auto inside = [&] {
      Value from =
          code.address(input.pointer, element,
                       code.add(code.multiply(image, input.strides[0]),
                                code.multiply(inputRow, input.strides[1])));
      Index left = code.minimum(code.constant(padW), output.sizes[2]);
      Index right = code.minimum(code.add(input.sizes[2], code.constant(padW)),
                                 output.sizes[2]);
      Index width = code.subtract(right, left);
      clearPixels(code.constant(0), left);
      if (gapless) {
        copy(from,
             code.address(outputRow, element, code.multiply(left, channels)),
             code.multiply(width, channels));
      } else {
        code.loop(code.constant(0), width, 1, [&](Index pixel) {
          copy(code.address(from, element,
                            code.multiply(pixel, input.strides[2])),
               code.address(
                   outputRow, element,
                   code.multiply(code.add(left, pixel), output.strides[2])),
               channels);
        });
      }
      clearPixels(right, output.sizes[2]);
    };
    auto outside = [&] { clearPixels(code.constant(0), output.sizes[2]); };
    code.branch(above, outside, [&] {
      code.branch(code.less(inputRow, input.sizes[1]), inside, outside);
    });
  });
  return success();
}
