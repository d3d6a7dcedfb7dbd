// RUN: onnxc-opt %s --split-input-file --expand-math --verify-diagnostics | FileCheck %s

// Nothing but arithmetic, no branch, and no fma where the target may lack it.
// CHECK-LABEL: func @scalar
// CHECK-NOT: math.
// CHECK-NOT: scf.
// CHECK: arith.mulf {{.*}} fastmath<contract>
// CHECK: arith.addf {{.*}} fastmath<contract>
// CHECK-NOT: math.
// CHECK: return
func.func @scalar(%x: f32) -> f32 {
  %0 = math.exp %x : f32
  %1 = math.log %0 : f32
  return %1 : f32
}

// -----

// CHECK-LABEL: func @vector
// CHECK: vector.fma {{.*}} : vector<2x8xf32>
// CHECK-NOT: math.tanh
// CHECK: return %{{.*}} : vector<2x8xf32>
func.func @vector(%x: vector<2x8xf32>) -> vector<2x8xf32> {
  %0 = math.tanh %x : vector<2x8xf32>
  return %0 : vector<2x8xf32>
}

// -----

// CHECK-LABEL: func @half
// CHECK: %[[WIDE:.*]] = arith.extf %{{.*}} : vector<8xf16> to vector<8xf32>
// CHECK: vector.fma {{.*}} : vector<8xf32>
// CHECK: %[[RESULT:.*]] = arith.truncf %{{.*}} : vector<8xf32> to vector<8xf16>
// CHECK: return %[[RESULT]]
func.func @half(%x: vector<8xf16>) -> vector<8xf16> {
  %0 = math.erf %x : vector<8xf16>
  return %0 : vector<8xf16>
}

// -----

// CHECK-LABEL: func @bfloat
// CHECK: arith.extf %{{.*}} : bf16 to f32
// CHECK: %[[Y:.*]] = call @onnxc_math_atan2_f32(%{{.*}}, %{{.*}}) : (f32, f32) -> f32
// CHECK: arith.truncf %[[Y]] : f32 to bf16
// CHECK: func private @onnxc_math_atan2_f32(f32, f32) -> f32
func.func @bfloat(%x: bf16, %y: bf16) -> bf16 {
  %0 = math.atan2 %x, %y : bf16
  return %0 : bf16
}

// -----

// f64 is always a call; one declaration serves all.
// CHECK-LABEL: func @double
// CHECK: call @onnxc_math_exp_f64
// CHECK: call @onnxc_math_exp_f64
// CHECK-COUNT-1: func private @onnxc_math_exp_f64(f64) -> f64
// CHECK-NOT: func private
func.func @double(%x: f64) -> f64 {
  %0 = math.exp %x : f64
  %1 = math.exp %0 : f64
  return %1 : f64
}

// -----

// CHECK-LABEL: func @calls_of_a_vector
// CHECK: vector.extract %{{.*}}[0, 0] : f32 from vector<1x2xf32>
// CHECK: call @onnxc_math_cbrt_f32
// CHECK: vector.insert %{{.*}}, %{{.*}} [0, 0]
// CHECK: call @onnxc_math_cbrt_f32
// CHECK: vector.insert %{{.*}}, %{{.*}} [0, 1]
func.func @calls_of_a_vector(%x: vector<1x2xf32>) -> vector<1x2xf32> {
  %0 = math.cbrt %x : vector<1x2xf32>
  return %0 : vector<1x2xf32>
}

// -----

// CHECK-LABEL: func @remainder
// CHECK: call @onnxc_math_fmod_f32(%{{.*}}, %{{.*}})
func.func @remainder(%x: f32, %y: f32) -> f32 {
  %0 = arith.remf %x, %y : f32
  return %0 : f32
}

// -----

// Instructions that every target has stay.
// CHECK-LABEL: func @instructions
// CHECK: math.sqrt
// CHECK: math.floor
// CHECK: math.absf
func.func @instructions(%x: f32) -> f32 {
  %0 = math.sqrt %x : f32
  %1 = math.floor %0 : f32
  %2 = math.absf %1 : f32
  return %2 : f32
}

// -----

func.func @tensor(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{cannot be computed on 'tensor<4xf32>'}}
  %0 = math.exp %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
