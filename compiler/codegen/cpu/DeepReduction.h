//===- DeepReduction.h - A contraction in passes over its depth -*- C++ -*-===//
//
// A deep reduction goes in passes, so that a pass's weights stay in the nearest
// cache and all rows in the second one; a unit of work is then several column
// blocks, whose sums wait on the stack:
//
//   for each pass over the depth
//     for each column block of the unit
//       for each row tile        sums += lhs x rhs
//   for each row, each column block
//                                output = epilogue(sums)
//
// In one go a block of rows would have to be small, or its inputs would come
// from the third cache, once for each column block.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_DEEPREDUCTION_H
#define ONNXC_COMPILER_CODEGEN_CPU_DEEPREDUCTION_H

#include "compiler/codegen/cpu/MicroKernel.h"
#include "compiler/codegen/cpu/Target.h"

namespace onnxc {

/// How a contraction goes in passes.
struct DeepReduction {
  /// Steps of the innermost reduction loop in a pass; 0: the contraction goes
  /// in one.
  int64_t passDepth = 0;
  /// Column blocks of a unit.
  int64_t blocks = 1;

  explicit operator bool() const { return passDepth != 0; }

  /// Tiles of a unit, of which `wanted` would fit the caches: their sums must
  /// fit on the stack of any thread.
  int64_t tilesPerUnit(int64_t wanted, const TileSize &tile,
                       int64_t lanes) const;
};

/// Passes pay where the reduction, `depth` steps of which `innermost` are in
/// its last loop, is deep, and rows (null where unknown) are so many that the
/// weights, packed, in `columnBlocks` of the tile's width, are read several
/// times.
DeepReduction planPasses(const Target &target, const TileSize &tile, Index rows,
                         Index depth, Index innermost, Index columnBlocks);

/// Passes for a few rows, one tile, and weights that lie in rows and are read
/// once: each takes some rows of weights, along which the caches fetch ahead.
/// In one go a block of columns would be a piece of every row.
DeepReduction planStreaming(const Target &target, const TileSize &tile,
                            int64_t rows, Index columnBlocks);

/// One pass: the operands' displacements, and what is left of the reduction.
struct ReductionPass {
  Index lhsOffset, rhsOffset;
  ReductionLoop loop;
};

/// Writes the passes over `loops`: the last one in parts of `passDepth` steps.
void eachPass(Code &code, llvm::ArrayRef<ReductionLoop> loops,
              int64_t passDepth,
              llvm::function_ref<void(const ReductionPass &)> body);

/// The sums of a unit between passes: rows of `columns`, on the stack.
class WaitingSums {
public:
  WaitingSums(Code &code, int64_t rows, int64_t columns, int64_t lanes);

  /// Zeros for the first `rows` rows.
  void clear(Index rows);
  /// The sums of a tile whose first one is at (row, column): `rows` x
  /// `vectors`, row-major.
  llvm::SmallVector<mlir::Value> load(Index row, Index column, int64_t rows,
                                      int64_t vectors);
  void store(Index row, Index column, int64_t vectors,
             llvm::ArrayRef<mlir::Value> sums);

private:
  mlir::Value at(Index row, Index column);
  Index offset(int64_t sum, int64_t vectors);

  Code &code;
  int64_t columns, lanes;
  mlir::Value memory;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_DEEPREDUCTION_H
