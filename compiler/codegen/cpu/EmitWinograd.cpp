//===- EmitWinograd.cpp - Winograd convolution F(2x2, 3x3) ----------------===//
//
// The input transform writes each patch of 4x4 pixels once; the convolution
// multiplies a register tile of patches with 16 matrices, keeps the products
// in the nearest cache and transforms them to 2x2 outputs each, in registers.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Epilogue.h"
#include "compiler/codegen/cpu/KernelFamilies.h"
#include "compiler/codegen/cpu/MicroKernel.h"
#include "compiler/codegen/cpu/Target.h"
#include "compiler/codegen/cpu/Window.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <array>

using namespace mlir;
using namespace onnxc;

/// Products (and pixels) a patch has along each dim, and in all.
static constexpr int64_t patchSize = 4, points = 16;

namespace {
using Patch = std::array<Value, points>;
} // namespace

static Value sum(Code &code, Value a, Value b) {
  return arith::AddFOp::create(code.builder, code.loc, a, b);
}
static Value difference(Code &code, Value a, Value b) {
  return arith::SubFOp::create(code.builder, code.loc, a, b);
}

//===----------------------------------------------------------------------===//
// Input transform
//===----------------------------------------------------------------------===//

/// B^T applied to four values.
static std::array<Value, 4> transformInput(Code &code, Value a, Value b,
                                           Value c, Value d) {
  return {difference(code, a, c), sum(code, b, c), difference(code, c, b),
          difference(code, b, d)};
}

/// B^T d B.
static Patch transformInput(Code &code, const Patch &pixels) {
  Patch rows, result;
  for (int64_t x = 0; x < patchSize; ++x) {
    auto column = transformInput(code, pixels[x], pixels[4 + x], pixels[8 + x],
                                 pixels[12 + x]);
    for (int64_t y = 0; y < patchSize; ++y)
      rows[4 * y + x] = column[y];
  }
  for (int64_t y = 0; y < patchSize; ++y) {
    auto row = transformInput(code, rows[4 * y], rows[4 * y + 1],
                              rows[4 * y + 2], rows[4 * y + 3]);
    for (int64_t x = 0; x < patchSize; ++x)
      result[4 * y + x] = row[x];
  }
  return result;
}

ParallelExtent onnxc::winogradInputExtent(Code &code,
                                          kernel::WinogradInputOp op,
                                          ArrayRef<BufferView> operands) {
  const BufferView &patches = operands.back();
  return {code.multiply(patches.sizes[0], patches.sizes[1]),
          4 * Code::known(patches.sizes[2]).value_or(typicalSize) *
              *Code::known(patches.sizes[3])};
}

namespace {
/// Reads the patches of one row.
class PatchReader {
public:
  PatchReader(Code &code, const BufferView &input, int64_t lanes)
      : code(code), input(input), lanes(lanes) {}

  /// All 16 pixels are inside the input; `corner` is the first.
  Patch readInside(Value corner, Index channel, Value mask) {
    Patch pixels;
    for (int64_t i = 0; i < points; ++i)
      pixels[i] = code.loadVector(corner, input.elementType, offset(i, channel),
                                  lanes, mask, input.strides[3]);
    return pixels;
  }

  /// `rows[y]` and `columns[x]` say what is inside: 1, or 0 where pixels count
  /// as zero and are not read.
  Patch readClipped(Value corner, Index channel, ArrayRef<Index> rows,
                    ArrayRef<Index> columns) {
    Index left = code.subtract(input.sizes[3], channel);
    Patch pixels;
    for (int64_t i = 0; i < points; ++i) {
      Index count = code.multiply(
          code.multiply(rows[i / patchSize], columns[i % patchSize]), left);
      pixels[i] =
          code.loadVector(corner, input.elementType, offset(i, channel), lanes,
                          code.laneMask(count, lanes), input.strides[3]);
    }
    return pixels;
  }

private:
  Index offset(int64_t pixel, Index channel) {
    return code.add(
        code.add(code.multiply(input.strides[1], pixel / patchSize),
                 code.multiply(input.strides[2], pixel % patchSize)),
        code.multiply(channel, input.strides[3]));
  }

  Code &code;
  const BufferView &input;
  int64_t lanes;
};
} // namespace

/// 1 where `position` + i is in [0, size), else 0, for the pixels of a patch.
static SmallVector<Index> inside(Code &code, Index position, Index size) {
  SmallVector<Index> result;
  for (int64_t i = 0; i < patchSize; ++i) {
    Value at = code.value(code.add(position, code.constant(i)));
    // As unsigned numbers, what is negative is too large.
    Value isInside =
        arith::CmpIOp::create(code.builder, code.loc, arith::CmpIPredicate::ult,
                              at, code.value(size));
    result.push_back(arith::SelectOp::create(code.builder, code.loc, isInside,
                                             code.value(code.constant(1)),
                                             code.value(code.constant(0)))
                         .getResult());
  }
  return result;
}

