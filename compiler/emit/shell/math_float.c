/*===- math_float.c - The rare functions of f32 ----------------*- C -*-===*
 *
 * Computed in double precision and rounded.
 *
 *===--------------------------------------------------------------------===*/

#include "elementary.h"

float onnxc_math_log10_f32(float x) { return (float)onnxc_math_log10_f64(x); }

float onnxc_math_tan_f32(float x) { return (float)onnxc_math_tan_f64(x); }

float onnxc_math_asin_f32(float x) { return (float)onnxc_math_asin_f64(x); }

float onnxc_math_acos_f32(float x) { return (float)onnxc_math_acos_f64(x); }

float onnxc_math_atan_f32(float x) { return (float)onnxc_math_atan_f64(x); }

float onnxc_math_sinh_f32(float x) { return (float)onnxc_math_sinh_f64(x); }

float onnxc_math_cosh_f32(float x) { return (float)onnxc_math_cosh_f64(x); }

float onnxc_math_asinh_f32(float x) { return (float)onnxc_math_asinh_f64(x); }

float onnxc_math_acosh_f32(float x) { return (float)onnxc_math_acosh_f64(x); }

float onnxc_math_atanh_f32(float x) { return (float)onnxc_math_atanh_f64(x); }

float onnxc_math_cbrt_f32(float x) { return (float)onnxc_math_cbrt_f64(x); }

float onnxc_math_atan2_f32(float y, float x) {
  return (float)onnxc_math_atan2_f64(y, x);
}

/* Exact: the remainder of two floats is a float. */
float onnxc_math_fmod_f32(float x, float y) {
  return (float)onnxc_math_fmod_f64(x, y);
}
