// RUN: onnxc-opt %s --split-input-file --lower-onnx --canonicalize | FileCheck %s

// A sequence is the address of a boxed value; tensors are copied into it, and what is read is checked.

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[S:[^:]*]]: index {onnx.name = "s", onnx.type = !onnx.seq<tensor<?x4xf32>>}, %[[X:[^:]*]]: tensor<?x4xf32>
// CHECK: %[[N:.*]] = kernel.read_value "length"(%[[S]])
// CHECK: kernel.check %{{.*}}, "node 't' (SequenceInsert): position {} is out of range: the sequence has {} elements"
// CHECK: %[[E:.*]] = kernel.box %[[X]] as 1 : tensor<?x4xf32>
// CHECK: %[[T:.*]] = kernel.make_value "insert"(%[[S]], %[[E]], %{{.*}})
// CHECK: %[[A:.*]] = kernel.read_value "at"(%[[T]], %{{.*}})
// CHECK: %[[R:.*]] = kernel.read_value "rank"(%[[A]])
// CHECK: kernel.check %{{.*}}, "node 'y' (SequenceAt): the rank of the element: {} is not {}"(%[[R]],
// CHECK: %[[D:.*]] = kernel.read_value "dim"(%[[A]], %{{.*}})
// CHECK: kernel.check %{{.*}}, "node 'y' (SequenceAt): dim 1 of the element: {} is not {}"
// CHECK: %[[Y:.*]] = kernel.unbox %[[A]][%[[D]]] : tensor<?x4xf32>
// CHECK: return %[[Y]], %[[T]]
func.func @main(%s: !onnx.seq<tensor<?x4xf32>> {onnx.name = "s"}, %x: tensor<?x4xf32> {onnx.name = "x"}, %i: tensor<i64> {onnx.name = "i"})
    -> (tensor<?x4xf32> {onnx.name = "y"}, !onnx.seq<tensor<?x4xf32>> {onnx.name = "t"}) {
  %t = onnx.SequenceInsert(%s, %x, %i) : (!onnx.seq<tensor<?x4xf32>>, tensor<?x4xf32>, tensor<i64>) -> !onnx.seq<tensor<?x4xf32>> loc("t")
  %y = onnx.SequenceAt(%t, %i) : (!onnx.seq<tensor<?x4xf32>>, tensor<i64>) -> tensor<?x4xf32> loc("y")
  return %y, %t : tensor<?x4xf32>, !onnx.seq<tensor<?x4xf32>>
}

// -----

// An optional that is there is the value it holds; a branch hands on its address.

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[O:.*]]: index
// CHECK: %[[K:.*]] = kernel.read_value "kind"(%[[O]])
// CHECK: %[[THERE:.*]] = arith.cmpi ne, %[[K]], %{{.*}} : index
// CHECK: %[[R:.*]] = scf.if %[[THERE]] -> (index) {
// CHECK: scf.yield %[[O]] : index
// CHECK: } else {
// CHECK: %[[B:.*]] = kernel.box %{{.*}} as 2 : tensor<3xi8>
// CHECK: scf.yield %[[B]] : index
// CHECK: return %[[R]] : index
func.func @main(%o: !onnx.opt<tensor<3xui8>> {onnx.name = "o"}, %x: tensor<3xui8> {onnx.name = "x"}) -> (!onnx.opt<tensor<3xui8>> {onnx.name = "r"}) {
  %c = onnx.OptionalHasElement(%o) : (!onnx.opt<tensor<3xui8>>) -> tensor<i1>
  %r = onnx.If(%c) ({
    %b = onnx.Optional(%x) : (tensor<3xui8>) -> !onnx.opt<tensor<3xui8>>
    onnx.Return(%b) : (!onnx.opt<tensor<3xui8>>) -> ()
  }, {
    onnx.Return(%o) : (!onnx.opt<tensor<3xui8>>) -> ()
  }) : (tensor<i1>) -> !onnx.opt<tensor<3xui8>>
  return %r : !onnx.opt<tensor<3xui8>>
}
