//===- MicroKernel.h - The register tile of a contraction -------*- C++ -*-===//
//
// What matrix products and convolutions share: how rows and columns divide
// into register tiles, and the loops that accumulate one tile.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_MICROKERNEL_H
#define ONNXC_COMPILER_CODEGEN_CPU_MICROKERNEL_H

#include "compiler/codegen/cpu/Code.h"
#include "compiler/codegen/cpu/KernelEmitter.h"

namespace onnxc {

/// Rows and vectors of a register tile.
struct TileSize {
  int64_t rows;
  int64_t vectors;
};

/// `wanted` made to fit the target and, for packed weights, whole panels, an
/// even part of one, or all columns. Null rows and vectors: the target's usual
/// tile.
TileSize fitTile(TileSize wanted, const Target &target, bool packed,
                 Index columns = {});

/// A run of `count` rows in tiles of at most `rows`. A static count gives
/// balanced tiles (49 in 13, 12, 12, 12), a dynamic one full tiles and a tail:
/// one tile, of code for each size, or, as that is much code, several whose
/// sizes are powers of two.
class RowTiling {
public:
  enum class Tail { OneTile, PowersOfTwo };

  RowTiling(Code &code, Index count, int64_t rows);

  /// Number of tiles; a dynamic tail counts as one.
  Index tiles;

  /// The first row of a tile.
  Index start(Code &code, Index tile) const;

  /// Writes tiles [first, last): `body(start, rows)`.
  void emit(Code &code, Index first, Index last,
            llvm::function_ref<void(Index, int64_t)> body,
            Tail tail = Tail::PowersOfTwo) const;
  void emit(Code &code, llvm::function_ref<void(Index, int64_t)> body) const {
    emit(code, code.constant(0), tiles, body);
  }

private:
  Index count;
  int64_t rows; ///< of the large tiles
  int64_t largeTiles = 0, smallTiles = 0;
};

/// The columns of one block: `vectors` registers of `lanes`, of which those
/// with a mask are cut short.
struct ColumnBlock {
  llvm::SmallVector<mlir::Value> masks; ///< one per vector, null: all lanes
  /// Whether the last of several vectors is known to need half its lanes.
  bool halfLast = false;
  int64_t vectors() const { return static_cast<int64_t>(masks.size()); }
};

/// `count` columns in blocks of `vectors` registers.
class ColumnTiling {
public:
  ColumnTiling(Code &code, Index count, int64_t vectors, int64_t lanes);

  Index blocks;

  /// Writes what block number `block` is; a tail block gets code of its own.
  void emit(Code &code, Index block,
            llvm::function_ref<void(const ColumnBlock &)> body) const;

private:
  Index count;
  int64_t vectors, lanes;
};

/// How a contraction's weights lie: in panels of panelWidth columns, or as
/// plain rows of columns.
struct WeightColumns {
  bool packed;
  Index panelStride;  ///< of packed weights
  Index columnStride; ///< of plain weights
  int64_t vectors, lanes;
  bool paired = false; ///< two rows of a panel alternate

  /// Displacement of column block `block`.
  Index block(Code &code, Index block) const;
  /// Displacement of vector `vector` within a block.
  Index vector(Code &code, int64_t vector) const;
  /// Elements from the first column of a panel to the next ones.
  int64_t columnStep() const { return paired ? 2 : 1; }
  /// How far ahead of row tile `tile`'s weights to prefetch: into the next
  /// block, each row tile another panel of it. Null where it does not pay.
  Index prefetchDistance(Code &code, Index tile) const;
};

/// One loop of the reduction: per step, how far the operands move.
struct ReductionLoop {
  Index count;
  Index lhsStride;
  Index rhsStride;
};

/// The operands of one register tile.
struct ContractionTile {
  mlir::Value lhs; ///< first row, first tap
  mlir::Type lhsElement;
  llvm::SmallVector<Index> lhsRows; ///< displacement of each row
  mlir::Value rhs;                  ///< first vector, first tap
  mlir::Type rhsElement;
  llvm::SmallVector<Index> rhsVectors; ///< displacement of each vector
  Index rhsColumnStride;               ///< null: one
  /// Whether the elements of two steps alternate in rhs; integers only.
  bool rhsPaired = false;
  /// What the sums are of: f32 (null), to which the operands are brought, or
  /// f64, which both operands then are of.
  mlir::Type sumElement;
  /// Lanes of each vector that may be read (null: all).
  llvm::SmallVector<mlir::Value> rhsMasks;
  /// Whether only the lower half of the last vector counts: two rows then
  /// share a register there.
  bool halfLast = false;
  /// How far ahead of `rhs` the weights to prefetch lie; null: none.
  Index prefetchDistance;
};

/// Joins adjacent loops that walk both operands without a gap.
llvm::SmallVector<ReductionLoop> joinLoops(Code &code,
                                           llvm::ArrayRef<ReductionLoop> loops);

/// Writes `sum over loops of lhs[row] * rhs[vector]`: rows x vectors
/// accumulators, row-major, on top of `start` (empty: zeros; not with
/// tile.halfLast). The last loop is innermost.
llvm::SmallVector<mlir::Value>
emitContraction(Code &code, const ContractionTile &tile,
                llvm::ArrayRef<ReductionLoop> loops, int64_t lanes,
                llvm::ArrayRef<mlir::Value> start = {});

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_MICROKERNEL_H
