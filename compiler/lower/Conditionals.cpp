//===- Conditionals.cpp - If ----------------------------------------------===//

#include "compiler/lower/BoxedValues.h"
#include "compiler/lower/ControlFlow.h"
#include "compiler/lower/Scalars.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

Block *onnxc::subgraph(Region &region) {
  if (!region.hasOneBlock() || region.front().empty() ||
      !region.front().back().hasTrait<OpTrait::IsTerminator>())
    return nullptr;
  return &region.front();
}

Value onnxc::onlyElement(Lowering &l, Value onnx, StringRef what) {
  Dims dims = l.dims(onnx);
  SmallVector<Value> first;
  for (OpFoldResult dim : dims) {
    std::optional<int64_t> size = getConstantIntValue(dim);
    if (size && *size != 1) {
      (void)l.refuse(Twine(what) + " has a dim of " + Twine(*size) +
                     "; it must have one element");
      return nullptr;
    }
    if (!size)
      l.requireEqual(dim, l.attr(1), Twine("a dim of ") + what);
    first.push_back(l.index(0));
  }
  return tensor::ExtractOp::create(l.b, l.loc, l.value(onnx), first);
}

OpFoldResult onnxc::onlyIndex(Lowering &l, Value onnx, StringRef what) {
  if (auto known = l.elements(onnx); known && known->size() == 1)
    return known->front();
  Value element = onlyElement(l, onnx, what);
  if (!element)
    return {};
  return getAsOpFoldResult(Scalars{l.b, l.loc}.toIndex(element));
}

RankedTensorType onnxc::loweredType(Lowering &l, Value onnx) {
  SmallVector<int64_t> shape;
  for (int64_t axis = 0; axis < l.rank(onnx); ++axis) {
    int64_t size = l.staticDim(onnx, axis);
    shape.push_back(size < 0 ? ShapedType::kDynamic : size);
  }
  return RankedTensorType::get(shape, signless(l.elementType(onnx)));
}

LogicalResult onnxc::fits(Lowering &l, Value from, Value to,
                          const Twine &what) {
  // An optional sequence that is there is the sequence, an absent one reads as
  // an empty one.
  auto unwrapped = [](Type type) {
    auto optional = dyn_cast<op::OptionalType>(type);
    return optional && isBoxed(optional.getElement()) ? optional.getElement()
                                                      : type;
  };
  if (isBoxed(from.getType()) && isBoxed(to.getType()) &&
      holdAlike(unwrapped(from.getType()), unwrapped(to.getType())))
    return success();
  auto have = dyn_cast<RankedTensorType>(from.getType());
  auto want = dyn_cast<RankedTensorType>(to.getType());
  if (have && want && have.getElementType() == want.getElementType() &&
      have.getRank() == want.getRank())
    return success();
  std::string text;
  llvm::raw_string_ostream(text)
      << from.getType() << ", which does not fit " << to.getType();
  return l.refuse(what + " is of type " + text);
}

Value onnxc::castTo(Lowering &l, Value tensor, Type type) {
  if (tensor.getType() == type)
    return tensor;
  return tensor::CastOp::create(l.b, l.loc, type, tensor);
}

Value onnxc::destination(Lowering &l, Type element,
                         ArrayRef<OpFoldResult> dims) {
  SmallVector<Value> dynamic;
  SmallVector<int64_t> shape;
  dispatchIndexOpFoldResults(dims, dynamic, shape);
  return bufferization::AllocTensorOp::create(
      l.b, l.loc, RankedTensorType::get(shape, element), dynamic);
}

Value onnxc::writeInto(Lowering &l, Value tensor, Value destination) {
  return bufferization::MaterializeInDestinationOp::create(
             l.b, l.loc, destination.getType(),
             castTo(l, tensor, destination.getType()), destination)
      .getResult();
}

Value onnxc::ownCopy(Lowering &l, Value tensor) {
  return bufferization::AllocTensorOp::create(
      l.b, l.loc, cast<RankedTensorType>(tensor.getType()), ValueRange(),
      tensor);
}

/// Whether what a branch yields can be what the If gives: of another rank, it
/// fails when the branch is taken.
static LogicalResult canYield(Lowering &l, Value yielded, Value result,
                              const Twine &what) {
  auto from = dyn_cast<TensorType>(yielded.getType());
  auto to = dyn_cast<TensorType>(result.getType());
  return from && to && from.getElementType() == to.getElementType()
             ? success()
             : fits(l, yielded, result, what);
}

/// What a branch yields in the form of the If's result; null, after a check
/// that fails, where it has another rank.
static Value asResult(Lowering &l, Value yielded, Value result) {
  if (isBoxed(result.getType()))
    return asBoxed(l, yielded);
  Value value = l.value(yielded);
  if (isBoxed(yielded.getType()))
    return unboxTensor(l, value, result, "what the branch gives");
  if (l.rank(yielded) == l.rank(result))
    return value;
  l.require(Scalars{l.b, l.loc}.integer(l.b.getI1Type(), 0),
            "the branch gives a tensor of rank {}, where rank {} is needed",
            {l.index(l.rank(yielded)), l.index(l.rank(result))});
  return nullptr;
}

