//===- TreeColumns.cpp - What the emitters of tree kernels share ----------===//

#include "compiler/codegen/cpu/TreeColumns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace onnxc;

Value onnxc::loadNumber(Code &code, const BufferView &table, Index position) {
  Value word = code.loadScalar(table.pointer, table.elementType, position);
  return arith::ExtSIOp::create(code.builder, code.loc,
                                code.builder.getI64Type(), word);
}

Value onnxc::asIndex(Code &code, Value number) {
  return arith::IndexCastOp::create(code.builder, code.loc,
                                    code.builder.getIndexType(), number);
}

static Value real(Code &code, Type type, double value) {
  return arith::ConstantOp::create(code.builder, code.loc,
                                   code.builder.getFloatAttr(type, value));
}

static Value isNaN(Code &code, Value x) {
  return arith::CmpFOp::create(code.builder, code.loc,
                               arith::CmpFPredicate::UNO, x, x);
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

TreeColumns::Description TreeColumns::describe(Index column) {
  OpBuilder &b = code.builder;
  Index row = code.multiply(column, 3);
  Value packed = loadNumber(code, columns, row);
  Value one = arith::ConstantOp::create(b, code.loc, b.getI64IntegerAttr(1));
  Value feature = arith::ShRUIOp::create(b, code.loc, packed, one);
  Value missing = arith::TruncIOp::create(b, code.loc, b.getI1Type(), packed);
  Description description{asIndex(code, feature), missing, {}, {}};
  if (members) {
    description.first =
        loadNumber(code, columns, code.add(row, code.constant(1)));
    description.last =
        loadNumber(code, columns, code.add(row, code.constant(2)));
  }
  return description;
}

Value TreeColumns::isMember(const Description &column, Value x, Value isNaN) {
  OpBuilder &b = code.builder;
  Value missing =
      arith::AndIOp::create(b, code.loc, isNaN, column.missingAbove);
  return code.loop(asIndex(code, column.first), asIndex(code, column.last), 1,
                   missing, [&](Index i, ValueRange found) {
                     Value member = code.loadScalar(members->pointer,
                                                    members->elementType, i);
                     Value equal = arith::CmpFOp::create(
                         b, code.loc, arith::CmpFPredicate::OEQ, x, member);
                     Value next =
                         arith::OrIOp::create(b, code.loc, found[0], equal);
                     return SmallVector<Value>{next};
                   })[0];
}

Value TreeColumns::unlessSet(const Description &column, Value x, Value isNaN,
                             Value plain,
                             llvm::function_ref<Value(Value)> inSet) {
  if (!members)
    return plain;
  OpBuilder &b = code.builder;
  Value zero = arith::ConstantOp::create(b, code.loc, b.getI64IntegerAttr(0));
  Value isSet = arith::CmpIOp::create(b, code.loc, arith::CmpIPredicate::sge,
                                      column.first, zero);
  auto choice = scf::IfOp::create(b, code.loc, TypeRange(plain.getType()),
                                  isSet, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(b, code.loc, inSet(isMember(column, x, isNaN)));
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b, code.loc, plain);
  return choice.getResult(0);
}

Value TreeColumns::load(const Description &column, Index row) {
  Index offset =
      code.add(code.multiply(row, samples.strides[0]),
               code.multiply(Index(column.feature), samples.strides[1]));
  return code.loadScalar(samples.pointer, samples.elementType, offset);
}

Value TreeColumns::number(const Description &column, Index row) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  Type element = samples.elementType;
  Value x = load(column, row);
  Value missing = isNaN(code, x);
  double infinity = std::numeric_limits<double>::infinity();
  // Not x: whether its NaN goes below is the same for all rows.
  Value end = arith::SelectOp::create(
      b, loc, column.missingAbove,
      real(code, element, std::numeric_limits<double>::quiet_NaN()),
      real(code, element, -infinity));
  Value plain = arith::SelectOp::create(b, loc, missing, end, x);
  return unlessSet(column, x, missing, plain, [&](Value found) -> Value {
    return arith::SelectOp::create(b, loc, found, real(code, element, 1),
                                   real(code, element, 0));
  });
}

