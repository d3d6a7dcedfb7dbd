// RUN: onnxc-opt %s --onnx-settle-ranks --split-input-file | FileCheck %s

// A Split along axis 1 needs both of the dims that may be 1: only the one that is 1 goes.

// CHECK-LABEL: func.func @read_whole
// CHECK: %[[AXES:.*]] = onnx.Constant() {value = dense<1> : tensor<1xi64>}
// CHECK: onnx.Squeeze(%arg0, %[[AXES]])
func.func @read_whole(%x: tensor<?x1x?xf32>) -> tensor<*xf32> {
  %none = onnx.None() : () -> none
  %s = onnx.Squeeze(%x, %none) : (tensor<?x1x?xf32>, none) -> tensor<*xf32>
  %a, %b = onnx.Split(%s, %none) {axis = 1 : i64, num_outputs = 2 : i64} : (tensor<*xf32>, none) -> (tensor<*xf32>, tensor<*xf32>)
  return %a : tensor<*xf32>
}

// -----

// Nothing that is 1: no Squeeze. The order of a Transpose tells the rank, too.

// CHECK-LABEL: func.func @read_whole_without_ones
// CHECK-NOT: onnx.Squeeze
// CHECK: onnx.Transpose(%arg0)
func.func @read_whole_without_ones(%x: tensor<?x2xf32>) -> tensor<*xf32> {
  %none = onnx.None() : () -> none
  %s = onnx.Squeeze(%x, %none) : (tensor<?x2xf32>, none) -> tensor<*xf32>
  %t = onnx.Transpose(%s) {perm = array<i64: 1, 0>} : (tensor<*xf32>) -> tensor<*xf32>
  return %t : tensor<*xf32>
}

// -----

// Axis 0 is there whether or not a dim of 1 goes: the rank stays open.

// CHECK-LABEL: func.func @read_in_part
// CHECK: %[[NONE:.*]] = onnx.None
// CHECK: onnx.Squeeze(%arg0, %[[NONE]])
func.func @read_in_part(%x: tensor<?x1x2xf32>) -> tensor<*xf32> {
  %none = onnx.None() : () -> none
  %s = onnx.Squeeze(%x, %none) : (tensor<?x1x2xf32>, none) -> tensor<*xf32>
  %y = onnx.Softmax(%s) {axis = 0 : i64} : (tensor<*xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

// The scalar of one branch is read beside a tensor of rank 1 only.

// CHECK-LABEL: func.func @broadcast
// CHECK: onnx.If
// CHECK: onnx.Return(%arg2)
// CHECK: %[[AXES:.*]] = onnx.Constant() {value = dense<0> : tensor<1xi64>}
// CHECK: %[[ROW:.*]] = onnx.Unsqueeze(%arg1, %[[AXES]]) : (tensor<f32>, tensor<1xi64>) -> tensor<1xf32>
// CHECK: onnx.Return(%[[ROW]])
func.func @broadcast(%c: tensor<i1>, %scalar: tensor<f32>, %row: tensor<1xf32>, %x: tensor<?xf32>) -> tensor<?xf32> {
  %step = onnx.If(%c) ({
    onnx.Return(%row) : (tensor<1xf32>) -> ()
  }, {
    onnx.Return(%scalar) : (tensor<f32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  %y = onnx.Mul(%x, %step) : (tensor<?xf32>, tensor<*xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// The result's own rank is seen: the branches stay as they are.

// CHECK-LABEL: func.func @seen
// CHECK-NOT: onnx.Unsqueeze
func.func @seen(%c: tensor<i1>, %scalar: tensor<f32>, %row: tensor<1xf32>) -> tensor<*xi64> {
  %step = onnx.If(%c) ({
    onnx.Return(%row) : (tensor<1xf32>) -> ()
  }, {
    onnx.Return(%scalar) : (tensor<f32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  %y = onnx.Shape(%step) : (tensor<*xf32>) -> tensor<*xi64>
  return %y : tensor<*xi64>
}
