//===- NarrowTypes.cpp - Elements of 8 bits and fewer ---------------------===//

#include "compiler/lower/NarrowTypes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

bool onnxc::isNarrowFloat(Type type) {
  auto floating = dyn_cast<FloatType>(type);
  return floating && floating.getWidth() <= 8;
}

bool onnxc::isNarrowInteger(Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  return integer && (integer.getWidth() == 4 || integer.getWidth() == 2);
}

int64_t onnxc::packedBits(Type type) {
  if (!isNarrowInteger(type) && !isNarrowFloat(type))
    return 0;
  unsigned bits = type.getIntOrFloatBitWidth();
  return bits < 8 ? bits : 0;
}

//===----------------------------------------------------------------------===//
// Floats
//===----------------------------------------------------------------------===//

namespace {
/// How a format divides its bits and spends its patterns. `greatest` is the
/// finite magnitude; `overflow` what lies beyond it; `nan` is without sign.
struct Format {
  int32_t mantissa, bias;
  int32_t greatest, overflow, nan;
  bool negativeZero; ///< otherwise the pattern of -0 is NaN
  int32_t bits = 8;
};

/// i32 and f32 arithmetic on one element.
struct Patterns {
  Scalars &s;
  Type i32 = s.b.getI32Type(), f32 = s.b.getF32Type();

  Value number(int64_t value) { return s.integer(i32, value); }
  Value bits(Value x) { return arith::BitcastOp::create(s.b, s.loc, i32, x); }
  Value real(Value x) { return arith::BitcastOp::create(s.b, s.loc, f32, x); }
  Value left(Value x, int64_t by) {
    return arith::ShLIOp::create(s.b, s.loc, x, number(by));
  }
  Value right(Value x, int64_t by) {
    return arith::ShRUIOp::create(s.b, s.loc, x, number(by));
  }
  Value with(Value x, int64_t mask) { return s.logicalAnd(x, number(mask)); }
  Value greater(Value x, int64_t y) {
    return s.compare(Comparison::Greater, x, number(y), true);
  }
  Value equal(Value x, int64_t y) {
    return s.compare(Comparison::Equal, x, number(y), true);
  }
  Value byte(Value x) {
    return arith::TruncIOp::create(s.b, s.loc, s.b.getI8Type(), x);
  }
};
} // namespace

static constexpr int32_t infinityBits = 0x7f800000;

static Format formatOf(FloatType type) {
  if (isa<Float8E4M3FNType>(type))
    return {3, 7, 0x7e, 0x7f, 0x7f, true};
  if (isa<Float8E4M3FNUZType>(type))
    return {3, 8, 0x7f, 0x80, 0x80, false};
  if (isa<Float8E5M2Type>(type))
    return {2, 15, 0x7b, 0x7c, 0x7f, true};
  if (isa<Float8E5M2FNUZType>(type))
    return {2, 16, 0x7f, 0x80, 0x80, false};
  // The others have neither infinity nor NaN: what is beyond is the greatest,
  // and NaN becomes -0, as in the package ml_dtypes.
  if (isa<Float6E2M3FNType>(type))
    return {3, 1, 0x1f, 0x1f, 0x20, true, 6};
  if (isa<Float6E3M2FNType>(type))
    return {2, 3, 0x1f, 0x1f, 0x20, true, 6};
  return {1, 1, 7, 7, 8, true, 4}; // Float4E2M1FN
}

/// 2^exponent, which may be below f32's normal numbers.
static double power(int exponent) { return std::ldexp(1.0, exponent); }

Value onnxc::decodeFloat(Scalars &s, Value bits, FloatType from) {
  Patterns p{s};
  Value pattern = arith::ExtUIOp::create(s.b, s.loc, p.i32, bits);
  if (isa<Float8E8M0FNUType>(from)) {
    Value value = p.left(pattern, 23);
    value = s.select(p.equal(pattern, 0), p.number(0x00400000), value);
    value = s.select(p.equal(pattern, 0xff), p.number(0x7fc00000), value);
    return p.real(value);
  }
  Format format = formatOf(from);
  int32_t signBit = 1 << (format.bits - 1);
  Value magnitude = p.with(pattern, signBit - 1);
  // Exponent and mantissa in f32's places, then the bias corrected: the product
  // is exact, also for what is subnormal.
  Value value = s.mul(p.real(p.left(magnitude, 23 - format.mantissa)),
                      s.constant(p.f32, power(127 - format.bias)));
  Value result = p.bits(value);
  if (isa<Float8E5M2Type>(from))
    result = s.select(p.equal(magnitude, 0x7c), p.number(infinityBits), result);
  Value sign = p.left(p.with(pattern, signBit), 32 - format.bits);
  result = arith::OrIOp::create(s.b, s.loc, result, sign);
  if (!format.negativeZero)
    result = s.select(p.equal(pattern, 0x80), p.number(0x7fc00000), result);
  else if (format.bits == 8)
    result = s.select(p.greater(magnitude, format.nan == format.overflow
                                               ? format.greatest
                                               : format.overflow),
                      p.number(0x7fc00000), result);
  return p.real(result);
}

