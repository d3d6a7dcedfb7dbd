//===- Ranks.cpp - Elements and their positions as one number -------------===//

#include "compiler/lower/Ranks.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace onnxc;

bool onnxc::canRank(Type element) {
  return element.isIntOrFloat() && element.getIntOrFloatBitWidth() <= 32;
}

Value onnxc::orderedBits(Scalars &s, Value element, bool isUnsigned) {
  bool isLong = element.getType().getIntOrFloatBitWidth() > 32;
  IntegerType type = isLong ? s.b.getI64Type() : s.b.getI32Type();
  unsigned width = type.getWidth();
  Value sign = arith::ConstantOp::create(
      s.b, s.loc, s.b.getIntegerAttr(type, APInt::getSignMask(width)));
  if (!Scalars::isFloat(element)) {
    if (element.getType().getIntOrFloatBitWidth() < width)
      element =
          isUnsigned
              ? arith::ExtUIOp::create(s.b, s.loc, type, element).getResult()
              : arith::ExtSIOp::create(s.b, s.loc, type, element).getResult();
    return isUnsigned
               ? element
               : arith::XOrIOp::create(s.b, s.loc, element, sign).getResult();
  }
  Type floating = isLong ? Type(s.b.getF64Type()) : Type(s.b.getF32Type());
  if (element.getType() != floating)
    element = arith::ExtFOp::create(s.b, s.loc, floating, element);
  // -0 is 0.
  Value zero = s.constant(floating, 0);
  Value isZero = s.compare(Comparison::Equal, element, zero, false);
  Value bits = arith::BitcastOp::create(s.b, s.loc, type,
                                        s.select(isZero, zero, element));
  Value isNegative =
      s.compare(Comparison::Less, bits, s.integer(type, 0), false);
  Value flipped = arith::XOrIOp::create(
      s.b, s.loc, bits, s.select(isNegative, s.integer(type, -1), sign));
  return s.select(s.isNaN(element), s.integer(type, -1), flipped);
}

Value onnxc::rankOfBits(Scalars &s, Value bits, Value position,
                        bool greaterFirst) {
  Type i64 = s.b.getI64Type();
  Value upper = arith::ExtUIOp::create(s.b, s.loc, i64, bits);
  upper = arith::ShLIOp::create(s.b, s.loc, upper, s.integer(i64, 32));
  // The lower position is the greater rank; so is the less element if wanted.
  int64_t inverted = greaterFirst ? mostRanked : -1;
  Value rank = arith::OrIOp::create(s.b, s.loc, upper, position);
  return arith::XOrIOp::create(s.b, s.loc, rank, s.integer(i64, inverted));
}

Value onnxc::rankOf(Scalars &s, Value element, Value position,
                    bool greaterFirst, bool isUnsigned) {
  return rankOfBits(s, orderedBits(s, element, isUnsigned),
                    s.fromIndex(position, s.b.getI64Type()), greaterFirst);
}

Value onnxc::positionIn(Scalars &s, Value rank) {
  Value mask = s.integer(s.b.getI64Type(), mostRanked);
  Value inverted = arith::XOrIOp::create(s.b, s.loc, rank, mask);
  return arith::AndIOp::create(s.b, s.loc, inverted, mask);
}

namespace {
/// Loops over tensors of numbers.
struct Loops {
  Scalars &s;

  Value read(Scalars &inner, Value tensor, Value at) const {
    return tensor::ExtractOp::create(inner.b, inner.loc, tensor, at);
  }
  Value write(Scalars &inner, Value x, Value tensor, Value at) const {
    return tensor::InsertOp::create(inner.b, inner.loc, x, tensor, at);
  }
  SmallVector<Value>
  count(Value end, ValueRange carried,
        function_ref<SmallVector<Value>(Scalars &, Value, ValueRange)> body) {
    Type index = s.b.getIndexType();
    auto loop = scf::ForOp::create(
        s.b, s.loc, s.integer(index, 0), end, s.integer(index, 1), carried,
        [&](OpBuilder &b, Location loc, Value i, ValueRange state) {
          Scalars inner{b, loc};
          scf::YieldOp::create(b, loc, body(inner, i, state));
        });
    return llvm::to_vector_of<Value>(loop.getResults());
  }
};
} // namespace

