// RUN: onnxc-opt %s --onnx-sink-into-branches --split-input-file | FileCheck %s

// Softmax needs a rank, and so goes into the branches, with the Gather that it needs of what follows the If. What does not
// follow goes before it, what is not needed stays behind.

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[C:.*]]: tensor<i1>, %[[A:.*]]: tensor<?xf32>, %[[B:.*]]: tensor<?x?xf32>)
// CHECK: %[[BEFORE:.*]] = onnx.Exp(%[[A]])
// CHECK: %[[IF:.*]]:2 = onnx.If(%[[C]]) ({
// CHECK: %[[SHAPE:.*]] = onnx.Shape(%[[A]])
// CHECK: %[[S0:.*]] = onnx.Softmax(%[[A]])
// CHECK: %[[E0:.*]] = onnx.Expand(%[[S0]], %[[SHAPE]])
// CHECK: onnx.Return(%[[SHAPE]], %[[E0]])
// CHECK: }, {
// CHECK: onnx.Softmax(%[[B]])
// CHECK: })
// CHECK: %[[BEHIND:.*]] = onnx.Cast(%[[IF]]#0)
// CHECK: return %[[BEFORE]], %[[IF]]#1, %[[BEHIND]]
func.func @main(%c: tensor<i1>, %a: tensor<?xf32>, %b: tensor<?x?xf32>) -> (tensor<?xf32>, tensor<*xf32>, tensor<?xf32>) {
  %0 = onnx.If(%c) ({
    onnx.Return(%a) : (tensor<?xf32>) -> ()
  }, {
    onnx.Return(%b) : (tensor<?x?xf32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  %1 = onnx.Exp(%a) : (tensor<?xf32>) -> tensor<?xf32>
  %2 = onnx.Shape(%0) : (tensor<*xf32>) -> tensor<?xi64>
  %3 = onnx.Cast(%2) {to = 1 : i64} : (tensor<?xi64>) -> tensor<?xf32>
  %4 = onnx.Softmax(%0) : (tensor<*xf32>) -> tensor<*xf32>
  %5 = onnx.Expand(%4, %2) : (tensor<*xf32>, tensor<?xi64>) -> tensor<*xf32>
  return %1, %5, %3 : tensor<?xf32>, tensor<*xf32>, tensor<?xf32>
}

// -----

// Branches of one rank, and a rank that only a run tells in a branch, leave all where it is.

// CHECK-LABEL: func.func @main
// CHECK: onnx.If
// CHECK: onnx.Relu
func.func @main(%c: tensor<i1>, %a: tensor<?xf32>, %b: tensor<*xf32>) -> tensor<*xf32> {
  %0 = onnx.If(%c) ({
    onnx.Return(%a) : (tensor<?xf32>) -> ()
  }, {
    onnx.Return(%b) : (tensor<*xf32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  %1 = onnx.Relu(%0) : (tensor<*xf32>) -> tensor<*xf32>
  return %1 : tensor<*xf32>
}

// -----

// What follows fits one branch alone: its rank is the tensor's.

// CHECK-LABEL: func.func @main
// CHECK: onnx.If
// CHECK: }) : (tensor<i1>) -> tensor<?x?xf32>
// CHECK: onnx.MatMul
func.func @main(%c: tensor<i1>, %a: tensor<?x?xf32>, %b: tensor<?x3x4xf32>, %w: tensor<5x6x7xf32>) -> tensor<*xf32> {
  %0 = onnx.If(%c) ({
    onnx.Return(%a) : (tensor<?x?xf32>) -> ()
  }, {
    onnx.Return(%b) : (tensor<?x3x4xf32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  %1 = onnx.MatMul(%0, %w) : (tensor<*xf32>, tensor<5x6x7xf32>) -> tensor<*xf32>
  return %1 : tensor<*xf32>
}
