//===- MicroKernel.cpp - The register tile of a contraction ---------------===//

#include "compiler/codegen/cpu/MicroKernel.h"

#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace onnxc;

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

TileSize onnxc::fitTile(TileSize wanted, const Target &target, bool packed,
                        Index columns) {
  if (wanted.rows <= 0 || wanted.vectors <= 0) {
    // Accumulators fill the registers but for one row of weights and, where
    // a broadcast cannot be folded into the multiply-add, one element.
    if (target.vectorRegisters >= 32)
      wanted = {14, 2};
    else if (target.vectorBits >= 256)
      wanted = {6, 2};
    else
      wanted = {4, 2};
  }
  int64_t lanes = target.f32Lanes();
  int64_t vectors = wanted.vectors;
  auto fits = [&] {
    int64_t width = vectors * lanes;
    auto all = Code::known(columns);
    return width % panelWidth == 0 || panelWidth % width == 0 ||
           (all && *all <= width);
  };
  while (packed && vectors > 1 && !fits())
    --vectors;
  // A tile that no register file holds would only be code.
  return {std::min<int64_t>(wanted.rows, 32), std::min<int64_t>(vectors, 8)};
}

RowTiling::RowTiling(Code &code, Index count, int64_t rows)
    : count(count), rows(rows) {
  auto fixed = Code::known(count);
  if (!fixed) {
    tiles = code.ceilDivide(count, rows);
    return;
  }
  int64_t number = llvm::divideCeil(*fixed, rows);
  if (number > 0) {
    this->rows = llvm::divideCeil(*fixed, number);
    largeTiles = *fixed - number * (this->rows - 1);
    smallTiles = number - largeTiles;
  }
  tiles = code.constant(number);
}

Index RowTiling::start(Code &code, Index tile) const {
  if (!Code::known(count))
    return code.multiply(tile, rows);
  return code.add(code.multiply(tile, rows - 1),
                  code.minimum(tile, code.constant(largeTiles)));
}

/// Picks the code for `left` rows, which are `least` to `most`, by halves.
static void emitSize(Code &code, Index left, int64_t least, int64_t most,
                     llvm::function_ref<void(int64_t)> body) {
  if (least == most)
    return body(least);
  int64_t middle = (least + most + 1) / 2;
  code.branch(
      code.less(left, code.constant(middle)),
      [&] { emitSize(code, left, least, middle - 1, body); },
      [&] { emitSize(code, left, middle, most, body); });
}

void RowTiling::emit(Code &code, Index first, Index last,
                     llvm::function_ref<void(Index, int64_t)> body,
                     Tail tail) const {
  if (Code::known(count)) {
    Index large = code.constant(largeTiles);
    if (largeTiles > 0)
      code.loop(first, code.minimum(last, large), 1,
                [&](Index tile) { body(code.multiply(tile, rows), rows); });
    if (smallTiles > 0)
      code.loop(code.maximum(first, large), last, 1, [&](Index tile) {
        body(code.add(code.multiply(tile, rows - 1), large), rows - 1);
      });
    return;
  }
  Index full = code.divide(count, rows);
  code.loop(first, code.minimum(last, full), 1,
            [&](Index tile) { body(code.multiply(tile, rows), rows); });
  if (rows == 1)
    return;
  code.branch(code.less(full, last), [&] {
    Index start = code.multiply(full, rows);
    Index left = code.subtract(count, start);
    if (tail == Tail::OneTile) {
      emitSize(code, left, 1, rows - 1,
               [&](int64_t size) { body(start, size); });
      return;
    }
    for (int64_t part = llvm::bit_floor<uint64_t>(rows - 1); part > 0;
         part /= 2) {
      Index here = code.multiply(
          code.remainder(code.divide(left, part), code.constant(2)), part);
      code.branch(code.less(code.constant(0), here),
                  [&] { body(start, part); });
      start = code.add(start, here);
    }
  });
}

ColumnTiling::ColumnTiling(Code &code, Index count, int64_t vectors,
                           int64_t lanes)
    : count(count), vectors(vectors), lanes(lanes) {
  blocks = code.ceilDivide(count, vectors * lanes);
}