LogicalResult onnxc::emitWinogradInput(kernel::WinogradInputOp op,
                                       KernelBody &body) {
  Code code(body.builder, body.loc);
  const BufferView &input = body.operands[1], &patches = body.operands[2];
  if (!input.elementType.isF32() || !patches.elementType.isF32())
    return op.emitOpError("works on f32");
  int64_t lanes = body.target.f32Lanes();
  Index channels = input.sizes[3];
  PatchReader reader(code, input, lanes);
  auto origin = [&](Index position, int64_t dim) {
    return code.subtract(code.multiply(position, 2),
                         code.constant(op.getPads()[dim]));
  };
  // Whether a patch from `position` on is inside: 0 <= position <= size - 4.
  auto fits = [&](Index position, int64_t dim) {
    Index room = code.maximum(
        code.subtract(input.sizes[1 + dim], code.constant(patchSize - 1)),
        code.constant(0));
    return Index(arith::CmpIOp::create(code.builder, code.loc,
                                       arith::CmpIPredicate::ult,
                                       code.value(position), code.value(room))
                     .getResult());
  };

  code.loop(body.begin, body.end, 1, [&](Index unit) {
    Index image = code.divide(unit, patches.sizes[1]);
    Index patchRow = code.remainder(unit, patches.sizes[1]);
    Index row = origin(code.add(patchRow, Index(body.scalars[0])), 0);
    Value rowStart =
        code.address(input.pointer, input.elementType,
                     code.add(code.multiply(image, input.strides[0]),
                              code.multiply(row, input.strides[1])));
    Value to =
        code.address(patches.pointer, patches.elementType,
                     code.add(code.multiply(image, patches.strides[0]),
                              code.multiply(patchRow, patches.strides[1])));
    SmallVector<Index> rowsInside = inside(code, row, input.sizes[1]);
    Index rowFits = fits(row, 0);
    code.loop(code.constant(0), patches.sizes[2], 1, [&](Index patch) {
      Index column = origin(patch, 1);
      Value corner = code.address(rowStart, input.elementType,
                                  code.multiply(column, input.strides[2]));
      Value out = code.address(to, patches.elementType,
                               code.multiply(patch, patches.strides[2]));
      auto store = [&](const Patch &pixels, Index channel, Value mask) {
        Patch transformed = transformInput(code, pixels);
        for (int64_t i = 0; i < points; ++i)
          code.storeVector(transformed[i], out,
                           code.add(code.multiply(channels, i), channel), mask);
      };
      auto clipped = [&] {
        SmallVector<Index> columnsInside = inside(code, column, input.sizes[2]);
        emitChannels(code, channels, lanes, [&](Index channel, Value mask) {
          store(reader.readClipped(corner, channel, rowsInside, columnsInside),
                channel, mask);
        });
      };
      code.branch(
          rowFits,
          [&] {
            code.branch(
                fits(column, 1),
                [&] {
                  emitChannels(code, channels, lanes,
                               [&](Index channel, Value mask) {
                                 store(reader.readInside(corner, channel, mask),
                                       channel, mask);
                               });
                },
                clipped);
          },
          clipped);
    });
  });
  return success();
}

//===----------------------------------------------------------------------===//
// Products and output transform
//===----------------------------------------------------------------------===//

namespace {
/// How one convolution divides.
struct WinogradPlan {
  WinogradPlan(Code &code, kernel::WinogradConvOp op,
               ArrayRef<BufferView> operands, const Target &target);

  const BufferView &patches, &filter, &output;
  int64_t depth;
  TileSize tile;
  int64_t lanes;
  Index rows; ///< patches of all images
  RowTiling rowTiling;
  ColumnTiling columnTiling;
  int64_t tilesPerBlock;
  Index rowBlocks;

  Index units(Code &code) const {
    return code.multiply(rowBlocks, columnTiling.blocks);
  }
};

/// Turns the products of one patch into outputs.
class OutputTransform {
public:
  OutputTransform(Code &code, const WinogradPlan &plan,
                  const Epilogue &epilogue, Value products)
      : code(code), plan(plan), epilogue(epilogue), products(products) {}

