// RUN: onnxc-opt %s --fuse-elementwise --split-input-file | FileCheck %s

#id = affine_map<(m, n) -> (m, n)>

// x * sigmoid(x): one loop, the constant a scalar.

// CHECK-LABEL: func @chain
// CHECK: linalg.generic
// CHECK-SAME: ins(%{{[a-z0-9]+}} : tensor<?x40xf32>)
// CHECK: math.exp
// CHECK: arith.mulf
// CHECK-NOT: linalg.generic
func.func @chain(%x: tensor<?x40xf32>, %init: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %one = arith.constant dense<1.0> : tensor<1x1xf32>
  %0 = linalg.generic {indexing_maps = [#id, affine_map<(m, n) -> (0, 0)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %one : tensor<?x40xf32>, tensor<1x1xf32>) outs(%init : tensor<?x40xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %n = arith.negf %a : f32
    %e = math.exp %n : f32
    %s = arith.addf %e, %b : f32
    %d = arith.divf %b, %s : f32
    linalg.yield %d : f32
  } -> tensor<?x40xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %0 : tensor<?x40xf32>, tensor<?x40xf32>) outs(%init : tensor<?x40xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<?x40xf32>
  return %1 : tensor<?x40xf32>
}

// -----

// A broadcast consumer would compute the producer again for each row.

// CHECK-LABEL: func @broadcast
// CHECK-COUNT-2: linalg.generic
func.func @broadcast(%x: tensor<40xf32>, %y: tensor<?x40xf32>, %e: tensor<40xf32>, %init: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(n) -> (n)>, affine_map<(n) -> (n)>], iterator_types = ["parallel"]}
      ins(%x : tensor<40xf32>) outs(%e : tensor<40xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = math.exp %a : f32
    linalg.yield %n : f32
  } -> tensor<40xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%y, %0 : tensor<?x40xf32>, tensor<40xf32>) outs(%init : tensor<?x40xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<?x40xf32>
  return %1 : tensor<?x40xf32>
}

// -----

// A value that one operator rounds for the next keeps its digits within a chain; what a Cast asked for is rounded.

// CHECK-LABEL: func @half_chain
// CHECK: linalg.generic
// CHECK: %[[X:.*]] = arith.extf %{{.*}} fastmath<contract> : f16 to f32
// CHECK: %[[E:.*]] = math.absf %[[X]] : f32
// CHECK-NEXT: %[[S:.*]] = math.sqrt %[[E]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.truncf %[[S]] : f32 to f16
// CHECK-NEXT: %[[B:.*]] = arith.extf %[[C]] : f16 to f32
// CHECK-NEXT: linalg.yield %[[B]]
#id = affine_map<(d0) -> (d0)>
func.func @half_chain(%x: tensor<8xf16>) -> tensor<8xf32> {
  %e0 = tensor.empty() : tensor<8xf16>
  %e1 = tensor.empty() : tensor<8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<8xf16>) outs(%e0 : tensor<8xf16>) {
  ^bb0(%a: f16, %o: f16):
    %w = arith.extf %a fastmath<contract> : f16 to f32
    %b = math.absf %w : f32
    %r = arith.truncf %b fastmath<contract> : f32 to f16
    linalg.yield %r : f16
  } -> tensor<8xf16>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%0 : tensor<8xf16>) outs(%e1 : tensor<8xf32>) {
  ^bb0(%a: f16, %o: f32):
    %w = arith.extf %a fastmath<contract> : f16 to f32
    %b = math.sqrt %w : f32
    linalg.yield %b : f32
  } -> tensor<8xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%1 : tensor<8xf32>) outs(%e0 : tensor<8xf16>) {
  ^bb0(%a: f32, %o: f16):
    %r = arith.truncf %a : f32 to f16
    linalg.yield %r : f16
  } -> tensor<8xf16>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%2 : tensor<8xf16>) outs(%e1 : tensor<8xf32>) {
  ^bb0(%a: f16, %o: f32):
    %w = arith.extf %a : f16 to f32
    linalg.yield %w : f32
  } -> tensor<8xf32>
  return %3 : tensor<8xf32>
}
