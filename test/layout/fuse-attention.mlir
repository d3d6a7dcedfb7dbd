// RUN: onnxc-opt %s --fuse-attention --canonicalize --split-input-file | FileCheck %s

// Transposes become orders, the scale of the queries and the NaNs that become zero go into the kernel.

// CHECK: #[[MASK:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, 0, 0, d3)>
// CHECK-LABEL: func @attention
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x?x12x64xf32>, %[[K:[a-z0-9]+]]: tensor<?x?x12x64xf32>, %[[V:[a-z0-9]+]]: tensor<?x?x12x64xf32>, %[[M:[a-z0-9]+]]: tensor<?x1x1x?xf32>
// CHECK-NOT: linalg
// CHECK: %[[Y:.*]] = kernel.attention ins(%[[Q]], %[[K]], %[[V]]
// CHECK-SAME: with(%[[M]] : tensor<?x1x1x?xf32>)
// CHECK-SAME: epilogue_maps = [#[[MASK]]], init_order = array<i64: 0, 2, 1, 3>, key_order = array<i64: 0, 2, 1, 3>, query_order = array<i64: 0, 2, 1, 3>, value_order = array<i64: 0, 2, 1, 3>, zero_nan_rows
// CHECK: ^bb0(%[[ACC:.*]]: f32, %[[ME:.*]]: f32)
// CHECK: %[[S:.*]] = arith.mulf %[[ACC]], %{{.*}}
// CHECK: %[[B:.*]] = arith.addf %[[S]], %[[ME]]
// CHECK: kernel.yield %[[B]]
// CHECK: return %[[Y]]
#id = affine_map<(b, h, s, t) -> (b, h, s, t)>
#mask = affine_map<(b, h, s, t) -> (b, 0, 0, t)>
func.func @attention(%q: tensor<?x?x12x64xf32>, %k: tensor<?x?x12x64xf32>, %v: tensor<?x?x12x64xf32>, %m: tensor<?x1x1x?xf32>,
    %e0: tensor<?x?x12x64xf32>, %e1: tensor<?x12x?x64xf32>, %e2: tensor<?x12x64x?xf32>, %e3: tensor<?x12x?x?xf32>) -> tensor<?x?x12x64xf32> {
  %scale = arith.constant 0.125 : f32
  %zero = arith.constant 0.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%q : tensor<?x?x12x64xf32>) outs(%e0 : tensor<?x?x12x64xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.mulf %a, %scale : f32
    linalg.yield %s : f32
  } -> tensor<?x?x12x64xf32>
  %qt = linalg.transpose ins(%0 : tensor<?x?x12x64xf32>) outs(%e1 : tensor<?x12x?x64xf32>) permutation = [0, 2, 1, 3]
  %kt = linalg.transpose ins(%k : tensor<?x?x12x64xf32>) outs(%e2 : tensor<?x12x64x?xf32>) permutation = [0, 2, 3, 1]
  %vt = linalg.transpose ins(%v : tensor<?x?x12x64xf32>) outs(%e1 : tensor<?x12x?x64xf32>) permutation = [0, 2, 1, 3]
  %1 = kernel.matmul ins(%qt, %kt : tensor<?x12x?x64xf32>, tensor<?x12x64x?xf32>) with(%m : tensor<?x1x1x?xf32>) outs(%e3 : tensor<?x12x?x?xf32>) {epilogue_maps = [#mask]} -> tensor<?x12x?x?xf32> epilogue {
  ^bb0(%acc: f32, %b: f32):
    %s = arith.addf %acc, %b : f32
    kernel.yield %s : f32
  }
  %2 = kernel.softmax ins(%1 : tensor<?x12x?x?xf32>) outs(%e3 : tensor<?x12x?x?xf32>) -> tensor<?x12x?x?xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%2 : tensor<?x12x?x?xf32>) outs(%e3 : tensor<?x12x?x?xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.cmpf uno, %a, %a : f32
    %s = arith.select %n, %zero, %a : f32
    linalg.yield %s : f32
  } -> tensor<?x12x?x?xf32>
  %4 = kernel.matmul ins(%3, %vt : tensor<?x12x?x?xf32>, tensor<?x12x?x64xf32>) outs(%e1 : tensor<?x12x?x64xf32>) {epilogue_maps = []} -> tensor<?x12x?x64xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  %5 = linalg.transpose ins(%4 : tensor<?x12x?x64xf32>) outs(%e0 : tensor<?x?x12x64xf32>) permutation = [0, 2, 1, 3]
  return %5 : tensor<?x?x12x64xf32>
}

// -----

// Someone else wants the probabilities.

