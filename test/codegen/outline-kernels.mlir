// RUN: onnxc-opt %s --outline-kernels --canonicalize --cse --split-input-file | FileCheck %s

// Two equal ops are one function; its pointers are noalias, its static sizes constants. Little work is called directly.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: call @kernel_add_0
// CHECK: call @kernel_add_0
// CHECK-NOT: linalg
// CHECK: func.func private @kernel_add_0(%{{.*}}: index, %{{.*}}: index,
// CHECK-SAME: !llvm.ptr {llvm.noalias, llvm.readonly}, %{{.*}}: !llvm.ptr {llvm.noalias, llvm.readonly}, %{{.*}}: !llvm.ptr {llvm.noalias})
// CHECK: scf.for
// CHECK: llvm.store
// CHECK-NOT: func.func private @kernel_add_1
func.func @onnxc_generated_run(%frame: !llvm.ptr, %m: memref<?xi8>) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  %a = memref.view %m[%c0][] : memref<?xi8> to memref<2x8xf32>
  %b = memref.view %m[%c64][] : memref<?xi8> to memref<2x8xf32>
  %c = memref.view %m[%c128][] : memref<?xi8> to memref<2x8xf32>
  linalg.add ins(%a, %b : memref<2x8xf32>, memref<2x8xf32>) outs(%c : memref<2x8xf32>)
  linalg.add ins(%c, %b : memref<2x8xf32>, memref<2x8xf32>) outs(%a : memref<2x8xf32>)
  return %ok : i32
}

// -----

// Work of unknown size goes through the shell. In place: one pointer.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: call @onnxc_shell_parallel
// CHECK: func.func private @kernel_exp_0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: !llvm.ptr {llvm.noalias}, %{{.*}}: index)
// CHECK: llvm.func internal @kernel_exp_0_part(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
// CHECK: call @kernel_exp_0
func.func @onnxc_generated_run(%frame: !llvm.ptr, %m: memref<?xi8>, %n: index) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %a = memref.view %m[%c0][%n] : memref<?xi8> to memref<?xf32>
  linalg.exp ins(%a : memref<?xf32>) outs(%a : memref<?xf32>)
  return %ok : i32
}

// -----

// Two views of one buffer may overlap: no noalias where one is written.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: func.func private @kernel_copy_0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: !llvm.ptr {llvm.readonly}, %{{.*}}: !llvm.ptr)
func.func @onnxc_generated_run(%frame: !llvm.ptr, %m: memref<?xi8>) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %a = memref.view %m[%c0][] : memref<?xi8> to memref<100xf32>
  %l = memref.subview %a[0] [50] [1] : memref<100xf32> to memref<50xf32, strided<[1]>>
  %h = memref.subview %a[50] [50] [1] : memref<100xf32> to memref<50xf32, strided<[1], offset: 50>>
  memref.copy %l, %h : memref<50xf32, strided<[1]>> to memref<50xf32, strided<[1], offset: 50>>
  return %ok : i32
}

// -----

// A loop nest that pushes is a function too.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: call @kernel_for_0
// CHECK: func.func private @kernel_for_0(%{{.*}}: !llvm.ptr {llvm.noalias}, %{{.*}}: !llvm.ptr {llvm.noalias})
// CHECK: scf.for
// CHECK: memref.store
func.func @onnxc_generated_run(%frame: !llvm.ptr, %m: memref<?xi8>, %k: memref<?xi8>) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c10 = arith.constant 10 : index
  %a = memref.view %m[%c0][] : memref<?xi8> to memref<10xi64>
  %b = memref.view %k[%c0][] : memref<?xi8> to memref<100xi64>
  scf.for %i = %c0 to %c10 step %c1 {
    %v = memref.load %a[%i] : memref<10xi64>
    %p = arith.index_cast %v : i64 to index
    memref.store %v, %b[%p] : memref<100xi64>
  }
  return %ok : i32
}

// -----

// The loops that all operands walk evenly are one: rows of a picture by channel make two loops of [N*H*W, C].
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: func.func private @kernel_generic_0(
// CHECK: scf.for
// CHECK: scf.for
// CHECK-NOT: scf.for
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#channel = affine_map<(d0, d1, d2, d3) -> (d3)>
func.func @onnxc_generated_run(%frame: !llvm.ptr, %m: memref<?xi8>, %k: memref<?xi8>, %h: index, %w: index) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %a = memref.view %m[%c0][%h, %w] : memref<?xi8> to memref<2x?x?x64xf32>
  %b = memref.view %k[%c0][] : memref<?xi8> to memref<64xf32>
  linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
    ins(%a, %b : memref<2x?x?x64xf32>, memref<64xf32>) outs(%a : memref<2x?x?x64xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  }
  return %ok : i32
}

