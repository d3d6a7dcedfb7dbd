// RUN: onnxc-opt %s --propagate-transposes --canonicalize --split-input-file | FileCheck %s

// A transpose, element-wise work with a broadcast, and the inverse: nothing is left.

// CHECK-LABEL: func @cancels
// CHECK-SAME: %[[X:.*]]: tensor<?x7x9x16xf32>, %[[S:.*]]: tensor<?x16x1x1xf32>
// CHECK-NOT: linalg.transpose
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[X]], %[[S]]
// CHECK-NOT: linalg.transpose
// CHECK: return
#id = affine_map<(n, c, h, w) -> (n, c, h, w)>
#channel = affine_map<(n, c, h, w) -> (n, c, 0, 0)>
func.func @cancels(%x: tensor<?x7x9x16xf32>, %s: tensor<?x16x1x1xf32>) -> tensor<?x7x9x16xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x7x9x16xf32>
  %e = tensor.empty(%n) : tensor<?x16x7x9xf32>
  %nchw = linalg.transpose ins(%x : tensor<?x7x9x16xf32>) outs(%e : tensor<?x16x7x9xf32>) permutation = [0, 3, 1, 2]
  %mul = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%nchw, %s : tensor<?x16x7x9xf32>, tensor<?x16x1x1xf32>) outs(%e : tensor<?x16x7x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<?x16x7x9xf32>
  %f = tensor.empty(%n) : tensor<?x7x9x16xf32>
  %nhwc = linalg.transpose ins(%mul : tensor<?x16x7x9xf32>) outs(%f : tensor<?x7x9x16xf32>) permutation = [0, 2, 3, 1]
  return %nhwc : tensor<?x7x9x16xf32>
}

// -----

// A reduction reads the input of the transpose.

// CHECK: #[[IN:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>
// CHECK-LABEL: func @reduction
// CHECK-SAME: %[[X:.*]]: tensor<2x7x9x16xf32>
// CHECK-NOT: linalg.transpose
// CHECK: linalg.generic {indexing_maps = [#[[IN]]
// CHECK-SAME: ins(%[[X]]
func.func @reduction(%x: tensor<2x7x9x16xf32>, %init: tensor<2x16xf32>) -> tensor<2x16xf32> {
  %e = tensor.empty() : tensor<2x16x7x9xf32>
  %nchw = linalg.transpose ins(%x : tensor<2x7x9x16xf32>) outs(%e : tensor<2x16x7x9xf32>) permutation = [0, 3, 1, 2]
  %sum = linalg.generic {indexing_maps = [affine_map<(n, c, h, w) -> (n, c, h, w)>, affine_map<(n, c, h, w) -> (n, c)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%nchw : tensor<2x16x7x9xf32>) outs(%init : tensor<2x16xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %a, %o fastmath<reassoc> : f32
    linalg.yield %0 : f32
  } -> tensor<2x16xf32>
  return %sum : tensor<2x16xf32>
}

// -----

// A concatenation of transposes is one transpose of the concatenation.

// CHECK-LABEL: func @concat
// CHECK: tensor.insert_slice %{{.*}}[0, 0, 0, 0] [1, 7, 9, 16] [1, 1, 1, 1]
// CHECK: %[[JOINED:.*]] = tensor.insert_slice %{{.*}}[0, 0, 0, 16] [1, 7, 9, 8] [1, 1, 1, 1]
// CHECK: linalg.transpose ins(%[[JOINED]]
// CHECK-NOT: linalg.transpose
func.func @concat(%x: tensor<1x7x9x16xf32>, %y: tensor<1x7x9x8xf32>) -> tensor<1x24x7x9xf32> {
  %e = tensor.empty() : tensor<1x16x7x9xf32>
  %a = linalg.transpose ins(%x : tensor<1x7x9x16xf32>) outs(%e : tensor<1x16x7x9xf32>) permutation = [0, 3, 1, 2]
  %f = tensor.empty() : tensor<1x8x7x9xf32>
  %b = linalg.transpose ins(%y : tensor<1x7x9x8xf32>) outs(%f : tensor<1x8x7x9xf32>) permutation = [0, 3, 1, 2]
  %g = tensor.empty() : tensor<1x24x7x9xf32>
  %0 = tensor.insert_slice %a into %g[0, 0, 0, 0] [1, 16, 7, 9] [1, 1, 1, 1] : tensor<1x16x7x9xf32> into tensor<1x24x7x9xf32>
  %1 = tensor.insert_slice %b into %0[0, 16, 0, 0] [1, 8, 7, 9] [1, 1, 1, 1] : tensor<1x8x7x9xf32> into tensor<1x24x7x9xf32>
  return %1 : tensor<1x24x7x9xf32>
}

// -----

// A gather that reads a transposed tensor reads its input, in the input's order.

// CHECK-LABEL: func @gather
// CHECK-SAME: %[[X:.*]]: tensor<1x7x9x16xf32>
// CHECK-NOT: linalg.transpose
// CHECK: linalg.generic
// CHECK: tensor.extract %[[X]]
// CHECK: linalg.transpose
// CHECK-SAME: permutation = [0, 3, 1, 2]
func.func @gather(%x: tensor<1x7x9x16xf32>) -> tensor<1x16x14x18xf32> {
  %e = tensor.empty() : tensor<1x16x7x9xf32>
  %nchw = linalg.transpose ins(%x : tensor<1x7x9x16xf32>) outs(%e : tensor<1x16x7x9xf32>) permutation = [0, 3, 1, 2]
  %f = tensor.empty() : tensor<1x16x14x18xf32>
  %up = linalg.generic {indexing_maps = [affine_map<(n, c, h, w) -> (n, c, h, w)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%f : tensor<1x16x14x18xf32>) {
  ^bb0(%o: f32):
    %c2 = arith.constant 2 : index
    %n = linalg.index 0 : index
    %c = linalg.index 1 : index
    %h = linalg.index 2 : index
    %w = linalg.index 3 : index
    %ih = arith.divui %h, %c2 : index
    %iw = arith.divui %w, %c2 : index
    %0 = tensor.extract %nchw[%n, %c, %ih, %iw] : tensor<1x16x7x9xf32>
    linalg.yield %0 : f32
  } -> tensor<1x16x14x18xf32>
  return %up : tensor<1x16x14x18xf32>
}

// -----

// One transposed and one plain operand: the channels-last side wins, once.

// CHECK-LABEL: func @tie
// CHECK-SAME: %[[X:.*]]: tensor<1x7x9x16xf32>, %[[Y:[a-z0-9]+]]: tensor<1x16x7x9xf32>
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[Y]] {{.*}} permutation = [0, 2, 3, 1]
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[T]]
// CHECK: linalg.transpose ins(%[[SUM]]
// CHECK-SAME: permutation = [0, 3, 1, 2]
#id = affine_map<(n, c, h, w) -> (n, c, h, w)>
func.func @tie(%x: tensor<1x7x9x16xf32>, %y: tensor<1x16x7x9xf32>) -> tensor<1x16x7x9xf32> {
  %e = tensor.empty() : tensor<1x16x7x9xf32>
  %nchw = linalg.transpose ins(%x : tensor<1x7x9x16xf32>) outs(%e : tensor<1x16x7x9xf32>) permutation = [0, 3, 1, 2]
  %sum = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%nchw, %y : tensor<1x16x7x9xf32>, tensor<1x16x7x9xf32>) outs(%e : tensor<1x16x7x9xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<1x16x7x9xf32>
  return %sum : tensor<1x16x7x9xf32>
}
