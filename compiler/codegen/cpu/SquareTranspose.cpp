//===- SquareTranspose.cpp - Transposing in registers ---------------------===//

#include "compiler/codegen/cpu/SquareTranspose.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace onnxc;

void onnxc::transposeInRegisters(Code &code, MutableArrayRef<Value> rows) {
  int64_t lanes = rows.size();
  for (int64_t step = 1; step < lanes; step *= 2) {
    SmallVector<int64_t> low(lanes), high(lanes);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      bool upper = lane & step;
      low[lane] = upper ? lanes + lane - step : lane;
      high[lane] = upper ? lanes + lane : lane + step;
    }
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & step)
        continue;
      Value a = rows[i], b = rows[i + step];
      rows[i] = vector::ShuffleOp::create(code.builder, code.loc, a, b, low);
      rows[i + step] =
          vector::ShuffleOp::create(code.builder, code.loc, a, b, high);
    }
  }
}

void onnxc::copyTransposed(Code &code, const MatrixView &from, Value to,
                           int64_t toStride, int64_t lanes) {
  Type f32 = code.builder.getF32Type();
  auto place = [&](Index row, Index column) {
    return code.add(code.multiply(row, from.rowStride),
                    code.multiply(column, from.columnStride));
  };
  auto copyElements = [&](Index firstRow, Index lastRow, Index firstColumn,
                          Index lastColumn) {
    code.loop(firstRow, lastRow, 1, [&](Index row) {
      code.loop(firstColumn, lastColumn, 1, [&](Index column) {
        Value x = code.loadScalar(from.pointer, f32, place(row, column));
        Index at = code.add(code.multiply(column, toStride), row);
        LLVM::StoreOp::create(code.builder, code.loc, x,
                              code.address(to, f32, at), sizeof(float));
      });
    });
  };
  Index zero = code.constant(0);
  if (!Code::isKnown(from.columnStride, 1) || lanes == 1) {
    copyElements(zero, from.rows, zero, from.columns);
    return;
  }
  auto whole = [&](Index size) {
    return code.multiply(code.divide(size, lanes), lanes);
  };
  Index squareRows = whole(from.rows), squareColumns = whole(from.columns);
  code.loop(zero, squareRows, lanes, [&](Index row) {
    code.loop(zero, squareColumns, lanes, [&](Index column) {
      SmallVector<Value> square;
      for (int64_t i = 0; i < lanes; ++i)
        square.push_back(code.loadVector(
            from.pointer, f32, place(code.add(row, code.constant(i)), column),
            lanes));
      transposeInRegisters(code, square);
      for (auto [i, vector] : llvm::enumerate(square)) {
        Index line = code.add(column, code.constant(i));
        code.storeVector(vector, to,
                         code.add(code.multiply(line, toStride), row));
      }
    });
    copyElements(row, code.add(row, code.constant(lanes)), squareColumns,
                 from.columns);
  });
  copyElements(squareRows, from.rows, zero, from.columns);
}
