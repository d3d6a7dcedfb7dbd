// RUN: onnxc-opt %s | onnxc-opt | FileCheck %s

// CHECK-LABEL: func @matmul
// CHECK: kernel.matmul ins(%{{.*}}, %{{.*}} : tensor<?x768xf32>, tensor<48x768x16xf32>) with(%{{.*}} : tensor<768xf32>) outs(%{{.*}} : tensor<?x768xf32>)
// CHECK-SAME: packed, tile = #kernel.tile<rows = 14, vectors = 2>
// CHECK: kernel.yield
func.func @matmul(%a: tensor<?x768xf32>, %b: tensor<48x768x16xf32>, %bias: tensor<768xf32>, %init: tensor<?x768xf32>) -> tensor<?x768xf32> {
  %c = kernel.matmul ins(%a, %b : tensor<?x768xf32>, tensor<48x768x16xf32>) with(%bias : tensor<768xf32>) outs(%init : tensor<?x768xf32>)
      {packed, epilogue_maps = [affine_map<(m, n) -> (n)>], tile = #kernel.tile<rows = 14, vectors = 2>} -> tensor<?x768xf32> epilogue {
  ^bb0(%acc: f32, %b0: f32):
    %0 = arith.addf %acc, %b0 : f32
    kernel.yield %0 : f32
  }
  return %c : tensor<?x768xf32>
}

