// RUN: not onnxc-opt %s --lower-onnx 2>&1 | FileCheck %s

// Every node that cannot be lowered is named, not the first alone.

// CHECK-DAG: Det{{.*}}not supported
// CHECK-DAG: NonMaxSuppression{{.*}}not supported
func.func @main(%x: tensor<2x3x3xf32> {onnx.name = "x", onnx.dims = ["", "", ""]},
                %boxes: tensor<1x6x4xf32> {onnx.name = "boxes", onnx.dims = ["", "", ""]},
                %scores: tensor<1x1x6xf32> {onnx.name = "scores", onnx.dims = ["", "", ""]})
    -> (tensor<2xf32> {onnx.name = "y", onnx.dims = [""]}, tensor<?x3xi64> {onnx.name = "z", onnx.dims = ["", ""]}) {
  %none = onnx.None() : () -> none
  %y = onnx.Det(%x) : (tensor<2x3x3xf32>) -> tensor<2xf32>
  %z = onnx.NonMaxSuppression(%boxes, %scores, %none, %none, %none) : (tensor<1x6x4xf32>, tensor<1x1x6xf32>, none, none, none) -> tensor<?x3xi64>
  return %y, %z : tensor<2xf32>, tensor<?x3xi64>
}