void ColumnTiling::emit(
    Code &code, Index block,
    llvm::function_ref<void(const ColumnBlock &)> body) const {
  ColumnBlock whole{SmallVector<Value>(vectors)};
  int64_t width = vectors * lanes;
  Index full = code.divide(count, width);
  Index left = code.subtract(count, code.multiply(full, width));
  if (Code::isKnown(left, 0)) {
    body(whole);
    return;
  }
  auto tail = [&](int64_t number) {
    ColumnBlock partial;
    for (int64_t j = 0; j < number; ++j)
      partial.masks.push_back(
          code.laneMask(code.subtract(left, code.constant(j * lanes)), lanes));
    // Narrower registers gain too little from sharing.
    auto fixed = Code::known(left);
    partial.halfLast = lanes == 16 && fixed && number > 1 &&
                       *fixed % lanes > 0 && *fixed % lanes <= lanes / 2;
    body(partial);
  };
  auto allTails = [&] {
    if (auto fixed = Code::known(left))
      return tail(llvm::divideCeil(*fixed, lanes));
    if (vectors == 1)
      return tail(1);
    code.branch(
        code.less(code.constant(lanes), left), [&] { tail(vectors); },
        [&] { tail(1); });
  };
  if (Code::isKnown(full, 0)) {
    allTails();
    return;
  }
  code.branch(code.less(block, full), [&] { body(whole); }, allTails);
}

Index WeightColumns::block(Code &code, Index block) const {
  int64_t width = vectors * lanes;
  if (!packed)
    return code.multiply(code.multiply(block, width), columnStride);
  if (width % panelWidth == 0)
    return code.multiply(code.multiply(block, width / panelWidth), panelStride);
  if (width > panelWidth) // all columns
    return code.constant(0);
  int64_t parts = panelWidth / width;
  return code.add(code.multiply(code.divide(block, parts), panelStride),
                  code.multiply(code.remainder(block, code.constant(parts)),
                                width * columnStep()));
}

Index WeightColumns::vector(Code &code, int64_t vector) const {
  int64_t column = vector * lanes;
  if (!packed)
    return code.multiply(columnStride, column);
  return code.add(code.multiply(panelStride, column / panelWidth),
                  code.constant(column % panelWidth * columnStep()));
}

Index WeightColumns::prefetchDistance(Code &code, Index tile) const {
  int64_t width = vectors * lanes;
  if (!packed || width % panelWidth != 0)
    return {};
  int64_t panels = width / panelWidth;
  Index panel = code.remainder(tile, code.constant(panels));
  return code.multiply(code.add(code.constant(panels), panel), panelStride);
}

//===----------------------------------------------------------------------===//
// Reduction
//===----------------------------------------------------------------------===//

SmallVector<ReductionLoop> onnxc::joinLoops(Code &code,
                                            ArrayRef<ReductionLoop> loops) {
  SmallVector<ReductionLoop> joined;
  for (const ReductionLoop &loop : loops) {
    if (!joined.empty()) {
      ReductionLoop &outer = joined.back();
      auto count = Code::known(loop.count);
      auto gapless = [&](Index outerStride, Index stride) {
        auto a = Code::known(outerStride), b = Code::known(stride);
        return a && b && count && *a == *b * *count;
      };
      if (Code::isKnown(outer.count, 1)) {
        outer = loop;
        continue;
      }
      if (Code::isKnown(loop.count, 1))
        continue;
      if (gapless(outer.lhsStride, loop.lhsStride) &&
          gapless(outer.rhsStride, loop.rhsStride)) {
        outer = {code.multiply(outer.count, loop.count), loop.lhsStride,
                 loop.rhsStride};
        continue;
      }
    }
    joined.push_back(loop);
  }
  return joined;
}

namespace {
/// Writes the loops of one tile.
class Reduction {
public:
  Reduction(Code &code, const ContractionTile &tile, int64_t lanes)
      : code(code), tile(tile), lanes(lanes) {
    if (tile.halfLast)
      upper = upperHalf();
  }

