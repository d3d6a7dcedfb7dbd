// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// Batch dims of one name are equal: neither operand can be one that is repeated, so nothing is copied.

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x?x8xf32>{{.*}}, %[[Y:[a-z0-9]+]]: tensor<?x8x?xf32>
// CHECK-NOT: linalg.generic
// CHECK: kernel.matmul ins(%[[X]], %[[Y]] : tensor<?x?x8xf32>, tensor<?x8x?xf32>)
func.func @main(%x: tensor<?x?x8xf32> {onnx.name = "x", onnx.dims = ["batch", "rows", ""]},
                %y: tensor<?x8x?xf32> {onnx.name = "y", onnx.dims = ["batch", "", "columns"]})
    -> (tensor<?x?x?xf32> {onnx.name = "z", onnx.dims = ["batch", "rows", "columns"]}) {
  %z = onnx.MatMul(%x, %y) : (tensor<?x?x8xf32>, tensor<?x8x?xf32>) -> tensor<?x?x?xf32>
  return %z : tensor<?x?x?xf32>
}
