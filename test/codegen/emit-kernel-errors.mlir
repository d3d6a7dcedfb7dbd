// RUN: onnxc-opt %s --test-emit-kernel --split-input-file --verify-diagnostics

func.func @wide_integers(%a: memref<4x8xi32>, %b: memref<8x16xi8>, %c: memref<4x16xi32>) {
  // expected-error @+1 {{operands must be of floating point, or signed integers of 8 or 16 bits}}
  kernel.matmul ins(%a, %b : memref<4x8xi32>, memref<8x16xi8>) outs(%c : memref<4x16xi32>) {epilogue_maps = []} epilogue {
  ^bb0(%acc: i32):
    kernel.yield %acc : i32
  }
  return
}

// -----

func.func @integer_average(%x: memref<1x4x4x16xi8>, %c: memref<1x2x2x16xi8>) {
  // expected-error @+1 {{cannot compute this kind on elements of type 'i8'}}
  kernel.pool average ins(%x : memref<1x4x4x16xi8>) outs(%c : memref<1x2x2x16xi8>)
      {window = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>}
  return
}

// -----

func.func @open_window(%x: memref<1x4x4x16xf32>, %w: memref<?x3x16xf32>, %c: memref<1x2x2x16xf32>) {
  // expected-error @+1 {{the filter's window must be static}}
  kernel.depthwise_conv ins(%x, %w : memref<1x4x4x16xf32>, memref<?x3x16xf32>) outs(%c : memref<1x2x2x16xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0>, epilogue_maps = []} epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return
}
