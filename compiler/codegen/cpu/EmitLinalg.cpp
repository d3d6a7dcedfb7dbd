//===- EmitLinalg.cpp - Loops of linalg ops on buffers --------------------===//

#include "compiler/codegen/cpu/LinalgEmitters.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace onnxc;

SmallVector<Value> onnxc::capturedValues(Operation *op) {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  return captured.takeVector();
}

/// Elements of a unit of work in a nest that is one long loop.
static constexpr int64_t chunkElements = 1024;
/// Where a size is not known.
static constexpr int64_t guessedSize = 64;

//===----------------------------------------------------------------------===//
// How the parallel loops divide
//===----------------------------------------------------------------------===//

Units onnxc::divideLoops(Code &code, const LinalgNest &nest, unsigned inner) {
  Units units;
  unsigned outer = nest.parallel > inner ? nest.parallel - inner : 0;
  // Rows of a few elements are no unit: take the loop around them along.
  if (inner == 1 && outer > 0) {
    auto size = Code::known(nest.sizes[nest.parallel - 1]);
    if (size && *size < 16)
      --outer;
  }
  units.loops = outer;
  units.count = code.constant(1);
  for (unsigned loop = 0; loop < outer; ++loop)
    units.count = code.multiply(units.count, nest.sizes[loop]);
  units.cost = 1;
  for (unsigned loop = outer; loop < nest.loops(); ++loop)
    units.cost *= Code::known(nest.sizes[loop]).value_or(guessedSize);
  if (outer == 0 && inner == 1 && nest.parallel > 0) {
    // One loop (of short rows): blocks of it.
    int64_t row = 1;
    for (unsigned loop = 1; loop < nest.loops(); ++loop)
      row *= Code::known(nest.sizes[loop]).value_or(guessedSize);
    units.chunk =
        std::max<int64_t>(chunkElements / std::max<int64_t>(row, 1), 1);
    units.count = code.ceilDivide(nest.sizes[0], units.chunk);
    units.cost = units.chunk * row;
  }
  return units;
}

/// The positions of the outer loops in unit `unit`.
static SmallVector<Index> positions(Code &code, const LinalgNest &nest,
                                    unsigned loops, Index unit) {
  SmallVector<Index> ivs(loops);
  for (unsigned loop = loops; loop-- > 0;) {
    ivs[loop] = loop == 0 ? unit : code.remainder(unit, nest.sizes[loop]);
    if (loop > 0)
      unit = code.divide(unit, nest.sizes[loop]);
  }
  return ivs;
}

Value onnxc::advance(Code &code, const Access &access, Value pointer,
                     unsigned loop, Index position) {
  if (!pointer)
    return pointer;
  return code.address(pointer, memoryType(access.element),
                      code.multiply(access.strides[loop], position));
}

SmallVector<Value> onnxc::pointersAt(Code &code, LinalgNest &nest,
                                     ArrayRef<Index> ivs, unsigned loops) {
  SmallVector<Value> pointers;
  for (const Access &access : nest.accesses) {
    Value pointer = access.pointer;
    if (pointer)
      pointer =
          code.address(pointer, memoryType(access.element), access.offset);
    for (unsigned loop = 0; loop < loops; ++loop)
      pointer = advance(code, access, pointer, loop, ivs[loop]);
    pointers.push_back(pointer);
  }
  return pointers;
}

void onnxc::forEachUnit(
    Code &code, LinalgNest &nest, const Units &units, Index begin, Index end,
    llvm::function_ref<void(SmallVector<Index>, SmallVector<Value>)> body) {
  SmallVector<Value> bases;
  for (Access &access : nest.accesses)
    bases.push_back(access.pointer ? code.address(access.pointer,
                                                  memoryType(access.element),
                                                  access.offset)
                                   : Value());
  if (units.chunk) {
    body({}, bases);
    return;
  }
  code.loop(begin, end, 1, [&](Index unit) {
    SmallVector<Index> ivs = positions(code, nest, units.loops, unit);
    SmallVector<Value> pointers = bases;
    for (auto [access, pointer] : llvm::zip(nest.accesses, pointers))
      for (unsigned loop = 0; loop < units.loops; ++loop)
        pointer = advance(code, access, pointer, loop, ivs[loop]);
    body(ivs, pointers);
  });
}

//===----------------------------------------------------------------------===//
// Scalar loops
//===----------------------------------------------------------------------===//

