/*===- elementary.h - Elementary functions of a model ----------------*- C
 * -*-===*
 *
 * What a model's code calls where no polynomial is written into it: all of f64,
 * and the rare functions of f32. To 2 units in the last place,
 * tanh to 3, erf to 4.
 *
 *===--------------------------------------------------------------------===*/
#ifndef ONNXC_COMPILER_EMIT_SHELL_ELEMENTARY_H
#define ONNXC_COMPILER_EMIT_SHELL_ELEMENTARY_H

#include <stdint.h>

#define ONNXC_MATH_INFINITY __builtin_inf()
#define ONNXC_MATH_NAN __builtin_nan("")

static inline uint64_t double_bits(double x) {
  union {
    double value;
    uint64_t bits;
  } u = {x};
  return u.bits;
}

static inline double double_from_bits(uint64_t bits) {
  union {
    uint64_t bits;
    double value;
  } u = {bits};
  return u.value;
}

static inline double magnitude(double x) {
  return double_from_bits(double_bits(x) & ~(UINT64_C(1) << 63));
}

static inline double with_sign_of(double x, double sign) {
  return double_from_bits(double_bits(magnitude(x)) |
                          (double_bits(sign) & UINT64_C(1) << 63));
}

/* A number as an unevaluated sum, the first part being the sum rounded. */
typedef struct {
  double high, low;
} double_pair;

static inline double_pair sum_of(double a, double b) {
  double s = a + b, t = s - a;
  return (double_pair){s, (a - (s - t)) + (b - t)};
}

static inline double_pair product_of(double a, double b) {
  /* Halves of 26 digits, whose products are exact. */
  double p = a * b;
  double ta = 134217729.0 * a, ah = ta - (ta - a), al = a - ah;
  double tb = 134217729.0 * b, bh = tb - (tb - b), bl = b - bh;
  return (double_pair){p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
}

static inline double_pair pair_product(double_pair a, double_pair b) {
  double_pair p = product_of(a.high, b.high);
  return sum_of(p.high, p.low + (a.high * b.low + a.low * b.high));
}

static inline double_pair pair_sum(double_pair a, double_pair b) {
  double_pair s = sum_of(a.high, b.high);
  return sum_of(s.high, s.low + (a.low + b.low));
}

/* The nearest integer, for |x| < 2^51. */
static inline double nearest(double x) {
  return (x + 6755399441055744.0) - 6755399441055744.0;
}

/* y * 2^n, rounded once. */
static inline double scale(double y, int64_t n) {
  if (n > 1023) {
    y *= 0x1p1023;
    n = n - 1023 > 1023 ? 1023 : n - 1023;
  } else if (n < -1022) {
    y *= 0x1p-969; /* leaves what is to be rounded to the last step */
    n = n + 969 < -1022 ? -1022 : n + 969;
  }
  return y * double_from_bits((uint64_t)(n + 1023) << 52);
}

/* e^(high + low). */
double onnxc_math_exp_pair(double high, double low);

double onnxc_math_exp_f64(double x);
double onnxc_math_exp2_f64(double x);
double onnxc_math_expm1_f64(double x);
double onnxc_math_log_f64(double x);
double onnxc_math_log2_f64(double x);
double onnxc_math_log10_f64(double x);
double onnxc_math_log1p_f64(double x);
double onnxc_math_pow_f64(double x, double y);
double onnxc_math_sin_f64(double x);
double onnxc_math_cos_f64(double x);
double onnxc_math_tan_f64(double x);
double onnxc_math_asin_f64(double x);
double onnxc_math_acos_f64(double x);
double onnxc_math_atan_f64(double x);
double onnxc_math_atan2_f64(double y, double x);
double onnxc_math_sinh_f64(double x);
double onnxc_math_cosh_f64(double x);
double onnxc_math_tanh_f64(double x);
double onnxc_math_asinh_f64(double x);
double onnxc_math_acosh_f64(double x);
double onnxc_math_atanh_f64(double x);
double onnxc_math_erf_f64(double x);
double onnxc_math_cbrt_f64(double x);
double onnxc_math_fmod_f64(double x, double y);
double onnxc_math_round_f64(double x);

float onnxc_math_log10_f32(float x);
float onnxc_math_atan2_f32(float y, float x);
float onnxc_math_cbrt_f32(float x);
float onnxc_math_fmod_f32(float x, float y);

#endif
