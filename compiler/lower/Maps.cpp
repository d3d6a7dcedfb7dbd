//===- Maps.cpp - ZipMap, DictVectorizer and CastMap ----------------------===//

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

/// For each number of the constant `wanted` its position in `numbers`, or -1.
static Value positionsIn(Lowering &l, Value numbers, ArrayRef<int64_t> wanted) {
  Type i64 = l.b.getI64Type();
  auto count = static_cast<int64_t>(wanted.size());
  Value list = l.constantTensor(
      DenseElementsAttr::get(RankedTensorType::get({count}, i64), wanted));
  Value none = l.empty(i64, l.attr(count));
  Value length = l.index(l.sizes(numbers)[0]);
  return scf::ForOp::create(
             l.b, l.loc, l.index(0), l.index(count), l.index(1), none,
             [&](OpBuilder &b, Location loc, Value at, ValueRange state) {
               Scalars s{b, loc};
               Value zero = s.integer(b.getIndexType(), 0);
               Value number = tensor::ExtractOp::create(b, loc, list, at);
               Value found =
                   scf::ForOp::create(
                       b, loc, zero, length, s.integer(b.getIndexType(), 1),
                       s.integer(i64, -1),
                       [&](OpBuilder &nested, Location, Value i,
                           ValueRange best) {
                         Scalars t{nested, loc};
                         Value other =
                             tensor::ExtractOp::create(nested, loc, numbers, i);
                         Value same =
                             t.compare(Comparison::Equal, number, other, false);
                         scf::YieldOp::create(
                             nested, loc,
                             t.select(same, t.fromIndex(i, i64), best[0]));
                       })
                       .getResult(0);
               Value written =
                   tensor::InsertOp::create(b, loc, found, state[0], at);
               scf::YieldOp::create(b, loc, written);
             })
      .getResult(0);
}

