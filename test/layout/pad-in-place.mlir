// RUN: onnxc-opt %s --pad-in-place --split-input-file | FileCheck %s

// The first convolution writes inside the padded input of the second.

// CHECK-LABEL: func @conv
// CHECK: %[[BORDER:.*]] = kernel.pad_border around(%{{.*}}, %{{.*}}) outs(%{{.*}} : tensor<1x58x?x16xf32>) {pads = array<i64: 1, 1>}
// CHECK: %[[INSIDE:.*]] = tensor.extract_slice %[[BORDER]][0, 1, 1, 0] [1, 56, %{{.*}}, 16]
// CHECK: %[[CONV:.*]] = kernel.conv {{.*}}outs(%[[INSIDE]]
// CHECK: %[[PADDED:.*]] = tensor.insert_slice %[[CONV]] into %[[BORDER]][0, 1, 1, 0]
// CHECK-NOT: kernel.pad ins
// CHECK: return %[[PADDED]]
func.func @conv(%x: tensor<1x56x?x8xf32>, %f: tensor<1x1x1x8x16xf32>, %w: index, %wp: index) -> tensor<1x58x?x16xf32> {
  %e = tensor.empty(%w) : tensor<1x56x?x16xf32>
  %0 = kernel.conv ins(%x, %f : tensor<1x56x?x8xf32>, tensor<1x1x1x8x16xf32>) outs(%e : tensor<1x56x?x16xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x56x?x16xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  %p = tensor.empty(%wp) : tensor<1x58x?x16xf32>
  %1 = kernel.pad ins(%0 : tensor<1x56x?x16xf32>) outs(%p : tensor<1x58x?x16xf32>) {pads = array<i64: 1, 1>} -> tensor<1x58x?x16xf32>
  return %1 : tensor<1x58x?x16xf32>
}

// -----

// A model input is not written by anyone here.

// CHECK-LABEL: func @input
// CHECK: kernel.pad ins
func.func @input(%x: tensor<1x56x56x8xf32>) -> tensor<1x58x58x8xf32> {
  %p = tensor.empty() : tensor<1x58x58x8xf32>
  %1 = kernel.pad ins(%x : tensor<1x56x56x8xf32>) outs(%p : tensor<1x58x58x8xf32>) {pads = array<i64: 1, 1>} -> tensor<1x58x58x8xf32>
  return %1 : tensor<1x58x58x8xf32>
}

// -----

// Seven pixels are half a register tile: their rows are better joined.

// CHECK-LABEL: func @short_rows
// CHECK: kernel.pad ins
func.func @short_rows(%x: tensor<1x7x7x8xf32>, %f: tensor<1x1x1x8x16xf32>) -> tensor<1x9x9x16xf32> {
  %e = tensor.empty() : tensor<1x7x7x16xf32>
  %0 = kernel.conv ins(%x, %f : tensor<1x7x7x8xf32>, tensor<1x1x1x8x16xf32>) outs(%e : tensor<1x7x7x16xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x7x7x16xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  %p = tensor.empty() : tensor<1x9x9x16xf32>
  %1 = kernel.pad ins(%0 : tensor<1x7x7x16xf32>) outs(%p : tensor<1x9x9x16xf32>) {pads = array<i64: 1, 1>} -> tensor<1x9x9x16xf32>
  return %1 : tensor<1x9x9x16xf32>
}
