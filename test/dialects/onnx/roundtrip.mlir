// RUN: onnxc-opt %s | onnxc-opt | FileCheck %s
// RUN: onnxc-opt %s -mlir-print-op-generic | onnxc-opt | FileCheck %s

// CHECK-LABEL: func.func @operators
func.func @operators(%x: tensor<1x3x8x?xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<*xf32> {
  // CHECK: %[[NONE:.*]] = onnx.None() : () -> none
  %none = onnx.None() : () -> none
  // Defaults of the standard are filled in.
  // CHECK: onnx.Conv(%{{.*}}, %{{.*}}, %[[NONE]]) {auto_pad = "NOTSET", group = 1 : i64, strides = array<i64: 2, 2>} : (tensor<1x3x8x?xf32>, tensor<4x3x3x3xf32>, none) -> tensor<1x4x3x?xf32>
  %conv = onnx.Conv(%x, %w, %none) {strides = array<i64: 2, 2>} : (tensor<1x3x8x?xf32>, tensor<4x3x3x3xf32>, none) -> tensor<1x4x3x?xf32>
  // An absent result has type none.
  // CHECK: %Y, %Indices = onnx.MaxPool(%{{.*}}) {{.*}} : (tensor<1x4x3x?xf32>) -> (tensor<1x4x2x?xf32>, none)
  %pool:2 = onnx.MaxPool(%conv) {kernel_shape = array<i64: 2, 2>} : (tensor<1x4x3x?xf32>) -> (tensor<1x4x2x?xf32>, none)
  // CHECK: onnx.Concat(%{{.*}}, %{{.*}}, %{{.*}}) {axis = 1 : i64}
  %concat = onnx.Concat(%pool#0, %pool#0, %pool#0) {axis = 1 : i64} : (tensor<1x4x2x?xf32>, tensor<1x4x2x?xf32>, tensor<1x4x2x?xf32>) -> tensor<*xf32>
  return %concat : tensor<*xf32>
}

// CHECK-LABEL: func.func @regions
func.func @regions(%c: tensor<i1>, %x: tensor<f32>) -> tensor<f32> {
  // CHECK: onnx.If(%{{.*}}) ({
  // CHECK:   onnx.Return(%{{.*}}) : (tensor<f32>) -> ()
  // CHECK: }, {
  // CHECK: }) : (tensor<i1>) -> tensor<f32>
  %y = onnx.If(%c) ({
    onnx.Return(%x) : (tensor<f32>) -> ()
  }, {
    %n = onnx.Neg(%x) : (tensor<f32>) -> tensor<f32>
    onnx.Return(%n) : (tensor<f32>) -> ()
  }) : (tensor<i1>) -> tensor<f32>
  return %y : tensor<f32>
}

// CHECK: func.func private @types
// CHECK-SAME: tensor<2x!onnx.string>
// CHECK-SAME: !onnx.seq<tensor<*xui8>>
// CHECK-SAME: !onnx.opt<!onnx.seq<tensor<?xf16>>>
// CHECK-SAME: !onnx.map<!onnx.string, tensor<f32>>
func.func private @types(tensor<2x!onnx.string>, !onnx.seq<tensor<*xui8>>, !onnx.opt<!onnx.seq<tensor<?xf16>>>, !onnx.map<!onnx.string, tensor<f32>>)

// CHECK-LABEL: func.func @constants
func.func @constants() -> (tensor<2x!onnx.string>, tensor<3xi64>) {
  // CHECK: onnx.Constant() {value = dense<["a", "b"]> : tensor<2x!onnx.string>} : () -> tensor<2x!onnx.string>
  %s = onnx.Constant() {value = dense<["a", "b"]> : tensor<2x!onnx.string>} : () -> tensor<2x!onnx.string>
  // CHECK: onnx.Constant() {value = dense_resource<weight> : tensor<3xi64>} : () -> tensor<3xi64>
  %w = onnx.Constant() {value = dense_resource<weight> : tensor<3xi64>} : () -> tensor<3xi64>
  return %s, %w : tensor<2x!onnx.string>, tensor<3xi64>
}

// CHECK-LABEL: func.func @traditional
func.func @traditional(%x: tensor<?xi32>) -> tensor<?xf32> {
  // CHECK: onnx.ml.Scaler(%{{.*}}) {scale = array<f32: 2.000000e+00>}
  %y = onnx.ml.Scaler(%x) {scale = array<f32: 2.0>} : (tensor<?xi32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

{-#
  dialect_resources: {
    builtin: {
      weight: "0x08000000010000000000000002000000000000000300000000000000"
    }
  }
#-}
