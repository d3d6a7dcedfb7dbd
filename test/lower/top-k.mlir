// RUN: onnxc-opt %s --lower-onnx | FileCheck %s

// Elements of 32 bits are ranked together with their positions: one tensor is
// the heap, and many are sorted by their digits. Longer ones are a heap of keys
// and indices in the results.

// CHECK-LABEL: func.func @main
// CHECK-COUNT-2: bufferization.alloc_tensor() : tensor<100xi64>
// CHECK: bufferization.alloc_tensor() : tensor<256xindex>
// CHECK: arith.shli {{.*}} : i64
// CHECK: scf.while {{.*}} : (tensor<100xi64>, index) -> (tensor<100xi64>, index, index, i64)
// CHECK: arith.cmpi ugt, {{.*}} : i64
// CHECK: arith.shrui {{.*}} : i64
// CHECK: scf.while {{.*}} -> (tensor<100xf64>, tensor<100xi64>, index, index, f64, i64)
func.func @main(%x: tensor<1000xf32> {onnx.name = "x", onnx.dims = [""]}, %d: tensor<1000xf64> {onnx.name = "d", onnx.dims = [""]})
    -> (tensor<100xi64> {onnx.name = "a", onnx.dims = [""]}, tensor<100xi64> {onnx.name = "b", onnx.dims = [""]}) {
  %k = onnx.Constant() {value = dense<100> : tensor<1xi64>} : () -> tensor<1xi64>
  %v, %a = onnx.TopK(%x, %k) : (tensor<1000xf32>, tensor<1xi64>) -> (tensor<100xf32>, tensor<100xi64>)
  %w, %b = onnx.TopK(%d, %k) : (tensor<1000xf64>, tensor<1xi64>) -> (tensor<100xf64>, tensor<100xi64>)
  return %a, %b : tensor<100xi64>, tensor<100xi64>
}
