// RUN: onnxc-opt %s --onnx-infer-ranks --split-input-file | FileCheck %s

// A reader tells the rank of an element, through what keeps it.

// CHECK-LABEL: func.func @main
// CHECK: onnx.SequenceAt({{.*}}) : ({{.*}}) -> tensor<?x?xf32>
// CHECK: onnx.Exp({{.*}}) : (tensor<?x?xf32>) -> tensor<?x?xf32>
func.func @main(%s: !onnx.seq<tensor<*xf32>>, %i: tensor<i64>) -> tensor<*xf32> {
  %0 = onnx.SequenceAt(%s, %i) : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
  %1 = onnx.Exp(%0) : (tensor<*xf32>) -> tensor<*xf32>
  %2 = onnx.Transpose(%1) {perm = array<i64: 1, 0>} : (tensor<*xf32>) -> tensor<*xf32>
  return %2 : tensor<*xf32>
}

// -----

// The output's rank is that of the If and of what its branches make. In a branch, a tensor from outside is seen with the
// rank that is needed there; outside, it keeps any.

// CHECK-LABEL: func.func @main
// CHECK-SAME: -> (tensor<?x?xf32>
// CHECK: onnx.Reshape({{.*}}) {{.*}} -> tensor<*xf32>
// CHECK: onnx.If
// CHECK: %[[SEEN:.*]] = onnx.Identity(%{{.*}}) : (tensor<*xf32>) -> tensor<?x?x?xf32>
// CHECK: onnx.Squeeze(%[[SEEN]], %{{.*}}) : ({{.*}}) -> tensor<?x?xf32>
// CHECK: -> tensor<?x?xf32>
func.func @main(%c: tensor<i1>, %x: tensor<?xf32>, %s: tensor<?xi64>) -> (tensor<*xf32> {onnx.name = "y", onnx.dims = ["", ""]}) {
  %axes = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.Reshape(%x, %s) : (tensor<?xf32>, tensor<?xi64>) -> tensor<*xf32>
  %1 = onnx.If(%c) ({
    onnx.Return(%0) : (tensor<*xf32>) -> ()
  }, {
    %2 = onnx.Squeeze(%0, %axes) : (tensor<*xf32>, tensor<1xi64>) -> tensor<*xf32>
    onnx.Return(%2) : (tensor<*xf32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  return %1 : tensor<*xf32>
}
