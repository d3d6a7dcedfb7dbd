// RUN: onnxc-opt %s --terminate-runs | FileCheck %s

// Before each call of a kernel, in a loop too, the run may end; what the shell does is no kernel.

func.func private @kernel_copy_0(!llvm.ptr)
    attributes {llvm.noinline} {
^bb0(%a: !llvm.ptr):
  return
}
func.func private @onnxc_shell_status(!llvm.ptr) -> i32
func.func private @onnxc_shell_parallel(!llvm.ptr, i64, i64, !llvm.ptr, !llvm.ptr)

// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK-SAME: (%[[FRAME:.*]]: !llvm.ptr)
// CHECK: %[[S:.*]] = call @onnxc_shell_terminated(%[[FRAME]])
// CHECK: %[[OK:.*]] = arith.cmpi eq, %[[S]], %{{.*}} : i32
// CHECK: cf.cond_br %[[OK]], ^[[NEXT:.*]], ^[[END:.*]](%[[S]] : i32)
// CHECK: ^[[NEXT]]:
// CHECK-NEXT: call @kernel_copy_0
// CHECK-NEXT: cf.br ^[[LOOP:.*]]
// CHECK: ^[[LOOP]]:
// CHECK-NEXT: call @onnxc_shell_terminated
// CHECK: call @onnxc_shell_parallel
// CHECK: cf.cond_br %{{.*}}, ^[[LOOP]]
// CHECK-NOT: call @onnxc_shell_terminated
// CHECK: call @onnxc_shell_status
// CHECK: ^[[END]](%[[R:.*]]: i32):
// CHECK-NEXT: return %[[R]]
func.func @onnxc_generated_run(%frame: !llvm.ptr) -> i32 {
  %n = arith.constant 8 : i64
  call @kernel_copy_0(%frame) : (!llvm.ptr) -> ()
  cf.br ^loop
^loop:
  call @onnxc_shell_parallel(%frame, %n, %n, %frame, %frame) : (!llvm.ptr, i64, i64, !llvm.ptr, !llvm.ptr) -> ()
  %again = llvm.load %frame : !llvm.ptr -> i1
  cf.cond_br %again, ^loop, ^end
^end:
  %status = call @onnxc_shell_status(%frame) : (!llvm.ptr) -> i32
  return %status : i32
}
