// RUN: onnxc-opt %s --test-emit-kernel --canonicalize --cse | FileCheck %s

// Inside, an input vector is loaded once a row of taps: five for three
// pixels' nine products.

// CHECK-LABEL: func.func @depthwise(
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-8: llvm.load {{.*}} -> vector<16xf32>
// CHECK-NOT: llvm.load
// CHECK: scf.yield
func.func @depthwise(%x: memref<1x5x5x16xf32>, %w: memref<3x3x16xf32>, %c: memref<1x3x3x16xf32>) {
  kernel.depthwise_conv ins(%x, %w : memref<1x5x5x16xf32>, memref<3x3x16xf32>) outs(%c : memref<1x3x3x16xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0>, epilogue_maps = []} epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return
}

// CHECK-LABEL: func.func @max_unsigned(
// CHECK: arith.maxui {{.*}} : vector<64xi8>
func.func @max_unsigned(%x: memref<1x4x4x64xi8>, %c: memref<1x2x2x64xi8>) {
  kernel.pool max ins(%x : memref<1x4x4x64xi8>) outs(%c : memref<1x2x2x64xi8>)
      {window = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, is_unsigned}
  return
}

// CHECK-LABEL: func.func @pad(
// CHECK: scf.if
// CHECK: llvm.store %{{.*}} : vector<16xf32>
func.func @pad(%x: memref<?x?x?x16xf32>, %c: memref<?x?x?x16xf32>) {
  kernel.pad ins(%x : memref<?x?x?x16xf32>) outs(%c : memref<?x?x?x16xf32>) {pads = array<i64: 1, 2>}
  return
}
