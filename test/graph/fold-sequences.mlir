// RUN: onnxc-opt %s --split-input-file --verify-diagnostics --onnx-fold-sequences --onnx-infer-shapes | FileCheck %s

// Elements at constant positions are the tensors themselves.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[A:.*]]: tensor<2xf32>{{.*}}, %[[B:.*]]: tensor<3xf32>{{.*}}, %[[C:.*]]: tensor<4xf32>
// CHECK-NOT: onnx.Sequence
// CHECK: %[[Y:.*]] = onnx.Concat(%[[C]], %[[A]]) {axis = 0 : i64} : (tensor<4xf32>, tensor<2xf32>) -> tensor<6xf32>
// CHECK: onnx.Constant() {value = dense<2> : tensor<i64>}
// CHECK: onnx.Neg(%[[A]]) : (tensor<2xf32>) -> tensor<2xf32>
func.func @main(%a: tensor<2xf32>, %b: tensor<3xf32>, %c: tensor<4xf32>) -> (tensor<*xf32>, tensor<i64>, tensor<*xf32>) {
  %none = onnx.None() : () -> none
  %zero = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %last = onnx.Constant() {value = dense<-1> : tensor<i64>} : () -> tensor<i64>
  %s = onnx.SequenceConstruct(%a, %b) : (tensor<2xf32>, tensor<3xf32>) -> !onnx.seq<tensor<*xf32>>
  %t = onnx.SequenceInsert(%s, %c, %zero) : (!onnx.seq<tensor<*xf32>>, tensor<4xf32>, tensor<i64>) -> !onnx.seq<tensor<*xf32>>
  %u = onnx.SequenceErase(%t, %none) : (!onnx.seq<tensor<*xf32>>, none) -> !onnx.seq<tensor<*xf32>>
  %y = onnx.ConcatFromSequence(%u) {axis = 0 : i64} : (!onnx.seq<tensor<*xf32>>) -> tensor<*xf32>
  %n = onnx.SequenceLength(%u) : (!onnx.seq<tensor<*xf32>>) -> tensor<i64>
  %e = onnx.SequenceAt(%u, %last) : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
  %z = onnx.Neg(%e) : (tensor<*xf32>) -> tensor<*xf32>
  return %y, %n, %z : tensor<*xf32>, tensor<i64>, tensor<*xf32>
}

// -----

// Parts of a known number; without `split`, each of one row, whose dim goes.
// CHECK-LABEL: func.func @main
// CHECK: %[[P:.*]]:3 = onnx.Split(%{{.*}}, %{{.*}}) {axis = 0 : i64{{.*}} -> (tensor<2x?xf32>, tensor<2x?xf32>, tensor<1x?xf32>)
// CHECK: %[[R:.*]]:5 = onnx.Split
// CHECK: onnx.Squeeze(%[[R]]#1, %{{.*}}) : {{.*}} -> tensor<?xf32>
// CHECK: onnx.Add(%[[P]]#2,
func.func @main(%x: tensor<5x?xf32>) -> tensor<*xf32> {
  %none = onnx.None() : () -> none
  %one = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %two = onnx.Constant() {value = dense<2> : tensor<i64>} : () -> tensor<i64>
  %s = onnx.SplitToSequence(%x, %two) {axis = 0 : i64} : (tensor<5x?xf32>, tensor<i64>) -> !onnx.seq<tensor<*xf32>>
  %p = onnx.SequenceAt(%s, %two) : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
  %t = onnx.SplitToSequence(%x, %none) {axis = 0 : i64, keepdims = 0 : i64} : (tensor<5x?xf32>, none) -> !onnx.seq<tensor<*xf32>>
  %r = onnx.SequenceAt(%t, %one) : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
  %y = onnx.Add(%p, %r) : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

// An optional that is made here; a tensor is a value that is there.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:.*]]: tensor<2xf32>
// CHECK-DAG: value = dense<true> : tensor<i1>
// CHECK-DAG: value = dense<false> : tensor<i1>
// CHECK: return %[[X]]
func.func @main(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<i1>, tensor<i1>) {
  %none = onnx.None() : () -> none
  %o = onnx.Optional(%x) : (tensor<2xf32>) -> !onnx.opt<tensor<2xf32>>
  %e = onnx.Optional(%none) {type = tensor<2xf32>} : (none) -> !onnx.opt<tensor<2xf32>>
  %y = onnx.OptionalGetElement(%o) : (!onnx.opt<tensor<2xf32>>) -> tensor<2xf32>
  %a = onnx.OptionalHasElement(%x) : (tensor<2xf32>) -> tensor<i1>
  %b = onnx.OptionalHasElement(%e) : (!onnx.opt<tensor<2xf32>>) -> tensor<i1>
  return %y, %a, %b : tensor<2xf32>, tensor<i1>, tensor<i1>
}

// -----

func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %two = onnx.Constant() {value = dense<2> : tensor<i64>} : () -> tensor<i64>
  %s = onnx.SequenceConstruct(%x, %x) : (tensor<2xf32>, tensor<2xf32>) -> !onnx.seq<tensor<2xf32>>
  // expected-error @+1 {{its position is out of range: the sequence has 2 elements}}
  %y = onnx.SequenceAt(%s, %two) : (!onnx.seq<tensor<2xf32>>, tensor<i64>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}
