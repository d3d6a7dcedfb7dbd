// RUN: onnxc-opt %s --split-input-file --lower-onnx --canonicalize | FileCheck %s

// Both branches write to one tensor, whose dims are known before.

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[C:.*]]: tensor<i1>
// CHECK: %[[N:.*]] = tensor.dim
// CHECK: %[[E:.*]] = bufferization.alloc_tensor(%[[N]]) : tensor<?x4xf32>
// CHECK: %[[B:.*]] = tensor.extract %[[C]][] : tensor<i1>
// CHECK: %[[Y:.*]] = scf.if %[[B]] -> (tensor<?x4xf32>) {
// CHECK: %[[T:.*]] = linalg.generic
// CHECK: arith.negf
// CHECK: %[[M:.*]] = bufferization.materialize_in_destination %[[T]] in %[[E]]
// CHECK: scf.yield %[[M]]
// CHECK: } else {
// CHECK: math.absf
// CHECK: bufferization.materialize_in_destination %{{.*}} in %[[E]]
// CHECK: return %[[Y]]
func.func @main(%c: tensor<i1> {onnx.name = "c", onnx.dims = []}, %x: tensor<?x4xf32> {onnx.name = "x", onnx.dims = ["N", ""]})
    -> (tensor<?x4xf32> {onnx.name = "y", onnx.dims = ["N", ""]}) {
  %y = onnx.If(%c) ({
    %e = onnx.Abs(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    onnx.Return(%e) : (tensor<?x4xf32>) -> ()
  }, {
    %t = onnx.Neg(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    onnx.Return(%t) : (tensor<?x4xf32>) -> ()
  }) : (tensor<i1>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Branches of differing dims yield copies of their own. What one branch made of %s is not used behind it.

// CHECK-LABEL: func.func @main
// CHECK-NOT: alloc_tensor
// CHECK: scf.if %{{.*}} -> (tensor<?xi64>) {
// CHECK: tensor.from_elements
// CHECK: bufferization.alloc_tensor() copy
// CHECK: scf.yield
// CHECK: } else {
// CHECK: bufferization.alloc_tensor() copy
// CHECK: }
// CHECK: tensor.from_elements
func.func @main(%c: tensor<i1> {onnx.name = "c", onnx.dims = []}, %x: tensor<?x?xf32> {onnx.name = "x", onnx.dims = ["N", "M"]},
                %k: tensor<1xi64> {onnx.name = "k", onnx.dims = [""]})
    -> (tensor<?xi64> {onnx.name = "y", onnx.dims = [""]}, tensor<2xi64> {onnx.name = "z", onnx.dims = [""]}) {
  %s = onnx.Shape(%x) : (tensor<?x?xf32>) -> tensor<2xi64>
  %y = onnx.If(%c) ({
    onnx.Return(%k) : (tensor<1xi64>) -> ()
  }, {
    onnx.Return(%s) : (tensor<2xi64>) -> ()
  }) : (tensor<i1>) -> tensor<?xi64>
  return %y, %s : tensor<?xi64>, tensor<2xi64>
}
