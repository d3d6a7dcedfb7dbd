// RUN: onnxc-opt %s -onnx-infer-shapes=annotate -split-input-file | FileCheck %s

// Convolution and pooling formulas on symbolic height and width.
// CHECK-LABEL: func.func @conv_pool
// CHECK-SAME: -> (tensor<?x8x?x?xf32>, tensor<?x3x?x?xf32>, tensor<?x3x?x?xf32>, tensor<?x4x?x?xf32>)
func.func @conv_pool(%x: tensor<?x3x?x?xf32> {onnx.dims = ["N", "", "H", "W"]}, %w: tensor<8x3x3x3xf32>, %t: tensor<3x4x2x2xf32>)
    -> (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>, tensor<*xf32>) {
  %none = onnx.None() : () -> none
  // CHECK: onnx.Conv{{.*}}onnx.shape = ["[N, 8, (H + 1) floordiv 2, W]"]
  %0 = onnx.Conv(%x, %w, %none) {pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 1>} : (tensor<?x3x?x?xf32>, tensor<8x3x3x3xf32>, none) -> tensor<*xf32>
  // A last window that starts in the padding does not count.
  // CHECK: onnx.MaxPool{{.*}}onnx.shape = ["[N, 3, H floordiv 2, (W floordiv 2) + 1]", ""]
  %1, %i = onnx.MaxPool(%x) {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 0, 1, 0, 1>, ceil_mode = 1 : i64} : (tensor<?x3x?x?xf32>) -> (tensor<*xf32>, none)
  // CHECK: onnx.AveragePool{{.*}}onnx.shape = ["[N, 3, (H + 1) floordiv 2, (W + 2) floordiv 3]"]
  %2 = onnx.AveragePool(%x) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 3>, auto_pad = "SAME_UPPER"} : (tensor<?x3x?x?xf32>) -> tensor<*xf32>
  // CHECK: onnx.ConvTranspose{{.*}}onnx.shape = ["[N, 4, H * 2, W * 2]"]
  %3 = onnx.ConvTranspose(%x, %t, %none) {strides = array<i64: 2, 2>} : (tensor<?x3x?x?xf32>, tensor<3x4x2x2xf32>, none) -> tensor<*xf32>
  return %0, %1, %2, %3 : tensor<*xf32>, tensor<*xf32>, tensor<*xf32>, tensor<*xf32>
}

// -----

