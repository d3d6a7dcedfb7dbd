//===- SelectTiles.cpp - The strategy table of contractions ---------------===//

#include "compiler/layout/Passes.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

namespace onnxc {
#define GEN_PASS_DEF_SELECTTILES
#include "compiler/layout/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {
/// What the choice depends on.
struct Shape {
  /// Rows of the register tiles in one run, and how many runs there are.
  int64_t rows, runs;
  int64_t columns, depth;
  /// A run this short may share a tile with the next ones.
  bool joinsRuns;
  bool packed;
  /// Of integers: products are added by an instruction of their own.
  bool integers = false;
};

struct Registers {
  int64_t lanes, count;
};
} // namespace

/// Sizes that are not known when the model is compiled.
static constexpr int64_t typicalRows = 1024, typicalWidth = 160,
                         typicalColumns = 256, typicalDepth = 256;

static int64_t knownOr(int64_t size, int64_t typical) {
  return ShapedType::isDynamic(size) ? typical : size;
}

/// Rows that fit beside `vectors` vectors of weights and two temporaries; three
/// where each row is only one register, or some are spilled; one more for the
/// products of integers.
static int64_t rowsThatFit(const Registers &registers, int64_t vectors,
                           bool integers = false) {
  int64_t temporaries = (vectors == 1 ? 3 : 2) + (integers ? 1 : 0);
  // Tiles beyond 28 rows gain nothing and cost code.
  return std::clamp<int64_t>(
      (registers.count - vectors - temporaries) / vectors, 1, 28);
}

/// Cycles that one step of the reduction takes in a tile: two multiply-adds
/// and two loads a cycle, no faster than the sum of one tile can follow
/// itself, nor than the step's weights arrive.
static double stepCycles(int64_t rows, int64_t vectors, double weightCycles) {
  return std::max({rows * vectors / 2.0, (rows + vectors + 1) / 2.0, 5.0,
                   vectors * weightCycles});
}

/// Cycles for `count` rows in balanced tiles of at most `rows`.
static double rowCycles(int64_t count, int64_t rows, int64_t vectors,
                        double weightCycles) {
  int64_t tiles = llvm::divideCeil(count, rows);
  if (tiles == 0)
    return 0;
  int64_t large = llvm::divideCeil(count, tiles);
  int64_t largeTiles = count - tiles * (large - 1);
  return largeTiles * stepCycles(large, vectors, weightCycles) +
         (tiles - largeTiles) * stepCycles(large - 1, vectors, weightCycles);
}

/// Cycles a step of the reduction takes over all rows and columns.
static double totalCycles(const Shape &shape, const Registers &registers,
                          int64_t cacheBytes, int64_t rows, int64_t vectors) {
  int64_t all = llvm::divideCeil(shape.columns, registers.lanes);
  auto columnCycles = [&](int64_t width) {
    // Cycles that one vector of weights takes from the second cache, or from
    // the third where a block of columns does not stay in the second.
    int64_t vectorBytes = registers.lanes * static_cast<int64_t>(sizeof(float));
    bool near = width * vectorBytes * shape.depth <= cacheBytes / 2;
    double weightCycles = vectorBytes / (near ? 32.0 : 10.0);
    bool joins = shape.joinsRuns && shape.rows > 0;
    if (joins && shape.rows * 2 <= rows) {
      int64_t joined = rows / shape.rows;
      int64_t tiles = llvm::divideCeil(shape.runs, joined);
      return rowCycles(shape.runs * shape.rows,
                       shape.rows * llvm::divideCeil(shape.runs, tiles), width,
                       weightCycles);
    }
    // Where a run's tiles would be small, all rows are one list (EmitConv).
    if (joins &&
        llvm::divideCeil(shape.rows, llvm::divideCeil(shape.rows, rows)) * 3 <=
            static_cast<uint64_t>(rows) * 2)
      return rowCycles(shape.runs * shape.rows, rows, width, weightCycles);
    return shape.runs * rowCycles(shape.rows, rows, width, weightCycles);
  };
  double cycles = (all / vectors) * columnCycles(vectors);
  if (int64_t left = all % vectors)
    cycles += columnCycles(left);
  // Every block of columns reads all rows again.
  double sweeps = static_cast<double>(llvm::divideCeil(all, vectors));
  return cycles + sweeps * shape.runs * shape.rows * 0.05;
}

static kernel::TileAttr chooseTile(MLIRContext *context, const Shape &shape,
                                   const Registers &registers,
                                   int64_t cacheBytes) {
  constexpr int64_t panel = 16;
  int64_t bestRows = 1, bestVectors = 1;
  double best = 0;
  for (int64_t vectors : {2, 1, 3, 4}) {
    int64_t width = vectors * registers.lanes;
    // A block of columns starts at a panel, or is the only one.
    if (shape.packed && width % panel != 0 && panel % width != 0 &&
        shape.columns > width)
      continue;
    int64_t rows = rowsThatFit(registers, vectors, shape.integers);
    double cycles = totalCycles(shape, registers, cacheBytes, rows, vectors);
    if (best == 0 || cycles < best * 0.98) {
      best = cycles;
      bestRows = rows;
      bestVectors = vectors;
    }
  }
  return kernel::TileAttr::get(context, bestRows, bestVectors);
}

