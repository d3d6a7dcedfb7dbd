//===- IntegerTile.h - The register tile of integer products ----*- C++ -*-===//
//
// The counterpart of emitContraction for operands of 8 and 16 bits that are
// summed in 32: two steps of the reduction at a time, by pmaddwd where the
// target has it. That instruction is exact for 16-bit factors of less than
// full range, unlike pmaddubsw, which saturates.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_INTEGERTILE_H
#define ONNXC_COMPILER_CODEGEN_CPU_INTEGERTILE_H

#include "compiler/codegen/cpu/MicroKernel.h"

namespace onnxc {

struct Target;

/// Whether a contraction has operands that emitIntegerContraction takes: signed
/// integers of 8 or 16 bits.
bool isIntegerContraction(mlir::Type lhsElement, mlir::Type rhsElement);

/// Writes `sum over loops of lhs[row] * rhs[vector]` in i32: rows x vectors
/// accumulators, row-major. The last loop is innermost. The tile's `halfLast`
/// and prefetch distance are not used.
llvm::SmallVector<mlir::Value>
emitIntegerContraction(Code &code, const ContractionTile &tile,
                       llvm::ArrayRef<ReductionLoop> loops, int64_t lanes,
                       const Target &target);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_INTEGERTILE_H
