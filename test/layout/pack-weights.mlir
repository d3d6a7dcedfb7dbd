// RUN: onnxc-opt %s --pack-weights --split-input-file | FileCheck %s

// CHECK-LABEL: func @matmul
// CHECK: %[[W:.*]] = kernel.weight dense<5.000000e-01> : tensor<20x40xf32> {panel_axis = 0 : i64, panel_width = 16 : i64} -> tensor<3x20x16xf32>
// CHECK: kernel.matmul ins(%{{.*}}, %[[W]]
// CHECK-SAME: packed
func.func @matmul(%x: tensor<?x20xf32>, %init: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %w = arith.constant dense<0.5> : tensor<20x40xf32>
  %0 = kernel.matmul ins(%x, %w : tensor<?x20xf32>, tensor<20x40xf32>) outs(%init : tensor<?x40xf32>) {epilogue_maps = []} -> tensor<?x40xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<?x40xf32>
}

// -----

// The steps that a weight already has stay in front of the packing.

// CHECK-LABEL: func @conv
// CHECK: %[[W:.*]] = kernel.weight dense<{{.*}}> : tensor<20x3x1x1xf32> {expanded_shape = array<i64: 1, 20, 3, 1, 1>, panel_axis = 1 : i64, panel_width = 16 : i64, permutation = array<i64: 0, 3, 4, 2, 1>} -> tensor<1x2x1x1x3x16xf32>
// CHECK: kernel.conv ins(%{{.*}}, %[[W]]
// CHECK-SAME: packed
func.func @conv(%x: tensor<1x5x7x3xf32>, %init: tensor<1x5x7x20xf32>) -> tensor<1x5x7x20xf32> {
  %w = kernel.weight dense<1.0> : tensor<20x3x1x1xf32> {expanded_shape = array<i64: 1, 20, 3, 1, 1>, permutation = array<i64: 0, 3, 4, 2, 1>} -> tensor<1x1x1x3x20xf32>
  %0 = kernel.conv ins(%x, %w : tensor<1x5x7x3xf32>, tensor<1x1x1x3x20xf32>) outs(%init : tensor<1x5x7x20xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x5x7x20xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<1x5x7x20xf32>
}

// -----

// CHECK-LABEL: func @not_constant
// CHECK-NOT: packed
func.func @not_constant(%x: tensor<?x20xf32>, %w: tensor<20x40xf32>, %init: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %0 = kernel.matmul ins(%x, %w : tensor<?x20xf32>, tensor<20x40xf32>) outs(%init : tensor<?x40xf32>) {epilogue_maps = []} -> tensor<?x40xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<?x40xf32>
}

// -----

// CHECK-LABEL: func @recurrence
// CHECK: %[[W:.*]] = kernel.weight {{.*}} {panel_axis = 2 : i64, panel_width = 16 : i64, permutation = array<i64: 0, 1, 3, 2>} -> tensor<1x1x3x40x16xf32>
// CHECK: kernel.recurrence ins({{.*}}) weights(%[[W]] : tensor<1x1x3x40x16xf32>)
// CHECK-SAME: packed
func.func @recurrence(%x: tensor<?x?x1x1x40xf32>, %y0: tensor<?x1x?x40xf32>, %h0: tensor<1x?x40xf32>, %e: tensor<1x?x1x40xf32>) -> tensor<?x1x?x40xf32> {
  %w = kernel.weight dense<0.5> : tensor<1x1x40x40xf32> {permutation = array<i64: 0, 1, 3, 2>} -> tensor<1x1x40x40xf32>
  %y, %h, %room = kernel.recurrence ins(%x : tensor<?x?x1x1x40xf32>) weights(%w : tensor<1x1x40x40xf32>) outs(%y0, %h0, %e : tensor<?x1x?x40xf32>, tensor<1x?x40xf32>, tensor<1x?x1x40xf32>)
      {has_sequence, reversed = array<i64: 1>} -> tensor<?x1x?x40xf32>, tensor<1x?x40xf32>, tensor<1x?x1x40xf32> stages {
  ^bb0(%sum: f32, %input: f32, %state: f32):
    %0 = arith.addf %sum, %input : f32
    kernel.stage_yield %0 : f32
  }
  return %y : tensor<?x1x?x40xf32>
}

// -----

// An embedding that is also a product's matrix is read from the panels.

// CHECK-LABEL: func @tied
// CHECK-SAME: %[[I:[a-z0-9]*]]: index, %[[K:[a-z0-9]*]]: index
// CHECK-NOT: -> tensor<2048x512xf32>
// CHECK-DAG: %[[PANELS:.*]] = kernel.weight dense<5.000000e-01> : tensor<2048x512xf32> {panel_axis = 0 : i64, panel_width = 16 : i64, permutation = array<i64: 1, 0>} -> tensor<128x512x16xf32>
// CHECK-DAG: %[[PANEL:.*]] = arith.divui %[[I]], %c16
// CHECK-DAG: %[[PLACE:.*]] = arith.remui %[[I]], %c16
// CHECK: tensor.extract %{{.*}}[%[[PANEL]], %[[K]], %[[PLACE]]] : tensor<128x512x16xf32>
func.func @tied(%i: index, %k: index, %x: tensor<?x512xf32>, %init: tensor<?x2048xf32>) -> (f32, tensor<?x2048xf32>) {
  %m = kernel.weight dense<0.5> : tensor<2048x512xf32> -> tensor<2048x512xf32>
  %e = tensor.extract %m[%i, %k] : tensor<2048x512xf32>
  %w = kernel.weight dense<0.5> : tensor<2048x512xf32> {permutation = array<i64: 1, 0>} -> tensor<512x2048xf32>
  %0 = kernel.matmul ins(%x, %w : tensor<?x512xf32>, tensor<512x2048xf32>) outs(%init : tensor<?x2048xf32>) {epilogue_maps = []} -> tensor<?x2048xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %e, %0 : f32, tensor<?x2048xf32>
}

// -----

// Too small to matter.

// CHECK-LABEL: func @small
// CHECK: tensor.extract %{{.*}} : tensor<64x32xf32>
func.func @small(%i: index, %k: index, %x: tensor<?x32xf32>, %init: tensor<?x64xf32>) -> (f32, tensor<?x64xf32>) {
  %m = kernel.weight dense<0.5> : tensor<64x32xf32> -> tensor<64x32xf32>
  %e = tensor.extract %m[%i, %k] : tensor<64x32xf32>
  %w = kernel.weight dense<0.5> : tensor<64x32xf32> {permutation = array<i64: 1, 0>} -> tensor<32x64xf32>
  %0 = kernel.matmul ins(%x, %w : tensor<?x32xf32>, tensor<32x64xf32>) outs(%init : tensor<?x64xf32>) {epilogue_maps = []} -> tensor<?x64xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %e, %0 : f32, tensor<?x64xf32>
}

// -----

// Words, scales and zero points lie in panels alike.

// CHECK-LABEL: func @few_bits
// CHECK: %[[W:.*]] = kernel.weight {{.*}}panel_axis = 0 : i64, panel_width = 16 : i64{{.*}} -> tensor<2x8x16xi32>
// CHECK: %[[S:.*]] = kernel.weight {{.*}} -> tensor<2x2x16xf16>
// CHECK: %[[Z:.*]] = kernel.weight {{.*}} -> tensor<2x1x16xi32>
// CHECK: kernel.quantized_matmul ins(%{{.*}}, %[[W]], %[[S]] : {{.*}}) zero_points(%[[Z]] : tensor<2x1x16xi32>)
// CHECK-SAME: packed
func.func @few_bits(%x: tensor<?x64xf32>, %init: tensor<?x20xf32>) -> tensor<?x20xf32> {
  %w = kernel.weight dense<7> : tensor<20x8xi32> {permutation = array<i64: 1, 0>} -> tensor<8x20xi32>
  %s = kernel.weight dense<1.0> : tensor<20x2xf16> {permutation = array<i64: 1, 0>} -> tensor<2x20xf16>
  %z = kernel.weight dense<3> : tensor<20x1xi32> {permutation = array<i64: 1, 0>} -> tensor<1x20xi32>
  %0 = kernel.quantized_matmul ins(%x, %w, %s : tensor<?x64xf32>, tensor<8x20xi32>, tensor<2x20xf16>) zero_points(%z : tensor<1x20xi32>)
      outs(%init : tensor<?x20xf32>) {bits = 4, block = 32, depth = 64, epilogue_maps = []} -> tensor<?x20xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<?x20xf32>
}

// -----

// Rows of integers of 8 bits alternate where their number is even.

// CHECK-LABEL: func @integers
// CHECK: kernel.weight {{.*}}paired, panel_axis = 0 : i64, panel_width = 16 : i64} -> tensor<2x64x16xi8>
// CHECK: kernel.matmul {{.*}}packed, paired
// CHECK: kernel.weight
// CHECK-NOT: paired
// CHECK: kernel.matmul
// CHECK-NOT: paired
func.func @integers(%x: tensor<?x64xi16>, %y: tensor<?x63xi16>, %init: tensor<?x20xi32>) -> (tensor<?x20xi32>, tensor<?x20xi32>) {
  %w = kernel.weight dense<7> : tensor<64x20xi8> -> tensor<64x20xi8>
  %0 = kernel.matmul ins(%x, %w : tensor<?x64xi16>, tensor<64x20xi8>) outs(%init : tensor<?x20xi32>) {epilogue_maps = []} -> tensor<?x20xi32> epilogue {
  ^bb0(%acc: i32):
    kernel.yield %acc : i32
  }
  %v = kernel.weight dense<7> : tensor<63x20xi8> -> tensor<63x20xi8>
  %1 = kernel.matmul ins(%y, %v : tensor<?x63xi16>, tensor<63x20xi8>) outs(%init : tensor<?x20xi32>) {epilogue_maps = []} -> tensor<?x20xi32> epilogue {
  ^bb0(%acc: i32):
    kernel.yield %acc : i32
  }
  return %0, %1 : tensor<?x20xi32>, tensor<?x20xi32>
}
