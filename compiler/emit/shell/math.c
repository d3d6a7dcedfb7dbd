/*===- math.c - Exponentials, logarithms and what follows -------*- C -*-===*
 *
 * Arguments are reduced with parts of ln 2 whose products are exact; what is
 * left is a Taylor series. Sums keep their rounding errors where these count.
 *
 *===--------------------------------------------------------------------===*/

#include "elementary.h"

static const double ln2_high = 0x1.62e42fee00000p-1, /* 32 digits */
    ln2_low = 0x1.a39ef35793c76p-33, log2_e = 0x1.71547652b82fep+0,
                    log2_e_low = 0x1.777d0ffda0d24p-56;

/*===-- exponentials ------------------------------------------------------===*/

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2. */
static double exp_tail(double r) {
  double sum = 1.0 / 6227020800.0; /* 1 / 13! */
  double factorial = 6227020800.0;
  for (int k = 13; k > 2; --k) {
    factorial /= k;
    sum = sum * r + 1.0 / factorial;
  }
  return sum;
}

double onnxc_math_exp_pair(double high, double low) {
  if (high != high)
    return high;
  if (high > 710)
    return ONNXC_MATH_INFINITY;
  if (high < -746)
    return 0;
  double n = nearest(high * log2_e);
  double_pair r = sum_of(high - n * ln2_high, low - n * ln2_low);
  double tail = r.low + r.high * r.high * exp_tail(r.high) + r.high * r.low;
  return scale(1 + (r.high + tail), (int64_t)n);
}

double onnxc_math_exp_f64(double x) { return onnxc_math_exp_pair(x, 0); }

double onnxc_math_exp2_f64(double x) {
  if (!(magnitude(x) < 1100))
    return x != x ? x : x > 0 ? ONNXC_MATH_INFINITY : 0;
  double n = nearest(x);
  double_pair r =
      pair_product((double_pair){x - n, 0},
                   (double_pair){0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56});
  double tail = r.low + r.high * r.high * exp_tail(r.high);
  return scale(1 + (r.high + tail), (int64_t)n);
}

double onnxc_math_expm1_f64(double x) {
  if (x != x || x == 0)
    return x;
  if (x > 45)
    return onnxc_math_exp_f64(x);
  if (x < -45)
    return -1;
  double n = nearest(x * log2_e);
  double_pair r = sum_of(x - n * ln2_high, -n * ln2_low);
  double tail = r.low + r.high * r.high * exp_tail(r.high) + r.high * r.low;
  if (n == 0)
    return r.high + tail;
  double power = scale(1, (int64_t)n);
  double_pair sum = sum_of(power - 1, power * r.high);
  return sum.high + (sum.low + power * tail);
}

/*===-- logarithms --------------------------------------------------------===*/

/* x = 2^exponent * (1 + fraction), for finite x > 0; the fraction is exact. */
static double split(double x, int64_t *exponent) {
  int64_t shift = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    shift = 54;
  }
  uint64_t bits = double_bits(x) - UINT64_C(0x3fe6a09e667f3bcd); /* sqrt(1/2) */
  *exponent = ((int64_t)bits >> 52) - shift;
  bits = (bits & UINT64_C(0xfffffffffffff)) + UINT64_C(0x3fe6a09e667f3bcd);
  return double_from_bits(bits) - 1;
}

/* ln(1 + f), with sqrt(1/2) <= 1 + f < sqrt(2), through s = f / (2 + f):
 * 2 (s + s^3 / 3 + s^5 / 5 ...). */
static double_pair log_of_fraction(double f) {
  double s = f / (2 + f), z = s * s, r = 0;
  for (int k = 25; k >= 3; k -= 2)
    r = (r + 2.0 / k) * z;
  double half = 0.5 * f * f;
  /* f - (f^2 / 2 - s (f^2 / 2 + r)) */
  return sum_of(f, -(half - s * (half + r)));
}

