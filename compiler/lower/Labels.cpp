//===- Labels.cpp - LabelEncoder, CategoryMapper, labels of classes -------===//

#include "compiler/lower/Scalars.h"
#include "compiler/lower/Strings.h"
#include "compiler/lower/Traditional.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace onnxc;

std::optional<ClassLabels> onnxc::classLabels(Lowering &l, OnnxNode n,
                                              StringRef integers) {
  ClassLabels labels;
  if (auto texts = stringAttribute(n, "classlabels_strings");
      texts && !texts->empty()) {
    labels.texts = *texts;
    for (size_t i = 0; i < texts->size(); ++i)
      labels.numbers.push_back(static_cast<int64_t>(i));
    return labels;
  }
  auto numbers = n.integers(integers);
  if (!numbers || numbers->empty()) {
    (void)l.refuse("there are no class labels");
    return std::nullopt;
  }
  labels.numbers = *numbers;
  return labels;
}

Value onnxc::asLabels(Lowering &l, Value numbers, const ClassLabels &labels) {
  return labels.texts.empty()
             ? numbers
             : elementsAt(l, stringList(l, labels.texts), numbers);
}

namespace {
/// One side of a mapping: numbers, or strings.
struct LabelList {
  DenseElementsAttr numbers;
  std::optional<SmallVector<StringRef>> texts;
  int64_t size() const {
    return texts ? static_cast<int64_t>(texts->size())
                 : numbers.getNumElements();
  }
};
} // namespace

static DenseElementsAttr listOf(Type element, ArrayRef<Attribute> values) {
  return DenseElementsAttr::get(
      RankedTensorType::get({static_cast<int64_t>(values.size())}, element),
      values);
}

/// `<what>_strings`, `<what>_int64s`, `<what>_floats` or `<what>_tensor`.
static std::optional<LabelList> labelList(OnnxNode n, const Twine &what) {
  auto attribute = [&](StringRef kind) {
    return n.op->getAttr((what + "_" + kind).str());
  };
  Builder b(n.op->getContext());
  if (auto texts = stringAttribute(n, (what + "_strings").str());
      texts && !texts->empty())
    return LabelList{nullptr, texts};
  if (auto list = dyn_cast_or_null<DenseI64ArrayAttr>(attribute("int64s"));
      list && !list.empty())
    return LabelList{b.getI64TensorAttr(list.asArrayRef()), std::nullopt};
  if (auto list = dyn_cast_or_null<DenseF32ArrayAttr>(attribute("floats"));
      list && !list.empty())
    return LabelList{DenseElementsAttr::get(
                         RankedTensorType::get({list.size()}, b.getF32Type()),
                         list.asArrayRef()),
                     std::nullopt};
  Attribute tensor = attribute("tensor");
  if (auto texts = dyn_cast_or_null<DenseStringElementsAttr>(tensor))
    return LabelList{nullptr,
                     SmallVector<StringRef>(texts.getValues<StringRef>())};
  if (auto numbers = dyn_cast_or_null<DenseElementsAttr>(tensor))
    return LabelList{numbers, std::nullopt};
  return std::nullopt;
}

/// The position of the first key that equals each element, or -1. Compares with
/// one key after the other: tables of numbers are short.
static Value positionsOfNumbers(Lowering &l, Value tensor,
                                DenseElementsAttr keys) {
  Type i64 = l.b.getI64Type();
  return l.mapSame(i64, tensor, [&](OpBuilder &nested, ValueRange in) {
    Scalars s{nested, l.loc};
    Value result = s.integer(i64, -1);
    SmallVector<Attribute> list(keys.getValues<Attribute>());
    for (size_t i = list.size(); i-- > 0;) {
      auto key = cast<TypedAttr>(list[i]);
      auto real = dyn_cast<FloatAttr>(list[i]);
      Value same =
          real && real.getValue().isNaN()
              ? s.isNaN(in[0])
              : s.compare(Comparison::Equal, in[0],
                          arith::ConstantOp::create(nested, l.loc, key), false);
      result = s.select(same, s.integer(i64, static_cast<int64_t>(i)), result);
    }
    return result;
  });
}

