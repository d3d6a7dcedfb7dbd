/*===- math_trigonometry.c - Sines, tangents, their inverses ----*- C -*-===*/

#include "elementary.h"

/*===-- reduction ---------------------------------------------------------===*/

/* 2 / pi after 64 zero bits. */
static const uint64_t two_over_pi[] = {0,
                                       UINT64_C(0xa2f9836e4e441529),
                                       UINT64_C(0xfc2757d1f534ddc0),
                                       UINT64_C(0xdb6295993c439041),
                                       UINT64_C(0xfe5163abdebbc561),
                                       UINT64_C(0xb7246e3a424dd2e0),
                                       UINT64_C(0x06492eea09d1921c),
                                       UINT64_C(0xfe1deb1cb129a73e),
                                       UINT64_C(0xe88235f52ebb4484),
                                       UINT64_C(0xe99c7026b45f7e41),
                                       UINT64_C(0x3991d639835339f4),
                                       UINT64_C(0x9c845f8bbdf9283b),
                                       UINT64_C(0x1ff897ffde05980f),
                                       UINT64_C(0xef2f118b5a0a6d1f),
                                       UINT64_C(0x6d367ecf27cb09b7),
                                       UINT64_C(0x4f463f669e5fea2d),
                                       UINT64_C(0x7527bac7ebe5f17b),
                                       UINT64_C(0x3d0739f78a5292ea),
                                       UINT64_C(0x6bfb5fb11f8d5d08),
                                       UINT64_C(0x56033046fc7b6bab)};

/* The rest of a large x > 0 after a multiple of pi / 2, by multiplying with
 * those bits of 2 / pi that decide it. Gives the multiple modulo 4. */
static int reduce_large(double x, double_pair *rest) {
  uint64_t bits = double_bits(x);
  uint64_t mantissa = (bits & UINT64_C(0xfffffffffffff)) | UINT64_C(1) << 52;
  int64_t exponent = (int64_t)(bits >> 52) - 1023 - 52;
  /* Bits before this one give multiples of 4. */
  uint64_t start = (uint64_t)(exponent - 2 + 64);
  uint64_t window[3];
  for (int i = 0; i < 3; ++i) {
    const uint64_t *word = &two_over_pi[start / 64 + (uint64_t)i];
    uint64_t shift = start % 64;
    window[i] = shift ? word[0] << shift | word[1] >> (64 - shift) : word[0];
  }
  /* mantissa * window modulo 2^192: two bits of quadrant, then the fraction. */
  unsigned __int128 low = (unsigned __int128)mantissa * window[2];
  unsigned __int128 middle =
      (unsigned __int128)mantissa * window[1] + (uint64_t)(low >> 64);
  uint64_t w2 = (uint64_t)low, w1 = (uint64_t)middle;
  uint64_t w0 = mantissa * window[0] + (uint64_t)(middle >> 64);
  int quadrant = (int)(w0 >> 62);
  w0 = w0 << 2 | w1 >> 62;
  w1 = w1 << 2 | w2 >> 62;
  w2 = w2 << 2;
  int negative =
      w0 >> 63 != 0; /* more than half: the next multiple is nearer */
  if (negative) {
    ++quadrant;
    w2 = ~w2;
    w1 = ~w1;
    w0 = ~w0; /* less by the last bit, which does not count */
  }
  double factor = negative ? -1 : 1;
  /* No double comes nearer to a multiple of pi / 2 than some 2^-62. */
  for (int i = 0; i < 100 && w0 >> 63 == 0; ++i) {
    w0 = w0 << 1 | w1 >> 63;
    w1 = w1 << 1 | w2 >> 63;
    w2 <<= 1;
    factor *= 0.5;
  }
  double_pair fraction = {(double)(int64_t)(w0 >> 11) * 0x1p-53 * factor,
                          (double)(int64_t)((w0 & 0x7ff) << 42 | w1 >> 22) *
                              0x1p-106 * factor};
  *rest = pair_product(
      fraction, (double_pair){0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54});
  return quadrant & 3;
}

/* x less a multiple of pi / 2, which is given modulo 4. |x| is finite. */
static int reduce(double x, double_pair *rest) {
  if (magnitude(x) < 0.78) {
    *rest = (double_pair){x, 0};
    return 0;
  }
  if (magnitude(x) > 1e6) {
    int quadrant = reduce_large(magnitude(x), rest);
    if (x > 0)
      return quadrant;
    *rest = (double_pair){-rest->high, -rest->low};
    return -quadrant & 3;
  }
  double n = nearest(x * 0x1.45f306dc9c883p-1);
  /* pi / 2 as two parts of 33 digits, whose products are exact, and a rest. */
  double_pair r = sum_of(x, -n * 1.57079632673412561417e+00);
  r = pair_sum(r, (double_pair){-n * 6.07710050630396597660e-11, 0});
  *rest = pair_sum(r, (double_pair){-n * 2.02226624879595063154e-21, 0});
  return (int)((int64_t)n & 3);
}

/* Of |r| <= pi / 4. */
static double sine_of(double_pair r) {
  /* x (1 - z/6 (1 - z/20 (1 - ...))) */
  double z = r.high * r.high, inner = 1;
  for (int k = 18; k >= 4; k -= 2)
    inner = 1 - z / (k * (k + 1)) * inner;
  return r.high + (r.low * (1 - 0.5 * z) - r.high * z / 6 * inner);
}

