//===- EmitAlongRows.cpp - Reductions along contiguous loops --------------===//
//
// Such as the sum of each row of a matrix: vectors of partial results are
// accumulated in registers and combined at the end of the row. LLVM does this
// for sums; for maxima that keep NaN, and for short rows, it does not.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/LinalgEmitters.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace onnxc;

static constexpr int64_t lanes = 16;
/// Independent accumulators hide the latency of the combination. Functions
/// hide it themselves and need the registers.
static int64_t chainsOf(LinalgNest &nest) {
  constexpr int64_t costOfFunctions = 16;
  return nest.bodyCost() < costOfFunctions ? 4 : 1;
}

static std::optional<vector::CombiningKind> combiningKind(Operation *op) {
  using Kind = vector::CombiningKind;
  using Result = std::optional<Kind>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case<arith::AddFOp, arith::AddIOp>([](auto) { return Kind::ADD; })
      .Case<arith::MulFOp, arith::MulIOp>([](auto) { return Kind::MUL; })
      .Case([](arith::MaximumFOp) { return Kind::MAXIMUMF; })
      .Case([](arith::MinimumFOp) { return Kind::MINIMUMF; })
      .Case([](arith::MaxNumFOp) { return Kind::MAXNUMF; })
      .Case([](arith::MinNumFOp) { return Kind::MINNUMF; })
      .Case([](arith::MaxSIOp) { return Kind::MAXSI; })
      .Case([](arith::MinSIOp) { return Kind::MINSI; })
      .Case([](arith::MaxUIOp) { return Kind::MAXUI; })
      .Case([](arith::MinUIOp) { return Kind::MINUI; })
      .Case([](arith::AndIOp) { return Kind::AND; })
      .Case([](arith::OrIOp) { return Kind::OR; })
      .Default([](Operation *) { return Result(); });
}

/// The op that combines output `i` with what the inputs make; null when the
/// body has another form.
static Operation *combiner(LinalgNest &nest, unsigned i) {
  Block *block = nest.op.getBlock();
  BlockArgument accumulator = block->getArgument(nest.inputs() + i);
  Operation *op = block->getTerminator()->getOperand(i).getDefiningOp();
  if (!op || op->getBlock() != block || !accumulator.hasOneUse() ||
      *accumulator.user_begin() != op || op->getNumOperands() != 2 ||
      op->getOperand(0) == op->getOperand(1) || !op->getResult(0).hasOneUse() ||
      !combiningKind(op))
    return nullptr;
  return op;
}

bool onnxc::canReduceAlongRows(LinalgNest &nest) {
  if (!nest.hasReductions() || !nest.isVectorizable())
    return false;
  unsigned row = nest.loops() - 1;
  if (auto size = Code::known(nest.sizes[row]); size && *size < lanes / 2)
    return false;
  bool along = false;
  for (unsigned i = 0; i < nest.inputs(); ++i) {
    Access &access = nest.accesses[i];
    if (access.scalar || Code::isKnown(access.strides[row], 0))
      continue;
    if (!Code::isKnown(access.strides[row], 1))
      return false;
    along = true;
  }
  for (unsigned i = 0; i < nest.accesses.size() - nest.inputs(); ++i) {
    // Sums of halves are rounded at every step: their order shows.
    Type element = nest.output(i).element;
    if (!combiner(nest, i) || element.isF16() || element.isBF16())
      return false;
  }
  return along;
}

namespace {
class RowWriter {
public:
  RowWriter(Code &code, LinalgNest &nest, KernelBody &body)
      : code(code), nest(nest), row(nest.loops() - 1),
        writer(code, nest, body.operands, body.scalars, lanes,
               static_cast<int>(row)),
        outputs(nest.accesses.size() - nest.inputs()), chains(chainsOf(nest)) {}

  /// Reduces all that belongs to the results at `pointers`, those of the
  /// parallel loops' positions `ivs`.
  void write(SmallVector<Index> ivs, SmallVector<Value> pointers) {
    SmallVector<Value> start;
    for (int64_t chain = 0; chain < chains; ++chain)
      for (unsigned i = 0; i < outputs; ++i)
        start.push_back(neutral(i));
    SmallVector<Value> partial = reduce(ivs, pointers, start);
    for (unsigned i = 0; i < outputs; ++i) {
      Value sum = partial[i];
      for (int64_t chain = 1; chain < chains; ++chain)
        sum = combine(i, sum, partial[chain * outputs + i]);
      Access &access = nest.output(i);
      Value pointer = pointers[nest.inputs() + i];
      Value old = loadElement(code, pointer, access.element, code.constant(0));
      Operation *op = combiner(nest, i);
      Value result = isa<FloatType>(access.element)
                         ? vector::ReductionOp::create(
                               code.builder, code.loc, *combiningKind(op), sum,
                               arith::FastMathFlags::reassoc)
                               .getResult()
                         : vector::ReductionOp::create(code.builder, code.loc,
                                                       *combiningKind(op), sum)
                               .getResult();
      storeElement(code, combine(i, old, result), pointer, access.element,
                   code.constant(0));
    }
  }

private:
  Value neutral(unsigned i) {
    Operation *op = combiner(nest, i);
    Type element = nest.output(i).element;
    // maxnum and minnum have no neutral element but NaN.
    TypedAttr value;
    if (isa<arith::MaxNumFOp, arith::MinNumFOp>(op))
      value = code.builder.getFloatAttr(
          element,
          APFloat::getNaN(cast<FloatType>(element).getFloatSemantics()));
    else if (isa<arith::MaximumFOp, arith::MinimumFOp>(op))
      value = code.builder.getFloatAttr(
          element, APFloat::getInf(cast<FloatType>(element).getFloatSemantics(),
                                   /*Negative=*/isa<arith::MaximumFOp>(op)));
    else
      value = *arith::getNeutralElement(op);
    Value scalar = arith::ConstantOp::create(code.builder, code.loc, value);
    return code.splat(scalar, lanes);
  }