  /// Keeps the sums of one of the 16 products: rows x vectors, row-major.
  void keep(Index point, ArrayRef<Value> sums, int64_t vectors) {
    for (auto [i, value] : llvm::enumerate(sums))
      code.storeVector(
          value, products,
          code.add(
              code.multiply(point, plan.tile.rows * width()),
              code.constant(static_cast<int64_t>(i) / vectors * width() +
                            static_cast<int64_t>(i) % vectors * plan.lanes)));
  }

  /// Writes the outputs of the patch `number`, row `row` of the tile.
  void store(Index number, Index row, Index channel,
             const ColumnBlock &columns);

private:
  int64_t width() const { return plan.tile.vectors * plan.lanes; }

  Code &code;
  const WinogradPlan &plan;
  const Epilogue &epilogue;
  Value products;
};
} // namespace

static Epilogue makeEpilogue(kernel::WinogradConvOp op,
                             ArrayRef<BufferView> operands,
                             ArrayRef<Value> scalars) {
  size_t count = op.getEpilogueOperands().size();
  return Epilogue(
      op.getEpilogueBlock(), op.getEpilogueMaps(), operands.slice(2, count),
      scalars.empty() ? scalars : scalars.slice(2, count), operands.back());
}

static TileSize pickTile(kernel::WinogradConvOp op, const Target &target,
                         Index channels) {
  TileSize wanted = {0, 0};
  if (auto tile = op.getTile())
    wanted = {tile->getRows(), tile->getVectors()};
  return fitTile(wanted, target, /*packed=*/true, channels);
}

WinogradPlan::WinogradPlan(Code &code, kernel::WinogradConvOp op,
                           ArrayRef<BufferView> operands, const Target &target)
    : patches(operands[0]), filter(operands[1]), output(operands.back()),
      depth(*Code::known(filter.sizes[2])),
      tile(pickTile(op, target, output.sizes[3])), lanes(target.f32Lanes()),
      rows(code.multiply(code.multiply(patches.sizes[0], patches.sizes[1]),
                         patches.sizes[2])),
      rowTiling(code, rows, tile.rows),
      columnTiling(code, output.sizes[3], tile.vectors, lanes) {
  int64_t tileBytes =
      tile.rows * points * depth * static_cast<int64_t>(sizeof(float));
  tilesPerBlock = tilesPerUnit(target, rowTiling.tiles, tileBytes);
  rowBlocks = code.ceilDivide(rowTiling.tiles, tilesPerBlock);
}

ParallelExtent onnxc::winogradConvExtent(Code &code, kernel::WinogradConvOp op,
                                         ArrayRef<BufferView> operands,
                                         const Target &target) {
  WinogradPlan plan(code, op, operands, target);
  return {plan.units(code), 2 * points * plan.tilesPerBlock * plan.tile.rows *
                                plan.tile.vectors * plan.lanes * plan.depth};
}

/// A^T applied to four values.
static std::array<Value, 2> transformOutput(Code &code, Value a, Value b,
                                            Value c, Value d) {
  return {sum(code, sum(code, a, b), c),
          difference(code, difference(code, b, c), d)};
}

void OutputTransform::store(Index number, Index row, Index channel,
                            const ColumnBlock &columns) {
  // outputs[y][x], one per vector.
  std::array<std::array<SmallVector<Value>, 2>, 2> outputs;
  Type element = code.builder.getF32Type();
  Value tileRow = code.address(products, element, code.multiply(row, width()));
  for (int64_t j = 0; j < columns.vectors(); ++j) {
    Patch product;
    for (int64_t i = 0; i < points; ++i)
      product[i] = code.loadVector(
          tileRow, element,
          code.constant(i * plan.tile.rows * width() + j * plan.lanes),
          plan.lanes);
    std::array<std::array<Value, patchSize>, 2> rows;
    for (int64_t x = 0; x < patchSize; ++x) {
      auto column = transformOutput(code, product[x], product[4 + x],
                                    product[8 + x], product[12 + x]);
      rows[0][x] = column[0];
      rows[1][x] = column[1];
    }
    for (int64_t y = 0; y < 2; ++y) {
      auto pixels =
          transformOutput(code, rows[y][0], rows[y][1], rows[y][2], rows[y][3]);
      outputs[y][0].push_back(pixels[0]);
      outputs[y][1].push_back(pixels[1]);
    }
  }

  Index patchColumn = code.remainder(number, plan.patches.sizes[2]);
  Index rest = code.divide(number, plan.patches.sizes[2]);
  Index y = code.multiply(code.remainder(rest, plan.patches.sizes[1]), 2);
  Index x = code.multiply(patchColumn, 2);
  Index image = code.divide(rest, plan.patches.sizes[1]);
  auto write = [&](int64_t height, int64_t width) {
    SmallVector<RowSteps> steps;
    SmallVector<Value> values;
    for (int64_t dy = 0; dy < height; ++dy)
      for (int64_t dx = 0; dx < width; ++dx) {
        steps.push_back({Step{1, dy}, Step{2, dx}});
        llvm::append_range(values, outputs[dy][dx]);
      }
    epilogue.store(code, {image, y, x, channel}, steps, values, columns.masks,
                   plan.lanes);
  };
  // An even size has no half patches.
  auto isWhole = [&](Index position, Index size) -> Index {
    if (auto known = Code::known(size); known && *known % 2 == 0)
      return code.builder.getBoolAttr(true);
    return code.less(code.add(position, code.constant(1)), size);
  };
  Index wholeColumn = isWhole(x, plan.output.sizes[2]);
  auto writeRows = [&](int64_t height) {
    code.branch(
        wholeColumn, [&] { write(height, 2); }, [&] { write(height, 1); });
  };
  // Patches may go on below the output.
  Index height = plan.output.sizes[1];
  auto knownRows = Code::known(plan.patches.sizes[1]);
  auto knownHeight = Code::known(height);
  bool allExist =
      knownRows && knownHeight && *knownHeight >= 2 * *knownRows - 1;
  auto writeExisting = [&] {
    code.branch(
        isWhole(y, height), [&] { writeRows(2); }, [&] { writeRows(1); });
  };
  if (allExist)
    return writeExisting();
  code.branch(code.less(y, height), writeExisting);
}