static Shape matmulShape(kernel::MatmulOp op) {
  auto lhs = cast<ShapedType>(op.getLhs().getType());
  auto rhs = cast<ShapedType>(op.getRhs().getType());
  auto init = cast<ShapedType>(op.getInit().getType());
  bool shared = op.getPacked() || rhs.getRank() == 2;
  int64_t rows = 1, runs = 1;
  for (int64_t dim = 0; dim + 1 < init.getRank(); ++dim) {
    int64_t &count = shared || dim + 2 == init.getRank() ? rows : runs;
    count *= knownOr(init.getDimSize(dim), typicalRows);
  }
  return {rows,
          runs,
          knownOr(init.getShape().back(), typicalColumns),
          knownOr(lhs.getShape().back(), typicalDepth),
          /*joinsRuns=*/false,
          op.getPacked(),
          lhs.getElementType().isInteger()};
}

static Shape convShape(kernel::ConvOp op) {
  auto filter = cast<ShapedType>(op.getFilter().getType());
  auto init = cast<ShapedType>(op.getInit().getType());
  int64_t taps = op.getPacked() ? 2 : 1;
  int64_t groups = std::max<int64_t>(1, knownOr(filter.getDimSize(0), 1));
  int64_t depth = 1;
  for (int64_t i = 0; i < 3; ++i)
    depth *= knownOr(filter.getDimSize(taps + i), 1);
  Shape shape{knownOr(init.getDimSize(2), typicalWidth),
              knownOr(init.getDimSize(1), typicalWidth),
              knownOr(init.getDimSize(3), typicalColumns) / groups,
              depth,
              !init.isDynamicDim(2),
              op.getPacked(),
              filter.getElementType().isInteger()};
  bool pointwise = filter.getDimSize(taps) == 1 &&
                   filter.getDimSize(taps + 1) == 1 &&
                   op.getStrides()[0] == 1 && op.getStrides()[1] == 1;
  if (pointwise) {
    shape.rows *= shape.runs * knownOr(init.getDimSize(0), 1);
    shape.runs = 1;
    shape.joinsRuns = false;
  }
  return shape;
}

static Shape winogradShape(kernel::WinogradConvOp op) {
  auto patches = cast<ShapedType>(op.getPatches().getType());
  auto filter = cast<ShapedType>(op.getFilter().getType());
  auto init = cast<ShapedType>(op.getInit().getType());
  int64_t rows = knownOr(patches.getDimSize(0), 1);
  for (int dim : {1, 2})
    rows *= knownOr(patches.getDimSize(dim), typicalWidth / 2);
  return {rows,
          /*runs=*/1,
          knownOr(init.getDimSize(3), typicalColumns),
          filter.getDimSize(2),
          /*joinsRuns=*/false,
          /*packed=*/true};
}

/// A recurrence: `vectors` are those of all gates together.
static kernel::TileAttr recurrenceTile(kernel::RecurrenceOp op,
                                       const Registers &registers) {
  int64_t batch = cast<ShapedType>(op.getInput().getType()).getDimSize(1);
  if (batch == 1)
    return kernel::TileAttr::get(op.getContext(), 1, 8);
  // More rows would gain little and cost code.
  int64_t vectors = 4;
  return kernel::TileAttr::get(
      op.getContext(), std::min<int64_t>(rowsThatFit(registers, vectors), 4),
      vectors);
}

namespace {
struct SelectTiles : onnxc::impl::SelectTilesBase<SelectTiles> {
  using SelectTilesBase::SelectTilesBase;

  void runOnOperation() override {
    Registers registers{std::max<int64_t>(1, vectorBits / 32), vectorRegisters};
    auto select = [&](auto op, const Shape &shape) {
      if (!op.getTile())
        op.setTileAttr(chooseTile(&getContext(), shape, registers, cacheBytes));
    };
    getOperation()->walk([&](Operation *op) {
      if (auto matmul = dyn_cast<kernel::MatmulOp>(op))
        select(matmul, matmulShape(matmul));
      else if (auto conv = dyn_cast<kernel::ConvOp>(op))
        select(conv, convShape(conv));
      else if (auto conv = dyn_cast<kernel::WinogradConvOp>(op))
        select(conv, winogradShape(conv));
      else if (auto recurrence = dyn_cast<kernel::RecurrenceOp>(op);
               recurrence && !recurrence.getTile())
        recurrence.setTileAttr(recurrenceTile(recurrence, registers));
    });
  }
};
} // namespace
