// RUN: onnxc-opt %s --onnx-flatten-elementwise | FileCheck %s

// A scalar beside the tensor is repeated; two tensors of unknown ranks stay, and so does what has a rank.

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: tensor<*xf32>, %[[Y:.*]]: tensor<*xf32>, %[[K:.*]]: tensor<f32>,
// CHECK: %[[FLAT:.*]] = onnx.Reshape(%[[X]], %{{.*}}) {{.*}} : (tensor<*xf32>, tensor<1xi64>) -> tensor<?xf32>
// CHECK: %[[SHAPE:.*]] = onnx.Shape(%[[X]]) {{.*}} : (tensor<*xf32>) -> tensor<?xi64>
// CHECK: %[[LESS:.*]] = onnx.Less(%[[FLAT]], %[[K]]) : (tensor<?xf32>, tensor<f32>) -> tensor<?xi1>
// CHECK: onnx.Reshape(%[[LESS]], %[[SHAPE]]) {allowzero = 1 : i64} : (tensor<?xi1>, tensor<?xi64>) -> tensor<*xi1>
// CHECK: onnx.Add(%[[X]], %[[Y]]) : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32>
// CHECK: onnx.Neg(%{{.*}}) : (tensor<?x2xf32>) -> tensor<?x2xf32>
func.func @main(%x: tensor<*xf32>, %y: tensor<*xf32>, %k: tensor<f32>, %z: tensor<?x2xf32>) -> (tensor<*xi1>, tensor<*xf32>, tensor<?x2xf32>) {
  %0 = onnx.Less(%x, %k) : (tensor<*xf32>, tensor<f32>) -> tensor<*xi1>
  %1 = onnx.Add(%x, %y) : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32>
  %2 = onnx.Neg(%z) : (tensor<?x2xf32>) -> tensor<?x2xf32>
  return %0, %1, %2 : tensor<*xi1>, tensor<*xf32>, tensor<?x2xf32>
}
