// RUN: not onnxc-opt %s --lower-onnx 2>&1 | FileCheck %s

// Every node that cannot be lowered is named, not the first alone.

// CHECK-DAG: Multinomial{{.*}}not supported
// CHECK-DAG: ImageDecoder{{.*}}not supported
func.func @main(%x: tensor<2x3xf32> {onnx.name = "x", onnx.dims = ["", ""]},
                %bytes: tensor<?xui8> {onnx.name = "bytes", onnx.dims = [""]})
    -> (tensor<2x1xi32> {onnx.name = "y", onnx.dims = ["", ""]}, tensor<?x?x3xui8> {onnx.name = "z", onnx.dims = ["", "", ""]}) {
  %y = onnx.Multinomial(%x) : (tensor<2x3xf32>) -> tensor<2x1xi32>
  %z = onnx.ImageDecoder(%bytes) : (tensor<?xui8>) -> tensor<?x?x3xui8>
  return %y, %z : tensor<2x1xi32>, tensor<?x?x3xui8>
}
