// RUN: onnxc-opt %s --onnx-infer-shapes --onnx-stack-loop-sequences --split-input-file | FileCheck %s

// A list that each iteration appends to and that is stacked behind the loop is a scan output.

// CHECK-LABEL: func.func @main
// CHECK-NOT: onnx.Sequence
// CHECK: %[[Y:.*]] = onnx.Loop(%{{.*}}, %{{.*}}) ({
// CHECK: ^bb0(%[[I:.*]]: tensor<i64>, %[[C:.*]]: tensor<i1>):
// CHECK: %[[B:.*]] = onnx.Tanh
// CHECK: onnx.Return(%[[C]], %[[B]])
// CHECK-NOT: onnx.ConcatFromSequence
// CHECK: return %[[Y]]
func.func @main(%n: tensor<i64>, %x: tensor<4xf32>) -> tensor<*xf32> {
  %none = onnx.None() : () -> none
  %e = onnx.SequenceEmpty() : () -> !onnx.seq<tensor<*xf32>>
  %s = onnx.Loop(%n, %none, %e) ({
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %q: !onnx.seq<tensor<*xf32>>):
    %no = onnx.None() : () -> none
    %b = onnx.Tanh(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %r = onnx.SequenceInsert(%q, %b, %no) : (!onnx.seq<tensor<*xf32>>, tensor<4xf32>, none) -> !onnx.seq<tensor<*xf32>>
    onnx.Return(%c, %r) : (tensor<i1>, !onnx.seq<tensor<*xf32>>) -> ()
  }) : (tensor<i64>, none, !onnx.seq<tensor<*xf32>>) -> !onnx.seq<tensor<*xf32>>
  %y = onnx.ConcatFromSequence(%s) {axis = 0 : i64, new_axis = 1 : i64} : (!onnx.seq<tensor<*xf32>>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

// What is read at a place of its own is no scan output.

// CHECK-LABEL: func.func @main
// CHECK: onnx.SequenceInsert
// CHECK: onnx.SequenceAt
func.func @main(%n: tensor<i64>, %x: tensor<4xf32>) -> tensor<*xf32> {
  %none = onnx.None() : () -> none
  %e = onnx.SequenceEmpty() : () -> !onnx.seq<tensor<*xf32>>
  %s = onnx.Loop(%n, %none, %e) ({
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %q: !onnx.seq<tensor<*xf32>>):
    %no = onnx.None() : () -> none
    %r = onnx.SequenceInsert(%q, %x, %no) : (!onnx.seq<tensor<*xf32>>, tensor<4xf32>, none) -> !onnx.seq<tensor<*xf32>>
    onnx.Return(%c, %r) : (tensor<i1>, !onnx.seq<tensor<*xf32>>) -> ()
  }) : (tensor<i64>, none, !onnx.seq<tensor<*xf32>>) -> !onnx.seq<tensor<*xf32>>
  %y = onnx.SequenceAt(%s, %n) : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}
