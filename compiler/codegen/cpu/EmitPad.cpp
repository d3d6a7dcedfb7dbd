//===- EmitPad.cpp - kernel.pad and kernel.pad_border
//----------------------===//
//
// Row by row of the output: zeros, a copy (or what is there), zeros.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/Target.h"
#include "compiler/codegen/cpu/Window.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// The rows of pixels of a channels-last buffer.
class PixelRows {
public:
  PixelRows(Code &code, const BufferView &buffer, const Target &target)
      : code(code), buffer(buffer), channels(buffer.sizes[3]),
        lanes(target.vectorBits / buffer.elementType.getIntOrFloatBitWidth()) {}

  /// Why rows of `buffer` cannot be written, or nothing.
  static LogicalResult check(Operation *op, const BufferView &buffer) {
    Type element = buffer.elementType;
    if (!element.isIntOrFloat() || element.getIntOrFloatBitWidth() < 8)
      return op->emitOpError("cannot pad elements of type ") << element;
    return success();
  }

  Value address(Index image, Index row) const {
    return code.address(buffer.pointer, buffer.elementType,
                        code.add(code.multiply(image, buffer.strides[0]),
                                 code.multiply(row, buffer.strides[1])));
  }
  Value pixel(Value row, Index position) const {
    return code.address(row, buffer.elementType,
                        code.multiply(position, buffer.strides[2]));
  }

  /// Whether each pixel adjoins the next.
  bool gapless() const {
    Index stride = buffer.strides[2];
    if (!Code::isKnown(buffer.strides[3], 1))
      return false;
    return stride == channels || (Code::known(stride) &&
                                  Code::known(stride) == Code::known(channels));
  }

  /// Zeroes the pixels [from, to) of the row at `row`.
  void clear(Value row, Index from, Index to) const {
    if (gapless()) {
      Index count = code.maximum(code.subtract(to, from), code.constant(0));
      return clearElements(pixel(row, from), code.multiply(count, channels));
    }
    code.loop(from, to, 1,
              [&](Index i) { clearElements(pixel(row, i), channels); });
  }

  /// Copies the pixels [0, count) of the row at `from`, of buffer `source`, to
  /// `to`.
  void copy(const PixelRows &source, Value from, Value to, Index count) const {
    if (gapless() && source.gapless())
      return copyElements(source, from, to, code.multiply(count, channels));
    code.loop(code.constant(0), count, 1, [&](Index i) {
      copyElements(source, source.pixel(from, i), pixel(to, i), channels);
    });
  }

private:
  void clearElements(Value at, Index count) const {
    emitChannels(code, count, lanes, [&](Index i, Value mask) {
      Index stride = buffer.strides[3];
      code.storeVector(code.zeros(buffer.elementType, lanes), at,
                       code.multiply(i, stride), mask, stride);
    });
  }
  void copyElements(const PixelRows &source, Value from, Value to,
                    Index count) const {
    Index read = source.buffer.strides[3], write = buffer.strides[3];
    emitChannels(code, count, lanes, [&](Index i, Value mask) {
      Value elements = code.loadVector(
          from, buffer.elementType, code.multiply(i, read), lanes, mask, read);
      code.storeVector(elements, to, code.multiply(i, write), mask, write);
    });
  }

  Code &code;
  const BufferView &buffer;
  Index channels;
  int64_t lanes;
};
} // namespace

ParallelExtent onnxc::padExtent(Code &code, kernel::PadOp op,
                                ArrayRef<BufferView> operands,
                                const Target &target) {
  const BufferView &output = operands.back();
  int64_t cost = elementCost *
                 Code::known(output.sizes[2]).value_or(typicalSize) *
                 Code::known(output.sizes[3]).value_or(typicalSize);
  return {code.multiply(output.sizes[0], output.sizes[1]), cost};
}

LogicalResult onnxc::emitPad(kernel::PadOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  const BufferView &input = body.operands[0], &output = body.operands[1];
  if (failed(PixelRows::check(op, input)) ||
      failed(PixelRows::check(op, output)))
    return failure();
  if (input.elementType != output.elementType)
    return op.emitOpError("input and output differ in element type");
  PixelRows inputRows(code, input, body.target);
  PixelRows outputRows(code, output, body.target);
  Index top = code.constant(op.getPads()[0]);
  Index before = code.constant(op.getPads()[1]);

  code.loop(body.begin, body.end, 1, [&](Index unit) {
    Index image = code.divide(unit, output.sizes[1]);
    Index row = code.remainder(unit, output.sizes[1]);
    Value to = outputRows.address(image, row);
    Index inputRow = code.subtract(row, top);
    auto inside = [&] {
      Index left = code.minimum(before, output.sizes[2]);
      Index right =
          code.minimum(code.add(input.sizes[2], before), output.sizes[2]);
      outputRows.clear(to, code.constant(0), left);
      outputRows.copy(inputRows, inputRows.address(image, inputRow),
                      outputRows.pixel(to, left), code.subtract(right, left));
      outputRows.clear(to, right, output.sizes[2]);
    };
    auto outside = [&] {
      outputRows.clear(to, code.constant(0), output.sizes[2]);
    };
    code.branch(code.less(row, top), outside, [&] {
      code.branch(code.less(inputRow, input.sizes[1]), inside, outside);
    });
  });
  return success();
}

ParallelExtent onnxc::padBorderExtent(Code &code,
                                      ArrayRef<BufferView> operands) {
  const BufferView &output = operands.back();
  // A handful of pixels a row: not worth a second thread.
  return {code.multiply(output.sizes[0], output.sizes[1]), 1};
}

LogicalResult onnxc::emitPadBorder(kernel::PadBorderOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  const BufferView &output = body.operands.back();
  Index height = body.scalars[0], width = body.scalars[1];
  if (failed(PixelRows::check(op, output)))
    return failure();
  PixelRows rows(code, output, body.target);
  Index top = code.constant(op.getPads()[0]);
  Index left = code.constant(op.getPads()[1]);
  code.loop(body.begin, body.end, 1, [&](Index unit) {
    Index image = code.divide(unit, output.sizes[1]);
    Index row = code.remainder(unit, output.sizes[1]);
    Value at = rows.address(image, row);
    auto outside = [&] { rows.clear(at, code.constant(0), output.sizes[2]); };
    code.branch(code.less(row, top), outside, [&] {
      code.branch(
          code.less(row, code.add(top, height)),
          [&] {
            rows.clear(at, code.constant(0),
                       code.minimum(left, output.sizes[2]));
            rows.clear(at, code.add(left, width), output.sizes[2]);
          },
          outside);
    });
  });
  return success();
}
