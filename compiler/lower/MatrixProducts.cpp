//===- MatrixProducts.cpp - MatMul, Gemm and the integer products ---------===//

#include "compiler/lower/MatrixProducts.h"

#include "compiler/lower/Elementwise.h"
#include "dialects/kernel/KernelDialect.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;

/// Dims of a product of [b..., m, k] and [b..., k, n], and how the batch dims
/// broadcast.
static Dims productDims(ArrayRef<OpFoldResult> lhs, ArrayRef<OpFoldResult> rhs,
                        bool &ambiguous, Lowering &l) {
  size_t rank = std::max(lhs.size(), rhs.size());
  Dims dims;
  ambiguous = false;
  for (size_t d = 0; d + 2 < rank; ++d) {
    auto at = [&](ArrayRef<OpFoldResult> dims) {
      size_t missing = rank - dims.size();
      return d < missing ? l.attr(1) : dims[d - missing];
    };
    OpFoldResult x = at(lhs), y = at(rhs);
    auto xConstant = getConstantIntValue(x), yConstant = getConstantIntValue(y);
    if (x == y || yConstant == 1) {
      dims.push_back(x);
    } else if (xConstant == 1) {
      dims.push_back(y);
    } else {
      // One is the other, or 1, at run time.
      ambiguous = true;
      Scalars s{l.b, l.loc};
      if (xConstant || yConstant)
        dims.push_back(xConstant ? x : y);
      else
        dims.push_back(s.select(
            s.compare(Comparison::Equal, l.index(x), l.index(1), false),
            l.index(y), l.index(x)));
    }
  }
  dims.push_back(lhs[lhs.size() - 2]);
  dims.push_back(rhs.back());
  return dims;
}

Value onnxc::kernelMatmul(Lowering &l, Value lhs, Value rhs,
                          ArrayRef<OpFoldResult> dims) {
  Type element = cast<RankedTensorType>(lhs.getType()).getElementType();
  Type sum =
      element.isInteger() ? Type(l.b.getI32Type()) : Type(l.b.getF32Type());
  Value init = l.empty(sum, dims);
  auto matmul = kernel::MatmulOp::create(l.b, l.loc, TypeRange(init.getType()),
                                         lhs, rhs, ValueRange(), init,
                                         l.b.getArrayAttr({}), /*packed=*/false,
                                         /*paired=*/false, kernel::TileAttr());
  OpBuilder::InsertionGuard guard(l.b);
  Block *block = l.b.createBlock(&matmul.getEpilogue(), {}, sum, l.loc);
  kernel::YieldOp::create(l.b, l.loc, block->getArgument(0));
  return matmul.getResult(0);
}

Value onnxc::contract(Lowering &l, Value lhs, Value rhs,
                      ArrayRef<OpFoldResult> dims) {
  Type element = cast<RankedTensorType>(lhs.getType()).getElementType();
  size_t rank = dims.size(), loops = rank + 1;
  OpBuilder &b = l.b;
  auto mapOf = [&](Value tensor, AffineExpr row, AffineExpr column) {
    Dims own = l.sizes(tensor);
    SmallVector<AffineExpr> exprs;
    for (size_t i = 0; i + 2 < own.size(); ++i) {
      size_t d = i + rank - own.size();
      exprs.push_back(getConstantIntValue(own[i]) == 1
                          ? b.getAffineConstantExpr(0)
                          : b.getAffineDimExpr(d));
    }
    exprs.push_back(row);
    exprs.push_back(column);
    return AffineMap::get(loops, 0, exprs, b.getContext());
  };
  AffineExpr m = b.getAffineDimExpr(rank - 2), n = b.getAffineDimExpr(rank - 1),
             k = b.getAffineDimExpr(rank);
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  SmallVector<AffineExpr> outExprs;
  for (size_t i = 0; i < rank; ++i)
    outExprs.push_back(b.getAffineDimExpr(i));
  return l.generic(
      l.filled(element, dims, numberAttr(element, 0)),
      AffineMap::get(loops, 0, outExprs, b.getContext()),
      {{lhs, mapOf(lhs, m, k)}, {rhs, mapOf(rhs, k, n)}}, iterators,
      [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Value product = s.mul(in[0], in[1]);
        Value sum = s.accumulate(in[2], product);
        // Multiplied and added in one instruction.
        for (Value value : {product, sum})
          if (auto fast = value.getDefiningOp<arith::ArithFastMathInterface>())
            fast->setAttr(fast.getFastMathAttrName(),
                          arith::FastMathFlagsAttr::get(
                              nested.getContext(),
                              arith::FastMathFlags::contract |
                                  fast.getFastMathFlagsAttr().getValue()));
        return sum;
      });
}

