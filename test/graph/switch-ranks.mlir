// RUN: onnxc-opt %s --onnx-switch-ranks --split-input-file | FileCheck %s

// Regions are in the order of their names: the else branch is first.

// CHECK-LABEL: func.func @main
// CHECK: %[[Y:.*]] = onnx.SequenceAt
// CHECK: %[[SHAPE:.*]] = onnx.Shape(%[[Y]])
// CHECK: %[[RANK:.*]] = onnx.Size(%[[SHAPE]])
// CHECK: %[[ONE:.*]] = onnx.Constant() {value = dense<1> : tensor<i64>}
// CHECK: %[[IS_ONE:.*]] = onnx.Equal(%[[RANK]], %[[ONE]])
// CHECK: %[[IF:.*]] = onnx.If(%[[IS_ONE]]) ({
// CHECK: onnx.Identity(%[[Y]]) : (tensor<*xf32>) -> tensor<?x?x?xf32>
// CHECK: }, {
// CHECK: onnx.Identity(%[[Y]]) : (tensor<*xf32>) -> tensor<?xf32>
// CHECK: })
// CHECK: onnx.Softmax(%[[IF]])
func.func @main(%s: !onnx.seq<tensor<*xf32>>, %i: tensor<i64>) -> tensor<*xf32> {
  %y = onnx.SequenceAt(%s, %i) {onnx.ranks = array<i64: 1, 3>} : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
  %z = onnx.Softmax(%y) : (tensor<*xf32>) -> tensor<*xf32>
  return %z : tensor<*xf32>
}

// -----

// What takes any rank needs no branch.

// CHECK-LABEL: func.func @main
// CHECK-NOT: onnx.If
// CHECK-NOT: onnx.ranks
func.func @main(%s: !onnx.seq<tensor<*xf32>>, %i: tensor<i64>) -> (tensor<*xf32>, tensor<i64>) {
  %y = onnx.SequenceAt(%s, %i) {onnx.ranks = array<i64: 1, 3>} : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
  %n = onnx.Size(%y) : (tensor<*xf32>) -> tensor<i64>
  return %y, %n : tensor<*xf32>, tensor<i64>
}
