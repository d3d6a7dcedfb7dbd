// RUN: onnxc-opt %s -cse -canonicalize | FileCheck %s

// Equal constants and absent operands become one; what is pure and unused goes.
// CHECK-LABEL: func.func @shared
func.func @shared(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  // CHECK: %[[BOUND:.*]] = onnx.Constant()
  // CHECK: %[[NONE:.*]] = onnx.None()
  // CHECK-NOT: onnx.None
  // CHECK-NOT: onnx.Exp
  // CHECK: onnx.Clip(%{{.*}}, %[[BOUND]], %[[NONE]])
  // CHECK: onnx.Clip(%{{.*}}, %[[NONE]], %[[BOUND]])
  // CHECK-NOT: onnx.None
  %a = onnx.Constant() {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
  %b = onnx.Constant() {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
  %n = onnx.None() : () -> none
  %m = onnx.None() : () -> none
  %unused = onnx.Exp(%x) : (tensor<2xf32>) -> tensor<2xf32>
  %y = onnx.Clip(%x, %a, %n) : (tensor<2xf32>, tensor<f32>, none) -> tensor<2xf32>
  %z = onnx.Clip(%x, %m, %b) : (tensor<2xf32>, none, tensor<f32>) -> tensor<2xf32>
  return %y, %z : tensor<2xf32>, tensor<2xf32>
}

// CHECK-LABEL: func.func @random
// CHECK: onnx.RandomNormal
func.func @random() {
  %r = onnx.RandomNormal() {shape = array<i64: 2>} : () -> tensor<2xf32>
  return
}