Value onnxc::matmulTensors(Lowering &l, Value lhs, Value rhs) {
  return matmulTensors(l, lhs, rhs, l.sizes(lhs), l.sizes(rhs));
}

Value onnxc::matmulTensors(Lowering &l, Value lhs, Value rhs, Dims left,
                           Dims right) {
  bool vectorLeft = left.size() == 1, vectorRight = right.size() == 1;
  if (vectorLeft) {
    left.insert(left.begin(), l.attr(1));
    lhs = l.reshape(lhs, left);
  }
  if (vectorRight) {
    right.push_back(l.attr(1));
    rhs = l.reshape(rhs, right);
  }
  bool ambiguous;
  Dims dims = productDims(left, right, ambiguous, l);
  l.requireEqual(left.back(), right[right.size() - 2],
                 "the dim that is summed over");
  for (const Dims &own : {left, right})
    for (size_t i = 0; i + 2 < own.size(); ++i)
      l.requireBroadcast(own[i], dims[i + dims.size() - own.size()]);
  Type element = cast<RankedTensorType>(lhs.getType()).getElementType();
  // A batch dim that may be 1 at run time only is repeated beforehand.
  auto repeated = [&](Value tensor, Dims own) {
    Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
    size_t shift = dims.size() - own.size();
    Dims wanted = own;
    bool copy = false;
    for (size_t i = 0; i + 2 < own.size(); ++i)
      if (getConstantIntValue(own[i]) != 1 && own[i] != dims[i + shift]) {
        wanted[i] = dims[i + shift];
        copy = true;
      }
    if (!copy)
      return tensor;
    return l.pull(element, wanted, [&](OpBuilder &nested, ArrayRef<Value> at) {
      Scalars s{nested, l.loc};
      SmallVector<Value> from(at);
      for (size_t i = 0; i + 2 < own.size(); ++i)
        if (own[i] != wanted[i])
          from[i] = s.select(
              s.compare(Comparison::Equal,
                        getValueOrCreateConstantIndexOp(nested, l.loc, own[i]),
                        s.integer(nested.getIndexType(), 1), false),
              s.integer(nested.getIndexType(), 0), at[i]);
      return Value(tensor::ExtractOp::create(nested, l.loc, tensor, from));
    });
  };
  if (ambiguous) {
    lhs = repeated(lhs, left);
    rhs = repeated(rhs, right);
  }
  Value result = element.isF32() || element.isInteger(16)
                     ? kernelMatmul(l, lhs, rhs, dims)
                     : contract(l, lhs, rhs, dims);
  if (vectorLeft || vectorRight) {
    if (vectorRight)
      dims.pop_back();
    if (vectorLeft)
      dims.erase(dims.end() - (vectorRight ? 1 : 2));
    result = l.reshape(result, dims);
  }
  return result;
}

Value onnxc::weightOperand(Lowering &l, ElementsAttr value, bool transposed) {
  SmallVector<int64_t> shape(value.getShapedType().getShape());
  DenseI64ArrayAttr permutation;
  if (transposed) {
    std::swap(shape[0], shape[1]);
    permutation = l.b.getDenseI64ArrayAttr({1, 0});
  }
  auto type = RankedTensorType::get(shape, value.getElementType());
  return kernel::WeightOp::create(l.b, l.loc, type, value, nullptr, permutation,
                                  nullptr, nullptr, nullptr);
}

/// An operand in the type that the product is computed in; a constant right one
/// keeps its type.
static Value operandOf(Lowering &l, Value onnx, Type compute, bool transposed,
                       bool right) {
  ElementsAttr constant = l.constant(onnx);
  if (constant && right && compute.isF32() && l.rank(onnx) == 2 &&
      constant.getNumElements() > 0)
    return weightOperand(l, constant, transposed);
  Value tensor = l.convert(l.value(onnx), l.elementType(onnx), compute);
  return transposed ? l.transpose(tensor, {1, 0}) : tensor;
}

