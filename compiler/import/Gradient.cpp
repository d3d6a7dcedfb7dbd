//===- Gradient.cpp - Names that a Gradient differentiates by -------------===//

#include "compiler/import/GraphImporter.h"
#include "compiler/import/Types.h"

using namespace mlir;
using namespace onnxc;

/// The attributes name tensors of the graph, which operations do not: the
/// operation has them as operands behind the inputs, those of `xs`, of `zs`,
/// then `y`.
LogicalResult GraphImporter::importGradient(Node &node,
                                            const onnx::NodeProto &proto,
                                            const Scope &scope) {
  if (failed(readAttributes(node, proto)))
    return failure();
  size_t inputs = node.operands.size();
  auto append = [&](StringRef attribute, StringRef name) -> LogicalResult {
    Value value = scope.lookup(name);
    if (!value || !isa<TensorType>(value.getType()))
      return node.error() << attribute << " names '" << oneLine(name)
                          << "', which is no tensor of the graph before it";
    node.operands.push_back(value);
    return success();
  };
  size_t differentiated = 0;
  for (StringRef attribute : {"xs", "zs"}) {
    auto names = dyn_cast_or_null<ArrayAttr>(node.attributes.get(attribute));
    if (!names)
      continue;
    for (auto name : names.getAsRange<StringAttr>())
      if (failed(append(attribute, name.getValue())))
        return failure();
    if (attribute == "xs")
      differentiated = names.size();
  }
  if (!differentiated || node.operands.size() != 2 * inputs ||
      static_cast<size_t>(proto.output_size()) > differentiated)
    return node.error() << "xs and zs do not fit the inputs and outputs";
  if (failed(append("y", node.string("y", ""))))
    return failure();
  for (auto [i, input] :
       llvm::enumerate(ArrayRef<Value>(node.operands).take_front(inputs))) {
    Value named = node.operands[inputs + i];
    if (!input ||
        withoutShape(input.getType()) != withoutShape(named.getType()))
      return node.error() << "input " << i
                          << " is not of the type of the tensor it stands for";
    if (i < differentiated)
      node.resultTypes.push_back(withoutShape(input.getType()));
  }
  Operation *op =
      createOperation(node.builder, node.location, node.operation,
                      node.operands, node.attributes, node.resultTypes);
  node.results.emplace(op->result_begin(), op->result_end());
  return success();
}
