//===- WeightLayout.cpp - Places in the weight section --------------------===//

#include "dialects/kernel/WeightLayout.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace onnxc::kernel;

int64_t onnxc::kernel::elementStorageBytes(Type elementType) {
  if (auto complex = dyn_cast<ComplexType>(elementType))
    return 2 * elementStorageBytes(complex.getElementType());
  if (elementType.isIndex())
    return 8;
  if (elementType.isIntOrFloat())
    return llvm::divideCeil(elementType.getIntOrFloatBitWidth(), 8u);
  return 0;
}

WeightLayout onnxc::kernel::placeWeights(ModuleOp module) {
  WeightLayout layout;
  Builder builder(module.getContext());
  SmallVector<Attribute> entries;
  // An entry without its offset, and the offset it got.
  llvm::DenseMap<Attribute, int64_t> places;
  module.walk([&](WeightOp op) {
    NamedAttrList key;
    key.append("value", op.getValue());
    if (auto shape = op.getExpandedShapeAttr())
      key.append("expanded_shape", shape);
    if (auto permutation = op.getPermutationAttr())
      key.append("permutation", permutation);
    if (auto transform = op.getPointTransformAttr())
      key.append("point_transform", transform);
    if (auto width = op.getPanelWidthAttr())
      key.append("panel_width", width);
    if (auto axis = op.getPanelAxisAttr())
      key.append("panel_axis", axis);
    if (auto paired = op.getPairedAttr())
      key.append("paired", paired);
    auto [place, isNew] =
        places.try_emplace(key.getDictionary(op.getContext()), 0);
    if (isNew) {
      auto type = cast<ShapedType>(op.getResult().getType());
      PlacedWeight weight;
      weight.offset = llvm::alignTo(layout.bytes, weightAlignment);
      weight.bytes =
          type.getNumElements() * elementStorageBytes(type.getElementType());
      weight.value = op.getValue();
      weight.expandedShape = op.getExpandedShapeAttr();
      weight.permutation = op.getPermutationAttr();
      weight.pointTransform = op.getPointTransformAttr();
      weight.panelWidth = op.getPanelWidth().value_or(0);
      weight.panelAxis = op.getPanelAxis().value_or(0);
      weight.paired = op.getPaired();
      layout.bytes = weight.offset + weight.bytes;
      layout.weights.push_back(weight);
      place->second = weight.offset;
      key.append("bytes", builder.getI64IntegerAttr(weight.bytes));
      key.append("offset", builder.getI64IntegerAttr(weight.offset));
      entries.push_back(key.getDictionary(op.getContext()));
    }
    op.setOffset(place->second);
  });
  module->setAttr(weightsAttrName, builder.getArrayAttr(entries));
  return layout;
}

WeightLayout onnxc::kernel::readWeightLayout(ModuleOp module) {
  WeightLayout layout;
  auto entries = module->getAttrOfType<ArrayAttr>(weightsAttrName);
  if (!entries)
    return layout;
  for (auto entry : entries.getAsRange<DictionaryAttr>()) {
    auto integer = [&](StringRef name) {
      auto attr = entry.getAs<IntegerAttr>(name);
      return attr ? attr.getInt() : 0;
    };
    PlacedWeight weight;
    weight.offset = integer("offset");
    weight.bytes = integer("bytes");
    weight.value = entry.getAs<ElementsAttr>("value");
    weight.expandedShape = entry.getAs<DenseI64ArrayAttr>("expanded_shape");
    weight.permutation = entry.getAs<DenseI64ArrayAttr>("permutation");
    weight.pointTransform = entry.getAs<DenseF64ArrayAttr>("point_transform");
    weight.panelWidth = integer("panel_width");
    weight.panelAxis = integer("panel_axis");
    weight.paired = entry.contains("paired");
    layout.bytes = std::max(layout.bytes, weight.offset + weight.bytes);
    layout.weights.push_back(weight);
  }
  return layout;
}
