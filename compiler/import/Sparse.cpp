//===- Sparse.cpp - Sparse constants made dense ---------------------------===//
//
// No operator computes with a sparse tensor: an initializer and a Constant that
// are sparse become dense before anything else looks at the graph.
//
//===----------------------------------------------------------------------===//

#include "compiler/import/Prepare.h"
#include "compiler/import/Tensors.h"
#include "dialects/onnx/Elements.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace mlir;
using onnx::AttributeProto;
using onnx::GraphProto;
using onnx::SparseTensorProto;
using onnx::TensorProto;

static llvm::Error complain(const llvm::Twine &reason) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), reason);
}

/// The places of the values in the dense tensor, which must ascend.
static llvm::Expected<std::vector<int64_t>>
placesOf(const SparseTensorProto &sparse, int64_t count, int64_t elements,
         MLIRContext *context) {
  llvm::Expected<ElementsAttr> indices =
      onnxc::tensorElements(sparse.indices(), {}, context);
  if (!indices)
    return indices.takeError();
  auto numbers = onnxc::integerValues(*indices);
  ArrayRef<int64_t> shape = indices->getShapedType().getShape();
  int64_t rank = sparse.dims_size();
  bool isLinear = shape.size() == 1;
  if (!numbers || shape.empty() || shape.size() > 2 || shape[0] != count ||
      (!isLinear && shape[1] != rank))
    return complain("indices that fit neither its values nor its dims");
  std::vector<int64_t> places;
  for (int64_t i = 0; i < count; ++i) {
    int64_t place = isLinear ? (*numbers)[i] : 0;
    for (int64_t d = 0; !isLinear && d < rank; ++d) {
      int64_t index = (*numbers)[i * rank + d];
      if (index < 0 || index >= sparse.dims(static_cast<int>(d)))
        return complain("an index that is out of range");
      place = place * sparse.dims(static_cast<int>(d)) + index;
    }
    if (place < 0 || place >= elements)
      return complain("an index that is out of range");
    if (!places.empty() && place <= places.back())
      return complain("indices that do not ascend");
    places.push_back(place);
  }
  return places;
}

static llvm::Error toDense(const SparseTensorProto &sparse,
                           MLIRContext *context, TensorProto &dense) {
  // What a message of protobuf can hold.
  constexpr int64_t mostBytes = (int64_t(1) << 31) - 1;
  const TensorProto &values = sparse.values();
  for (const TensorProto *part : {&values, &sparse.indices()})
    if (part->data_location() == TensorProto::EXTERNAL)
      return complain("external data, which is not supported");
  llvm::Expected<ElementsAttr> elements =
      onnxc::tensorElements(values, {}, context);
  if (!elements)
    return elements.takeError();
  Type type = elements->getElementType();
  auto bytes = onnxc::elementBytes(*elements);
  if (!bytes || (type.isIntOrFloat() && type.getIntOrFloatBitWidth() < 8 &&
                 !type.isInteger(1)))
    return complain("an element type that is not supported there");
  int64_t size = bytes->elementSize(), total = 1, room = size;
  for (int64_t dim : sparse.dims())
    if (dim < 0 || llvm::MulOverflow(total, dim, total) ||
        llvm::MulOverflow(total, size, room) || room > mostBytes)
      return complain("dims that are negative or too large");
  if (elements->getShapedType().getRank() != 1)
    return complain("values that are no vector");
  auto places = placesOf(sparse, bytes->count(), total, context);
  if (!places)
    return places.takeError();
  std::string data(static_cast<size_t>(total * size), '\0');
  for (auto [i, place] : llvm::enumerate(*places))
    std::memcpy(&data[place * size],
                bytes->element(static_cast<int64_t>(i)).data(), size);
  dense.set_name(values.name());
  dense.set_data_type(values.data_type());
  *dense.mutable_dims() = sparse.dims();
  dense.set_raw_data(std::move(data));
  return llvm::Error::success();
}

static LogicalResult replace(const SparseTensorProto &sparse,
                             const std::string &name, MLIRContext *context,
                             TensorProto &dense) {
  llvm::Error error = toDense(sparse, context, dense);
  if (!error)
    return success();
  return emitError(NameLoc::get(StringAttr::get(context, name)))
         << "the sparse tensor '" << onnxc::oneLine(name) << "' has "
         << onnxc::oneLine(llvm::toString(std::move(error)));
}

LogicalResult onnxc::replaceSparseTensors(GraphProto &graph,
                                          MLIRContext *context) {
  for (const SparseTensorProto &sparse : graph.sparse_initializer())
    if (failed(replace(sparse, sparse.values().name(), context,
                       *graph.add_initializer())))
      return failure();
  graph.clear_sparse_initializer();
  for (onnx::NodeProto &node : *graph.mutable_node())
    for (AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g() &&
          failed(replaceSparseTensors(*attribute.mutable_g(), context)))
        return failure();
      if (node.op_type() != "Constant" || !attribute.has_sparse_tensor())
        continue;
      TensorProto dense;
      if (failed(replace(attribute.sparse_tensor(), displayName(node), context,
                         dense)))
        return failure();
      attribute.Clear();
      attribute.set_name("value");
      attribute.set_type(AttributeProto::TENSOR);
      *attribute.mutable_t() = std::move(dense);
    }
  return success();
}
