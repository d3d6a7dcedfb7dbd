// RUN: onnxc-opt %s --onnx-infer-sequence-types --split-input-file | FileCheck %s

// What is put into an empty sequence tells the rank of what is read from it, through a loop, too.

// CHECK-LABEL: func.func @main
// CHECK: ^bb0(%{{.*}}: tensor<i64>, %{{.*}}: tensor<i1>, %[[Q:.*]]: !onnx.seq<tensor<?x?xf32>>):
// CHECK: onnx.SequenceAt(%[[Q]], %{{.*}}) : {{.*}} -> tensor<?x?xf32>
// CHECK: onnx.ConcatFromSequence({{.*}}) {{.*}} : (!onnx.seq<tensor<?x?xf32>>) -> tensor<?x?x?xf32>
func.func @main(%n: tensor<i64>, %x: tensor<?x4xf32>) -> tensor<*xf32> {
  %none = onnx.None() : () -> none
  %e = onnx.SequenceEmpty() : () -> !onnx.seq<tensor<*xf32>>
  %s = onnx.SequenceInsert(%e, %x, %none) : (!onnx.seq<tensor<*xf32>>, tensor<?x4xf32>, none) -> !onnx.seq<tensor<*xf32>>
  %r = onnx.Loop(%n, %none, %s) ({
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %q: !onnx.seq<tensor<*xf32>>):
    %a = onnx.SequenceAt(%q, %i) : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
    %b = onnx.Cos(%a) : (tensor<*xf32>) -> tensor<*xf32>
    %t = onnx.SequenceInsert(%q, %b, %none) : (!onnx.seq<tensor<*xf32>>, tensor<*xf32>, none) -> !onnx.seq<tensor<*xf32>>
    onnx.Return(%c, %t) : (tensor<i1>, !onnx.seq<tensor<*xf32>>) -> ()
  }) : (tensor<i64>, none, !onnx.seq<tensor<*xf32>>) -> !onnx.seq<tensor<*xf32>>
  %y = onnx.ConcatFromSequence(%r) {axis = 0 : i64, new_axis = 1 : i64} : (!onnx.seq<tensor<*xf32>>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

// Tensors of several ranks leave it open, but for which there are.

// CHECK-LABEL: func.func @main
// CHECK: onnx.SequenceAt({{.*}}) {onnx.ranks = array<i64: 1, 2>} : {{.*}} -> tensor<*xf32>
func.func @main(%x: tensor<4xf32>, %y: tensor<4x4xf32>, %i: tensor<i64>) -> tensor<*xf32> {
  %s = onnx.SequenceConstruct(%x, %y) : (tensor<4xf32>, tensor<4x4xf32>) -> !onnx.seq<tensor<*xf32>>
  %a = onnx.SequenceAt(%s, %i) : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
  return %a : tensor<*xf32>
}
