// RUN: onnxc-opt %s --test-emit-kernel --canonicalize --cse | FileCheck %s

// Eight rows pass the first three levels as a vector: seven comparisons with
// keys of neighbouring rows, and the two below each of three nodes to choose
// from. From there each walks on by itself.

// CHECK-LABEL: func.func @walk(
// CHECK: llvm.intr.prefetch
// CHECK-COUNT-7: arith.cmpi ult, {{.*}} : vector<8xi32>
// CHECK-COUNT-3: arith.select {{.*}} : vector<8xi1>, vector<8xi32>
// CHECK: scf.for {{.*}} -> (i64, i64, i64, i64, i64, i64, i64, i64)
// CHECK-COUNT-8: arith.cmpi ult, {{.*}} : i32
func.func @walk(%x: memref<?x5xf32>, %columns: memref<4x3xi32>, %nodes: memref<99x2xi32>, %trees: memref<16x3xi32>, %sums: memref<?x1xf32>) {
  kernel.tree_walk sum ins(%x, %columns, %nodes, %trees : memref<?x5xf32>, memref<4x3xi32>, memref<99x2xi32>, memref<16x3xi32>)
      outs(%sums : memref<?x1xf32>) {width = 1}
  return
}
