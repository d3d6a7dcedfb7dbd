// RUN: onnxc-opt %s --lower-onnx --split-input-file | FileCheck %s

// Draws are made by the shell and never shared: two nodes alike are two draws.

// CHECK-LABEL: func.func @main
// CHECK: %[[A:.*]] = kernel.make_value "uniform"(%{{.*}}, %{{.*}}, %{{.*}})
// CHECK: kernel.unbox %[[A]]
// CHECK: %[[B:.*]] = kernel.make_value "uniform"
// CHECK: kernel.unbox %[[B]]
func.func @main(%x: tensor<?x2xi64> {onnx.dims = ["N", ""]}) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %0 = onnx.RandomUniformLike(%x) {dtype = 1 : i64} : (tensor<?x2xi64>) -> tensor<?x2xf32>
  %1 = onnx.RandomUniformLike(%x) {dtype = 1 : i64} : (tensor<?x2xi64>) -> tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}

// -----

// The whole part of the seed counts.

// CHECK-LABEL: func.func @main
// CHECK: kernel.make_value "polar"(%c3{{.*}}, %c1{{.*}}, %c7{{.*}})
func.func @main() -> tensor<3xf32> {
  %0 = onnx.RandomNormal() {shape = array<i64: 3>, seed = 7.5 : f32} : () -> tensor<3xf32>
  return %0 : tensor<3xf32>
}
