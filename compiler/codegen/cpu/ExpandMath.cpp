//===- ExpandMath.cpp - No math op needs a library ------------------------===//
//
// The polynomials are in Polynomials.cpp; the functions that are called, in
// compiler/emit/shell/math*.c.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/Passes.h"
#include "compiler/codegen/cpu/Polynomials.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/StringMap.h"

namespace onnxc {
#define GEN_PASS_DEF_EXPANDMATH
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

namespace {

using Expansion = Value (*)(OpBuilder &, Location, Value);

class ExpandMath : public onnxc::impl::ExpandMathBase<ExpandMath> {
public:
  void runOnOperation() override;

private:
  Value compute(OpBuilder &builder, Operation *op, ValueRange operands);
  Value callEach(OpBuilder &builder, Operation *op, ValueRange operands);
  Value call(OpBuilder &builder, Operation *op, ValueRange scalars);
  func::FuncOp callee(StringRef name, FunctionType type);
};

} // namespace

/// The ops that are replaced, each with its polynomial for f32; null: a call in
/// every precision. f64 is always a call.
static const llvm::StringMap<Expansion> &expansions() {
  static const auto *table = new llvm::StringMap<Expansion>{
      {"math.exp", expandExp},
      {"math.exp2", expandExp2},
      {"math.expm1", expandExpM1},
      {"math.log", expandLog},
      {"math.log2", expandLog2},
      {"math.log1p", expandLog1p},
      {"math.tanh", expandTanh},
      {"math.erf", expandErf},
      {"math.sin", expandSin},
      {"math.cos", expandCos},
      // x86 has no instruction that rounds halves away from zero.
      {"math.round", expandRound},
      {"math.log10", nullptr},
      {"math.tan", expandTan},
      {"math.asin", expandAsin},
      {"math.acos", expandAcos},
      {"math.atan", expandAtan},
      {"math.atan2", nullptr},
      {"math.sinh", expandSinh},
      {"math.cosh", expandCosh},
      {"math.asinh", expandAsinh},
      {"math.acosh", expandAcosh},
      {"math.atanh", expandAtanh},
      {"math.cbrt", nullptr},
      {"math.powf", nullptr},
      {"arith.remf", nullptr}};
  return *table;
}

/// The polynomial for f32; of an op that may be approximate the cheaper one.
static Expansion expansionOf(Operation *op) {
  auto fast = dyn_cast<arith::ArithFastMathInterface>(op);
  if (fast && arith::bitEnumContainsAll(fast.getFastMathFlagsAttr().getValue(),
                                        arith::FastMathFlags::afn)) {
    if (isa<math::TanhOp>(op))
      return expandApproximateTanh;
    if (isa<math::ErfOp>(op))
      return expandApproximateErf;
  }
  return expansions().lookup(op->getName().getStringRef());
}

/// "pow" of math.powf, "fmod" of arith.remf, else the op's own name.
static StringRef functionName(Operation *op) {
  StringRef name = op->getName().getStringRef();
  if (name == "arith.remf")
    return "fmod";
  if (name == "math.powf")
    return "pow";
  return name.split('.').second;
}

static Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(element);
  return element;
}

void ExpandMath::runOnOperation() {
  SmallVector<Operation *> ops;
  getOperation().walk([&](Operation *op) {
    if (expansions().contains(op->getName().getStringRef()))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    Type type = op->getResult(0).getType();
    Type element = getElementTypeOrSelf(type);
    auto vector = dyn_cast<VectorType>(type);
    bool isNarrow =
        isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32;
    if (!(isNarrow || element.isF32() || element.isF64()) ||
        (!vector && type != element) || (vector && vector.isScalable()) ||
        llvm::any_of(op->getOperandTypes(),
                     [&](Type operand) { return operand != type; })) {
      op->emitError("cannot be computed on ") << type;
      return signalPassFailure();
    }
    OpBuilder builder(op);
    SmallVector<Value> operands(op->getOperands());
    if (isNarrow) {
      Type wide = withElement(type, builder.getF32Type());
      for (Value &operand : operands)
        operand = arith::ExtFOp::create(builder, op->getLoc(), wide, operand);
    }
    Value result = compute(builder, op, operands);
    if (isNarrow)
      result = arith::TruncFOp::create(builder, op->getLoc(), type, result);
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  }
}

Value ExpandMath::compute(OpBuilder &builder, Operation *op,
                          ValueRange operands) {
  Type type = operands[0].getType();
  if (isa<math::PowFOp>(op) && getElementTypeOrSelf(type).isF32())
    return expandPow(builder, op->getLoc(), operands[0], operands[1]);
  Expansion expansion = expansionOf(op);
  if (expansion && getElementTypeOrSelf(type).isF32())
    return expansion(builder, op->getLoc(), operands[0]);
  return isa<VectorType>(type) ? callEach(builder, op, operands)
                               : call(builder, op, operands);
}

/// One call for each element.
Value ExpandMath::callEach(OpBuilder &builder, Operation *op,
                           ValueRange operands) {
  Location loc = op->getLoc();
  auto type = cast<VectorType>(operands[0].getType());
  Value result =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  SmallVector<int64_t> strides = computeStrides(type.getShape());
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    SmallVector<int64_t> position = delinearize(i, strides);
    SmallVector<Value> scalars;
    for (Value operand : operands)
      scalars.push_back(
          vector::ExtractOp::create(builder, loc, operand, position));
    result = vector::InsertOp::create(builder, loc, call(builder, op, scalars),
                                      result, position);
  }
  return result;
}

Value ExpandMath::call(OpBuilder &builder, Operation *op, ValueRange scalars) {
  Type type = scalars[0].getType();
  std::string name =
      ("onnxc_math_" + functionName(op) + (type.isF64() ? "_f64" : "_f32"))
          .str();
  auto functionType = builder.getFunctionType(scalars.getTypes(), type);
  return func::CallOp::create(builder, op->getLoc(), callee(name, functionType),
                              scalars)
      .getResult(0);
}

func::FuncOp ExpandMath::callee(StringRef name, FunctionType type) {
  ModuleOp module = getOperation();
  if (auto function = module.lookupSymbol<func::FuncOp>(name))
    return function;
  auto builder = OpBuilder::atBlockEnd(module.getBody());
  auto function = func::FuncOp::create(builder, module.getLoc(), name, type);
  function.setPrivate();
  return function;
}
