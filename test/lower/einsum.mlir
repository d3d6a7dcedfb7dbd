// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// Rows, columns and a sum: a product of matrices. The result's last label is of
// a column, so the operands may change sides.

// CHECK-LABEL: func.func @main
// CHECK: %[[KEYS:.*]] = linalg.transpose {{.*}} permutation = [0, 2, 1]
// CHECK: kernel.matmul ins(%{{.*}}, %[[KEYS]] : tensor<2x5x4xf32>, tensor<2x4x6xf32>)
// CHECK: %[[COLUMNS:.*]] = linalg.transpose ins(%{{.*}} : tensor<2x5x4xf32>) {{.*}} permutation = [0, 2, 1]
// CHECK: kernel.matmul ins(%{{.*}}, %[[COLUMNS]] : tensor<2x6x4xf32>, tensor<2x4x5xf32>)
// CHECK-NOT: kernel.matmul
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]
func.func @main(%x: tensor<2x5x4xf32> {onnx.name = "x", onnx.dims = ["", "", ""]},
                %w: tensor<2x6x4xf32> {onnx.name = "w", onnx.dims = ["", "", ""]})
    -> (tensor<2x5x6xf32> {onnx.name = "a", onnx.dims = ["", "", ""]},
        tensor<2x6x5xf32> {onnx.name = "b", onnx.dims = ["", "", ""]},
        tensor<2x5xf32> {onnx.name = "c", onnx.dims = ["", ""]}) {
  %a = onnx.Einsum(%x, %w) {equation = "bik,bjk->bij"} : (tensor<2x5x4xf32>, tensor<2x6x4xf32>) -> tensor<2x5x6xf32>
  %b = onnx.Einsum(%x, %w) {equation = "bik,bjk->bji"} : (tensor<2x5x4xf32>, tensor<2x6x4xf32>) -> tensor<2x6x5xf32>
  %c = onnx.Einsum(%x, %x) {equation = "bik,bik->bi"} : (tensor<2x5x4xf32>, tensor<2x5x4xf32>) -> tensor<2x5xf32>
  return %a, %b, %c : tensor<2x5x6xf32>, tensor<2x6x5xf32>, tensor<2x5xf32>
}
