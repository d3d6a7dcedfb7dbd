// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// Numbers of 64 bits are sorted by the digits of their lower half, then by those
// of the upper one; rows of several by merging.

// CHECK-LABEL: func.func @main
// CHECK: bufferization.alloc_tensor() : tensor<256xindex>
// CHECK: arith.trunci {{.*}} : i64 to i32
// CHECK: scf.for {{.*}} -> (tensor<100xi64>, tensor<100xi64>, tensor<256xindex>)
// CHECK: arith.shrui {{.*}} : i64
// CHECK: scf.for {{.*}} -> (tensor<100xi64>, tensor<100xi64>, tensor<256xindex>)
// CHECK: scf.while
func.func @main(%x: tensor<100xi64> {onnx.name = "x", onnx.dims = [""]}, %rows: tensor<9x2xf32> {onnx.name = "rows", onnx.dims = ["", ""]})
    -> (tensor<?xi64> {onnx.name = "y", onnx.dims = [""]}, tensor<?x2xf32> {onnx.name = "z", onnx.dims = ["", ""]}) {
  %y:4 = onnx.Unique(%x) : (tensor<100xi64>) -> (tensor<?xi64>, none, none, none)
  %z:4 = onnx.Unique(%rows) {axis = 0 : i64} : (tensor<9x2xf32>) -> (tensor<?x2xf32>, none, none, none)
  return %y#0, %z#0 : tensor<?xi64>, tensor<?x2xf32>
}
