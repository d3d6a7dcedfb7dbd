//===- MatMulNBits.cpp - Products with weights of a few bits --------------===//
//
// The bytes of B, `[N, blocks, bytes]`, four at a time are the words that
// kernel.quantized_matmul reads: the library has them in another order only.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/Lowering.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/Elements.h"

#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace mlir;
using namespace onnxc;

namespace {
/// The node's sizes.
struct Packing {
  int64_t columns, depth, block, bits;

  int64_t blocks() const { return llvm::divideCeil(depth, block); }
  int64_t perWord() const { return 32 / bits; }
};
} // namespace

/// `[N, rows]` as the weight `[rows, N]`.
static Value turned(Lowering &l, ElementsAttr value, int64_t columns,
                    int64_t rows) {
  auto type =
      RankedTensorType::get({rows, columns}, signless(value.getElementType()));
  return kernel::WeightOp::create(
      l.b, l.loc, type, value, l.b.getDenseI64ArrayAttr({columns, rows}),
      l.b.getDenseI64ArrayAttr({1, 0}), nullptr, nullptr, nullptr);
}

/// The bytes of a constant of ui8 of which there are `count`.
static FailureOr<std::vector<char>> bytesOf(Lowering &l, ElementsAttr value,
                                            int64_t count, const Twine &what) {
  auto bytes = elementBytes(value);
  if (!value.getElementType().isUnsignedInteger(8) || !bytes ||
      bytes->count() != count)
    return l.refuse(what + " must be " + Twine(count) + " bytes of uint8");
  return bytes->expanded();
}

/// B as words `[blocks * block / s, N]`.
static FailureOr<Value> packedWeights(Lowering &l, ElementsAttr value,
                                      const Packing &packing) {
  int64_t words = packing.blocks() * packing.block / packing.perWord();
  int64_t count = packing.columns * words * 4;
  auto type = RankedTensorType::get({packing.columns, words}, l.b.getI32Type());
  auto bytes = elementBytes(value);
  if (value.getElementType().isUnsignedInteger(8) && bytes &&
      !bytes->isSplat() && bytes->count() == count)
    return turned(l, makeElements(type, bytes->bytes()), packing.columns,
                  words);
  FailureOr<std::vector<char>> expanded = bytesOf(l, value, count, "B");
  if (failed(expanded))
    return failure();
  return turned(l, makeElements(type, std::move(*expanded)), packing.columns,
                words);
}

/// Floats, one for each block of each column.
static FailureOr<Value> blockFloats(Lowering &l, ElementsAttr value,
                                    const Packing &packing, const Twine &what) {
  Type element = value.getElementType();
  if (!(element.isF32() || element.isF16() || element.isBF16()) ||
      value.getNumElements() != packing.columns * packing.blocks())
    return l.refuse(what + " must be " +
                    Twine(packing.columns * packing.blocks()) + " floats");
  return turned(l, value, packing.columns, packing.blocks());
}

/// Zero points as words `[ceil(blocks / s), N]`, or floats `[blocks, N]`.
static FailureOr<Value> packedZeroPoints(Lowering &l, ElementsAttr value,
                                         const Packing &packing) {
  if (isa<FloatType>(value.getElementType()))
    return blockFloats(l, value, packing, "zero_points");
  int64_t rowBytes = llvm::divideCeil(packing.blocks() * packing.bits, 8);
  FailureOr<std::vector<char>> bytes =
      bytesOf(l, value, packing.columns * rowBytes, "zero_points");
  if (failed(bytes))
    return failure();
  int64_t words = llvm::divideCeil(rowBytes, 4);
  std::vector<char> padded(packing.columns * words * 4);
  for (int64_t n = 0; n < packing.columns; ++n)
    std::memcpy(padded.data() + n * words * 4, bytes->data() + n * rowBytes,
                rowBytes);
  auto type = RankedTensorType::get({packing.columns, words}, l.b.getI32Type());
  return turned(l, makeElements(type, std::move(padded)), packing.columns,
                words);
}

