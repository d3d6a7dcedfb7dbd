// RUN: onnxc-opt %s -onnx-infer-shapes -split-input-file -verify-diagnostics

func.func @broadcast(%a: tensor<3xf32>, %b: tensor<4xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{(Add): dims 3 and 4 cannot be broadcast together}}
  %0 = onnx.Add(%a, %b) : (tensor<3xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @channels(%x: tensor<1x4x8x8xf32>, %w: tensor<8x3x3x3xf32>) -> tensor<*xf32> {
  %none = onnx.None() : () -> none
  // expected-error @+1 {{(Conv): channels of the input and of the weight times group differ: 4 and 3}}
  %0 = onnx.Conv(%x, %w, %none) : (tensor<1x4x8x8xf32>, tensor<8x3x3x3xf32>, none) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @too_small(%x: tensor<1x3x2x8xf32>, %w: tensor<8x3x5x5xf32>) -> tensor<*xf32> {
  %none = onnx.None() : () -> none
  // expected-error @+1 {{(Conv): a result's dim would be -2: the input is too small}}
  %0 = onnx.Conv(%x, %w, %none) : (tensor<1x3x2x8xf32>, tensor<8x3x5x5xf32>, none) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @reshape(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %s = onnx.Constant() {value = dense<[4, -1]> : tensor<2xi64>} : () -> tensor<2xi64>
  // expected-error @+1 {{(Reshape): the 6 elements cannot be divided by 4}}
  %0 = onnx.Reshape(%x, %s) : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @matmul(%a: tensor<?x3xf32>, %b: tensor<4x?xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{(MatMul): inner dims of the matrix product differ: 3 and 4}}
  %0 = onnx.MatMul(%a, %b) : (tensor<?x3xf32>, tensor<4x?xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @absurd(%x: tensor<1xf32>) -> tensor<*xf32> {
  %s = onnx.Constant() {value = dense<4611686018427387904> : tensor<2xi64>} : () -> tensor<2xi64>
  // expected-error @+1 {{(Expand): a result would have more elements than memory can address}}
  %0 = onnx.Expand(%x, %s) : (tensor<1xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @axis(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @+1 {{(Concat): axis 2 is out of range for rank 2}}
  %0 = onnx.Concat(%x, %x) {axis = 2 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
