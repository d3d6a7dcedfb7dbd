//===- Gradients.cpp - What rules of differentiation share ----------------===//

#include "compiler/graph/gradients/Gradients.h"
#include "compiler/graph/Rewriting.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace onnxc;

GradientRules::GradientRules() {
  addArithmeticGradients(*this);
  addMovementGradients(*this);
  addNormalizationGradients(*this);
  addProductGradients(*this);
  addReductionGradients(*this);
}

Value Backward::in(unsigned index) const {
  return hasOperand(op, index) ? op->getOperand(index) : Value();
}

Value Backward::gradient(unsigned result) {
  return gradients[result] ? gradients[result] : filled(0, out(result));
}

int64_t Backward::rank(Value value) const {
  auto known = shapes.dims(value);
  return known ? static_cast<int64_t>(known->size()) : -1;
}

int64_t Backward::integer(StringRef name, int64_t otherwise) const {
  auto given = op->getAttrOfType<IntegerAttr>(name);
  return given ? given.getValue().getSExtValue() : otherwise;
}

double Backward::real(StringRef name, double otherwise) const {
  auto given = op->getAttrOfType<FloatAttr>(name);
  return given ? given.getValueAsDouble() : otherwise;
}

LogicalResult Backward::giveSummed(unsigned operand, Value gradient) {
  auto own = shapes.dims(in(operand)), all = shapes.dims(out());
  if (!own || !all)
    return refuse("the rank of an operand is not known when compiling");
  int64_t leading = static_cast<int64_t>(all->size() - own->size());
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, leading));
  for (auto [i, dim] : llvm::enumerate(*own)) {
    AffineExpr result = (*all)[leading + i];
    if (dim == result)
      continue;
    if (SymbolicShapes::constant(dim) != 1)
      return refuse("whether dim " + Twine(i) + " of operand " +
                    Twine(operand) +
                    " is repeated is not known when compiling");
    axes.push_back(leading + static_cast<int64_t>(i));
  }
  if (!axes.empty())
    gradient = sum(gradient, axes);
  if (leading)
    gradient = call("Squeeze",
                    {gradient, integers(ArrayRef(axes).take_front(leading))});
  give(operand, gradient);
  return success();
}

Operation *Backward::create(StringRef name, ArrayRef<Value> operands,
                            Attributes attributes, unsigned results,
                            Type element) {
  SmallVector<Value> present;
  for (Value operand : operands)
    present.push_back(operand ? operand : createNone(builder, op->getLoc()));
  if (!element)
    element = getElementTypeOrSelf(operands.front().getType());
  SmallVector<Type> types(results, UnrankedTensorType::get(element));
  return createOnnx(builder, op->getLoc(), name, present, types, attributes);
}

NamedAttribute Backward::attribute(StringRef name, int64_t value) {
  return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
}

NamedAttribute Backward::attribute(StringRef name, ArrayRef<int64_t> values) {
  return builder.getNamedAttr(name, builder.getDenseI64ArrayAttr(values));
}

NamedAttribute Backward::text(StringRef name, StringRef value) {
  return builder.getNamedAttr(name, builder.getStringAttr(value));
}

Value Backward::shapeOf(Value x) {
  return call("Shape", {x}, {}, builder.getI64Type());
}

Value Backward::reshapeLike(Value x, Value like) {
  // A dim of 0 in the shape is one of 0 elements.
  return call("Reshape", {x, shapeOf(like)}, attribute("allowzero", 1));
}

Value Backward::castLike(Value x, Value like) {
  Type element = getElementTypeOrSelf(like.getType());
  if (getElementTypeOrSelf(x.getType()) == element)
    return x;
  return call("CastLike", {x, like}, {}, element);
}

/// A constant of one element.
static ElementsAttr oneNumber(ArrayRef<int64_t> shape, Type element,
                              double value) {
  auto type = RankedTensorType::get(shape, element);
  if (isa<FloatType>(element))
    return cast<ElementsAttr>(
        DenseElementsAttr::get(type, FloatAttr::get(element, value)));
  return cast<ElementsAttr>(DenseElementsAttr::get(
      type, IntegerAttr::get(element, static_cast<int64_t>(value))));
}

Value Backward::number(double value, Value like) {
  return createConstant(
      builder, op->getLoc(),
      oneNumber({}, getElementTypeOrSelf(like.getType()), value));
}

Value Backward::integers(ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get(static_cast<int64_t>(values.size()),
                                    builder.getI64Type());
  return createConstant(
      builder, op->getLoc(),
      cast<ElementsAttr>(DenseElementsAttr::get(type, values)));
}

Value Backward::filled(double value, Value like) {
  Type element = getElementTypeOrSelf(like.getType());
  return call("ConstantOfShape", {shapeOf(like)},
              builder.getNamedAttr("value", oneNumber(1, element, value)),
              element);
}

Value Backward::compare(StringRef kind, Value x, Value y) {
  return call(kind, {x, y}, {}, builder.getI1Type());
}

Value Backward::where(Value condition, Value x) {
  return call("Where", {condition, x, number(0, x)}, {},
              getElementTypeOrSelf(x.getType()));
}

Value Backward::sum(Value x, ArrayRef<int64_t> axes) {
  return call("ReduceSum", {x, integers(axes)}, attribute("keepdims", 1));
}
