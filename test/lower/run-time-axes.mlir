// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// Neighbouring axes of a kind are one: a nest that ends with a reduction where
// the last axis is reduced, and one that ends with a kept axis where it is not.

// CHECK-LABEL: func.func @main
// CHECK: scf.for
// CHECK: scf.if
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction", "parallel", "reduction"]
// CHECK: } else {
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction", "parallel"]
func.func @main(%x: tensor<?x4x5xf32> {onnx.name = "x", onnx.dims = ["N", "", ""]},
                %axes: tensor<?xi64> {onnx.name = "axes", onnx.dims = ["K"]})
    -> (tensor<?x?x?xf32> {onnx.name = "y", onnx.dims = ["", "", ""]}) {
  %y = onnx.ReduceSum(%x, %axes) : (tensor<?x4x5xf32>, tensor<?xi64>) -> tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}
