//===- Quantization.cpp - QLinearMatMul of floats of 8 bits ---------------===//

#include "compiler/import/upgrade/Upgrade.h"
#include "dialects/onnx/ElementTypes.h"

using namespace mlir;
using onnxc::Node;

static bool isFloat8(Value value) {
  auto type = dyn_cast<FloatType>(getElementTypeOrSelf(value.getType()));
  return type && type.getWidth() == 8;
}

static Value binary(Node &node, StringRef name, Value x, Value y) {
  return node.emit(name, UnrankedTensorType::get(node.builder.getF32Type()),
                   {x, y});
}

static Value toFloat(Node &node, Value value) {
  Type f32 = node.builder.getF32Type();
  if (getElementTypeOrSelf(value.getType()) == f32)
    return value;
  int64_t number = onnxc::dataType(f32);
  return node.emit(
      "onnx.Cast", UnrankedTensorType::get(f32), {value},
      node.builder.getNamedAttr("to", node.builder.getI64IntegerAttr(number)));
}

/// (x - zero) * scale, of operands `first` on. A vector of scales is one for
/// each row where `perRow`, else for each column.
static Value dequantized(Node &node, size_t first, bool perRow) {
  Value parts[3];
  for (size_t i = 0; i < 3; ++i) {
    Value part = node.operands[first + i];
    auto type = dyn_cast<RankedTensorType>(part.getType());
    parts[i] = toFloat(node, part);
    if (i > 0 && perRow && type && type.getRank() == 1)
      parts[i] = node.emit("onnx.Unsqueeze", parts[i].getType(),
                           {parts[i], node.constant(ArrayRef<int64_t>{1})});
  }
  return binary(node, "onnx.Mul", binary(node, "onnx.Sub", parts[0], parts[2]),
                parts[1]);
}

/// A product of floats of 8 bits has nothing of an integer product: it is one
/// of what they stand for, quantized again.
static LogicalResult upgradeProduct(Node &node) {
  if (!isFloat8(node.operands[0]) && !isFloat8(node.operands[3]) &&
      !isFloat8(node.operands[7]))
    return success();
  for (size_t i : {1, 2, 4, 5})
    if (!isa<RankedTensorType>(node.operands[i].getType()))
      return node.error() << "a scale or zero point of unknown rank is not "
                             "supported";
  Value product =
      binary(node, "onnx.MatMul", dequantized(node, 0, /*perRow=*/true),
             dequantized(node, 3, /*perRow=*/false));
  auto scalar = [&](Value value) {
    return node.emit(
        "onnx.Reshape",
        RankedTensorType::get({}, getElementTypeOrSelf(value.getType())),
        {value, node.constant(ArrayRef<int64_t>())});
  };
  node.results = {node.emit("onnx.QuantizeLinear", node.resultTypes[0],
                            {product, scalar(toFloat(node, node.operands[6])),
                             scalar(node.operands[7])})};
  return success();
}

void onnxc::addQuantizationUpgrades(Upgrades &upgrades) {
  upgrades.add("QLinearMatMul", 21, 1000, upgradeProduct);
}
