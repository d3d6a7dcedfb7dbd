//===- PanelCopy.cpp - A panel of weights made at run time ----------------===//

#include "compiler/codegen/cpu/PanelCopy.h"

using namespace mlir;
using namespace onnxc;

PanelCopy::PanelCopy(Code &code, int64_t depth, int64_t vectors, int64_t lanes)
    : code(code), vectors(vectors), lanes(lanes),
      memory(code.stackMemory(code.builder.getF32Type(),
                              depth * vectors * lanes)) {}

void PanelCopy::fill(Value weights, Type element, const ReductionLoop &loop,
                     Index columnStride, const ColumnBlock &columns) {
  code.loop(code.constant(0), loop.count, 1, [&](Index step) {
    Value from =
        code.address(weights, element, code.multiply(step, loop.rhsStride));
    Value to = code.address(memory, code.builder.getF32Type(),
                            code.multiply(step, vectors * lanes));
    for (auto [vector, mask] : llvm::enumerate(columns.masks)) {
      auto column = static_cast<int64_t>(vector) * lanes;
      Value x =
          code.loadVector(from, element, code.multiply(columnStride, column),
                          lanes, mask, columnStride);
      code.storeVector(code.toF32(x), to, code.constant(column));
    }
  });
}

void PanelCopy::use(ContractionTile &tile) const {
  tile.rhs = memory;
  tile.rhsElement = code.builder.getF32Type();
  tile.rhsColumnStride = {};
  for (auto [vector, offset] : llvm::enumerate(tile.rhsVectors))
    offset = code.constant(static_cast<int64_t>(vector) * lanes);
  for (Value &mask : tile.rhsMasks)
    mask = {};
}

ReductionLoop PanelCopy::over(const ReductionLoop &loop) const {
  return {loop.count, loop.lhsStride, code.constant(vectors * lanes)};
}
