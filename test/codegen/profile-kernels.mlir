// RUN: onnxc-opt %s --profile-kernels | FileCheck %s

// Each kernel is bracketed, and listed with the nodes that were fused into it. Work and traffic follow from the dims.
// CHECK: module attributes {onnxc.kernels = [
// CHECK-SAME: {kind = "elementwise", nodes = ["scale", "act"], operators = ["Mul", "Exp"], shapes = "f32[?,8], f32[8] -> f32[?,8]"}
// CHECK-SAME: {kind = "copy", nodes = ["out"], operators = ["Concat"], shapes = "f32[4] -> f32[4]"}
// CHECK-SAME: {kind = "matmul", nodes = ["fc", "fc_act"], operators = ["Gemm", "Relu"], shapes = "f32[?,8], f32[8,16] -> f32[?,16]"}
// CHECK-SAME: {kind = "loops", nodes = ["scatter"], operators = ["ScatterND"], shapes = ""}
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: call @onnxc_shell_kernel_begin(%[[FRAME:.*]], %[[FIRST:.*]]) :
// CHECK-NEXT: linalg.generic
// CHECK: call @onnxc_shell_kernel_end(%[[FRAME]], %[[FIRST]], %{{.*}}, %{{.*}}, %{{.*}}) :
// CHECK: call @onnxc_shell_kernel_begin
// CHECK-NEXT: memref.copy
// CHECK-NEXT: call @onnxc_shell_kernel_end
// CHECK: call @onnxc_shell_kernel_begin
// CHECK-NEXT: kernel.matmul
// CHECK: call @onnxc_shell_kernel_end
// CHECK: call @onnxc_shell_kernel_begin
// CHECK-NEXT: scf.for
// CHECK: call @onnxc_shell_kernel_end
#mul = loc(fused<"Mul">["scale"])
#exp = loc(fused<"Exp">["act"])
#concat = loc(fused<"Concat">["out"])
#gemm = loc(fused<"Gemm">["fc"])
#relu = loc(fused<"Relu">["fc_act"])
#scatter = loc(fused<"ScatterND">["scatter"])
func.func @onnxc_generated_run(%frame: !llvm.ptr, %x: memref<?x8xf32>, %s: memref<8xf32>, %y: memref<?x8xf32>,
                               %a: memref<4xf32>, %b: memref<4xf32>, %w: memref<8x16xf32>, %z: memref<?x16xf32>) -> i32 {
  %ok = arith.constant 0 : i32
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x, %s : memref<?x8xf32>, memref<8xf32>) outs(%y : memref<?x8xf32>) {
  ^bb0(%in: f32, %factor: f32, %out: f32):
    %0 = arith.mulf %in, %factor : f32 loc(#mul)
    %1 = math.exp %0 : f32 loc(#exp)
    linalg.yield %1 : f32
  } loc(#exp)
  memref.copy %a, %b : memref<4xf32> to memref<4xf32> loc(#concat)
  kernel.matmul ins(%y, %w : memref<?x8xf32>, memref<8x16xf32>) outs(%z : memref<?x16xf32>) {epilogue_maps = []} epilogue {
  ^bb0(%acc: f32):
    %zero = arith.constant 0.0 : f32
    %0 = arith.maximumf %acc, %zero : f32 loc(#relu)
    kernel.yield %0 : f32
  } loc(#gemm)
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.for %i = %c0 to %c4 step %c1 {
    %v = memref.load %a[%i] : memref<4xf32> loc(#scatter)
    memref.store %v, %b[%i] : memref<4xf32> loc(#scatter)
  } loc(#scatter)
  return %ok : i32
}
