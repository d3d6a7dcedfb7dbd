// RUN: onnxc-opt %s -onnx-simplify | FileCheck %s

// CHECK-LABEL: func.func @nothing
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>
func.func @nothing(%x: tensor<?x4xf32> {onnx.dims = ["N", ""]}) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %none = onnx.None() : () -> none
  %zero = onnx.Constant() {value = dense<0> : tensor<4xi64>} : () -> tensor<4xi64>
  %first = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  %far = onnx.Constant() {value = dense<9223372036854775807> : tensor<1xi64>} : () -> tensor<1xi64>
  %minus = onnx.Constant() {value = dense<[-1, 4]> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.Identity(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %1, %mask = onnx.Dropout(%0, %none, %none) : (tensor<?x4xf32>, none, none) -> (tensor<?x4xf32>, none)
  %2 = onnx.Cast(%1) {to = 1 : i64} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %3 = onnx.Reshape(%2, %minus) : (tensor<?x4xf32>, tensor<2xi64>) -> tensor<?x4xf32>
  %4 = onnx.Pad(%3, %zero, %none, %none) : (tensor<?x4xf32>, tensor<4xi64>, none, none) -> tensor<?x4xf32>
  %5 = onnx.Slice(%4, %first, %far, %first, %none) : (tensor<?x4xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, none) -> tensor<?x4xf32>
  %6 = onnx.Transpose(%5) {perm = array<i64: 0, 1>} : (tensor<?x4xf32>) -> tensor<?x4xf32>
  // CHECK: %[[R:.*]] = onnx.Relu(%[[X]])
  %7 = onnx.Relu(%6) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  // A pad that crops and fills again is not nothing.
  %shift = onnx.Constant() {value = dense<[0, -1, 0, 1]> : tensor<4xi64>} : () -> tensor<4xi64>
  // CHECK: %[[P:.*]] = onnx.Pad(%[[R]]
  %8 = onnx.Pad(%7, %shift, %none, %none) : (tensor<?x4xf32>, tensor<4xi64>, none, none) -> tensor<?x4xf32>
  // CHECK: return %[[R]], %[[P]]
  return %7, %8 : tensor<?x4xf32>, tensor<?x4xf32>
}

// CHECK-LABEL: func.func @branch
// CHECK-SAME: -> tensor<4xf32>
func.func @branch(%x: tensor<4xf32>) -> tensor<*xf32> {
  %c = onnx.Constant() {value = dense<true> : tensor<i1>} : () -> tensor<i1>
  // CHECK-NEXT: %[[R:.*]] = onnx.Exp
  // CHECK-NEXT: return %[[R]]
  %0 = onnx.If(%c) ({
    %1 = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    onnx.Return(%1) : (tensor<4xf32>) -> ()
  }, {
    %1 = onnx.Exp(%x) : (tensor<4xf32>) -> tensor<4xf32>
    onnx.Return(%1) : (tensor<4xf32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
