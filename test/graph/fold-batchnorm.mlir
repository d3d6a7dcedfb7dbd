// RUN: onnxc-opt %s -onnx-fold-batchnorm -split-input-file | FileCheck %s
// RUN: onnxc-opt %s -onnx-fold-batchnorm -onnx-fold-channel-affine -split-input-file | FileCheck %s --check-prefix=AFFINE

// a = 2 / sqrt(0.25) = 4, b = 1 - 3 * 4 = -11; and 1 / 1, 0 - 0.
// CHECK-LABEL: func.func @after_conv
// CHECK: %[[C:.*]] = onnx.Conv
// CHECK-DAG: %[[A:.*]] = onnx.Constant() {value = dense<{{\[\[\[}}4.000000e+00]], {{\[\[}}1.000000e+00]]]> : tensor<2x1x1xf32>}
// CHECK-DAG: %[[B:.*]] = onnx.Constant() {value = dense<{{\[\[\[}}-1.100000e+01]], {{\[\[}}5.000000e-01]]]> : tensor<2x1x1xf32>}
// CHECK: %[[M:.*]] = onnx.Mul(%[[C]], %[[A]])
// CHECK: %[[R:.*]] = onnx.Add(%[[M]], %[[B]])
// CHECK: return %[[R]]
// AFFINE-LABEL: func.func @after_conv
// AFFINE-DAG: %[[W:.*]] = onnx.Constant() {value = dense<{{\[\[\[\[}}4.000000e+00]]], {{\[\[\[}}2.000000e+00]]]]> : tensor<2x1x1x1xf32>}
// AFFINE-DAG: %[[B:.*]] = onnx.Constant() {value = dense<[2.900000e+01, 2.050000e+01]> : tensor<2xf32>}
// AFFINE: %[[C:.*]] = onnx.Conv(%{{.*}}, %[[W]], %[[B]])
// AFFINE-NEXT: return %[[C]]
func.func @after_conv(%x: tensor<?x1x?x?xf32>) -> tensor<?x2x?x?xf32> {
  %w = onnx.Constant() {value = dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>} : () -> tensor<2x1x1x1xf32>
  %k = onnx.Constant() {value = dense<[10.0, 20.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %s = onnx.Constant() {value = dense<[2.0, 1.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %b = onnx.Constant() {value = dense<[1.0, 0.5]> : tensor<2xf32>} : () -> tensor<2xf32>
  %m = onnx.Constant() {value = dense<[3.0, 0.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %v = onnx.Constant() {value = dense<[0.25, 1.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %0 = onnx.Conv(%x, %w, %k) : (tensor<?x1x?x?xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<?x2x?x?xf32>
  %1, %p, %q = onnx.BatchNormalization(%0, %s, %b, %m, %v) {epsilon = 0.0 : f32} : (tensor<?x2x?x?xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<?x2x?x?xf32>, none, none)
  return %1 : tensor<?x2x?x?xf32>
}

// -----

// Statistics of the batch itself are not constants.
// CHECK-LABEL: func.func @training
// CHECK: onnx.BatchNormalization
func.func @training(%x: tensor<?x1xf32>, %v: tensor<1xf32>) -> tensor<?x1xf32> {
  %s = onnx.Constant() {value = dense<2.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %1, %p, %q = onnx.BatchNormalization(%x, %s, %s, %s, %v) : (tensor<?x1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> (tensor<?x1xf32>, none, none)
  return %1 : tensor<?x1xf32>
}