// Exported shape arithmetic evaluates: x.view(x.shape[0], -1, H * W / 4).
// CHECK-LABEL: func.func @shape_arithmetic
func.func @shape_arithmetic(%x: tensor<?x8x?x?xf32> {onnx.dims = ["N", "", "H", "W"]}) -> (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>) {
  %zero = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %two = onnx.Constant() {value = dense<[2]> : tensor<1xi64>} : () -> tensor<1xi64>
  %three = onnx.Constant() {value = dense<[3]> : tensor<1xi64>} : () -> tensor<1xi64>
  %axes = onnx.Constant() {value = dense<[0]> : tensor<1xi64>} : () -> tensor<1xi64>
  %minus = onnx.Constant() {value = dense<[-1]> : tensor<1xi64>} : () -> tensor<1xi64>
  %four = onnx.Constant() {value = dense<[4]> : tensor<1xi64>} : () -> tensor<1xi64>
  %none = onnx.None() : () -> none
  // CHECK: onnx.Shape{{.*}}["[4] = {N, 8, H, W}"]
  %s = onnx.Shape(%x) : (tensor<?x8x?x?xf32>) -> tensor<*xi64>
  // CHECK: onnx.Gather{{.*}}["[] = {N}"]
  %n = onnx.Gather(%s, %zero) : (tensor<*xi64>, tensor<i64>) -> tensor<*xi64>
  %n1 = onnx.Unsqueeze(%n, %axes) : (tensor<*xi64>, tensor<1xi64>) -> tensor<*xi64>
  // CHECK: onnx.Slice{{.*}}["[2] = {H, W}"]
  %hw = onnx.Slice(%s, %two, %four, %axes, %none) : (tensor<*xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, none) -> tensor<*xi64>
  // CHECK: onnx.ReduceProd{{.*}}["[] = {H * W}"]
  %p = onnx.ReduceProd(%hw, %none) {keepdims = 0 : i64} : (tensor<*xi64>, none) -> tensor<*xi64>
  %p1 = onnx.Unsqueeze(%p, %axes) : (tensor<*xi64>, tensor<1xi64>) -> tensor<*xi64>
  // CHECK: onnx.Concat{{.*}}["[3] = {N, -1, H * W}"]
  %t = onnx.Concat(%n1, %minus, %p1) {axis = 0 : i64} : (tensor<*xi64>, tensor<1xi64>, tensor<*xi64>) -> tensor<*xi64>
  // CHECK: onnx.Reshape{{.*}}["[N, 8, H * W]"]
  // CHECK-SAME: -> tensor<?x8x?xf32>
  %r = onnx.Reshape(%x, %t) : (tensor<?x8x?x?xf32>, tensor<*xi64>) -> tensor<*xf32>
  // CHECK: onnx.Div{{.*}}["[1] = {(H * W) floordiv 4}"]
  %q = onnx.Div(%p1, %four) : (tensor<*xi64>, tensor<1xi64>) -> tensor<*xi64>
  %u = onnx.Concat(%minus, %q) {axis = 0 : i64} : (tensor<1xi64>, tensor<*xi64>) -> tensor<*xi64>
  // CHECK: onnx.Reshape{{.*}}["[(N * H * W * 8) floordiv ((H * W) floordiv 4), (H * W) floordiv 4]"]
  %v = onnx.Reshape(%x, %u) : (tensor<?x8x?x?xf32>, tensor<*xi64>) -> tensor<*xf32>
  // Sizes through floats, as interpolate(scale_factor = 2.5) exports them.
  %scale = onnx.Constant() {value = dense<2.5> : tensor<2xf32>} : () -> tensor<2xf32>
  %f = onnx.Cast(%hw) {to = 1 : i64} : (tensor<*xi64>) -> tensor<*xf32>
  %g = onnx.Mul(%f, %scale) : (tensor<*xf32>, tensor<2xf32>) -> tensor<*xf32>
  %h = onnx.Floor(%g) : (tensor<*xf32>) -> tensor<*xf32>
  // CHECK: onnx.Cast{{.*}}["[2] = {(H floordiv 2) + H * 2, (W floordiv 2) + W * 2}"]
  %i = onnx.Cast(%h) {to = 7 : i64} : (tensor<*xf32>) -> tensor<*xi64>
  %nc = onnx.Slice(%s, %axes, %two, %axes, %none) : (tensor<*xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, none) -> tensor<*xi64>
  %sizes = onnx.Concat(%nc, %i) {axis = 0 : i64} : (tensor<*xi64>, tensor<*xi64>) -> tensor<*xi64>
  // CHECK: onnx.Resize{{.*}}["[N, 8, (H floordiv 2) + H * 2, (W floordiv 2) + W * 2]"]
  %y = onnx.Resize(%x, %none, %none, %sizes) : (tensor<?x8x?x?xf32>, none, none, tensor<*xi64>) -> tensor<*xf32>
  return %r, %v, %y : tensor<*xf32>, tensor<*xf32>, tensor<*xf32>
}

// -----

// Equal names are equal dims, other pairs broadcast to a dim of their own.
// CHECK-LABEL: func.func @broadcast
func.func @broadcast(%a: tensor<?x1x?xf32> {onnx.dims = ["N", "", "S"]}, %b: tensor<?x4x?xf32> {onnx.dims = ["N", "", "S"]}, %c: tensor<?xf32> {onnx.dims = ["T"]}) -> (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>) {
  // CHECK: onnx.Add{{.*}}["[N, 4, S]"]
  %0 = onnx.Add(%a, %b) : (tensor<?x1x?xf32>, tensor<?x4x?xf32>) -> tensor<*xf32>
  // CHECK: onnx.Mul{{.*}}["[N, 4, [[D:\?[0-9]+]]]"]
  %1 = onnx.Mul(%0, %c) : (tensor<*xf32>, tensor<?xf32>) -> tensor<*xf32>
  // The same pair again is the same dim.
  // CHECK: onnx.Sub{{.*}}["[N, 4, [[D]]]"]
  %2 = onnx.Sub(%c, %0) : (tensor<?xf32>, tensor<*xf32>) -> tensor<*xf32>
  // CHECK: onnx.Div{{.*}}["[N, 4, [[D]]]"]
  %3 = onnx.Div(%1, %2) : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32>
  return %1, %2, %3 : tensor<*xf32>, tensor<*xf32>, tensor<*xf32>
}

