//===- BatchedScan.cpp - The Scan of opset 8 as two of the newest ---------===//
//
// A Scan over the rows of the batch, whose body is the Scan over a row:
//
//   y, z = Scan-8(lengths, state, x)
//     ->
//   y, z = Scan(lengths, state, x) {
//     ^row(length, s, r):
//       last, slices = Scan(s, Slice(r, 0, length)) { the body }
//       Return(last, Pad(slices, Shape(r)[0] - length))
//   }
//
//===----------------------------------------------------------------------===//

#include "compiler/import/GraphImporter.h"
#include "compiler/import/Types.h"

using namespace mlir;
using namespace onnxc;

namespace {

/// The nodes that cut a row to its length, and bring results back to the
/// length of all rows.
struct RowLength {
  Node &node; // its builder stands in the body
  Value length, missing;

  RowLength(Node &node, Value length, Value row) : node(node) {
    Type i64 = node.builder.getI64Type(), one = RankedTensorType::get(1, i64);
    auto op = [&](StringRef name, ArrayRef<Value> operands,
                  ArrayRef<NamedAttribute> attributes = {}) {
      return node.emit(name, one, operands, attributes);
    };
    Value all =
        op("onnx.Shape", row,
           node.builder.getNamedAttr("end", node.builder.getI64IntegerAttr(1)));
    this->length = op("onnx.Unsqueeze", {length, zero()});
    missing = op("onnx.Sub", {all, this->length});
  }

  Value zero() { return node.constant(ArrayRef<int64_t>{0}); }

  Value cut(Value row) {
    return node.emit("onnx.Slice", withoutShape(row.getType()),
                     {row, zero(), length, zero(), Value()});
  }

  Value pad(Value slices) {
    Value pads = node.emit(
        "onnx.Concat", RankedTensorType::get(2, node.builder.getI64Type()),
        {zero(), missing},
        node.builder.getNamedAttr("axis", node.builder.getI64IntegerAttr(0)));
    return node.emit("onnx.Pad", withoutShape(slices.getType()),
                     {slices, pads, Value(), zero()});
  }
};

} // namespace

/// The type of a row of a batch; null for a scalar.
static Type rowType(Type batch) {
  auto ranked = dyn_cast<RankedTensorType>(batch);
  if (!ranked)
    return batch;
  if (ranked.getRank() == 0)
    return nullptr;
  return RankedTensorType::get(ranked.getShape().drop_front(),
                               ranked.getElementType());
}

LogicalResult GraphImporter::importBatchedScan(Node &node,
                                               const onnx::GraphProto &graph,
                                               const Scope &scope) {
  int64_t scans = node.integer("num_scan_inputs", 0);
  int64_t states = static_cast<int64_t>(node.operands.size()) - scans;
  if (scans < 1 || states < 0 || graph.output_size() < states ||
      graph.output_size() != static_cast<int64_t>(node.resultTypes.size()))
    return node.error() << "the body does not fit the operands and results";
  SmallVector<Value> operands = node.operands;
  if (node.batch->lengths)
    operands.push_back(node.batch->lengths);
  Builder &attributes = node.builder;
  Operation *outer = createOperation(
      node.builder, node.location, "onnx.Scan", operands,
      attributes.getNamedAttr("num_scan_inputs",
                              attributes.getI64IntegerAttr(operands.size())),
      node.resultTypes, /*regions=*/1);
  if (node.batch->lengths) // lowering checks them
    outer->setAttr("onnx.row_lengths", attributes.getUnitAttr());
  node.results.emplace(outer->result_begin(), outer->result_end());

  Block &body = outer->getRegion(0).emplaceBlock();
  for (auto [i, operand] : llvm::enumerate(operands)) {
    Type type = operand ? rowType(operand.getType()) : Type();
    if (!type)
      return node.error() << "input " << i + 1 << " has no batch dim";
    body.addArgument(type, node.location);
  }
  OpBuilder inside = OpBuilder::atBlockEnd(&body);
  Node row{inside,       node.location,  node.name, node.opType,     node.opset,
           node.schema,  node.operation, {},        node.attributes, {},
           std::nullopt, std::nullopt};
  row.operands.assign(body.args_begin(),
                      body.args_begin() + node.operands.size());
  std::optional<RowLength> length;
  if (node.batch->lengths) {
    length.emplace(row, body.getArguments().back(), row.operands.back());
    for (Value &scanned :
         MutableArrayRef<Value>(row.operands).drop_front(states))
      scanned = length->cut(scanned);
  }
  for (const onnx::ValueInfoProto &output : graph.output()) {
    Type type = valueType(output.type(), context);
    if (!type)
      return node.error() << "the body's output '" << oneLine(output.name())
                          << "' has no type, or one that is not supported";
    row.resultTypes.push_back(withoutShape(type));
  }
  Operation *inner =
      createOperation(inside, node.location, "onnx.Scan", row.operands,
                      row.attributes, row.resultTypes, /*regions=*/1);
  if (failed(importRegion(row, graph, inner->getRegion(0), scope)))
    return failure();
  SmallVector<Value> results(inner->getResults());
  if (length)
    for (Value &stacked : MutableArrayRef<Value>(results).drop_front(states))
      stacked = length->pad(stacked);
  createOperation(inside, node.location, "onnx.Return", results, {}, {});
  return success();
}
