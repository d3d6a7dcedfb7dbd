//===- Activations.h - Activation functions of scalars ----------*- C++ -*-===//
//
// Those that recurrent cells name, too; each as the operator of its name says.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_ACTIVATIONS_H
#define ONNXC_COMPILER_LOWER_ACTIVATIONS_H

#include "compiler/lower/Scalars.h"

namespace onnxc {

mlir::Value relu(Scalars &s, mlir::Value x);
/// x where it is not negative, otherwise alpha * x.
mlir::Value leakyRelu(Scalars &s, mlir::Value x, mlir::Value alpha);
/// x where it is greater than alpha, otherwise 0.
mlir::Value thresholdedRelu(Scalars &s, mlir::Value x, mlir::Value alpha);
/// x where it is not negative, otherwise alpha * (exp(x) - 1).
mlir::Value elu(Scalars &s, mlir::Value x, mlir::Value alpha);
/// alpha * x + beta, kept within 0 and 1.
mlir::Value hardSigmoid(Scalars &s, mlir::Value x, mlir::Value alpha,
                        mlir::Value beta);
/// max(x, 0) + log(1 + exp(-|x|))
mlir::Value softplus(Scalars &s, mlir::Value x);
mlir::Value softsign(Scalars &s, mlir::Value x);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_ACTIVATIONS_H
