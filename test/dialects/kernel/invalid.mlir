// RUN: onnxc-opt %s --verify-diagnostics --split-input-file

func.func @map_count(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %bias: tensor<16xf32>, %init: tensor<4x16xf32>) -> tensor<4x16xf32> {
  // expected-error @+1 {{has 1 epilogue operands but 0 epilogue maps}}
  %c = kernel.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) with(%bias : tensor<16xf32>) outs(%init : tensor<4x16xf32>) {epilogue_maps = []} -> tensor<4x16xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %c : tensor<4x16xf32>
}

// -----

func.func @depth(%a: tensor<4x8xf32>, %b: tensor<9x16xf32>, %init: tensor<4x16xf32>) -> tensor<4x16xf32> {
  // expected-error @+1 {{lhs and rhs differ in K: 8 and 9}}
  %c = kernel.matmul ins(%a, %b : tensor<4x8xf32>, tensor<9x16xf32>) outs(%init : tensor<4x16xf32>) {epilogue_maps = []} -> tensor<4x16xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %c : tensor<4x16xf32>
}

// -----

func.func @panels(%a: tensor<4x8xf32>, %b: tensor<3x8x16xf32>, %init: tensor<4x16xf32>) -> tensor<4x16xf32> {
  // expected-error @+1 {{packed rhs does not cover the output's columns}}
  %c = kernel.matmul ins(%a, %b : tensor<4x8xf32>, tensor<3x8x16xf32>) outs(%init : tensor<4x16xf32>) {packed, epilogue_maps = []} -> tensor<4x16xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %c : tensor<4x16xf32>
}

// -----

func.func @epilogue_operand(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %bias: tensor<15xf32>, %init: tensor<4x16xf32>) -> tensor<4x16xf32> {
  // expected-error @+1 {{epilogue operand dim 0 is 15, the output's is 16}}
  %c = kernel.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x16xf32>) with(%bias : tensor<15xf32>) outs(%init : tensor<4x16xf32>)
      {epilogue_maps = [affine_map<(m, n) -> (n)>]} -> tensor<4x16xf32> epilogue {
  ^bb0(%acc: f32, %b0: f32):
    kernel.yield %b0 : f32
  }
  return %c : tensor<4x16xf32>
}

// -----

