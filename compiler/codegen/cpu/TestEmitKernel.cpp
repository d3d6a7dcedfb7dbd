//===- TestEmitKernel.cpp - Kernels as functions, for tests ---------------===//
//
// The emitters alone, without buffers, arenas and the model's entry: each
// function that holds one kernel op on its own memref arguments becomes the
// function that code generation would call.
//
//===----------------------------------------------------------------------===//

#include "compiler/codegen/cpu/KernelEmitter.h"
#include "compiler/codegen/cpu/Passes.h"
#include "compiler/codegen/cpu/Target.h"
#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace onnxc {
#define GEN_PASS_DEF_TESTEMITKERNEL
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// The view of a memref argument: static sizes, or the next of `dynamic`.
static BufferView makeView(OpBuilder &builder, Location loc, MemRefType type,
                           Value pointer, ValueRange &dynamic) {
  BufferView view;
  view.pointer = pointer;
  view.elementType = type.getElementType();
  for (int64_t size : type.getShape()) {
    if (!ShapedType::isDynamic(size)) {
      view.sizes.push_back(builder.getIndexAttr(size));
      continue;
    }
    view.sizes.push_back(dynamic.front());
    dynamic = dynamic.drop_front();
  }
  if (!type.getLayout().isIdentity()) {
    auto [strides, offset] = type.getStridesAndOffset();
    for (int64_t stride : strides)
      view.strides.push_back(builder.getIndexAttr(stride));
    return view;
  }
  view.strides.resize(type.getRank());
  OpFoldResult stride = builder.getIndexAttr(1);
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    view.strides[dim] = stride;
    auto size = getConstantIntValue(view.sizes[dim]);
    auto known = getConstantIntValue(stride);
    if (size && known)
      stride = builder.getIndexAttr(*size * *known);
    else
      stride =
          arith::MulIOp::create(
              builder, loc,
              getValueOrCreateConstantIndexOp(builder, loc, stride),
              getValueOrCreateConstantIndexOp(builder, loc, view.sizes[dim]))
              .getResult();
  }
  return view;
}

namespace {
struct TestEmitKernel : onnxc::impl::TestEmitKernelBase<TestEmitKernel> {
  using TestEmitKernelBase::TestEmitKernelBase;

  void runOnOperation() override {
    Target target{"",          "", "", "test", vectorBits, vectorRegisters,
                  pairProducts};
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions)
      if (!function.isDeclaration() && failed(convert(function, target)))
        return signalPassFailure();
  }

  LogicalResult convert(func::FuncOp function, const Target &target);
};
} // namespace

LogicalResult TestEmitKernel::convert(func::FuncOp function,
                                      const Target &target) {
  Operation *op = nullptr;
  for (Operation &candidate : function.getBody().front())
    if (isa_and_nonnull<kernel::KernelDialect>(candidate.getDialect()))
      op = &candidate;
  if (!op)
    return function.emitOpError("holds no kernel op");

  OpBuilder builder(function);
  Location loc = op->getLoc();
  Type pointer = LLVM::LLVMPointerType::get(&getContext());
  Type index = builder.getIndexType();
  SmallVector<Type> pointers, sizes;
  auto isScalar = [](Value operand) {
    Operation *constant = operand.getDefiningOp();
    return constant && constant->hasTrait<OpTrait::ConstantLike>();
  };
  for (Value operand : op->getOperands()) {
    if (isScalar(operand))
      continue;
    auto type = dyn_cast<MemRefType>(operand.getType());
    SmallVector<int64_t> strides;
    int64_t offset = 0;
    if (!type || failed(type.getStridesAndOffset(strides, offset)) ||
        (!type.getLayout().isIdentity() &&
         (offset != 0 || llvm::is_contained(strides, ShapedType::kDynamic))))
      return op->emitOpError("operands must be constants or memrefs, "
                             "contiguous or of static strides");
    pointers.push_back(pointer);
    sizes.append(type.getNumDynamicDims(), index);
  }
  auto makeViews = [&](ValueRange pointerValues, ValueRange dynamic) {
    SmallVector<BufferView> views;
    size_t next = 0;
    for (Value operand : op->getOperands()) {
      if (isScalar(operand)) {
        views.push_back({{}, operand.getType(), {}, {}});
        continue;
      }
      views.push_back(makeView(
          builder, loc, cast<MemRefType>(operand.getType()),
          pointerValues.empty() ? Value() : pointerValues[next++], dynamic));
    }
    return views;
  };

  // @name_units(sizes) -> index
  auto units =
      func::FuncOp::create(builder, loc, (function.getName() + "_units").str(),
                           builder.getFunctionType(sizes, index));
  builder.setInsertionPointToStart(units.addEntryBlock());
  ParallelExtent extent =
      kernelExtent(builder, op, makeViews({}, units.getArguments()), target);
  func::ReturnOp::create(
      builder, loc,
      getValueOrCreateConstantIndexOp(builder, loc, extent.count));

  // @name(begin, end, pointers, sizes)
  SmallVector<Type> types{index, index};
  types.append(pointers);
  types.append(sizes);
  builder.setInsertionPoint(function);
  auto emitted = func::FuncOp::create(builder, loc, function.getName(),
                                      builder.getFunctionType(types, {}));
  for (size_t i = 0; i < pointers.size(); ++i)
    emitted.setArgAttr(i + 2, LLVM::LLVMDialect::getNoAliasAttrName(),
                       builder.getUnitAttr());
  builder.setInsertionPointToStart(emitted.addEntryBlock());
  ValueRange arguments = emitted.getArguments();
  SmallVector<BufferView> views =
      makeViews(arguments.slice(2, pointers.size()),
                arguments.drop_front(2 + pointers.size()));
  SmallVector<Value> scalars;
  for (Value operand : op->getOperands())
    scalars.push_back(
        isScalar(operand)
            ? builder.clone(*operand.getDefiningOp())->getResult(0)
            : Value());
  KernelBody body{builder,      loc,   target, arguments[0],
                  arguments[1], views, scalars};
  if (failed(emitKernel(op, body)))
    return failure();
  func::ReturnOp::create(builder, loc);
  function.erase();
  return success();
}
