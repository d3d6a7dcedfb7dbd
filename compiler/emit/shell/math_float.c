/*===- math_float.c - The rare functions of f32 ----------------*- C -*-===*
 *
 * Computed in double precision and rounded.
 *
 *===--------------------------------------------------------------------===*/

#include "elementary.h"

float onnxc_math_log10_f32(float x) { return (float)onnxc_math_log10_f64(x); }

float onnxc_math_cbrt_f32(float x) { return (float)onnxc_math_cbrt_f64(x); }

float onnxc_math_atan2_f32(float y, float x) {
  return (float)onnxc_math_atan2_f64(y, x);
}

/* Exact: the remainder of two floats is a float. */
float onnxc_math_fmod_f32(float x, float y) {
  return (float)onnxc_math_fmod_f64(x, y);
}
