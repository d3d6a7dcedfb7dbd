//===- EmitAcrossRows.cpp - Reductions along strided loops ----------------===//
//
// Such as the mean over height and width of a channels-last picture: the
// results are neighbours in memory, the summands are not. Vectors of results
// are accumulated in registers while the reduction loops run.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/LinalgEmitters.h"

using namespace mlir;
using namespace onnxc;

/// Results of a wide step, which hides the latency of the accumulation.
static constexpr int64_t wideLanes = 64;
static constexpr int64_t narrowLanes = 16;

/// Rows of results that share vectors of some input, and bytes of each row's
/// accumulators: with both, registers are full.
static constexpr int64_t sharingRows = 4;
static constexpr int64_t sharingBytes = 64;

/// Whether the rows of results along the loop before the last parallel one
/// read the same vectors.
static bool sharesVectors(LinalgNest &nest) {
  if (nest.parallel < 2 || nest.readsIndices() ||
      nest.accesses.size() != nest.inputs() + 1)
    return false;
  unsigned row = nest.parallel - 1, outer = row - 1;
  auto rows = Code::known(nest.sizes[outer]);
  if (!rows || *rows < sharingRows)
    return false;
  return llvm::any_of(ArrayRef(nest.accesses).take_front(nest.inputs()),
                      [&](const Access &access) {
                        return !access.scalar &&
                               Code::isKnown(access.strides[row], 1) &&
                               Code::isKnown(access.strides[outer], 0);
                      });
}

static int64_t sharingLanes(LinalgNest &nest) {
  int64_t bytes = 1;
  for (const Access &access : nest.accesses)
    bytes = std::max<int64_t>(
        bytes, memoryType(access.element).getIntOrFloatBitWidth() / 8);
  return sharingBytes / bytes;
}

bool onnxc::canReduceAcrossRows(LinalgNest &nest) {
  if (!nest.hasReductions() || nest.parallel == 0 || !nest.isVectorizable())
    return false;
  unsigned row = nest.parallel - 1, innermost = nest.loops() - 1;
  auto size = Code::known(nest.sizes[row]);
  if (size && *size < narrowLanes / 2)
    return false;
  bool gains = false;
  for (auto [i, access] : llvm::enumerate(nest.accesses)) {
    if (access.scalar)
      continue;
    bool isInput = i < nest.inputs();
    bool along = Code::isKnown(access.strides[row], 1);
    if (!along && !(isInput && Code::isKnown(access.strides[row], 0)))
      return false;
    // The operand decides that the reduction does not run along.
    gains |= isInput && along && !Code::isKnown(access.strides[innermost], 1);
  }
  return gains;
}

Units onnxc::acrossRowsUnits(Code &code, LinalgNest &nest) {
  Units units;
  if (sharesVectors(nest)) {
    units.loops = nest.parallel - 1;
    units.count = code.ceilDivide(nest.sizes[units.loops - 1], sharingRows);
    for (unsigned loop = 0; loop + 1 < units.loops; ++loop)
      units.count = code.multiply(units.count, nest.sizes[loop]);
    units.cost = sharingRows;
    for (unsigned loop = units.loops; loop < nest.loops(); ++loop)
      units.cost *= Code::known(nest.sizes[loop]).value_or(64);
    return units;
  }
  units.loops = nest.parallel - 1;
  units.count = code.ceilDivide(nest.sizes[nest.parallel - 1], wideLanes);
  for (unsigned loop = 0; loop < units.loops; ++loop)
    units.count = code.multiply(units.count, nest.sizes[loop]);
  units.cost = wideLanes;
  for (unsigned loop = nest.parallel; loop < nest.loops(); ++loop)
    units.cost *= Code::known(nest.sizes[loop]).value_or(64);
  return units;
}

namespace {
/// One strip of `lanes` results in each of `rows` rows; lanes outside `mask`
/// are left alone.
class Strip {
public:
  Strip(Code &code, LinalgNest &nest, KernelBody &body, int64_t lanes,
        Value mask, int64_t rows = 1)
      : code(code), nest(nest),
        writer(code, nest, body.operands, body.scalars, lanes,
               static_cast<int>(nest.parallel) - 1),
        lanes(lanes), mask(mask), rows(rows) {}

  void write(ArrayRef<Index> ivs, ArrayRef<Value> pointers) {
    unsigned outputs = nest.accesses.size() - nest.inputs();
    SmallVector<Value> accumulators;
    for (int64_t r = 0; r < rows; ++r)
      for (unsigned i = 0; i < outputs; ++i)
        accumulators.push_back(
            loadElement(code, inRow(pointers, nest.inputs() + i, r),
                        nest.output(i).element, code.constant(0), lanes, mask));
    SmallVector<Value> results =
        reduce(llvm::to_vector(ivs), llvm::to_vector(pointers), accumulators);
    for (int64_t r = 0; r < rows; ++r)
      for (unsigned i = 0; i < outputs; ++i)
        storeElement(code, results[r * outputs + i],
                     inRow(pointers, nest.inputs() + i, r),
                     nest.output(i).element, code.constant(0), mask);
  }

private:
  SmallVector<Value> reduce(SmallVector<Index> ivs, SmallVector<Value> pointers,
                            ValueRange accumulators) {
    if (unsigned depth = ivs.size(); depth < nest.loops())
      return code.loop(code.constant(0), nest.sizes[depth], 1, accumulators,
                       [&](Index iv, ValueRange carried) {
                         SmallVector<Index> innerIvs = ivs;
                         innerIvs.push_back(iv);
                         SmallVector<Value> inner = pointers;
                         for (unsigned i = 0; i < nest.inputs(); ++i)
                           inner[i] = advance(code, nest.accesses[i],
                                              pointers[i], depth, iv);
                         return reduce(innerIvs, inner, carried);
                       });
    unsigned outputs = nest.accesses.size() - nest.inputs();
    SmallVector<Value> results, shared;
    for (int64_t r = 0; r < rows; ++r) {
      SmallVector<Value> arguments;
      for (unsigned i = 0; i < nest.inputs(); ++i) {
        bool isShared = r > 0 && !isOwn(i);
        arguments.push_back(isShared ? shared[i] : input(pointers, i, r));
      }
      if (r == 0)
        shared = arguments;
      llvm::append_range(arguments, accumulators.slice(r * outputs, outputs));
      llvm::append_range(results, writer.write(arguments, ivs));
    }
    return results;
  }