  SmallVector<Value> run(ArrayRef<ReductionLoop> loops, Value lhs, Value rhs,
                         SmallVector<Value> sums);

  SmallVector<Value> separate(ArrayRef<Value> sums);

private:
  Value upperHalf();
  Value twice(Value narrow);
  Value toSum(Value value) {
    return tile.sumElement ? value : code.toF32(value);
  }
  void step(Value lhs, Index lhsOffset, Value rhs, Index rhsOffset,
            SmallVector<Value> &sums);

  Code &code;
  const ContractionTile &tile;
  int64_t lanes;
  Value upper; ///< mask of the upper half of the lanes
};
} // namespace

/// The mask of the upper half of the lanes, as a value that LLVM does not
/// know: a select by a known mask would become a permutation, which shares its
/// port with the multiply-adds. The assembly is empty.
Value Reduction::upperHalf() {
  OpBuilder &builder = code.builder;
  Type word = builder.getI32Type();
  uint32_t bits = ((1u << lanes / 2) - 1) << lanes / 2;
  Value known = arith::ConstantOp::create(builder, code.loc,
                                          builder.getIntegerAttr(word, bits));
  Value hidden = LLVM::InlineAsmOp::create(
                     builder, code.loc, TypeRange(word), ValueRange(known),
                     builder.getStringAttr(""), builder.getStringAttr("=r,0"),
                     /*has_side_effects=*/nullptr, /*is_align_stack=*/nullptr,
                     LLVM::TailCallKindAttr::get(builder.getContext(),
                                                 LLVM::TailCallKind::None),
                     /*asm_dialect=*/nullptr, /*operand_attrs=*/nullptr)
                     .getResult(0);
  Value narrow = arith::TruncIOp::create(builder, code.loc,
                                         builder.getIntegerType(lanes), hidden);
  return LLVM::BitcastOp::create(
      builder, code.loc, code.vectorType(builder.getI1Type(), lanes), narrow);
}

/// One k: a row of weights times one element of each row. With half a last
/// vector, the sums of the whole vectors come first, then one per two rows:
/// [row r | row r + 1].
void Reduction::step(Value lhs, Index lhsOffset, Value rhs, Index rhsOffset,
                     SmallVector<Value> &sums) {
  SmallVector<Value> weights;
  for (auto [offset, mask] : llvm::zip_equal(tile.rhsVectors, tile.rhsMasks))
    weights.push_back(toSum(code.loadVector(
        rhs, tile.rhsElement, code.add(rhsOffset, offset),
        tile.halfLast && weights.size() + 1 == tile.rhsVectors.size()
            ? lanes / 2
            : lanes,
        mask, tile.rhsColumnStride)));
  if (tile.prefetchDistance)
    code.prefetch(rhs, tile.rhsElement,
                  code.add(tile.prefetchDistance, rhsOffset));
  auto accumulate = [&](Value element, Value weight, Value &sum) {
    sum = vector::FMAOp::create(code.builder, code.loc, element, weight, sum);
  };
  Value half;
  if (tile.halfLast)
    half = twice(weights.pop_back_val());
  size_t whole = tile.lhsRows.size() * weights.size();
  Value previous;
  for (auto [r, offset] : llvm::enumerate(tile.lhsRows)) {
    Value element =
        code.splat(toSum(code.loadScalar(lhs, tile.lhsElement,
                                         code.add(lhsOffset, offset))),
                   lanes);
    for (auto [j, weight] : llvm::enumerate(weights))
      accumulate(element, weight, sums[r * weights.size() + j]);
    if (!half)
      continue;
    if (r % 2 == 1)
      accumulate(arith::SelectOp::create(code.builder, code.loc, upper, element,
                                         previous),
                 half, sums[whole + r / 2]);
    else if (r + 1 == tile.lhsRows.size())
      accumulate(element, half, sums[whole + r / 2]);
    previous = element;
  }
}

/// The lower half of the lanes, twice.
Value Reduction::twice(Value narrow) {
  SmallVector<int64_t> lanesOf;
  for (int64_t lane = 0; lane < lanes; ++lane)
    lanesOf.push_back(lane % (lanes / 2));
  return vector::ShuffleOp::create(code.builder, code.loc, narrow, narrow,
                                   lanesOf);
}