/// A branch that is known to be taken: its nodes stand in the place of the If.
static LogicalResult takeBranch(Lowering &l, OnnxNode n, Block &branch) {
  if (failed(l.lowerBlock(branch)))
    return failure();
  for (auto [i, yielded] :
       llvm::enumerate(branch.getTerminator()->getOperands()))
    if (Value result = n.out(i)) {
      std::string what = ("output " + Twine(i)).str();
      if (isa<RankedTensorType>(yielded.getType()) &&
                  isa<RankedTensorType>(result.getType())
              ? failed(fits(l, yielded, result, what))
              : failed(canYield(l, yielded, result, what)))
        return failure();
      Value value = asResult(l, yielded, result);
      if (isBoxed(result.getType()))
        l.bind(result, value);
      else
        l.set(result, value);
    }
  return success();
}

/// A tensor of `type` whose dynamic dims are 0.
static Value nothing(Lowering &l, Type type) {
  auto tensor = cast<RankedTensorType>(type);
  Dims dims;
  for (int64_t size : tensor.getShape())
    dims.push_back(l.attr(ShapedType::isDynamic(size) ? 0 : size));
  return l.empty(tensor.getElementType(), dims);
}

/// Lowers a branch to the end of `block`. A result with a destination is
/// written to it.
static LogicalResult lowerBranch(Lowering &l, OnnxNode n, Block &branch,
                                 Block *block, ArrayRef<Type> types,
                                 ArrayRef<Value> destinations) {
  LoweringScope scope(l, block);
  if (failed(l.lowerBlock(branch)))
    return failure();
  SmallVector<Value> yielded;
  for (auto [i, value] : llvm::enumerate(branch.getTerminator()->getOperands()))
    if (n.out(i))
      yielded.push_back(asResult(l, value, n.out(i)));
  for (auto [value, type, destination] :
       llvm::zip_equal(yielded, types, destinations))
    if (!value) // the run does not get here
      value = destination ? destination : castTo(l, nothing(l, type), type);
    else if (destination)
      value = writeInto(l, value, destination);
    else if (isa<TensorType>(type))
      value = castTo(l, ownCopy(l, value), type);
  scf::YieldOp::create(l.b, l.loc, yielded);
  return success();
}

/// If: `scf.if`. Where the dims of a result are known before, both branches
/// write to one tensor made there, so that its memory can be planned.
static LogicalResult lowerIf(Lowering &l, OnnxNode n) {
  // Regions are in the order of their names: else_branch, then_branch.
  Block *branches[2];
  for (unsigned which : {0, 1}) {
    branches[which] =
        n.op->getNumRegions() == 2 ? subgraph(n.op->getRegion(which)) : nullptr;
    if (!branches[which] ||
        branches[which]->getTerminator()->getNumOperands() != n.outputs())
      return l.refuse("a branch does not have " + Twine(n.outputs()) +
                      " outputs");
  }
  if (auto known = l.integers(n.in(0)); known && known->size() == 1)
    return takeBranch(l, n, *branches[known->front() ? 1 : 0]);
  SmallVector<Type> types;
  SmallVector<Value> results, destinations;
  for (unsigned i = 0; i < n.outputs(); ++i) {
    Value result = n.out(i);
    if (!result)
      continue;
    for (Block *branch : branches)
      if (failed(canYield(l, branch->getTerminator()->getOperand(i), result,
                          "output " + Twine(i) + " of a branch")))
        return failure();
    results.push_back(result);
    if (isBoxed(result.getType())) {
      destinations.push_back(nullptr);
      types.push_back(l.b.getIndexType());
      continue;
    }
    Dims dims = l.knownDims(result);
    Value target;
    if (llvm::all_of(dims, [](OpFoldResult dim) { return !!dim; }))
      target = destination(l, signless(l.elementType(result)), dims);
    destinations.push_back(target);
    types.push_back(target ? target.getType() : Type(loweredType(l, result)));
  }
  Value condition = onlyElement(l, n.in(0), "the condition");
  if (!condition)
    return failure();
  if (!condition.getType().isInteger(1))
    return l.refuse("the condition is not of type bool");
  auto conditional = scf::IfOp::create(l.b, l.loc, types, condition,
                                       /*addThenBlock=*/true,
                                       /*addElseBlock=*/true);
  if (failed(lowerBranch(l, n, *branches[1], conditional.thenBlock(), types,
                         destinations)) ||
      failed(lowerBranch(l, n, *branches[0], conditional.elseBlock(), types,
                         destinations)))
    return failure();
  for (auto [result, value] :
       llvm::zip_equal(results, conditional.getResults())) {
    if (isBoxed(result.getType()))
      l.bind(result, value);
    else
      l.set(result, value);
  }
  return success();
}

void onnxc::addConditionals(LoweringTable &table) { table.onOp("If", lowerIf); }
