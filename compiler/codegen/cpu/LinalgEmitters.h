//===- LinalgEmitters.h - The ways to write a linalg op ---------*- C++ -*-===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_LINALGEMITTERS_H
#define ONNXC_COMPILER_CODEGEN_CPU_LINALGEMITTERS_H

#include "compiler/codegen/cpu/LinalgNest.h"

namespace onnxc {

/// How the parallel loops of a nest divide into units of work.
struct Units {
  unsigned loops = 0; ///< the outermost loops, which a unit has fixed
  int64_t chunk = 0;  ///< not 0: a unit is this many iterations of loop 0
  Index count;
  int64_t cost = 1; ///< elements per unit
};

/// Units that leave the `inner` innermost parallel loops whole.
Units divideLoops(Code &code, const LinalgNest &nest, unsigned inner);

/// The pointer after `position` steps of `loop`; null stays null.
mlir::Value advance(Code &code, const Access &access, mlir::Value pointer,
                    unsigned loop, Index position);

/// Each operand's pointer at the positions `ivs` of the first `loops` loops;
/// null stays null.
llvm::SmallVector<mlir::Value> pointersAt(Code &code, LinalgNest &nest,
                                          llvm::ArrayRef<Index> ivs,
                                          unsigned loops);

/// Loops over units [begin, end), or, for chunks, calls `body` once. `body`
/// gets the positions of the units' loops and each operand's pointer there.
void forEachUnit(Code &code, LinalgNest &nest, const Units &units, Index begin,
                 Index end,
                 llvm::function_ref<void(llvm::SmallVector<Index>,
                                         llvm::SmallVector<mlir::Value>)>
                     body);

/// Reductions along strided loops: vectors of neighbouring results, their
/// accumulators in registers.
bool canReduceAcrossRows(LinalgNest &nest);
Units acrossRowsUnits(Code &code, LinalgNest &nest);
void emitAcrossRows(Code &code, LinalgNest &nest, KernelBody &body);

/// Reductions along contiguous loops: vectors of partial results.
bool canReduceAlongRows(LinalgNest &nest);
void emitAlongRows(Code &code, LinalgNest &nest, KernelBody &body);

/// Element-wise ops with an input that runs along another loop than the
/// output: square tiles, transposed in registers.
bool canTranspose(LinalgNest &nest);
Units transposedUnits(Code &code, LinalgNest &nest, const Target &target);
void emitTransposed(Code &code, LinalgNest &nest, KernelBody &body);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_LINALGEMITTERS_H