/// Brings shared sums into one per row and vector.
SmallVector<Value> Reduction::separate(ArrayRef<Value> sums) {
  if (!tile.halfLast)
    return SmallVector<Value>(sums);
  SmallVector<int64_t> swapped;
  for (int64_t lane = 0; lane < lanes; ++lane)
    swapped.push_back((lane + lanes / 2) % lanes);
  size_t vectors = tile.rhsVectors.size() - 1;
  size_t whole = tile.lhsRows.size() * vectors;
  SmallVector<Value> separated;
  for (size_t r = 0; r < tile.lhsRows.size(); ++r) {
    for (size_t j = 0; j < vectors; ++j)
      separated.push_back(sums[r * vectors + j]);
    Value shared = sums[whole + r / 2];
    separated.push_back(r % 2 == 0
                            ? shared
                            : vector::ShuffleOp::create(code.builder, code.loc,
                                                        shared, shared, swapped)
                                  .getResult());
  }
  return separated;
}

SmallVector<Value> Reduction::run(ArrayRef<ReductionLoop> loops, Value lhs,
                                  Value rhs, SmallVector<Value> sums) {
  const ReductionLoop &loop = loops.front();
  if (loops.size() > 1)
    return code.loop(code.constant(0), loop.count, 1, sums,
                     [&](Index i, ValueRange carried) {
                       return run(
                           loops.drop_front(),
                           code.address(lhs, tile.lhsElement,
                                        code.multiply(i, loop.lhsStride)),
                           code.address(rhs, tile.rhsElement,
                                        code.multiply(i, loop.rhsStride)),
                           SmallVector<Value>(carried));
                     });

  // A few k a trip: enough to hide the loop, little enough for the caches of
  // decoded instructions.
  int64_t unroll = 2;
  auto several = [&](int64_t number) {
    return [&, number](Index k, ValueRange carried) {
      SmallVector<Value> next(carried);
      Value a =
          code.address(lhs, tile.lhsElement, code.multiply(k, loop.lhsStride));
      Value b =
          code.address(rhs, tile.rhsElement, code.multiply(k, loop.rhsStride));
      for (int64_t u = 0; u < number; ++u)
        step(a, code.multiply(loop.lhsStride, u), b,
             code.multiply(loop.rhsStride, u), next);
      return next;
    };
  };
  if (auto fixed = Code::known(loop.count)) {
    if (*fixed <= unroll)
      unroll = std::max<int64_t>(*fixed, 1);
    else
      for (int64_t candidate : {2, 3})
        if (*fixed % candidate == 0) {
          unroll = candidate;
          break;
        }
    int64_t even = *fixed - *fixed % unroll;
    sums = code.loop(code.constant(0), code.constant(even), unroll, sums,
                     several(unroll));
    if (even < *fixed)
      sums = several(*fixed - even)(code.constant(even), sums);
    return sums;
  }
  Index even = code.multiply(code.divide(loop.count, unroll), unroll);
  sums = code.loop(code.constant(0), even, unroll, sums, several(unroll));
  return code.loop(even, loop.count, 1, sums, several(1));
}

SmallVector<Value> onnxc::emitContraction(Code &code,
                                          const ContractionTile &tile,
                                          ArrayRef<ReductionLoop> loops,
                                          int64_t lanes,
                                          ArrayRef<Value> start) {
  Reduction reduction(code, tile, lanes);
  SmallVector<Value> sums(start);
  if (sums.empty()) {
    Type sumElement =
        tile.sumElement ? tile.sumElement : code.builder.getF32Type();
    size_t rows = tile.lhsRows.size(), vectors = tile.rhsVectors.size();
    sums.assign(tile.halfLast ? rows * (vectors - 1) + (rows + 1) / 2
                              : rows * vectors,
                code.zeros(sumElement, lanes));
  }
  return reduction.separate(reduction.run(loops, tile.lhs, tile.rhs, sums));
}
