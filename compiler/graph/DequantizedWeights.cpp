//===- DequantizedWeights.cpp - Products with dequantised constants -------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"
#include "dialects/onnx/Elements.h"

#include "llvm/Support/MathExtras.h"

#include <cstring>

namespace onnxc {
#define GEN_PASS_DEF_DEQUANTIZEDWEIGHTS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

/// A constant matrix behind a DequantizeLinear, and perhaps a Transpose, as the
/// right operand [depth, columns] of a product.
struct QuantizedMatrix {
  ElementsAttr values, scales, zeros; ///< zeros is null where absent
  bool transposed = false;            ///< values are [columns, depth]
  int64_t depth = 0, columns = 0, bits = 0;
  int64_t block = 0;      ///< steps of depth that share a scale
  bool perColumn = false; ///< or all columns share it
  bool isBlocked = false; ///< scales are a matrix that lies as values do

  int64_t blocks() const { return llvm::divideCeil(depth, block); }
  /// Where the scale of a column and a block is among all.
  int64_t parameter(int64_t column, int64_t number) const {
    if (!perColumn)
      return 0;
    if (!isBlocked)
      return column;
    return transposed ? column * blocks() + number : number * columns + column;
  }
};

struct DequantizedWeights
    : onnxc::impl::DequantizedWeightsBase<DequantizedWeights> {
  using DequantizedWeightsBase::DequantizedWeightsBase;

  void runOnOperation() override {
    SmallVector<Operation *> found;
    getOperation().walk([&](Operation *op) {
      if (isOnnx(op, "MatMul") || isOnnx(op, "Gemm"))
        found.push_back(op);
    });
    for (Operation *op : found)
      rewrite(op);
    eraseDead(getOperation());
  }

private:
  static int64_t integer(Operation *op, StringRef name, int64_t missing) {
    auto attribute = op->getAttrOfType<IntegerAttr>(name);
    return attribute ? attribute.getInt() : missing;
  }
  static bool isOne(Operation *op, StringRef name) {
    auto attribute = op->getAttrOfType<FloatAttr>(name);
    return !attribute || attribute.getValueAsDouble() == 1;
  }

  /// `value` without a Transpose that exchanges two dims; `transposed` then
  /// changes.
  static Value withoutTranspose(Value value, bool &transposed) {
    Operation *op = definedBy(value, "Transpose");
    auto order =
        op ? op->getAttrOfType<DenseI64ArrayAttr>("perm") : DenseI64ArrayAttr();
    if (!order || order.asArrayRef() != ArrayRef<int64_t>{1, 0})
      return value;
    transposed = !transposed;
    return op->getOperand(0);
  }

  static std::optional<QuantizedMatrix> matrixOf(Value value, bool transposed) {
    QuantizedMatrix matrix;
    Operation *op =
        definedBy(withoutTranspose(value, transposed), "DequantizeLinear");
    if (!op)
      return std::nullopt;
    matrix.transposed = transposed;
    matrix.values = constantElements(op->getOperand(0));
    matrix.scales = constantElements(op->getOperand(1));
    if (!matrix.values || !matrix.scales)
      return std::nullopt;
    if (hasOperand(op, 2)) {
      matrix.zeros = constantElements(op->getOperand(2));
      if (!matrix.zeros ||
          matrix.zeros.getNumElements() != matrix.scales.getNumElements())
        return std::nullopt;
    }
    ShapedType type = matrix.values.getShapedType();
    Type element = type.getElementType();
    if (type.getRank() != 2 || type.getNumElements() == 0 ||
        !element.isInteger() ||
        matrix.scales.getElementType() !=
            getElementTypeOrSelf(op->getResult(0).getType()))
      return std::nullopt;
    matrix.bits = element.getIntOrFloatBitWidth();
    if (matrix.bits != 2 && matrix.bits != 4 && matrix.bits != 8)
      return std::nullopt;
    int64_t depthAxis = transposed ? 1 : 0;
    matrix.depth = type.getDimSize(depthAxis);
    matrix.columns = type.getDimSize(1 - depthAxis);
    return setBlocks(matrix, op, depthAxis) ? std::optional(matrix)
                                            : std::nullopt;
  }

  /// Finds what shares a scale; false where that is no block of a column.
  static bool setBlocks(QuantizedMatrix &matrix, Operation *op,
                        int64_t depthAxis) {
    ShapedType scales = matrix.scales.getShapedType();
    int64_t perWord = 32 / matrix.bits;
    matrix.block = llvm::alignTo(matrix.depth, perWord);
    if (scales.getNumElements() == 1)
      return scales.getRank() < 2;
    int64_t axis = integer(op, "axis", 1);
    axis += axis < 0 ? 2 : 0;
    matrix.perColumn = true;
    if (scales.getRank() == 1)
      return axis == 1 - depthAxis && scales.getDimSize(0) == matrix.columns;
    matrix.isBlocked = true;
    if (axis != depthAxis || scales.getRank() != 2 ||
        scales.getDimSize(1 - depthAxis) != matrix.columns)
      return false;
    int64_t block = integer(op, "block_size", 0);
    if (block < 1 || scales.getDimSize(depthAxis) !=
                         llvm::divideCeilSigned(matrix.depth, block))
      return false;
    if (scales.getDimSize(depthAxis) == 1)
      return true;
    matrix.block = block;
    return block % perWord == 0;
  }

  /// The numbers of each column in bytes, [columns, blocks, block * bits / 8],
  /// unsigned.
  static std::vector<char> packedValues(const QuantizedMatrix &matrix) {
    auto values = elementBytes(matrix.values);
    int64_t perByte = 8 / matrix.bits;
    int64_t columnBytes = matrix.blocks() * matrix.block / perByte;
    unsigned mask = (1u << matrix.bits) - 1;
    unsigned sign = matrix.values.getElementType().isUnsignedInteger()
                        ? 0
                        : 1u << (matrix.bits - 1);
    std::vector<char> packed(matrix.columns * columnBytes);
    const char *from = values->bytes().data();
    int64_t columnStride = matrix.transposed ? matrix.depth : 1;
    int64_t depthStride = matrix.transposed ? 1 : matrix.columns;
    // Columns in groups, so that rows are read by cache lines.
    constexpr int64_t group = 64;
    for (int64_t first = 0; first < matrix.columns; first += group)
      for (int64_t k = 0; k < matrix.depth; ++k)
        for (int64_t n = first; n < std::min(first + group, matrix.columns);
             ++n) {
          int64_t at =
              values->isSplat() ? 0 : n * columnStride + k * depthStride;
          unsigned number =
              (static_cast<unsigned char>(from[at]) ^ sign) & mask;
          char &byte = packed[n * columnBytes + k / perByte];
          byte = static_cast<char>(static_cast<unsigned char>(byte) |
                                   number << (k % perByte * matrix.bits));
        }
    return packed;
  }

  /// Scales as [columns, blocks].
  static std::vector<char> arrangedScales(const QuantizedMatrix &matrix) {
    auto scales = elementBytes(matrix.scales);
    int64_t size = scales->elementSize();
    std::vector<char> arranged(matrix.columns * matrix.blocks() * size);
    char *to = arranged.data();
    for (int64_t n = 0; n < matrix.columns; ++n)
      for (int64_t b = 0; b < matrix.blocks(); ++b, to += size)
        std::memcpy(to, scales->element(matrix.parameter(n, b)).data(), size);
    return arranged;
  }

  /// Zero points as MatMulNBits has them; null where all are the middle.
  static ElementsAttr packedZeros(const QuantizedMatrix &matrix) {
    int64_t middle = int64_t(1) << (matrix.bits - 1);
    bool isUnsignedMatrix = matrix.values.getElementType().isUnsignedInteger();
    if (!matrix.zeros && !isUnsignedMatrix)
      return nullptr;
    SmallVector<int64_t> zeros(matrix.scales.getNumElements(), 0);
    if (matrix.zeros)
      zeros = *integerValues(matrix.zeros);
    if (!isUnsignedMatrix)
      for (int64_t &zero : zeros)
        zero += middle;
    if (llvm::all_of(zeros, [&](int64_t zero) { return zero == middle; }))
      return nullptr;
    int64_t rowBytes = llvm::divideCeil(matrix.blocks() * matrix.bits, 8);
    int64_t perByte = 8 / matrix.bits;
    std::vector<char> packed(matrix.columns * rowBytes);
    for (int64_t n = 0; n < matrix.columns; ++n)
      for (int64_t b = 0; b < matrix.blocks(); ++b) {
        char &byte = packed[n * rowBytes + b / perByte];
        byte = static_cast<char>(
            static_cast<unsigned char>(byte) |
            static_cast<unsigned>(zeros[matrix.parameter(n, b)])
                << (b % perByte * matrix.bits));
      }
    auto type = RankedTensorType::get(
        {matrix.columns, rowBytes},
        IntegerType::get(matrix.values.getContext(), 8, IntegerType::Unsigned));
    return makeElements(type, std::move(packed));
  }

  static void rewrite(Operation *op) {
    bool isGemm = isOnnx(op, "Gemm");
    auto left = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    auto result = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!left || !result || left.getRank() < 1 ||
        (isGemm && (integer(op, "transA", 0) != 0 || !isOne(op, "alpha") ||
                    !isOne(op, "beta"))))
      return;
    auto matrix =
        matrixOf(op->getOperand(1), isGemm && integer(op, "transB", 0) != 0);
    if (!matrix || !elementBytes(matrix->values) ||
        !elementBytes(matrix->scales) ||
        matrix->scales.getElementType() != left.getElementType() ||
        (matrix->zeros && !integerValues(matrix->zeros)))
      return;
    OpBuilder builder(op);
    Location location = op->getLoc();
    int64_t columns = matrix->columns, blocks = matrix->blocks();
    auto bytes = IntegerType::get(op->getContext(), 8, IntegerType::Unsigned);
    Value values = createConstant(
        builder, location,
        makeElements(
            RankedTensorType::get(
                {columns, blocks, matrix->block * matrix->bits / 8}, bytes),
            packedValues(*matrix)));
    Value scales = createConstant(
        builder, location,
        makeElements(
            RankedTensorType::get({columns, blocks}, left.getElementType()),
            arrangedScales(*matrix)));
    Value none = createNone(builder, location), zeros = none;
    if (ElementsAttr packed = packedZeros(*matrix))
      zeros = createConstant(builder, location, packed);
    auto attribute = [&](StringRef name, int64_t value) {
      return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
    };
    Value product =
        createOnnx(builder, location, "com.microsoft.MatMulNBits",
                   {op->getOperand(0), values, scales, zeros, none, none},
                   result,
                   {attribute("K", matrix->depth), attribute("N", columns),
                    attribute("bits", matrix->bits),
                    attribute("block_size", matrix->block)})
            ->getResult(0);
    if (isGemm && hasOperand(op, 2))
      product = createOnnx(builder, location, "Add",
                           {product, op->getOperand(2)}, result)
                    ->getResult(0);
    op->getResult(0).replaceAllUsesWith(product);
    op->erase();
  }
};

} // namespace
