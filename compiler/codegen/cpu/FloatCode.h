//===- FloatCode.h - Writes arithmetic on floats ----------------*- C++ -*-===//
//
// For scalars and vectors alike, of f32 in the main.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_FLOATCODE_H
#define ONNXC_COMPILER_CODEGEN_CPU_FLOATCODE_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

namespace onnxc {

/// Writes arithmetic on values of one shape.
class FloatCode {
public:
  FloatCode(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type)
      : builder(builder), loc(loc), type(type) {}

  mlir::Value constant(double value) { return floatConstant(type, value); }
  mlir::Value doubleConstant(double value) {
    return floatConstant(withElement(builder.getF64Type()), value);
  }
  mlir::Value integer(int64_t value, unsigned bits = 32) {
    mlir::Type integers = withElement(builder.getIntegerType(bits));
    return splat(integers,
                 builder.getIntegerAttr(builder.getIntegerType(bits), value));
  }

  mlir::Value add(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::AddFOp>(a, b);
  }
  mlir::Value sub(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::SubFOp>(a, b);
  }
  mlir::Value mul(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::MulFOp>(a, b);
  }
  mlir::Value div(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::DivFOp>(a, b);
  }
  mlir::Value squareRoot(mlir::Value a) { return make<mlir::math::SqrtOp>(a); }
  mlir::Value floor(mlir::Value a) { return make<mlir::math::FloorOp>(a); }
  mlir::Value abs(mlir::Value a) { return make<mlir::math::AbsFOp>(a); }
  mlir::Value negate(mlir::Value a) { return make<mlir::arith::NegFOp>(a); }
  mlir::Value copySign(mlir::Value a, mlir::Value sign) {
    return make<mlir::math::CopySignOp>(a, sign);
  }

  /// a * b + c, in one instruction where the target has it; math.fma would be a
  /// library's where it has not.
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c) {
    auto vector = mlir::dyn_cast<mlir::VectorType>(a.getType());
    if (vector && vector.getRank() > 0)
      return make<mlir::vector::FMAOp>(a, b, c);
    auto contract = mlir::arith::FastMathFlags::contract;
    mlir::Value product =
        mlir::arith::MulFOp::create(builder, loc, a, b, contract);
    return mlir::arith::AddFOp::create(builder, loc, product, c, contract);
  }
  /// The polynomial with these coefficients, the highest first.
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> coefficients) {
    mlir::Value sum = constant(coefficients.front());
    for (double coefficient : coefficients.drop_front())
      sum = fma(sum, x, constant(coefficient));
    return sum;
  }

  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value a,
                      mlir::Value b) {
    return make<mlir::arith::CmpFOp>(predicate, a, b);
  }
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b) {
    return make<mlir::arith::SelectOp>(condition, a, b);
  }
  /// NaN stays NaN: the comparison is then false. One instruction on x86.
  mlir::Value atMost(mlir::Value x, double limit) {
    mlir::Value bound = constant(limit);
    return select(compare(mlir::arith::CmpFPredicate::OLT, bound, x), bound, x);
  }
  mlir::Value atLeast(mlir::Value x, double limit) {
    mlir::Value bound = constant(limit);
    return select(compare(mlir::arith::CmpFPredicate::OGT, bound, x), bound, x);
  }

  mlir::Value bits(mlir::Value a, unsigned width = 32) {
    return make<mlir::arith::BitcastOp>(
        withElement(builder.getIntegerType(width)), a);
  }
  mlir::Value fromBits(mlir::Value a) {
    return make<mlir::arith::BitcastOp>(type, a);
  }
  mlir::Value doubleFromBits(mlir::Value a) {
    return make<mlir::arith::BitcastOp>(withElement(builder.getF64Type()), a);
  }
  mlir::Value addInt(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::AddIOp>(a, b);
  }
  mlir::Value subInt(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::SubIOp>(a, b);
  }
  mlir::Value andInt(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::AndIOp>(a, b);
  }
  mlir::Value shiftLeft(mlir::Value a, int64_t by, unsigned bits = 32) {
    return make<mlir::arith::ShLIOp>(a, integer(by, bits));
  }
  mlir::Value shiftRightSigned(mlir::Value a, int64_t by) {
    return make<mlir::arith::ShRSIOp>(a, integer(by));
  }
  mlir::Value toFloat(mlir::Value integers) {
    return make<mlir::arith::SIToFPOp>(type, integers);
  }
  mlir::Value toDouble(mlir::Value a) {
    return make<mlir::arith::ExtFOp>(withElement(builder.getF64Type()), a);
  }
  mlir::Value fromDouble(mlir::Value a) {
    return make<mlir::arith::TruncFOp>(type, a);
  }
  mlir::Value narrow(mlir::Value integers) {
    return make<mlir::arith::TruncIOp>(withElement(builder.getI32Type()),
                                       integers);
  }
  mlir::Value both(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::AndIOp>(a, b);
  }
  mlir::Value isZero(mlir::Value integers) {
    return make<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::eq, integers,
                                     integer(0));
  }

private:
  template <typename Op, typename... Args> mlir::Value make(Args &&...args) {
    return Op::create(builder, loc, std::forward<Args>(args)...).getResult();
  }
  mlir::Type withElement(mlir::Type element) {
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(type))
      return vector.clone(element);
    return element;
  }
  mlir::Value splat(mlir::Type of, mlir::TypedAttr element) {
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(of))
      element = mlir::DenseElementsAttr::get(
          vector, mlir::cast<mlir::Attribute>(element));
    return mlir::arith::ConstantOp::create(builder, loc, element);
  }
  mlir::Value floatConstant(mlir::Type of, double value) {
    return splat(of,
                 builder.getFloatAttr(mlir::getElementTypeOrSelf(of), value));
  }

  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::Type type;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_FLOATCODE_H
