//===- Polynomials.h - Elementary functions as arithmetic -*- C++ -*-===//
//
// Branch-free code for f32 scalars and vectors: a loop over scalars stays one
// that LLVM's vectoriser takes. None of it needs a library.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_POLYNOMIALS_H
#define ONNXC_COMPILER_CODEGEN_CPU_POLYNOMIALS_H

#include "mlir/IR/Builders.h"

namespace onnxc {

/// Each takes and gives an f32 or a vector of f32. NaN, the infinities and the
/// ends of the range come out as IEEE 754 has them; a denormal result of exp
/// and exp2 is 0.
mlir::Value expandExp(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandExp2(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandExpM1(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandLog(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandLog2(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandLog1p(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandTanh(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandErf(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandRound(mlir::OpBuilder &, mlir::Location, mlir::Value);
/// Within six units in the last place.
mlir::Value expandApproximateTanh(mlir::OpBuilder &, mlir::Location,
                                  mlir::Value);
mlir::Value expandApproximateErf(mlir::OpBuilder &, mlir::Location,
                                 mlir::Value);

/// Beyond 4.2e8, where neighbouring floats are 32 apart, the argument's
/// reduction loses digits; the result is still within [-1, 1].
mlir::Value expandSin(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandCos(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandTan(mlir::OpBuilder &, mlir::Location, mlir::Value);

// Angles.cpp
mlir::Value expandAtan(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandAsin(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandAcos(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandAcosh(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandAsinh(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandAtanh(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandCosh(mlir::OpBuilder &, mlir::Location, mlir::Value);
mlir::Value expandSinh(mlir::OpBuilder &, mlir::Location, mlir::Value);

/// x^y, with the special cases of C's pow.
mlir::Value expandPow(mlir::OpBuilder &, mlir::Location, mlir::Value x,
                      mlir::Value y);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_POLYNOMIALS_H
