//===- EmitTransposed.cpp - Element-wise ops with a transposed input ------===//
//
// The output runs along one loop, an input along another: either order of
// loops alone touches a cache line per element. Square tiles are loaded by
// rows, transposed in registers by a network of shuffles, and stored by rows.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/LinalgEmitters.h"
#include "compiler/codegen/cpu/SquareTranspose.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace onnxc;

/// The parallel loop along which an input runs, if it is not the innermost
/// one; -1 when there is none, or two inputs differ.
static int transposedLoop(LinalgNest &nest) {
  int found = -1;
  unsigned row = nest.parallel - 1;
  for (unsigned i = 0; i < nest.inputs(); ++i) {
    Access &access = nest.accesses[i];
    if (access.scalar || Code::isKnown(access.strides[row], 0) ||
        Code::isKnown(access.strides[row], 1))
      continue;
    int along = -1;
    for (unsigned loop = 0; loop < row; ++loop)
      if (Code::isKnown(access.strides[loop], 1))
        along = loop;
    if (along < 0 || (found >= 0 && found != along))
      return -1;
    found = along;
  }
  return found;
}

static bool isTransposed(LinalgNest &nest, const Access &access) {
  Index stride = access.strides[nest.parallel - 1];
  return !access.scalar && !Code::isKnown(stride, 0) &&
         !Code::isKnown(stride, 1);
}

bool onnxc::canTranspose(LinalgNest &nest) {
  if (nest.hasReductions() || nest.parallel < 2 || !nest.isVectorizable() ||
      nest.readsIndices() || nest.accesses.size() != nest.inputs() + 1 ||
      nest.readsOutput(0) || nest.bodyCost() > 24 ||
      !Code::isKnown(nest.output().strides[nest.parallel - 1], 1))
    return false;
  int loop = transposedLoop(nest);
  if (loop < 0)
    return false;
  // Small squares waste most of their lanes.
  for (unsigned i : {static_cast<unsigned>(loop), nest.parallel - 1})
    if (auto size = Code::known(nest.sizes[i]); size && *size < 8)
      return false;
  return llvm::all_of(nest.accesses, [](const Access &access) {
    return access.scalar || memoryType(access.element).isIntOrFloat();
  });
}

static int64_t tileLanes(const Target &target) {
  return target.vectorBits >= 512 ? 16 : 8;
}

/// A unit: a row of tiles, all other loops fixed.
Units onnxc::transposedUnits(Code &code, LinalgNest &nest,
                             const Target &target) {
  Units units;
  unsigned row = nest.parallel - 1, along = transposedLoop(nest);
  int64_t lanes = tileLanes(target);
  units.count = code.ceilDivide(nest.sizes[along], lanes);
  for (unsigned loop = 0; loop < row; ++loop)
    if (loop != along)
      units.count = code.multiply(units.count, nest.sizes[loop]);
  units.cost = lanes * Code::known(nest.sizes[row]).value_or(256);
  return units;
}

namespace {
/// Tiles of `lanes` positions of loop `along` by `lanes` of loop `row`.
class TileWriter {
public:
  TileWriter(Code &code, LinalgNest &nest, KernelBody &body)
      : lanes(tileLanes(body.target)), row(nest.parallel - 1),
        along(transposedLoop(nest)), code(code), nest(nest),
        writer(code, nest, body.operands, body.scalars, lanes,
               /*laneLoop=*/-1) {}

  /// Writes the tile at `pointers`. Of the two loops, `alongLeft` and
  /// `rowLeft` positions are inside; null: the whole tile is.
  void write(ArrayRef<Value> pointers, Index alongLeft, Index rowLeft) {
    Block *block = nest.op.getBlock();
    unsigned output = nest.inputs();
    // By operand: the tile's vectors along the row.
    SmallVector<SmallVector<Value>> columns(nest.inputs());
    for (unsigned i = 0; i < nest.inputs(); ++i) {
      Access &access = nest.accesses[i];
      if (!isTransposed(nest, access) || block->getArgument(i).use_empty())
        continue;
      for (int64_t p = 0; p < lanes; ++p)
        columns[i].push_back(loadVector(
            access, advance(code, access, pointers[i], row, code.constant(p)),
            mask(alongLeft, rowLeft, p)));
      transposeInRegisters(code, columns[i]);
    }
    for (int64_t q = 0; q < lanes; ++q) {
      Value rowMask = mask(rowLeft, alongLeft, q);
      SmallVector<Value> arguments;
      for (unsigned i = 0; i < nest.inputs(); ++i) {
        Access &access = nest.accesses[i];
        if (block->getArgument(i).use_empty()) {
          arguments.push_back(Value());
        } else if (access.scalar) {
          arguments.push_back(code.splat(access.scalar, lanes));
        } else if (!columns[i].empty()) {
          arguments.push_back(asElements(access.element, columns[i][q]));
        } else if (Code::isKnown(access.strides[row], 0)) {
          // Never past the end: there is at least one position.
          Index position = code.constant(q);
          if (alongLeft)
            position = code.minimum(position,
                                    code.subtract(alongLeft, code.constant(1)));
          Value scalar = loadElement(
              code, advance(code, access, pointers[i], along, position),
              access.element, code.constant(0));
          arguments.push_back(code.splat(scalar, lanes));
        } else {
          arguments.push_back(loadElement(
              code, advance(code, access, pointers[i], along, code.constant(q)),
              access.element, code.constant(0), lanes, rowMask));
        }
      }
      arguments.push_back(Value());
      Value result = writer.write(arguments, {})[0];
      Access &access = nest.accesses[output];
      storeElement(
          code, result,
          advance(code, access, pointers[output], along, code.constant(q)),
          access.element, code.constant(0), rowMask);
    }
  }

