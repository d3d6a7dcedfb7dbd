//===- FeatureTransforms.cpp - What ai.onnx.ml does to features -----------===//
//
// Scaler, Normalizer, Binarizer, Imputer, ArrayFeatureExtractor,
// FeatureVectorizer, OneHotEncoder.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/Scalars.h"
#include "compiler/lower/Strings.h"
#include "compiler/lower/Traditional.h"

using namespace mlir;
using namespace onnxc;

//===----------------------------------------------------------------------===//
// One feature at a time
//===----------------------------------------------------------------------===//

/// A list that has one number for each feature (the last dim of `x`), or one
/// for all, as an operand of a map over the dims of `x`.
static std::optional<MappedOperand> perFeature(Lowering &l, Value x,
                                               DenseElementsAttr values) {
  int64_t rank = l.rank(x), count = values.getNumElements();
  if (rank < 1 || rank > 2 || (count != 1 && count != l.staticDim(x, rank - 1)))
    return std::nullopt;
  AffineExpr at = count == 1 ? l.b.getAffineConstantExpr(0)
                             : l.b.getAffineDimExpr(rank - 1);
  return MappedOperand{l.constantTensor(values),
                       AffineMap::get(rank, 0, at, l.b.getContext())};
}

static DenseElementsAttr floatList(OnnxNode n, StringRef name) {
  auto list = n.op->getAttrOfType<DenseF32ArrayAttr>(name);
  if (!list || list.empty())
    return nullptr;
  auto type = RankedTensorType::get({list.size()},
                                    Float32Type::get(n.op->getContext()));
  return DenseElementsAttr::get(type, list.asArrayRef());
}

static DenseElementsAttr integerList(OnnxNode n, StringRef name) {
  auto list = n.op->getAttrOfType<DenseI64ArrayAttr>(name);
  if (!list || list.empty())
    return nullptr;
  auto type = RankedTensorType::get({list.size()},
                                    IntegerType::get(n.op->getContext(), 64));
  return DenseElementsAttr::get(type, list.asArrayRef());
}

static MappedOperand sameDims(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  return {tensor, AffineMap::getMultiDimIdentityMap(type.getRank(),
                                                    tensor.getContext())};
}

static LogicalResult refuseList(Lowering &l, StringRef name) {
  return l.refuse(name + " must have one number, or one for each feature of an "
                         "input of rank 1 or 2 whose last dim is static");
}

/// Y = (X - offset) * scale
static LogicalResult lowerScaler(Lowering &l, OnnxNode n) {
  DenseElementsAttr offset = floatList(n, "offset"),
                    scale = floatList(n, "scale");
  if (!offset || !scale)
    return l.refuse("offset or scale is missing");
  auto offsets = perFeature(l, n.in(0), offset);
  auto scales = perFeature(l, n.in(0), scale);
  if (!offsets || !scales)
    return refuseList(l, offsets ? "scale" : "offset");
  Type f32 = l.b.getF32Type();
  Value x = l.convert(l.value(n.in(0)), l.elementType(n.in(0)), f32);
  l.set(n.out(), l.map(f32, l.dims(n.in(0)), {sameDims(x), *offsets, *scales},
                       [&](OpBuilder &nested, ValueRange in) {
                         Scalars s{nested, l.loc};
                         return s.mul(s.sub(in[0], in[1]), in[2]);
                       }));
  return success();
}

static LogicalResult lowerBinarizer(Lowering &l, OnnxNode n) {
  Type element = l.elementType(n.in(0)), f32 = l.b.getF32Type();
  double threshold = n.real("threshold", 0);
  l.set(n.out(), l.mapSame(signless(element), {l.value(n.in(0))},
                           [&](OpBuilder &nested, ValueRange in) {
                             Scalars s{nested, l.loc};
                             Type type = in[0].getType();
                             Type compute = type.isF64() ? type : f32;
                             Value x = s.convert(in[0], element, compute);
                             Value above = s.compare(
                                 Comparison::Greater, x,
                                 s.constant(compute, threshold), false);
                             return s.select(above, s.constant(type, 1),
                                             s.constant(type, 0));
                           }));
  return success();
}

