//===- Lowering.cpp - The context of lowering and the walk ----------------===//

#include "compiler/lower/Lowering.h"
#include "compiler/graph/AnyRank.h"
#include "compiler/lower/NarrowTypes.h"

#include "compiler/lower/Scalars.h"
#include "compiler/lower/Strings.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/ElementTypes.h"
#include "dialects/onnx/Elements.h"
#include "dialects/onnx/NodeError.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace onnxc;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Type onnxc::signless(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type))
    return IntegerType::get(type.getContext(),
                            isNarrowInteger(type) ? 8 : integer.getWidth());
  if (isNarrowFloat(type))
    return IntegerType::get(type.getContext(), 8);
  if (auto complex = dyn_cast<ComplexType>(type))
    return IntegerType::get(
        type.getContext(),
        2 * complex.getElementType().getIntOrFloatBitWidth());
  if (isString(type)) // its address
    return IntegerType::get(type.getContext(), 64);
  return type;
}

/// Whether `type` is lowered to bit patterns that only some operators take.
static bool isPattern(Type type) {
  return isNarrowFloat(type) || isNarrowInteger(type) ||
         isa<ComplexType>(type) || isString(type);
}

/// Operators that move elements of any type, or know what patterns stand for.
static bool takesPatterns(StringRef name) {
  static constexpr StringLiteral names[] = {"BitCast",
                                            "Cast",
                                            "CastLike",
                                            "Col2Im",
                                            "Compress",
                                            "Concat",
                                            "ConcatFromSequence",
                                            "ConstantOfShape",
                                            "DepthToSpace",
                                            "DequantizeLinear",
                                            "Dropout",
                                            "Expand",
                                            "Flatten",
                                            "Gather",
                                            "GatherElements",
                                            "GatherND",
                                            "GridSample",
                                            "Identity",
                                            "If",
                                            "IsInf",
                                            "IsNaN",
                                            "Loop",
                                            "NonZero",
                                            "OneHot",
                                            "Optional",
                                            "OptionalGetElement",
                                            "OptionalHasElement",
                                            "Pad",
                                            "QuantizeLinear",
                                            "RandomNormalLike",
                                            "RandomUniformLike",
                                            "Reshape",
                                            "Resize",
                                            "ReverseSequence",
                                            "Scan",
                                            "ScatterElements",
                                            "ScatterND",
                                            "SequenceAt",
                                            "SequenceConstruct",
                                            "SequenceErase",
                                            "SequenceInsert",
                                            "Shape",
                                            "Size",
                                            "Slice",
                                            "SpaceToDepth",
                                            "Split",
                                            "SplitToSequence",
                                            "Squeeze",
                                            "TensorScatter",
                                            "Tile",
                                            "Transpose",
                                            "Trilu",
                                            "Unique",
                                            "Unsqueeze",
                                            "Where"};
  return llvm::is_contained(names, name);
}

/// Operators that work on strings alone, or on strings as well.
static bool takesStrings(StringRef name) {
  static constexpr StringLiteral names[] = {
      "ArrayFeatureExtractor", "CastMap",         "CategoryMapper",
      "DictVectorizer",        "Equal",           "LabelEncoder",
      "LinearClassifier",      "OneHotEncoder",   "RegexFullMatch",
      "SVMClassifier",         "StringConcat",    "StringNormalizer",
      "StringSplit",           "TfIdfVectorizer", "Tokenizer",
      "TreeEnsembleClassifier"};
  // Those that make elements of their own: no pattern is a text.
  static constexpr StringLiteral numbers[] = {
      "BitCast", "ConstantOfShape", "DequantizeLinear", "Dropout",
      "IsInf",   "IsNaN",           "QuantizeLinear"};
  return llvm::is_contained(names, name) ||
         (takesPatterns(name) && !llvm::is_contained(numbers, name));
}

bool onnxc::isUnsigned(Type type) { return type.isUnsignedInteger(); }

RankedTensorType onnxc::tensorType(Type element, ArrayRef<OpFoldResult> dims) {
  SmallVector<int64_t> shape;
  for (OpFoldResult dim : dims)
    shape.push_back(getConstantIntValue(dim).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, element);
}

bool onnxc::isLowered(Type type) { return dataType(type) != 0; }

std::optional<int64_t> onnxc::normalizeAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return std::nullopt;
  return axis < 0 ? axis + rank : axis;
}

