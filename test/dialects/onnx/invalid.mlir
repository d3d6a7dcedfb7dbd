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
