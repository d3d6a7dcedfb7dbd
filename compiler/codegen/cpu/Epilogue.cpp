//===- Epilogue.cpp - What happens to a finished accumulator --------------===//

#include "compiler/codegen/cpu/Epilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace onnxc;

Epilogue::Epilogue(Block *block, ArrayAttr mapAttributes,
                   ArrayRef<BufferView> operands, ArrayRef<Value> scalars,
                   BufferView output)
    : block(block), operands(operands), scalars(scalars),
      output(std::move(output)) {
  for (AffineMap map : mapAttributes.getAsValueRange<AffineMapAttr>())
    maps.push_back(map);
}

/// The operand dim that runs along the output's channels, if any.
static std::optional<unsigned> channelDim(AffineMap map) {
  for (auto [position, expr] : llvm::enumerate(map.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      if (dim.getPosition() == map.getNumDims() - 1)
        return position;
  return std::nullopt;
}

LogicalResult onnxc::checkScalars(Block &block, std::string &reason) {
  for (Operation &op : block.without_terminator()) {
    bool scalars = op.getNumRegions() == 0 && op.getNumResults() == 1 &&
                   op.getResult(0).getType().isIntOrFloat();
    if (!scalars) {
      reason = "its region has an operation that is not on scalars: " +
               op.getName().getStringRef().str();
      return failure();
    }
  }
  return success();
}

LogicalResult Epilogue::check(std::string &reason) const {
  return checkScalars(*block, reason);
}

void onnxc::mapConstants(Code &code, Block &block, IRMapping &mapping,
                         int64_t lanes) {
  for (auto constant : block.getOps<arith::ConstantOp>()) {
    VectorType type = code.vectorType(constant.getType(), lanes);
    mapping.map(
        constant.getResult(),
        arith::ConstantOp::create(
            code.builder, code.loc,
            DenseElementsAttr::get(type, Attribute(constant.getValue())))
            .getResult());
  }
}

void onnxc::cloneOnVectors(Code &code, Block &block, IRMapping &mapping,
                           int64_t lanes) {
  for (Operation &op : block.without_terminator()) {
    if (isa<arith::ConstantOp>(op))
      continue;
    for (Value operand : op.getOperands())
      if (!mapping.contains(operand))
        mapping.map(operand, code.splat(operand, lanes));
    Operation *clone = code.builder.clone(op, mapping);
    clone->setLoc(code.loc);
    Value result = clone->getResult(0);
    result.setType(code.vectorType(result.getType(), lanes));
  }
}

bool Epilogue::rowsFlatten(ArrayRef<bool> contiguous) const {
  for (auto [map, whole] : llvm::zip_equal(maps, contiguous)) {
    if (map.isIdentity() && whole)
      continue;
    for (AffineExpr expr : map.getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        if (dim.getPosition() + 1 != map.getNumDims())
          return false;
  }
  return true;
}

/// The element of `view` at the output position `position`.
static Index offsetAt(Code &code, const BufferView &view, AffineMap map,
                      ArrayRef<Index> position) {
  Index offset = code.constant(0);
  for (auto [expr, stride] : llvm::zip_equal(map.getResults(), view.strides))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      offset =
          code.add(offset, code.multiply(position[dim.getPosition()], stride));
  return offset;
}

/// How far `row` is from the tile's first row.
static Index rowOffset(Code &code, const BufferView &view, AffineMap map,
                       const RowSteps &row) {
  Index offset = code.constant(0);
  for (const Step &step : row)
    for (auto [expr, stride] : llvm::zip_equal(map.getResults(), view.strides))
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        if (dim.getPosition() == step.dim)
          offset = code.add(offset, code.multiply(stride, step.delta));
  return offset;
}

static bool isSameOffset(Index a, Index b) {
  if (auto x = Code::known(a))
    return x == Code::known(b);
  return a == b;
}

void Epilogue::store(Code &code, ArrayRef<Index> position,
                     ArrayRef<RowSteps> rows, ArrayRef<Value> accumulators,
                     ArrayRef<Value> masks, int64_t lanes) const {
  AffineMap identity = code.builder.getMultiDimIdentityMap(position.size());
  Value outputTile = code.address(output.pointer, output.elementType,
                                  offsetAt(code, output, identity, position));

  // Constants and scalars, once a tile.
  IRMapping shared;
  mapConstants(code, *block, shared, lanes);
  SmallVector<Value> bases;
  for (size_t i = 0; i < operands.size(); ++i) {
    const BufferView &view = operands[i];
    if (!view.pointer) {
      shared.map(block->getArgument(i + 1), code.splat(scalars[i], lanes));
      bases.push_back({});
      continue;
    }
    bases.push_back(code.address(view.pointer, view.elementType,
                                 offsetAt(code, view, maps[i], position)));
  }

  // What the previous row read, per operand and vector: rows of one bias are
  // all the same.
  int64_t vectors = masks.size();
  struct Read {
    Index offset;
    Value value;
  };
  SmallVector<Read> previous(operands.size() * vectors);
  for (auto [r, row] : llvm::enumerate(rows)) {
    Index outputRow = rowOffset(code, output, identity, row);
    SmallVector<Index> operandRows;
    for (size_t i = 0; i < operands.size(); ++i)
      operandRows.push_back(
          bases[i] ? rowOffset(code, operands[i], maps[i], row) : Index());
    for (int64_t j = 0; j < vectors; ++j) {
      IRMapping mapping = shared;
      mapping.map(block->getArgument(0), accumulators[r * vectors + j]);
      for (size_t i = 0; i < operands.size(); ++i) {
        if (!bases[i])
          continue;
        auto dim = channelDim(maps[i]);
        bool alongChannels = dim.has_value();
        Index stride = dim ? operands[i].strides[*dim] : Index();
        Read &read = previous[i * vectors + (alongChannels ? j : 0)];
        if (!read.value || !isSameOffset(read.offset, operandRows[i])) {
          read.offset = operandRows[i];
          Type element = operands[i].elementType;
          if (alongChannels)
            read.value = code.loadVector(
                bases[i], element,
                code.add(operandRows[i], code.multiply(stride, j * lanes)),
                lanes, masks[j], stride);
          else
            read.value = code.splat(
                code.loadScalar(bases[i], element, operandRows[i]), lanes);
        }
        mapping.map(block->getArgument(i + 1), read.value);
      }
      cloneOnVectors(code, *block, mapping, lanes);
      Value yielded = mapping.lookup(block->getTerminator()->getOperand(0));
      Index stride = output.strides.back();
      code.storeVector(yielded, outputTile,
                       code.add(outputRow, code.multiply(stride, j * lanes)),
                       masks[j], stride);
    }
  }
}