static double cosine_of(double_pair r) {
  double z = r.high * r.high, inner = 1;
  for (int k = 19; k >= 3; k -= 2)
    inner = 1 - z / (k * (k + 1)) * inner;
  double half = 0.5 * z;
  double sum = 1 - half;
  /* 1 - z/2 + z^2/24 ..., with what 1 - z/2 lost */
  return sum + (((1 - sum) - half) + (half * (1 - inner) - r.high * r.low));
}

double onnxc_math_sin_f64(double x) {
  if (!(magnitude(x) < ONNXC_MATH_INFINITY))
    return ONNXC_MATH_NAN;
  if (magnitude(x) < 0x1p-28)
    return x;
  double_pair r;
  int quadrant = reduce(x, &r);
  double y = quadrant & 1 ? cosine_of(r) : sine_of(r);
  return quadrant & 2 ? -y : y;
}

double onnxc_math_cos_f64(double x) {
  if (!(magnitude(x) < ONNXC_MATH_INFINITY))
    return ONNXC_MATH_NAN;
  double_pair r;
  int quadrant = reduce(x, &r) + 1;
  double y = quadrant & 1 ? cosine_of(r) : sine_of(r);
  return quadrant & 2 ? -y : y;
}

double onnxc_math_tan_f64(double x) {
  if (!(magnitude(x) < ONNXC_MATH_INFINITY))
    return ONNXC_MATH_NAN;
  if (magnitude(x) < 0x1p-28)
    return x;
  double_pair r;
  int quadrant = reduce(x, &r);
  return quadrant & 1 ? -cosine_of(r) / sine_of(r) : sine_of(r) / cosine_of(r);
}

/*===-- inverses ----------------------------------------------------------===*/

static const double_pair half_pi = {0x1.921fb54442d18p+0,
                                    0x1.1a62633145c07p-54};

/* atan(k / 8). */
static const double_pair atan_of_eighths[] = {
    {0, 0},
    {0x1.fd5ba9aac2f6ep-4, -0x1.cd37686760c17p-59},
    {0x1.f5b75f92c80ddp-3, 0x1.8ab6e3cf7afbdp-57},
    {0x1.6f61941e4def1p-2, -0x1.c63aae6f6e918p-56},
    {0x1.dac670561bb4fp-2, 0x1.a2b7f222f65e2p-56},
    {0x1.1e00babdefeb4p-1, -0x1.928df287a668fp-58},
    {0x1.4978fa3269ee1p-1, 0x1.2419a87f2a458p-56},
    {0x1.700a7c5784634p-1, -0x1.8c34d25aadef6p-56},
    {0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55}};

/* atan(y / x) for 0 <= y <= x, 0 < x. */
static double_pair atan_of_quotient(double y, double x) {
  /* atan(q) = atan(k / 8) + atan((q - k / 8) / (1 + q k / 8)) */
  int k = (int)(y / x * 8 + 0.5);
  double c = k / 8.0;
  /* The products with c are exact but for its three digits. */
  double_pair top = product_of(-c, x), bottom = product_of(c, y);
  top = pair_sum(top, (double_pair){y, 0});
  bottom = pair_sum(bottom, (double_pair){x, 0});
  double t = top.high / bottom.high;
  double_pair back = product_of(t, bottom.high);
  double low =
      (((top.high - back.high) - back.low) + top.low - t * bottom.low) /
      bottom.high;
  double z = t * t, sum = 0;
  for (int j = 17; j >= 3; j -= 2)
    sum = (1.0 / j - sum) * z;
  double_pair small = sum_of(t, low - t * sum);
  return pair_sum(atan_of_eighths[k], small);
}

double onnxc_math_atan2_f64(double y, double x) {
  if (x != x || y != y)
    return ONNXC_MATH_NAN;
  double my = magnitude(y), mx = magnitude(x);
  double_pair angle = {0, 0};
  int inverted = my > mx;
  double small = inverted ? mx : my, large = inverted ? my : mx;
  if (large == ONNXC_MATH_INFINITY) {
    if (small == large)
      angle = atan_of_eighths[8];
  } else if (large > 0) {
    /* Away from the ends of the range, where products would be lost. */
    if (large > 0x1p900) {
      large *= 0x1p-200;
      small *= 0x1p-200;
    } else if (large < 0x1p-800) {
      large *= 0x1p250;
      small *= 0x1p250;
    }
    if (small < large * 0x1p-60 || small < 0x1p-960) {
      /* Computed from the arguments as they are, for a denormal result. */
      angle.high = inverted ? mx / my : my / mx;
    } else {
      angle = atan_of_quotient(small, large);
    }
  }
  if (inverted)
    angle = pair_sum(half_pi, (double_pair){-angle.high, -angle.low});
  if (double_bits(x) >> 63)
    angle = pair_sum((double_pair){2 * half_pi.high, 2 * half_pi.low},
                     (double_pair){-angle.high, -angle.low});
  return with_sign_of(angle.high + angle.low, y);
}

double onnxc_math_atan_f64(double x) {
  if (magnitude(x) < 0x1p-28)
    return x;
  return onnxc_math_atan2_f64(x, 1);
}

double onnxc_math_asin_f64(double x) {
  double m = magnitude(x);
  if (!(m <= 1))
    return ONNXC_MATH_NAN;
  if (m < 0x1p-28)
    return x;
  return onnxc_math_atan2_f64(x, __builtin_elementwise_sqrt((1 - m) * (1 + m)));
}

double onnxc_math_acos_f64(double x) {
  if (!(magnitude(x) <= 1))
    return ONNXC_MATH_NAN;
  return 2 * onnxc_math_atan2_f64(__builtin_elementwise_sqrt(1 - x),
                                  __builtin_elementwise_sqrt(1 + x));
}
