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
/// One strip of `lanes` results; lanes outside `mask` are left alone.
class Strip {
public:
  Strip(Code &code, LinalgNest &nest, KernelBody &body, int64_t lanes,
        Value mask)
      : code(code), nest(nest),
        writer(code, nest, body.operands, body.scalars, lanes,
               static_cast<int>(nest.parallel) - 1),
        lanes(lanes), mask(mask) {}

  void write(ArrayRef<Index> ivs, ArrayRef<Value> pointers) {
    unsigned outputs = nest.accesses.size() - nest.inputs();
    SmallVector<Value> accumulators;
    for (unsigned i = 0; i < outputs; ++i)
      accumulators.push_back(loadElement(code, pointers[nest.inputs() + i],
                                         nest.output(i).element,
                                         code.constant(0), lanes, mask));
    SmallVector<Value> results =
        reduce(llvm::to_vector(ivs), llvm::to_vector(pointers), accumulators);
    for (unsigned i = 0; i < outputs; ++i)
      storeElement(code, results[i], pointers[nest.inputs() + i],
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
    SmallVector<Value> arguments;
    Block *block = nest.op.getBlock();
    for (unsigned i = 0; i < nest.inputs(); ++i) {
      Access &access = nest.accesses[i];
      if (block->getArgument(i).use_empty())
        arguments.push_back(Value());
      else if (access.scalar)
        arguments.push_back(code.splat(access.scalar, lanes));
      else if (Code::isKnown(access.strides[nest.parallel - 1], 0))
        arguments.push_back(code.splat(
            loadElement(code, pointers[i], access.element, code.constant(0)),
            lanes));
      else
        arguments.push_back(loadElement(code, pointers[i], access.element,
                                        code.constant(0), lanes, mask));
    }
    llvm::append_range(arguments, accumulators);
    return writer.write(arguments, ivs);
  }

  Code &code;
  LinalgNest &nest;
  BodyWriter writer;
  int64_t lanes;
  Value mask;
};
} // namespace

void onnxc::emitAcrossRows(Code &code, LinalgNest &nest, KernelBody &body) {
  unsigned row = nest.parallel - 1;
  Index size = nest.sizes[row];
  Index strips = code.ceilDivide(size, wideLanes);
  code.loop(body.begin, body.end, 1, [&](Index unit) {
    Index strip = code.remainder(unit, strips);
    Index rest = code.divide(unit, strips);
    SmallVector<Value> pointers;
    SmallVector<Index> ivs(nest.parallel);
    Index first = code.multiply(strip, wideLanes);
    ivs[row] = first;
    for (unsigned loop = row; loop-- > 0;) {
      ivs[loop] = loop == 0 ? rest : code.remainder(rest, nest.sizes[loop]);
      if (loop > 0)
        rest = code.divide(rest, nest.sizes[loop]);
    }
    for (Access &access : nest.accesses) {
      Value pointer = access.pointer;
      if (pointer)
        pointer =
            code.address(pointer, memoryType(access.element), access.offset);
      for (unsigned loop = 0; loop < nest.parallel; ++loop)
        pointer = advance(code, access, pointer, loop, ivs[loop]);
      pointers.push_back(pointer);
    }
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