//===----------------------------------------------------------------------===//
// OnnxNode
//===----------------------------------------------------------------------===//

Value OnnxNode::in(unsigned index) const {
  if (index >= op->getNumOperands() || op::isNone(op->getOperand(index)))
    return nullptr;
  return op->getOperand(index);
}

Value OnnxNode::out(unsigned index) const {
  if (index >= op->getNumResults() || op::isNone(op->getResult(index)))
    return nullptr;
  return op->getResult(index);
}

SmallVector<Value> OnnxNode::present() const {
  SmallVector<Value> result;
  for (Value operand : op->getOperands())
    if (!op::isNone(operand))
      result.push_back(operand);
  return result;
}

bool OnnxNode::has(StringRef name) const { return !!op->getAttr(name); }

int64_t OnnxNode::integer(StringRef name, int64_t otherwise) const {
  auto attribute = op->getAttrOfType<IntegerAttr>(name);
  return attribute ? attribute.getValue().getSExtValue() : otherwise;
}

double OnnxNode::real(StringRef name, double otherwise) const {
  auto attribute = op->getAttrOfType<FloatAttr>(name);
  return attribute ? attribute.getValueAsDouble() : otherwise;
}

StringRef OnnxNode::string(StringRef name, StringRef otherwise) const {
  auto attribute = op->getAttrOfType<StringAttr>(name);
  return attribute ? attribute.getValue() : otherwise;
}

std::optional<SmallVector<int64_t>> OnnxNode::integers(StringRef name) const {
  auto attribute = op->getAttrOfType<DenseI64ArrayAttr>(name);
  if (!attribute)
    return std::nullopt;
  return SmallVector<int64_t>(attribute.asArrayRef());
}

std::optional<SmallVector<double>> OnnxNode::reals(StringRef name) const {
  auto attribute = op->getAttrOfType<DenseF32ArrayAttr>(name);
  if (!attribute)
    return std::nullopt;
  return SmallVector<double>(attribute.asArrayRef().begin(),
                             attribute.asArrayRef().end());
}

//===----------------------------------------------------------------------===//
// Values of the onnx function
//===----------------------------------------------------------------------===//

Lowering::Lowering(const LoweringTable &table, SymbolicShapes &shapes,
                   func::FuncOp target)
    : b(target.getContext()), loc(target.getLoc()), table(table),
      shapes(shapes), target(target), scope(&target.getBody().front()),
      entry(target.getContext()) {
  // The marker separates the dims of the arguments from the rest.
  b.setInsertionPointToStart(&target.getBody().front());
  Value marker = arith::ConstantIndexOp::create(b, loc, 0);
  entry.setInsertionPoint(marker.getDefiningOp());
}

LoweringScope::LoweringScope(Lowering &lowering, Block *block)
    : lowering(lowering), guard(lowering.b), loc(lowering.loc),
      scope(lowering.scope), values(lowering.values),
      materialized(lowering.materialized), checked(lowering.checked) {
  lowering.scope = block;
  lowering.b.setInsertionPointToEnd(block);
}

LoweringScope::~LoweringScope() {
  lowering.loc = loc;
  lowering.scope = scope;
  lowering.values = std::move(values);
  lowering.materialized = std::move(materialized);
  lowering.checked = std::move(checked);
}

std::optional<ArrayRef<AffineExpr>> Lowering::exprs(Value onnx) const {
  return shapes.dims(onnx);
}

int64_t Lowering::rank(Value onnx) const {
  return cast<RankedTensorType>(onnx.getType()).getRank();
}

int64_t Lowering::staticDim(Value onnx, int64_t axis) const {
  if (auto known = shapes.dims(onnx))
    if (auto constant = SymbolicShapes::constant((*known)[axis]))
      return *constant;
  int64_t size = cast<RankedTensorType>(onnx.getType()).getDimSize(axis);
  return ShapedType::isDynamic(size) ? -1 : size;
}

std::optional<SmallVector<int64_t>> Lowering::staticShape(Value onnx) const {
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < rank(onnx); ++i) {
    shape.push_back(staticDim(onnx, i));
    if (shape.back() < 0)
      return std::nullopt;
  }
  return shape;
}

Type Lowering::elementType(Value onnx) const {
  return cast<TensorType>(onnx.getType()).getElementType();
}