// -----

// A table of positions is sliced to the input's length: what it is added to keeps its dims.
// CHECK-LABEL: func.func @positions
func.func @positions(%x: tensor<?x?x8xf32> {onnx.dims = ["N", "S", ""]}, %table: tensor<1x512x8xf32>) -> tensor<*xf32> {
  %one = onnx.Constant() {value = dense<[1]> : tensor<1xi64>} : () -> tensor<1xi64>
  %zero = onnx.Constant() {value = dense<[0]> : tensor<1xi64>} : () -> tensor<1xi64>
  %none = onnx.None() : () -> none
  %s = onnx.Shape(%x) {start = 1 : i64, end = 2 : i64} : (tensor<?x?x8xf32>) -> tensor<*xi64>
  // CHECK: onnx.Slice{{.*}}["[1, ?{{[0-9]+}}, 8]"]
  %t = onnx.Slice(%table, %zero, %s, %one, %none) : (tensor<1x512x8xf32>, tensor<1xi64>, tensor<*xi64>, tensor<1xi64>, none) -> tensor<*xf32>
  // CHECK: onnx.Add{{.*}}["[N, S, 8]"]
  %r = onnx.Add(%t, %x) : (tensor<*xf32>, tensor<?x?x8xf32>) -> tensor<*xf32>
  return %r : tensor<*xf32>
}

// -----