Value TreeColumns::key(const Description &column, Index row) {
  OpBuilder &b = code.builder;
  Location loc = code.loc;
  Type element = samples.elementType;
  unsigned width = element.getIntOrFloatBitWidth();
  Type word = b.getIntegerType(width);
  auto constant = [&](const APInt &value) -> Value {
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(word, value));
  };
  Value x = load(column, row);
  Value missing = isNaN(code, x);
  Value sum = arith::AddFOp::create(b, loc, x, real(code, element, 0));
  Value bits = arith::BitcastOp::create(b, loc, word, sum);
  Value sign =
      arith::ShRSIOp::create(b, loc, bits, constant(APInt(width, width - 1)));
  Value flips =
      arith::OrIOp::create(b, loc, sign, constant(APInt::getSignMask(width)));
  Value ordered = arith::XOrIOp::create(b, loc, bits, flips);
  Value end = arith::ExtSIOp::create(b, loc, word, column.missingAbove);
  Value plain = arith::SelectOp::create(b, loc, missing, end, ordered);
  return unlessSet(column, x, missing, plain, [&](Value found) -> Value {
    return arith::ExtSIOp::create(b, loc, word, found);
  });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

Value TreeSums::neutral(int64_t lanes) {
  bool isSum = aggregation == kernel::TreeAggregation::Sum;
  double start = isSum ? 0 : std::numeric_limits<double>::quiet_NaN();
  Value scalar = real(code, element(), start);
  return lanes == 1 ? scalar : code.splat(scalar, lanes);
}

Value TreeSums::join(Value sum, Value weight) {
  OpBuilder &b = code.builder;
  switch (aggregation) {
  case kernel::TreeAggregation::Sum:
    return arith::AddFOp::create(b, code.loc, sum, weight);
  case kernel::TreeAggregation::Least:
    return arith::MinNumFOp::create(b, code.loc, sum, weight);
  case kernel::TreeAggregation::Greatest:
    return arith::MaxNumFOp::create(b, code.loc, sum, weight);
  }
  llvm_unreachable("all aggregations are above");
}

Index TreeSums::position(Index row, Index target) {
  return code.add(code.multiply(row, init.strides[0]), target);
}

void TreeSums::forTargets(
    int64_t count, llvm::function_ref<void(Index, int64_t, Value)> body) {
  if (count <= lanes / 2) {
    for (int64_t i = 0; i < count; ++i)
      body(code.constant(i), 1, {});
    return;
  }
  int64_t whole = count / lanes * lanes;
  code.loop(code.constant(0), code.constant(whole), lanes,
            [&](Index i) { body(i, lanes, {}); });
  if (whole < count)
    body(code.constant(whole), lanes,
         code.laneMask(code.constant(count - whole), lanes));
}

void TreeSums::begin(Index row) {
  forTargets(targets(), [&](Index i, int64_t lanes, Value mask) {
    Index at = position(row, i);
    if (lanes == 1)
      code.storeScalar(neutral(), init.pointer, element(), at);
    else
      code.storeVector(neutral(lanes), init.pointer, at, mask);
  });
}

void TreeSums::add(Index row, Index target, Value weight) {
  Index at = position(row, target);
  Value sum = code.loadScalar(init.pointer, element(), at);
  code.storeScalar(join(sum, weight), init.pointer, element(), at);
}

void TreeSums::add(Index row, Index target, const BufferView &list,
                   ArrayRef<Index> places) {
  Index base = position(row, target);
  forTargets(width, [&](Index i, int64_t lanes, Value mask) {
    auto load = [&](const BufferView &view, Index at) {
      return lanes == 1
                 ? code.loadScalar(view.pointer, element(), at)
                 : code.loadVector(view.pointer, element(), at, lanes, mask);
    };
    Index at = code.add(base, i);
    Value sum = load(init, at);
    for (Index place : places)
      sum = join(sum, load(list, code.add(place, i)));
    if (lanes == 1)
      code.storeScalar(sum, init.pointer, element(), at);
    else
      code.storeVector(sum, init.pointer, at, mask);
  });
}

void TreeSums::store(Index row, Index target, Value sum) {
  code.storeScalar(sum, init.pointer, element(), position(row, target));
}

void TreeSums::end(Index row) {
  if (aggregation == kernel::TreeAggregation::Sum)
    return;
  forTargets(targets(), [&](Index i, int64_t lanes, Value mask) {
    Index at = position(row, i);
    Value sum = lanes == 1
                    ? code.loadScalar(init.pointer, element(), at)
                    : code.loadVector(init.pointer, element(), at, lanes, mask);
    Value zero =
        lanes == 1 ? real(code, element(), 0) : code.zeros(element(), lanes);
    sum = arith::SelectOp::create(code.builder, code.loc, isNaN(code, sum),
                                  zero, sum);
    if (lanes == 1)
      code.storeScalar(sum, init.pointer, element(), at);
    else
      code.storeVector(sum, init.pointer, at, mask);
  });
}
