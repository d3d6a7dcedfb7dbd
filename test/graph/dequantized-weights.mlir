// RUN: onnxc-opt --onnx-dequantized-weights --split-input-file %s | FileCheck %s

// Signed numbers become unsigned ones, column by column; without a zero point the middle is left.

// CHECK-LABEL: func.func @blocks
// CHECK-SAME: %[[X:.*]]: tensor<?x16xf32>
// CHECK-DAG: %[[Q:.*]] = onnx.Constant() {value = dense<{{.*}}> : tensor<2x2x4xui8>}
// CHECK-DAG: %[[S:.*]] = onnx.Constant() {value = dense<{{\[\[}}1.000000e+00, 3.000000e+00], [2.000000e+00, 4.000000e+00]]> : tensor<2x2xf32>}
// CHECK: %[[Y:.*]] = onnx.com.microsoft.MatMulNBits(%[[X]], %[[Q]], %[[S]], %{{.*}}, %{{.*}}, %{{.*}}) {{.*}}K = 16 : i64, N = 2 : i64, {{.*}}bits = 4 : i64, block_size = 8 : i64
// CHECK-SAME: (tensor<?x16xf32>, tensor<2x2x4xui8>, tensor<2x2xf32>, none, none, none)
// CHECK: return %[[Y]]
func.func @blocks(%x: tensor<?x16xf32>) -> tensor<?x2xf32> {
  %none = onnx.None() : () -> none
  %q = onnx.Constant() {value = dense<[[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6], [6, 7], [7, -8], [-8, -7], [-7, -6], [-6, -5], [-5, -4], [-4, -3], [-3, -2], [-2, -1], [-1, 0]]> : tensor<16x2xi4>} : () -> tensor<16x2xi4>
  %s = onnx.Constant() {value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>} : () -> tensor<2x2xf32>
  %w = onnx.DequantizeLinear(%q, %s, %none) {axis = 0 : i64, block_size = 8 : i64} : (tensor<16x2xi4>, tensor<2x2xf32>, none) -> tensor<16x2xf32>
  %y = onnx.MatMul(%x, %w) : (tensor<?x16xf32>, tensor<16x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// One scale a column is one block; the sum of a Gemm follows. Zero points of unsigned numbers count from 0.

// CHECK-LABEL: func.func @columns
// CHECK-DAG: %[[Q:.*]] = onnx.Constant() {value = dense<{{\[\[\[}}1, 2, 0, 0]], {{\[\[}}3, 4, 0, 0]], {{\[\[}}5, 6, 0, 0]]]> : tensor<3x1x4xui8>}
// CHECK-DAG: %[[Z:.*]] = onnx.Constant() {value = dense<{{\[\[}}7], [8], [9]]> : tensor<3x1xui8>}
// CHECK: %[[P:.*]] = onnx.com.microsoft.MatMulNBits(%{{.*}}, %[[Q]], %{{.*}}, %[[Z]], %{{.*}}, %{{.*}}) {{.*}}bits = 8 : i64, block_size = 4 : i64
// CHECK: onnx.Add(%[[P]], %{{.*}})
func.func @columns(%x: tensor<?x2xf32>, %c: tensor<3xf32>) -> tensor<?x3xf32> {
  %q = onnx.Constant() {value = dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xui8>} : () -> tensor<3x2xui8>
  %s = onnx.Constant() {value = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : () -> tensor<3xf32>
  %z = onnx.Constant() {value = dense<[7, 8, 9]> : tensor<3xui8>} : () -> tensor<3xui8>
  %w = onnx.DequantizeLinear(%q, %s, %z) {axis = 0 : i64} : (tensor<3x2xui8>, tensor<3xf32>, tensor<3xui8>) -> tensor<3x2xf32>
  %y = onnx.Gemm(%x, %w, %c) {transB = 1 : i64} : (tensor<?x2xf32>, tensor<3x2xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

// A scale for each k cannot be taken out of a column's sum.

// CHECK-LABEL: func.func @rows
// CHECK: onnx.MatMul
func.func @rows(%x: tensor<?x2xf32>) -> tensor<?x3xf32> {
  %none = onnx.None() : () -> none
  %q = onnx.Constant() {value = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>} : () -> tensor<2x3xi8>
  %s = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %w = onnx.DequantizeLinear(%q, %s, %none) {axis = 0 : i64} : (tensor<2x3xi8>, tensor<2xf32>, none) -> tensor<2x3xf32>
  %y = onnx.MatMul(%x, %w) : (tensor<?x2xf32>, tensor<2x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
