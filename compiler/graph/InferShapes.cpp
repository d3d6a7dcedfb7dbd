//===- InferShapes.cpp - Write inferred shapes into types -----------------===//

#include "compiler/graph/Passes.h"
#include "compiler/graph/SymbolicShapes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace onnxc {
#define GEN_PASS_DEF_INFERSHAPES
#include "compiler/graph/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

struct InferShapes : onnxc::impl::InferShapesBase<InferShapes> {
  using InferShapesBase::InferShapesBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(function);
    if (failed(shapes))
      return signalPassFailure();
    refineTypes(function, *shapes);
    if (annotate)
      describe(function, *shapes);
  }

  static void refine(Value value, const SymbolicShapes &shapes) {
    auto type = dyn_cast<TensorType>(value.getType());
    auto dims = shapes.dims(value);
    if (!type || !dims)
      return;
    SmallVector<int64_t> sizes;
    for (AffineExpr expr : *dims)
      sizes.push_back(
          SymbolicShapes::constant(expr).value_or(ShapedType::kDynamic));
    value.setType(RankedTensorType::get(sizes, type.getElementType()));
  }

  static void refineTypes(func::FuncOp function, const SymbolicShapes &shapes) {
    function.walk([&](Operation *op) {
      for (Value result : op->getResults())
        refine(result, shapes);
      if (op == function)
        return; // the arguments have their types from the model
      for (Region &region : op->getRegions())
        for (Block &block : region)
          for (Value argument : block.getArguments())
            refine(argument, shapes);
    });
    Operation *end = function.getBody().front().getTerminator();
    function.setFunctionType(
        FunctionType::get(function.getContext(), function.getArgumentTypes(),
                          llvm::to_vector(end->getOperandTypes())));
  }

  static void describe(func::FuncOp function, const SymbolicShapes &shapes) {
    Builder builder(function.getContext());
    function.walk([&](Operation *op) {
      if (op == function || op->getNumResults() == 0)
        return;
      SmallVector<StringRef> texts;
      SmallVector<std::string> storage(op->getNumResults());
      for (auto [text, result] : llvm::zip_equal(storage, op->getResults())) {
        if (auto dims = shapes.dims(result))
          text = "[" + join(*dims, shapes) + "]";
        if (auto elements = shapes.elements(result))
          text += " = {" + join(*elements, shapes) + "}";
        texts.push_back(text);
      }
      op->setAttr("onnx.shape", builder.getStrArrayAttr(texts));
    });
  }

  static std::string join(ArrayRef<AffineExpr> exprs,
                          const SymbolicShapes &shapes) {
    std::string text;
    for (AffineExpr expr : exprs)
      text += (text.empty() ? "" : ", ") + shapes.describe(expr);
    return text;
  }
};

} // namespace