// CHECK-LABEL: func @probabilities
// CHECK-NOT: kernel.attention
// CHECK: kernel.softmax
func.func @probabilities(%q: tensor<2x7x8xf32>, %k: tensor<2x8x9xf32>, %v: tensor<2x9x8xf32>, %e0: tensor<2x7x9xf32>, %e1: tensor<2x7x8xf32>) -> (tensor<2x7x9xf32>, tensor<2x7x8xf32>) {
  %1 = kernel.matmul ins(%q, %k : tensor<2x7x8xf32>, tensor<2x8x9xf32>) outs(%e0 : tensor<2x7x9xf32>) {epilogue_maps = []} -> tensor<2x7x9xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  %2 = kernel.softmax ins(%1 : tensor<2x7x9xf32>) outs(%e0 : tensor<2x7x9xf32>) -> tensor<2x7x9xf32>
  %3 = kernel.matmul ins(%2, %v : tensor<2x7x9xf32>, tensor<2x9x8xf32>) outs(%e1 : tensor<2x7x8xf32>) {epilogue_maps = []} -> tensor<2x7x8xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %2, %3 : tensor<2x7x9xf32>, tensor<2x7x8xf32>
}

// -----

// Heads whose width only a run knows have no block of fixed size.

// CHECK-LABEL: func @unknown_width
// CHECK-NOT: kernel.attention
// CHECK: kernel.softmax
func.func @unknown_width(%q: tensor<2x7x?xf32>, %k: tensor<2x?x9xf32>, %v: tensor<2x9x8xf32>, %e0: tensor<2x7x9xf32>, %e1: tensor<2x7x8xf32>) -> tensor<2x7x8xf32> {
  %1 = kernel.matmul ins(%q, %k : tensor<2x7x?xf32>, tensor<2x?x9xf32>) outs(%e0 : tensor<2x7x9xf32>) {epilogue_maps = []} -> tensor<2x7x9xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  %2 = kernel.softmax ins(%1 : tensor<2x7x9xf32>) outs(%e0 : tensor<2x7x9xf32>) -> tensor<2x7x9xf32>
  %3 = kernel.matmul ins(%2, %v : tensor<2x7x9xf32>, tensor<2x9x8xf32>) outs(%e1 : tensor<2x7x8xf32>) {epilogue_maps = []} -> tensor<2x7x8xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %3 : tensor<2x7x8xf32>
}

// -----

// In half precision the mask is widened before the kernel; the result is rounded behind it and behind the transpose.

// CHECK-LABEL: func @half
// CHECK: %[[M:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<9x9xf16>) outs(%{{.*}} : tensor<9x9xf32>)
// CHECK: %[[Y:.*]] = kernel.attention {{.*}} with(%[[M]] : tensor<9x9xf32>) outs(%{{.*}} : tensor<2x9x3x8xf32>) {{.*}}init_order = array<i64: 0, 2, 1, 3>
// CHECK: linalg.generic {{.*}} ins(%[[Y]] : tensor<2x9x3x8xf32>) outs(%{{.*}} : tensor<2x9x3x8xf16>)
// CHECK: arith.truncf %{{.*}} fastmath<contract> : f32 to f16
// CHECK-NOT: linalg.transpose
func.func @half(%q: tensor<2x3x9x8xf32>, %k: tensor<2x3x8x9xf32>, %v: tensor<2x3x9x8xf32>, %m: tensor<9x9xf16>, %e0: tensor<2x3x9x9xf32>, %e1: tensor<2x3x9x8xf16>, %e2: tensor<2x9x3x8xf16>) -> tensor<2x9x3x8xf16> {
  %1 = kernel.matmul ins(%q, %k : tensor<2x3x9x8xf32>, tensor<2x3x8x9xf32>) with(%m : tensor<9x9xf16>) outs(%e0 : tensor<2x3x9x9xf32>) {epilogue_maps = [affine_map<(b, h, s, t) -> (s, t)>]} -> tensor<2x3x9x9xf32> epilogue {
  ^bb0(%acc: f32, %mask: f16):
    %w = arith.extf %mask fastmath<contract> : f16 to f32
    %s = arith.addf %acc, %w : f32
    kernel.yield %s : f32
  }
  %2 = kernel.softmax ins(%1 : tensor<2x3x9x9xf32>) outs(%e0 : tensor<2x3x9x9xf32>) -> tensor<2x3x9x9xf32>
  %3 = kernel.matmul ins(%2, %v : tensor<2x3x9x9xf32>, tensor<2x3x9x8xf32>) outs(%e1 : tensor<2x3x9x8xf16>) {epilogue_maps = []} -> tensor<2x3x9x8xf16> epilogue {
  ^bb0(%acc: f32):
    %r = arith.truncf %acc fastmath<contract> : f32 to f16
    kernel.yield %r : f16
  }
  %4 = linalg.transpose ins(%3 : tensor<2x3x9x8xf16>) outs(%e2 : tensor<2x9x3x8xf16>) permutation = [0, 2, 1, 3]
  return %4 : tensor<2x9x3x8xf16>
}