/// The exponent alone.
static Value encodeExponent(Scalars &s, Value x, const NarrowRounding &how) {
  Patterns p{s};
  Value magnitude = p.with(p.bits(x), 0x7fffffff);
  Value exponent = p.right(magnitude, 23);
  Value isSubnormal = p.equal(exponent, 0);
  // Below 2^-126 the pattern 0 is 2^-127, a subnormal f32.
  Value fraction =
      s.select(isSubnormal, magnitude, p.with(magnitude, 0x7fffff));
  Value threshold; // fractions above it round up
  switch (how.direction) {
  case NarrowRounding::Up:
    threshold = s.select(isSubnormal, p.number(0x400000), p.number(0));
    break;
  case NarrowRounding::Nearest:
    threshold = s.select(isSubnormal, p.number(0x5fffff), p.number(0x3fffff));
    break;
  case NarrowRounding::Down:
    threshold = p.number(0x7fffff);
    break;
  }
  Value roundsUp = s.compare(Comparison::Greater, fraction, threshold, true);
  Value result =
      s.add(exponent, arith::ExtUIOp::create(s.b, s.loc, p.i32, roundsUp));
  result = s.select(p.greater(result, 0xfe),
                    p.number(how.saturate ? 0xfe : 0xff), result);
  if (!how.saturate)
    result = s.select(
        s.compare(Comparison::Less, magnitude, p.number(0x400000), true),
        p.number(0xff), result);
  result = s.select(p.greater(magnitude, infinityBits), p.number(0xff), result);
  return p.byte(result);
}

Value onnxc::encodeFloat(Scalars &s, Value x, FloatType to,
                         const NarrowRounding &how) {
  if (isa<Float8E8M0FNUType>(to))
    return encodeExponent(s, x, how);
  Patterns p{s};
  Format format = formatOf(to);
  int32_t signBit = 1 << (format.bits - 1), shift = 23 - format.mantissa;
  Value all = p.bits(x);
  Value magnitude = p.with(all, 0x7fffffff);

  // Normal numbers: round half to even at the place of the last bit.
  Value odd = p.with(p.right(magnitude, shift), 1);
  Value rounded = p.right(
      s.add(s.add(magnitude, p.number((1 << (shift - 1)) - 1)), odd), shift);
  Value normal =
      s.sub(rounded, p.number((127 - format.bias) << format.mantissa));
  // Subnormal ones: an addition whose last place is theirs rounds them.
  double magic = power(1 - format.bias - format.mantissa + 23);
  Value small =
      s.sub(p.bits(s.add(p.real(magnitude), s.constant(p.f32, magic))),
            p.bits(s.constant(p.f32, magic)));
  Value isSmall = s.compare(Comparison::Less, p.real(magnitude),
                            s.constant(p.f32, power(1 - format.bias)), false);
  Value result = s.select(isSmall, small, normal);

  Value isBeyond = p.greater(result, format.greatest);
  result = s.select(isBeyond,
                    p.number(how.saturate ? format.greatest : format.overflow),
                    result);
  Value isNaN = p.greater(magnitude, infinityBits);
  result = s.select(isNaN, p.number(format.nan), result);
  Value sign = p.with(p.right(all, 32 - format.bits), signBit);
  if (!format.negativeZero)
    sign = s.select(p.equal(p.with(result, 0x7f), 0), p.number(0), sign);
  return p.byte(arith::OrIOp::create(s.b, s.loc, result, sign));
}

//===----------------------------------------------------------------------===//
// Boundary
//===----------------------------------------------------------------------===//

