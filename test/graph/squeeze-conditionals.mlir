// RUN: onnxc-opt %s --onnx-squeeze-conditionals --split-input-file | FileCheck %s

// PyTorch asks whether the dim is 1 and squeezes it then: the Squeeze takes the If's place.

// CHECK-LABEL: func.func @asked
// CHECK-NOT: onnx.If
// CHECK: %[[Y:.*]] = onnx.Squeeze(%arg0
// CHECK: onnx.Relu(%[[Y]])
func.func @asked(%x: tensor<?x?xf32>) -> tensor<*xf32> {
  %shape = onnx.Shape(%x) : (tensor<?x?xf32>) -> tensor<2xi64>
  %last = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %one = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %dim = onnx.Gather(%shape, %last) : (tensor<2xi64>, tensor<i64>) -> tensor<i64>
  %is_one = onnx.Equal(%dim, %one) : (tensor<i64>, tensor<i64>) -> tensor<i1>
  %y = onnx.If(%is_one) ({
    onnx.Return(%x) : (tensor<?x?xf32>) -> ()
  }, {
    %axes = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
    %s = onnx.Squeeze(%x, %axes) : (tensor<?x?xf32>, tensor<1xi64>) -> tensor<?xf32>
    onnx.Return(%s) : (tensor<?xf32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  %z = onnx.Relu(%y) : (tensor<*xf32>) -> tensor<*xf32>
  return %z : tensor<*xf32>
}

// -----

// Another dim is asked for: the branches stay.

// CHECK-LABEL: func.func @other
// CHECK: onnx.If
func.func @other(%x: tensor<?x?xf32>) -> tensor<*xf32> {
  %shape = onnx.Shape(%x) : (tensor<?x?xf32>) -> tensor<2xi64>
  %first = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %one = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %dim = onnx.Gather(%shape, %first) : (tensor<2xi64>, tensor<i64>) -> tensor<i64>
  %is_one = onnx.Equal(%dim, %one) : (tensor<i64>, tensor<i64>) -> tensor<i1>
  %y = onnx.If(%is_one) ({
    onnx.Return(%x) : (tensor<?x?xf32>) -> ()
  }, {
    %axes = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
    %s = onnx.Squeeze(%x, %axes) : (tensor<?x?xf32>, tensor<1xi64>) -> tensor<?xf32>
    onnx.Return(%s) : (tensor<?xf32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}