/* What a logarithm is outside of (0, infinity). */
static double log_elsewhere(double x) {
  if (x == 0)
    return -ONNXC_MATH_INFINITY;
  return x > 0 || x != x ? x : ONNXC_MATH_NAN;
}

static int has_log(double x) { return x > 0 && x < ONNXC_MATH_INFINITY; }

double onnxc_math_log_f64(double x) {
  if (!has_log(x))
    return log_elsewhere(x);
  int64_t n;
  double_pair y = log_of_fraction(split(x, &n));
  double_pair sum = sum_of((double)n * ln2_high, y.high);
  return sum.high + (sum.low + (y.low + (double)n * ln2_low));
}

double onnxc_math_log2_f64(double x) {
  if (!has_log(x))
    return log_elsewhere(x);
  int64_t n;
  double_pair y = pair_product(log_of_fraction(split(x, &n)),
                               (double_pair){log2_e, log2_e_low});
  double_pair sum = sum_of((double)n, y.high);
  return sum.high + (sum.low + y.low);
}

double onnxc_math_log10_f64(double x) {
  if (!has_log(x))
    return log_elsewhere(x);
  int64_t n;
  double_pair y =
      pair_product(log_of_fraction(split(x, &n)),
                   (double_pair){0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57});
  double_pair sum = sum_of((double)n * 0x1.34413509f7800p-2, y.high);
  return sum.high + (sum.low + (y.low + (double)n * 0x1.fef311f12b358p-46));
}

double onnxc_math_log1p_f64(double x) {
  if (!(x > -1 && x < ONNXC_MATH_INFINITY))
    return x == -1 ? -ONNXC_MATH_INFINITY : x < -1 ? ONNXC_MATH_NAN : x;
  if (magnitude(x) < 0x1p-54)
    return x;
  double_pair u = sum_of(1, x);
  int64_t n;
  double_pair y = log_of_fraction(split(u.high, &n));
  double_pair sum = sum_of((double)n * ln2_high, y.high);
  return sum.high + (sum.low + (y.low + (double)n * ln2_low + u.low / u.high));
}

/*===-- powers ------------------------------------------------------------===*/

/* ln x to some 65 digits, for finite x > 0. */
static double_pair log_pair(double x) {
  int64_t n;
  double f = split(x, &n);
  /* s = f / (2 + f) */
  double_pair divisor = sum_of(2, f);
  double quotient = f / divisor.high;
  double_pair back = product_of(quotient, divisor.high);
  double rest = ((f - back.high) - back.low) - quotient * divisor.low;
  double_pair s = sum_of(quotient, rest / divisor.high);
  double_pair z = pair_product(s, s);
  double r = 0;
  for (int k = 25; k >= 5; k -= 2)
    r = (r + 2.0 / k) * z.high;
  double_pair third = {0x1.5555555555555p-1, 0x1.5555555555555p-55};
  double_pair q = pair_sum(third, (double_pair){r, 0});
  double_pair cube = pair_product(pair_product(s, z), q);
  double_pair y = pair_sum((double_pair){2 * s.high, 2 * s.low}, cube);
  /* ln 2 as 42 digits, whose products with n are exact, and the rest. */
  double_pair e = sum_of((double)n * 0x1.62e42fefa3800p-1,
                         (double)n * 0x1.ef35793c76730p-45);
  return pair_sum(e, y);
}

/* 0: y is no integer; 1: odd; 2: even. */
static int parity(double y) {
  double m = magnitude(y);
  if (m >= 0x1p53)
    return 2;
  int64_t whole = (int64_t)m;
  if ((double)whole != m)
    return 0;
  return whole & 1 ? 1 : 2;
}