Dims Lowering::dims(Value onnx) {
  Dims result;
  auto known = shapes.dims(onnx);
  for (int64_t i = 0; i < rank(onnx); ++i) {
    int64_t size = staticDim(onnx, i);
    if (size >= 0)
      result.push_back(attr(size));
    else if (known)
      result.push_back(materialize((*known)[i]));
    else
      result.push_back(sizes(value(onnx))[i]);
  }
  return result;
}

Dims Lowering::knownDims(Value onnx) {
  Dims result(rank(onnx));
  auto known = shapes.dims(onnx);
  for (int64_t i = 0; i < rank(onnx); ++i) {
    int64_t size = staticDim(onnx, i);
    if (size >= 0) {
      result[i] = attr(size);
      continue;
    }
    if (!known)
      continue;
    bool available = true;
    (*known)[i].walk([&](AffineExpr part) {
      if (auto symbol = dyn_cast<AffineSymbolExpr>(part))
        available &=
            values.contains(shapes.symbols()[symbol.getPosition()].value);
    });
    if (available)
      result[i] = materialize((*known)[i]);
  }
  return result;
}

Dims Lowering::preferKnown(Value onnx, Dims dims) {
  Dims known = knownDims(onnx);
  for (auto [dim, better] : llvm::zip(dims, known))
    if (better)
      dim = better;
  return dims;
}

std::optional<Dims> Lowering::elements(Value onnx) {
  if (auto constants = integers(onnx)) {
    Dims result;
    for (int64_t element : *constants)
      result.push_back(attr(element));
    return result;
  }
  auto known = shapes.elementsOrSymbols(onnx);
  if (!known)
    return std::nullopt;
  Dims result;
  for (AffineExpr expr : *known)
    result.push_back(materialize(expr));
  return result;
}

std::optional<SmallVector<int64_t>> Lowering::integers(Value onnx) const {
  if (ElementsAttr value = constant(onnx))
    return integerValues(value);
  auto known = shapes.elements(onnx);
  if (!known)
    return std::nullopt;
  SmallVector<int64_t> result;
  for (AffineExpr expr : *known) {
    auto element = SymbolicShapes::constant(expr);
    if (!element)
      return std::nullopt;
    result.push_back(*element);
  }
  return result;
}

ElementsAttr Lowering::constant(Value onnx) const {
  return constantElements(onnx);
}

std::optional<SmallVector<double>> Lowering::reals(Value onnx,
                                                   int64_t limit) const {
  ElementsAttr value = constant(onnx);
  if (!value || value.getNumElements() > limit)
    return std::nullopt;
  if (auto floats = floatValues(value))
    return floats;
  auto whole = integerValues(value);
  if (!whole)
    return std::nullopt;
  return SmallVector<double>(whole->begin(), whole->end());
}

Value Lowering::value(Value onnx) {
  if (Value known = values.lookup(onnx))
    return known;
  if (ElementsAttr attribute = constant(onnx)) {
    OpBuilder::InsertionGuard guard(b);
    if (!inScope())
      b.restoreInsertionPoint(entry.saveInsertionPoint());
    Value tensor = constantTensor(attribute);
    values[onnx] = tensor;
    return tensor;
  }
  if (isBoxed(onnx.getType()))
    return index(0); // an unlowered producer, as below
  auto type = cast<RankedTensorType>(onnx.getType());
  auto known = shapes.elements(onnx);
  if (!known) {
    // Unlowered producer: its failure is already reported, and what is built
    // here is discarded.
    Dims stand(type.getRank(), attr(1));
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (staticDim(onnx, i) >= 0)
        stand[i] = attr(staticDim(onnx, i));
    Value tensor = empty(signless(type.getElementType()), stand);
    values[onnx] = tensor;
    return tensor;
  }
  Scalars s{b, loc};
  SmallVector<Value> scalars;
  for (AffineExpr expr : *known)
    scalars.push_back(
        s.fromIndex(index(materialize(expr)), signless(type.getElementType())));
  RankedTensorType lowered =
      tensorType(signless(type.getElementType()), dims(onnx));
  Value tensor = tensor::FromElementsOp::create(b, loc, lowered, scalars);
  if (inScope())
    values[onnx] = tensor;
  return tensor;
}

