//===- QuantizedMatmulPlan.cpp - How kernel.quantized_matmul divides ------===//

#include "compiler/codegen/cpu/QuantizedMatmulPlan.h"
#include "compiler/codegen/cpu/KernelFamilies.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace onnxc;

/// The product of the dims [first, last) of the output.
static Index countOf(Code &code, const BufferView &output, int64_t first,
                     int64_t last) {
  Index count = code.constant(1);
  for (int64_t dim = first; dim < last; ++dim)
    count = code.multiply(count, output.sizes[dim]);
  return count;
}

static int64_t pickPassDepth(kernel::QuantizedMatmulOp op) {
  // With a column block of 16 floats half of the nearest cache.
  constexpr int64_t most = 256;
  int64_t block = op.getBlock();
  if (block <= most)
    return most / block * block;
  int64_t depth = most;
  while (op.blocks() > 1 && block % depth != 0)
    depth -= op.stepsPerWord();
  return depth;
}

QuantizedMatmulPlan::QuantizedMatmulPlan(
    Code &code, kernel::QuantizedMatmulOp op,
    const QuantizedMatmulOperands &operands, bool flat, const Target &target)
    : flat(flat),
      rows(countOf(code, operands.output, flat ? 0 : operands.output.rank() - 2,
                   operands.output.rank() - 1)),
      columns(operands.output.sizes.back()),
      tile(fitTile({0, 0}, target, /*packed=*/true, columns)),
      lanes(target.f32Lanes()), rowTiling(code, rows, tile.rows),
      columnTiling(code, columns, tile.vectors, lanes),
      passDepth(pickPassDepth(op)),
      batches(countOf(code, operands.output, 0,
                      flat ? 0 : operands.output.rank() - 2)) {
  // Several column blocks share what a pass reads of lhs; threads share units.
  constexpr int64_t wantedColumns = 64, leastUnits = 8, stackBytes = 64 * 1024;
  int64_t all = *Code::known(columnTiling.blocks);
  columnBlocks = std::clamp<int64_t>(
      all / leastUnits, 1, std::max<int64_t>(wantedColumns / tileColumns(), 1));
  columnGroups = code.constant(llvm::divideCeil(all, columnBlocks));
  int64_t floatBytes = sizeof(float);
  tilesPerBlock = std::clamp<int64_t>(
      tilesPerUnit(target, rowTiling.tiles, tile.rows * passDepth * floatBytes),
      1,
      std::max<int64_t>(stackBytes / (tile.rows * unitColumns() * floatBytes),
                        1));
  rowBlocks = code.ceilDivide(rowTiling.tiles, tilesPerBlock);
}
