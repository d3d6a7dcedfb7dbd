// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// A padded convolution: channels last, padded beforehand, its filter a weight in the kernel's order, the bias a generic.

// CHECK-LABEL: func.func @main
// CHECK: linalg.transpose {{.*}} permutation = [0, 2, 3, 1]
// CHECK: kernel.pad
// CHECK-SAME: pads = array<i64: 1, 1>
// CHECK: kernel.conv
// CHECK-SAME: strides = array<i64: 2, 2>
// CHECK: kernel.yield
// CHECK: linalg.transpose {{.*}} permutation = [0, 3, 1, 2]
// CHECK-NOT: onnx.Conv
func.func @main(%x: tensor<?x3x?x?xf32> {onnx.name = "x", onnx.dims = ["N", "", "H", "W"]},
                %w: tensor<16x3x3x3xf32> {onnx.name = "w", onnx.dims = ["", "", "", ""]})
    -> (tensor<?x16x?x?xf32> {onnx.name = "y", onnx.dims = ["", "", "", ""]}) {
  %none = onnx.None() : () -> none
  %y = onnx.Conv(%x, %w, %none) {kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>}
      : (tensor<?x3x?x?xf32>, tensor<16x3x3x3xf32>, none) -> tensor<?x16x?x?xf32>
  return %y : tensor<?x16x?x?xf32>
}
