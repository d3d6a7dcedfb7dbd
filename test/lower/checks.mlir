// RUN: onnxc-opt %s --split-input-file --lower-onnx --canonicalize | FileCheck %s

// Dims that only a run tells to fit: equal or 1. Equal names need no check.

// CHECK-LABEL: func.func @main
// CHECK: kernel.check %{{.*}}, "node 'sum' (Add): dims that do not broadcast: {} is not {}"
// CHECK: kernel.check %{{.*}}, "node 'sum' (Add): dims that do not broadcast: {} is not {}"
// CHECK: linalg.generic
// CHECK-NOT: kernel.check
// CHECK: return
func.func @main(%x: tensor<?xf32> {onnx.name = "x", onnx.dims = ["N"]}, %y: tensor<?xf32> {onnx.name = "y", onnx.dims = ["M"]})
    -> (tensor<?xf32> {onnx.name = "z", onnx.dims = [""]}) {
  %sum = onnx.Add(%x, %y) : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32> loc("sum")
  %twice = onnx.Add(%sum, %sum) : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32> loc("twice")
  return %twice : tensor<?xf32>
}

// -----

// One reduction over the indices stands before the loop that gathers, which takes them as they are.

// CHECK-LABEL: func.func @main
// CHECK: linalg.generic
// CHECK-SAME: "reduction"
// CHECK: arith.maxui
// CHECK: kernel.check %{{.*}}, "node 'rows' (Gather): axis 0: index {} is out of range for a dim of {}"
// CHECK: linalg.generic
// CHECK-SAME: "parallel", "parallel"
// CHECK-NOT: arith.minsi
// CHECK: return
func.func @main(%x: tensor<?x4xf32> {onnx.name = "x", onnx.dims = ["N", ""]}, %at: tensor<?xi64> {onnx.name = "at", onnx.dims = ["M"]})
    -> (tensor<?x4xf32> {onnx.name = "y", onnx.dims = ["M", ""]}) {
  %y = onnx.Gather(%x, %at) {axis = 0 : i64} : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<?x4xf32> loc("rows")
  return %y : tensor<?x4xf32>
}