void Lowering::set(Value onnx, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape(type.getShape());
  for (auto [i, size] : llvm::enumerate(shape)) {
    int64_t known = staticDim(onnx, i);
    if (known >= 0)
      size = known;
  }
  auto wanted = RankedTensorType::get(shape, type.getElementType());
  if (wanted != type)
    tensor = tensor::CastOp::create(b, loc, wanted, tensor);
  values[onnx] = tensor;
}

LogicalResult Lowering::refuse(const Twine &why) {
  reason = why.str();
  return failure();
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

/// Whether the tensors in a sequence, optional or map can be lowered.
static bool isLoweredBoxed(Type type) {
  if (auto sequence = dyn_cast<op::SequenceType>(type))
    return isLoweredBoxed(sequence.getElement());
  if (auto optional = dyn_cast<op::OptionalType>(type))
    return isLoweredBoxed(optional.getElement());
  if (auto map = dyn_cast<op::MapType>(type))
    return isLowered(map.getKey()) && isLoweredBoxed(map.getValue());
  auto tensor = dyn_cast<TensorType>(type);
  return tensor && isLowered(tensor.getElementType());
}

LogicalResult Lowering::checkTypes(Operation *op) {
  constexpr StringLiteral anyRank =
      "a tensor whose rank only a run tells is not supported by this operator "
      "yet";
  auto check = [&](Value value) -> LogicalResult {
    if (op::isNone(value))
      return success();
    if (isBoxed(value.getType()) && isLoweredBoxed(value.getType()))
      return success();
    auto tensor = dyn_cast<TensorType>(value.getType());
    if (!tensor) {
      std::string text;
      llvm::raw_string_ostream(text) << value.getType();
      return refuse("values of type " + Twine(text) + " are not supported yet");
    }
    if (!isLowered(tensor.getElementType())) {
      std::string text;
      llvm::raw_string_ostream(text) << tensor.getElementType();
      return refuse("element type " + Twine(text) + " is not supported yet");
    }
    StringRef name = op::operatorName(op);
    if (isPattern(tensor.getElementType()) &&
        !(isString(tensor.getElementType()) ? takesStrings(name)
                                            : takesPatterns(name))) {
      std::string text;
      llvm::raw_string_ostream(text) << tensor.getElementType();
      return refuse("element type " + Twine(text) +
                    " is not supported by this operator yet");
    }
    return success();
  };
  auto isUnranked = [](Value value) {
    return isa<UnrankedTensorType>(value.getType());
  };
  for (OpOperand &operand : op->getOpOperands())
    if (failed(check(operand.get())) ||
        (isUnranked(operand.get()) && !takesAnyRank(operand)))
      return reason.empty() ? refuse(anyRank) : failure();
  for (Value result : op->getResults())
    if (failed(check(result)) || (isUnranked(result) && !givesAnyRank(op)))
      return reason.empty() ? refuse(anyRank) : failure();
  return success();
}

LogicalResult Lowering::lowerNode(Operation *op) {
  reason.clear();
  StringRef name = op->getName().getStringRef();
  name.consume_front("onnx.");
  LowerFunction lower = table.lookup(name);
  if (failed(checkTypes(op)))
    return failure();
  // Shape arithmetic: built only where an operator needs it as a tensor.
  if (llvm::all_of(op->getResults(), [&](Value result) {
        return shapes.elements(result).has_value();
      }))
    return success();
  if (!lower)
    return refuse("the operator is not supported yet");
  Operation *outer = std::exchange(node, op);
  LogicalResult result = lower(*this, OnnxNode{op});
  node = outer;
  // A check may have refused on the way.
  return failure(failed(result) || !reason.empty());
}

LogicalResult Lowering::lowerBlock(Block &block) {
  bool refused = false;
  for (Operation &op : block) {
    if (op.hasTrait<OpTrait::IsTerminator>() ||
        op.getName().getStringRef() == "onnx.None" ||
        constantElements(op.getNumResults() ? op.getResult(0) : Value()))
      continue;
    loc = loweredLocation(&op);
    if (succeeded(lowerNode(&op)))
      continue;
    refused = true;
    // Without a reason, what fails is a node of a subgraph, already reported.
    if (!reason.empty() || op.getNumRegions() == 0)
      nodeError(&op) << (reason.empty() ? "is not supported yet" : reason);
    reason.clear();
  }
  return failure(refused);
}