/// What is there for a key that is none: `default_tensor` or the attribute of
/// the result's type.
static std::optional<LabelList> defaultLabel(Lowering &l, OnnxNode n,
                                             Type element) {
  Attribute tensor = n.op->getAttr("default_tensor");
  if (auto texts = dyn_cast_or_null<DenseStringElementsAttr>(tensor))
    return LabelList{nullptr,
                     SmallVector<StringRef>(texts.getValues<StringRef>())};
  if (auto numbers = dyn_cast_or_null<DenseElementsAttr>(tensor))
    return LabelList{numbers, std::nullopt};
  if (isString(element))
    return LabelList{
        nullptr, SmallVector<StringRef>{n.string("default_string", "_Unused")}};
  if (element.isF32())
    return LabelList{listOf(element, l.b.getF32FloatAttr(static_cast<float>(
                                         n.real("default_float", -0.0)))),
                     std::nullopt};
  if (element.isInteger(64))
    return LabelList{
        listOf(element, l.b.getI64IntegerAttr(n.integer("default_int64", -1))),
        std::nullopt};
  return std::nullopt;
}

static LogicalResult mapLabels(Lowering &l, OnnxNode n, const LabelList &keys,
                               const LabelList &values,
                               const LabelList &otherwise) {
  constexpr int64_t mostKeys = 1024;
  Type from = l.elementType(n.in(0)), to = l.elementType(n.out());
  if (keys.size() != values.size())
    return l.refuse("there are not as many keys as values");
  if (!keys.texts && keys.size() > mostKeys)
    return l.refuse("more than " + Twine(mostKeys) +
                    " keys that are numbers are not supported yet");
  auto isOf = [](const LabelList &list, Type type) {
    return list.texts ? isString(type)
                      : list.numbers.getElementType() == signless(type);
  };
  if (!isOf(keys, from) || !isOf(values, to))
    return l.refuse("keys or values are of another type than the input or the "
                    "output");
  if (!isOf(otherwise, to) || otherwise.size() < 1)
    return l.refuse("the default is not of the output's type");
  Value tensor = l.value(n.in(0));
  Value positions = keys.texts ? positionsOf(l, tensor, *keys.texts)
                               : positionsOfNumbers(l, tensor, keys.numbers);
  Value list;
  if (values.texts) {
    SmallVector<StringRef> texts(*values.texts);
    texts.push_back(otherwise.texts->front());
    list = stringList(l, texts);
  } else {
    SmallVector<Attribute> numbers(values.numbers.getValues<Attribute>());
    numbers.push_back(*otherwise.numbers.value_begin<Attribute>());
    list = l.constantTensor(listOf(signless(to), numbers));
  }
  l.set(n.out(), elementsAt(l, list, positions));
  return success();
}

static LogicalResult lowerLabelEncoder(Lowering &l, OnnxNode n) {
  auto keys = labelList(n, "keys"), values = labelList(n, "values");
  if (!keys || !values)
    return l.refuse("keys or values are missing, or a large tensor, which is "
                    "not supported yet");
  auto otherwise = defaultLabel(l, n, l.elementType(n.out()));
  if (!otherwise)
    return l.refuse("there is no default_tensor of the output's type");
  return mapLabels(l, n, *keys, *values, *otherwise);
}

/// Between strings and the integers that belong to them, both ways.
static LogicalResult lowerCategoryMapper(Lowering &l, OnnxNode n) {
  auto texts = labelList(n, "cats"), numbers = std::optional<LabelList>();
  if (auto list = n.op->getAttrOfType<DenseI64ArrayAttr>("cats_int64s"))
    numbers = LabelList{l.b.getI64TensorAttr(list.asArrayRef()), std::nullopt};
  if (!texts || !texts->texts || !numbers)
    return l.refuse("cats_strings or cats_int64s is missing");
  auto otherwise = defaultLabel(l, n, l.elementType(n.out()));
  if (!otherwise)
    return l.refuse("the output is of neither strings nor int64");
  bool fromStrings = isString(l.elementType(n.in(0)));
  return mapLabels(l, n, fromStrings ? *texts : *numbers,
                   fromStrings ? *numbers : *texts, *otherwise);
}

void onnxc::addLabels(LoweringTable &table) {
  table.onOp("ml.LabelEncoder", lowerLabelEncoder);
  table.onOp("ml.CategoryMapper", lowerCategoryMapper);
}
