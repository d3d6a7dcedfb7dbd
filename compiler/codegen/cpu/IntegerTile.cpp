//===- IntegerTile.cpp - The register tile of integer products ------------===//
//
// A pair of reduction steps is one pmaddwd: two rows of weights that alternate,
// as the library has constant ones, widened to 16 bits, times two elements of a
// row of lhs, broadcast as one 32-bit word. pmaddubsw takes four steps at a
// time, but then needs a pmaddwd to add them: on AVX2 it is a fifth faster, and
// exact only where no pair of its products exceeds 16 bits.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/IntegerTile.h"

#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace onnxc;

bool onnxc::isIntegerContraction(Type lhsElement, Type rhsElement) {
  auto fits = [](Type type) {
    return type.isSignlessInteger(8) || type.isSignlessInteger(16);
  };
  return fits(lhsElement) && fits(rhsElement);
}

namespace {
/// Writes the loops of one tile.
class IntegerReduction {
public:
  IntegerReduction(Code &code, const ContractionTile &tile, int64_t lanes,
                   const Target &target)
      : code(code), tile(tile), lanes(lanes),
        pairs(target.hasPairProducts && lanes * 32 == target.vectorBits) {}

  SmallVector<Value> run(ArrayRef<ReductionLoop> loops, Value lhs, Value rhs,
                         SmallVector<Value> sums);

private:
  void singleStep(Value lhs, ArrayRef<Value> weights, SmallVector<Value> &sums);
  /// Two steps, by the target's instruction for pairs or one by one.
  void pairStep(Value lhs, Index lhsStride, Value rhs, Index rhsStride,
                SmallVector<Value> &sums);
  Value weights(Value rhs, Index offset, size_t vector);
  Value weightPairs(Value rhs, Index stride, size_t vector);
  Value half(Value pairs, int64_t first);
  Value pairOf(Value lhs, Index first, Index second);
  Value multiplyPairs(Value a, Value b);
  Value add(Value a, Value b) {
    return arith::AddIOp::create(code.builder, code.loc, a, b);
  }
  /// `value` (a scalar or a vector) as signed integers of `bits`.
  Value widened(Value value, unsigned bits);

  Code &code;
  const ContractionTile &tile;
  int64_t lanes;
  bool pairs;
};
} // namespace

Value IntegerReduction::widened(Value value, unsigned bits) {
  Type type = code.builder.getIntegerType(bits);
  if (getElementTypeOrSelf(value.getType()) == type)
    return value;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(type);
  return arith::ExtSIOp::create(code.builder, code.loc, type, value);
}

Value IntegerReduction::weights(Value rhs, Index offset, size_t vector) {
  return code.loadVector(rhs, tile.rhsElement,
                         code.add(offset, tile.rhsVectors[vector]), lanes,
                         tile.rhsMasks[vector], tile.rhsColumnStride);
}

/// The weights of two steps, which alternate.
Value IntegerReduction::weightPairs(Value rhs, Index stride, size_t vector) {
  if (tile.rhsPaired)
    return code.loadVector(rhs, tile.rhsElement, tile.rhsVectors[vector],
                           2 * lanes);
  SmallVector<int64_t> interleaved;
  for (int64_t lane = 0; lane < lanes; ++lane)
    interleaved.append({lane, lanes + lane});
  return vector::ShuffleOp::create(code.builder, code.loc,
                                   weights(rhs, code.constant(0), vector),
                                   weights(rhs, stride, vector), interleaved);
}

/// Of pairs the first (0) or the second (1) elements.
Value IntegerReduction::half(Value pairs, int64_t first) {
  SmallVector<int64_t> places;
  for (int64_t lane = 0; lane < lanes; ++lane)
    places.push_back(2 * lane + first);
  return vector::ShuffleOp::create(code.builder, code.loc, pairs, pairs,
                                   places);
}

/// One step of the reduction, in 32 bits, with the weights of its vectors.
void IntegerReduction::singleStep(Value lhs, ArrayRef<Value> weights,
                                  SmallVector<Value> &sums) {
  SmallVector<Value> row;
  for (Value vector : weights)
    row.push_back(widened(vector, 32));
  for (auto [r, offset] : llvm::enumerate(tile.lhsRows)) {
    Value element = code.splat(
        widened(code.loadScalar(lhs, tile.lhsElement, offset), 32), lanes);
    for (auto [j, weight] : llvm::enumerate(row)) {
      Value &sum = sums[r * row.size() + j];
      sum = add(sum,
                arith::MulIOp::create(code.builder, code.loc, element, weight));
    }
  }
}

