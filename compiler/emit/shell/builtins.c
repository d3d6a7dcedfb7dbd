/*===- builtins.c - The compiler library that LLVM calls --------*- C -*-===*
 *
 * Conversions and integer arithmetic that a target's instructions lack.
 *
 *===--------------------------------------------------------------------===*/

#include <stdint.h>

typedef union {
  float value;
  uint32_t bits;
} float_bits;
typedef union {
  _Float16 value;
  uint16_t bits;
} half_bits;
typedef union {
  __bf16 value;
  uint16_t bits;
} bfloat_bits;

/*===-- half and bfloat16 -------------------------------------------------===*/

static uint16_t half_from_float(float number) {
  float_bits in = {number};
  uint16_t sign = (uint16_t)(in.bits >> 16 & 0x8000);
  uint32_t x = in.bits & 0x7fffffff;
  if (x > 0x7f800000) /* NaN, made quiet */
    return sign | 0x7e00 | (uint16_t)(x >> 13 & 0x3ff);
  if (x >= 0x477ff000) /* rounds to 65536 or is infinite */
    return sign | 0x7c00;
  if (x >= 0x38800000) { /* normal */
    x -= 0x38000000;
    x += 0xfff + (x >> 13 & 1);
    return sign | (uint16_t)(x >> 13);
  }
  if (x < 0x33000000) /* below half of the least subnormal */
    return sign;
  uint32_t mantissa = (x & 0x7fffff) | 0x800000;
  uint32_t shift = 126 - (x >> 23);
  uint32_t rest = mantissa & ((1u << shift) - 1), tie = 1u << (shift - 1);
  uint32_t result = mantissa >> shift;
  result += rest > tie || (rest == tie && (result & 1));
  return sign | (uint16_t)result;
}

/* Rounds to odd, so that rounding again is exact. */
static float odd_from_double(double number) {
  float_bits out = {(float)number};
  double back = out.value;
  if (back == number)
    return out.value;
  if (__builtin_fabs(back) > __builtin_fabs(number))
    out.bits -= 1;
  out.bits |= 1;
  return out.value;
}

static uint16_t bfloat_from_float(float number) {
  float_bits in = {number};
  if ((in.bits & 0x7fffffff) > 0x7f800000)
    return (uint16_t)(in.bits >> 16) | 0x40;
  return (uint16_t)((in.bits + 0x7fff + (in.bits >> 16 & 1)) >> 16);
}

static float float_from_half(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t x = half & 0x7fff;
  float_bits out;
  if (x >= 0x7c00) { /* infinity, NaN */
    out.bits = 0x7f800000 | (x & 0x3ff) << 13;
    if (x > 0x7c00)
      out.bits |= 0x400000;
  } else if (x >= 0x400) {
    out.bits = (x << 13) + 0x38000000;
  } else { /* subnormal: x * 2^-24 */
    out.value = (float)(int32_t)x * 0x1p-24f;
  }
  out.bits |= sign;
  return out.value;
}

_Float16 __truncsfhf2(float number) {
  half_bits out = {.bits = half_from_float(number)};
  return out.value;
}

_Float16 __truncdfhf2(double number) {
  half_bits out = {.bits = half_from_float(odd_from_double(number))};
  return out.value;
}

float __extendhfsf2(_Float16 number) {
  half_bits in = {number};
  return float_from_half(in.bits);
}

double __extendhfdf2(_Float16 number) { return __extendhfsf2(number); }

__bf16 __truncsfbf2(float number) {
  bfloat_bits out = {.bits = bfloat_from_float(number)};
  return out.value;
}

__bf16 __truncdfbf2(double number) {
  bfloat_bits out = {.bits = bfloat_from_float(odd_from_double(number))};
  return out.value;
}

/*===-- integer powers ----------------------------------------------------===*/

double __powidf2(double base, int exponent) {
  unsigned rest = exponent < 0 ? 0u - (unsigned)exponent : (unsigned)exponent;
  double result = 1;
  for (;; base *= base) {
    if (rest & 1)
      result *= base;
    rest >>= 1;
    if (!rest)
      break;
  }
  return exponent < 0 ? 1 / result : result;
}

float __powisf2(float base, int exponent) {
  unsigned rest = exponent < 0 ? 0u - (unsigned)exponent : (unsigned)exponent;
  float result = 1;
  for (;; base *= base) {
    if (rest & 1)
      result *= base;
    rest >>= 1;
    if (!rest)
      break;
  }
  return exponent < 0 ? 1 / result : result;
}

/*===-- 128-bit division --------------------------------------------------===*/

typedef unsigned __int128 wide;
typedef __int128 signed_wide;

static wide divide(wide dividend, wide divisor, wide *remainder) {
  wide quotient = 0, rest = 0;
  for (int bit = 127; bit >= 0; --bit) {
    rest = rest << 1 | (dividend >> bit & 1);
    if (rest >= divisor) {
      rest -= divisor;
      quotient |= (wide)1 << bit;
    }
  }
  *remainder = rest;
  return quotient;
}

static wide magnitude(signed_wide number) {
  return number < 0 ? 0 - (wide)number : (wide)number;
}

wide __udivti3(wide dividend, wide divisor) {
  wide rest;
  return divide(dividend, divisor, &rest);
}

wide __umodti3(wide dividend, wide divisor) {
  wide rest;
  divide(dividend, divisor, &rest);
  return rest;
}

signed_wide __divti3(signed_wide dividend, signed_wide divisor) {
  wide rest;
  wide quotient = divide(magnitude(dividend), magnitude(divisor), &rest);
  return (signed_wide)((dividend < 0) != (divisor < 0) ? 0 - quotient
                                                       : quotient);
}

signed_wide __modti3(signed_wide dividend, signed_wide divisor) {
  wide rest;
  divide(magnitude(dividend), magnitude(divisor), &rest);
  return (signed_wide)(dividend < 0 ? 0 - rest : rest);
}