static bool sizesContradict(int64_t x, int64_t y) {
  return x >= 0 && y >= 0 && x != y;
}

static LogicalResult lowerMatMul(Lowering &l, OnnxNode n) {
  Value a = n.in(0), c = n.in(1);
  if (l.rank(a) == 0 || l.rank(c) == 0)
    return l.refuse("operands must have rank 1 or more");
  if (sizesContradict(l.staticDim(a, l.rank(a) - 1),
                      l.staticDim(c, std::max<int64_t>(l.rank(c) - 2, 0))))
    return l.refuse("operands differ in the dim that is summed over");
  Type element = l.elementType(a), compute = computeType(element);
  Value result = matmulTensors(l, operandOf(l, a, compute, false, false),
                               operandOf(l, c, compute, false, true), l.dims(a),
                               l.dims(c));
  l.set(n.out(), l.convert(result, compute, element));
  return success();
}

/// C of a Gemm, which broadcasts to the product's `dims`; `known` are the dims
/// that the result is known to have.
static MappedOperand addendOf(Lowering &l, Value c, Type compute,
                              const Dims &dims, const Dims &known) {
  Dims own = l.dims(c);
  size_t missing = 2 - own.size();
  SmallVector<AffineExpr> exprs;
  bool mayRepeat = false;
  for (auto [i, dim] : llvm::enumerate(own)) {
    bool isOne = getConstantIntValue(dim) == 1;
    exprs.push_back(isOne ? l.b.getAffineConstantExpr(0)
                          : l.b.getAffineDimExpr(missing + i));
    mayRepeat |= !getConstantIntValue(dim) && dim != dims[missing + i] &&
                 dim != known[missing + i];
    if (!isOne && !mayRepeat)
      l.requireEqual(dim, dims[missing + i], "dim " + Twine(i) + " of C");
  }
  // A dim that may be 1 at run time only is repeated beforehand.
  Value tensor = mayRepeat ? l.broadcastTo(c, dims) : l.value(c);
  AffineMap map = mayRepeat ? l.b.getMultiDimIdentityMap(2)
                            : AffineMap::get(2, 0, exprs, l.b.getContext());
  return {l.convert(tensor, l.elementType(c), compute), map};
}

static LogicalResult lowerGemm(Lowering &l, OnnxNode n) {
  Value a = n.in(0), w = n.in(1), c = n.in(2);
  bool transA = n.integer("transA", 0), transB = n.integer("transB", 0);
  double alpha = n.real("alpha", 1), beta = n.real("beta", 1);
  if (l.rank(a) != 2 || l.rank(w) != 2 || (c && l.rank(c) > 2))
    return l.refuse("operands must have rank 2");
  if (sizesContradict(l.staticDim(a, transA ? 0 : 1),
                      l.staticDim(w, transB ? 1 : 0)))
    return l.refuse("operands differ in the dim that is summed over");
  Type element = l.elementType(a), compute = computeType(element);
  if (!isa<FloatType>(element) &&
      (alpha != std::floor(alpha) || beta != std::floor(beta)))
    return l.refuse("alpha and beta of integers must be whole numbers");
  Type number = signless(compute);
  Value product = matmulTensors(l, operandOf(l, a, compute, transA, false),
                                operandOf(l, w, compute, transB, true));
  Dims dims = l.sizes(product);
  SmallVector<MappedOperand> operands = {
      {product, l.b.getMultiDimIdentityMap(2)}};
  if (c && beta != 0) {
    operands.push_back(addendOf(l, c, compute, dims, l.dims(n.out())));
  }
  if (operands.size() > 1 || alpha != 1)
    product =
        l.map(number, dims, operands, [&](OpBuilder &nested, ValueRange in) {
          Scalars s{nested, l.loc};
          Value result = in[0];
          if (alpha != 1)
            result = s.mul(result, s.constant(number, alpha));
          if (in.size() < 2)
            return result;
          Value addend = in[1];
          if (beta != 1)
            addend = s.mul(addend, s.constant(number, beta));
          return s.add(result, addend);
        });
  l.set(n.out(), l.convert(product, compute, element));
  return success();
}

void onnxc::addMatrixProducts(LoweringTable &table) {
  table.onOp("MatMul", lowerMatMul);
  table.onOp("Gemm", lowerGemm);
}
