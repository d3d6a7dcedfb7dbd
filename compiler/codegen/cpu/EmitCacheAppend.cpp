//===- EmitCacheAppend.cpp - kernel.cache_append --------------------------===//
//
// A unit is one head of one element of the batch: rows of past, of fresh,
// zeros.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace onnxc;

ParallelExtent onnxc::cacheAppendExtent(Code &code,
                                        ArrayRef<BufferView> operands) {
  const BufferView &output = operands.back();
  int64_t length = Code::known(output.sizes[2]).value_or(typicalSize);
  int64_t width = Code::known(output.sizes[3]).value_or(typicalSize);
  return {code.multiply(output.sizes[0], output.sizes[1]), length * width};
}

namespace {
/// Writes the units.
class CacheWriter {
public:
  CacheWriter(Code &code, kernel::CacheAppendOp op, KernelBody &body)
      : code(code), past(op.getPast() ? &body.operands[0] : nullptr),
        fresh(body.operands[past ? 1 : 0]), starts(body.operands[past ? 2 : 1]),
        output(body.operands.back()), element(output.elementType),
        lanes(body.target.vectorBits / element.getIntOrFloatBitWidth()) {}

  void writeUnit(Index unit);

private:
  /// Row `row` of the rows at `base`.
  Value at(Value base, Index row, Index stride) {
    return code.address(base, element, code.multiply(row, stride));
  }
  void copyRow(Value to, Value from, Index stride);
  void clearRow(Value to);
  /// `body(column, lanes)` over a row, in vectors and what is left.
  void eachPart(llvm::function_ref<void(Index, int64_t)> body);
  Value isShared();

  Code &code;
  const BufferView *past; ///< null where absent
  const BufferView &fresh, &starts, &output;
  Type element;
  int64_t lanes;
};
} // namespace

void CacheWriter::eachPart(llvm::function_ref<void(Index, int64_t)> body) {
  Index width = output.sizes[3];
  Index whole = code.multiply(code.divide(width, lanes), lanes);
  code.loop(code.constant(0), whole, lanes,
            [&](Index column) { body(column, lanes); });
  code.loop(whole, width, 1, [&](Index column) { body(column, 1); });
}

void CacheWriter::copyRow(Value to, Value from, Index stride) {
  eachPart([&](Index column, int64_t count) {
    Value part = code.loadVector(from, element, code.multiply(column, stride),
                                 count, {}, stride);
    code.storeVector(part, to, code.multiply(column, output.strides[3]), {},
                     output.strides[3]);
  });
}

void CacheWriter::clearRow(Value to) {
  eachPart([&](Index column, int64_t count) {
    code.storeVector(code.zeros(element, count), to,
                     code.multiply(column, output.strides[3]), {},
                     output.strides[3]);
  });
}

/// Whether past is where the output is, row by row.
Value CacheWriter::isShared() {
  OpBuilder &builder = code.builder;
  Value shared =
      LLVM::ICmpOp::create(builder, code.loc, LLVM::ICmpPredicate::eq,
                           past->pointer, output.pointer);
  for (int64_t dim = 0; dim < 4; ++dim) {
    Value same = arith::CmpIOp::create(
        builder, code.loc, arith::CmpIPredicate::eq,
        code.value(past->strides[dim]), code.value(output.strides[dim]));
    shared = arith::AndIOp::create(builder, code.loc, shared, same);
  }
  return shared;
}

void CacheWriter::writeUnit(Index unit) {
  OpBuilder &builder = code.builder;
  Index batch = code.divide(unit, output.sizes[1]);
  Index head = code.remainder(unit, output.sizes[1]);
  auto placeIn = [&](const BufferView &view, int64_t headDim) {
    return code.address(view.pointer, element,
                        code.add(code.multiply(batch, view.strides[0]),
                                 code.multiply(head, view.strides[headDim])));
  };
  Value to = placeIn(output, 1);
  Value begin = code.loadScalar(starts.pointer, starts.elementType,
                                code.multiply(batch, starts.strides[0]));
  Index start = arith::IndexCastOp::create(builder, code.loc,
                                           builder.getIndexType(), begin)
                    .getResult();
  Index end = code.add(start, fresh.sizes[1]);

  Value added = placeIn(fresh, 2);
  code.loop(code.constant(0), fresh.sizes[1], 1, [&](Index row) {
    copyRow(at(to, code.add(start, row), output.strides[2]),
            at(added, row, fresh.strides[1]), fresh.strides[3]);
  });
  auto others = [&] {
    if (past) {
      Value from = placeIn(*past, 1);
      code.loop(code.constant(0), start, 1, [&](Index row) {
        copyRow(at(to, row, output.strides[2]), at(from, row, past->strides[2]),
                past->strides[3]);
      });
    }
    code.loop(end, output.sizes[2], 1,
              [&](Index row) { clearRow(at(to, row, output.strides[2])); });
  };
  if (!past)
    return others();
  code.branch(isShared(), [] {}, others);
}

LogicalResult onnxc::emitCacheAppend(kernel::CacheAppendOp op,
                                     KernelBody &body) {
  Type element = body.operands.back().elementType;
  if (!element.isIntOrFloat() || element.getIntOrFloatBitWidth() < 8)
    return op.emitOpError("cannot move elements of type ") << element;
  Code code(body.builder, body.loc);
  CacheWriter writer(code, op, body);
  code.loop(body.begin, body.end, 1,
            [&](Index unit) { writer.writeUnit(unit); });
  return success();
}
