// RUN: onnxc-opt %s --plan-memory --canonicalize --cse --split-input-file --verify-diagnostics | FileCheck %s

// Three buffers of 4096 bytes that are never alive together share one place; a fourth, alive with the first, lies above it.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK-SAME: (%[[FRAME:.*]]: !llvm.ptr) -> i32
// CHECK-DAG: %[[BYTES:.*]] = arith.constant 8192 : i64
// CHECK: call @onnxc_shell_output(%[[FRAME]]
// CHECK: call @onnxc_shell_workspace(%[[FRAME]], %[[BYTES]])
// CHECK: cf.cond_br %{{.*}}, ^[[BODY:.*]], ^[[STOP:.*]]
// CHECK: ^[[BODY]]:
// CHECK-COUNT-4: linalg.reduce
// CHECK: return %{{.*}} : i32
// CHECK: ^[[STOP]]:
// CHECK: call @onnxc_shell_status(%[[FRAME]])
func.func @main(%x: memref<1024x4xf32>) -> memref<1024xf32> {
  %a = memref.alloc() : memref<1024xf32>
  %b = memref.alloc() : memref<1024xf32>
  %c = memref.alloc() : memref<1024xf32>
  %out = memref.alloc() : memref<1024xf32>
  linalg.reduce ins(%x : memref<1024x4xf32>) outs(%a : memref<1024xf32>) dimensions = [1] (%p: f32, %q: f32) {
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  }
  linalg.broadcast ins(%a : memref<1024xf32>) outs(%x : memref<1024x4xf32>) dimensions = [1]
  linalg.reduce ins(%x : memref<1024x4xf32>) outs(%b : memref<1024xf32>) dimensions = [1] (%p: f32, %q: f32) {
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  }
  linalg.reduce ins(%x : memref<1024x4xf32>) outs(%c : memref<1024xf32>) dimensions = [1] (%p: f32, %q: f32) {
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  }
  memref.copy %b, %c : memref<1024xf32> to memref<1024xf32>
  linalg.reduce ins(%x : memref<1024x4xf32>) outs(%out : memref<1024xf32>) dimensions = [1] (%p: f32, %q: f32) {
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  }
  return %out : memref<1024xf32>
}

// -----

// A dead operand is written over: the chain needs the output's memory alone. Equal names are one dim, read once.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK-SAME: (%[[FRAME:.*]]: !llvm.ptr) -> i32
// CHECK-DAG: %[[LEAST:.*]] = arith.constant 64 : i64
// CHECK: %[[N:.*]] = llvm.load %{{.*}} : !llvm.ptr -> i64
// CHECK-NOT: -> i64
// CHECK: call @onnxc_shell_output
// CHECK: call @onnxc_shell_workspace(%[[FRAME]], %[[LEAST]])
// CHECK: linalg.add ins(%{{.*}}, %{{.*}}) outs(%[[OUT:[a-z_0-9]*]] :
// CHECK: linalg.abs ins(%[[OUT]] : memref<?xf32>) outs(%[[OUT]] : memref<?xf32>)
func.func @main(%x: memref<?xf32> {onnx.dims = ["N"]}, %y: memref<?xf32> {onnx.dims = ["N"]}) -> memref<?xf32> {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %a = memref.alloc(%n) : memref<?xf32>
  %b = memref.alloc(%n) : memref<?xf32>
  linalg.add ins(%x, %y : memref<?xf32>, memref<?xf32>) outs(%a : memref<?xf32>)
  linalg.abs ins(%a : memref<?xf32>) outs(%b : memref<?xf32>)
  return %b : memref<?xf32>
}

// -----

// A size that follows from data: allocated when it is known, the run ends where there is no memory.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: call @onnxc_shell_workspace
// CHECK: linalg.fill
// CHECK: memref.load
// CHECK: call @onnxc_shell_output
// CHECK: cf.cond_br
// CHECK: linalg.fill
func.func @main() -> memref<?xi64> {
  %one = arith.constant 1 : i64
  %a = memref.alloc() : memref<i64>
  linalg.fill ins(%one : i64) outs(%a : memref<i64>)
  %v = memref.load %a[] : memref<i64>
  %n = arith.index_cast %v : i64 to index
  %b = memref.alloc(%n) : memref<?xi64>
  linalg.fill ins(%one : i64) outs(%b : memref<?xi64>)
  return %b : memref<?xi64>
}

