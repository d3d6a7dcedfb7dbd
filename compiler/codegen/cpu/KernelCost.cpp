//===- KernelCost.cpp - The work and the traffic of a kernel --------------===//

#include "compiler/codegen/cpu/KernelCost.h"
#include "compiler/codegen/cpu/FindKernels.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/CastInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace onnxc;

static int64_t flopsOf(Operation *op) {
  if (!isa<arith::ArithDialect, math::MathDialect>(op->getDialect()) ||
      op->getNumResults() != 1 || !isa<FloatType>(op->getResult(0).getType()) ||
      op->hasTrait<OpTrait::ConstantLike>() ||
      isa<arith::SelectOp, CastOpInterface>(op))
    return 0;
  return isa<math::FmaOp>(op) ? 2 : 1;
}

/// Of one pass through the region.
static int64_t flopsIn(Region &region) {
  int64_t count = 0;
  region.walk([&](Operation *op) { count += flopsOf(op); });
  return count;
}

static Index product(Code &code, ArrayRef<OpFoldResult> factors) {
  Index result = code.constant(1);
  for (OpFoldResult factor : factors)
    result = code.multiply(result, factor);
  return result;
}

static Index elements(Code &code, Value buffer) {
  return product(code, memref::getMixedSizes(code.builder, code.loc, buffer));
}

static int64_t elementBytes(Type type) {
  return type.isIntOrFloat() ? (type.getIntOrFloatBitWidth() + 7) / 8 : 8;
}

/// Flops of a contraction of `taps` products an element, then the epilogue.
static Index contraction(Code &code, Value init, Index taps, Region &epilogue) {
  Index each =
      code.add(code.multiply(taps, 2), code.constant(flopsIn(epilogue)));
  return code.multiply(elements(code, init), each);
}

/// The product of `count` dims of a buffer from `first` on.
static Index dims(Code &code, Value buffer, unsigned first, unsigned count) {
  SmallVector<OpFoldResult> sizes =
      memref::getMixedSizes(code.builder, code.loc, buffer);
  return product(code, ArrayRef(sizes).slice(first, count));
}

static Index lastDim(Code &code, Value buffer) {
  return dims(code, buffer, cast<MemRefType>(buffer.getType()).getRank() - 1,
              1);
}

static Index kernelFlops(Code &code, Operation *op) {
  return llvm::TypeSwitch<Operation *, Index>(op)
      .Case([&](kernel::MatmulOp matmul) {
        return contraction(code, matmul.getInit(),
                           lastDim(code, matmul.getLhs()),
                           matmul.getEpilogue());
      })
      .Case([&](kernel::QuantizedMatmulOp matmul) {
        return contraction(code, matmul.getInit(),
                           code.constant(matmul.getDepth()),
                           matmul.getEpilogue());
      })
      .Case([&](kernel::ConvOp conv) {
        // [G, P, KH, KW, IC, W] or [G, KH, KW, IC, OC]
        return contraction(
            code, conv.getInit(),
            dims(code, conv.getFilter(), conv.getPacked() ? 2 : 1, 3),
            conv.getEpilogue());
      })
      .Case([&](kernel::WinogradInputOp transform) {
        // 32 additions for the 4x4 pixels of a patch and channel.
        Index each = code.multiply(lastDim(code, transform.getInput()), 32);
        return code.multiply(dims(code, transform.getInit(), 0, 3), each);
      })
      .Case([&](kernel::WinogradConvOp conv) {
        // [P, 16, IC, W]; four outputs share 16 products and 24 additions.
        Index taps =
            code.add(code.multiply(dims(code, conv.getFilter(), 2, 1), 4),
                     code.constant(3));
        return contraction(code, conv.getInit(), taps, conv.getEpilogue());
      })
      .Case([&](kernel::DepthwiseConvOp conv) {
        return contraction(code, conv.getInit(),
                           dims(code, conv.getFilter(), 0, 2),
                           conv.getEpilogue());
      })
      .Case([&](kernel::SoftmaxOp softmax) {
        // Maximum, difference, exponential, sum, scale.
        return code.multiply(elements(code, softmax.getInit()), 5);
      })
      .Case([&](kernel::AttentionOp attention) {
        // Of each query and key: two products, and the softmax of a score.
        auto size = [&](Value buffer, int64_t dim) {
          return dims(code, buffer, dim, 1);
        };
        int64_t rank = attention.getInitOrder().size();
        Index queries = code.constant(1);
        for (int64_t dim : attention.getQueryOrder().drop_back())
          queries = code.multiply(queries, size(attention.getQuery(), dim));
        Index keys =
            size(attention.getKey(), attention.getKeyOrder()[rank - 2]);
        Index widths = code.add(
            size(attention.getQuery(), attention.getQueryOrder().back()),
            size(attention.getValue(), attention.getValueOrder().back()));
        Index each =
            code.add(code.multiply(widths, 2),
                     code.constant(5 + flopsIn(attention.getEpilogue())));
        return code.multiply(code.multiply(queries, keys), each);
      })
      .Case([&](kernel::PoolOp pool) {
        if (!isa<FloatType>(getElementTypeOrSelf(pool.getInit().getType())))
          return code.constant(0);
        Index taps = elements(code, pool.getInit());
        for (int64_t extent : pool.getWindow())
          taps = code.multiply(taps, extent);
        return taps;
      })
      .Case([&](linalg::LinalgOp linalg) {
        int64_t each = flopsIn(linalg->getRegion(0));
        if (!each)
          return code.constant(0);
        Index iterations = code.constant(each);
        for (const Range &range :
             linalg.createLoopRanges(code.builder, code.loc))
          iterations = code.multiply(iterations, range.size);
        return iterations;
      })
      .Default([&](Operation *) { return code.constant(0); });
}

/// What the body of a linalg op loads by an index of its own.
static Index pickedBytes(Code &code, linalg::LinalgOp op) {
  int64_t each = 0;
  op->getRegion(0).walk(
      [&](memref::LoadOp load) { each += elementBytes(load.getType()); });
  Index bytes = code.constant(each);
  if (each)
    for (const Range &range : op.createLoopRanges(code.builder, code.loc))
      bytes = code.multiply(bytes, range.size);
  return bytes;
}

KernelCost onnxc::kernelCost(Code &code, Operation *op) {
  if (isLoopNest(op))
    return {code.constant(0), code.constant(0)};
  Index bytes = code.constant(0);
  SmallVector<Value> seen;
  for (Value operand : op->getOperands()) {
    if (!isa<MemRefType>(operand.getType()) ||
        llvm::is_contained(seen, operand))
      continue;
    seen.push_back(operand);
    bytes = code.add(
        bytes, code.multiply(elements(code, operand),
                             elementBytes(getElementTypeOrSelf(operand))));
  }
  if (auto linalg = dyn_cast<linalg::LinalgOp>(op))
    bytes = code.add(bytes, pickedBytes(code, linalg));
  return {kernelFlops(code, op), bytes};
}
