//===- Normalization.cpp - BatchNormalization before 14 -------------------===//

#include "compiler/import/upgrade/Upgrade.h"

using namespace mlir;
using onnxc::Node;

/// spatial = 0: each element of a sample has its own statistics, scale and
/// bias, which broadcast over the samples.
static void normalizeElements(Node &node) {
  Value x = node.operands[0];
  Type type = node.resultTypes[0];
  Type statistics = node.operands[4].getType();
  auto emit = [&](StringRef operation, Type result, ArrayRef<Value> operands) {
    return node.emit(operation, result, operands);
  };
  Value epsilon = node.scalar(getElementTypeOrSelf(statistics),
                              node.real("epsilon", 1e-5f));
  Value deviation =
      emit("onnx.Sqrt", statistics,
           {emit("onnx.Add", statistics, {node.operands[4], epsilon})});
  Value centred = emit("onnx.Sub", type, {x, node.operands[3]});
  Value scaled =
      emit("onnx.Mul", type,
           {emit("onnx.Div", type, {centred, deviation}), node.operands[1]});
  node.results = {emit("onnx.Add", type, {scaled, node.operands[2]})};
}

/// Training gave, after the new running statistics, those of the batch.
static LogicalResult upgradeTraining(Node &node) {
  auto type = dyn_cast<RankedTensorType>(node.operands[0].getType());
  if (!type)
    return node.error() << "training needs a known rank";
  node.set("training_mode", 1);
  SmallVector<Type> types(node.resultTypes);
  types.resize(5);
  Value x = node.operands[0];
  ArrayRef<Type> newest = ArrayRef<Type>(types).take_front(3);
  Operation *op =
      onnxc::createOperation(node.builder, node.location, node.operation,
                             node.operands, node.attributes, newest);
  node.results = {op->getResult(0), types[1] ? op->getResult(1) : Value(),
                  types[2] ? op->getResult(2) : Value(), Value(), Value()};
  if (!types[3] && !types[4])
    return success();
  SmallVector<int64_t> axes = {0};
  llvm::append_range(axes, llvm::seq<int64_t>(2, type.getRank()));
  SmallVector<int64_t> dims(type.getRank(), 1);
  dims[1] = type.getDimSize(1);
  auto kept = RankedTensorType::get(dims, type.getElementType());
  auto flat = RankedTensorType::get(dims[1], type.getElementType());
  Value axesValue = node.constant(axes),
        flatShape = node.constant(ArrayRef<int64_t>(-1));
  auto meanOf = [&](Value values) {
    return node.emit("onnx.ReduceMean", kept, {values, axesValue});
  };
  auto flatten = [&](Value values) {
    return node.emit("onnx.Reshape", flat, {values, flatShape});
  };
  Value mean = meanOf(x);
  Value centred = node.emit("onnx.Sub", type, {x, mean});
  Value squares = node.emit("onnx.Mul", type, {centred, centred});
  (*node.results)[3] = flatten(mean);
  (*node.results)[4] = flatten(meanOf(squares));
  return success();
}

static LogicalResult upgradeBatchNormalization(Node &node) {
  // Versions 1 and 6 say whether they train, later ones by their outputs.
  bool trains = node.schema->SinceVersion() < 7 && !node.integer("is_test", 0);
  for (size_t i = 1; i < node.resultTypes.size(); ++i)
    trains |= node.hasResult(i);
  bool isSpatial = node.integer("spatial", 1) != 0;
  for (StringRef attribute : {"is_test", "spatial"})
    node.attributes.erase(attribute);
  if (trains && !isSpatial)
    return node.error() << "training with spatial = 0 is not supported";
  if (trains)
    return upgradeTraining(node);
  if (!isSpatial) {
    normalizeElements(node);
    return success();
  }
  node.resultTypes.resize(1);
  return success();
}

void onnxc::addNormalizationUpgrades(Upgrades &upgrades) {
  upgrades.add("BatchNormalization", 1, 13, upgradeBatchNormalization);
}
