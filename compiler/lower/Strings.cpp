//===- Strings.cpp - Tensors of strings -----------------------------------===//

#include "compiler/lower/Strings.h"
#include "compiler/lower/BoxedValues.h"
#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/Scalars.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/ElementTypes.h"
#include "dialects/onnx/OnnxDialect.h"
#include "runtime/include/onnxc/model_abi.h"

using namespace mlir;
using namespace onnxc;

bool onnxc::isString(Type type) { return isa<op::StringType>(type); }

Value onnxc::stringList(Lowering &l, ArrayRef<StringRef> texts) {
  if (llvm::any_of(texts, [](StringRef text) { return text.contains('\0'); }))
    (void)l.refuse("a string contains a NUL character");
  return kernel::StringsOp::create(
      l.b, l.loc,
      RankedTensorType::get({static_cast<int64_t>(texts.size())},
                            l.b.getI64Type()),
      l.b.getStrArrayAttr(texts));
}

Value onnxc::blank(Lowering &l, Type element) {
  if (isString(element))
    return tensor::ExtractOp::create(l.b, l.loc, stringList(l, {""}),
                                     l.index(0));
  return arith::ConstantOp::create(l.b, l.loc,
                                   numberAttr(signless(element), 0));
}

std::optional<SmallVector<StringRef>> onnxc::stringAttribute(OnnxNode n,
                                                             StringRef name) {
  auto list = n.op->getAttrOfType<ArrayAttr>(name);
  if (!list)
    return std::nullopt;
  SmallVector<StringRef> result;
  for (auto text : list.getAsRange<StringAttr>())
    result.push_back(text.getValue());
  return result;
}

static Value boxStringTensor(Lowering &l, Value tensor) {
  return boxTensor(l, tensor, op::StringType::get(l.b.getContext()));
}

Value onnxc::boxStrings(Lowering &l, ArrayRef<StringRef> texts) {
  return boxStringTensor(l, stringList(l, texts));
}

static Value boxInteger(Lowering &l, int64_t value) {
  Type i64 = l.b.getI64Type();
  auto type = RankedTensorType::get({1}, i64);
  return boxTensor(l, l.constantTensor(DenseElementsAttr::get(type, value)),
                   i64);
}

Value onnxc::callHost(Lowering &l, StringRef name, ArrayRef<Value> arguments) {
  Value sequence = makeValue(l, "sequence");
  for (Value argument : arguments)
    sequence = appended(l, sequence, argument);
  return makeValue(l, "host", sequence, name);
}

Value onnxc::hostResult(Lowering &l, Value results, int64_t index,
                        ArrayRef<OpFoldResult> dims, Type element) {
  RankedTensorType type = tensorType(element, dims);
  SmallVector<Value> sizes;
  for (auto [axis, dim] : llvm::enumerate(dims))
    if (type.isDynamicDim(axis))
      sizes.push_back(l.index(dim));
  return kernel::UnboxOp::create(
      l.b, l.loc, type, readValue(l, "at", {results, l.index(index)}), sizes);
}

Value onnxc::positionsOf(Lowering &l, Value strings, ArrayRef<StringRef> keys) {
  Value results = callHost(l, "IndexOf",
                           {boxStringTensor(l, strings), boxStrings(l, keys)});
  return hostResult(l, results, 0, l.sizes(strings), l.b.getI64Type());
}

Value onnxc::ranksOf(Lowering &l, Value strings) {
  Value results = callHost(l, "Ranks", boxStringTensor(l, strings));
  return hostResult(l, results, 0, l.sizes(strings), l.b.getI64Type());
}

Value onnxc::elementsAt(Lowering &l, Value list, Value positions) {
  auto type = cast<RankedTensorType>(list.getType());
  return l.mapSame(
      type.getElementType(), positions, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Value none = s.compare(Comparison::Less, in[0],
                               s.integer(in[0].getType(), 0), false);
        Value at = s.toIndex(s.select(
            none, s.integer(in[0].getType(), type.getDimSize(0) - 1), in[0]));
        return Value(tensor::ExtractOp::create(nested, l.loc, list, at));
      });
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

/// An operator on two tensors that broadcast.
static LogicalResult lowerPair(Lowering &l, OnnxNode n, StringRef name) {
  for (unsigned i : {0, 1})
    if (!isString(l.elementType(n.in(i))))
      return l.refuse("input " + Twine(i) + " is not of strings");
  Dims dims = l.broadcastDims({n.in(0), n.in(1)});
  SmallVector<Value> arguments;
  for (unsigned i : {0, 1})
    arguments.push_back(boxStringTensor(l, l.broadcastTo(n.in(i), dims)));
  l.set(n.out(), hostResult(l, callHost(l, name, arguments), 0, dims,
                            signless(l.elementType(n.out()))));
  return success();
}

LogicalResult onnxc::lowerStringEqual(Lowering &l, OnnxNode n) {
  return lowerPair(l, n, "Equal");
}

static LogicalResult lowerConcat(Lowering &l, OnnxNode n) {
  return lowerPair(l, n, "StringConcat");
}

