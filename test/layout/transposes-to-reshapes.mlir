// RUN: onnxc-opt %s --transposes-to-reshapes --split-input-file | FileCheck %s

// CHECK-LABEL: func @unit_dims
// CHECK-SAME: %[[X:.*]]: tensor<?x64x1x1xf32>
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[X]] {{\[}}[0], [1, 2, 3]]
// CHECK: tensor.expand_shape %[[FLAT]] {{\[}}[0, 1, 2], [3]]
// CHECK-NOT: linalg.transpose
func.func @unit_dims(%x: tensor<?x64x1x1xf32>) -> tensor<?x1x1x64xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x64x1x1xf32>
  %e = tensor.empty(%n) : tensor<?x1x1x64xf32>
  %t = linalg.transpose ins(%x : tensor<?x64x1x1xf32>) outs(%e : tensor<?x1x1x64xf32>) permutation = [0, 2, 3, 1]
  return %t : tensor<?x1x1x64xf32>
}

// -----

// A dim of unknown size may be larger than 1.

// CHECK-LABEL: func @dynamic_dim_moves
// CHECK: linalg.transpose
func.func @dynamic_dim_moves(%x: tensor<?x64x1x?xf32>, %e: tensor<?x1x?x64xf32>) -> tensor<?x1x?x64xf32> {
  %t = linalg.transpose ins(%x : tensor<?x64x1x?xf32>) outs(%e : tensor<?x1x?x64xf32>) permutation = [0, 2, 3, 1]
  return %t : tensor<?x1x?x64xf32>
}

// -----

// CHECK-LABEL: func @all_unit
// CHECK-NOT: linalg.transpose
func.func @all_unit(%x: tensor<1x1xf32>, %e: tensor<1x1xf32>) -> tensor<1x1xf32> {
  %t = linalg.transpose ins(%x : tensor<1x1xf32>) outs(%e : tensor<1x1xf32>) permutation = [1, 0]
  return %t : tensor<1x1xf32>
}
