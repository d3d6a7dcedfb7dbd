//===- EmitSoftmax.cpp - kernel.softmax, row by row -----------------------===//
//
// A unit is one row. Its maximum ignores NaN: the exponential of a NaN is one,
// and so is the sum.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;
using namespace onnxc;

/// Independent accumulators: they hide the latency of maximum and sum.
static constexpr int64_t chains = 4;

static Index countRows(Code &code, const BufferView &view) {
  Index rows = code.constant(1);
  for (Index size : ArrayRef<Index>(view.sizes).drop_back())
    rows = code.multiply(rows, size);
  return rows;
}

ParallelExtent onnxc::softmaxExtent(Code &code, ArrayRef<BufferView> operands) {
  constexpr int64_t scoreCost = 64; // an exponential, and four passes
  return {countRows(code, operands[0]),
          scoreCost *
              Code::known(operands[0].sizes.back()).value_or(typicalSize)};
}

namespace {
class RowWriter {
public:
  RowWriter(Code &code, const BufferView &input, const BufferView &output,
            int64_t lanes)
      : code(code), input(input), output(output), lanes(lanes),
        size(input.sizes.back()) {}

  void write(Index row) {
    Value from = rowOf(input, row), to = rowOf(output, row);
    OpBuilder &builder = code.builder;
    Type f32 = builder.getF32Type();
    auto splat = [&](float value) {
      return code.splat(
          arith::ConstantOp::create(builder, code.loc,
                                    builder.getFloatAttr(f32, value)),
          lanes);
    };
    Value lowest = splat(-std::numeric_limits<float>::infinity());
    Value maximum = reduce(
        lowest, vector::CombiningKind::MAXIMUMF,
        [&](Index at, Value mask, Value sum) {
          Value x = load(input, from, at, mask);
          if (mask)
            x = arith::SelectOp::create(builder, code.loc, mask, x, lowest);
          return larger(x, sum);
        },
        [&](Value a, Value b) { return larger(a, b); });
    maximum = code.splat(maximum, lanes);
    Value zero = code.zeros(f32, lanes);
    Value sum = reduce(
        zero, vector::CombiningKind::ADD,
        [&](Index at, Value mask, Value sum) {
          Value x = load(input, from, at, mask);
          x = arith::SubFOp::create(builder, code.loc, x, maximum);
          x = math::ExpOp::create(builder, code.loc, x);
          store(x, to, at, mask);
          if (mask)
            x = arith::SelectOp::create(builder, code.loc, mask, x, zero);
          return arith::AddFOp::create(builder, code.loc, sum, x).getResult();
        },
        [&](Value a, Value b) {
          return arith::AddFOp::create(builder, code.loc, a, b).getResult();
        });
    Value one = arith::ConstantOp::create(builder, code.loc,
                                          builder.getF32FloatAttr(1));
    Value scale =
        code.splat(arith::DivFOp::create(builder, code.loc, one, sum), lanes);
    forAll([&](Index at, Value mask) {
      Value x = load(output, to, at, mask);
      store(arith::MulFOp::create(builder, code.loc, x, scale), to, at, mask);
    });
  }

private:
  Value rowOf(const BufferView &view, Index row) {
    Index offset = code.constant(0);
    for (int64_t dim = view.rank() - 2; dim >= 0; --dim) {
      Index position = dim == 0 ? row : code.remainder(row, view.sizes[dim]);
      row = code.divide(row, view.sizes[dim]);
      offset = code.add(offset, code.multiply(position, view.strides[dim]));
    }
    return code.address(view.pointer, view.elementType, offset);
  }

  Value load(const BufferView &view, Value row, Index at, Value mask) {
    Index stride = view.strides.back();
    return code.loadVector(row, view.elementType, code.multiply(at, stride),
                           lanes, mask, stride);
  }

  void store(Value value, Value row, Index at, Value mask) {
    Index stride = output.strides.back();
    code.storeVector(value, row, code.multiply(at, stride), mask, stride);
  }

  /// a > b ? a : b, which is b where a is NaN: one instruction.
  Value larger(Value a, Value b) {
    Value more = arith::CmpFOp::create(code.builder, code.loc,
                                       arith::CmpFPredicate::OGT, a, b);
    return arith::SelectOp::create(code.builder, code.loc, more, a, b);
  }

  void forAll(llvm::function_ref<void(Index, Value)> body) {
    Index whole = code.multiply(code.divide(size, lanes), lanes);
    code.loop(code.constant(0), whole, lanes,
              [&](Index at) { body(at, Value()); });
    code.loop(whole, size, lanes, [&](Index at) {
      body(at, code.laneMask(code.subtract(size, at), lanes));
    });
  }

  /// `step` over the row with several accumulators, joined to one number.
  Value reduce(Value start, vector::CombiningKind kind,
               llvm::function_ref<Value(Index, Value, Value)> step,
               llvm::function_ref<Value(Value, Value)> combine) {
    Index wide =
        code.multiply(code.divide(size, lanes * chains), lanes * chains);
    SmallVector<Value> partial = code.loop(
        code.constant(0), wide, lanes * chains,
        SmallVector<Value>(chains, start), [&](Index at, ValueRange carried) {
          SmallVector<Value> next;
          for (auto [chain, value] : llvm::enumerate(carried))
            next.push_back(
                step(code.add(at, code.constant(chain * lanes)), {}, value));
          return next;
        });
    Value joined = partial[0];
    for (Value other : ArrayRef(partial).drop_front())
      joined = combine(joined, other);
    joined =
        code.loop(wide, size, lanes, joined, [&](Index at, ValueRange carried) {
          Value mask = code.laneMask(code.subtract(size, at), lanes);
          return SmallVector<Value>{step(at, mask, carried.front())};
        })[0];
    return vector::ReductionOp::create(code.builder, code.loc, kind, joined,
                                       arith::FastMathFlags::reassoc);
  }

  Code &code;
  const BufferView &input, &output;
  int64_t lanes;
  Index size;
};
} // namespace

LogicalResult onnxc::emitSoftmax(kernel::SoftmaxOp op, KernelBody &body) {
  Code code(body.builder, body.loc);
  RowWriter writer(code, body.operands[0], body.operands[1],
                   body.target.f32Lanes());
  code.loop(body.begin, body.end, 1, [&](Index row) { writer.write(row); });
  return success();
}