func.func @channels(%x: tensor<1x5x5x3xf32>, %f: tensor<1x1x1x4x8xf32>, %y: tensor<1x5x5x8xf32>) -> tensor<1x5x5x8xf32> {
  // expected-error @+1 {{input has 3 channels, the filter takes 4}}
  %0 = kernel.conv ins(%x, %f : tensor<1x5x5x3xf32>, tensor<1x1x1x4x8xf32>) outs(%y : tensor<1x5x5x8xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x5x5x8xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<1x5x5x8xf32>
}

// -----

func.func @output_size(%x: tensor<1x5x5x4xf32>, %f: tensor<1x3x3x4x8xf32>, %y: tensor<1x5x5x8xf32>) -> tensor<1x5x5x8xf32> {
  // expected-error @+1 {{output dim 1 does not fit the input}}
  %0 = kernel.conv ins(%x, %f : tensor<1x5x5x4xf32>, tensor<1x3x3x4x8xf32>) outs(%y : tensor<1x5x5x8xf32>)
      {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, epilogue_maps = []} -> tensor<1x5x5x8xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %0 : tensor<1x5x5x8xf32>
}

// -----

func.func @weight_shape() -> tensor<3x20x16xf32> {
  // expected-error @+1 {{result shape does not follow from the value's}}
  %w = kernel.weight dense<1.0> : tensor<20x20xf32> {panel_width = 16 : i64, panel_axis = 0 : i64} -> tensor<3x20x16xf32>
  return %w : tensor<3x20x16xf32>
}

// -----

func.func @strides(%x: memref<1x9x9x16xf32>, %z: memref<1x9x9x16xf32>) {
  // expected-error @+1 {{strides must be at least 1}}
  kernel.pool max ins(%x : memref<1x9x9x16xf32>) outs(%z : memref<1x9x9x16xf32>)
      {window = array<i64: 3, 3>, strides = array<i64: 0, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>}
  return
}

// -----

func.func @accumulator_type(%a: tensor<4x8xf64>, %b: tensor<8x16xf64>, %init: tensor<4x16xf64>) -> tensor<4x16xf64> {
  // expected-error @+1 {{accumulates in 'f32', but its epilogue takes 'f64'}}
  %c = kernel.matmul ins(%a, %b : tensor<4x8xf64>, tensor<8x16xf64>) outs(%init : tensor<4x16xf64>) {epilogue_maps = []} -> tensor<4x16xf64> epilogue {
  ^bb0(%acc: f64):
    kernel.yield %acc : f64
  }
  return %c : tensor<4x16xf64>
}

// -----

func.func @integer_accumulator(%a: memref<4x8xi16>, %b: memref<8x16xi8>, %c: memref<4x16xf32>) {
  // expected-error @+1 {{accumulates in 'i32', but its epilogue takes 'f32'}}
  kernel.matmul ins(%a, %b : memref<4x8xi16>, memref<8x16xi8>) outs(%c : memref<4x16xf32>) {epilogue_maps = []} epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return
}

// -----

func.func @mixed_operands(%a: memref<4x8xf32>, %b: memref<8x16xi8>, %c: memref<4x16xf32>) {
  // expected-error @+1 {{multiplies integers by floating point}}
  kernel.matmul ins(%a, %b : memref<4x8xf32>, memref<8x16xi8>) outs(%c : memref<4x16xf32>) {epilogue_maps = []} epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return
}

// -----

func.func @attention_width(%q: tensor<2x7x?xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %init: tensor<2x7x8xf32>) -> tensor<2x7x8xf32> {
  // expected-error @+1 {{query and key must have the same static width of at most 256}}
  %y = kernel.attention ins(%q, %k, %v : tensor<2x7x?xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) outs(%init : tensor<2x7x8xf32>)
      {epilogue_maps = [], query_order = array<i64: 0, 1, 2>, key_order = array<i64: 0, 1, 2>, value_order = array<i64: 0, 1, 2>, init_order = array<i64: 0, 1, 2>} -> tensor<2x7x8xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %y : tensor<2x7x8xf32>
}

// -----

func.func @attention_order(%q: tensor<2x7x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %init: tensor<2x7x8xf32>) -> tensor<2x7x8xf32> {
  // expected-error @+1 {{key_order is no permutation of 3 dims}}
  %y = kernel.attention ins(%q, %k, %v : tensor<2x7x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) outs(%init : tensor<2x7x8xf32>)
      {epilogue_maps = [], query_order = array<i64: 0, 1, 2>, key_order = array<i64: 0, 2, 2>, value_order = array<i64: 0, 1, 2>, init_order = array<i64: 0, 1, 2>} -> tensor<2x7x8xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return %y : tensor<2x7x8xf32>
}

// -----

func.func @recurrence_stage(%x: tensor<?x?x1x1x40xf32>, %w: tensor<1x1x40x40xf32>, %h0: tensor<1x?x40xf32>, %e: tensor<1x?x1x40xf32>) {
  // expected-error @+1 {{stage takes 2 arguments, expected 3}}
  %h, %room = kernel.recurrence ins(%x : tensor<?x?x1x1x40xf32>) weights(%w : tensor<1x1x40x40xf32>)
      outs(%h0, %e : tensor<1x?x40xf32>, tensor<1x?x1x40xf32>) {reversed = array<i64: 0>} -> tensor<1x?x40xf32>, tensor<1x?x1x40xf32> stages {
  ^bb0(%sum: f32, %input: f32):
    kernel.stage_yield %sum : f32
  }
  return
}

// -----

func.func @recurrence_room(%x: tensor<?x?x1x1x40xf32>, %w: tensor<1x1x40x40xf32>, %h0: tensor<1x?x40xf32>, %e: tensor<1x?x2x40xf32>) {
  // expected-error @+1 {{room has a dim of 2, expected 1}}
  %h, %room = kernel.recurrence ins(%x : tensor<?x?x1x1x40xf32>) weights(%w : tensor<1x1x40x40xf32>)
      outs(%h0, %e : tensor<1x?x40xf32>, tensor<1x?x2x40xf32>) {reversed = array<i64: 0>} -> tensor<1x?x40xf32>, tensor<1x?x2x40xf32> stages {
  ^bb0(%sum: f32, %input: f32, %state: f32):
    kernel.stage_yield %sum : f32
  }
  return
}

// -----

func.func @seven_trees(%x: tensor<?x5xf32>, %columns: tensor<4x3xi32>, %nodes: tensor<99x2xi32>, %roots: tensor<7x3xi32>, %init: tensor<?x1xf32>) {
  // expected-error @+1 {{trees must come in eights}}
  %0 = kernel.tree_walk sum ins(%x, %columns, %nodes, %roots : tensor<?x5xf32>, tensor<4x3xi32>, tensor<99x2xi32>, tensor<7x3xi32>)
      outs(%init : tensor<?x1xf32>) {width = 1} -> tensor<?x1xf32>
  return
}

// -----

func.func @narrow_nodes(%x: tensor<?x5xf64>, %columns: tensor<4x3xi32>, %nodes: tensor<99x2xi32>, %roots: tensor<8x3xi32>, %init: tensor<?x1xf64>) {
  // expected-error @+1 {{nodes of i32 hold no threshold of f64}}
  %0 = kernel.tree_walk sum ins(%x, %columns, %nodes, %roots : tensor<?x5xf64>, tensor<4x3xi32>, tensor<99x2xi32>, tensor<8x3xi32>)
      outs(%init : tensor<?x1xf64>) {width = 1} -> tensor<?x1xf64>
  return
}

// -----

func.func @wide_leaves(%x: tensor<?x5xf32>, %columns: tensor<4x3xi32>, %nodes: tensor<99x2xi32>, %roots: tensor<8x3xi32>, %init: tensor<?x2xf32>) {
  // expected-error @+1 {{leaves of several weights need a list of them}}
  %0 = kernel.tree_walk sum ins(%x, %columns, %nodes, %roots : tensor<?x5xf32>, tensor<4x3xi32>, tensor<99x2xi32>, tensor<8x3xi32>)
      outs(%init : tensor<?x2xf32>) {width = 2} -> tensor<?x2xf32>
  return
}

// -----

func.func @quantized_matmul_blocks(%x: tensor<4x64xf32>, %w: tensor<8x16xi32>, %s: tensor<2x16xf32>, %init: tensor<4x16xf32>) {
  // expected-error @below {{blocks must be whole words}}
  %0 = kernel.quantized_matmul ins(%x, %w, %s : tensor<4x64xf32>, tensor<8x16xi32>, tensor<2x16xf32>) outs(%init : tensor<4x16xf32>)
      {bits = 4, block = 36, depth = 64, epilogue_maps = []} -> tensor<4x16xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return
}

// -----

func.func @quantized_matmul_scales(%x: tensor<4x64xf32>, %w: tensor<8x16xi32>, %s: tensor<2x16xf32>, %init: tensor<4x16xf32>) {
  // expected-error @below {{scales must be 4 rows of floats}}
  %0 = kernel.quantized_matmul ins(%x, %w, %s : tensor<4x64xf32>, tensor<8x16xi32>, tensor<2x16xf32>) outs(%init : tensor<4x16xf32>)
      {bits = 4, block = 16, depth = 64, epilogue_maps = []} -> tensor<4x16xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  return
}

// -----

func.func @cache_append_heads(%fresh: tensor<2x1x4x16xf32>, %starts: tensor<2xi64>, %init: tensor<2x5x8x16xf32>) {
  // expected-error @below {{fresh and starts do not fit init}}
  %0 = kernel.cache_append ins(%fresh, %starts : tensor<2x1x4x16xf32>, tensor<2xi64>) outs(%init : tensor<2x5x8x16xf32>) -> tensor<2x5x8x16xf32>
  return
}
