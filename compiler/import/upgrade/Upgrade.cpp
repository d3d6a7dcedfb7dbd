//===- Upgrade.cpp - The table of upgrades --------------------------------===//

#include "compiler/import/upgrade/Upgrade.h"
#include "dialects/onnx/ElementTypes.h"

using namespace mlir;
using onnx::OpSchema;

/// The table's name of an operator.
static std::string key(const OpSchema &schema) {
  return (schema.domain() == "ai.onnx.ml" ? "ml." : "") + schema.Name();
}

const onnxc::Upgrades &onnxc::Upgrades::table() {
  static const Upgrades upgrades = [] {
    Upgrades result;
    addAxesUpgrades(result);
    addBoundsUpgrades(result);
    addBroadcastUpgrades(result);
    addElementTypeUpgrades(result);
    addNormalizationUpgrades(result);
    addPoolUpgrades(result);
    addQuantizationUpgrades(result);
    addRecurrentUpgrades(result);
    addResizeUpgrades(result);
    addScanUpgrades(result);
    addSoftmaxUpgrades(result);
    addTraditionalUpgrades(result);
    addVisionUpgrades(result);
    return result;
  }();
  return upgrades;
}

void onnxc::Upgrades::add(StringRef op, int first, int last, Upgrade upgrade) {
  entries[op.str()].push_back({first, last, std::move(upgrade)});
}

void onnxc::Upgrades::add(ArrayRef<StringRef> ops, int first, int last,
                          Upgrade upgrade) {
  for (StringRef op : ops)
    add(op, first, last, upgrade);
}

const onnxc::Upgrade *onnxc::Upgrades::find(const OpSchema &schema) const {
  auto found = entries.find(key(schema));
  if (found == entries.end())
    return nullptr;
  for (const Entry &entry : found->second)
    if (schema.SinceVersion() >= entry.first &&
        schema.SinceVersion() <= entry.last)
      return &entry.upgrade;
  return nullptr;
}

LogicalResult onnxc::computeInFloat(Node &node) {
  Type element = getElementTypeOrSelf(node.operands[0].getType());
  if (!isa<IntegerType>(element))
    return success();
  auto cast = [&](Value value, Type to) {
    int64_t number = dataType(to);
    return node.emit("onnx.Cast", UnrankedTensorType::get(to), {value},
                     node.builder.getNamedAttr(
                         "to", node.builder.getI64IntegerAttr(number)));
  };
  Type f64 = node.builder.getF64Type();
  SmallVector<Value> operands = node.operands;
  operands[0] = cast(operands[0], f64);
  operands.resize(newestSchema(node.opType, "")->inputs().size());
  Value result = node.emit(node.operation, UnrankedTensorType::get(f64),
                           operands, node.attributes.getAttrs());
  node.results = {cast(result, element)};
  return success();
}

/// Whether a node's values for `older` fit `newest`.
static bool
parametersCarryOver(const std::vector<OpSchema::FormalParameter> &older,
                    const std::vector<OpSchema::FormalParameter> &newest) {
  if (older.size() > newest.size())
    return false;
  for (size_t i = 0; i < newest.size(); ++i) {
    if (i >= older.size()) {
      if (newest[i].GetOption() != OpSchema::Optional)
        return false;
      continue;
    }
    bool wasVariadic = older[i].GetOption() == OpSchema::Variadic;
    bool isVariadic = newest[i].GetOption() == OpSchema::Variadic;
    bool isNarrower = older[i].GetOption() == OpSchema::Optional &&
                      newest[i].GetOption() == OpSchema::Single;
    if (wasVariadic != isVariadic || isNarrower)
      return false;
  }
  return true;
}

bool onnxc::carriesOver(const OpSchema &older, const OpSchema &newest) {
  if (older.SinceVersion() == newest.SinceVersion())
    return true;
  if (!parametersCarryOver(older.inputs(), newest.inputs()) ||
      !parametersCarryOver(older.outputs(), newest.outputs()))
    return false;
  for (const auto &[name, attribute] : older.attributes()) {
    // About memory, not about what is computed: the importer drops it.
    if (name == "consumed_inputs")
      continue;
    auto found = newest.attributes().find(name);
    if (found == newest.attributes().end() ||
        found->second.type != attribute.type)
      return false;
  }
  for (const auto &[name, attribute] : newest.attributes())
    if (attribute.required && !older.attributes().count(name))
      return false;
  return true;
}