/* x^y where it needs no logarithm; 0 where it does. */
static int simple_power(double x, double y, double *result) {
  if (y == 0 || x == 1)
    return *result = 1, 1;
  if (x != x || y != y)
    return *result = ONNXC_MATH_NAN, 1;
  double m = magnitude(x);
  if (magnitude(y) == ONNXC_MATH_INFINITY) {
    *result = m == 1 ? 1 : (m > 1) == (y > 0) ? ONNXC_MATH_INFINITY : 0;
    return 1;
  }
  if (m == 0 || m == ONNXC_MATH_INFINITY) {
    *result = (m == 0) == (y > 0) ? 0 : ONNXC_MATH_INFINITY;
    if (parity(y) == 1)
      *result = with_sign_of(*result, x);
    return 1;
  }
  if (x < 0 && parity(y) == 0)
    return *result = ONNXC_MATH_NAN, 1;
  return 0;
}

double onnxc_math_pow_f64(double x, double y) {
  double result;
  if (simple_power(x, y, &result))
    return result;
  double m = magnitude(x);
  if (m == 1)
    result = 1;
  else if (magnitude(y) > 0x1p70) /* |ln m| is at least 2^-53 */
    result = (m > 1) == (y > 0) ? ONNXC_MATH_INFINITY : 0;
  else {
    double_pair p = pair_product(log_pair(m), (double_pair){y, 0});
    result = onnxc_math_exp_pair(p.high, p.low);
  }
  return x < 0 && parity(y) == 1 ? -result : result;
}

double onnxc_math_cbrt_f64(double x) {
  if (x != x || x == 0 || magnitude(x) == ONNXC_MATH_INFINITY)
    return x;
  double m = magnitude(x), factor = 1;
  if (m < 0x1p-1000) {
    m *= 0x1p162;
    factor = 0x1p-54;
  } else if (m > 0x1p1000) {
    m *= 0x1p-162;
    factor = 0x1p54;
  }
  /* A third of the exponent, then steps that cube the error. */
  double t = double_from_bits(double_bits(m) / 3 + (UINT64_C(715094163) << 32));
  for (int i = 0; i < 3; ++i) {
    double cube = t * t * t;
    t -= t * ((cube - m) / (2 * cube + m));
  }
  /* Once more, with the cube's rounding errors. */
  double_pair square = product_of(t, t);
  double_pair cube = pair_product(square, (double_pair){t, 0});
  t -= ((cube.high - m) + cube.low) / (3 * square.high);
  return with_sign_of(t * factor, x);
}

/*===-- hyperbolic functions ----------------------------------------------===*/

/* e^x / 2 for large x, also where e^x is infinite. */
static double half_of_exp(double x) {
  double_pair less = sum_of(x, -ln2_high);
  return onnxc_math_exp_pair(less.high, less.low - ln2_low);
}

double onnxc_math_sinh_f64(double x) {
  double m = magnitude(x), result;
  if (!(m < 711))
    return x > 0 || x < 0 ? with_sign_of(ONNXC_MATH_INFINITY, x) : x;
  if (m < 0x1p-28)
    return x;
  if (m > 40) {
    result = half_of_exp(m);
  } else {
    double t = onnxc_math_expm1_f64(m);
    result = 0.5 * (m < 1 ? 2 * t - t * t / (t + 1) : t + t / (t + 1));
  }
  return with_sign_of(result, x);
}

double onnxc_math_cosh_f64(double x) {
  double m = magnitude(x);
  if (m > 40)
    return half_of_exp(m);
  double t = onnxc_math_exp_f64(m);
  return 0.5 * t + 0.5 / t;
}

double onnxc_math_tanh_f64(double x) {
  double m = magnitude(x);
  if (x != x || m < 0x1p-28)
    return x;
  if (m > 22)
    return with_sign_of(1, x);
  double t = onnxc_math_expm1_f64(m < 1 ? -2 * m : 2 * m);
  return with_sign_of(m < 1 ? -t / (t + 2) : 1 - 2 / (t + 2), x);
}

double onnxc_math_asinh_f64(double x) {
  double m = magnitude(x), result;
  if (!(m < ONNXC_MATH_INFINITY) || m < 0x1p-28)
    return x;
  if (m > 0x1p28)
    result = onnxc_math_log_f64(m) + 0x1.62e42fefa39efp-1;
  else
    result = onnxc_math_log1p_f64(
        m + m * m / (1 + __builtin_elementwise_sqrt(m * m + 1)));
  return with_sign_of(result, x);
}

