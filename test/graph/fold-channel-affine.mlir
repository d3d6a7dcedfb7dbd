// RUN: onnxc-opt %s -onnx-fold-channel-affine -split-input-file | FileCheck %s

// Two groups: output channels 0 and 1 come from input channel 0, the others from 1.
// CHECK-LABEL: func.func @conv_transpose
// CHECK: %[[W:.*]] = onnx.Constant() {value = dense<{{\[\[\[\[}}1.000000e+01]], {{\[\[}}4.000000e+01]]], {{\[\[\[}}9.000000e+01]], {{\[\[}}1.600000e+02]]]]> : tensor<2x2x1x1xf32>}
// CHECK-NEXT: %[[C:.*]] = onnx.ConvTranspose(%{{.*}}, %[[W]], %{{.*}})
// CHECK-NEXT: return %[[C]]
func.func @conv_transpose(%x: tensor<?x2x?x?xf32>) -> tensor<?x4x?x?xf32> {
  %w = onnx.Constant() {value = dense<[[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]]]> : tensor<2x2x1x1xf32>} : () -> tensor<2x2x1x1xf32>
  %a = onnx.Constant() {value = dense<[[[10.0]], [[20.0]], [[30.0]], [[40.0]]]> : tensor<4x1x1xf32>} : () -> tensor<4x1x1xf32>
  %none = onnx.None() : () -> none
  %0 = onnx.ConvTranspose(%x, %w, %none) {group = 2 : i64} : (tensor<?x2x?x?xf32>, tensor<2x2x1x1xf32>, none) -> tensor<?x4x?x?xf32>
  %1 = onnx.Mul(%a, %0) : (tensor<4x1x1xf32>, tensor<?x4x?x?xf32>) -> tensor<?x4x?x?xf32>
  return %1 : tensor<?x4x?x?xf32>
}

// -----

// beta goes into C with the term.
// CHECK-LABEL: func.func @gemm
// CHECK-DAG: %[[B:.*]] = onnx.Constant() {value = dense<[4.500000e+00, 3.000000e+00]> : tensor<2xf32>}
// CHECK: %[[G:.*]] = onnx.Gemm(%{{.*}}, %{{.*}}, %[[B]]) {{.*}}beta = 1.000000e+00
// CHECK-NEXT: return %[[G]]
func.func @gemm(%x: tensor<?x1xf32>, %w: tensor<1x2xf32>) -> tensor<?x2xf32> {
  %c = onnx.Constant() {value = dense<[[10.0, 8.0]]> : tensor<1x2xf32>} : () -> tensor<1x2xf32>
  %t = onnx.Constant() {value = dense<[0.5, 1.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %0 = onnx.Gemm(%x, %w, %c) {beta = 0.5 : f32} : (tensor<?x1xf32>, tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<?x2xf32>
  %1 = onnx.Sub(%0, %t) : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}

// -----

// A factor of MatMul folds, its term stays for the epilogue.
// CHECK-LABEL: func.func @matmul
// CHECK: %[[W:.*]] = onnx.Constant() {value = dense<{{\[\[}}5.000000e-01, 1.000000e+00]]> : tensor<1x2xf32>}
// CHECK: %[[M:.*]] = onnx.MatMul(%{{.*}}, %[[W]])
// CHECK: onnx.Add(%[[M]]
func.func @matmul(%x: tensor<?x3x1xf32>) -> tensor<?x3x2xf32> {
  %w = onnx.Constant() {value = dense<[[1.0, 2.0]]> : tensor<1x2xf32>} : () -> tensor<1x2xf32>
  %h = onnx.Constant() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %0 = onnx.MatMul(%x, %w) : (tensor<?x3x1xf32>, tensor<1x2xf32>) -> tensor<?x3x2xf32>
  %1 = onnx.Div(%0, %h) : (tensor<?x3x2xf32>, tensor<f32>) -> tensor<?x3x2xf32>
  %2 = onnx.Add(%1, %h) : (tensor<?x3x2xf32>, tensor<f32>) -> tensor<?x3x2xf32>
  return %2 : tensor<?x3x2xf32>
}

// -----

// Not: a product that something else reads, a constant along another dim, a broadcast result.
// CHECK-LABEL: func.func @no
// CHECK: onnx.Mul
// CHECK: onnx.Add
// CHECK: onnx.Add
func.func @no(%x: tensor<1x1x2x2xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<3x2x2x2xf32>) {
  %w = onnx.Constant() {value = dense<1.0> : tensor<2x1x1x1xf32>} : () -> tensor<2x1x1x1xf32>
  %none = onnx.None() : () -> none
  %a = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %b = onnx.Constant() {value = dense<1.0> : tensor<3x1x1x1xf32>} : () -> tensor<3x1x1x1xf32>
  %s = onnx.Constant() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %0 = onnx.Conv(%x, %w, %none) : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>, none) -> tensor<1x2x2x2xf32>
  %1 = onnx.Mul(%0, %s) : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32>
  %2 = onnx.Conv(%1, %w, %none) {group = 2 : i64} : (tensor<1x2x2x2xf32>, tensor<2x1x1x1xf32>, none) -> tensor<1x2x2x2xf32>
  %3 = onnx.Add(%2, %a) : (tensor<1x2x2x2xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
  %4 = onnx.Conv(%x, %w, %none) : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>, none) -> tensor<1x2x2x2xf32>
  %5 = onnx.Add(%4, %b) : (tensor<1x2x2x2xf32>, tensor<3x1x1x1xf32>) -> tensor<3x2x2x2xf32>
  return %0, %1, %3, %5 : tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<3x2x2x2xf32>
}