/// DictVectorizer: [1, V], the map's values in the order of the vocabulary, 0
/// or "" where it lacks a key.
static LogicalResult lowerDictVectorizer(Lowering &l, OnnxNode n) {
  auto vocabulary = stringAttribute(n, "string_vocabulary");
  auto integers = n.integers("int64_vocabulary");
  bool isText = vocabulary && !vocabulary->empty();
  if (!isText && (!integers || integers->empty()))
    return l.refuse("the vocabulary is missing");
  auto type = dyn_cast<op::MapType>(n.in(0).getType());
  auto held = type ? dyn_cast<TensorType>(type.getValue()) : TensorType();
  if (!held || isString(type.getKey()) != isText ||
      held.getElementType() != l.elementType(n.out()))
    return l.refuse("the input is no map from the vocabulary's type to values "
                    "of the output's");
  Value map = l.value(n.in(0)), length = readValue(l, "length", map);
  Value keys = readValue(l, "at", {map, l.index(0)});
  Value values = readValue(l, "at", {map, l.index(1)});
  Type i64 = l.b.getI64Type();
  Dims count{l.attr(
      static_cast<int64_t>(isText ? vocabulary->size() : integers->size()))};
  Value positions;
  if (isText) {
    Value results = callHost(l, "IndexOf", {boxStrings(l, *vocabulary), keys});
    positions = hostResult(l, results, 0, count, i64);
  } else {
    Value numbers = kernel::UnboxOp::create(
        l.b, l.loc, RankedTensorType::get({ShapedType::kDynamic}, i64), keys,
        length);
    positions = positionsIn(l, numbers, *integers);
  }
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

namespace {
/// What CastMap reads: the keys, the values in the result's type, both
/// [length].
struct MapTensors {
  Value keys, values, length;
};
} // namespace

/// [1, length], the values by ascending keys. Of equal keys, which no map has,
/// each takes a place of its own.
static Value byKeys(Lowering &l, const MapTensors &map, Type element) {
  OpFoldResult length = getAsOpFoldResult(map.length);
  return scf::ForOp::create(
             l.b, l.loc, l.index(0), map.length, l.index(1),
             l.empty(element, {l.attr(1), length}),
             [&](OpBuilder &b, Location loc, Value i, ValueRange state) {
               Scalars s{b, loc};
               Type index = b.getIndexType();
               Value zero = s.integer(index, 0), one = s.integer(index, 1);
               auto read = [&](OpBuilder &nested, Value list,
                               Value at) -> Value {
                 return tensor::ExtractOp::create(nested, loc, list, at);
               };
               Value key = read(b, map.keys, i);
               Value place =
                   scf::ForOp::create(
                       b, loc, zero, map.length, one, zero,
                       [&](OpBuilder &nested, Location, Value j,
                           ValueRange count) {
                         Scalars t{nested, loc};
                         Value other = read(nested, map.keys, j);
                         Value isLess =
                             t.compare(Comparison::Less, other, key, false);
                         Value isSame = t.logicalAnd(
                             t.compare(Comparison::Equal, other, key, false),
                             t.compare(Comparison::Less, j, i, false));
                         Value step =
                             t.select(t.logicalOr(isLess, isSame), one, zero);
                         scf::YieldOp::create(nested, loc,
                                              t.add(count[0], step));
                       })
                       .getResult(0);
               Value written =
                   tensor::InsertOp::create(b, loc, read(b, map.values, i),
                                            state[0], ValueRange{zero, place});
               scf::YieldOp::create(b, loc, written);
             })
      .getResult(0);
}

/// [1, size], each value at the place that its key says; those of greater keys
/// are left out.
static Value atKeys(Lowering &l, const MapTensors &map, Type element,
                    int64_t size) {
  Type i64 = l.b.getI64Type();
  Value least = l.reduce(map.keys, {0}, l.b.getI64IntegerAttr(0),
                         [&](OpBuilder &nested, Value found, Value key) {
                           return Scalars{nested, l.loc}.min(found, key, false);
                         });
  Scalars s{l.b, l.loc};
  Value lowest = tensor::ExtractOp::create(l.b, l.loc, least, ValueRange());
  l.require(
      s.compare(Comparison::GreaterOrEqual, lowest, s.integer(i64, 0), false),
      "key {} is negative", s.toIndex(lowest));
  return scf::ForOp::create(
             l.b, l.loc, l.index(0), map.length, l.index(1),
             l.filled(element, {l.attr(1), l.attr(size)},
                      numberAttr(element, 0)),
             [&](OpBuilder &b, Location loc, Value i, ValueRange state) {
               Scalars t{b, loc};
               Value zero = t.integer(b.getIndexType(), 0);
               Value key = tensor::ExtractOp::create(b, loc, map.keys, i);
               Value isIn = t.compare(Comparison::Less, key,
                                      t.integer(i64, size), false);
               Value place = t.toIndex(t.select(isIn, key, t.integer(i64, 0)));
               Value old = tensor::ExtractOp::create(b, loc, state[0],
                                                     ValueRange{zero, place});
               Value value = tensor::ExtractOp::create(b, loc, map.values, i);
               Value written =
                   tensor::InsertOp::create(b, loc, t.select(isIn, value, old),
                                            state[0], ValueRange{zero, place});
               scf::YieldOp::create(b, loc, written);
             })
      .getResult(0);
}

static LogicalResult lowerCastMap(Lowering &l, OnnxNode n) {
  auto type = dyn_cast<op::MapType>(n.in(0).getType());
  auto held = type ? dyn_cast<TensorType>(type.getValue()) : TensorType();
  Type to = l.elementType(n.out());
  if (!held || !type.getKey().isInteger(64))
    return l.refuse("the input is no map from int64");
  StringRef form = n.string("map_form", "DENSE"),
            target = n.string("cast_to", "TO_FLOAT");
  int64_t size = n.integer("max_map", 1);
  if ((target == "TO_FLOAT" && !to.isF32()) ||
      (target == "TO_INT64" && !to.isInteger(64)) ||
      (target == "TO_STRING" && !isString(to)))
    return l.refuse("the output is not of the type that cast_to says");
  if (form != "DENSE" && form != "SPARSE")
    return l.refuse("there is no map_form '" + form + "'");
  if (form == "SPARSE" && (size < 1 || size > INT32_MAX))
    return l.refuse("max_map is out of range");
  Type from = held.getElementType();
  if (isString(to) && (!isString(from) || form == "SPARSE"))
    return l.refuse("numbers, or nothing, as strings are not supported yet");
  Value boxed = l.value(n.in(0));
  MapTensors map;
  map.length = readValue(l, "length", boxed);
  Value values = readValue(l, "at", {boxed, l.index(1)});
  auto unboxed = [&](Value tensor, Type element) -> Value {
    return kernel::UnboxOp::create(
        l.b, l.loc, RankedTensorType::get({ShapedType::kDynamic}, element),
        tensor, map.length);
  };
  map.keys = unboxed(readValue(l, "at", {boxed, l.index(0)}), l.b.getI64Type());
  if (from == to)
    map.values = unboxed(values, signless(to));
  else if (isString(from))
    map.values = parsedStrings(l, values, getAsOpFoldResult(map.length), to);
  else
    map.values = l.convert(unboxed(values, signless(from)), from, to);
  l.set(n.out(), form == "DENSE" ? byKeys(l, map, signless(to))
                                 : atKeys(l, map, signless(to), size));
  return success();
}

void onnxc::addMaps(LoweringTable &table) {
  table.onOp("ml.ZipMap", lowerZipMap);
  table.onOp("ml.DictVectorizer", lowerDictVectorizer);
  table.onOp("ml.CastMap", lowerCastMap);
}
