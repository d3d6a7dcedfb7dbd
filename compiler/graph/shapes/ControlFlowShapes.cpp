//===- ControlFlowShapes.cpp - Shapes of If, Loop and Scan ----------------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

/// Whether all symbols of `expr` are of values that are visible at `op`.
static bool isVisible(ShapeContext &shape, Expr expr) {
  ArrayRef<ShapeSymbol> symbols = shape.inference.shapes.symbols();
  return !dim::usesSymbol(expr, [&](unsigned index) {
    Value value = symbols[index].value;
    Region *region = value.getParentRegion();
    return shape.op->isAncestor(region->getParentOp());
  });
}

static Block *bodyOf(Region &region) {
  return region.hasOneBlock() && !region.front().empty() ? &region.front()
                                                         : nullptr;
}

/// The dims of a result that leaves the body: those that do not change.
static Exprs leaving(ShapeContext &shape, ArrayRef<Expr> dims) {
  Exprs result;
  for (Expr expr : dims)
    result.push_back(isVisible(shape, expr) ? expr : Expr());
  return result;
}

static LogicalResult conditional(ShapeContext &shape) {
  // A branch that is never taken may well contradict the shapes at hand.
  if (auto condition = shape.constantScalar(0);
      condition && shape.op->getNumRegions() == 2) {
    // Regions are in the order of their names: else_branch, then_branch.
    Block *block = bodyOf(shape.op->getRegion(*condition ? 1 : 0));
    if (!block)
      return shape.error("a branch is not one block");
    if (failed(shape.inference.block(*block)))
      return failure();
    Operation *end = block->getTerminator();
    if (end->getNumOperands() != shape.numResults())
      return shape.error("the branch does not have " +
                         Twine(shape.numResults()) + " outputs");
    for (auto [index, value] : llvm::enumerate(end->getOperands()))
      if (auto dims = shape.inference.shapes.dims(value))
        shape.setDims(index, leaving(shape, *dims));
    return success();
  }
  SmallVector<Block *> branches;
  for (Region &region : shape.op->getRegions()) {
    Block *block = bodyOf(region);
    if (!block)
      return shape.error("a branch is not one block");
    if (failed(shape.inference.block(*block)))
      return failure();
    branches.push_back(block);
  }
  if (branches.size() != 2)
    return success();
  Operation *left = branches[0]->getTerminator();
  Operation *right = branches[1]->getTerminator();
  unsigned count = shape.numResults();
  if (left->getNumOperands() != count || right->getNumOperands() != count)
    return shape.error("the branches do not have " + Twine(count) + " outputs");
  for (unsigned index = 0; index < count; ++index) {
    auto a = shape.inference.shapes.dims(left->getOperand(index));
    auto b = shape.inference.shapes.dims(right->getOperand(index));
    // Branches of different ranks leave the rank open.
    if (!a || !b || a->size() != b->size())
      continue;
    Exprs dims;
    for (auto [x, y] : llvm::zip_equal(*a, *b))
      dims.push_back(x == y && isVisible(shape, x) ? x : Expr());
    shape.setDims(index, std::move(dims));
  }
  return success();
}

/// Infers `body` until the dims of its carried arguments hold for every
/// iteration: those that an iteration changes become symbols. Argument
/// `first + i` is yielded as operand `yielded + i`, for i < `count`.
static LogicalResult iterate(ShapeContext &shape, Block &body, unsigned first,
                             unsigned yielded, unsigned count) {
  // The first iteration's dims may contradict what a later one computes: then
  // all of them vary.
  llvm::StringMap<Expr> derived = shape.inference.derived;
  LogicalResult assumed = [&] {
    ScopedDiagnosticHandler quiet(shape.context(),
                                  [](Diagnostic &) { return success(); });
    return shape.inference.block(body);
  }();
  bool isInferred = succeeded(assumed);
  if (failed(assumed)) {
    shape.inference.derived = std::move(derived);
    shape.inference.forget(body);
    for (unsigned index = 0; index < count; ++index) {
      BlockArgument argument = body.getArgument(first + index);
      if (Exprs *own = shape.inference.known(argument))
        for (auto [position, expr] : llvm::enumerate(*own))
          expr = shape.inference.dimSymbol(argument, position);
    }
  }
  for (;; isInferred = false) {
    if (!isInferred && failed(shape.inference.block(body)))
      return failure();
    bool stable = true;
    Operation *end = body.getTerminator();
    for (unsigned index = 0; index < count; ++index) {
      BlockArgument argument = body.getArgument(first + index);
      Exprs *own = shape.inference.known(argument);
      auto next = shape.inference.shapes.dims(end->getOperand(yielded + index));
      if (!own)
        continue;
      if (next && next->size() != own->size())
        return shape.error("the rank of a loop's variable changes");
      for (auto [position, expr] : llvm::enumerate(*own)) {
        Expr symbol = shape.inference.dimSymbol(argument, position);
        if (expr != symbol && (!next || expr != (*next)[position])) {
          expr = symbol;
          stable = false;
        }
      }
    }
    if (stable)
      return success();
    shape.inference.forget(body);
  }
}

