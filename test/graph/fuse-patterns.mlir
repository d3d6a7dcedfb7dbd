// RUN: onnxc-opt %s -onnx-fuse-patterns -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @hard_swish
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>)
func.func @hard_swish(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %three = onnx.Constant() {value = dense<3.0> : tensor<f32>} : () -> tensor<f32>
  %zero = onnx.Constant() {value = dense<0.0> : tensor<f32>} : () -> tensor<f32>
  %six = onnx.Constant() {value = dense<6.0> : tensor<f32>} : () -> tensor<f32>
  %sixth = onnx.Constant() {value = dense<0.16666667> : tensor<f32>} : () -> tensor<f32>
  %0 = onnx.Add(%x, %three) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = onnx.Clip(%0, %zero, %six) : (tensor<4xf32>, tensor<f32>, tensor<f32>) -> tensor<4xf32>
  // CHECK-DAG: %[[A:.*]] = onnx.HardSwish(%[[X]])
  %2 = onnx.Mul(%x, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %a = onnx.Div(%2, %six) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK-DAG: %[[B:.*]] = onnx.HardSwish(%[[X]])
  %3 = onnx.Mul(%1, %sixth) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %b = onnx.Mul(%3, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK-DAG: %[[C:.*]] = onnx.HardSwish(%[[X]])
  %4 = onnx.HardSigmoid(%x) {alpha = 0.166666672 : f32, beta = 0.5 : f32} : (tensor<4xf32>) -> tensor<4xf32>
  %c = onnx.Mul(%x, %4) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // Paddle's hard sigmoid has another slope.
  // CHECK-DAG: %[[H:.*]] = onnx.HardSigmoid(%[[X]])
  // CHECK-DAG: %[[D:.*]] = onnx.Mul(%[[X]], %[[H]])
  %5 = onnx.HardSigmoid(%x) {alpha = 0.2 : f32, beta = 0.5 : f32} : (tensor<4xf32>) -> tensor<4xf32>
  %d = onnx.Mul(%x, %5) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: return %[[A]], %[[B]], %[[C]], %[[D]]
  return %a, %b, %c, %d : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @swish
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[Y:.*]]: tensor<4xf32>)
func.func @swish(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %k = onnx.Constant() {value = dense<1.702> : tensor<f32>} : () -> tensor<f32>
  %0 = onnx.Sigmoid(%x) : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK-DAG: %[[A:.*]] = onnx.Swish(%[[X]]) {alpha = 1.000000e+00
  %a = onnx.Mul(%0, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = onnx.Mul(%x, %k) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %2 = onnx.Sigmoid(%1) : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK-DAG: %[[B:.*]] = onnx.Swish(%[[X]]) {alpha = 1.702
  %b = onnx.Mul(%x, %2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %3 = onnx.Softplus(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %4 = onnx.Tanh(%3) : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK-DAG: %[[C:.*]] = onnx.Mish(%[[X]])
  %c = onnx.Mul(%x, %4) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // A gate on another tensor.
  // CHECK-DAG: %[[D:.*]] = onnx.Mul(%[[Y]]
  %d = onnx.Mul(%y, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: return %[[A]], %[[B]], %[[C]], %[[D]]
  return %a, %b, %c, %d : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @gelu
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>)
func.func @gelu(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %root = onnx.Constant() {value = dense<1.41421354> : tensor<f32>} : () -> tensor<f32>
  %one = onnx.Constant() {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
  %half = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %three = onnx.Constant() {value = dense<3.0> : tensor<f32>} : () -> tensor<f32>
  %k = onnx.Constant() {value = dense<0.044715> : tensor<f32>} : () -> tensor<f32>
  %p = onnx.Constant() {value = dense<0.797884583> : tensor<f32>} : () -> tensor<f32>
  // CHECK-DAG: %[[A:.*]] = onnx.Gelu(%[[X]]) {approximate = "none"}
  %0 = onnx.Div(%x, %root) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %1 = onnx.Erf(%0) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = onnx.Add(%1, %one) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %3 = onnx.Mul(%x, %2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %a = onnx.Mul(%3, %half) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  // CHECK-DAG: %[[B:.*]] = onnx.Gelu(%[[X]]) {approximate = "tanh"}
  %4 = onnx.Pow(%x, %three) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %5 = onnx.Mul(%4, %k) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %6 = onnx.Add(%x, %5) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %7 = onnx.Mul(%6, %p) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %8 = onnx.Tanh(%7) : (tensor<4xf32>) -> tensor<4xf32>
  %9 = onnx.Add(%8, %one) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %10 = onnx.Mul(%x, %half) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %b = onnx.Mul(%10, %9) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // Without the half it is not.
  // CHECK-DAG: %[[C:.*]] = onnx.Mul(%[[X]]
  %11 = onnx.Add(%1, %one) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
  %c = onnx.Mul(%x, %11) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: return %[[A]], %[[B]], %[[C]]
  return %a, %b, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @layer_norm
// CHECK-SAME: (%[[X:.*]]: tensor<?x?x4xf32>)
// CHECK-DAG: %[[S:.*]] = onnx.Constant() {value = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]>
// CHECK-DAG: %[[B:.*]] = onnx.Constant() {value = dense<5.000000e-01> : tensor<4xf32>}
// CHECK: %[[Y:.*]], %{{.*}}, %{{.*}} = onnx.LayerNormalization(%[[X]], %[[S]], %[[B]]) {axis = 2 : i64, epsilon = 9.99999974E-6 : f32
// CHECK-NEXT: return %[[Y]]
func.func @layer_norm(%x: tensor<?x?x4xf32>) -> tensor<?x?x4xf32> {
  %axes = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %two = onnx.Constant() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %eps = onnx.Constant() {value = dense<1.0e-5> : tensor<f32>} : () -> tensor<f32>
  %s = onnx.Constant() {value = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : () -> tensor<4xf32>
  %b = onnx.Constant() {value = dense<0.5> : tensor<4xf32>} : () -> tensor<4xf32>
  %0 = onnx.ReduceMean(%x, %axes) : (tensor<?x?x4xf32>, tensor<1xi64>) -> tensor<?x?x1xf32>
  %1 = onnx.Sub(%x, %0) : (tensor<?x?x4xf32>, tensor<?x?x1xf32>) -> tensor<?x?x4xf32>
  %2 = onnx.Pow(%1, %two) : (tensor<?x?x4xf32>, tensor<f32>) -> tensor<?x?x4xf32>
  %3 = onnx.ReduceMean(%2, %axes) : (tensor<?x?x4xf32>, tensor<1xi64>) -> tensor<?x?x1xf32>
  %4 = onnx.Add(%3, %eps) : (tensor<?x?x1xf32>, tensor<f32>) -> tensor<?x?x1xf32>
  %5 = onnx.Sqrt(%4) : (tensor<?x?x1xf32>) -> tensor<?x?x1xf32>
  %6 = onnx.Div(%1, %5) : (tensor<?x?x4xf32>, tensor<?x?x1xf32>) -> tensor<?x?x4xf32>
  %7 = onnx.Mul(%6, %s) : (tensor<?x?x4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32>
  %8 = onnx.Add(%7, %b) : (tensor<?x?x4xf32>, tensor<4xf32>) -> tensor<?x?x4xf32>
  return %8 : tensor<?x?x4xf32>
}

// -----

// A mean over other dims is not a layer's.
// CHECK-LABEL: func.func @other_mean
// CHECK-NOT: onnx.LayerNormalization
// CHECK: onnx.Div
func.func @other_mean(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %axes = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  %eps = onnx.Constant() {value = dense<1.0e-5> : tensor<f32>} : () -> tensor<f32>
  %0 = onnx.ReduceMean(%x, %axes) : (tensor<3x4xf32>, tensor<1xi64>) -> tensor<1x4xf32>
  %1 = onnx.Sub(%x, %0) : (tensor<3x4xf32>, tensor<1x4xf32>) -> tensor<3x4xf32>
  %2 = onnx.Mul(%1, %1) : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %3 = onnx.ReduceMean(%2, %axes) : (tensor<3x4xf32>, tensor<1xi64>) -> tensor<1x4xf32>
  %4 = onnx.Add(%3, %eps) : (tensor<1x4xf32>, tensor<f32>) -> tensor<1x4xf32>
  %5 = onnx.Sqrt(%4) : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %6 = onnx.Div(%1, %5) : (tensor<3x4xf32>, tensor<1x4xf32>) -> tensor<3x4xf32>
  return %6 : tensor<3x4xf32>
}

// -----

// In half precision the numbers are as the type rounds them.
// CHECK-LABEL: func.func @half
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf16>)
// CHECK: %[[S:.*]] = onnx.Constant() {value = dense<1.000000e+00> : tensor<4xf16>}
// CHECK: %[[N:.*]], %{{.*}}, %{{.*}} = onnx.LayerNormalization(%[[X]], %[[S]], %{{.*}}) {axis = 1 : i64, epsilon = 1.001{{[0-9]*}}E-5 : f32
// CHECK-NEXT: %[[Y:.*]] = onnx.Gelu(%[[N]]) {approximate = "none"}
// CHECK-NEXT: return %[[Y]]
func.func @half(%x: tensor<?x4xf16>) -> tensor<?x4xf16> {
  %axes = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %two = onnx.Constant() {value = dense<2.0> : tensor<f16>} : () -> tensor<f16>
  %eps = onnx.Constant() {value = dense<1.0e-5> : tensor<f16>} : () -> tensor<f16>
  %root = onnx.Constant() {value = dense<1.4142> : tensor<f16>} : () -> tensor<f16>
  %one = onnx.Constant() {value = dense<1.0> : tensor<f16>} : () -> tensor<f16>
  %part = onnx.Constant() {value = dense<0.5> : tensor<f16>} : () -> tensor<f16>
  %0 = onnx.ReduceMean(%x, %axes) : (tensor<?x4xf16>, tensor<1xi64>) -> tensor<?x1xf16>
  %1 = onnx.Sub(%x, %0) : (tensor<?x4xf16>, tensor<?x1xf16>) -> tensor<?x4xf16>
  %2 = onnx.Pow(%1, %two) : (tensor<?x4xf16>, tensor<f16>) -> tensor<?x4xf16>
  %3 = onnx.ReduceMean(%2, %axes) : (tensor<?x4xf16>, tensor<1xi64>) -> tensor<?x1xf16>
  %4 = onnx.Add(%3, %eps) : (tensor<?x1xf16>, tensor<f16>) -> tensor<?x1xf16>
  %5 = onnx.Sqrt(%4) : (tensor<?x1xf16>) -> tensor<?x1xf16>
  %6 = onnx.Div(%1, %5) : (tensor<?x4xf16>, tensor<?x1xf16>) -> tensor<?x4xf16>
  %7 = onnx.Div(%6, %root) : (tensor<?x4xf16>, tensor<f16>) -> tensor<?x4xf16>
  %8 = onnx.Erf(%7) : (tensor<?x4xf16>) -> tensor<?x4xf16>
  %9 = onnx.Add(%8, %one) : (tensor<?x4xf16>, tensor<f16>) -> tensor<?x4xf16>
  %10 = onnx.Mul(%6, %9) : (tensor<?x4xf16>, tensor<?x4xf16>) -> tensor<?x4xf16>
  %11 = onnx.Mul(%10, %part) : (tensor<?x4xf16>, tensor<f16>) -> tensor<?x4xf16>
  return %11 : tensor<?x4xf16>
}

// -----

// A comparison with 0, 1, 2, ... times a matrix: rows of the matrix, and of zeros for what is no column's number. What
// follows element by element is done to the matrix, of which the rows are many, and folds.

// CHECK-LABEL: func @one_hot
// CHECK-SAME: %[[X:.*]]: tensor<?x16x1xi32>
// CHECK-DAG: %[[TABLE:.*]] = onnx.Constant() {value = {{.*}}tensor<4x2xf32>}
// CHECK: %[[I:.*]] = onnx.Squeeze(%[[X]]
// CHECK: %[[INSIDE:.*]] = onnx.And
// CHECK: %[[ROW:.*]] = onnx.Where(%[[INSIDE]], %[[I]],
// CHECK: onnx.Add(%[[TABLE]], %{{.*}}) : (tensor<4x2xf32>, tensor<2xf32>)
// CHECK: %[[F:.*]] = onnx.Gelu
// CHECK: onnx.Gather(%[[F]], %[[ROW]]) {axis = 0 : i64} : (tensor<4x2xf32>, tensor<?x16xi32>) -> tensor<?x16x2xf32>
// CHECK-NOT: onnx.MatMul
func.func @one_hot(%x: tensor<?x16x1xi32>) -> tensor<?x16x2xf32> {
  %columns = onnx.Constant() {value = dense<[[[0, 1, 2]]]> : tensor<1x1x3xi32>} : () -> tensor<1x1x3xi32>
  %w = onnx.Constant() {value = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>} : () -> tensor<3x2xf32>
  %b = onnx.Constant() {value = dense<[[[7.0, 8.0]]]> : tensor<1x1x2xf32>} : () -> tensor<1x1x2xf32>
  %0 = onnx.Equal(%x, %columns) : (tensor<?x16x1xi32>, tensor<1x1x3xi32>) -> tensor<?x16x3xi1>
  %1 = onnx.Cast(%0) {saturate = 1 : i64, to = 1 : i64} : (tensor<?x16x3xi1>) -> tensor<?x16x3xf32>
  %2 = onnx.MatMul(%1, %w) : (tensor<?x16x3xf32>, tensor<3x2xf32>) -> tensor<?x16x2xf32>
  %3 = onnx.Add(%2, %b) : (tensor<?x16x2xf32>, tensor<1x1x2xf32>) -> tensor<?x16x2xf32>
  %4 = onnx.Gelu(%3) {approximate = "none"} : (tensor<?x16x2xf32>) -> tensor<?x16x2xf32>
  func.return %4 : tensor<?x16x2xf32>
}

// -----

// Infinity times 0 is no 0; columns that do not count; fewer rows than the table has.

// CHECK-LABEL: func @no_one_hot
// CHECK-COUNT-2: onnx.MatMul
// CHECK: %[[ROWS:.*]] = onnx.Gather
// CHECK: onnx.Relu(%[[ROWS]])
func.func @no_one_hot(%x: tensor<16x1xi64>) -> (tensor<16x2xf32>, tensor<16x2xf32>, tensor<1x2xf32>) {
  %columns = onnx.Constant() {value = dense<[0, 1]> : tensor<2xi64>} : () -> tensor<2xi64>
  %others = onnx.Constant() {value = dense<[1, 0]> : tensor<2xi64>} : () -> tensor<2xi64>
  %w = onnx.Constant() {value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>} : () -> tensor<2x2xf32>
  %infinite = onnx.Constant() {value = dense<[[1.0, 0x7F800000], [3.0, 4.0]]> : tensor<2x2xf32>} : () -> tensor<2x2xf32>
  %0 = onnx.Equal(%x, %columns) : (tensor<16x1xi64>, tensor<2xi64>) -> tensor<16x2xi1>
  %1 = onnx.Cast(%0) {saturate = 1 : i64, to = 1 : i64} : (tensor<16x2xi1>) -> tensor<16x2xf32>
  %2 = onnx.MatMul(%1, %infinite) : (tensor<16x2xf32>, tensor<2x2xf32>) -> tensor<16x2xf32>
  %3 = onnx.Equal(%x, %others) : (tensor<16x1xi64>, tensor<2xi64>) -> tensor<16x2xi1>
  %4 = onnx.Cast(%3) {saturate = 1 : i64, to = 1 : i64} : (tensor<16x2xi1>) -> tensor<16x2xf32>
  %5 = onnx.MatMul(%4, %w) : (tensor<16x2xf32>, tensor<2x2xf32>) -> tensor<16x2xf32>
  %one = onnx.Constant() {value = dense<[1]> : tensor<1xi64>} : () -> tensor<1xi64>
  %6 = onnx.Gather(%w, %one) {axis = 0 : i64} : (tensor<2x2xf32>, tensor<1xi64>) -> tensor<1x2xf32>
  %7 = onnx.Relu(%6) : (tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %2, %5, %7 : tensor<16x2xf32>, tensor<16x2xf32>, tensor<1x2xf32>
}
