// RUN: onnxc-opt %s --fuse-epilogues --split-input-file | FileCheck %s

#id = affine_map<(m, n) -> (m, n)>
#column = affine_map<(m, n) -> (n)>

// Bias, residual and activation move into the epilogue one after the other.

// CHECK: #[[COLUMN:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func @bias_residual
// CHECK-SAME: %[[X:.*]]: tensor<?x20xf32>, %[[W:.*]]: tensor<20x40xf32>, %[[B:.*]]: tensor<40xf32>, %[[R:[a-z0-9]+]]: tensor<?x40xf32>
// CHECK: kernel.matmul ins(%[[X]], %[[W]]
// CHECK-SAME: with(%[[B]], %[[R]] : tensor<40xf32>, tensor<?x40xf32>)
// CHECK-SAME: epilogue_maps = [#[[COLUMN]], #[[ID]]]
// CHECK: ^bb0(%[[ACC:.*]]: f32, %[[BE:.*]]: f32, %[[RE:.*]]: f32)
// CHECK: %[[S:.*]] = arith.addf %[[ACC]], %[[BE]]
// CHECK: %[[T:.*]] = arith.addf %[[RE]], %[[S]]
// CHECK: kernel.yield %[[T]]
// CHECK-NOT: linalg.generic
func.func @bias_residual(%x: tensor<?x20xf32>, %w: tensor<20x40xf32>, %b: tensor<40xf32>, %r: tensor<?x40xf32>, %init: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %0 = kernel.matmul ins(%x, %w : tensor<?x20xf32>, tensor<20x40xf32>) outs(%init : tensor<?x40xf32>) {epilogue_maps = []} -> tensor<?x40xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  %1 = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0, %b : tensor<?x40xf32>, tensor<40xf32>) outs(%init : tensor<?x40xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<?x40xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%r, %1 : tensor<?x40xf32>, tensor<?x40xf32>) outs(%init : tensor<?x40xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<?x40xf32>
  return %2 : tensor<?x40xf32>
}

// -----

// A second user needs the product itself.

// CHECK-LABEL: func @two_users
// CHECK: kernel.matmul
// CHECK: linalg.generic
#id = affine_map<(m, n) -> (m, n)>
func.func @two_users(%x: tensor<4x20xf32>, %w: tensor<20x40xf32>, %init: tensor<4x40xf32>) -> (tensor<4x40xf32>, tensor<4x40xf32>) {
  %0 = kernel.matmul ins(%x, %w : tensor<4x20xf32>, tensor<20x40xf32>) outs(%init : tensor<4x40xf32>) {epilogue_maps = []} -> tensor<4x40xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<4x40xf32>) outs(%init : tensor<4x40xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.negf %a : f32
    linalg.yield %s : f32
  } -> tensor<4x40xf32>
  return %0, %1 : tensor<4x40xf32>, tensor<4x40xf32>
}

// -----

// A row softmax's maximum is no element-wise user.

// CHECK-LABEL: func @reduction
// CHECK: kernel.matmul
// CHECK: linalg.generic
func.func @reduction(%x: tensor<4x20xf32>, %w: tensor<20x40xf32>, %init: tensor<4x40xf32>, %lowest: tensor<4xf32>) -> tensor<4xf32> {
  %0 = kernel.matmul ins(%x, %w : tensor<4x20xf32>, tensor<20x40xf32>) outs(%init : tensor<4x40xf32>) {epilogue_maps = []} -> tensor<4x40xf32> epilogue {
  ^bb0(%acc: f32):
    kernel.yield %acc : f32
  }
  %1 = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%0 : tensor<4x40xf32>) outs(%lowest : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.maximumf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// The sum of integers is scaled and quantised before it is stored: the kernel's result has the type of what it stores.

// CHECK-LABEL: func.func @requantize
// CHECK: %[[INIT:.*]] = tensor.empty() : tensor<4x16xi8>
// CHECK: %[[R:.*]] = kernel.matmul {{.*}} with({{.*}} : tensor<16xf32>) outs(%[[INIT]] : tensor<4x16xi8>) {{.*}} -> tensor<4x16xi8>
// CHECK: ^bb0(%[[ACC:.*]]: i32, %[[S:.*]]: f32):
// CHECK: arith.sitofp %[[ACC]] : i32 to f32
// CHECK: arith.trunci
// CHECK: return %[[R]]
func.func @requantize(%a: tensor<4x8xi16>, %b: tensor<8x16xi8>, %scale: tensor<16xf32>) -> tensor<4x16xi8> {
  %sums = tensor.empty() : tensor<4x16xi32>
  %c = kernel.matmul ins(%a, %b : tensor<4x8xi16>, tensor<8x16xi8>) outs(%sums : tensor<4x16xi32>) {epilogue_maps = []} -> tensor<4x16xi32> epilogue {
  ^bb0(%acc: i32):
    kernel.yield %acc : i32
  }
  %init = tensor.empty() : tensor<4x16xi8>
  %r = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%c, %scale : tensor<4x16xi32>, tensor<16xf32>) outs(%init : tensor<4x16xi8>) {
  ^bb0(%x: i32, %s: f32, %o: i8):
    %0 = arith.sitofp %x : i32 to f32
    %1 = arith.mulf %0, %s : f32
    %2 = arith.fptosi %1 : f32 to i32
    %3 = arith.trunci %2 : i32 to i8
    linalg.yield %3 : i8
  } -> tensor<4x16xi8>
  return %r : tensor<4x16xi8>
}