  /// Whether each row reads other elements of the operand.
  bool isOwn(unsigned operand) {
    return !Code::isKnown(nest.accesses[operand].strides[nest.parallel - 2], 0);
  }

  Value inRow(ArrayRef<Value> pointers, unsigned operand, int64_t row) {
    if (row == 0)
      return pointers[operand];
    return advance(code, nest.accesses[operand], pointers[operand],
                   nest.parallel - 2, code.constant(row));
  }

  Value input(ArrayRef<Value> pointers, unsigned i, int64_t row) {
    Access &access = nest.accesses[i];
    if (nest.op.getBlock()->getArgument(i).use_empty())
      return {};
    if (access.scalar)
      return code.splat(access.scalar, lanes);
    Value pointer = inRow(pointers, i, row);
    if (Code::isKnown(access.strides[nest.parallel - 1], 0))
      return code.splat(
          loadElement(code, pointer, access.element, code.constant(0)), lanes);
    return loadElement(code, pointer, access.element, code.constant(0), lanes,
                       mask);
  }

  Code &code;
  LinalgNest &nest;
  BodyWriter writer;
  int64_t lanes;
  Value mask;
  int64_t rows;
};
} // namespace

/// A unit is a few whole rows of results.
static void emitSharingRows(Code &code, LinalgNest &nest, KernelBody &body) {
  unsigned row = nest.parallel - 1, outer = row - 1;
  int64_t lanes = sharingLanes(nest);
  Index count = nest.sizes[outer];
  Index blocks = code.ceilDivide(count, sharingRows);
  code.loop(body.begin, body.end, 1, [&](Index unit) {
    SmallVector<Index> ivs(nest.parallel, code.constant(0));
    ivs[outer] = code.multiply(code.remainder(unit, blocks), sharingRows);
    Index rest = code.divide(unit, blocks);
    for (unsigned loop = outer; loop-- > 0;) {
      ivs[loop] = loop == 0 ? rest : code.remainder(rest, nest.sizes[loop]);
      rest = code.divide(rest, nest.sizes[loop]);
    }
    SmallVector<Value> pointers = pointersAt(code, nest, ivs, row);
    auto strips = [&](ArrayRef<Value> from, int64_t rows) {
      auto strip = [&](Index first, Value mask) {
        SmallVector<Value> inner;
        for (auto [access, pointer] : llvm::zip(nest.accesses, from))
          inner.push_back(advance(code, access, pointer, row, first));
        Strip(code, nest, body, lanes, mask, rows).write(ivs, inner);
      };
      Index size = nest.sizes[row];
      Index whole = code.multiply(code.divide(size, lanes), lanes);
      code.loop(code.constant(0), whole, lanes,
                [&](Index first) { strip(first, {}); });
      code.loop(whole, size, lanes, [&](Index first) {
        strip(first, code.laneMask(code.subtract(size, first), lanes));
      });
    };
    Index left = code.subtract(count, ivs[outer]);
    code.branch(
        code.less(left, code.constant(sharingRows)),
        [&] {
          code.loop(code.constant(0), left, 1, [&](Index r) {
            SmallVector<Value> inner;
            for (auto [access, pointer] : llvm::zip(nest.accesses, pointers))
              inner.push_back(advance(code, access, pointer, outer, r));
            strips(inner, 1);
          });
        },
        [&] { strips(pointers, sharingRows); });
  });
}

void onnxc::emitAcrossRows(Code &code, LinalgNest &nest, KernelBody &body) {
  if (sharesVectors(nest))
    return emitSharingRows(code, nest, body);
  unsigned row = nest.parallel - 1;
  Index size = nest.sizes[row];
  Index strips = code.ceilDivide(size, wideLanes);
  code.loop(body.begin, body.end, 1, [&](Index unit) {
    Index strip = code.remainder(unit, strips);
    Index rest = code.divide(unit, strips);
    SmallVector<Index> ivs(nest.parallel);
    Index first = code.multiply(strip, wideLanes);
    ivs[row] = first;
    for (unsigned loop = row; loop-- > 0;) {
      ivs[loop] = loop == 0 ? rest : code.remainder(rest, nest.sizes[loop]);
      if (loop > 0)
        rest = code.divide(rest, nest.sizes[loop]);
    }
    SmallVector<Value> pointers = pointersAt(code, nest, ivs, nest.parallel);
    Index left = code.subtract(size, first);
    code.branch(
        code.less(left, code.constant(wideLanes)),
        [&] {
          code.loop(code.constant(0), left, narrowLanes, [&](Index done) {
            SmallVector<Value> inner;
            for (auto [access, pointer] : llvm::zip(nest.accesses, pointers))
              inner.push_back(advance(code, access, pointer, row, done));
            Value mask = code.laneMask(code.subtract(left, done), narrowLanes);
            SmallVector<Index> innerIvs = ivs;
            innerIvs[row] = code.add(first, done);
            Strip(code, nest, body, narrowLanes, mask).write(innerIvs, inner);
          });
        },
        [&] { Strip(code, nest, body, wideLanes, {}).write(ivs, pointers); });
  });
}