namespace {

/// Writes the loops from one depth inwards. LLVM vectorises the innermost:
/// the pointers are noalias, the steps are plain.
class ScalarLoops {
public:
  ScalarLoops(Code &code, LinalgNest &nest, BodyWriter &writer)
      : code(code), nest(nest), writer(writer) {}

  /// Loops [depth, parallel), then the reductions, then the store. `range`
  /// bounds the first.
  void parallelLoops(unsigned depth, SmallVector<Index> ivs,
                     SmallVector<Value> pointers,
                     std::optional<std::pair<Index, Index>> range = {});

private:
  SmallVector<Value> reductionLoops(unsigned depth, SmallVector<Index> ivs,
                                    SmallVector<Value> pointers,
                                    ValueRange accumulators);
  SmallVector<Value> element(ArrayRef<Index> ivs, ArrayRef<Value> pointers,
                             ValueRange accumulators);
  void hoistLoads(unsigned loop, ArrayRef<Value> pointers);
  Value load(unsigned operand, ArrayRef<Index> ivs, ArrayRef<Value> pointers);

  Code &code;
  LinalgNest &nest;
  BodyWriter &writer;
  /// Inputs that the innermost loop does not step on.
  DenseMap<unsigned, Value> hoisted;
};

} // namespace

Value ScalarLoops::load(unsigned operand, ArrayRef<Index> ivs,
                        ArrayRef<Value> pointers) {
  Access &access = nest.accesses[operand];
  if (access.scalar)
    return access.scalar;
  if (Value known = hoisted.lookup(operand))
    return known;
  if (access.isLinear())
    return loadElement(code, pointers[operand], access.element,
                       code.constant(0));
  SmallVector<OpFoldResult> dims;
  for (unsigned dim = 0; dim < access.map.getNumDims(); ++dim)
    dims.push_back(nest.originalIndex(code, dim, ivs));
  Index offset = code.constant(0);
  for (auto [expr, stride] :
       llvm::zip(access.map.getResults(), access.mapStrides)) {
    SmallVector<Value> values;
    for (OpFoldResult dim : dims)
      values.push_back(code.value(dim));
    Value position = affine::expandAffineExpr(code.builder, code.loc, expr,
                                              values, ValueRange());
    offset = code.add(offset, code.multiply(position, stride));
  }
  return loadElement(code, access.pointer, access.element, offset);
}

/// Inputs with stride 0 in the innermost loop are read in front of it.
void ScalarLoops::hoistLoads(unsigned loop, ArrayRef<Value> pointers) {
  hoisted.clear();
  Block *block = nest.op.getBlock();
  for (unsigned i = 0; i < nest.inputs(); ++i) {
    Access &access = nest.accesses[i];
    if (access.pointer && access.isLinear() &&
        Code::isKnown(access.strides[loop], 0) &&
        !block->getArgument(i).use_empty())
      hoisted[i] =
          loadElement(code, pointers[i], access.element, code.constant(0));
  }
}

SmallVector<Value> ScalarLoops::element(ArrayRef<Index> ivs,
                                        ArrayRef<Value> pointers,
                                        ValueRange accumulators) {
  SmallVector<Value> arguments;
  Block *block = nest.op.getBlock();
  for (unsigned i = 0; i < nest.accesses.size(); ++i) {
    bool isInput = i < nest.inputs();
    if (block->getArgument(i).use_empty())
      arguments.push_back(Value());
    else if (isInput || accumulators.empty())
      arguments.push_back(load(i, ivs, pointers));
    else
      arguments.push_back(accumulators[i - nest.inputs()]);
  }
  return writer.write(arguments, ivs);
}

SmallVector<Value> ScalarLoops::reductionLoops(unsigned depth,
                                               SmallVector<Index> ivs,
                                               SmallVector<Value> pointers,
                                               ValueRange accumulators) {
  if (depth == nest.loops())
    return element(ivs, pointers, accumulators);
  bool innermost = depth + 1 == nest.loops();
  if (innermost)
    hoistLoads(depth, pointers);
  return code.loop(code.constant(0), nest.sizes[depth], 1, accumulators,
                   [&](Index iv, ValueRange carried) {
                     SmallVector<Value> inner = pointers;
                     for (unsigned i = 0; i < nest.inputs(); ++i)
                       inner[i] = advance(code, nest.accesses[i], pointers[i],
                                          depth, iv);
                     SmallVector<Index> innerIvs = ivs;
                     innerIvs.push_back(iv);
                     return reductionLoops(depth + 1, innerIvs, inner, carried);
                   });
}