static LogicalResult lowerImputer(Lowering &l, OnnxNode n) {
  Type element = l.elementType(n.in(0));
  bool isFloat = isa<FloatType>(element);
  StringRef name = isFloat ? "imputed_value_floats" : "imputed_value_int64s";
  DenseElementsAttr list = isFloat ? floatList(n, name) : integerList(n, name);
  if (!list)
    return l.refuse(name + " is missing");
  auto imputed = perFeature(l, n.in(0), list);
  if (!imputed)
    return refuseList(l, name);
  double replacedReal = n.real("replaced_value_float", 0);
  int64_t replacedInteger = n.integer("replaced_value_int64", 0);
  unsigned bits = element.getIntOrFloatBitWidth();
  auto fitsElement = [&](int64_t value) { return llvm::isIntN(bits, value); };
  if (!isFloat && (!fitsElement(replacedInteger) ||
                   !llvm::all_of(list.getValues<int64_t>(), fitsElement)))
    return l.refuse("an attribute's value does not fit the element type");
  Type listed = list.getElementType();
  l.set(n.out(),
        l.map(element, l.dims(n.in(0)), {sameDims(l.value(n.in(0))), *imputed},
              [&](OpBuilder &nested, ValueRange in) {
                Scalars s{nested, l.loc};
                Value missing;
                if (isFloat && std::isnan(replacedReal))
                  missing = s.isNaN(in[0]);
                else
                  missing =
                      s.compare(Comparison::Equal, in[0],
                                isFloat ? s.constant(element, replacedReal)
                                        : s.integer(element, replacedInteger),
                                false);
                return s.select(missing, s.convert(in[1], listed, element),
                                in[0]);
              }));
  return success();
}

/// Each sample divided by its greatest element (MAX), by the sum of its
/// magnitudes (L1) or by its length (L2); as it is where that is 0.
static LogicalResult lowerNormalizer(Lowering &l, OnnxNode n) {
  StringRef norm = n.string("norm", "MAX");
  int64_t rank = l.rank(n.in(0));
  if (rank < 1 || rank > 2)
    return l.refuse("only inputs of rank 1 and 2 are supported");
  if (norm != "MAX" && norm != "L1" && norm != "L2")
    return l.refuse("there is no norm '" + norm + "'");
  Type f32 = l.b.getF32Type();
  Value x = l.convert(l.value(n.in(0)), l.elementType(n.in(0)), f32);
  Value size = l.reduce(
      x, {rank - 1},
      norm == "MAX" ? lowestValue(f32, false) : numberAttr(f32, 0),
      [&](OpBuilder &nested, Value acc, Value element) {
        Scalars s{nested, l.loc};
        if (norm == "MAX")
          return s.max(acc, element, false);
        return s.accumulate(acc, norm == "L1" ? s.abs(element)
                                              : s.mul(element, element));
      });
  l.set(n.out(),
        l.withReduced(
            f32, x, {size}, {rank - 1}, [&](OpBuilder &nested, ValueRange in) {
              Scalars s{nested, l.loc};
              Value by = norm == "L2" ? s.sqrt(in[1]) : in[1];
              Value isZero =
                  s.compare(Comparison::Equal, by, s.constant(f32, 0), false);
              return s.select(isZero, in[0], s.div(in[0], by, false));
            }));
  return success();
}

//===----------------------------------------------------------------------===//
// Choosing and joining features
//===----------------------------------------------------------------------===//

/// Z = X[..., Y].
static LogicalResult lowerArrayFeatureExtractor(Lowering &l, OnnxNode n) {
  Value x = n.in(0), y = n.in(1);
  int64_t rank = l.rank(x);
  if (rank == 0)
    return l.refuse("the input is a scalar");
  l.requireIndices(y, l.dims(x).back(), "axis " + Twine(rank - 1),
                   IndexSet::FromZero);
  Value tensor = l.value(x);
  Dims count = {l.product(l.dims(y))};
  Value indices = l.reshape(l.value(y), count);
  Dims dims = l.dims(x);
  if (rank == 1)
    dims.insert(dims.begin(), l.attr(1));
  dims.back() = count[0];
  l.set(n.out(),
        l.pull(signless(l.elementType(x)), dims,
               [&](OpBuilder &nested, ArrayRef<Value> at) -> Value {
                 Scalars s{nested, l.loc};
                 Value index = s.toIndex(tensor::ExtractOp::create(
                     nested, l.loc, indices, at.back()));
                 SmallVector<Value> from(rank == 1 ? at.drop_front() : at);
                 from.back() = index;
                 return tensor::ExtractOp::create(nested, l.loc, tensor, from);
               }));
  return success();
}

