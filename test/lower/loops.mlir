// RUN: onnxc-opt %s --split-input-file --lower-onnx --canonicalize | FileCheck %s

// A known number of iterations: a value whose dims stay is changed in place, slices go to their place in the output.

// CHECK-LABEL: func.func @main
// CHECK: %[[N:.*]] = arith.maxsi
// CHECK: %[[A:.*]] = bufferization.materialize_in_destination %{{.*}} in %{{.*}} : (tensor<4xf32>, tensor<4xf32>)
// CHECK: %[[S:.*]] = bufferization.alloc_tensor(%[[N]]) : tensor<?x4xf32>
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[N]] {{.*}} iter_args(%[[V:.*]] = %[[A]], %[[T:.*]] = %[[S]])
// CHECK: %[[Y:.*]] = linalg.generic
// CHECK: %[[ROW:.*]] = tensor.insert_slice %[[Y]] into %[[T]][%[[I]], 0] [1, 4] [1, 1]
// CHECK: %[[NEXT:.*]] = bufferization.materialize_in_destination %[[Y]] in %[[V]]
// CHECK: scf.yield %[[NEXT]], %[[ROW]]
func.func @main(%n: tensor<i64> {onnx.name = "n", onnx.dims = []}, %x: tensor<4xf32> {onnx.name = "x", onnx.dims = [""]})
    -> (tensor<4xf32> {onnx.name = "y", onnx.dims = [""]}, tensor<?x4xf32> {onnx.name = "s", onnx.dims = ["", ""]}) {
  %none = onnx.None() : () -> none
  %y:2 = onnx.Loop(%n, %none, %x) ({
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %a: tensor<4xf32>):
    %b = onnx.Tanh(%a) : (tensor<4xf32>) -> tensor<4xf32>
    onnx.Return(%c, %b, %b) : (tensor<i1>, tensor<4xf32>, tensor<4xf32>) -> ()
  }) : (tensor<i64>, none, tensor<4xf32>) -> (tensor<4xf32>, tensor<?x4xf32>)
  return %y#0, %y#1 : tensor<4xf32>, tensor<?x4xf32>
}

// -----

// A value whose size changes: its size is handed on, its data goes through two slots; so do slices of an unknown number.

// CHECK-LABEL: func.func @main
// CHECK: %[[EVEN:.*]] = kernel.slot
// CHECK: %[[ODD:.*]] = kernel.slot
// CHECK: kernel.slot_write %{{.*}}, %[[EVEN]] at %c0
// CHECK: %[[ROWS:.*]] = kernel.slot
// CHECK: scf.while
// CHECK: scf.condition
// CHECK: ^bb0(%[[I:[^:]*]]: index, %[[SIZE:[^:]*]]: index
// CHECK: %[[HERE:.*]] = arith.select %{{.*}}, %[[EVEN]], %[[ODD]]
// CHECK: %[[V:.*]] = kernel.slot_read %[[HERE]]{{ ?}}[%[[SIZE]]] : tensor<?xf32>
// CHECK: %[[NEXT:.*]] = arith.select %{{.*}}, %[[EVEN]], %[[ODD]]
// CHECK: kernel.slot_write %{{.*}}, %[[NEXT]] at %c0
// CHECK: kernel.slot_write %{{.*}}, %[[ROWS]] at %[[I]]
// CHECK: kernel.slot_read {{.*}} : tensor<?xf32>
// CHECK: kernel.slot_read %[[ROWS]]{{ ?}}[%{{.*}}] : tensor<?x1xf32>
func.func @main(%c: tensor<i1> {onnx.name = "c", onnx.dims = []}, %x: tensor<?xf32> {onnx.name = "x", onnx.dims = ["N"]},
                %limit: tensor<1xf32> {onnx.name = "limit", onnx.dims = [""]})
    -> (tensor<?xf32> {onnx.name = "y", onnx.dims = [""]}, tensor<?x1xf32> {onnx.name = "s", onnx.dims = ["", ""]}) {
  %none = onnx.None() : () -> none
  %shape = onnx.Constant() {value = dense<[]> : tensor<0xi64>} : () -> tensor<0xi64>
  %y:2 = onnx.Loop(%none, %c, %x) ({
  ^bb0(%i: tensor<i64>, %go: tensor<i1>, %a: tensor<?xf32>):
    %b = onnx.Concat(%a, %a) {axis = 0 : i64} : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    %sum = onnx.ReduceSum(%b, %none) : (tensor<?xf32>, none) -> tensor<1xf32>
    %less = onnx.Less(%sum, %limit) : (tensor<1xf32>, tensor<1xf32>) -> tensor<1xi1>
    %on = onnx.Reshape(%less, %shape) : (tensor<1xi1>, tensor<0xi64>) -> tensor<i1>
    onnx.Return(%on, %b, %sum) : (tensor<i1>, tensor<?xf32>, tensor<1xf32>) -> ()
  }) : (none, tensor<i1>, tensor<?xf32>) -> (tensor<?xf32>, tensor<?x1xf32>)
  return %y#0, %y#1 : tensor<?xf32>, tensor<?x1xf32>
}
