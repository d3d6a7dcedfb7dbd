// RUN: onnxc-opt %s --rounded-quotients | FileCheck %s

// CHECK-LABEL: func @vector
// CHECK-SAME: %[[X:.*]]: vector<8xf32>
// CHECK-DAG: %[[S:.*]] = arith.constant dense<3.000000e+00> : vector<8xf32>
// CHECK-DAG: %[[R:.*]] = arith.constant dense<0.333333343> : vector<8xf32>
// CHECK-NOT: arith.divf
// CHECK: %[[Q:.*]] = arith.mulf %[[X]], %[[R]]
// CHECK: %[[M:.*]] = arith.negf %[[Q]]
// CHECK: %[[REST:.*]] = math.fma %[[M]], %[[S]], %[[X]]
// CHECK: %[[BETTER:.*]] = math.fma %[[REST]], %[[R]], %[[Q]]
// CHECK: %[[COUNTS:.*]] = arith.cmpf one, %[[BETTER]], %[[Q]]
// CHECK: %[[EXACT:.*]] = arith.select %[[COUNTS]], %[[BETTER]], %[[Q]]
// CHECK: math.roundeven %[[EXACT]]
func.func @vector(%x: vector<8xf32>) -> vector<8xf32> {
  %s = arith.constant dense<3.0> : vector<8xf32>
  %q = arith.divf %x, %s : vector<8xf32>
  %0 = math.roundeven %q : vector<8xf32>
  return %0 : vector<8xf32>
}

// CHECK-LABEL: func @broadcast
// CHECK-NOT: arith.divf
// CHECK: return
func.func @broadcast(%x: vector<8xf32>) -> vector<8xf32> {
  %c = arith.constant 3.0 : f32
  %s = vector.broadcast %c : f32 to vector<8xf32>
  %q = arith.divf %x, %s : vector<8xf32>
  %0 = math.roundeven %q : vector<8xf32>
  return %0 : vector<8xf32>
}

// What else reads the quotient, and other divisors, see a division.

// CHECK-LABEL: func @kept
// CHECK-COUNT-4: arith.divf
// CHECK: return
func.func @kept(%x: f32, %y: f32, %d: f64) -> (f32, f32, f32, f64) {
  %s = arith.constant 3.0 : f32
  %q = arith.divf %x, %s : f32
  %1 = arith.divf %x, %y : f32
  %2 = math.roundeven %1 : f32
  %tiny = arith.constant 1.0e-30 : f32
  %3 = arith.divf %x, %tiny : f32
  %4 = math.roundeven %3 : f32
  %e = arith.constant 3.0 : f64
  %5 = arith.divf %d, %e : f64
  %6 = math.roundeven %5 : f64
  return %q, %2, %4, %6 : f32, f32, f32, f64
}
