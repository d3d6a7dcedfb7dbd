// RUN: onnxc-opt %s --select-tiles | FileCheck %s --check-prefix=V4
// RUN: onnxc-opt %s --select-tiles="vector-bits=256 vector-registers=16" | FileCheck %s --check-prefix=V3
// RUN: onnxc-opt %s --select-tiles="vector-bits=128 vector-registers=16" | FileCheck %s --check-prefix=V2

// V4-LABEL: @rows_128
// V3-LABEL: @rows_128
// V2-LABEL: @rows_128
func.func @rows_128(%a: tensor<128x768xf32>, %b: tensor<48x768x16xf32>, %c: tensor<128x768xf32>) -> tensor<128x768xf32> {
  // V4: tile = #kernel.tile<rows = 6, vectors = 4>
  // V3: tile = #kernel.tile<rows = 6, vectors = 2>
  // V2: tile = #kernel.tile<rows = 6, vectors = 2>
  %0 = kernel.matmul ins(%a, %b : tensor<128x768xf32>, tensor<48x768x16xf32>) outs(%c : tensor<128x768xf32>)
      {packed, epilogue_maps = []} -> tensor<128x768xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<128x768xf32>
}

// Short rows of pixels: two of them make a tile, and its weights stay near.
// V4-LABEL: @seven_pixels
func.func @seven_pixels(%x: tensor<1x9x9x512xf32>, %w: tensor<1x32x3x3x512x16xf32>, %c: tensor<1x7x7x512xf32>) -> tensor<1x7x7x512xf32> {
  // V4: tile = #kernel.tile<rows = 14, vectors = 2>
  %0 = kernel.conv ins(%x, %w : tensor<1x9x9x512xf32>, tensor<1x32x3x3x512x16xf32>) outs(%c : tensor<1x7x7x512xf32>)
      {packed, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x7x7x512xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<1x7x7x512xf32>
}

// Few output channels: one vector, and more rows instead.
// V4-LABEL: @narrow
func.func @narrow(%x: tensor<1x?x?x24xf32>, %w: tensor<1x1x3x3x24x16xf32>, %c: tensor<1x?x?x16xf32>) -> tensor<1x?x?x16xf32> {
  // V4: tile = #kernel.tile<rows = 28, vectors = 1>
  %0 = kernel.conv ins(%x, %w : tensor<1x?x?x24xf32>, tensor<1x1x3x3x24x16xf32>) outs(%c : tensor<1x?x?x16xf32>)
      {packed, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x?x?x16xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<1x?x?x16xf32>
}

// Three panels: one block of three rather than one of two and one of one.
// V4-LABEL: @three_panels
func.func @three_panels(%x: tensor<1x?x?x24xf32>, %w: tensor<1x3x1x1x24x16xf32>, %c: tensor<1x?x?x48xf32>) -> tensor<1x?x?x48xf32> {
  // V4: tile = #kernel.tile<rows = 9, vectors = 3>
  %0 = kernel.conv ins(%x, %w : tensor<1x?x?x24xf32>, tensor<1x3x1x1x24x16xf32>) outs(%c : tensor<1x?x?x48xf32>)
      {packed, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x?x?x48xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<1x?x?x48xf32>
}

// A tile that is already there stays.
// V4-LABEL: @chosen
func.func @chosen(%a: tensor<128x768xf32>, %b: tensor<768x768xf32>, %c: tensor<128x768xf32>) -> tensor<128x768xf32> {
  // V4: tile = #kernel.tile<rows = 3, vectors = 1>
  %0 = kernel.matmul ins(%a, %b : tensor<128x768xf32>, tensor<768x768xf32>) outs(%c : tensor<128x768xf32>)
      {tile = #kernel.tile<rows = 3, vectors = 1>, epilogue_maps = []} -> tensor<128x768xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<128x768xf32>
}

// One row of a recurrence has the registers to itself.
// V4-LABEL: @single_row
func.func @single_row(%x: tensor<?x1x1x1x40xf32>, %w: tensor<1x1x40x40xf32>, %y0: tensor<?x1x1x40xf32>, %h0: tensor<1x1x40xf32>, %e: tensor<1x1x1x40xf32>) -> tensor<?x1x1x40xf32> {
  // V4: kernel.recurrence
  // V4-SAME: tile = #kernel.tile<rows = 1, vectors = 8>
  %y, %h, %room = kernel.recurrence ins(%x : tensor<?x1x1x1x40xf32>) weights(%w : tensor<1x1x40x40xf32>) outs(%y0, %h0, %e : tensor<?x1x1x40xf32>, tensor<1x1x40xf32>, tensor<1x1x1x40xf32>)
      {has_sequence, reversed = array<i64: 1>} -> tensor<?x1x1x40xf32>, tensor<1x1x40xf32>, tensor<1x1x1x40xf32> stages {
  ^bb0(%sum: f32, %input: f32, %state: f32):
    %0 = arith.addf %sum, %input : f32
    kernel.stage_yield %0 : f32
  }
  return %y : tensor<?x1x1x40xf32>
}

// V4-LABEL: @rows
func.func @rows(%x: tensor<?x?x1x1x40xf32>, %w: tensor<1x1x40x40xf32>, %y0: tensor<?x1x?x40xf32>, %h0: tensor<1x?x40xf32>, %e: tensor<1x?x1x40xf32>) -> tensor<?x1x?x40xf32> {
  // V4: kernel.recurrence
  // V4-SAME: tile = #kernel.tile<rows = 4, vectors = 4>
  %y, %h, %room = kernel.recurrence ins(%x : tensor<?x?x1x1x40xf32>) weights(%w : tensor<1x1x40x40xf32>) outs(%y0, %h0, %e : tensor<?x1x?x40xf32>, tensor<1x?x40xf32>, tensor<1x?x1x40xf32>)
      {has_sequence, reversed = array<i64: 1>} -> tensor<?x1x?x40xf32>, tensor<1x?x40xf32>, tensor<1x?x1x40xf32> stages {
  ^bb0(%sum: f32, %input: f32, %state: f32):
    %0 = arith.addf %sum, %input : f32
    kernel.stage_yield %0 : f32
  }
  return %y : tensor<?x1x?x40xf32>
}
