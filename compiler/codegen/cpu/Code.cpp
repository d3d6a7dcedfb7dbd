//===- Code.cpp - Short spellings for writing a kernel's body -------------===//

#include "compiler/codegen/cpu/Code.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace onnxc;

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

std::optional<int64_t> Code::known(Index index) {
  return getConstantIntValue(index);
}

Value Code::value(Index index) {
  return getValueOrCreateConstantIndexOp(builder, loc, index);
}

Index Code::add(Index a, Index b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(*x + *y);
  if (x == 0)
    return b;
  if (y == 0)
    return a;
  return arith::AddIOp::create(builder, loc, value(a), value(b)).getResult();
}

Index Code::subtract(Index a, Index b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(*x - *y);
  if (y == 0)
    return a;
  return arith::SubIOp::create(builder, loc, value(a), value(b)).getResult();
}

Index Code::multiply(Index a, Index b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(*x * *y);
  if (x == 0 || y == 0)
    return constant(0);
  if (x == 1)
    return b;
  if (y == 1)
    return a;
  return arith::MulIOp::create(builder, loc, value(a), value(b)).getResult();
}

Index Code::divide(Index a, Index b) {
  auto x = known(a), y = known(b);
  if (x && y && *y != 0)
    return constant(*x / *y);
  if (y == 1)
    return a;
  return arith::DivUIOp::create(builder, loc, value(a), value(b)).getResult();
}

Index Code::ceilDivide(Index a, int64_t b) {
  return divide(add(a, constant(b - 1)), constant(b));
}

Index Code::remainder(Index a, Index b) {
  auto x = known(a), y = known(b);
  if (x && y && *y != 0)
    return constant(*x % *y);
  if (y == 1)
    return constant(0);
  return arith::RemUIOp::create(builder, loc, value(a), value(b)).getResult();
}

Index Code::minimum(Index a, Index b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(std::min(*x, *y));
  if (a == b)
    return a;
  return arith::MinSIOp::create(builder, loc, value(a), value(b)).getResult();
}

Index Code::maximum(Index a, Index b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return constant(std::max(*x, *y));
  if (a == b)
    return a;
  return arith::MaxSIOp::create(builder, loc, value(a), value(b)).getResult();
}

Index Code::less(Index a, Index b) {
  auto x = known(a), y = known(b);
  if (x && y)
    return builder.getBoolAttr(*x < *y);
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                               value(a), value(b))
      .getResult();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Bytes that one element is aligned to.
static unsigned elementAlignment(Type element) {
  return element.isIntOrFloat()
             ? std::max(1u, element.getIntOrFloatBitWidth() / 8)
             : 1;
}

Value Code::address(Value pointer, Type element, Index offset) {
  auto fixed = known(offset);
  if (fixed == 0)
    return pointer;
  SmallVector<LLVM::GEPArg> arguments;
  if (fixed && llvm::isInt<32>(*fixed))
    arguments.push_back(static_cast<int32_t>(*fixed));
  else
    arguments.push_back(arith::IndexCastOp::create(
                            builder, loc, builder.getI64Type(), value(offset))
                            .getResult());
  return LLVM::GEPOp::create(builder, loc, pointer.getType(), element, pointer,
                             arguments, LLVM::GEPNoWrapFlags::inbounds);
}

Value Code::loadScalar(Value pointer, Type element, Index offset) {
  return LLVM::LoadOp::create(builder, loc, element,
                              address(pointer, element, offset),
                              elementAlignment(element));
}

void Code::storeScalar(Value value, Value pointer, Type element, Index offset) {
  LLVM::StoreOp::create(builder, loc, value, address(pointer, element, offset),
                        elementAlignment(element));
}

/// The addresses of `lanes` elements that are `stride` apart.
Value Code::strided(Value pointer, Type element, Index stride, int64_t lanes) {
  SmallVector<int64_t> lane(lanes);
  std::iota(lane.begin(), lane.end(), 0);
  Type word = builder.getI64Type();
  Value numbers = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(vectorType(word, lanes), ArrayRef<int64_t>(lane)));
  Value step = arith::IndexCastOp::create(builder, loc, word, value(stride));
  Value offsets =
      arith::MulIOp::create(builder, loc, numbers, splat(step, lanes));
  return LLVM::GEPOp::create(builder, loc, vectorType(pointer.getType(), lanes),
                             element, pointer, ArrayRef<LLVM::GEPArg>(offsets));
}

Value Code::allLanes(int64_t lanes) {
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(vectorType(builder.getI1Type(), lanes), true));
}

