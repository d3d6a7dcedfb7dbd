//===- Scalars.h - Scalar arithmetic with ONNX's meaning --------*- C++ -*-===//
//
// Builds arith and math operations on scalars of any element type. Where the
// meaning depends on signedness, the onnx type is given.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_SCALARS_H
#define ONNXC_COMPILER_LOWER_SCALARS_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace onnxc {

enum class Comparison {
  Equal,
  NotEqual,
  Less,
  LessOrEqual,
  Greater,
  GreaterOrEqual
};

/// How a conversion to a float of 8 or 4 bits treats what does not fit: Cast's
/// `saturate` and, for float8e8m0, `round_mode`.
struct NarrowRounding {
  enum Direction { Up, Down, Nearest };
  bool saturate = true;
  Direction direction = Up;
};

struct Scalars {
  mlir::OpBuilder &b;
  mlir::Location loc;

  static bool isFloat(mlir::Value v) {
    return llvm::isa<mlir::FloatType>(v.getType());
  }

  /// A constant of float or integer type (or index).
  mlir::Value constant(mlir::Type type, double value);
  mlir::Value integer(mlir::Type type, int64_t value);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  /// Integers: toward zero; by zero or overflow: some value, never a trap.
  mlir::Value div(mlir::Value x, mlir::Value y, bool isUnsigned);
  /// Remainder with the sign of the dividend (of the divisor for Mod's integer
  /// mode).
  mlir::Value remainder(mlir::Value x, mlir::Value y, bool isUnsigned);
  mlir::Value mod(mlir::Value x, mlir::Value y, bool isUnsigned);
  /// NaN where one is NaN.
  mlir::Value min(mlir::Value x, mlir::Value y, bool isUnsigned);
  mlir::Value max(mlir::Value x, mlir::Value y, bool isUnsigned);
  /// max and min with a bound that is not NaN: x when x is NaN.
  mlir::Value atLeast(mlir::Value x, mlir::Value bound,
                      bool isUnsigned = false);
  mlir::Value atMost(mlir::Value x, mlir::Value bound, bool isUnsigned = false);
  mlir::Value negate(mlir::Value x);
  mlir::Value compare(Comparison kind, mlir::Value x, mlir::Value y,
                      bool isUnsigned);
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y);
  mlir::Value logicalAnd(mlir::Value x, mlir::Value y);
  mlir::Value logicalOr(mlir::Value x, mlir::Value y);
  mlir::Value logicalNot(mlir::Value x);
  mlir::Value isNaN(mlir::Value x);
  /// Adds, with leave to reassociate: for reductions.
  mlir::Value accumulate(mlir::Value x, mlir::Value y);

  /// ONNX Cast between onnx element types (with signedness).
  mlir::Value convert(mlir::Value x, mlir::Type from, mlir::Type to,
                      const NarrowRounding &how = NarrowRounding());
  /// Float to integer with saturation to [low, high]; NaN gives 0.
  mlir::Value saturate(mlir::Value x, mlir::Type to);
  mlir::Value toIndex(mlir::Value x, bool isUnsigned = false);
  mlir::Value fromIndex(mlir::Value x, mlir::Type to);

  /// x * y + z of floats, rounded once where the CPU does both at a time.
  mlir::Value multiplyAdd(mlir::Value x, mlir::Value y, mlir::Value z);
  mlir::Value exp(mlir::Value x);
  mlir::Value log(mlir::Value x);
  mlir::Value log1p(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  /// Within 3e-7 of tanh and erf, of f32; a third of their time.
  mlir::Value approximateTanh(mlir::Value x);
  mlir::Value approximateErf(mlir::Value x);
  mlir::Value sqrt(mlir::Value x);
  mlir::Value abs(mlir::Value x);
  mlir::Value erf(mlir::Value x);
  mlir::Value floor(mlir::Value x);
  mlir::Value ceil(mlir::Value x);
  mlir::Value roundEven(mlir::Value x);
  mlir::Value sigmoid(mlir::Value x);
};

/// The float type that arithmetic on `type` runs in: f32 for f16 and bf16.
mlir::Type computeType(mlir::Type type);

/// Lowest and highest finite or infinite start values of max and min.
mlir::TypedAttr lowestValue(mlir::Type type, bool isUnsigned);
mlir::TypedAttr highestValue(mlir::Type type, bool isUnsigned);
mlir::TypedAttr numberAttr(mlir::Type type, double value);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_SCALARS_H