/// Loop: operands M, cond, v...; body arguments i, cond, v...; it yields cond,
/// v..., scan outputs...
static LogicalResult loop(ShapeContext &shape) {
  Block *body = bodyOf(shape.op->getRegion(0));
  if (!body || shape.numOperands() < 2)
    return shape.error("the body is not one block");
  unsigned carried = shape.numOperands() - 2;
  Operation *end = body->getTerminator();
  if (body->getNumArguments() != carried + 2 ||
      end->getNumOperands() < carried + 1 ||
      shape.numResults() != end->getNumOperands() - 1)
    return shape.error("the body does not fit the loop's " + Twine(carried) +
                       " variables");
  for (BlockArgument argument : body->getArguments().take_front(2))
    shape.inference.setDims(argument, {});
  // What is computed from the iteration's number is an expression of it.
  if (auto number =
          shape.inference.shapes.elementsOrSymbols(body->getArgument(0)))
    shape.inference.setElements(body->getArgument(0), std::move(*number));
  for (unsigned index = 0; index < carried; ++index) {
    BlockArgument argument = body->getArgument(index + 2);
    auto dims = shape.dims(index + 2);
    if (dims && isa<TensorType>(argument.getType()))
      shape.inference.setDims(argument, Exprs(*dims));
    else
      shape.inference.declare(argument);
  }
  if (failed(iterate(shape, *body, 2, 1, carried)))
    return failure();
  std::optional<Expr> trips;
  if (shape.present(0))
    if (auto count = shape.elements(0); count && count->size() == 1)
      trips = count->front();
  // The loop may end early only when it has a condition.
  auto goesOn = shape.inference.shapes.elements(end->getOperand(0));
  // A body may hand its condition on as it is.
  bool isConstant =
      end->getOperand(0) == body->getArgument(1) ||
      (goesOn && goesOn->size() == 1 && dim::constant(goesOn->front()) == 1);
  bool all = isConstant && (!shape.present(1) || shape.constantScalar(1) == 1);
  for (unsigned index = 0; index < shape.numResults(); ++index) {
    Value yielded = end->getOperand(index + 1);
    if (index < carried) {
      if (auto dims = shape.inference.shapes.dims(body->getArgument(index + 2)))
        shape.setDims(index, leaving(shape, *dims));
      continue;
    }
    auto dims = shape.inference.shapes.dims(yielded);
    if (!dims)
      continue;
    Exprs stacked = leaving(shape, *dims);
    Expr count =
        all && trips && !shape.readsData(*trips) && shape.isNonNegative(*trips)
            ? *trips
            : Expr();
    stacked.insert(stacked.begin(), count);
    shape.setDims(index, std::move(stacked));
  }
  return success();
}

/// Scan: state and scan inputs; body arguments state and slices; it yields
/// state and slices of the scan outputs.
static LogicalResult scan(ShapeContext &shape) {
  Block *body = bodyOf(shape.op->getRegion(0));
  if (!body)
    return shape.error("the body is not one block");
  int64_t inputs = shape.integer("num_scan_inputs", 0);
  int64_t states = static_cast<int64_t>(shape.numOperands()) - inputs;
  Operation *end = body->getTerminator();
  if (inputs < 1 || states < 0 ||
      body->getNumArguments() != shape.numOperands() ||
      end->getNumOperands() != shape.numResults() ||
      static_cast<int64_t>(shape.numResults()) < states)
    return shape.error("the body does not fit the scan's operands");
  auto inputAxes = shape.integers("scan_input_axes");
  auto outputAxes = shape.integers("scan_output_axes");
  if (inputAxes && static_cast<int64_t>(inputAxes->size()) != inputs)
    return shape.error("scan_input_axes does not fit the scan inputs");
  if (outputAxes &&
      static_cast<int64_t>(outputAxes->size()) != shape.numResults() - states)
    return shape.error("scan_output_axes does not fit the scan outputs");
  Expr length;
  for (unsigned index = 0; index < shape.numOperands(); ++index) {
    BlockArgument argument = body->getArgument(index);
    auto dims = shape.dims(index);
    if (!dims || !isa<TensorType>(argument.getType())) {
      shape.inference.declare(argument);
      continue;
    }
    Exprs own(*dims);
    if (index >= states) {
      FailureOr<int64_t> axis =
          shape.axis(inputAxes ? (*inputAxes)[index - states] : 0, own.size());
      if (failed(axis))
        return failure();
      FailureOr<Expr> merged =
          shape.same(own[*axis], length, "lengths of scan inputs");
      if (failed(merged))
        return failure();
      length = *merged;
      own.erase(own.begin() + *axis);
    }
    shape.inference.setDims(argument, std::move(own));
  }
  if (failed(iterate(shape, *body, 0, 0, states)))
    return failure();
  for (unsigned index = 0; index < shape.numResults(); ++index) {
    auto dims = shape.inference.shapes.dims(
        index < states ? Value(body->getArgument(index))
                       : end->getOperand(index));
    if (!dims)
      continue;
    Exprs result = leaving(shape, *dims);
    if (index >= states) {
      FailureOr<int64_t> axis = shape.axis(
          outputAxes ? (*outputAxes)[index - states] : 0, result.size() + 1);
      if (failed(axis))
        return failure();
      result.insert(result.begin() + *axis, length);
    }
    shape.setDims(index, std::move(result));
  }
  return success();
}

/// SequenceMap: the body's arguments have their declared types.
static LogicalResult sequenceMap(ShapeContext &shape) {
  for (Region &region : shape.op->getRegions())
    for (Block &block : region) {
      for (BlockArgument argument : block.getArguments())
        shape.inference.declare(argument);
      if (failed(shape.inference.block(block)))
        return failure();
    }
  return success();
}

void onnxc::addControlFlowShapes(ShapeRules &rules) {
  rules.onShape("If", conditional);
  rules.onShape("Loop", loop);
  rules.onShape("Scan", scan);
  rules.onShape("SequenceMap", sequenceMap);
}
