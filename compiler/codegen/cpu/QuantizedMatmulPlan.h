//===- QuantizedMatmulPlan.h - How quantized products divide ----*- C++ -*-===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_QUANTIZEDMATMULPLAN_H
#define ONNXC_COMPILER_CODEGEN_CPU_QUANTIZEDMATMULPLAN_H

#include "compiler/codegen/cpu/MicroKernel.h"
#include "compiler/codegen/cpu/Target.h"
#include "dialects/kernel/KernelDialect.h"

#include <optional>

namespace onnxc {

/// The op's operands by what they are.
struct QuantizedMatmulOperands {
  QuantizedMatmulOperands(kernel::QuantizedMatmulOp op,
                          llvm::ArrayRef<BufferView> views)
      : lhs(views[0]), weights(views[1]), scales(views[2]),
        output(views.back()) {
    if (op.getZeroPoints())
      zeroPoints = views[3];
  }
  static size_t beforeEpilogue(kernel::QuantizedMatmulOp op) {
    return op.getZeroPoints() ? 4 : 3;
  }

  BufferView lhs, weights, scales, output;
  std::optional<BufferView> zeroPoints;
};

/// How one product divides.
struct QuantizedMatmulPlan {
  QuantizedMatmulPlan(Code &code, kernel::QuantizedMatmulOp op,
                      const QuantizedMatmulOperands &operands, bool flat,
                      const Target &target);

  bool flat; ///< all leading dims count as rows
  Index rows, columns;
  TileSize tile;
  int64_t lanes;
  RowTiling rowTiling;
  ColumnTiling columnTiling;
  int64_t columnBlocks = 1;  ///< of a unit
  int64_t tilesPerBlock = 1; ///< row tiles of a unit
  /// Steps of k that several rows unpack at a time: whole blocks, or an even
  /// part of one.
  int64_t passDepth;
  Index columnGroups, rowBlocks, batches;

  int64_t tileColumns() const { return tile.vectors * lanes; }
  int64_t unitColumns() const { return columnBlocks * tileColumns(); }
  Index units(Code &code) const {
    return code.multiply(code.multiply(batches, rowBlocks), columnGroups);
  }
};

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_QUANTIZEDMATMULPLAN_H
