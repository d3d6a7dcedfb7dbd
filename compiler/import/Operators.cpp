//===- Operators.cpp - Finds the nodes that are not supported -------------===//

#include "compiler/import/Prepare.h"
#include "compiler/import/upgrade/Upgrade.h"

#include "mlir/IR/Diagnostics.h"

#include "onnx/defs/schema.h"

using namespace mlir;
using onnx::NodeProto;
using onnx::OpSchema;
using onnx::OpSchemaRegistry;

/// Why `node` is not supported; "" when it is.
static std::string reason(const NodeProto &node, const onnxc::Opsets &opsets) {
  const std::string &domain = node.domain(), &op = node.op_type();
  auto opset = opsets.find(domain);
  if (domain != "" && domain != "ai.onnx.ml" && domain != "ai.onnx.preview" &&
      domain != "ai.onnx.preview.training" &&
      !OpSchemaRegistry::Schema(op, domain))
    return "the operator domain '" + onnxc::oneLine(domain) +
           "' is not supported";
  if (opset == opsets.end())
    return "the model imports no opset of domain '" +
           (domain.empty() ? "ai.onnx" : domain) + "'";
  const OpSchema *newest = OpSchemaRegistry::Schema(op, domain);
  if (!newest)
    return "no such operator";
  const OpSchema *schema = OpSchemaRegistry::Schema(
      op,
      static_cast<int>(
          std::min<int64_t>(opset->second, std::numeric_limits<int>::max())),
      domain);
  if (!schema)
    return "not in this opset, but in later ones";
  if (schema->Deprecated())
    return "no longer in this opset (deprecated since version " +
           std::to_string(schema->SinceVersion()) + ")";
  newest = onnxc::newestSchema(op, domain);
  if (!onnxc::Upgrades::table().find(*schema) &&
      !onnxc::carriesOver(*schema, *newest))
    return "version " + std::to_string(schema->SinceVersion()) +
           " of this operator is not supported";
  return "";
}

LogicalResult onnxc::checkOperators(const onnx::GraphProto &graph,
                                    const Opsets &opsets,
                                    MLIRContext *context) {
  LogicalResult result = success();
  for (const NodeProto &node : graph.node()) {
    std::string complaint = reason(node, opsets);
    if (!complaint.empty()) {
      auto opset = opsets.find(node.domain());
      InFlightDiagnostic error =
          emitError(NameLoc::get(StringAttr::get(context, displayName(node))));
      error << "node '" << displayName(node) << "' ("
            << oneLine(node.op_type());
      if (opset != opsets.end())
        error << ", opset " << opset->second;
      error << "): " << complaint;
      result = failure();
    }
    for (const onnx::AttributeProto &attribute : node.attribute())
      if (attribute.has_g() &&
          failed(checkOperators(attribute.g(), opsets, context)))
        result = failure();
  }
  return result;
}
