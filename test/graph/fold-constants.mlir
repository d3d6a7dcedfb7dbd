// RUN: onnxc-opt %s -onnx-fold-constants -split-input-file | FileCheck %s

// Data movement.
// CHECK-LABEL: func.func @movement
func.func @movement() -> (tensor<3x2xf32>, tensor<2xf32>, tensor<2x2xf32>, tensor<4xi64>, tensor<2x3xf32>, tensor<2x4xf32>) {
  %w = onnx.Constant() {value = dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>} : () -> tensor<2x3xf32>
  %none = onnx.None() : () -> none
  %minus = onnx.Constant() {value = dense<[-1]> : tensor<1xi64>} : () -> tensor<1xi64>
  %far = onnx.Constant() {value = dense<[-9223372036854775808]> : tensor<1xi64>} : () -> tensor<1xi64>
  %index = onnx.Constant() {value = dense<-1> : tensor<i64>} : () -> tensor<i64>
  %one = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %end = onnx.Constant() {value = dense<9> : tensor<i64>} : () -> tensor<i64>
  %two = onnx.Constant() {value = dense<2> : tensor<i64>} : () -> tensor<i64>
  %col = onnx.Constant() {value = dense<[[7.0], [8.0]]> : tensor<2x1xf32>} : () -> tensor<2x1xf32>
  // CHECK-DAG: %[[T:.*]] = onnx.Constant() {value = dense<{{\[\[}}1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00]]> : tensor<3x2xf32>}
  %0 = onnx.Transpose(%w) {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  // CHECK-DAG: %[[G:.*]] = onnx.Constant() {value = dense<[3.000000e+00, 6.000000e+00]> : tensor<2xf32>}
  %1 = onnx.Gather(%w, %index) {axis = 1 : i64} : (tensor<2x3xf32>, tensor<i64>) -> tensor<2xf32>
  %2 = onnx.Gather(%w, %minus) {axis = 1 : i64} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x1xf32>
  // CHECK-DAG: %[[C:.*]] = onnx.Constant() {value = dense<{{\[\[}}3.000000e+00, 7.000000e+00], [6.000000e+00, 8.000000e+00]]> : tensor<2x2xf32>}
  %3 = onnx.Concat(%2, %col) {axis = 1 : i64} : (tensor<2x1xf32>, tensor<2x1xf32>) -> tensor<2x2xf32>
  // CHECK-DAG: %[[R:.*]] = onnx.Constant() {value = dense<[1, 3, 5, 7]> : tensor<4xi64>}
  %4 = onnx.Range(%one, %end, %two) : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<4xi64>
  // CHECK-DAG: %[[S:.*]] = onnx.Constant() {value = dense<{{\[\[}}3.000000e+00, 2.000000e+00, 1.000000e+00], [6.000000e+00, 5.000000e+00, 4.000000e+00]]> : tensor<2x3xf32>}
  %5 = onnx.Slice(%w, %minus, %far, %minus, %minus) : (tensor<2x3xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<2x3xf32>
  %pads = onnx.Constant() {value = dense<[0, 1, 0, 0]> : tensor<4xi64>} : () -> tensor<4xi64>
  // CHECK-DAG: %[[P:.*]] = onnx.Constant() {value = dense<{{\[\[}}0.000000e+00, 1.000000e+00, 2.000000e+00, 3.000000e+00], [0.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00]]> : tensor<2x4xf32>}
  %6 = onnx.Pad(%w, %pads, %none, %none) : (tensor<2x3xf32>, tensor<4xi64>, none, none) -> tensor<2x4xf32>
  // CHECK: return %[[T]], %[[G]], %[[C]], %[[R]], %[[S]], %[[P]]
  return %0, %1, %3, %4, %5, %6 : tensor<3x2xf32>, tensor<2xf32>, tensor<2x2xf32>, tensor<4xi64>, tensor<2x3xf32>, tensor<2x4xf32>
}

// -----

// Arithmetic; integers divide towards zero, Mod has the divisor's sign.
// CHECK-LABEL: func.func @arithmetic
func.func @arithmetic() -> (tensor<2x2xf32>, tensor<2xi32>, tensor<2xi32>, tensor<2xf32>, tensor<i1>, tensor<2xi32>) {
  %a = onnx.Constant() {value = dense<[[1.0], [2.0]]> : tensor<2x1xf32>} : () -> tensor<2x1xf32>
  %b = onnx.Constant() {value = dense<[10.0, 20.5]> : tensor<2xf32>} : () -> tensor<2xf32>
  %i = onnx.Constant() {value = dense<[-7, 7]> : tensor<2xi32>} : () -> tensor<2xi32>
  %j = onnx.Constant() {value = dense<2> : tensor<i32>} : () -> tensor<i32>
  %k = onnx.Constant() {value = dense<[1]> : tensor<1xi64>} : () -> tensor<1xi64>
  // CHECK-DAG: %[[A:.*]] = onnx.Constant() {value = dense<{{\[\[}}1.100000e+01, 2.150000e+01], [1.200000e+01, 2.250000e+01]]> : tensor<2x2xf32>}
  %0 = onnx.Add(%a, %b) : (tensor<2x1xf32>, tensor<2xf32>) -> tensor<2x2xf32>
  // CHECK-DAG: %[[D:.*]] = onnx.Constant() {value = dense<[-3, 3]> : tensor<2xi32>}
  %1 = onnx.Div(%i, %j) : (tensor<2xi32>, tensor<i32>) -> tensor<2xi32>
  // CHECK-DAG: %[[M:.*]] = onnx.Constant() {value = dense<1> : tensor<2xi32>}
  %2 = onnx.Mod(%i, %j) : (tensor<2xi32>, tensor<i32>) -> tensor<2xi32>
  // CHECK-DAG: %[[R:.*]] = onnx.Constant() {value = dense<[1.050000e+01, 2.150000e+01]> : tensor<2xf32>}
  %sum = onnx.ReduceMean(%0, %k) {keepdims = 0 : i64} : (tensor<2x2xf32>, tensor<1xi64>) -> tensor<2xf32>
  %half = onnx.Constant() {value = dense<[-5.75, 4.25]> : tensor<2xf32>} : () -> tensor<2xf32>
  %3 = onnx.Add(%sum, %half) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %zero = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %bi = onnx.Gather(%b, %zero) : (tensor<2xf32>, tensor<i64>) -> tensor<f32>
  %twenty = onnx.Constant() {value = dense<20.0> : tensor<f32>} : () -> tensor<f32>
  // CHECK-DAG: %[[L:.*]] = onnx.Constant() {value = dense<true> : tensor<i1>}
  %4 = onnx.Less(%bi, %twenty) : (tensor<f32>, tensor<f32>) -> tensor<i1>
  // CHECK-DAG: %[[C:.*]] = onnx.Constant() {value = dense<[10, 20]> : tensor<2xi32>}
  %5 = onnx.Cast(%b) {to = 6 : i64} : (tensor<2xf32>) -> tensor<2xi32>
  // CHECK: return %[[A]], %[[D]], %[[M]], %[[R]], %[[L]], %[[C]]
  return %0, %1, %2, %3, %4, %5 : tensor<2x2xf32>, tensor<2xi32>, tensor<2xi32>, tensor<2xf32>, tensor<i1>, tensor<2xi32>
}

// -----

// What is not defined stays: a division by zero, a float beyond the integers.
// CHECK-LABEL: func.func @undefined
func.func @undefined() -> (tensor<i32>, tensor<i32>) {
  %a = onnx.Constant() {value = dense<1> : tensor<i32>} : () -> tensor<i32>
  %z = onnx.Constant() {value = dense<0> : tensor<i32>} : () -> tensor<i32>
  %f = onnx.Constant() {value = dense<1.0e+20> : tensor<f32>} : () -> tensor<f32>
  // CHECK: onnx.Div
  %0 = onnx.Div(%a, %z) : (tensor<i32>, tensor<i32>) -> tensor<i32>
  // CHECK: onnx.Cast
  %1 = onnx.Cast(%f) {to = 6 : i64} : (tensor<f32>) -> tensor<i32>
  return %0, %1 : tensor<i32>, tensor<i32>
}

// -----

// A shape subgraph of static dims, and dims that NonZero of a constant tells.
// CHECK-LABEL: func.func @shapes
// CHECK-SAME: -> (tensor<2xi64>, tensor<i64>)
func.func @shapes(%x: tensor<?x8x4xf32>) -> (tensor<2xi64>, tensor<*xi64>) {
  // CHECK-DAG: %[[S:.*]] = onnx.Constant() {value = dense<[8, 4]> : tensor<2xi64>}
  %s = onnx.Shape(%x) {start = 1 : i64} : (tensor<?x8x4xf32>) -> tensor<2xi64>
  %m = onnx.Constant() {value = dense<[true, false, true]> : tensor<3xi1>} : () -> tensor<3xi1>
  %n = onnx.NonZero(%m) : (tensor<3xi1>) -> tensor<1x?xi64>
  // CHECK-DAG: %[[N:.*]] = onnx.Constant() {value = dense<2> : tensor<i64>}
  %c = onnx.Size(%n) : (tensor<1x?xi64>) -> tensor<*xi64>
  // CHECK: return %[[S]], %[[N]]
  return %s, %c : tensor<2xi64>, tensor<*xi64>
}

// -----

// Splats take no space at any size; other results may not outgrow what they are made of.
// CHECK-LABEL: func.func @size_limit
func.func @size_limit() -> (tensor<1024x1024xf32>, tensor<1024x1024xf32>) {
  %shape = onnx.Constant() {value = dense<1024> : tensor<2xi64>} : () -> tensor<2xi64>
  %one = onnx.Constant() {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
  %row = onnx.Constant() {value = dense<[0.0, 1.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %times = onnx.Constant() {value = dense<[1024, 512]> : tensor<2xi64>} : () -> tensor<2xi64>
  %axes = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  // CHECK-DAG: onnx.Constant() {value = dense<1.000000e+00> : tensor<1024x1024xf32>}
  %0 = onnx.Expand(%one, %shape) : (tensor<f32>, tensor<2xi64>) -> tensor<1024x1024xf32>
  %1 = onnx.Unsqueeze(%row, %axes) : (tensor<2xf32>, tensor<1xi64>) -> tensor<1x2xf32>
  // CHECK-DAG: onnx.Tile
  %2 = onnx.Tile(%1, %times) : (tensor<1x2xf32>, tensor<2xi64>) -> tensor<1024x1024xf32>
  return %0, %2 : tensor<1024x1024xf32>, tensor<1024x1024xf32>
}
