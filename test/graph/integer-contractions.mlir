// RUN: onnxc-opt --onnx-integer-contractions --split-input-file %s | FileCheck %s

// Scales of input and weights multiply behind the convolution; the bias of 32 bits becomes a term.

// CHECK-LABEL: func.func @conv
// CHECK-SAME: %[[X:.*]]: tensor<1x2x4x4xui8>, %[[W:.*]]: tensor<3x2x1x1xi8>
// CHECK-DAG: %[[ZX:.*]] = onnx.Constant() {value = dense<7> : tensor<ui8>}
// CHECK-DAG: %[[ZW:.*]] = onnx.Constant() {value = dense<0> : tensor<3xi8>}
// CHECK: %[[SUM:.*]] = onnx.ConvInteger(%[[X]], %[[W]], %[[ZX]], %[[ZW]]) {{.*}}strides = array<i64: 2, 2>{{.*}} -> tensor<1x3x2x2xi32>
// CHECK: %[[CAST:.*]] = onnx.Cast(%[[SUM]]) {{.*}}to = 1
// CHECK: %[[S:.*]] = onnx.Constant() {value = dense<{{\[\[\[}}5.000000e-01]], {{\[\[}}1.000000e+00]], {{\[\[}}2.000000e+00]]]> : tensor<3x1x1xf32>}
// CHECK: %[[M:.*]] = onnx.Mul(%[[CAST]], %[[S]])
// CHECK: %[[B:.*]] = onnx.Constant() {value = dense<{{\[\[\[}}5.000000e+00]], {{\[\[}}2.000000e+01]], {{\[\[}}6.000000e+01]]]> : tensor<3x1x1xf32>}
// CHECK: %[[R:.*]] = onnx.Add(%[[M]], %[[B]])
// CHECK: return %[[R]]
func.func @conv(%x: tensor<1x2x4x4xui8>, %w: tensor<3x2x1x1xi8>) -> tensor<1x3x2x2xf32> {
  %none = onnx.None() : () -> none
  %sx = onnx.Constant() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %zx = onnx.Constant() {value = dense<7> : tensor<ui8>} : () -> tensor<ui8>
  %sw = onnx.Constant() {value = dense<[1.0, 2.0, 4.0]> : tensor<3xf32>} : () -> tensor<3xf32>
  %zw = onnx.Constant() {value = dense<0> : tensor<3xi8>} : () -> tensor<3xi8>
  %qb = onnx.Constant() {value = dense<[10, 20, 30]> : tensor<3xi32>} : () -> tensor<3xi32>
  %sb = onnx.Constant() {value = dense<[0.5, 1.0, 2.0]> : tensor<3xf32>} : () -> tensor<3xf32>
  %dx = onnx.DequantizeLinear(%x, %sx, %zx) : (tensor<1x2x4x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x2x4x4xf32>
  %dw = onnx.DequantizeLinear(%w, %sw, %zw) {axis = 0 : i64} : (tensor<3x2x1x1xi8>, tensor<3xf32>, tensor<3xi8>) -> tensor<3x2x1x1xf32>
  %db = onnx.DequantizeLinear(%qb, %sb, %none) {axis = 0 : i64} : (tensor<3xi32>, tensor<3xf32>, none) -> tensor<3xf32>
  %0 = onnx.Conv(%dx, %dw, %db) {strides = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>, tensor<3x2x1x1xf32>, tensor<3xf32>) -> tensor<1x3x2x2xf32>
  return %0 : tensor<1x3x2x2xf32>
}

// -----

// A transposed matrix is transposed as integers; alpha and beta are in factors and terms.

// CHECK-LABEL: func.func @gemm
// CHECK: %[[T:.*]] = onnx.Transpose(%{{.*}}) {perm = array<i64: 1, 0>} : (tensor<3x2xi8>) -> tensor<2x3xi8>
// CHECK: onnx.MatMulInteger(%{{.*}}, %[[T]], %{{.*}}, %{{.*}})
// CHECK: onnx.Constant() {value = dense<2.000000e+00> : tensor<f32>}
// CHECK: onnx.Mul
// CHECK: onnx.Constant() {value = dense<[3.000000e+00, 6.000000e+00, 9.000000e+00]> : tensor<3xf32>}
// CHECK: onnx.Add
func.func @gemm(%x: tensor<?x2xi8>, %w: tensor<3x2xi8>) -> tensor<?x3xf32> {
  %none = onnx.None() : () -> none
  %s = onnx.Constant() {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
  %c = onnx.Constant() {value = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : () -> tensor<3xf32>
  %dx = onnx.DequantizeLinear(%x, %s, %none) : (tensor<?x2xi8>, tensor<f32>, none) -> tensor<?x2xf32>
  %dw = onnx.DequantizeLinear(%w, %s, %none) : (tensor<3x2xi8>, tensor<f32>, none) -> tensor<3x2xf32>
  %0 = onnx.Gemm(%dx, %dw, %c) {alpha = 2.0 : f32, beta = 3.0 : f32, transB = 1 : i64} : (tensor<?x2xf32>, tensor<3x2xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// -----

// Scales along the dim that is summed over, and operands of 16 bits, stay as they are.

// CHECK-LABEL: func.func @kept
// CHECK-NOT: onnx.MatMulInteger
func.func @kept(%x: tensor<?x2xi8>, %w: tensor<2x3xi8>, %v: tensor<2x3xi16>) -> (tensor<?x3xf32>, tensor<?x3xf32>) {
  %none = onnx.None() : () -> none
  %s = onnx.Constant() {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
  %rows = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %dx = onnx.DequantizeLinear(%x, %s, %none) : (tensor<?x2xi8>, tensor<f32>, none) -> tensor<?x2xf32>
  %dw = onnx.DequantizeLinear(%w, %rows, %none) {axis = 0 : i64} : (tensor<2x3xi8>, tensor<2xf32>, none) -> tensor<2x3xf32>
  %dv = onnx.DequantizeLinear(%v, %s, %none) : (tensor<2x3xi16>, tensor<f32>, none) -> tensor<2x3xf32>
  %0 = onnx.MatMul(%dx, %dw) : (tensor<?x2xf32>, tensor<2x3xf32>) -> tensor<?x3xf32>
  %1 = onnx.MatMul(%dx, %dv) : (tensor<?x2xf32>, tensor<2x3xf32>) -> tensor<?x3xf32>
  return %0, %1 : tensor<?x3xf32>, tensor<?x3xf32>
}