Value Code::loadVector(Value pointer, Type element, Index offset, int64_t lanes,
                       Value mask, Index stride) {
  Value at = address(pointer, element, offset);
  VectorType type = vectorType(element, lanes);
  if (stride && !isKnown(stride, 1))
    return LLVM::masked_gather::create(
        builder, loc, type, strided(at, element, stride, lanes),
        mask ? mask : allLanes(lanes), zeros(element, lanes),
        elementAlignment(element));
  if (!mask)
    return LLVM::LoadOp::create(builder, loc, type, at,
                                elementAlignment(element));
  return LLVM::MaskedLoadOp::create(builder, loc, type, at, mask,
                                    zeros(element, lanes),
                                    elementAlignment(element));
}

void Code::storeVector(Value vector, Value pointer, Index offset, Value mask,
                       Index stride) {
  auto type = cast<VectorType>(vector.getType());
  Type element = type.getElementType();
  Value at = address(pointer, element, offset);
  if (stride && !isKnown(stride, 1)) {
    int64_t lanes = type.getNumElements();
    LLVM::masked_scatter::create(
        builder, loc, vector, strided(at, element, stride, lanes),
        mask ? mask : allLanes(lanes), elementAlignment(element));
    return;
  }
  if (!mask)
    LLVM::StoreOp::create(builder, loc, vector, at, elementAlignment(element));
  else
    LLVM::MaskedStoreOp::create(builder, loc, vector, at, mask,
                                elementAlignment(element));
}

Value Code::stackMemory(Type element, int64_t count) {
  Value number =
      LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(count));
  return LLVM::AllocaOp::create(
      builder, loc, LLVM::LLVMPointerType::get(builder.getContext()), element,
      number, /*alignment=*/64);
}

void Code::prefetch(Value pointer, Type element, Index offset) {
  LLVM::Prefetch::create(builder, loc, address(pointer, element, offset),
                         /*rw=*/0, /*hint=*/3, /*cache=*/1);
}

//===----------------------------------------------------------------------===//
// Vectors
//===----------------------------------------------------------------------===//

VectorType Code::vectorType(Type element, int64_t lanes) {
  return VectorType::get({lanes}, element);
}

Value Code::splat(Value scalar, int64_t lanes) {
  return vector::BroadcastOp::create(
      builder, loc, vectorType(scalar.getType(), lanes), scalar);
}

Value Code::zeros(Type element, int64_t lanes) {
  return arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(vectorType(element, lanes)));
}

Value Code::laneMask(Index count, int64_t lanes) {
  VectorType type = vectorType(builder.getI1Type(), lanes);
  auto fixed = known(count);
  if (!fixed)
    return vector::CreateMaskOp::create(builder, loc, type, value(count));
  if (*fixed >= lanes)
    return {};
  SmallVector<bool> bits(lanes, false);
  for (int64_t lane = 0; lane < *fixed; ++lane)
    bits[lane] = true;
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, bits));
}

Value Code::toF32(Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  if (element.isF32())
    return value;
  Type type = builder.getF32Type();
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(type);
  if (element.isInteger())
    return arith::SIToFPOp::create(builder, loc, type, value);
  if (element.getIntOrFloatBitWidth() > 32)
    return arith::TruncFOp::create(builder, loc, type, value);
  return arith::ExtFOp::create(builder, loc, type, value);
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

void Code::loop(Index from, Index to, int64_t step, Body body) {
  loop(from, to, step, {}, [&](Index i, ValueRange) {
    body(i);
    return SmallVector<Value>();
  });
}

SmallVector<Value> Code::loop(Index from, Index to, int64_t step,
                              ValueRange carried, CarryBody body) {
  auto first = known(from), last = known(to);
  if (first && last) {
    if (*first >= *last)
      return SmallVector<Value>(carried);
    if (*first + step >= *last)
      return body(from, carried);
  }
  auto loop = scf::ForOp::create(builder, loc, value(from), value(to),
                                 value(constant(step)), carried);
  OpBuilder::InsertionGuard guard(builder);
  if (carried.empty())
    builder.setInsertionPoint(loop.getBody()->getTerminator());
  else
    builder.setInsertionPointToEnd(loop.getBody());
  SmallVector<Value> results =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!carried.empty())
    scf::YieldOp::create(builder, loc, results);
  return SmallVector<Value>(loop.getResults());
}

void Code::branch(Index condition, llvm::function_ref<void()> yes,
                  llvm::function_ref<void()> no) {
  if (auto fixed = known(condition)) {
    if (*fixed)
      yes();
    else if (no)
      no();
    return;
  }
  auto choice = scf::IfOp::create(builder, loc, cast<Value>(condition),
                                  /*withElseRegion=*/bool(no));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(choice.thenBlock());
  yes();
  if (!no)
    return;
  builder.setInsertionPointToStart(choice.elseBlock());
  no();
}
