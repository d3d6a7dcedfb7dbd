//===- SquareTranspose.h - Transposing in registers -------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_SQUARETRANSPOSE_H
#define ONNXC_COMPILER_CODEGEN_CPU_SQUARETRANSPOSE_H

#include "compiler/codegen/cpu/Code.h"

namespace onnxc {

/// Swaps rows and columns of lanes x lanes elements, a power of two, by a
/// network of shuffles.
void transposeInRegisters(Code &code, llvm::MutableArrayRef<mlir::Value> rows);

/// A matrix of f32 in memory: `rows` rows, `columns` columns.
struct MatrixView {
  mlir::Value pointer;
  Index rows, columns;
  Index rowStride, columnStride;
};

/// Writes `to[column * toStride + row] = from[row][column]`, squares of `lanes`
/// in registers where columns are neighbours.
void copyTransposed(Code &code, const MatrixView &from, mlir::Value to,
                    int64_t toStride, int64_t lanes);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_SQUARETRANSPOSE_H
