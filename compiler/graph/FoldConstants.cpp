//===- FoldConstants.cpp - Evaluate at compile time what can be -----------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/Rewriting.h"
#include "compiler/graph/SymbolicShapes.h"
#include "compiler/graph/fold/Evaluator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/Support/MathExtras.h"

namespace onnxc {
#define GEN_PASS_DEF_FOLDCONSTANTS
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

constexpr int maxRounds = 4;
/// Results up to this size fold always.
constexpr int64_t smallBytes = 64 << 10;
/// More elements than this are not computed one by one at compile time.
constexpr int64_t maxElements = 64 << 20;

struct FoldConstants : onnxc::impl::FoldConstantsBase<FoldConstants> {
  using FoldConstantsBase::FoldConstantsBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    fold::Evaluators evaluators;
    bool any = false, changed = true;
    // A folded result can tell dims that were data before: of NonZero, say.
    for (int round = 0; changed && round < maxRounds; ++round) {
      FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(function);
      if (failed(shapes))
        return signalPassFailure();
      changed = false;
      function.walk<WalkOrder::PreOrder>([&](Operation *op) {
        StringRef name = op->getName().getStringRef();
        if (name.consume_front("onnx.") && name != "Constant" &&
            op->getNumRegions() == 0 && op->getNumResults() > 0 &&
            isMemoryEffectFree(op))
          changed |= foldOperation(op, *shapes, evaluators.lookup(name));
      });
      any |= changed;
      if (changed)
        eraseDead(function);
    }
    if (!any)
      return markAllAnalysesPreserved();
    updateFunctionType(function);
  }

private:
  /// Replaces uses of `op`'s results that are known.
  static bool foldOperation(Operation *op, const SymbolicShapes &shapes,
                            fold::Evaluator evaluator) {
    bool changed = false, all = true;
    for (OpResult result : op->getResults()) {
      if (result.use_empty())
        continue;
      ElementsAttr value = knownElements(result, shapes);
      if (value)
        replace(result, value);
      changed |= value != nullptr;
      all &= value != nullptr;
    }
    if (all || !evaluator)
      return changed;
    fold::Results results = evaluate(op, shapes, evaluator);
    if (!results)
      return changed;
    for (auto [result, value] : llvm::zip(op->getResults(), *results))
      if (value && !result.use_empty()) {
        replace(result, value);
        changed = true;
      }
    return changed;
  }

  /// The elements that shape inference found, if all are numbers.
  static ElementsAttr knownElements(Value value, const SymbolicShapes &shapes) {
    auto elements = shapes.elements(value);
    auto dims = shapes.dims(value);
    auto type = dyn_cast<TensorType>(value.getType());
    if (!elements || !dims || !type)
      return nullptr;
    SmallVector<int64_t> sizes;
    int64_t count = 1;
    for (AffineExpr expr : *dims) {
      auto size = SymbolicShapes::constant(expr);
      if (!size)
        return nullptr;
      sizes.push_back(*size);
      count *= *size;
    }
    if (count != static_cast<int64_t>(elements->size()))
      return nullptr;
    fold::Result result(sizes, type.getElementType());
    for (auto [index, expr] : llvm::enumerate(*elements)) {
      auto element = SymbolicShapes::constant(expr);
      if (!element)
        return nullptr;
      result.setInteger(index, *element);
    }
    return result.take();
  }

  /// Whether `op` is a Cast from integers of 8 bits.
  static bool widensBytes(Operation *op) {
    auto type = dyn_cast<TensorType>(op->getOperand(0).getType());
    return op->getName().getStringRef() == "onnx.Cast" && type &&
           type.getElementType().isInteger(8);
  }

  static fold::Results evaluate(Operation *op, const SymbolicShapes &shapes,
                                fold::Evaluator evaluator) {
    fold::Evaluation evaluation{op, {}, {}};
    int64_t operandBytes = 0;
    bool isSplat = true;
    for (Value value : op->getOperands()) {
      if (isa<NoneType>(value.getType())) {
        evaluation.operands.push_back(std::nullopt);
        continue;
      }
      ElementsAttr elements = constantElements(value);
      auto operand = elements ? fold::Operand::get(elements) : std::nullopt;
      if (!operand)
        return std::nullopt;
      isSplat &= operand->isSplat() || operand->count() == 1;
      operandBytes += operand->count() * elementSize(operand->elementType());
      evaluation.operands.push_back(std::move(operand));
    }
    if (op->getNumOperands() == 0)
      return std::nullopt;
    bool fills = op->getName().getStringRef() == "onnx.ConstantOfShape";
    int64_t elements = 0, resultBytes = 0;
    for (OpResult result : op->getResults()) {
      evaluation.dims.emplace_back();
      auto dims = shapes.dims(result);
      auto type = dyn_cast<TensorType>(result.getType());
      if (!dims || !type)
        continue;
      SmallVector<int64_t> sizes;
      int64_t count = 1;
      for (AffineExpr expr : *dims)
        if (auto size = SymbolicShapes::constant(expr)) {
          sizes.push_back(*size);
          if (llvm::MulOverflow(count, *size, count) || count > (1ll << 48))
            return std::nullopt;
        }
      if (sizes.size() != dims->size())
        continue;
      elements += count;
      resultBytes += count * elementSize(type.getElementType());
      evaluation.dims.back() = std::move(sizes);
    }
    // Splats take no memory. Otherwise results may be no larger than what they
    // are made of (twice for widened types): a mask that is expanded to
    // megabytes is better made when the model runs. Weights in 8 bits are not.
    bool isCheap = (isSplat || fills) && op->getNumResults() == 1;
    if (!isCheap && (elements > maxElements ||
                     (resultBytes > smallBytes &&
                      resultBytes > (widensBytes(op) ? 4 : 2) * operandBytes)))
      return std::nullopt;
    if (!isCheap && resultBytes > smallBytes && isSecondLayout(op))
      return std::nullopt;
    // Those of many elements that give one number each are cheap to run; the
    // ones that read more than this are too slow to fold.
    if (!isCheap && operandBytes / 8 > maxElements)
      return std::nullopt;
    return evaluator(evaluation);
  }

  /// Whether `op` transposes a constant that others read as it lies, such as an
  /// embedding that is the last product's matrix, too. Weights are laid out for
  /// their reader anyhow; a transposed constant would be stored beside the
  /// other.
  static bool isSecondLayout(Operation *op) {
    auto isTranspose = [](Operation *reader) {
      return reader->getName().getStringRef() == "onnx.Transpose";
    };
    return isTranspose(op) &&
           !llvm::all_of(op->getOperand(0).getUsers(), isTranspose);
  }

  static void replace(OpResult result, ElementsAttr value) {
    OpBuilder builder(result.getOwner());
    OperationState state(result.getLoc(), "onnx.Constant");
    state.addAttribute("value", value);
    state.addTypes(RankedTensorType::get(value.getShapedType().getShape(),
                                         value.getElementType()));
    result.replaceAllUsesWith(builder.create(state)->getResult(0));
  }
};

} // namespace
