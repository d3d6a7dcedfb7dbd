// RUN: onnxc-opt %s --test-emit-kernel | FileCheck %s
// RUN: onnxc-opt %s --test-emit-kernel="vector-bits=256 vector-registers=16" | FileCheck %s --check-prefix=V3

// The C tile is carried in registers, weights are read from panels, rows in
// place; the epilogue works on the accumulators, its bias read once a tile.

// CHECK-LABEL: func.func @matmul_units(%{{.*}}: index) -> index
// CHECK-LABEL: func.func @matmul(
// CHECK-SAME: %{{.*}}: index, %{{.*}}: index, %{{.*}}: !llvm.ptr {llvm.noalias}
// CHECK: scf.for
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK: llvm.load {{.*}} -> vector<16xf32>
// CHECK: llvm.load {{.*}} -> vector<16xf32>
// CHECK: llvm.intr.prefetch
// CHECK: llvm.load {{.*}} -> f32
// CHECK: vector.broadcast
// CHECK: vector.fma
// CHECK: vector.fma
// CHECK: scf.yield
// CHECK: %[[BIAS:.*]] = llvm.load {{.*}} -> vector<16xf32>
// CHECK: arith.addf %{{.*}}, %[[BIAS]] : vector<16xf32>
// CHECK-NEXT: arith.maximumf
// CHECK-NEXT: llvm.store
// CHECK: arith.addf %{{.*}}, %[[BIAS]] : vector<16xf32>
// V3-LABEL: func.func @matmul(
// V3: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
func.func @matmul(%a: memref<?x64xf32>, %b: memref<2x64x16xf32>, %bias: memref<32xf32>, %c: memref<?x32xf32>) {
  kernel.matmul ins(%a, %b : memref<?x64xf32>, memref<2x64x16xf32>) with(%bias : memref<32xf32>) outs(%c : memref<?x32xf32>)
      {packed, epilogue_maps = [affine_map<(m, n) -> (n)>], tile = #kernel.tile<rows = 2, vectors = 2>} epilogue {
  ^bb0(%acc: f32, %x: f32):
    %zero = arith.constant 0.0 : f32
    %0 = arith.addf %acc, %x : f32
    %1 = arith.maximumf %0, %zero : f32
    kernel.yield %1 : f32
  }
  return
}

// A partial last panel is stored under a mask; packed weights need none.

// CHECK-LABEL: func.func @partial(
// CHECK-NOT: masked.load
// CHECK: llvm.intr.masked.store
func.func @partial(%a: memref<4x8xf32>, %b: memref<1x8x16xf32>, %c: memref<4x10xf32>) {
  kernel.matmul ins(%a, %b : memref<4x8xf32>, memref<1x8x16xf32>) outs(%c : memref<4x10xf32>)
      {packed, epilogue_maps = []} epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return
}

// The taps of a row and their channels adjoin: one loop of 3 * 8 steps inside
// the loop over the rows of taps.

// CHECK-LABEL: func.func @conv(
// CHECK: scf.for {{.*}} to %c3{{.*}} iter_args
// CHECK: scf.for {{.*}} to %c24{{.*}} iter_args
// CHECK: vector.fma
func.func @conv(%x: memref<1x?x?x8xf32>, %w: memref<1x1x3x3x8x16xf32>, %c: memref<1x?x?x16xf32>) {
  kernel.conv ins(%x, %w : memref<1x?x?x8xf32>, memref<1x1x3x3x8x16xf32>) outs(%c : memref<1x?x?x16xf32>)
      {packed, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = [],
       tile = #kernel.tile<rows = 2, vectors = 1>} epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return
}

// Weights in rows are copied to the stack, one block of columns for all row
// tiles: the tile reads what is side by side, and no mask.

// CHECK-LABEL: func.func @weights_in_rows(
// CHECK: %[[PANEL:.*]] = llvm.alloca
// CHECK: scf.for {{.*}} {
// CHECK: %[[WEIGHTS:.*]] = llvm.intr.masked.load
// CHECK: llvm.store %[[WEIGHTS]]
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>
// CHECK-NOT: masked.load
// CHECK: vector.fma
// CHECK: llvm.intr.masked.store
func.func @weights_in_rows(%a: memref<40x768xf32>, %b: memref<768x10xf32>, %c: memref<40x10xf32>) {
  kernel.matmul ins(%a, %b : memref<40x768xf32>, memref<768x10xf32>) outs(%c : memref<40x10xf32>)
      {epilogue_maps = []} epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return
}

// A single row takes six rows of weights at a time, and its sums wait.

// CHECK-LABEL: func.func @one_row(
// CHECK: scf.for {{.*}} step %c6
// CHECK: scf.for
// CHECK: llvm.load {{.*}} -> vector<16xf32>
// CHECK: vector.fma
// CHECK: llvm.store {{.*}} : vector<16xf32>
func.func @one_row(%a: memref<1x768xf32>, %b: memref<768x512xf32>, %c: memref<1x512xf32>) {
  kernel.matmul ins(%a, %b : memref<1x768xf32>, memref<768x512xf32>) outs(%c : memref<1x512xf32>)
      {epilogue_maps = []} epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return
}
