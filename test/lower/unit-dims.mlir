// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// A dim of 1 that is not repeated is read by its loop: the operand is seen to be in the result's order, which fusion and
// layout ask for. The bias is repeated along height and width.

// CHECK-DAG: #[[SAME:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
// CHECK-DAG: #[[BIAS:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1, 0, 0)>
// CHECK-LABEL: func.func @main
// CHECK: linalg.generic {indexing_maps = [#[[SAME]], #[[BIAS]], #[[SAME]]]
func.func @main(%x: tensor<1x8x5x5xf32> {onnx.name = "x", onnx.dims = ["", "", "", ""]},
                %b: tensor<1x8x1x1xf32> {onnx.name = "b", onnx.dims = ["", "", "", ""]})
    -> (tensor<1x8x5x5xf32> {onnx.name = "y", onnx.dims = ["", "", "", ""]}) {
  %y = onnx.Add(%x, %b) : (tensor<1x8x5x5xf32>, tensor<1x8x1x1xf32>) -> tensor<1x8x5x5xf32>
  return %y : tensor<1x8x5x5xf32>
}
