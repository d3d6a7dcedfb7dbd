// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// Lines along memory one by one, the sum carried; lines side by side together,
// each step one pass that writes the result and the sums.

// CHECK-LABEL: func.func @main
// CHECK: scf.for
// CHECK: scf.for {{.*}} -> (tensor<4x9xf32>, f32)
// CHECK: arith.addf {{.*}} : f32
// CHECK: scf.for {{.*}} -> (tensor<4x9xf32>, tensor<9xf32>)
// CHECK: linalg.generic {{.*}} outs(%{{.*}}, %{{.*}} : tensor<9xf32>, tensor<9xf32>)
func.func @main(%x: tensor<4x9xf32> {onnx.name = "x", onnx.dims = ["", ""]})
    -> (tensor<4x9xf32> {onnx.name = "a", onnx.dims = ["", ""]}, tensor<4x9xf32> {onnx.name = "b", onnx.dims = ["", ""]}) {
  %one = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %zero = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %a = onnx.CumSum(%x, %one) : (tensor<4x9xf32>, tensor<i64>) -> tensor<4x9xf32>
  %b = onnx.CumSum(%x, %zero) : (tensor<4x9xf32>, tensor<i64>) -> tensor<4x9xf32>
  return %a, %b : tensor<4x9xf32>, tensor<4x9xf32>
}
