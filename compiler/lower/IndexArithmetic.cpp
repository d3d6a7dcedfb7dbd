//===- IndexArithmetic.cpp - Sizes and positions in lowering --------------===//

#include "compiler/lower/Lowering.h"
#include "compiler/lower/Scalars.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace onnxc;

Value Lowering::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value Lowering::index(OpFoldResult value) {
  return getValueOrCreateConstantIndexOp(b, loc, value);
}

Value Lowering::symbolValue(const ShapeSymbol &symbol) {
  if (symbol.kind == ShapeSymbol::Dim) {
    Value tensor = value(symbol.value);
    return index(sizes(tensor)[symbol.index]);
  }
  Value tensor = value(symbol.value);
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> position;
  int64_t rest = symbol.index;
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    int64_t size = std::max<int64_t>(type.getDimSize(i), 1);
    position.insert(position.begin(), index(rest % size));
    rest /= size;
  }
  Value element = tensor::ExtractOp::create(b, loc, tensor, position);
  Scalars s{b, loc};
  return s.toIndex(element, isUnsigned(elementType(symbol.value)) ||
                                element.getType().isInteger(1));
}

Value Lowering::expand(OpBuilder &builder, AffineExpr expr,
                       ArrayRef<Value> symbols) {
  Scalars s{builder, loc};
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return arith::ConstantIndexOp::create(builder, loc, constant.getValue());
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbols[symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value x = expand(builder, binary.getLHS(), symbols);
  Value y = expand(builder, binary.getRHS(), symbols);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return s.add(x, y);
  case AffineExprKind::Mul:
    return s.mul(x, y);
  default:
    break;
  }
  // A divisor that is only known at run time must not trap.
  if (!isa<AffineConstantExpr>(binary.getRHS()))
    y = s.max(y, s.integer(builder.getIndexType(), 1), false);
  if (expr.getKind() == AffineExprKind::CeilDiv)
    return builder.createOrFold<arith::CeilDivSIOp>(loc, x, y);
  Value quotient = builder.createOrFold<arith::FloorDivSIOp>(loc, x, y);
  if (expr.getKind() == AffineExprKind::FloorDiv)
    return quotient;
  return s.sub(x, s.mul(quotient, y));
}

OpFoldResult Lowering::materialize(AffineExpr expr) {
  if (auto constant = SymbolicShapes::constant(expr))
    return attr(*constant);
  if (Value known = materialized.lookup(expr))
    return known;
  ArrayRef<ShapeSymbol> table = shapes.symbols();
  SmallVector<Value> symbols(table.size());
  bool onlyArguments = true;
  SmallVector<unsigned> used;
  expr.walk([&](AffineExpr part) {
    if (auto symbol = dyn_cast<AffineSymbolExpr>(part))
      used.push_back(symbol.getPosition());
  });
  for (unsigned position : used) {
    const ShapeSymbol &symbol = table[position];
    Value bound = values.lookup(symbol.value);
    auto argument = dyn_cast_or_null<BlockArgument>(bound);
    if (symbol.kind != ShapeSymbol::Dim || !argument ||
        argument.getOwner() != &target.getBody().front())
      onlyArguments = false;
  }
  for (unsigned position : used) {
    if (symbols[position])
      continue;
    AffineExpr alone = getAffineSymbolExpr(position, expr.getContext());
    Value known = materialized.lookup(alone);
    ShapeSymbol symbol = table[position];
    if (!known) {
      if (symbol.kind == ShapeSymbol::Dim &&
          isa_and_nonnull<BlockArgument>(values.lookup(symbol.value)) &&
          cast<BlockArgument>(values.lookup(symbol.value)).getOwner() ==
              &target.getBody().front()) {
        known = entry.createOrFold<tensor::DimOp>(
            loc, values.lookup(symbol.value), symbol.index);
        materialized[alone] = known;
      } else {
        known = symbolValue(symbol);
        if (inScope())
          materialized[alone] = known;
      }
    }
    symbols[position] = known;
  }
  Value result = expand(onlyArguments ? entry : b, expr, symbols);
  if (onlyArguments || inScope())
    materialized[expr] = result;
  return getAsOpFoldResult(result);
}

/// Applies `fold` when both are constants, else builds `OpTy`.
template <typename OpTy, typename Fold>
static OpFoldResult binary(Lowering &l, OpFoldResult x, OpFoldResult y,
                           Fold fold) {
  auto left = getConstantIntValue(x), right = getConstantIntValue(y);
  if (left && right)
    return l.attr(fold(*left, *right));
  return getAsOpFoldResult(
      l.b.createOrFold<OpTy>(l.loc, l.index(x), l.index(y)));
}

OpFoldResult Lowering::add(OpFoldResult x, OpFoldResult y) {
  return binary<arith::AddIOp>(*this, x, y,
                               [](int64_t a, int64_t b) { return a + b; });
}
OpFoldResult Lowering::sub(OpFoldResult x, OpFoldResult y) {
  return binary<arith::SubIOp>(*this, x, y,
                               [](int64_t a, int64_t b) { return a - b; });
}
OpFoldResult Lowering::mul(OpFoldResult x, OpFoldResult y) {
  return binary<arith::MulIOp>(*this, x, y,
                               [](int64_t a, int64_t b) { return a * b; });
}
OpFoldResult Lowering::floorDiv(OpFoldResult x, OpFoldResult y) {
  if (!getConstantIntValue(y))
    y = max(y, attr(1));
  return binary<arith::FloorDivSIOp>(*this, x, y, [](int64_t a, int64_t b) {
    return llvm::divideFloorSigned(a, std::max<int64_t>(b, 1));
  });
}
OpFoldResult Lowering::ceilDiv(OpFoldResult x, OpFoldResult y) {
  if (!getConstantIntValue(y))
    y = max(y, attr(1));
  return binary<arith::CeilDivSIOp>(*this, x, y, [](int64_t a, int64_t b) {
    return llvm::divideCeilSigned(a, std::max<int64_t>(b, 1));
  });
}
OpFoldResult Lowering::min(OpFoldResult x, OpFoldResult y) {
  return binary<arith::MinSIOp>(
      *this, x, y, [](int64_t a, int64_t b) { return std::min(a, b); });
}
OpFoldResult Lowering::max(OpFoldResult x, OpFoldResult y) {
  return binary<arith::MaxSIOp>(
      *this, x, y, [](int64_t a, int64_t b) { return std::max(a, b); });
}
OpFoldResult Lowering::product(ArrayRef<OpFoldResult> dims) {
  OpFoldResult result = attr(1);
  for (OpFoldResult dim : dims)
    result = mul(result, dim);
  return result;
}
