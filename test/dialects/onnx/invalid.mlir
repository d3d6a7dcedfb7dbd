// RUN: onnxc-opt %s -split-input-file -verify-diagnostics

func.func @element_type(%x: tensor<2x!onnx.string>) {
  // expected-error @below {{operand #0 must be one of}}
  %y = onnx.Relu(%x) : (tensor<2x!onnx.string>) -> tensor<2x!onnx.string>
  return
}

// -----

func.func @absent_but_required(%x: tensor<2xf32>) {
  %none = onnx.None() : () -> none
  // expected-error @below {{operand #1 must be one of}}
  %y = onnx.Add(%x, %none) : (tensor<2xf32>, none) -> tensor<2xf32>
  return
}

// -----

func.func @missing_operand(%x: tensor<1x1x4x4xf32>) {
  // expected-error @below {{expected 3 operands, but found 2}}
  %y = onnx.Conv(%x, %x) : (tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>) -> tensor<1x1x1x1xf32>
  return
}

// -----

func.func @missing_attribute(%x: tensor<2xf32>) {
  // expected-error @below {{requires attribute 'axis'}}
  %y = onnx.Concat(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @attribute_kind(%x: tensor<2xf32>) {
  // expected-error @below {{attribute 'axis'}}
  %y = onnx.Concat(%x) {axis = "0"} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @constant_type() {
  // expected-error @below {{must give a tensor of the value's element type}}
  %y = onnx.Constant() {value = dense<1.0> : tensor<2xf32>} : () -> tensor<2xi32>
  return
}

// -----

func.func @constant_shape() {
  // expected-error @below {{has a value whose shape is not that of its result}}
  %y = onnx.Constant() {value = dense<1.0> : tensor<2xf32>} : () -> tensor<3xf32>
  return
}

// -----

func.func @unknown(%x: tensor<2xf32>) {
  // expected-error @below {{unregistered operation 'onnx.Florp'}}
  "onnx.Florp"(%x) : (tensor<2xf32>) -> ()
  return
}

// -----

func.func @spatial_count(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  %none = onnx.None() : () -> none
  // expected-error @below {{(Conv): strides has 1 values, 2 spatial dims need 2}}
  %y = onnx.Conv(%x, %w, %none) {strides = array<i64: 2>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, none) -> tensor<*xf32>
  return
}

// -----

func.func @stride(%x: tensor<1x3x8x8xf32>) {
  // expected-error @below {{strides must be at least 1, but is 0}}
  %y:2 = onnx.MaxPool(%x) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 0>} : (tensor<1x3x8x8xf32>) -> (tensor<*xf32>, none)
  return
}

// -----

func.func @kernel(%x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) {
  %none = onnx.None() : () -> none
  // expected-error @below {{kernel_shape is not that of the filter}}
  %y = onnx.Conv(%x, %w, %none) {kernel_shape = array<i64: 5, 5>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, none) -> tensor<*xf32>
  return
}

// -----

func.func @axis(%x: tensor<2x3xf32>) {
  // expected-error @below {{axis 2 is out of range for rank 2}}
  %y = onnx.Softmax(%x) {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @ranks(%x: tensor<2x3xf32>, %z: tensor<2xf32>) {
  // expected-error @below {{the inputs have ranks 2 and 1}}
  %y = onnx.Concat(%x, %z) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @permutation(%x: tensor<2x3xf32>) {
  // expected-error @below {{perm is no permutation}}
  %y = onnx.Transpose(%x) {perm = array<i64: 1, 1>} : (tensor<2x3xf32>) -> tensor<*xf32>
  return
}