static LogicalResult lowerSplit(Lowering &l, OnnxNode n) {
  SmallVector<StringRef> delimiter;
  if (n.has("delimiter"))
    delimiter.push_back(n.string("delimiter", ""));
  int64_t limit = n.integer("maxsplit", -1);
  Value results = callHost(l, "StringSplit",
                           {boxStringTensor(l, l.value(n.in(0))),
                            boxStrings(l, delimiter), boxInteger(l, limit)});
  if (n.out(0))
    l.set(n.out(0), unboxTensor(l, readValue(l, "at", {results, l.index(0)}),
                                n.out(0), "the result"));
  if (n.out(1))
    l.set(n.out(1),
          hostResult(l, results, 1, l.dims(n.in(0)), l.b.getI64Type()));
  return success();
}

static LogicalResult lowerNormalizer(Lowering &l, OnnxNode n) {
  int64_t rank = l.rank(n.in(0));
  if (rank < 1 || rank > 2)
    return l.refuse("the input has neither the shape [C] nor [1, C]");
  if (rank == 2)
    l.requireEqual(l.dims(n.in(0))[0], l.attr(1), "the first dim");
  StringRef action = n.string("case_change_action", "NONE");
  if (action != "NONE" && action != "LOWER" && action != "UPPER")
    return l.refuse("case_change_action is none of NONE, LOWER and UPPER");
  Value results =
      callHost(l, "StringNormalizer",
               {boxStringTensor(l, l.value(n.in(0))), boxStrings(l, action),
                boxInteger(l, n.integer("is_case_sensitive", 0)),
                boxStrings(l, stringAttribute(n, "stopwords")
                                  .value_or(SmallVector<StringRef>()))});
  l.set(n.out(), unboxTensor(l, readValue(l, "at", {results, l.index(0)}),
                             n.out(), "the result"));
  return success();
}

static LogicalResult lowerRegexFullMatch(Lowering &l, OnnxNode n) {
  if (!n.has("pattern"))
    return l.refuse("there is no pattern");
  Value results = callHost(l, "RegexFullMatch",
                           {boxStringTensor(l, l.value(n.in(0))),
                            boxStrings(l, n.string("pattern", ""))});
  l.set(n.out(), hostResult(l, results, 0, l.dims(n.in(0)), l.b.getI1Type()));
  return success();
}

/// The type that the host prints and parses for `element`.
static Type hostNumber(Lowering &l, Type element) {
  if (isa<IntegerType>(element) &&
      llvm::is_contained({1u, 8u, 16u, 32u, 64u},
                         element.getIntOrFloatBitWidth()))
    return element;
  return element.isF64() ? element : l.b.getF32Type();
}

Value onnxc::parsedStrings(Lowering &l, Value boxed,
                           ArrayRef<OpFoldResult> dims, Type number) {
  Value results =
      callHost(l, "FromStrings", {boxed, boxInteger(l, dataType(number))});
  return hostResult(l, results, 0, dims, signless(number));
}

LogicalResult onnxc::lowerStringCast(Lowering &l, OnnxNode n) {
  Type from = l.elementType(n.in(0)), to = l.elementType(n.out());
  if (isa<ComplexType>(from) || isa<ComplexType>(to))
    return l.refuse("complex numbers have no form as a string");
  Dims dims = l.dims(n.in(0));
  Value tensor = l.value(n.in(0));
  if (isString(to)) {
    Type number = hostNumber(l, from);
    if (number != from)
      tensor = l.convert(tensor, from, number);
    Value results = callHost(l, "ToStrings", boxTensor(l, tensor, number));
    l.set(n.out(), hostResult(l, results, 0, dims, signless(to)));
    return success();
  }
  Type number = hostNumber(l, to);
  Value parsed = parsedStrings(l, boxStringTensor(l, tensor), dims, number);
  l.set(n.out(), number == to ? parsed : l.convert(parsed, number, to));
  return success();
}

/// ONNX Runtime's: the tokens of each text.
static LogicalResult lowerTokenizer(Lowering &l, OnnxNode n) {
  using Texts = SmallVector<StringRef>;
  Texts expression,
      separators = stringAttribute(n, "separators").value_or(Texts());
  if (n.has("tokenexp"))
    expression.push_back(n.string("tokenexp", ""));
  if (expression.empty() == separators.empty())
    return l.refuse("either tokenexp or separators must be given");
  if (n.integer("mincharnum", 1) < 1)
    return l.refuse("mincharnum must be at least 1");
  int64_t rank = l.rank(n.in(0));
  if (rank < 1 || rank > 2)
    return l.refuse("the input must have rank 1 or 2");
  Value results = callHost(
      l, "Tokenizer",
      {boxStringTensor(l, l.value(n.in(0))), boxStrings(l, expression),
       boxStrings(l, separators), boxStrings(l, n.string("pad_value", "")),
       boxInteger(l, n.integer("mincharnum", 1)),
       boxInteger(l, n.integer("mark", 0))});
  l.set(n.out(), unboxTensor(l, readValue(l, "at", {results, l.index(0)}),
                             n.out(), "the result"));
  return success();
}

void onnxc::addStrings(LoweringTable &table) {
  table.onOp("StringConcat", lowerConcat);
  table.onOp("StringSplit", lowerSplit);
  table.onOp("StringNormalizer", lowerNormalizer);
  table.onOp("RegexFullMatch", lowerRegexFullMatch);
  table.onOp("com.microsoft.Tokenizer", lowerTokenizer);
}
