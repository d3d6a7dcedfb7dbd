// RUN: not onnxc-opt %s --lower-onnx 2>&1 | FileCheck %s

// Every node that cannot be lowered is named, not the first alone. (Importing would have put the definitions in their place.)

// CHECK-DAG: HannWindow{{.*}}not supported
// CHECK-DAG: SwiGLU{{.*}}not supported
func.func @main(%size: tensor<i64> {onnx.name = "size", onnx.dims = []},
                %a: tensor<4xf32> {onnx.name = "a", onnx.dims = [""]}, %b: tensor<4xf32> {onnx.name = "b", onnx.dims = [""]})
    -> (tensor<?xf32> {onnx.name = "y", onnx.dims = [""]}, tensor<4xf32> {onnx.name = "z", onnx.dims = [""]}) {
  %y = onnx.HannWindow(%size) : (tensor<i64>) -> tensor<?xf32>
  %z = onnx.SwiGLU(%a, %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y, %z : tensor<?xf32>, tensor<4xf32>
}