  int64_t lanes;
  unsigned row, along;

private:
  /// Lanes along a loop with `left` positions, none when `position` of the
  /// other loop, with `otherLeft`, is outside.
  Value mask(Index left, Index otherLeft, int64_t position) {
    if (!left)
      return {};
    Value inside = arith::CmpIOp::create(
        code.builder, code.loc, arith::CmpIPredicate::slt,
        code.value(code.constant(position)), code.value(otherLeft));
    Value count = arith::SelectOp::create(
        code.builder, code.loc, inside,
        code.value(code.minimum(left, code.constant(lanes))),
        code.value(code.constant(0)));
    return code.laneMask(count, lanes);
  }

  /// Elements as memory has them: a bool is shuffled as a byte.
  Value loadVector(const Access &access, Value pointer, Value mask) {
    return code.loadVector(pointer, memoryType(access.element),
                           code.constant(0), lanes, mask);
  }

  Value asElements(Type element, Value vector) {
    if (!element.isInteger(1))
      return vector;
    return arith::CmpIOp::create(code.builder, code.loc,
                                 arith::CmpIPredicate::ne, vector,
                                 code.zeros(memoryType(element), lanes));
  }

  Code &code;
  LinalgNest &nest;
  BodyWriter writer;
};
} // namespace

void onnxc::emitTransposed(Code &code, LinalgNest &nest, KernelBody &body) {
  TileWriter tile(code, nest, body);
  unsigned row = tile.row, along = tile.along;
  Index bands = code.ceilDivide(nest.sizes[along], tile.lanes);
  code.loop(body.begin, body.end, 1, [&](Index unit) {
    // The band changes fastest.
    SmallVector<Index> ivs(nest.parallel, code.constant(0));
    Index rest = code.divide(unit, bands);
    Index start = code.multiply(code.remainder(unit, bands), tile.lanes);
    ivs[along] = start;
    SmallVector<unsigned> others;
    for (unsigned loop = 0; loop < row; ++loop)
      if (loop != along)
        others.push_back(loop);
    while (!others.empty()) {
      unsigned loop = others.pop_back_val();
      if (others.empty()) {
        ivs[loop] = rest;
        break;
      }
      ivs[loop] = code.remainder(rest, nest.sizes[loop]);
      rest = code.divide(rest, nest.sizes[loop]);
    }
    SmallVector<Value> pointers = pointersAt(code, nest, ivs, row);
    auto at = [&](Index position) {
      SmallVector<Value> moved;
      for (auto [access, pointer] : llvm::zip(nest.accesses, pointers))
        moved.push_back(advance(code, access, pointer, row, position));
      return moved;
    };
    Index alongLeft = code.subtract(nest.sizes[along], start);
    Index rowSize = nest.sizes[row];
    Index wholeRow =
        code.multiply(code.divide(rowSize, tile.lanes), tile.lanes);
    Index partialFrom = code.constant(0);
    // Whole tiles need the whole band.
    code.branch(
        code.less(alongLeft, code.constant(tile.lanes)), [] {},
        [&] {
          code.loop(code.constant(0), wholeRow, tile.lanes,
                    [&](Index position) {
                      tile.write(at(position), Index(), Index());
                    });
        });
    if (auto left =
            Code::known(code.less(alongLeft, code.constant(tile.lanes)));
        left) {
      partialFrom = *left ? partialFrom : wholeRow;
    } else {
      partialFrom =
          arith::SelectOp::create(
              code.builder, code.loc,
              cast<Value>(code.less(alongLeft, code.constant(tile.lanes))),
              code.value(partialFrom), code.value(wholeRow))
              .getResult();
    }
    code.loop(partialFrom, rowSize, tile.lanes, [&](Index position) {
      tile.write(at(position), alongLeft, code.subtract(rowSize, position));
    });
  });
}
