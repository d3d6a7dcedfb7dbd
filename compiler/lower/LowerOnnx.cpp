//===- LowerOnnx.cpp - The pass lower-onnx and its pipeline ---------------===//

#include "compiler/lower/Lowering.h"
#include "compiler/lower/NarrowTypes.h"
#include "compiler/lower/Passes.h"
#include "compiler/lower/Strings.h"
#include "compiler/lower/Traditional.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/ElementTypes.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace onnxc {
#define GEN_PASS_DEF_LOWERONNX
#include "compiler/lower/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

static LoweringTable makeTable() {
  LoweringTable table;
  addElementwise(table);
  addActivations(table);
  addAffineGrid(table);
  addCacheAppend(table);
  addCausalConvolutions(table);
  addCol2Im(table);
  addConvolutions(table);
  addTransposedConvolutions(table);
  addPools(table);
  addMatrixProducts(table);
  addMatMulNBits(table);
  addNormalizations(table);
  addRecurrent(table);
  addReductions(table);
  addSoftmax(table);
  addReshapes(table);
  addSlices(table);
  addResize(table);
  addGathers(table);
  addGenerators(table);
  addQuantization(table);
  addIntegerProducts(table);
  addEinsum(table);
  addConditionals(table);
  addTopK(table);
  addNonMaxSuppression(table);
  addRandomNumbers(table);
  addRegionPools(table);
  addImages(table);
  addGridSample(table);
  addMaxUnpool(table);
  addDeformableConvolutions(table);
  addDeterminant(table);
  addOptimizers(table);
  addSignalTransforms(table);
  addTensorScatter(table);
  addUnique(table);
  addFeatureTransforms(table);
  addLinearModels(table);
  addLoops(table);
  addSupportVectors(table);
  addTreeEnsembles(table);
  addSequences(table);
  addOptionals(table);
  addStrings(table);
  addLabels(table);
  addMaps(table);
  addNgrams(table);
  return table;
}

bool onnxc::hasLowering(StringRef operation) {
  static const LoweringTable table = makeTable();
  operation.consume_front("onnx.");
  return table.lookup(operation) != nullptr;
}

/// The type that a value is lowered to, or null with an error where there is
/// none.
static Type loweredType(func::FuncOp function, Type type, const Twine &what) {
  if (isBoxed(type))
    return IndexType::get(function.getContext());
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !isLowered(tensor.getElementType())) {
    function.emitError() << what << " has type " << type
                         << ", which is not supported yet";
    return nullptr;
  }
  return RankedTensorType::get(tensor.getShape(),
                               signless(tensor.getElementType()));
}

/// The element type of a tensor; null for other types.
static Type elementOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? tensor.getElementType() : Type();
}

/// Bits of an element that shares a byte with others at the boundary, else 0.
static int64_t sharedBits(Type type) {
  Type element = elementOf(type);
  return element ? packedBits(element) : 0;
}

static std::string boundaryName(StringRef kind, DictionaryAttr attributes,
                                size_t position) {
  auto name = attributes ? attributes.getAs<StringAttr>("onnx.name") : nullptr;
  if (!name)
    return (kind + " " + Twine(position)).str();
  return (kind + " '" + name.getValue() + "'").str();
}

/// What lowering takes from a type: signedness, or all of a boxed value's.
static DictionaryAttr withOnnxType(DictionaryAttr attributes, Type type) {
  MLIRContext *context = type.getContext();
  NamedAttrList list(attributes);
  if (isBoxed(type))
    list.set("onnx.type", TypeAttr::get(type));
  else
    list.set("onnx.elem_type", IntegerAttr::get(IntegerType::get(context, 64),
                                                dataType(elementOf(type))));
  return list.getDictionary(context);
}

namespace {
struct LowerOnnxPass : onnxc::impl::LowerOnnxBase<LowerOnnxPass> {
  void runOnOperation() override {
    auto function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!function || function.isExternal() ||
        !function.getBody().hasOneBlock()) {
      getOperation().emitError("has no function @main of one block to lower");
      return signalPassFailure();
    }
    FailureOr<SymbolicShapes> shapes = SymbolicShapes::compute(function);
    if (failed(shapes) || failed(lower(function, *shapes)))
      signalPassFailure();
  }

  LogicalResult lower(func::FuncOp function, SymbolicShapes &shapes) {
    bool refused = false;
    SmallVector<Type> inputs, results;
    SmallVector<DictionaryAttr> inputAttributes, resultAttributes;
    function.getAllArgAttrs(inputAttributes);
    function.getAllResultAttrs(resultAttributes);
    inputAttributes.resize(function.getNumArguments());
    resultAttributes.resize(function.getNumResults());
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
      inputs.push_back(loweredType(
          function, type, boundaryName("input", inputAttributes[i], i)));
      if (inputs.back() &&
          (sharedBits(type) ||
           (elementOf(type) && isString(elementOf(type)))) &&
          inputAttributes[i] && inputAttributes[i].get("onnx.default")) {
        function.emitError() << boundaryName("input", inputAttributes[i], i)
                             << " has a default of type " << type
                             << ", which is not supported yet";
        refused = true;
      }
      refused |= !inputs.back();
    }
    for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
      results.push_back(loweredType(
          function, type, boundaryName("output", resultAttributes[i], i)));
      refused |= !results.back();
    }
    if (refused)
      return failure();

    OpBuilder builder(function);
    auto lowered =
        func::FuncOp::create(builder, function.getLoc(), "main",
                             builder.getFunctionType(inputs, results));
    Block *entry = lowered.addEntryBlock();
    Lowering lowering(table, shapes, lowered);
    for (auto [i, argument] : llvm::enumerate(function.getArguments())) {
      lowered.setArgAttrs(i,
                          withOnnxType(inputAttributes[i], argument.getType()));
    }
    for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
      lowered.setResultAttrs(i, withOnnxType(resultAttributes[i], type));

    Block &body = function.getBody().front();
    lowering.b.setInsertionPointToEnd(entry);
    for (auto [i, argument] : llvm::enumerate(function.getArguments())) {
      Value tensor = entry->getArgument(i);
      if (sharedBits(argument.getType()))
        tensor =
            unpackElements(lowering, tensor, elementOf(argument.getType()));
      lowering.bind(argument, tensor);
    }
    if (failed(lowering.lowerBlock(body))) {
      lowered.erase();
      return failure();
    }
    SmallVector<Value> returned;
    for (auto [i, result] :
         llvm::enumerate(body.getTerminator()->getOperands())) {
      Value tensor = lowering.value(result);
      if (sharedBits(result.getType()))
        tensor = packElements(lowering, tensor, elementOf(result.getType()));
      if (tensor.getType() != results[i])
        tensor = tensor::CastOp::create(lowering.b, lowering.loc, results[i],
                                        tensor);
      returned.push_back(tensor);
    }
    func::ReturnOp::create(lowering.b, function.getLoc(), returned);
    for (NamedAttribute attribute : function->getDiscardableAttrs())
      lowered->setAttr(attribute.getName(), attribute.getValue());
    function.erase();
    return success();
  }

  LogicalResult initialize(MLIRContext *) override {
    table = makeTable();
    return success();
  }

  LoweringTable table;
};
} // namespace

void onnxc::buildLowerPipeline(OpPassManager &manager) {
  manager.addPass(createLowerOnnx());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  // Dims of intermediate tensors become arithmetic on dims of the arguments.
  manager.addPass(memref::createResolveShapedTypeResultDimsPass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}
