// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// The extreme first, then the least of the positions that have it: of 32 bits
// where the axis is short, for twice as many fit a vector.

// CHECK-LABEL: func.func @main
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: arith.maximumf
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: linalg.index 1
// CHECK: arith.minsi {{.*}} : i32
// CHECK: arith.extsi {{.*}} : i32 to i64
func.func @main(%x: tensor<4x9xf32> {onnx.name = "x", onnx.dims = ["", ""]})
    -> (tensor<4xi64> {onnx.name = "y", onnx.dims = [""]}) {
  %y = onnx.ArgMax(%x) {axis = 1 : i64, keepdims = 0 : i64} : (tensor<4x9xf32>) -> tensor<4xi64>
  return %y : tensor<4xi64>
}
