// RUN: onnxc-opt %s --onnx-infer-ranks --onnx-infer-lengths --split-input-file | FileCheck %s

// The rank of the input decides how many repeats there are; a vector whose length is known stays.

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: tensor<?x?xf32>, %[[R:.*]]: tensor<?xi64>, %[[K:.*]]: tensor<2xi64>)
// CHECK: %[[C:.*]] = onnx.Constant() {value = dense<2> : tensor<1xi64>}
// CHECK: %[[L:.*]] = onnx.Reshape(%[[R]], %[[C]]) {{.*}} : (tensor<?xi64>, tensor<1xi64>) -> tensor<2xi64>
// CHECK: onnx.Tile(%[[X]], %[[L]])
// CHECK: onnx.Tile(%[[X]], %[[K]])
func.func @main(%x: tensor<?x?xf32>, %r: tensor<?xi64>, %k: tensor<2xi64>) -> (tensor<?x?xf32>, tensor<?x?xf32>) {
  %y = onnx.Tile(%x, %r) : (tensor<?x?xf32>, tensor<?xi64>) -> tensor<?x?xf32>
  %z = onnx.Tile(%x, %k) : (tensor<?x?xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  return %y, %z : tensor<?x?xf32>, tensor<?x?xf32>
}

// -----

// The declared rank of an output counts where inference finds none, through what is computed element by element.

// CHECK-LABEL: func.func @main
// CHECK-SAME: -> (tensor<?x?x?xf32>
// CHECK: %[[C:.*]] = onnx.Constant() {value = dense<3> : tensor<1xi64>}
// CHECK: %[[L:.*]] = onnx.Reshape(%{{.*}}, %[[C]]) {{.*}} -> tensor<3xi64>
// CHECK: %[[Y:.*]] = onnx.Reshape(%{{.*}}, %[[L]]) {{.*}} -> tensor<?x?x?xf32>
// CHECK: onnx.Exp(%[[Y]]) {{.*}} -> tensor<?x?x?xf32>
func.func @main(%x: tensor<?xf32>, %s: tensor<?xi64>) -> (tensor<*xf32> {onnx.name = "z", onnx.dims = ["", "", ""]}) {
  %y = onnx.Reshape(%x, %s) : (tensor<?xf32>, tensor<?xi64>) -> tensor<*xf32>
  %z = onnx.Exp(%y) : (tensor<*xf32>) -> tensor<*xf32>
  return %z : tensor<*xf32>
}

// -----

// Starts, ends, axes and steps are as many as any of them whose number is known.

// CHECK-LABEL: func.func @main
// CHECK: onnx.Slice({{.*}}) : (tensor<?x?xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, none) -> tensor<?x?xf32>
func.func @main(%x: tensor<?x?xf32>, %s: tensor<?xi64>, %e: tensor<?xi64>, %a: tensor<1xi64>) -> tensor<?x?xf32> {
  %none = onnx.None() : () -> none
  %y = onnx.Slice(%x, %s, %e, %a, %none) : (tensor<?x?xf32>, tensor<?xi64>, tensor<?xi64>, tensor<1xi64>, none) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// The last dim of indices follows from three ranks. A sum's rank says nothing of its operands'.

// CHECK-LABEL: func.func @main
// CHECK: %[[C:.*]] = onnx.Constant() {value = dense<[0, 2]> : tensor<2xi64>}
// CHECK: %[[L:.*]] = onnx.Reshape(%{{.*}}, %[[C]]) {{.*}} -> tensor<?x2xi64>
// CHECK: onnx.GatherND(%{{.*}}, %[[L]]) {{.*}} -> tensor<?x?xf32>
// CHECK: onnx.Add({{.*}}) : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32>
func.func @main(%x: tensor<?x?x?xf32>, %i: tensor<?x?xi64>, %s: tensor<?xi64>)
    -> (tensor<*xf32> {onnx.name = "y", onnx.dims = ["", ""]}, tensor<*xf32> {onnx.name = "z", onnx.dims = [""]}) {
  %y = onnx.GatherND(%x, %i) {batch_dims = 0 : i64} : (tensor<?x?x?xf32>, tensor<?x?xi64>) -> tensor<*xf32>
  %t = onnx.Reshape(%x, %s) : (tensor<?x?x?xf32>, tensor<?xi64>) -> tensor<*xf32>
  %z = onnx.Add(%t, %t) : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32>
  return %y, %z : tensor<*xf32>, tensor<*xf32>
}