LogicalResult onnxc::emitWinogradConv(kernel::WinogradConvOp op,
                                      KernelBody &body) {
  Code code(body.builder, body.loc);
  Epilogue epilogue = makeEpilogue(op, body.operands, body.scalars);
  std::string reason;
  if (failed(epilogue.check(reason)))
    return op.emitOpError() << reason;
  WinogradPlan plan(code, op, body.operands, body.target);
  const BufferView &patches = plan.patches, &filter = plan.filter;
  if (!patches.elementType.isF32() || !filter.elementType.isF32())
    return op.emitOpError("works on f32");
  if (!isContiguous(op.getPatches()))
    return op.emitOpError("patches must be contiguous");

  Index patchStride = patches.strides[2];
  WeightColumns weights{/*packed=*/true, filter.strides[0], code.constant(1),
                        plan.tile.vectors, plan.lanes};
  ReductionLoop reduction{code.constant(plan.depth), code.constant(1),
                          filter.strides[2]};
  Type element = patches.elementType;
  Value products = code.stackMemory(
      element, points * plan.tile.rows * plan.tile.vectors * plan.lanes);
  OutputTransform output(code, plan, epilogue, products);

  code.loop(body.begin, body.end, 1, [&](Index unit) {
    Index columnBlock = code.remainder(unit, plan.columnTiling.blocks);
    Index rowBlock = code.divide(unit, plan.columnTiling.blocks);
    Value filterBlock = code.address(filter.pointer, filter.elementType,
                                     weights.block(code, columnBlock));
    Index channel = code.multiply(columnBlock, plan.tile.vectors * plan.lanes);
    Index first = code.multiply(rowBlock, plan.tilesPerBlock);
    Index last =
        code.minimum(code.add(first, code.constant(plan.tilesPerBlock)),
                     plan.rowTiling.tiles);
    plan.columnTiling.emit(code, columnBlock, [&](const ColumnBlock &columns) {
      plan.rowTiling.emit(code, first, last, [&](Index start, int64_t rows) {
        Value tileStart = code.address(patches.pointer, element,
                                       code.multiply(start, patchStride));
        code.loop(code.constant(0), code.constant(points), 1, [&](Index point) {
          ContractionTile tile;
          tile.lhs = code.address(tileStart, element,
                                  code.multiply(point, plan.depth));
          tile.lhsElement = element;
          tile.rhs = code.address(filterBlock, filter.elementType,
                                  code.multiply(point, filter.strides[1]));
          tile.rhsElement = filter.elementType;
          for (int64_t r = 0; r < rows; ++r)
            tile.lhsRows.push_back(code.multiply(patchStride, r));
          for (int64_t j = 0; j < columns.vectors(); ++j)
            tile.rhsVectors.push_back(weights.vector(code, j));
          tile.rhsMasks.assign(columns.vectors(), Value());
          output.keep(point,
                      emitContraction(code, tile, {reduction}, plan.lanes),
                      columns.vectors());
        });
        code.loop(code.constant(0), code.constant(rows), 1, [&](Index row) {
          output.store(code.add(start, row), row, channel, columns);
        });
      });
    });
  });
  return success();
}
