// RUN: onnxc-opt %s --onnx-differentiate-gradients --canonicalize --split-input-file --verify-diagnostics | FileCheck %s

// y = sum(a * row): by row it is summed along the dim in which row was repeated.

// CHECK-LABEL: func.func @product
// CHECK: %[[Y:.*]] = onnx.Mul(%arg0, %arg1)
// CHECK: %[[SEED:.*]] = onnx.ConstantOfShape({{.*}}) {value = dense<1.000000e+00> : tensor<1xf32>}
// CHECK: %[[DA:.*]] = onnx.Mul(%[[SEED]], %arg1)
// CHECK: %[[SHARE:.*]] = onnx.Mul(%[[SEED]], %arg0)
// CHECK: %[[SUM:.*]] = onnx.ReduceSum(%[[SHARE]]
// CHECK: %[[DROW:.*]] = onnx.Squeeze(%[[SUM]], {{.*}}) : {{.*}} -> tensor<3xf32>
// CHECK: return %[[Y]], %[[DA]], %[[DROW]]
func.func @product(%a: tensor<2x3xf32>, %row: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<*xf32>, tensor<*xf32>) {
  %y = onnx.Mul(%a, %row) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %da, %drow = onnx.preview.training.Gradient(%a, %row, %a, %row, %y) {xs = ["a", "row"], y = "y"}
    : (tensor<2x3xf32>, tensor<3xf32>, tensor<2x3xf32>, tensor<3xf32>, tensor<2x3xf32>) -> (tensor<*xf32>, tensor<*xf32>)
  return %y, %da, %drow : tensor<2x3xf32>, tensor<*xf32>, tensor<*xf32>
}

// -----

// Elsewhere the function is computed once more; what is not on the way to y is 0.

// CHECK-LABEL: func.func @elsewhere
// CHECK: onnx.Exp(%arg0)
// CHECK: %[[THERE:.*]] = onnx.Exp(%arg1)
// CHECK: %[[DX:.*]] = onnx.Mul({{.*}}, %[[THERE]])
// CHECK: %[[NONE:.*]] = onnx.ConstantOfShape({{.*}}) {value = dense<0.000000e+00> : tensor<1xf32>}
// CHECK: return {{.*}}, %[[DX]], %[[NONE]]
func.func @elsewhere(%x: tensor<4xf32>, %at: tensor<4xf32>, %other: tensor<2xf32>) -> (tensor<4xf32>, tensor<*xf32>, tensor<*xf32>) {
  %y = onnx.Exp(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %dx, %dother = onnx.preview.training.Gradient(%at, %other, %x, %other, %y) {xs = ["x", "other"], y = "y"}
    : (tensor<4xf32>, tensor<2xf32>, tensor<4xf32>, tensor<2xf32>, tensor<4xf32>) -> (tensor<*xf32>, tensor<*xf32>)
  return %y, %dx, %dother : tensor<4xf32>, tensor<*xf32>, tensor<*xf32>
}

// -----

func.func @unknown(%x: tensor<4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{cannot be differentiated: the operator has no gradient here}}
  %y = onnx.Hardmax(%x) {axis = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
  %dx = onnx.preview.training.Gradient(%x, %x, %y) {xs = ["x"], y = "y"} : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %dx : tensor<*xf32>
}
