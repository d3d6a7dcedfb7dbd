// RUN: onnxc-opt %s --lower-onnx --propagate-transposes --canonicalize | FileCheck %s

// Where a sample lies serves all of its channels: they stay last.

// CHECK-LABEL: func.func @main
// CHECK: linalg.transpose {{.*}} permutation = [0, 2, 3, 1]
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x7x7x32xf32>)
// CHECK: linalg.transpose {{.*}} permutation = [0, 3, 1, 2]
func.func @main(%x: tensor<1x32x5x5xf32> {onnx.name = "x", onnx.dims = ["", "", "", ""]},
                %grid: tensor<1x7x7x2xf32> {onnx.name = "g", onnx.dims = ["", "", "", ""]})
    -> (tensor<1x32x7x7xf32> {onnx.name = "y", onnx.dims = ["", "", "", ""]}) {
  %y = onnx.GridSample(%x, %grid) {mode = "linear"} : (tensor<1x32x5x5xf32>, tensor<1x7x7x2xf32>) -> tensor<1x32x7x7xf32>
  return %y : tensor<1x32x7x7xf32>
}
