// RUN: onnxc-opt %s --bufferize-model --split-input-file | FileCheck %s

// A concatenation: producers write into their slice, weights and arguments are never written.
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: memref<?x8xf32>) -> memref<?x16xf32>
// CHECK-DAG: %[[N:.*]] = memref.dim %[[X]]
// CHECK: %[[ALL:.*]] = memref.alloc(%[[N]]) {{.*}} : memref<?x16xf32>
// CHECK-NOT: memref.alloc
// CHECK: %[[LEFT:.*]] = memref.subview %[[ALL]][0, 0]
// CHECK: linalg.abs ins(%[[X]] : memref<?x8xf32>) outs(%[[LEFT]]
// CHECK: kernel.weight {{.*}} -> memref<8xf32>
// CHECK: linalg.broadcast
// CHECK-NOT: memref.copy
// CHECK: return %[[ALL]]
func.func @main(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %a = linalg.abs ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %w = kernel.weight dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32> -> tensor<8xf32>
  %f = tensor.empty(%n) : tensor<?x8xf32>
  %b = linalg.broadcast ins(%w : tensor<8xf32>) outs(%f : tensor<?x8xf32>) dimensions = [0]
  %all = tensor.empty(%n) : tensor<?x16xf32>
  %0 = tensor.insert_slice %a into %all[0, 0] [%n, 8] [1, 1] : tensor<?x8xf32> into tensor<?x16xf32>
  %1 = tensor.insert_slice %b into %0[0, 8] [%n, 8] [1, 1] : tensor<?x8xf32> into tensor<?x16xf32>
  return %1 : tensor<?x16xf32>
}

// -----

// A reshape by scalars needs no shape in memory.
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: memref<?x6xf32>, %[[A:.*]]: index, %[[B:.*]]: index)
// CHECK-NOT: memref.store
// CHECK-NOT: memref.alloc
// CHECK: memref.reinterpret_cast {{.*}} sizes: [%[[A]], %[[B]], 2]
func.func @main(%x: tensor<?x6xf32>, %a: index, %b: index) -> tensor<?x?x2xf32> {
  %c2 = arith.constant 2 : index
  %shape = tensor.from_elements %a, %b, %c2 : tensor<3xindex>
  %r = tensor.reshape %x(%shape) : (tensor<?x6xf32>, tensor<3xindex>) -> tensor<?x?x2xf32>
  return %r : tensor<?x?x2xf32>
}

// -----

// Kernels write their init; the argument is not written in place.
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: memref<1x4x4x8xf32>)
// CHECK: %[[OUT:.*]] = memref.alloc() {{.*}} : memref<1x6x6x8xf32>
// CHECK: kernel.pad ins(%[[X]] : memref<1x4x4x8xf32>) outs(%[[OUT]] : memref<1x6x6x8xf32>)
// CHECK: return %[[OUT]]
func.func @main(%x: tensor<1x4x4x8xf32>) -> tensor<1x6x6x8xf32> {
  %e = tensor.empty() : tensor<1x6x6x8xf32>
  %p = kernel.pad ins(%x : tensor<1x4x4x8xf32>) outs(%e : tensor<1x6x6x8xf32>) {pads = array<i64: 1, 1>} -> tensor<1x6x6x8xf32>
  return %p : tensor<1x6x6x8xf32>
}
