//===- Maps.cpp - ZipMap and DictVectorizer -------------------------------===//

#include "compiler/lower/BoxedValues.h"
#include "compiler/lower/Scalars.h"
#include "compiler/lower/Strings.h"
#include "compiler/lower/Traditional.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

/// ZipMap: of each row of [N, C], or of the only one of [C], a map from the
/// classes to its numbers.
static LogicalResult lowerZipMap(Lowering &l, OnnxNode n) {
  auto labels = classLabels(l, n, "classlabels_int64s");
  if (!labels)
    return failure();
  Value x = n.in(0);
  int64_t rank = l.rank(x);
  if (rank < 1 || rank > 2)
    return l.refuse("the numbers must have rank 1 or 2");
  OpFoldResult classes = l.attr(static_cast<int64_t>(labels->size()));
  Dims dims = l.dims(x);
  l.requireEqual(dims.back(), classes, "numbers and class labels");
  Type element = l.elementType(x);
  auto maps = dyn_cast<op::SequenceType>(n.out().getType());
  auto map = maps ? dyn_cast<op::MapType>(maps.getElement()) : op::MapType();
  auto held = map ? dyn_cast<TensorType>(map.getValue()) : TensorType();
  if (!held || held.getElementType() != element ||
      isString(map.getKey()) == labels->texts.empty())
    return l.refuse("the output is no sequence of maps from the labels to the "
                    "input's numbers");
  Value tensor = l.value(x);
  Value keys =
      labels->texts.empty()
          ? boxTensor(l,
                      l.constantTensor(l.b.getI64TensorAttr(labels->numbers)),
                      l.b.getI64Type())
          : boxStrings(l, labels->texts);
  Value rows = l.index(rank == 2 ? dims[0] : l.attr(1));
  auto loop = scf::ForOp::create(l.b, l.loc, l.index(0), rows, l.index(1),
                                 makeValue(l, "sequence"));
  {
    OpBuilder::InsertionGuard guard(l.b);
    l.b.setInsertionPointToStart(loop.getBody());
    Value row = tensor;
    if (rank == 2)
      row = tensor::ExtractSliceOp::create(
          l.b, l.loc, tensorType(signless(element), classes), tensor,
          Dims{getAsOpFoldResult(loop.getInductionVar()), l.attr(0)},
          Dims{l.attr(1), classes}, Dims{l.attr(1), l.attr(1)});
    Value map = makeValue(l, "map", {keys, boxTensor(l, row, element)});
    scf::YieldOp::create(l.b, l.loc,
                         appended(l, loop.getRegionIterArg(0), map));
  }
  l.bind(n.out(), loop.getResult(0));
  return success();
}

/// DictVectorizer: [1, V], the map's values in the order of the vocabulary, 0
/// or "" where it lacks a key.
static LogicalResult lowerDictVectorizer(Lowering &l, OnnxNode n) {
  auto vocabulary = stringAttribute(n, "string_vocabulary");
  if (!vocabulary || vocabulary->empty())
    return l.refuse("a vocabulary that is not of strings is not supported yet");
  auto type = dyn_cast<op::MapType>(n.in(0).getType());
  auto held = type ? dyn_cast<TensorType>(type.getValue()) : TensorType();
  if (!held || !isString(type.getKey()) ||
      held.getElementType() != l.elementType(n.out()))
    return l.refuse("the input is no map from strings to values of the "
                    "output's type");
  Value map = l.value(n.in(0)), length = readValue(l, "length", map);
  Value keys = readValue(l, "at", {map, l.index(0)});
  Value values = readValue(l, "at", {map, l.index(1)});
  Dims count{l.attr(static_cast<int64_t>(vocabulary->size()))};
  Value positions =
      hostResult(l, callHost(l, "IndexOf", {boxStrings(l, *vocabulary), keys}),
                 0, count, l.b.getI64Type());
  Type element = l.elementType(n.out()), stored = signless(element);
  Value list = kernel::UnboxOp::create(
      l.b, l.loc, RankedTensorType::get({ShapedType::kDynamic}, stored), values,
      length);
  Value none = isString(element)
                   ? stringList(l, StringRef())
                   : l.filled(stored, l.attr(1), l.b.getZeroAttr(stored));
  // The default behind the values: where there are none, too, an element is
  // there to be read.
  Dims all{l.add(getAsOpFoldResult(length), l.attr(1))};
  Dims one{l.attr(1)}, zero{l.attr(0)}, behind{getAsOpFoldResult(length)};
  Value extended = l.insertSlice(list, l.empty(stored, all), zero, behind, one);
  extended = l.insertSlice(none, extended, behind, one, one);
  l.set(n.out(), l.pull(stored, {l.attr(1), count[0]},
                        [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
                          Scalars s{nested, l.loc};
                          Value position = s.toIndex(tensor::ExtractOp::create(
                              nested, l.loc, positions, at[1]));
                          Value isNone = s.compare(
                              Comparison::Less, position,
                              s.integer(nested.getIndexType(), 0), false);
                          return tensor::ExtractOp::create(
                              nested, l.loc, extended,
                              s.select(isNone, length, position));
                        }));
  return success();
}

void onnxc::addMaps(LoweringTable &table) {
  table.onOp("ml.ZipMap", lowerZipMap);
  table.onOp("ml.DictVectorizer", lowerDictVectorizer);
}