  /// combiner(a, b) for scalars or vectors.
  Value combine(unsigned i, Value a, Value b) {
    Operation *op = combiner(nest, i);
    OperationState state(code.loc, op->getName(), {a, b}, {a.getType()},
                         op->getAttrs());
    state.propertiesAttr = op->getPropertiesAsAttribute();
    return code.builder.create(state)->getResult(0);
  }

  SmallVector<Value> reduce(ArrayRef<Index> ivs, SmallVector<Value> pointers,
                            ValueRange partial) {
    auto with = [&](Index iv) {
      SmallVector<Index> inner(ivs);
      inner.push_back(iv);
      return inner;
    };
    if (unsigned depth = ivs.size(); depth < row)
      return code.loop(code.constant(0), nest.sizes[depth], 1, partial,
                       [&](Index iv, ValueRange carried) {
                         return reduce(with(iv), moved(pointers, depth, iv),
                                       carried);
                       });
    Index size = nest.sizes[row];
    Index wide =
        code.multiply(code.divide(size, lanes * chains), lanes * chains);
    SmallVector<Value> sums = code.loop(
        code.constant(0), wide, lanes * chains, partial,
        [&](Index iv, ValueRange carried) {
          SmallVector<Value> next;
          for (int64_t chain = 0; chain < chains; ++chain) {
            Index first = code.add(iv, code.constant(chain * lanes));
            llvm::append_range(
                next, step(with(first), moved(pointers, row, first),
                           carried.slice(chain * outputs, outputs), {}));
          }
          return next;
        });
    // The rest goes into the first chain.
    SmallVector<Value> first = code.loop(
        wide, size, lanes, ArrayRef(sums).take_front(outputs),
        [&](Index iv, ValueRange carried) {
          Value mask = code.laneMask(code.subtract(size, iv), lanes);
          return step(with(iv), moved(pointers, row, iv), carried, mask);
        });
    llvm::copy(first, sums.begin());
    return sums;
  }

  SmallVector<Value> moved(ArrayRef<Value> pointers, unsigned loop, Index iv) {
    SmallVector<Value> result(pointers);
    for (unsigned i = 0; i < nest.inputs(); ++i)
      result[i] = advance(code, nest.accesses[i], pointers[i], loop, iv);
    return result;
  }

  SmallVector<Value> step(ArrayRef<Index> ivs, ArrayRef<Value> pointers,
                          ValueRange partial, Value mask) {
    SmallVector<Value> arguments;
    Block *block = nest.op.getBlock();
    for (unsigned i = 0; i < nest.inputs(); ++i) {
      Access &access = nest.accesses[i];
      if (block->getArgument(i).use_empty())
        arguments.push_back(Value());
      else if (access.scalar)
        arguments.push_back(code.splat(access.scalar, lanes));
      else if (Code::isKnown(access.strides[row], 0))
        arguments.push_back(code.splat(
            loadElement(code, pointers[i], access.element, code.constant(0)),
            lanes));
      else
        arguments.push_back(loadElement(code, pointers[i], access.element,
                                        code.constant(0), lanes, mask));
    }
    llvm::append_range(arguments, partial);
    SmallVector<Value> results = writer.write(arguments, ivs);
    if (mask)
      for (auto [result, old] : llvm::zip(results, partial))
        result =
            arith::SelectOp::create(code.builder, code.loc, mask, result, old);
    return results;
  }

  Code &code;
  LinalgNest &nest;
  unsigned row;
  BodyWriter writer;
  unsigned outputs;
  int64_t chains;
};
} // namespace

void onnxc::emitAlongRows(Code &code, LinalgNest &nest, KernelBody &body) {
  Units units = divideLoops(code, nest, 0);
  RowWriter writer(code, nest, body);
  forEachUnit(code, nest, units, body.begin, body.end,
              [&](SmallVector<Index> ivs, SmallVector<Value> pointers) {
                writer.write(ivs, pointers);
              });
}