Value onnxc::unpackElements(Lowering &l, Value packed, Type element) {
  int64_t bits = packedBits(element);
  Dims dims = l.sizes(packed);
  OpFoldResult count = l.product(dims);
  Value flat = l.reshape(packed, {count});
  return l.pull(
      l.b.getI8Type(), dims, [&](OpBuilder &nested, ArrayRef<Value> at) {
        Scalars s{nested, l.loc};
        Type index = nested.getIndexType(), i32 = nested.getI32Type();
        Value place = s.integer(index, 0);
        for (auto [position, dim] : llvm::zip(at, dims))
          place = s.add(
              s.mul(place, getValueOrCreateConstantIndexOp(nested, l.loc, dim)),
              position);
        Value bit = s.mul(place, s.integer(index, bits));
        Value eight = s.integer(index, 8);
        Value first = arith::DivUIOp::create(nested, l.loc, bit, eight);
        Value shift = arith::RemUIOp::create(nested, l.loc, bit, eight);
        auto byteAt = [&](Value position) -> Value {
          Value byte = tensor::ExtractOp::create(nested, l.loc, flat, position);
          return arith::ExtUIOp::create(nested, l.loc, i32, byte);
        };
        Value word = byteAt(first);
        if (8 % bits) {
          // An element may lie in two bytes; that of the last one has no
          // second.
          Value last =
              s.sub(getValueOrCreateConstantIndexOp(nested, l.loc, count),
                    s.integer(index, 1));
          last =
              arith::DivUIOp::create(nested, l.loc,
                                     s.add(s.mul(last, s.integer(index, bits)),
                                           s.integer(index, bits - 1)),
                                     eight);
          Value second = s.min(s.add(first, s.integer(index, 1)), last, false);
          word = arith::OrIOp::create(nested, l.loc, word,
                                      arith::ShLIOp::create(nested, l.loc,
                                                            byteAt(second),
                                                            s.integer(i32, 8)));
        }
        shift = arith::IndexCastOp::create(nested, l.loc, i32, shift);
        Value pattern =
            s.logicalAnd(arith::ShRUIOp::create(nested, l.loc, word, shift),
                         s.integer(i32, (1 << bits) - 1));
        return Value(arith::TruncIOp::create(nested, l.loc, nested.getI8Type(),
                                             pattern));
      });
}

Value onnxc::packedBytes(Lowering &l, Value tensor, Type element) {
  int64_t bits = packedBits(element);
  OpFoldResult count = l.product(l.sizes(tensor));
  Value flat = l.reshape(tensor, {count});
  OpFoldResult bytes = l.ceilDiv(l.mul(count, l.attr(bits)), l.attr(8));
  return l.pull(
      l.b.getI8Type(), {bytes}, [&](OpBuilder &nested, ArrayRef<Value> at) {
        Scalars s{nested, l.loc};
        Type index = nested.getIndexType(), i8 = nested.getI8Type(),
             i32 = nested.getI32Type();
        Value end = getValueOrCreateConstantIndexOp(nested, l.loc, count);
        Value begin = s.mul(at[0], s.integer(index, 8)); // of the byte's bits
        Value first = arith::DivUIOp::create(nested, l.loc, begin,
                                             s.integer(index, bits));
        Value result = s.integer(i32, 0);
        for (int64_t i = 0; i < (8 + bits - 1) / bits; ++i) {
          Value place = s.add(first, s.integer(index, i));
          // The last byte may be in part empty.
          Value isInside = s.compare(Comparison::Less, place, end, false);
          Value pattern = tensor::ExtractOp::create(
              nested, l.loc, flat,
              ValueRange(s.select(isInside, place, first)));
          pattern = s.select(isInside, pattern, s.integer(i8, 0));
          // A byte is kept below the word's, for the bits of the one before.
          Value shift = s.sub(s.mul(place, s.integer(index, bits)), begin);
          shift = s.add(shift, s.integer(index, 8));
          result = arith::OrIOp::create(
              nested, l.loc, result,
              arith::ShLIOp::create(
                  nested, l.loc,
                  arith::ExtUIOp::create(nested, l.loc, i32, pattern),
                  arith::IndexCastOp::create(nested, l.loc, i32, shift)));
        }
        Value byte =
            arith::ShRUIOp::create(nested, l.loc, result, s.integer(i32, 8));
        return Value(arith::TruncIOp::create(nested, l.loc, i8, byte));
      });
}

Value onnxc::packElements(Lowering &l, Value tensor, Type element) {
  Dims dims = l.sizes(tensor);
  OpFoldResult count = l.product(dims);
  Value packed = packedBytes(l, tensor, element);
  // Not tensor.empty: that may be one with another, whose memory is written
  // whole.
  auto type = tensorType(l.b.getI8Type(), {count});
  SmallVector<Value> sizes;
  if (type.isDynamicDim(0))
    sizes.push_back(l.index(count));
  Value memory = bufferization::AllocTensorOp::create(l.b, l.loc, type, sizes);
  memory = l.insertSlice(packed, memory, {l.attr(0)}, {l.sizes(packed)[0]},
                         {l.attr(1)});
  return l.reshape(memory, dims);
}