double onnxc_math_acosh_f64(double x) {
  if (!(x >= 1))
    return x != x ? x : ONNXC_MATH_NAN;
  if (x > 0x1p28)
    return onnxc_math_log_f64(x) + 0x1.62e42fefa39efp-1;
  double t = x - 1;
  return onnxc_math_log1p_f64(t + __builtin_elementwise_sqrt(2 * t + t * t));
}

double onnxc_math_atanh_f64(double x) {
  double m = magnitude(x);
  if (!(m < 1))
    return m == 1   ? with_sign_of(ONNXC_MATH_INFINITY, x)
           : x != x ? x
                    : ONNXC_MATH_NAN;
  if (m < 0x1p-28)
    return x;
  return with_sign_of(0.5 * onnxc_math_log1p_f64(2 * m / (1 - m)), x);
}

/*===-- the error function ------------------------------------------------===*/

double onnxc_math_erf_f64(double x) {
  double m = magnitude(x);
  if (x != x || x == 0)
    return x;
  if (m > 6)
    return with_sign_of(1, x);
  double_pair square = product_of(m, m);
  if (m < 1.75) {
    /* The rounding of the square is the same in both factors, and cancels. */
    double density = onnxc_math_exp_f64(-square.high);
    /* 2 / sqrt(pi) e^-x^2 (x + 2 x^3 / 3 + 4 x^5 / 15 ...) */
    double sum = 0;
    for (int k = 50; k >= 1; --k)
      sum = (sum + 1) * (2 * square.high / (2 * k + 1));
    double_pair front =
        pair_product((double_pair){0x1.20dd750429b6dp+0, 0x1.1ae3a914fed80p-56},
                     (double_pair){x, 0});
    return density * (front.high + (front.high * sum + front.low));
  }
  /* 1 - e^-x^2 / (x sqrt(pi)) / (1 + a / (1 + 2 a / (1 + ...))), a = 1 / 2x^2
   */
  double density = onnxc_math_exp_pair(-square.high, -square.low);
  double fraction = 1;
  for (int k = 150; k >= 1; --k)
    fraction = 1 + k / (2 * square.high) / fraction;
  return with_sign_of(1 - density * 0x1.20dd750429b6dp-1 / (m * fraction), x);
}

/*===-- remainders --------------------------------------------------------===*/

double onnxc_math_fmod_f64(double x, double y) {
  double m = magnitude(x), d = magnitude(y);
  if (!(m < ONNXC_MATH_INFINITY) || d == 0 || y != y)
    return ONNXC_MATH_NAN;
  if (m < d)
    return x;
  /* Both as integers times a power of 2; then long division. */
  uint64_t a = double_bits(m), b = double_bits(d);
  int64_t ea = (int64_t)(a >> 52), eb = (int64_t)(b >> 52);
  const uint64_t hidden = UINT64_C(1) << 52;
  a = ea ? (a & (hidden - 1)) | hidden : a;
  b = eb ? (b & (hidden - 1)) | hidden : b;
  ea = ea ? ea : 1;
  eb = eb ? eb : 1;
  while (ea > eb) {
    int64_t step = ea - eb < 11 ? ea - eb : 11;
    a = (a % b) << step;
    ea -= step;
  }
  a %= b;
  if (a == 0)
    return with_sign_of(0, x);
  while (a < hidden && eb > 1) {
    a <<= 1;
    --eb;
  }
  uint64_t bits = a < hidden ? a : (a - hidden) | (uint64_t)eb << 52;
  return with_sign_of(double_from_bits(bits), x);
}

double onnxc_math_round_f64(double x) {
  if (!(magnitude(x) < 0x1p52))
    return x;
  double whole = (double)(int64_t)magnitude(x);
  double rest = magnitude(x) - whole;
  return with_sign_of(rest >= 0.5 ? whole + 1 : whole, x);
}