// -----

// A failed check ends the run with its message; a check of the inputs' dims comes before anything that uses them.
// CHECK: llvm.mlir.global private constant @[[TEXT:.*]]("too many\00")
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: llvm.mlir.addressof @[[TEXT]]
// CHECK: arith.cmpi ult
// CHECK: cf.cond_br
// CHECK: call @onnxc_shell_output
// CHECK-NOT: cf.assert
// CHECK: call @onnxc_shell_fail
func.func @main(%x: memref<?xf32>) -> memref<f32> {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  %ok = arith.cmpi ult, %n, %c3 : index
  cf.assert %ok, "too many"
  %zero = arith.constant 0.0 : f32
  %a = memref.alloc() : memref<f32>
  linalg.fill ins(%zero : f32) outs(%a : memref<f32>)
  return %a : memref<f32>
}

// -----

// In a loop: a buffer of a known size is in the workspace; one whose size follows from data is in a slot, which the
// next iteration uses again, as is what the loop itself keeps in one.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: %[[SLOTS:.*]] = llvm.alloca
// CHECK: llvm.intr.memset
// CHECK: call @onnxc_shell_workspace
// CHECK-NOT: onnxc_shell_allocate
// CHECK: %[[OWN:.*]] = llvm.getelementptr %[[SLOTS]][1]
// CHECK: call @onnxc_shell_reserve(%{{.*}}, %[[OWN]],
// CHECK: cf.cond_br
// CHECK: call @onnxc_shell_reserve(%{{.*}}, %[[SLOTS]],
// CHECK: cf.cond_br
// CHECK: linalg.abs
func.func @main(%x: memref<?xf32>, %t: memref<i64>) -> memref<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t0 = memref.load %t[] : memref<i64>
  %trips = arith.index_cast %t0 : i64 to index
  %y = memref.alloc() : memref<4xf32>
  %slot = kernel.slot
  scf.for %i = %c0 to %trips step %c1 {
    %small = memref.alloc() : memref<4xf32>
    linalg.exp ins(%y : memref<4xf32>) outs(%small : memref<4xf32>)
    linalg.tanh ins(%small : memref<4xf32>) outs(%y : memref<4xf32>)
    %f = memref.load %y[%c0] : memref<4xf32>
    %f64 = arith.fptosi %f : f32 to i64
    %n = arith.index_cast %f64 : i64 to index
    %part = memref.alloc(%n) : memref<?xf32>
    %all = kernel.reserve %slot at %i [%n] : memref<?xf32>
    linalg.exp ins(%all : memref<?xf32>) outs(%part : memref<?xf32>)
    linalg.abs ins(%part : memref<?xf32>) outs(%all : memref<?xf32>)
  }
  return %y : memref<4xf32>
}

// -----

func.func @main() -> memref<4xf32> {
  // expected-error @+1 {{weight has no offset in the weight section}}
  %w = kernel.weight dense<1.0> : tensor<4xf32> -> memref<4xf32>
  return %w : memref<4xf32>
}

// -----

// An output whose dims follow from data is announced though nothing writes it: it has no elements.
// CHECK-LABEL: func.func @onnxc_generated_run
// CHECK: call @onnxc_shell_workspace
// CHECK: memref.load
// CHECK: call @onnxc_shell_output
func.func @main(%x: memref<1xi64>) -> memref<0x?xf32> {
  %zero = arith.constant 0 : index
  %computed = memref.alloc() : memref<1xi64>
  memref.copy %x, %computed : memref<1xi64> to memref<1xi64>
  %element = memref.load %computed[%zero] : memref<1xi64>
  %count = arith.index_cast %element : i64 to index
  %out = memref.alloc(%count) : memref<0x?xf32>
  return %out : memref<0x?xf32>
}
