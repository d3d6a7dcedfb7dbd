// RUN: onnxc-opt %s --transposes-through-reshapes --canonicalize --split-input-file | FileCheck %s

// Batch and heads are collapsed around the transpose of the keys.

// CHECK-LABEL: func @keys
// CHECK-SAME: %[[X:.*]]: tensor<?x12x?x64xf32>
// CHECK-NOT: tensor.collapse_shape
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[X]] : tensor<?x12x?x64xf32>) outs({{.*}} : tensor<?x12x64x?xf32>) permutation = [0, 1, 3, 2]
// CHECK: return %[[T]]
func.func @keys(%x: tensor<?x12x?x64xf32>, %b: index, %bh: index, %s: index) -> tensor<?x12x64x?xf32> {
  %c = tensor.collapse_shape %x [[0, 1], [2], [3]] : tensor<?x12x?x64xf32> into tensor<?x?x64xf32>
  %e = tensor.empty(%bh, %s) : tensor<?x64x?xf32>
  %t = linalg.transpose ins(%c : tensor<?x?x64xf32>) outs(%e : tensor<?x64x?xf32>) permutation = [0, 2, 1]
  %r = tensor.expand_shape %t [[0, 1], [2], [3]] output_shape [%b, 12, 64, %s] : tensor<?x64x?xf32> into tensor<?x12x64x?xf32>
  return %r : tensor<?x12x64x?xf32>
}

// -----

// The dims that come out are others than those that went in.

// CHECK-LABEL: func @other_dims
// CHECK: tensor.collapse_shape
// CHECK: tensor.expand_shape
func.func @other_dims(%x: tensor<2x12x5x64xf32>) -> tensor<3x8x64x5xf32> {
  %c = tensor.collapse_shape %x [[0, 1], [2], [3]] : tensor<2x12x5x64xf32> into tensor<24x5x64xf32>
  %e = tensor.empty() : tensor<24x64x5xf32>
  %t = linalg.transpose ins(%c : tensor<24x5x64xf32>) outs(%e : tensor<24x64x5xf32>) permutation = [0, 2, 1]
  %r = tensor.expand_shape %t [[0, 1], [2], [3]] output_shape [3, 8, 64, 5] : tensor<24x64x5xf32> into tensor<3x8x64x5xf32>
  return %r : tensor<3x8x64x5xf32>
}

// -----

// Two dims that only a run knows may divide in another way.

// CHECK-LABEL: func @unknown
// CHECK: tensor.collapse_shape
// CHECK: tensor.expand_shape
func.func @unknown(%x: tensor<?x?x5x64xf32>, %b: index, %h: index, %bh: index) -> tensor<?x?x64x5xf32> {
  %c = tensor.collapse_shape %x [[0, 1], [2], [3]] : tensor<?x?x5x64xf32> into tensor<?x5x64xf32>
  %e = tensor.empty(%bh) : tensor<?x64x5xf32>
  %t = linalg.transpose ins(%c : tensor<?x5x64xf32>) outs(%e : tensor<?x64x5xf32>) permutation = [0, 2, 1]
  %r = tensor.expand_shape %t [[0, 1], [2], [3]] output_shape [%b, %h, 64, 5] : tensor<?x64x5xf32> into tensor<?x?x64x5xf32>
  return %r : tensor<?x?x64x5xf32>
}