void ScalarLoops::parallelLoops(unsigned depth, SmallVector<Index> ivs,
                                SmallVector<Value> pointers,
                                std::optional<std::pair<Index, Index>> range) {
  unsigned outputs = nest.accesses.size() - nest.inputs();
  if (depth == nest.parallel) {
    SmallVector<Value> results;
    if (nest.hasReductions()) {
      SmallVector<Value> accumulators;
      for (unsigned i = 0; i < outputs; ++i)
        accumulators.push_back(loadElement(code, pointers[nest.inputs() + i],
                                           nest.output(i).element,
                                           code.constant(0)));
      results = reductionLoops(depth, ivs, pointers, accumulators);
    } else {
      results = element(ivs, pointers, {});
    }
    for (unsigned i = 0; i < outputs; ++i)
      storeElement(code, results[i], pointers[nest.inputs() + i],
                   nest.output(i).element, code.constant(0));
    return;
  }
  if (depth + 1 == nest.parallel && !nest.hasReductions())
    hoistLoads(depth, pointers);
  Index from = range ? range->first : code.constant(0);
  Index to = range ? range->second : nest.sizes[depth];
  code.loop(from, to, 1, [&](Index iv) {
    SmallVector<Value> inner;
    for (auto [access, pointer] : llvm::zip(nest.accesses, pointers))
      inner.push_back(advance(code, access, pointer, depth, iv));
    SmallVector<Index> innerIvs = ivs;
    innerIvs.push_back(iv);
    parallelLoops(depth + 1, innerIvs, inner);
  });
}

//===----------------------------------------------------------------------===//
// Which way
//===----------------------------------------------------------------------===//

namespace {
enum class Way { Scalar, AcrossRows, AlongRows, Transposed };
}

static Way chooseWay(LinalgNest &nest) {
  if (canReduceAcrossRows(nest))
    return Way::AcrossRows;
  if (canReduceAlongRows(nest))
    return Way::AlongRows;
  if (canTranspose(nest))
    return Way::Transposed;
  return Way::Scalar;
}

ParallelExtent onnxc::linalgExtent(OpBuilder &builder, Operation *op,
                                   ArrayRef<BufferView> operands,
                                   const Target &target) {
  Code code(builder, op->getLoc());
  LinalgNest nest(code, cast<linalg::LinalgOp>(op), operands, {});
  Units units;
  switch (chooseWay(nest)) {
  case Way::AcrossRows:
    units = acrossRowsUnits(code, nest);
    break;
  case Way::Transposed:
    units = transposedUnits(code, nest, target);
    break;
  case Way::AlongRows:
  case Way::Scalar:
    units = divideLoops(code, nest, nest.hasReductions() ? 0 : 1);
    break;
  }
  // The nest counts accesses and operations, about two an element.
  return {units.count,
          std::max<int64_t>(units.cost * nest.bodyCost() * elementCost / 2, 1)};
}

LogicalResult onnxc::emitLinalg(Operation *op, KernelBody &body) {
  Code code(body.builder, body.loc);
  LinalgNest nest(code, cast<linalg::LinalgOp>(op), body.operands,
                  body.scalars);
  switch (chooseWay(nest)) {
  case Way::AcrossRows:
    emitAcrossRows(code, nest, body);
    return success();
  case Way::AlongRows:
    emitAlongRows(code, nest, body);
    return success();
  case Way::Transposed:
    emitTransposed(code, nest, body);
    return success();
  case Way::Scalar:
    break;
  }
  Units units = divideLoops(code, nest, nest.hasReductions() ? 0 : 1);
  BodyWriter writer(code, nest, body.operands, body.scalars);
  ScalarLoops loops(code, nest, writer);
  forEachUnit(code, nest, units, body.begin, body.end,
              [&](SmallVector<Index> ivs, SmallVector<Value> pointers) {
                if (!units.chunk) {
                  loops.parallelLoops(units.loops, ivs, pointers);
                  return;
                }
                Index from = code.multiply(body.begin, units.chunk);
                Index to = code.minimum(code.multiply(body.end, units.chunk),
                                        nest.sizes[0]);
                loops.parallelLoops(0, ivs, pointers, std::make_pair(from, to));
              });
  return success();
}