/// Elements `first` and `second` as the halves of a word, in every lane.
Value IntegerReduction::pairOf(Value lhs, Index first, Index second) {
  OpBuilder &builder = code.builder;
  Type word = builder.getI32Type();
  VectorType halves = code.vectorType(builder.getI16Type(), 2 * lanes);
  auto broadcast = [&](Value scalar) {
    return LLVM::BitcastOp::create(builder, code.loc, halves,
                                   code.splat(scalar, lanes));
  };
  bool adjoin = Code::known(first) && Code::known(second) &&
                *Code::known(second) == *Code::known(first) + 1;
  if (adjoin && tile.lhsElement.isInteger(16))
    return broadcast(LLVM::LoadOp::create(
        builder, code.loc, word, code.address(lhs, tile.lhsElement, first),
        /*alignment=*/2));
  Value low = arith::ExtUIOp::create(
      builder, code.loc, word,
      widened(code.loadScalar(lhs, tile.lhsElement, first), 16));
  Value high = widened(code.loadScalar(lhs, tile.lhsElement, second), 32);
  Value sixteen = arith::ConstantOp::create(builder, code.loc,
                                            builder.getI32IntegerAttr(16));
  return broadcast(arith::OrIOp::create(
      builder, code.loc, low,
      arith::ShLIOp::create(builder, code.loc, high, sixteen)));
}

Value IntegerReduction::multiplyPairs(Value a, Value b) {
  StringRef name = lanes == 16  ? "llvm.x86.avx512.pmaddw.d.512"
                   : lanes == 8 ? "llvm.x86.avx2.pmadd.wd"
                                : "llvm.x86.sse2.pmadd.wd";
  return LLVM::CallIntrinsicOp::create(
             code.builder, code.loc,
             code.vectorType(code.builder.getI32Type(), lanes),
             code.builder.getStringAttr(name), ValueRange{a, b})
      .getResult(0);
}

/// Two steps of the reduction.
void IntegerReduction::pairStep(Value lhs, Index lhsStride, Value rhs,
                                Index rhsStride, SmallVector<Value> &sums) {
  SmallVector<Value> rows;
  for (size_t j = 0; j < tile.rhsVectors.size(); ++j)
    rows.push_back(weightPairs(rhs, rhsStride, j));
  if (!pairs) {
    for (int64_t step = 0; step < 2; ++step) {
      SmallVector<Value> row;
      for (Value both : rows)
        row.push_back(half(both, step));
      singleStep(
          code.address(lhs, tile.lhsElement, code.multiply(lhsStride, step)),
          row, sums);
    }
    return;
  }
  for (Value &row : rows)
    row = widened(row, 16);
  for (auto [r, offset] : llvm::enumerate(tile.lhsRows)) {
    // Relative to the row, so that what adjoins is known to.
    Value row = code.address(lhs, tile.lhsElement, offset);
    Value elements = pairOf(row, code.constant(0), lhsStride);
    for (auto [j, weight] : llvm::enumerate(rows)) {
      Value &sum = sums[r * rows.size() + j];
      sum = add(sum, multiplyPairs(elements, weight));
    }
  }
}

SmallVector<Value> IntegerReduction::run(ArrayRef<ReductionLoop> loops,
                                         Value lhs, Value rhs,
                                         SmallVector<Value> sums) {
  const ReductionLoop &loop = loops.front();
  auto at = [&](Value pointer, Type element, Index step, Index stride) {
    return code.address(pointer, element, code.multiply(step, stride));
  };
  if (loops.size() > 1)
    return code.loop(code.constant(0), loop.count, 1, sums,
                     [&](Index i, ValueRange carried) {
                       return run(loops.drop_front(),
                                  at(lhs, tile.lhsElement, i, loop.lhsStride),
                                  at(rhs, tile.rhsElement, i, loop.rhsStride),
                                  SmallVector<Value>(carried));
                     });
  Index even = code.constant(0);
  if (pairs || tile.rhsPaired) {
    even = code.multiply(code.divide(loop.count, 2), 2);
    sums = code.loop(
        code.constant(0), even, 2, sums, [&](Index k, ValueRange carried) {
          SmallVector<Value> next(carried);
          pairStep(at(lhs, tile.lhsElement, k, loop.lhsStride), loop.lhsStride,
                   at(rhs, tile.rhsElement, k, loop.rhsStride), loop.rhsStride,
                   next);
          return next;
        });
  }
  if (tile.rhsPaired) // The number of steps is even.
    return sums;
  return code.loop(even, loop.count, 1, sums, [&](Index k, ValueRange carried) {
    SmallVector<Value> next(carried);
    Value row = at(rhs, tile.rhsElement, k, loop.rhsStride);
    SmallVector<Value> vectors;
    for (size_t j = 0; j < tile.rhsVectors.size(); ++j)
      vectors.push_back(weights(row, code.constant(0), j));
    singleStep(at(lhs, tile.lhsElement, k, loop.lhsStride), vectors, next);
    return next;
  });
}

SmallVector<Value> onnxc::emitIntegerContraction(Code &code,
                                                 const ContractionTile &tile,
                                                 ArrayRef<ReductionLoop> loops,
                                                 int64_t lanes,
                                                 const Target &target) {
  Value zero = code.zeros(code.builder.getI32Type(), lanes);
  SmallVector<Value> sums(tile.lhsRows.size() * tile.rhsVectors.size(), zero);
  return IntegerReduction(code, tile, lanes, target)
      .run(loops, tile.lhs, tile.rhs, std::move(sums));
}
