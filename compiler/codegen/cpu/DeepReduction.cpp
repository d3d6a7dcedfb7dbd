//===- DeepReduction.cpp - A contraction in passes over its depth ---------===//

#include "compiler/codegen/cpu/DeepReduction.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace onnxc;

/// Columns of a unit of work in passes.
static constexpr int64_t passColumns = 128;

/// At most `blocks`, so that two or four threads share the units evenly.
static int64_t evenBlocks(int64_t blocks, Index columnBlocks) {
  auto all = Code::known(columnBlocks);
  if (!all)
    return blocks;
  int64_t units = llvm::alignTo(llvm::divideCeil(*all, blocks), 4);
  return std::max<int64_t>(llvm::divideCeil(*all, units), 1);
}

DeepReduction onnxc::planPasses(const Target &target, const TileSize &tile,
                                Index rows, Index depth, Index innermost,
                                Index columnBlocks) {
  auto steps = Code::known(depth), last = Code::known(innermost);
  auto knownRows = Code::known(rows);
  if (!steps || !last || (knownRows && *knownRows <= 2 * tile.rows))
    return {};
  // A pass is deep enough that bringing a tile's sums in and out costs little;
  // its weights take a quarter of the nearest cache.
  int64_t columns = tile.vectors * target.f32Lanes();
  int64_t bytes = columns * static_cast<int64_t>(sizeof(float));
  int64_t most = std::max<int64_t>(target.l1Bytes / 4 / bytes, 128);
  if (*steps <= 8 * most || *last < most / 2)
    return {};
  int64_t parts = llvm::divideCeil(*last, most);
  int64_t passDepth = llvm::divideCeil(*last, parts);
  int64_t blocks = std::max<int64_t>(passColumns / columns, 1);
  return {passDepth, evenBlocks(blocks, columnBlocks)};
}

DeepReduction onnxc::planStreaming(const Target &target, const TileSize &tile,
                                   int64_t rows, Index columnBlocks) {
  // As many rows of weights as the processor fetches ahead side by side, and
  // sums for half of the nearest cache.
  constexpr int64_t passDepth = 6, mostColumns = 1024;
  int64_t sums = target.l1Bytes / 2 / static_cast<int64_t>(sizeof(float));
  int64_t columns = std::min(mostColumns, sums / std::max<int64_t>(rows, 1));
  int64_t width = tile.vectors * target.f32Lanes();
  return {passDepth,
          evenBlocks(std::max<int64_t>(columns / width, 1), columnBlocks)};
}

int64_t DeepReduction::tilesPerUnit(int64_t wanted, const TileSize &tile,
                                    int64_t lanes) const {
  if (!*this)
    return wanted;
  constexpr int64_t stackBytes = 128 * 1024;
  int64_t tileBytes = tile.rows * blocks * tile.vectors * lanes *
                      static_cast<int64_t>(sizeof(float));
  return std::clamp<int64_t>(stackBytes / tileBytes, 1, wanted);
}

static void eachPassFrom(Code &code, ArrayRef<ReductionLoop> loops,
                         int64_t passDepth, const ReductionPass &outer,
                         llvm::function_ref<void(const ReductionPass &)> body) {
  const ReductionLoop &loop = loops.front();
  bool isLast = loops.size() == 1;
  int64_t step = isLast ? passDepth : 1;
  code.loop(code.constant(0), loop.count, step, [&](Index i) {
    ReductionPass pass = outer;
    pass.lhsOffset =
        code.add(outer.lhsOffset, code.multiply(i, loop.lhsStride));
    pass.rhsOffset =
        code.add(outer.rhsOffset, code.multiply(i, loop.rhsStride));
    if (!isLast)
      return eachPassFrom(code, loops.drop_front(), passDepth, pass, body);
    pass.loop = loop;
    pass.loop.count = code.constant(step);
    auto count = Code::known(loop.count);
    if (!count || *count % step != 0)
      pass.loop.count =
          code.minimum(pass.loop.count, code.subtract(loop.count, i));
    body(pass);
  });
}

void onnxc::eachPass(Code &code, ArrayRef<ReductionLoop> loops,
                     int64_t passDepth,
                     llvm::function_ref<void(const ReductionPass &)> body) {
  eachPassFrom(code, loops, passDepth, {code.constant(0), code.constant(0), {}},
               body);
}

WaitingSums::WaitingSums(Code &code, int64_t rows, int64_t columns,
                         int64_t lanes)
    : code(code), columns(columns), lanes(lanes),
      memory(code.stackMemory(code.builder.getF32Type(), rows * columns)) {}

Value WaitingSums::at(Index row, Index column) {
  return code.address(memory, code.builder.getF32Type(),
                      code.add(code.multiply(row, columns), column));
}

Index WaitingSums::offset(int64_t sum, int64_t vectors) {
  return code.constant(sum / vectors * columns + sum % vectors * lanes);
}

void WaitingSums::clear(Index rows) {
  code.loop(code.constant(0), rows, 1, [&](Index row) {
    Value place = at(row, code.constant(0));
    for (int64_t column = 0; column < columns; column += lanes)
      code.storeVector(code.zeros(code.builder.getF32Type(), lanes), place,
                       code.constant(column));
  });
}

SmallVector<Value> WaitingSums::load(Index row, Index column, int64_t rows,
                                     int64_t vectors) {
  Value place = at(row, column);
  SmallVector<Value> sums;
  for (int64_t i = 0; i < rows * vectors; ++i)
    sums.push_back(code.loadVector(place, code.builder.getF32Type(),
                                   offset(i, vectors), lanes));
  return sums;
}

void WaitingSums::store(Index row, Index column, int64_t vectors,
                        ArrayRef<Value> sums) {
  Value place = at(row, column);
  for (auto [i, sum] : llvm::enumerate(sums))
    code.storeVector(sum, place, offset(i, vectors));
}
