// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// Each place of a block adds a part of the image in one loop nest, without a
// question in it: of the blocks beside the border those that put it inside.

// CHECK-LABEL: func.func @main
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 0] [1, 2, 3, 3] [1, 1, 1, 1] : tensor<1x2x4x4xf32>
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 1, 1] [1, 2, 1, 3, 3]
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "parallel"]
// CHECK: tensor.insert_slice
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 0] [1, 2, 3, 4] [1, 1, 1, 1] : tensor<1x2x4x4xf32>
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 1, 1, 0] [1, 2, 1, 3, 4]
func.func @main(%x: tensor<1x18x16xf32> {onnx.name = "x", onnx.dims = ["", "", ""]})
    -> (tensor<1x2x4x4xf32> {onnx.name = "y", onnx.dims = ["", "", "", ""]}) {
  %image = onnx.Constant() {value = dense<4> : tensor<2xi64>} : () -> tensor<2xi64>
  %block = onnx.Constant() {value = dense<3> : tensor<2xi64>} : () -> tensor<2xi64>
  %y = onnx.Col2Im(%x, %image, %block) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x18x16xf32>, tensor<2xi64>, tensor<2xi64>) -> tensor<1x2x4x4xf32>
  return %y : tensor<1x2x4x4xf32>
}
