//===- PanelCopy.h - A panel of weights made at run time --------*- C++ -*-===//
//
// A matrix that only a run tells lies in rows: the columns of one register
// tile are a whole row apart from step to step, which leaves of each cache only
// a few sets to use. Where several row tiles read them, they are first
// copied to the stack, side by side, as constant weights are packed when
// compiling.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_PANELCOPY_H
#define ONNXC_COMPILER_CODEGEN_CPU_PANELCOPY_H

#include "compiler/codegen/cpu/MicroKernel.h"

namespace onnxc {

class PanelCopy {
public:
  /// Room for `depth` steps of `vectors` vectors.
  PanelCopy(Code &code, int64_t depth, int64_t vectors, int64_t lanes);

  /// Copies the columns that begin at `weights`, as f32: `loop.count` steps,
  /// `loop.rhsStride` apart. Lanes that masks hide become zero.
  void fill(mlir::Value weights, mlir::Type element, const ReductionLoop &loop,
            Index columnStride, const ColumnBlock &columns);

  /// Lets `tile` read the copy in place of what was copied.
  void use(ContractionTile &tile) const;
  /// `loop` over the copy.
  ReductionLoop over(const ReductionLoop &loop) const;

private:
  Code &code;
  int64_t vectors, lanes;
  mlir::Value memory; ///< [step, vector, lane]
};

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_PANELCOPY_H
