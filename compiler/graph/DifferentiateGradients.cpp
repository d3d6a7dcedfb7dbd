//===- DifferentiateGradients.cpp - Gradient by reverse differentiation ---===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"
#include "compiler/graph/gradients/Gradients.h"

#include "dialects/onnx/NodeError.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/PassManager.h"

namespace onnxc {
#define GEN_PASS_DEF_DIFFERENTIATEGRADIENTS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

/// One Gradient. Its operands: values of xs and zs, the tensors that xs and zs
/// name, and y.
class Differentiation {
public:
  explicit Differentiation(Operation *op)
      : op(op), count((op->getNumOperands() - 1) / 2),
        y(op->getOperand(2 * count)) {}

  bool isWellFormed() const {
    return op->getNumOperands() == 2 * count + 1 &&
           op->getNumResults() <= count;
  }
  void findFunction();
  LogicalResult substituteInputs();
  LogicalResult differentiate(const SymbolicShapes &shapes,
                              const GradientRules &rules);

private:
  Value input(unsigned index) { return op->getOperand(index); }
  Value named(unsigned index) { return op->getOperand(count + index); }
  bool follows(Operation *part) const;
  void accumulate(OpBuilder &builder, Value value, Value gradient);

  Operation *op;
  unsigned count;
  Value y;
  /// What y is a function of: xs and zs.
  SmallVector<Value> sources;
  /// The operations between them and y, in order.
  SmallVector<Operation *> function;
  /// The sources and what those operations give.
  DenseSet<Value> dependent;
  DenseMap<Value, Value> gradients;
};

struct DifferentiateGradients
    : onnxc::impl::DifferentiateGradientsBase<DifferentiateGradients> {
  void runOnOperation() override {
    SmallVector<Operation *> found;
    getOperation().walk([&](Operation *op) {
      if (isOnnx(op, "preview.training.Gradient"))
        found.push_back(op);
    });
    if (found.empty())
      return markAllAnalysesPreserved();
    GradientRules rules;
    OpPassManager inference(func::FuncOp::getOperationName());
    inference.addPass(createInferShapes());
    // One that differentiates what another gave comes behind it.
    for (Operation *op : found)
      if (failed(replace(op, rules, inference)))
        return signalPassFailure();
    if (failed(runPipeline(inference, getOperation())))
      signalPassFailure();
  }

private:
  LogicalResult replace(Operation *op, const GradientRules &rules,
                        OpPassManager &inference) {
    Differentiation gradient(op);
    if (!gradient.isWellFormed())
      return nodeError(op) << "has operands that do not fit";
    gradient.findFunction();
    if (failed(gradient.substituteInputs()) ||
        failed(runPipeline(inference, getOperation())))
      return failure();
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(getOperation());
    if (failed(shapes) || failed(gradient.differentiate(*shapes, rules)))
      return failure();
    op->erase();
    return success();
  }
};

} // namespace

/// Whether `part` reads what follows from a source.
bool Differentiation::follows(Operation *part) const {
  bool result = false;
  part->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      result |= dependent.contains(operand);
  });
  return result;
}

/// Collects what y is computed by, up to xs and zs.
void Differentiation::findFunction() {
  for (unsigned i = 0; i < count; ++i)
    sources.push_back(named(i));
  dependent.insert(sources.begin(), sources.end());
  // Depth first, without recursion: operands before their users.
  SmallVector<Operation *> order;
  SmallVector<std::pair<Operation *, bool>> open;
  DenseSet<Operation *> seen;
  auto visit = [&](Value value) {
    Operation *producer = value.getDefiningOp();
    if (producer && !dependent.contains(value) && !seen.contains(producer))
      open.push_back({producer, false});
  };
  visit(y);
  while (!open.empty()) {
    auto [part, isDone] = open.pop_back_val();
    if (isDone) {
      order.push_back(part);
      continue;
    }
    if (!seen.insert(part).second)
      continue;
    open.push_back({part, true});
    part->walk(
        [&](Operation *inner) { llvm::for_each(inner->getOperands(), visit); });
  }
  for (Operation *part : order)
    if (follows(part)) {
      function.push_back(part);
      dependent.insert(part->result_begin(), part->result_end());
    }
}

/// Where an input is not the tensor that it stands for, the function is
/// computed once more, of the inputs.
LogicalResult Differentiation::substituteInputs() {
  IRMapping mapping;
  for (unsigned i = 0; i < count; ++i) {
    if (input(i) == named(i))
      continue;
    if (input(i).getType() != named(i).getType())
      return nodeError(op) << "input " << i << " is of type "
                           << input(i).getType()
                           << ", the tensor it stands for of type "
                           << named(i).getType()
                           << "; different shapes are not supported";
    mapping.map(named(i), input(i));
  }
  if (mapping.getValueMap().empty())
    return success();
  OpBuilder builder(op);
  for (Value &source : sources) {
    source = mapping.lookupOrDefault(source);
    dependent.insert(source);
  }
  for (Operation *&part : function) {
    part = builder.clone(*part, mapping);
    dependent.insert(part->result_begin(), part->result_end());
  }
  y = mapping.lookupOrDefault(y);
  return success();
}

void Differentiation::accumulate(OpBuilder &builder, Value value,
                                 Value gradient) {
  Value &sum = gradients[value];
  sum = sum ? createOnnx(builder, op->getLoc(), "Add", {sum, gradient},
                         UnrankedTensorType::get(
                             getElementTypeOrSelf(value.getType())))
                  ->getResult(0)
            : gradient;
}

LogicalResult Differentiation::differentiate(const SymbolicShapes &shapes,
                                             const GradientRules &rules) {
  auto isFloat = [](Value value) {
    return isa<FloatType>(getElementTypeOrSelf(value.getType()));
  };
  if (!isFloat(y))
    return nodeError(op) << "y is of type " << y.getType()
                         << ", which has no gradient";
  OpBuilder builder(op);
  // The gradient of y by itself: 1 for each element.
  Backward start(builder, op, shapes, {}, {});
  accumulate(builder, y, start.filled(1, y));

  for (Operation *part : llvm::reverse(function)) {
    SmallVector<Value> ofResults;
    for (Value result : part->getResults())
      ofResults.push_back(gradients.lookup(result));
    if (llvm::none_of(ofResults, [](Value value) { return !!value; }))
      continue;
    SmallVector<bool> wants;
    for (Value operand : part->getOperands())
      wants.push_back(dependent.contains(operand) && isFloat(operand));
    // What depends on no number but on shapes.
    if (llvm::none_of(wants, [](bool wanted) { return wanted; }))
      continue;
    StringRef name = part->getName().getStringRef();
    name.consume_front("onnx.");
    GradientRule rule = rules.lookup(name);
    Backward backward(builder, part, shapes, ofResults, wants);
    if (!rule || failed(rule(backward))) {
      InFlightDiagnostic error = nodeError(part);
      error << "cannot be differentiated: "
            << (rule ? StringRef(backward.refusal())
                     : "the operator has no gradient here");
      return error;
    }
    for (auto [i, operand] : llvm::enumerate(part->getOperands()))
      if (Value gradient = backward.givenTo(i); gradient && wants[i])
        accumulate(builder, operand, gradient);
  }
  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    Value gradient = gradients.lookup(sources[i]);
    if (!gradient)
      gradient = start.filled(0, sources[i]);
    result.replaceAllUsesWith(gradient);
  }
  return success();
}