/// Moves `count` ranks to `to`, in the order of the digit at bit `shift`, the
/// greatest first, otherwise as they are.
static std::pair<Value, Value> sortByDigit(Scalars &s, Value from, Value to,
                                           Value counts, Value count,
                                           Value shift) {
  Loops loops{s};
  Type index = s.b.getIndexType();
  Value zero = s.integer(index, 0), one = s.integer(index, 1);
  Value digits = s.integer(index, SortScratch::digits);
  auto digitOf = [&](Scalars &inner, Value rank) -> Value {
    Type i64 = inner.b.getI64Type();
    Value inverted =
        arith::XOrIOp::create(inner.b, inner.loc, rank, inner.integer(i64, -1));
    Value digit = arith::ShRUIOp::create(inner.b, inner.loc, inverted, shift);
    digit = arith::AndIOp::create(inner.b, inner.loc, digit,
                                  inner.integer(i64, SortScratch::digits - 1));
    return inner.toIndex(digit);
  };
  counts =
      loops.count(digits, counts, [&](Scalars &inner, Value i, ValueRange now) {
        return SmallVector<Value>{loops.write(inner, zero, now[0], i)};
      })[0];
  counts =
      loops.count(count, counts, [&](Scalars &inner, Value i, ValueRange now) {
        Value digit = digitOf(inner, loops.read(inner, from, i));
        Value more = inner.add(loops.read(inner, now[0], digit), one);
        return SmallVector<Value>{loops.write(inner, more, now[0], digit)};
      })[0];
  // From how many there are of a digit to where the first of them goes.
  counts = loops.count(
      digits, {counts, zero}, [&](Scalars &inner, Value i, ValueRange now) {
        Value own = loops.read(inner, now[0], i);
        return SmallVector<Value>{loops.write(inner, now[1], now[0], i),
                                  inner.add(now[1], own)};
      })[0];
  SmallVector<Value> moved = loops.count(
      count, {to, counts}, [&](Scalars &inner, Value i, ValueRange now) {
        Value rank = loops.read(inner, from, i);
        Value digit = digitOf(inner, rank);
        Value place = loops.read(inner, now[1], digit);
        return SmallVector<Value>{
            loops.write(inner, rank, now[0], place),
            loops.write(inner, inner.add(place, one), now[1], digit)};
      });
  return {moved[0], moved[1]};
}

Value onnxc::sortRanks(Scalars &s, Value ranks, Value count, Value areInOrder,
                       SortScratch &scratch) {
  Type index = s.b.getIndexType(), i64 = s.b.getI64Type();
  constexpr int64_t bits = SortScratch::digitBits;
  // Digits by twos, so that the ranks are back where they were.
  Value first = s.select(areInOrder, s.integer(index, 32), s.integer(index, 0));
  auto loop = scf::ForOp::create(
      s.b, s.loc, first, s.integer(index, 64), s.integer(index, 2 * bits),
      ValueRange{ranks, scratch.ranks, scratch.counts},
      [&](OpBuilder &b, Location loc, Value bit, ValueRange state) {
        Scalars inner{b, loc};
        Value shift = inner.fromIndex(bit, i64);
        auto [other, counts] =
            sortByDigit(inner, state[0], state[1], state[2], count, shift);
        auto [back, after] =
            sortByDigit(inner, other, state[0], counts, count,
                        inner.add(shift, inner.integer(i64, bits)));
        scf::YieldOp::create(b, loc, ValueRange{back, other, after});
      });
  scratch = {loop.getResult(1), loop.getResult(2)};
  return loop.getResult(0);
}
