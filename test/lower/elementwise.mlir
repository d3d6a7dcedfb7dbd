// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// A dim of 1 is read at 0; a missing leading dim is dropped from the map.

// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// CHECK-DAG: #[[ROW:.*]] = affine_map<(d0, d1, d2) -> (d1, 0)>
// CHECK-LABEL: func.func @main
// CHECK: linalg.generic {indexing_maps = [#[[ID]], #[[ROW]], #[[ID]]]
// CHECK-SAME: iterator_types = ["parallel", "parallel", "parallel"]
// CHECK: arith.addf
// CHECK-NOT: onnx.Add
func.func @main(%x: tensor<?x4x5xf32> {onnx.name = "x", onnx.dims = ["N", "", ""]},
                %b: tensor<4x1xf32> {onnx.name = "b", onnx.dims = ["", ""]})
    -> (tensor<?x4x5xf32> {onnx.name = "y", onnx.dims = ["N", "", ""]}) {
  %y = onnx.Add(%x, %b) : (tensor<?x4x5xf32>, tensor<4x1xf32>) -> tensor<?x4x5xf32>
  return %y : tensor<?x4x5xf32>
}
