//===- Epilogue.h - What happens to a finished accumulator ------*- C++ -*-===//
//
// Clones the scalar ops of a kernel's epilogue region onto vectors of
// channels and stores what they yield.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_EPILOGUE_H
#define ONNXC_COMPILER_CODEGEN_CPU_EPILOGUE_H

#include "compiler/codegen/cpu/Code.h"
#include "compiler/codegen/cpu/KernelEmitter.h"

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/IRMapping.h"

namespace onnxc {

/// A displacement of `delta` along one dim of the output.
struct Step {
  unsigned dim;
  int64_t delta;
};
/// Where an accumulator lies relative to its tile's first row.
using RowSteps = llvm::SmallVector<Step, 2>;

/// Clones the ops of `block`, which are on scalars, onto vectors: `mapping` has
/// its arguments' vectors, and those of the results afterwards.
void cloneOnVectors(Code &code, mlir::Block &block, mlir::IRMapping &mapping,
                    int64_t lanes);
/// The constants of `block` as vectors.
void mapConstants(Code &code, mlir::Block &block, mlir::IRMapping &mapping,
                  int64_t lanes);
/// Fails, with the reason in `reason`, where an op of `block` is not on
/// scalars.
mlir::LogicalResult checkScalars(mlir::Block &block, std::string &reason);

/// The epilogue of one contraction.
class Epilogue {
public:
  /// `operands` and `scalars` are those of the epilogue alone, `output` the
  /// init's view.
  Epilogue(mlir::Block *block, mlir::ArrayAttr maps,
           llvm::ArrayRef<BufferView> operands,
           llvm::ArrayRef<mlir::Value> scalars, BufferView output);

  /// Fails, with the reason in `reason`, where an op or a view cannot be
  /// written as vectors.
  mlir::LogicalResult check(std::string &reason) const;

  /// Whether rows of all leading dims can be counted as one: every operand
  /// either has none of those dims or is laid out as the output is.
  /// `contiguous[i]` says whether operand i has no gaps.
  bool rowsFlatten(llvm::ArrayRef<bool> contiguous) const;

  /// Applies the epilogue to a tile and stores it. `position` is that of the
  /// tile's first row and first channel in the output; accumulators[r *
  /// vectors + j] belongs to row r and channels j * lanes.... `masks[j]` (may
  /// be null) are the channels that exist.
  void store(Code &code, llvm::ArrayRef<Index> position,
             llvm::ArrayRef<RowSteps> rows,
             llvm::ArrayRef<mlir::Value> accumulators,
             llvm::ArrayRef<mlir::Value> masks, int64_t lanes) const;

private:
  mlir::Block *block;
  llvm::SmallVector<mlir::AffineMap> maps;
  llvm::SmallVector<BufferView> operands;
  llvm::SmallVector<mlir::Value> scalars;
  BufferView output;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_EPILOGUE_H