static LogicalResult lowerFeatureVectorizer(Lowering &l, OnnxNode n) {
  auto counts = n.integers("inputdimensions");
  SmallVector<Value> inputs = n.present();
  if (!counts || counts->size() != inputs.size())
    return l.refuse("inputdimensions must have a number for each input");
  int64_t total = 0;
  for (auto [input, count] : llvm::zip(inputs, *counts)) {
    if (l.rank(input) != 2 || l.staticDim(input, 1) != count)
      return l.refuse("an input is not of rank 2 with as many features as "
                      "inputdimensions says");
    total += count;
  }
  Type f32 = l.b.getF32Type();
  OpFoldResult rows = l.dims(inputs[0])[0];
  Value result = l.empty(f32, {rows, l.attr(total)});
  int64_t at = 0;
  for (auto [input, count] : llvm::zip(inputs, *counts)) {
    Value part = l.convert(l.value(input), l.elementType(input), f32);
    result = l.insertSlice(part, result, {l.attr(0), l.attr(at)},
                           {rows, l.attr(count)}, {l.attr(1), l.attr(1)});
    at += count;
  }
  l.set(n.out(), result);
  return success();
}

//===----------------------------------------------------------------------===//
// Categories
//===----------------------------------------------------------------------===//

/// Ends the run where an element is of no category: the categories are in the
/// last dim, `rank`, of `encoded`.
static void requireKnown(Lowering &l, Value encoded, int64_t rank) {
  Type f32 = l.b.getF32Type();
  Value known =
      l.reduce(encoded, {rank}, numberAttr(f32, 0),
               [&](OpBuilder &nested, Value found, Value element) {
                 return Scalars{nested, l.loc}.max(found, element, false);
               });
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  Value least =
      l.reduce(known, axes, numberAttr(f32, 1),
               [&](OpBuilder &nested, Value all, Value element) {
                 return Scalars{nested, l.loc}.min(all, element, false);
               });
  Value one = tensor::ExtractOp::create(l.b, l.loc, least, ValueRange());
  Scalars s{l.b, l.loc};
  l.require(s.compare(Comparison::Greater, one, s.constant(f32, 0), false),
            "an element is of no category");
}

static LogicalResult lowerOneHotEncoder(Lowering &l, OnnxNode n) {
  // A string is the number of its category.
  auto texts = stringAttribute(n, "cats_strings");
  bool isText = isString(l.elementType(n.in(0)));
  DenseElementsAttr categories =
      isText && texts ? l.b.getI64TensorAttr(llvm::to_vector(llvm::seq<int64_t>(
                            0, static_cast<int64_t>(texts->size()))))
                      : integerList(n, "cats_int64s");
  if (!categories || (isText && !texts))
    return l.refuse("there are no categories of the input's type");
  Type i64 = l.b.getI64Type(), f32 = l.b.getF32Type();
  Type element = isText ? i64 : l.elementType(n.in(0));
  Value x =
      isText ? positionsOf(l, l.value(n.in(0)), *texts) : l.value(n.in(0));
  int64_t rank = l.rank(n.in(0));
  Dims dims = l.dims(n.in(0));
  dims.push_back(l.attr(categories.getNumElements()));
  AffineMap own = AffineMap::getMultiDimIdentityMap(rank + 1, l.b.getContext())
                      .getMajorSubMap(rank);
  AffineMap last =
      AffineMap::get(rank + 1, 0, l.b.getAffineDimExpr(rank), l.b.getContext());
  Value result =
      l.map(f32, dims, {{x, own}, {l.constantTensor(categories), last}},
            [&](OpBuilder &nested, ValueRange in) {
              Scalars s{nested, l.loc};
              Value same =
                  s.compare(Comparison::Equal, s.convert(in[0], element, i64),
                            in[1], false);
              return s.select(same, s.constant(f32, 1), s.constant(f32, 0));
            });
  if (n.integer("zeros", 1) == 0)
    requireKnown(l, result, rank);
  l.set(n.out(), result);
  return success();
}

void onnxc::addFeatureTransforms(LoweringTable &table) {
  table.onOp("ml.Scaler", lowerScaler);
  table.onOp("ml.Binarizer", lowerBinarizer);
  table.onOp("ml.Imputer", lowerImputer);
  table.onOp("ml.Normalizer", lowerNormalizer);
  table.onOp("ml.ArrayFeatureExtractor", lowerArrayFeatureExtractor);
  table.onOp("ml.FeatureVectorizer", lowerFeatureVectorizer);
  table.onOp("ml.OneHotEncoder", lowerOneHotEncoder);
}