static Value quantizedMatmul(Lowering &l, Value lhs, Value weights,
                             Value scales, Value zeroPoints,
                             const Packing &packing, const Dims &dims) {
  Value init = l.empty(l.b.getF32Type(), dims);
  auto matmul = kernel::QuantizedMatmulOp::create(
      l.b, l.loc, TypeRange(init.getType()), lhs, weights, scales, zeroPoints,
      ValueRange(), init, packing.bits, packing.block, packing.depth,
      l.b.getArrayAttr({}), /*packed=*/false);
  OpBuilder::InsertionGuard guard(l.b);
  Block *block =
      l.b.createBlock(&matmul.getEpilogue(), {}, l.b.getF32Type(), l.loc);
  kernel::YieldOp::create(l.b, l.loc, block->getArgument(0));
  return matmul.getResult(0);
}

static LogicalResult lowerMatMulNBits(Lowering &l, OnnxNode n) {
  Value a = n.in(0), bias = n.in(5);
  ElementsAttr b = l.constant(n.in(1)), scales = l.constant(n.in(2)), zeros;
  if (n.in(4))
    return l.refuse("input 'g_idx' is not supported yet");
  if (n.in(3))
    zeros = l.constant(n.in(3));
  if (!b || !scales || (n.in(3) && !zeros))
    return l.refuse("weights that are not constant are not supported yet");
  Packing packing{n.integer("N", 0), n.integer("K", 0),
                  n.integer("block_size", 0), n.integer("bits", 4)};
  constexpr int64_t most = INT32_MAX;
  if ((packing.bits != 2 && packing.bits != 4 && packing.bits != 8) ||
      packing.columns < 1 || packing.depth < 1 || packing.block < 1 ||
      packing.columns > most || packing.depth > most || packing.block > most ||
      packing.block % packing.perWord() != 0)
    return l.refuse("bits, N, K or block_size is out of range");
  int64_t rank = l.rank(a);
  if (rank < 1)
    return l.refuse("A must have rank 1 or more");
  FailureOr<Value> weights = packedWeights(l, b, packing);
  FailureOr<Value> factors = blockFloats(l, scales, packing, "scales");
  FailureOr<Value> zeroPoints =
      zeros ? packedZeroPoints(l, zeros, packing) : FailureOr<Value>(Value());
  if (failed(weights) || failed(factors) || failed(zeroPoints))
    return failure();

  Type f32 = l.b.getF32Type(), element = l.elementType(a);
  Dims dims = l.dims(a);
  l.requireEqual(dims.back(), l.attr(packing.depth), "K and the last dim of A");
  Value lhs = l.convert(l.value(a), element, f32);
  if (rank == 1) {
    dims.insert(dims.begin(), l.attr(1));
    lhs = l.reshape(lhs, dims);
  }
  dims.back() = l.attr(packing.columns);
  Value y =
      quantizedMatmul(l, lhs, *weights, *factors, *zeroPoints, packing, dims);
  if (rank == 1) {
    dims.erase(dims.begin());
    y = l.reshape(y, dims);
  }
  if (bias) {
    if (l.rank(bias) != 1)
      return l.refuse("the bias must have rank 1");
    l.requireEqual(l.dims(bias)[0], l.attr(packing.columns), "the bias");
    AffineMap all = l.b.getMultiDimIdentityMap(dims.size());
    unsigned last = dims.size() - 1;
    y = l.map(f32, dims,
              {{y, all},
               {l.convert(l.value(bias), l.elementType(bias), f32),
                all.getSubMap(last)}},
              [&](OpBuilder &nested, ValueRange in) {
                return Scalars{nested, l.loc}.add(in[0], in[1]);
              });
  }
  l.set(n.out(), l.convert(y, f32, element));
  return success();
}

void onnxc::addMatMulNBits(LoweringTable &table) {
  table.onOp("com.microsoft.MatMulNBits", lowerMatMulNBits);
}
