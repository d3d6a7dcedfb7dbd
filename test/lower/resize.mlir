// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// Where the taps of a position are and what they weigh is computed once for
// each; then the columns are resized, then the rows. Many channels go last.

// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[ROWS:.*]] = tensor.empty() : tensor<8x2xi64>
// CHECK-DAG: %[[COLUMNS:.*]] = tensor.empty() : tensor<10x2xi64>
// CHECK-DAG: linalg.transpose {{.*}} permutation = [0, 2, 3, 1]
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x4x10x16xf32>)
// CHECK-NOT: arith.divf
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x8x10x16xf32>)
// CHECK-NOT: arith.divf
// CHECK: linalg.transpose {{.*}} permutation = [0, 3, 1, 2]
func.func @main(%x: tensor<1x16x4x5xf32> {onnx.name = "x", onnx.dims = ["", "", "", ""]})
    -> (tensor<1x16x8x10xf32> {onnx.name = "y", onnx.dims = ["", "", "", ""]}) {
  %none = onnx.None() : () -> none
  %scales = onnx.Constant() {value = dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>} : () -> tensor<4xf32>
  %y = onnx.Resize(%x, %none, %scales, %none) {mode = "linear"} : (tensor<1x16x4x5xf32>, none, tensor<4xf32>, none) -> tensor<1x16x8x10xf32>
  return %y : tensor<1x16x8x10xf32>
}