// -----

// A transpose loads and stores whole vectors.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: func.func private @kernel_transpose_0(
// CHECK: llvm.load %{{.*}} : !llvm.ptr -> vector<16xf32>
// CHECK: vector.shuffle
// CHECK: llvm.store %{{.*}} : vector<16xf32>, !llvm.ptr
func.func @onnxc_generated_run(%frame: !llvm.ptr, %m: memref<?xi8>, %k: memref<?xi8>, %h: index, %w: index) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %a = memref.view %m[%c0][%h, %w] : memref<?xi8> to memref<?x?xf32>
  %b = memref.view %k[%c0][%w, %h] : memref<?xi8> to memref<?x?xf32>
  linalg.transpose ins(%a : memref<?x?xf32>) outs(%b : memref<?x?xf32>) permutation = [1, 0]
  return %ok : i32
}

// -----

// What only writes a border is a kernel as well.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK-NOT: kernel.pad_border
// CHECK: func.func private @kernel_pad_border_0(
func.func @onnxc_generated_run(%frame: !llvm.ptr, %m: memref<?xi8>, %w: index, %wp: index) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %h = arith.constant 12 : index
  %a = memref.view %m[%c0][%wp] : memref<?xi8> to memref<1x14x?x64xf32>
  kernel.pad_border around(%h, %w) outs(%a : memref<1x14x?x64xf32>) {pads = array<i64: 1, 1>}
  return %ok : i32
}

// -----

// A reduction along rows that asks where it is works on vectors, too: the first
// lane's position plus the lane's number.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: func.func private @kernel_generic_0(
// CHECK: arith.constant dense<[0, 1, 2, {{.*}}15]> : vector<16xindex>
// CHECK: scf.for {{.*}} -> (vector<16xi32>)
// CHECK: arith.minsi {{.*}} : vector<16xi32>
// CHECK: vector.reduction <minsi>
func.func @onnxc_generated_run(%frame: !llvm.ptr, %m: memref<?xi8>, %k: memref<?xi8>) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %none = arith.constant 2147483647 : i32
  %zero = arith.constant 0.0 : f32
  %a = memref.view %m[%c0][] : memref<?xi8> to memref<8x100xf32>
  %b = memref.view %k[%c0][] : memref<?xi8> to memref<8xi32>
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
    ins(%a : memref<8x100xf32>) outs(%b : memref<8xi32>) {
  ^bb0(%x: f32, %least: i32):
    %j = linalg.index 1 : index
    %at = arith.index_cast %j : index to i32
    %found = arith.cmpf oeq, %x, %zero : f32
    %here = arith.select %found, %at, %none : i32
    %0 = arith.minsi %least, %here : i32
    linalg.yield %0 : i32
  }
  return %ok : i32
}

// -----

// Rows of a product read the same vectors: four are accumulated together, each
// vector loaded once for all.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: func.func private @kernel_generic_0(
// CHECK: scf.for {{.*}} -> (vector<8xf64>, vector<8xf64>, vector<8xf64>, vector<8xf64>)
// CHECK: llvm.load {{.*}} -> vector<8xf64>
// CHECK-NOT: llvm.load {{.*}} -> vector<8xf64>
// CHECK: scf.yield
func.func @onnxc_generated_run(%frame: !llvm.ptr, %m: memref<?xi8>, %k: memref<?xi8>, %o: memref<?xi8>) -> i32 {
  %ok = arith.constant 0 : i32
  %c0 = arith.constant 0 : index
  %a = memref.view %m[%c0][] : memref<?xi8> to memref<8x100xf64>
  %b = memref.view %k[%c0][] : memref<?xi8> to memref<100x16xf64>
  %c = memref.view %o[%c0][] : memref<?xi8> to memref<8x16xf64>
  linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>],
                  iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%a, %b : memref<8x100xf64>, memref<100x16xf64>) outs(%c : memref<8x16xf64>) {
  ^bb0(%x: f64, %y: f64, %sum: f64):
    %0 = arith.mulf %x, %y : f64
    %1 = arith.addf %sum, %0 : f64
    linalg.yield %1 : f64
  }
  return %ok : i32
}
