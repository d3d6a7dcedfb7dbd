// RUN: onnxc-opt %s --winograd-along-axis="vector-bits=256" --split-input-file | FileCheck %s

// Five taps: four outputs of eight samples by eleven products, the last three points with filters that are sums (the fourth
// of them is the first column's). The epilogue is applied to each output.

// CHECK-LABEL: func @signal
// CHECK-SAME: %[[X:.*]]: tensor<1x512x1x256xf32>, %[[BIAS:.*]]: tensor<512xf32>
// CHECK: %[[TILES:.*]] = tensor.expand_shape %[[X]] {{\[\[}}0], [1, 2], [3], [4]] {{.*}} into tensor<1x128x4x1x256xf32>
// CHECK: tensor.extract_slice %[[TILES]][0, 0, 0, 0, 0] [1, 127, 1, 1, 256]
// CHECK: tensor.extract_slice %[[TILES]][0, 1, 3, 0, 0] [1, 127, 1, 1, 256]
// CHECK: %[[V:.*]]:11 = linalg.generic
// CHECK: %[[FIRST:.*]] = kernel.weight {{.*}}point_transform = array<f64: 1.000000e+00, 0.000000e+00, 0.000000e+00, 0.000000e+00, 0.000000e+00>} -> tensor<32x256x16xf32>
// CHECK: kernel.matmul ins(%[[V]]#0, %[[FIRST]] : tensor<1x127x1x256xf32>, tensor<32x256x16xf32>)
// CHECK: kernel.weight {{.*}}point_transform = array<f64: 5.000000e-01, 0.000000e+00, 5.000000e-01, 0.000000e+00, 5.000000e-01>
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins({{.*}} : tensor<32x256x16xf32>, tensor<32x256x16xf32>)
// CHECK: kernel.matmul ins(%{{.*}}, %[[SUM]]
// CHECK: linalg.generic {{.*}} ins({{.*}}, %[[BIAS]] : {{.*}}) outs
// CHECK-COUNT-4: arith.maximumf
// CHECK: linalg.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : f32, f32, f32, f32
// CHECK: tensor.collapse_shape {{.*}} : tensor<1x127x4x1x512xf32> into tensor<1x508x1x512xf32>
// CHECK-NOT: kernel.conv
func.func @signal(%x: tensor<1x512x1x256xf32>, %bias: tensor<512xf32>) -> tensor<1x508x1x512xf32> {
  %zero = arith.constant 0.0 : f32
  %f = kernel.weight dense<1.0> : tensor<1x5x1x256x512xf32> -> tensor<1x5x1x256x512xf32>
  %e = tensor.empty() : tensor<1x508x1x512xf32>
  %0 = kernel.conv ins(%x, %f : tensor<1x512x1x256xf32>, tensor<1x5x1x256x512xf32>) with(%bias : tensor<512xf32>)
      outs(%e : tensor<1x508x1x512xf32>) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>,
      epilogue_maps = [affine_map<(n, h, w, c) -> (c)>]} -> tensor<1x508x1x512xf32> epilogue {
  ^bb0(%acc: f32, %b: f32):
    %s = arith.addf %acc, %b : f32
    %r = arith.maximumf %s, %zero : f32
    kernel.yield %r : f32
  }
  return %0 : tensor<1x508x1x512xf32>
}

// -----

// Three taps along the width of a padded picture: pairs of outputs. The padding grows to whole tiles, and what they give
// beyond the end is cut off.

// CHECK-LABEL: func @picture
// CHECK-SAME: %[[X:.*]]: tensor<1x33x33x256xf32>
// CHECK: kernel.pad ins(%[[X]] : tensor<1x33x33x256xf32>) outs(%{{.*}} : tensor<1x33x36x256xf32>) {pads = array<i64: 0, 1>}
// CHECK: tensor.expand_shape {{.*}} into tensor<1x33x18x2x256xf32>
// CHECK: -> (tensor<1x33x17x256xf32>, tensor<1x33x17x256xf32>, tensor<1x33x17x256xf32>, tensor<1x33x17x256xf32>)
// CHECK-COUNT-4: kernel.matmul
// CHECK: tensor.extract_slice {{.*}} : tensor<1x33x34x256xf32> to tensor<1x33x33x256xf32>
func.func @picture(%x: tensor<1x33x33x256xf32>) -> tensor<1x33x33x256xf32> {
  %f = kernel.weight dense<1.0> : tensor<1x1x3x256x256xf32> -> tensor<1x1x3x256x256xf32>
  %i = tensor.empty() : tensor<1x33x35x256xf32>
  %p = kernel.pad ins(%x : tensor<1x33x33x256xf32>) outs(%i : tensor<1x33x35x256xf32>) {pads = array<i64: 0, 1>} -> tensor<1x33x35x256xf32>
  %e = tensor.empty() : tensor<1x33x33x256xf32>
  %0 = kernel.conv ins(%p, %f : tensor<1x33x35x256xf32>, tensor<1x1x3x256x256xf32>) outs(%e : tensor<1x33x33x256xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x33x33x256xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<1x33x33x256xf32>
}

// -----

// An operand of the epilogue that lies along the axis, seven taps, few outputs for so large a filter: all stay direct.

// CHECK-LABEL: func @direct
// CHECK-COUNT-3: kernel.conv
// CHECK-NOT: point_transform
func.func @direct(%x: tensor<1x512x1x256xf32>, %r: tensor<1x508x1x256xf32>, %y: tensor<1x8x1x256xf32>)
    -> (tensor<1x508x1x256xf32>, tensor<1x506x1x256xf32>, tensor<1x4x1x256xf32>) {
  %f = kernel.weight dense<1.0> : tensor<1x5x1x256x256xf32> -> tensor<1x5x1x256x256xf32>
  %g = kernel.weight dense<1.0> : tensor<1x7x1x256x256xf32> -> tensor<1x7x1x256x256xf32>
  %e = tensor.empty() : tensor<1x508x1x256xf32>
  %0 = kernel.conv ins(%x, %f : tensor<1x512x1x256xf32>, tensor<1x5x1x256x256xf32>) with(%r : tensor<1x508x1x256xf32>)
      outs(%e : tensor<1x508x1x256xf32>) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>,
      epilogue_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>]} -> tensor<1x508x1x256xf32> epilogue {
  ^bb0(%acc: f32, %residual: f32):
    %s = arith.addf %acc, %residual : f32
    kernel.yield %s : f32
  }
  %e1 = tensor.empty() : tensor<1x506x1x256xf32>
  %1 = kernel.conv ins(%x, %g : tensor<1x512x1x256xf32>, tensor<1x7x1x256x256xf32>) outs(%e1 : tensor<1x506x1x256xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x506x1x256xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  %e2 = tensor.empty() : tensor<1x4x1x256xf32>
  %2 = kernel.conv ins(%y, %f : tensor<1x8x1x256xf32>, tensor<1x5x1x256x256xf32>) outs(%e2 : tensor<1x4x1x256xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x4x1x256xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0, %1, %2 : tensor<1x508x1x256xf32>, tensor<1x506x1x256xf32>, tensor<1x4x1x256xf32>
}