// x[:, 1:] and x[:, :-1] have the same length, whatever the dim.
// CHECK-LABEL: func.func @slices
func.func @slices(%x: tensor<?x?xf32> {onnx.dims = ["N", "S"]}) -> (tensor<*xf32>, tensor<*xf32>) {
  %one = onnx.Constant() {value = dense<[1]> : tensor<1xi64>} : () -> tensor<1xi64>
  %zero = onnx.Constant() {value = dense<[0]> : tensor<1xi64>} : () -> tensor<1xi64>
  %minus = onnx.Constant() {value = dense<[-1]> : tensor<1xi64>} : () -> tensor<1xi64>
  %far = onnx.Constant() {value = dense<[9223372036854775807]> : tensor<1xi64>} : () -> tensor<1xi64>
  %low = onnx.Constant() {value = dense<[-9223372036854775808]> : tensor<1xi64>} : () -> tensor<1xi64>
  %two = onnx.Constant() {value = dense<[2]> : tensor<1xi64>} : () -> tensor<1xi64>
  // CHECK: onnx.Slice{{.*}}["[N, [[L:\?[0-9]+]]]"]
  %0 = onnx.Slice(%x, %one, %far, %one, %one) : (tensor<?x?xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: onnx.Slice{{.*}}["[N, [[L]]]"]
  %1 = onnx.Slice(%x, %zero, %minus, %one, %one) : (tensor<?x?xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: onnx.Slice{{.*}}["[N, S]"]
  %2 = onnx.Slice(%x, %minus, %low, %one, %minus) : (tensor<?x?xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: onnx.Slice{{.*}}["[N, (S + 1) floordiv 2]"]
  %3 = onnx.Slice(%x, %zero, %far, %one, %two) : (tensor<?x?xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xf32>
  return %0, %1 : tensor<*xf32>, tensor<*xf32>
}

// -----

// torch.expand: Where(shape == -1, ones, shape) is certain for dims.
// CHECK-LABEL: func.func @expand
func.func @expand(%x: tensor<1x?xf32> {onnx.dims = ["", "S"]}, %n: tensor<?xf32> {onnx.dims = ["N"]}) -> tensor<*xf32> {
  %s = onnx.Shape(%n) : (tensor<?xf32>) -> tensor<*xi64>
  %minus = onnx.Constant() {value = dense<-1> : tensor<2xi64>} : () -> tensor<2xi64>
  %one = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %shape = onnx.Constant() {value = dense<2> : tensor<1xi64>} : () -> tensor<1xi64>
  %t = onnx.Concat(%s, %one) {axis = 0 : i64} : (tensor<*xi64>, tensor<1xi64>) -> tensor<*xi64>
  %ones = onnx.ConstantOfShape(%shape) {value = dense<1> : tensor<1xi64>} : (tensor<1xi64>) -> tensor<*xi64>
  // CHECK: onnx.Equal{{.*}}["[2] = {0, 1}"]
  %e = onnx.Equal(%t, %minus) : (tensor<*xi64>, tensor<2xi64>) -> tensor<*xi1>
  %w = onnx.Where(%e, %ones, %t) : (tensor<*xi1>, tensor<*xi64>, tensor<*xi64>) -> tensor<*xi64>
  // CHECK: onnx.Expand{{.*}}["[N, S]"]
  %r = onnx.Expand(%x, %w) : (tensor<1x?xf32>, tensor<*xi64>) -> tensor<*xf32>
  return %r : tensor<*xf32>
}

// -----

// Data-dependent dims are symbols of their own; what derives from them keeps them.
// CHECK-LABEL: func.func @data_dependent
func.func @data_dependent(%x: tensor<?x4xf32> {onnx.dims = ["N", ""]}, %k: tensor<1xi64>) -> (tensor<*xi64>, tensor<*xf32>) {
  // CHECK: onnx.NonZero{{.*}}["[2, [[Z:\?[0-9]+]]]"]
  %0 = onnx.NonZero(%x) : (tensor<?x4xf32>) -> tensor<*xi64>
  // CHECK: onnx.Transpose{{.*}}["[[[Z]], 2]"]
  %1 = onnx.Transpose(%0) {perm = array<i64: 1, 0>} : (tensor<*xi64>) -> tensor<*xi64>
  %c = onnx.Constant() {value = dense<[3]> : tensor<1xi64>} : () -> tensor<1xi64>
  // CHECK: onnx.Concat{{.*}}["[2] = {@{{[0-9]+}}, 3}"]
  %t = onnx.Concat(%k, %c) {axis = 0 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<*xi64>
  // CHECK: onnx.Reshape{{.*}} -> tensor<?x3xf32>
  %2 = onnx.Reshape(%x, %t) : (tensor<?x4xf32>, tensor<*xi64>) -> tensor<*xf32>
  return %1, %2 : tensor<*xi64>, tensor<*xf32>
}

// -----

// A loop's variable that grows has a symbol for its dim; one that does not keeps it.
// CHECK-LABEL: func.func @loop
// CHECK-SAME: -> (tensor<?x?xf32>, tensor<?x2xf32>, tensor<5x?x2xf32>)
func.func @loop(%x: tensor<?x2xf32> {onnx.dims = ["N", ""]}, %z: tensor<?x1xf32> {onnx.dims = ["N", ""]}) -> (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>) {
  %n = onnx.Constant() {value = dense<5> : tensor<i64>} : () -> tensor<i64>
  %none = onnx.None() : () -> none
  // CHECK: onnx.Loop
  %r:3 = onnx.Loop(%n, %none, %z, %x) ({
  ^bb0(%i: tensor<i64>, %cond: tensor<i1>, %a: tensor<*xf32>, %b: tensor<*xf32>):
    %t = onnx.Constant() {value = dense<true> : tensor<i1>} : () -> tensor<i1>
    // CHECK: onnx.Concat{{.*}} -> tensor<?x?xf32>
    %s = onnx.Concat(%a, %b) {axis = 1 : i64} : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32>
    // CHECK: onnx.Relu{{.*}}["[N, 2]"]
    %u = onnx.Relu(%b) : (tensor<*xf32>) -> tensor<*xf32>
    onnx.Return(%t, %s, %u, %u) : (tensor<i1>, tensor<*xf32>, tensor<*xf32>, tensor<*xf32>) -> ()
  }) : (tensor<i64>, none, tensor<?x1xf32>, tensor<?x2xf32>) -> (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>)
  return %r#0, %r#1, %r#2 : tensor<*xf32>, tensor<*xf32>, tensor<*xf32>
}

// -----

// A branch that is never taken is not looked into: it contradicts the shapes here.
// CHECK-LABEL: func.func @dead_branch
// CHECK-SAME: -> tensor<4xf32>
func.func @dead_branch(%x: tensor<2x2xf32>) -> tensor<*xf32> {
  %c = onnx.Constant() {value = dense<true> : tensor<i1>} : () -> tensor<i1>
  %s = onnx.Constant() {value = dense<[4]> : tensor<1xi64>} : () -> tensor<1xi64>
  %t = onnx.Constant() {value = dense<[5]> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.If(%c) ({
    %1 = onnx.Reshape(%x, %t) : (tensor<2x2xf32>, tensor<1xi64>) -> tensor<*xf32>
    onnx.Return(%1) : (tensor<*xf32>) -> ()
  }, {
    %1 = onnx.Reshape(%x, %s) : (tensor<2x2xf32>, tensor<1xi64>) -> tensor<*xf32>
    onnx.Return(%1) : (tensor<*xf32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Branches that agree on a dim give it, others have one of their own.
// CHECK-LABEL: func.func @branches
// CHECK-SAME: -> tensor<?x?xf32>
func.func @branches(%c: tensor<i1>, %x: tensor<?x2xf32> {onnx.dims = ["N", ""]}, %y: tensor<?x3xf32> {onnx.dims = ["N", ""]}) -> tensor<*xf32> {
  // CHECK: onnx.Identity(%{{.*}}["[N, ?{{[0-9]+}}]"]
  %0 = onnx.If(%c) ({
    %1 = onnx.Relu(%x) : (tensor<?x2xf32>) -> tensor<*xf32>
    onnx.Return(%1) : (tensor<*xf32>) -> ()
  }, {
    %1 = onnx.Relu(%y) : (tensor<?x3xf32>) -> tensor<*xf32>
    onnx.Return(%1) : (tensor<*xf32>) -> ()
  }) : (tensor<i1>) -> tensor<*xf32>
  %2 = onnx.Identity(%0) : (tensor<*xf32>) -> tensor<*xf32>
  return %2 : tensor<*xf32>
}

// -----

// The first iteration's dim (0) does not fit what a later one computes, and stands for none.
// CHECK-LABEL: func.func @growing
// CHECK-SAME: -> tensor<?x?xf32>
func.func @growing(%x: tensor<1x2xf32>, %n: tensor<i64>, %c: tensor<?x2xf32>) -> tensor<*xf32> {
  %none = onnx.None() : () -> none
  %zero = onnx.Constant() {value = dense<[0, 2]> : tensor<2xi64>} : () -> tensor<2xi64>
  %three = onnx.Constant() {value = dense<[3, 2]> : tensor<2xi64>} : () -> tensor<2xi64>
  %start = onnx.ConstantOfShape(%zero) : (tensor<2xi64>) -> tensor<*xf32>
  %r = onnx.Loop(%n, %none, %start) ({
  ^bb0(%i: tensor<i64>, %cond: tensor<i1>, %a: tensor<*xf32>):
    // CHECK: onnx.Concat{{.*}} -> tensor<?x2xf32>
    %s = onnx.Concat(%a, %x) {axis = 0 : i64} : (tensor<*xf32>, tensor<1x2xf32>) -> tensor<*xf32>
    // CHECK: onnx.Reshape{{.*}} -> tensor<3x2xf32>
    %t = onnx.Reshape(%s, %three) : (tensor<*xf32>, tensor<2xi64>) -> tensor<*xf32>
    onnx.Return(%cond, %t) : (tensor<i1>, tensor<*xf32>) -> ()
  }) : (tensor<i64>, none, tensor<*xf32>) -> tensor<*xf32>
  return %r : tensor<*xf32>
}