// CHECK-LABEL: func @on_buffers
// CHECK: kernel.conv ins
// CHECK: kernel.depthwise_conv ins
// CHECK: kernel.pool max ins
// CHECK: kernel.pad ins
func.func @on_buffers(%x: memref<1x9x9x16xf32>, %f: memref<1x3x3x16x8xf32>, %y: memref<1x7x7x8xf32>,
                      %g: memref<3x3x16xf32>, %z: memref<1x9x9x16xf32>, %p: memref<1x11x11x16xf32>) {
  kernel.conv ins(%x, %f : memref<1x9x9x16xf32>, memref<1x3x3x16x8xf32>) outs(%y : memref<1x7x7x8xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  kernel.depthwise_conv ins(%x, %g : memref<1x9x9x16xf32>, memref<3x3x16xf32>) outs(%z : memref<1x9x9x16xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1>, epilogue_maps = []} epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  kernel.pool max ins(%x : memref<1x9x9x16xf32>) outs(%z : memref<1x9x9x16xf32>)
      {window = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>}
  kernel.pad ins(%x : memref<1x9x9x16xf32>) outs(%p : memref<1x11x11x16xf32>) {pads = array<i64: 1, 1>}
  return
}

// CHECK-LABEL: func @recurrence
// CHECK: kernel.recurrence ins(%{{.*}} : tensor<?x?x2x3x40xf32>) weights(%{{.*}}, %{{.*}} : tensor<2x2x40x40xf32>, tensor<2x1x40x40xf32>) coefficients(%{{.*}} : tensor<2x1x40xf32>) lengths(%{{.*}} : tensor<?xi32>)
// CHECK: kernel.stage_yield %{{.*}}, %{{.*}} : f32, f32
// CHECK: }, {
// CHECK: kernel.stage_yield %{{.*}} : f32
func.func @recurrence(%x: tensor<?x?x2x3x40xf32>, %w0: tensor<2x2x40x40xf32>, %w1: tensor<2x1x40x40xf32>, %c: tensor<2x1x40xf32>,
                      %l: tensor<?xi32>, %h0: tensor<2x?x40xf32>, %e: tensor<2x?x3x40xf32>) -> tensor<2x?x40xf32> {
  %h, %room = kernel.recurrence ins(%x : tensor<?x?x2x3x40xf32>) weights(%w0, %w1 : tensor<2x2x40x40xf32>, tensor<2x1x40x40xf32>)
      coefficients(%c : tensor<2x1x40xf32>) lengths(%l : tensor<?xi32>) outs(%h0, %e : tensor<2x?x40xf32>, tensor<2x?x3x40xf32>)
      {reversed = array<i64: 0, 1>} -> tensor<2x?x40xf32>, tensor<2x?x3x40xf32> stages {
  ^bb0(%s0: f32, %s1: f32, %x0: f32, %x1: f32, %x2: f32, %state: f32, %coefficient: f32):
    %0 = arith.mulf %s1, %state : f32
    kernel.stage_yield %0, %s0 : f32, f32
  }, {
  ^bb0(%s0: f32, %x0: f32, %x1: f32, %x2: f32, %state: f32, %first: f32, %second: f32, %coefficient: f32):
    %0 = arith.addf %s0, %second : f32
    kernel.stage_yield %0 : f32
  }
  return %h : tensor<2x?x40xf32>
}

// CHECK-LABEL: func @trees
// CHECK: kernel.tree_walk sum ins(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x5xf32>, tensor<4x3xi32>, tensor<99x2xi32>, tensor<16x3xi32>) weights(%{{.*}} : tensor<60xf32>) members(%{{.*}} : tensor<3xf32>) outs(%{{.*}} : tensor<?x2xf32>) {width = 2 : i64} -> tensor<?x2xf32>
// CHECK: kernel.tree_scan least ins(%{{.*}}) weights(%{{.*}} : tensor<60xf32>) below(%{{.*}}, %{{.*}} : tensor<64xi32>, tensor<70x4xi16>) outs(%{{.*}} : tensor<?x2xf32>) {width = 1 : i64} -> tensor<?x2xf32>
func.func @trees(%x: tensor<?x5xf32>, %columns: tensor<4x3xi32>, %nodes: tensor<99x2xi32>, %roots: tensor<16x3xi32>,
                 %weights: tensor<60xf32>, %members: tensor<3xf32>, %cuts: tensor<32xf32>, %begins: tensor<5xi32>,
                 %updates: tensor<50x4xi16>, %groups: tensor<9xi32>, %list: tensor<5x4xi32>, %ends: tensor<64xi32>, %below: tensor<70x4xi16>, %init: tensor<?x2xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %0 = kernel.tree_walk sum ins(%x, %columns, %nodes, %roots : tensor<?x5xf32>, tensor<4x3xi32>, tensor<99x2xi32>, tensor<16x3xi32>)
      weights(%weights : tensor<60xf32>) members(%members : tensor<3xf32>) outs(%init : tensor<?x2xf32>) {width = 2} -> tensor<?x2xf32>
  %1 = kernel.tree_scan least ins(%x, %columns, %cuts, %begins, %updates, %groups, %list :
      tensor<?x5xf32>, tensor<4x3xi32>, tensor<32xf32>, tensor<5xi32>, tensor<50x4xi16>, tensor<9xi32>, tensor<5x4xi32>)
      weights(%weights : tensor<60xf32>) below(%ends, %below : tensor<64xi32>, tensor<70x4xi16>) outs(%init : tensor<?x2xf32>) {width = 1} -> tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}

// CHECK-LABEL: func.func @cache_append
// CHECK: kernel.cache_append past(%{{.*}} : tensor<2x4x?x16xf32>) ins(%{{.*}}, %{{.*}} : tensor<2x1x4x16xf32>, tensor<2xi64>) outs(%{{.*}} : tensor<2x4x?x16xf32>) -> tensor<2x4x?x16xf32>
// CHECK: kernel.cache_append ins(%{{.*}}, %{{.*}} : tensor<2x1x4x16xf32>, tensor<2xi64>)
func.func @cache_append(%past: tensor<2x4x?x16xf32>, %fresh: tensor<2x1x4x16xf32>, %starts: tensor<2xi64>, %init: tensor<2x4x?x16xf32>) -> tensor<2x4x?x16xf32> {
  %0 = kernel.cache_append past(%past : tensor<2x4x?x16xf32>) ins(%fresh, %starts : tensor<2x1x4x16xf32>, tensor<2xi64>) outs(%init : tensor<2x4x?x16xf32>) -> tensor<2x4x?x16xf32>
  %1 = kernel.cache_append ins(%fresh, %starts : tensor<2x1x4x16xf32>, tensor<2xi64>) outs(%0 : tensor<2x4x?x16xf32>) -> tensor<2x4x?x16xf32>
  return %1 : tensor<2x4x?x16xf32>
}
