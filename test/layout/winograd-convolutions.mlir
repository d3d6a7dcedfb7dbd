// RUN: onnxc-opt %s --winograd-convolutions="vector-bits=256 cache-bytes=2097152" --split-input-file | FileCheck %s

// A padded 3x3 convolution: the padding goes into the transform, the epilogue and its operands move over.

// CHECK-LABEL: func @padded
// CHECK-SAME: %[[X:.*]]: tensor<1x56x56x64xf32>
// CHECK-NOT: kernel.pad ins
// CHECK: %[[U:.*]] = kernel.weight {{.*}} {panel_axis = 0 : i64, panel_width = 16 : i64, permutation = {{.*}}, point_transform = array<f64: {{.*}}>} -> tensor<4x16x64x16xf32>
// CHECK: %[[V:.*]] = kernel.winograd_input from(%{{.*}}) ins(%[[X]] : tensor<1x56x56x64xf32>) outs(%{{.*}} : tensor<1x28x28x1040xf32>) {pads = array<i64: 1, 1>}
// CHECK: kernel.winograd_conv ins(%[[V]], %[[U]] : {{.*}}) with(%{{.*}} : tensor<64xf32>)
// CHECK: ^bb0(%[[ACC:.*]]: f32, %[[BIAS:.*]]: f32):
// CHECK: arith.addf %[[ACC]], %[[BIAS]]
// CHECK-NOT: kernel.conv
func.func @padded(%x: tensor<1x56x56x64xf32>, %bias: tensor<64xf32>) -> tensor<1x56x56x64xf32> {
  %f = kernel.weight dense<1.0> : tensor<1x64x64x3x3xf32> {permutation = array<i64: 0, 3, 4, 2, 1>} -> tensor<1x3x3x64x64xf32>
  %p = tensor.empty() : tensor<1x58x58x64xf32>
  %0 = kernel.pad ins(%x : tensor<1x56x56x64xf32>) outs(%p : tensor<1x58x58x64xf32>) {pads = array<i64: 1, 1>} -> tensor<1x58x58x64xf32>
  %e = tensor.empty() : tensor<1x56x56x64xf32>
  %1 = kernel.conv ins(%0, %f : tensor<1x58x58x64xf32>, tensor<1x3x3x64x64xf32>) with(%bias : tensor<64xf32>)
      outs(%e : tensor<1x56x56x64xf32>) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>,
      epilogue_maps = [affine_map<(n, h, w, c) -> (c)>]} -> tensor<1x56x56x64xf32> epilogue {
  ^bb0(%acc: f32, %b: f32):
    %s = arith.addf %acc, %b : f32
    kernel.yield %s : f32
  }
  return %1 : tensor<1x56x56x64xf32>
}

// -----

// Patches that would not stay in the second cache: a loop over bands of 8 rows, which divide all 112. The residual is
// sliced as the output is.

// CHECK-LABEL: func @bands
// CHECK: scf.for %[[FIRST:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[OUT:.*]] = %{{.*}}) -> (tensor<1x224x224x64xf32>)
// CHECK: %[[V:.*]] = kernel.winograd_input from(%[[FIRST]]) {{.*}} -> tensor<1x8x112x1040xf32>
// CHECK: %[[ROW:.*]] = arith.addi %[[FIRST]], %[[FIRST]]
// CHECK: %[[RESIDUAL:.*]] = tensor.extract_slice %{{.*}}[0, %[[ROW]], 0, 0] [1, 16, 224, 64]
// CHECK: %[[PART:.*]] = tensor.extract_slice %[[OUT]][0, %[[ROW]], 0, 0] [1, 16, 224, 64]
// CHECK: %[[Y:.*]] = kernel.winograd_conv ins(%[[V]], {{.*}}) with(%[[RESIDUAL]] : {{.*}}) outs(%[[PART]]
// CHECK: %[[NEXT:.*]] = tensor.insert_slice %[[Y]] into %[[OUT]][0, %[[ROW]], 0, 0]
// CHECK: scf.yield %[[NEXT]]
func.func @bands(%x: tensor<1x226x226x64xf32>, %r: tensor<1x224x224x64xf32>) -> tensor<1x224x224x64xf32> {
  %f = kernel.weight dense<1.0> : tensor<1x3x3x64x64xf32> -> tensor<1x3x3x64x64xf32>
  %e = tensor.empty() : tensor<1x224x224x64xf32>
  %1 = kernel.conv ins(%x, %f : tensor<1x226x226x64xf32>, tensor<1x3x3x64x64xf32>) with(%r : tensor<1x224x224x64xf32>)
      outs(%e : tensor<1x224x224x64xf32>) {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>,
      epilogue_maps = [affine_map<(n, h, w, c) -> (n, h, w, c)>]} -> tensor<1x224x224x64xf32> epilogue {
  ^bb0(%acc: f32, %residual: f32):
    %s = arith.addf %acc, %residual : f32
    kernel.yield %s : f32
  }
  return %1 : tensor<1x224x224x64xf32>
}

// -----

// Unknown sizes: patches are counted from the output's rows and columns, a band's rows when it runs.

// CHECK-LABEL: func @dynamic
// CHECK: arith.shrui
// CHECK: %[[EACH:.*]] = arith.divsi %{{.*}}, %{{.*}} : index
// CHECK: scf.for
// CHECK: tensor.empty(%{{.*}}, %{{.*}}, %{{.*}}) : tensor<?x?x?x1040xf32>
// CHECK: kernel.winograd_input {{.*}} {pads = array<i64: 0, 0>}
// CHECK: kernel.winograd_conv
func.func @dynamic(%x: tensor<?x?x?x64xf32>, %n: index, %h: index, %w: index) -> tensor<?x?x?x64xf32> {
  %f = kernel.weight dense<1.0> : tensor<1x3x3x64x64xf32> -> tensor<1x3x3x64x64xf32>
  %e = tensor.empty(%n, %h, %w) : tensor<?x?x?x64xf32>
  %1 = kernel.conv ins(%x, %f : tensor<?x?x?x64xf32>, tensor<1x3x3x64x64xf32>) outs(%e : tensor<?x?x?x64xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<?x?x?x64xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %1 : tensor<?x?x?x64xf32>
}

// -----

// Strided; few input channels, so that the transforms outweigh the products: both stay direct.

// CHECK-LABEL: func @direct
// CHECK-COUNT-2: kernel.conv
// CHECK-NOT: kernel.winograd
func.func @direct(%x: tensor<1x57x57x64xf32>, %y: tensor<1x58x58x3xf32>) -> (tensor<1x28x28x64xf32>, tensor<1x56x56x64xf32>) {
  %f = kernel.weight dense<1.0> : tensor<1x3x3x64x64xf32> -> tensor<1x3x3x64x64xf32>
  %g = kernel.weight dense<1.0> : tensor<1x3x3x3x64xf32> -> tensor<1x3x3x3x64xf32>
  %e = tensor.empty() : tensor<1x28x28x64xf32>
  %1 = kernel.conv ins(%x, %f : tensor<1x57x57x64xf32>, tensor<1x3x3x64x64xf32>) outs(%e : tensor<1x28x28x64xf32>)
      {strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x28x28x64xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  %i = tensor.empty() : tensor<1x56x56x64xf32>
  %2 = kernel.conv ins(%y, %g : tensor<1x58x58x3xf32>, tensor<1x3x3x3x64xf32>) outs(%i : tensor<1x56x56x64xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x56x56x64xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %1, %2 : tensor<1x28x28x64xf32>, tensor<1x56x56x64xf32>
}
