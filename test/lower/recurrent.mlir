// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// The products of all inputs are one matrix product; the steps of both directions are one kernel, GRU's in two stages.

// CHECK-LABEL: func.func @main
// CHECK: %[[W:.*]] = kernel.weight {{.*}} {expanded_shape = array<i64: 48, 4>, permutation = array<i64: 1, 0>} -> tensor<4x48xf32>
// CHECK: kernel.matmul ins(%{{.*}}, %[[W]]
// CHECK: tensor.expand_shape {{.*}} into tensor<?x?x2x3x8xf32>
// CHECK: kernel.recurrence
// CHECK-SAME: weights(%{{.*}}, %{{.*}} : tensor<2x2x8x8xf32>, tensor<2x1x8x8xf32>)
// CHECK-SAME: outs(%{{.*}}, %{{.*}}, %{{.*}} : tensor<?x2x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x3x8xf32>)
// CHECK-SAME: has_sequence, reversed = array<i64: 0, 1>
// CHECK: kernel.stage_yield %{{.*}}, %{{.*}} : f32, f32
// CHECK: kernel.stage_yield %{{.*}} : f32
func.func @main(%x: tensor<?x?x4xf32> {onnx.name = "x", onnx.dims = ["T", "N", ""]})
    -> (tensor<?x2x?x8xf32> {onnx.name = "y", onnx.dims = ["T", "", "N", ""]}) {
  %none = onnx.None() : () -> none
  %w = onnx.Constant() {value = dense<0.5> : tensor<2x24x4xf32>} : () -> tensor<2x24x4xf32>
  %r = onnx.Constant() {value = dense<0.25> : tensor<2x24x8xf32>} : () -> tensor<2x24x8xf32>
  %y, %h = onnx.GRU(%x, %w, %r, %none, %none, %none) {direction = "bidirectional", hidden_size = 8 : i64}
      : (tensor<?x?x4xf32>, tensor<2x24x4xf32>, tensor<2x24x8xf32>, none, none, none) -> (tensor<?x2x?x8xf32>, none)
  return %y : tensor<?x2x?x8xf32>
}
