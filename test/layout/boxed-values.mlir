// RUN: onnxc-opt %s --bufferize-model | FileCheck %s --check-prefix=BUFFERS
// RUN: onnxc-opt %s --bufferize-model --plan-memory | FileCheck %s --check-prefix=ENTRY

// Boxing copies the elements to memory of the run; unboxing shows them.

// BUFFERS-LABEL: func.func @main
// BUFFERS-SAME: %[[S:[^:]*]]: index {onnx.name = "s"}, %[[X:[^:]*]]: memref<?x4xf32>
// BUFFERS: %[[BOX:.*]], %[[ELEMENTS:.*]] = kernel.new_box[%{{.*}}] as 1 : memref<?x4xf32>
// BUFFERS: memref.copy %[[X]], %[[ELEMENTS]]
// BUFFERS: %[[T:.*]] = kernel.make_value "insert"(%[[S]], %[[BOX]], %{{.*}})
// BUFFERS: kernel.unbox %{{.*}}[%{{.*}}] : memref<?x4xf32>

// The sequence is asked for when the workspace is there: a plan has none. Whatever makes a value may fail.

// ENTRY-LABEL: func.func @onnxc_generated_run
// ENTRY: call @onnxc_shell_workspace
// ENTRY: %[[IN:.*]] = call @onnxc_shell_value_input
// ENTRY: llvm.icmp "ne" %[[IN]], %{{.*}} : !llvm.ptr
// ENTRY: cf.cond_br
// ENTRY: call @onnxc_shell_value_tensor
// ENTRY: call @onnxc_shell_value_insert
// ENTRY: call @onnxc_shell_value_at
// ENTRY: call @onnxc_shell_output
// ENTRY: call @onnxc_shell_value_output
func.func @main(%s: index {onnx.name = "s"}, %x: tensor<?x4xf32> {onnx.name = "x"}) -> (tensor<?x4xf32> {onnx.name = "y"}, index {onnx.name = "t"}) {
  %zero = arith.constant 0 : index
  %e = kernel.box %x as 1 : tensor<?x4xf32>
  %t = kernel.make_value "insert"(%s, %e, %zero)
  %a = kernel.read_value "at"(%t, %zero)
  %d = kernel.read_value "dim"(%a, %zero)
  %y = kernel.unbox %a[%d] : tensor<?x4xf32>
  return %y, %t : tensor<?x4xf32>, index
}
