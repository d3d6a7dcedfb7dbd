//===- OutlineKernels.cpp - One function per distinct kernel --------------===//

#include "compiler/codegen/cpu/FindKernels.h"
#include "compiler/codegen/cpu/KernelEmitter.h"
#include "compiler/codegen/cpu/LinalgNest.h"
#include "compiler/codegen/cpu/Passes.h"
#include "compiler/codegen/cpu/ResolveView.h"
#include "compiler/codegen/cpu/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/StringMap.h"

namespace onnxc {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "compiler/codegen/cpu/Passes.h.inc"
} // namespace onnxc

using namespace mlir;
using namespace onnxc;

/// Operations below which threads are not worth waking, some microseconds, and
/// those that one takes at a time.
static constexpr int64_t sharedWork = 256 * 1024, grainWork = 32 * 1024;

namespace {

/// One argument list being made: what a kernel's function takes, and what its
/// call passes.
struct Signature {
  SmallVector<Value> buffers;            ///< distinct memrefs
  SmallVector<ResolvedView> views;       ///< of each, at the call
  llvm::SetVector<Value> symbols;        ///< factors of sizes and strides
  llvm::SetVector<Value> scalars;        ///< other values
  llvm::SetVector<Value> constants;      ///< written in the function
  SmallVector<Value> bufferArguments;    ///< in the function
  DenseMap<Value, Value> valueArguments; ///< symbols and scalars

  unsigned bufferIndex(Value memref) const {
    return llvm::find(buffers, memref) - buffers.begin();
  }
};

class Outliner {
public:
  Outliner(ModuleOp module, func::FuncOp entry, const Target &target)
      : module(module), entry(entry), target(target) {}
  LogicalResult run();

private:
  LogicalResult outline(Operation *op);
  LogicalResult outlineNest(Operation *op);
  Signature signatureOf(Code &code, ValueRange values);
  func::FuncOp begin(Operation *op, Signature &signature, bool units,
                     TypeRange results);
  BufferView viewInBody(Code &code, Signature &signature, unsigned buffer);
  void annotatePointers(func::FuncOp function, const Signature &signature,
                        Operation *op, unsigned firstPointer);
  func::FuncOp finish(func::FuncOp function, Operation *op);
  SmallVector<Value> arguments(Code &code, const Signature &signature);
  Value pointerAtCall(Code &code, const ResolvedView &view);
  void callParallel(Code &code, func::FuncOp function, ValueRange arguments,
                    const ParallelExtent &extent);
  LLVM::LLVMFuncOp wrapper(func::FuncOp function, Type structType,
                           TypeRange argumentTypes);
  Value argumentMemory(Type structType);

  ModuleOp module;
  func::FuncOp entry;
  const Target &target;
  llvm::StringMap<func::FuncOp> byText;
  llvm::StringMap<unsigned> names;
  DenseMap<Operation *, LLVM::LLVMFuncOp> wrappers;
  DenseMap<Type, Value> memory;
};

} // namespace

static Type pointerType(MLIRContext *context) {
  return LLVM::LLVMPointerType::get(context);
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

Signature Outliner::signatureOf(Code &code, ValueRange values) {
  Signature signature;
  for (Value value : values) {
    if (!isa<MemRefType>(value.getType())) {
      Operation *op = value.getDefiningOp();
      bool isConstant = op && op->hasTrait<OpTrait::ConstantLike>();
      (isConstant ? signature.constants : signature.scalars).insert(value);
      continue;
    }
    if (llvm::is_contained(signature.buffers, value))
      continue;
    signature.buffers.push_back(value);
    signature.views.push_back(resolveView(code, value));
    const ResolvedView &view = signature.views.back();
    for (Index index : llvm::concat<const Index>(view.sizes, view.strides))
      for (Value factor : factorize(index).factors)
        signature.symbols.insert(factor);
  }
  return signature;
}

/// Makes the function and maps the signature to its arguments.
func::FuncOp Outliner::begin(Operation *op, Signature &signature, bool units,
                             TypeRange results) {
  MLIRContext *context = module.getContext();
  SmallVector<Type> types;
  if (units)
    types.append(2, IndexType::get(context));
  types.append(signature.buffers.size(), pointerType(context));
  for (Value value :
       llvm::concat<const Value>(signature.symbols, signature.scalars))
    types.push_back(value.getType());
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto function = func::FuncOp::create(builder, op->getLoc(), "kernel",
                                       builder.getFunctionType(types, results));
  function.setPrivate();
  SmallVector<Attribute> attributes{builder.getStringAttr("noinline")};
  // LLVM's default is 256 bits, also where wider vectors run at full speed.
  if (target.vectorBits >= 512)
    attributes.push_back(
        builder.getStrArrayAttr({"prefer-vector-width", "512"}));
  function->setAttr("passthrough", builder.getArrayAttr(attributes));
  function->setAttr("llvm.linkage",
                    LLVM::LinkageAttr::get(context, LLVM::Linkage::Internal));
  Block *body = function.addEntryBlock();
  unsigned next = units ? 2 : 0;
  for (size_t i = 0; i < signature.buffers.size(); ++i)
    signature.bufferArguments.push_back(body->getArgument(next++));
  for (Value value :
       llvm::concat<const Value>(signature.symbols, signature.scalars))
    signature.valueArguments[value] = body->getArgument(next++);
  builder.setInsertionPointToStart(body);
  for (Value value : signature.constants)
    signature.valueArguments[value] =
        builder.clone(*value.getDefiningOp())->getResult(0);
  return function;
}

BufferView Outliner::viewInBody(Code &code, Signature &signature,
                                unsigned buffer) {
  const ResolvedView &view = signature.views[buffer];
  BufferView result;
  result.pointer = signature.bufferArguments[buffer];
  result.elementType =
      cast<MemRefType>(signature.buffers[buffer].getType()).getElementType();
  auto inBody = [&](Index index) {
    Product product = factorize(index);
    // In the order of the arguments, so that equal kernels read the same.
    SmallVector<Value> factors(
        llvm::map_range(product.factors, [&](Value factor) {
          return signature.valueArguments.lookup(factor);
        }));
    llvm::sort(factors, [](Value a, Value b) {
      return cast<BlockArgument>(a).getArgNumber() <
             cast<BlockArgument>(b).getArgNumber();
    });
    Index value = code.constant(1);
    for (Value factor : factors)
      value = code.multiply(value, factor);
    return code.multiply(value, product.constant);
  };
  result.sizes = llvm::map_to_vector(view.sizes, inBody);
  result.strides = llvm::map_to_vector(view.strides, inBody);
  return result;
}

/// `noalias` where a buffer meets no other that the op writes.
void Outliner::annotatePointers(func::FuncOp function,
                                const Signature &signature, Operation *op,
                                unsigned firstPointer) {
  auto written = [&](Value buffer) {
    if (auto destination = dyn_cast<DestinationStyleOpInterface>(op))
      return llvm::any_of(destination.getDpsInits(),
                          [&](Value init) { return init == buffer; });
    return true;
  };
  // Buffers that different ops made are different places.
  auto isPlace = [](Value base) {
    return isa_and_nonnull<memref::ViewOp, memref::GetGlobalOp,
                           memref::AllocOp>(base.getDefiningOp());
  };
  for (size_t i = 0; i < signature.buffers.size(); ++i) {
    bool alone = isPlace(signature.views[i].base);
    for (size_t j = 0; j < signature.buffers.size(); ++j) {
      if (i == j ||
          !(written(signature.buffers[i]) || written(signature.buffers[j])))
        continue;
      alone &= isPlace(signature.views[j].base) &&
               signature.views[i].base != signature.views[j].base;
    }
    UnitAttr unit = UnitAttr::get(module.getContext());
    if (alone)
      function.setArgAttr(firstPointer + i,
                          LLVM::LLVMDialect::getNoAliasAttrName(), unit);
    if (!written(signature.buffers[i]))
      function.setArgAttr(firstPointer + i,
                          LLVM::LLVMDialect::getReadonlyAttrName(), unit);
  }
}

Value Outliner::pointerAtCall(Code &code, const ResolvedView &view) {
  OpBuilder &builder = code.builder;
  auto type = cast<MemRefType>(view.base.getType());
  Type pointer = pointerType(builder.getContext()), i64 = builder.getI64Type();
  SmallVector<Type> fields{pointer, pointer, i64};
  if (type.getRank() > 0)
    fields.append(2, LLVM::LLVMArrayType::get(i64, type.getRank()));
  Value descriptor =
      UnrealizedConversionCastOp::create(
          builder, code.loc,
          LLVM::LLVMStructType::getLiteral(builder.getContext(), fields),
          view.base)
          .getResult(0);
  Value base = LLVM::ExtractValueOp::create(builder, code.loc, descriptor,
                                            ArrayRef<int64_t>{1});
  return code.address(base, memoryType(type.getElementType()), view.offset);
}

SmallVector<Value> Outliner::arguments(Code &code, const Signature &signature) {
  SmallVector<Value> result;
  for (const ResolvedView &view : signature.views)
    result.push_back(pointerAtCall(code, view));
  llvm::append_range(result, signature.symbols);
  llvm::append_range(result, signature.scalars);
  return result;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// The function itself, or an earlier one that is the same, in its place.
func::FuncOp Outliner::finish(func::FuncOp function, Operation *op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  function->print(stream, OpPrintingFlags().useLocalScope());
  auto [entry, isNew] = byText.try_emplace(text, function);
  if (!isNew) {
    function.erase();
    return entry->second;
  }
  std::string name = ("kernel_" + op->getName().stripDialect()).str();
  function.setName(name + "_" + std::to_string(names[name]++));
  return function;
}

/// Stack memory for the arguments of parallel calls, one per type: the calls
/// follow one another.
Value Outliner::argumentMemory(Type structType) {
  Value &place = memory[structType];
  if (!place) {
    OpBuilder builder = OpBuilder::atBlockBegin(&entry.getBody().front());
    Value one = arith::ConstantOp::create(builder, entry.getLoc(),
                                          builder.getI64IntegerAttr(1));
    place = LLVM::AllocaOp::create(builder, entry.getLoc(),
                                   pointerType(builder.getContext()),
                                   structType, one);
  }
  return place;
}

/// `void part(void *argument, int64_t begin, int64_t end)`: unpacks the
/// arguments and calls the kernel.
LLVM::LLVMFuncOp Outliner::wrapper(func::FuncOp function, Type structType,
                                   TypeRange argumentTypes) {
  LLVM::LLVMFuncOp &known = wrappers[function];
  if (known)
    return known;
  MLIRContext *context = module.getContext();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Location loc = function.getLoc();
  Type pointer = pointerType(context), i64 = builder.getI64Type();
  known = LLVM::LLVMFuncOp::create(
      builder, loc, (function.getName() + "_part").str(),
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                  {pointer, i64, i64}),
      LLVM::Linkage::Internal);
  Block *body = known.addEntryBlock(builder);
  builder.setInsertionPointToStart(body);
  SmallVector<Value> values;
  for (unsigned i : {1, 2})
    values.push_back(arith::IndexCastOp::create(
        builder, loc, builder.getIndexType(), body->getArgument(i)));
  for (auto [i, type] : llvm::enumerate(argumentTypes)) {
    Value address = LLVM::GEPOp::create(
        builder, loc, pointer, structType, body->getArgument(0),
        ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(i)});
    Value value = LLVM::LoadOp::create(builder, loc,
                                       type.isIndex() ? i64 : type, address);
    if (type.isIndex())
      value = arith::IndexCastOp::create(builder, loc, type, value);
    values.push_back(value);
  }
  func::CallOp::create(builder, loc, function, values);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  return known;
}

void Outliner::callParallel(Code &code, func::FuncOp function,
                            ValueRange arguments,
                            const ParallelExtent &extent) {
  OpBuilder &builder = code.builder;
  Location loc = code.loc;
  int64_t cost = std::max<int64_t>(extent.cost, 1);
  int64_t grain = std::max<int64_t>(grainWork / cost, 1);
  int64_t least = std::max<int64_t>(sharedWork / cost, 1);
  if (auto count = Code::known(extent.count); count && *count <= least) {
    SmallVector<Value> all{code.value(code.constant(0)),
                           code.value(extent.count)};
    llvm::append_range(all, arguments);
    func::CallOp::create(builder, loc, function, all);
    return;
  }
  Type i64 = builder.getI64Type();
  SmallVector<Type> fields;
  for (Value argument : arguments)
    fields.push_back(argument.getType().isIndex() ? i64 : argument.getType());
  auto structType =
      LLVM::LLVMStructType::getLiteral(builder.getContext(), fields);
  LLVM::LLVMFuncOp part = wrapper(function, structType, arguments.getTypes());
  Value place = argumentMemory(structType);
  Type pointer = pointerType(builder.getContext());
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    Value value = argument;
    if (value.getType().isIndex())
      value = arith::IndexCastOp::create(builder, loc, i64, value);
    Value address =
        LLVM::GEPOp::create(builder, loc, pointer, structType, place,
                            ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(i)});
    LLVM::StoreOp::create(builder, loc, value, address);
  }
  constexpr StringLiteral shell = "onnxc_shell_parallel";
  if (!module.lookupSymbol(shell)) {
    OpBuilder atStart = OpBuilder::atBlockBegin(module.getBody());
    func::FuncOp::create(
        atStart, loc, shell,
        builder.getFunctionType({pointer, i64, i64, pointer, pointer}, {}))
        .setPrivate();
  }
  Value count =
      arith::IndexCastOp::create(builder, loc, i64, code.value(extent.count));
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getI64IntegerAttr(value));
  };
  // As one grain, it is not shared.
  Value isLittle = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::sle, count, number(least));
  Value grainValue =
      arith::SelectOp::create(builder, loc, isLittle, count, number(grain));
  Value body = LLVM::AddressOfOp::create(builder, loc, part);
  func::CallOp::create(
      builder, loc, shell, TypeRange(),
      ValueRange{entry.getArgument(0), count, grainValue, body, place});
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Canonicalization moves constants out of regions; a kernel's body wants them
/// inside.
static void sinkConstants(Operation *op) {
  for (Region &region : op->getRegions()) {
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(region, captured);
    for (Value value : captured) {
      Operation *constant = value.getDefiningOp();
      if (!constant || !constant->hasTrait<OpTrait::ConstantLike>())
        continue;
      OpBuilder builder = OpBuilder::atBlockBegin(&region.front());
      Operation *copy = builder.clone(*constant);
      value.replaceUsesWithIf(copy->getResult(0), [&](OpOperand &use) {
        return region.isAncestor(use.getOwner()->getParentRegion());
      });
    }
  }
}

LogicalResult Outliner::outline(Operation *op) {
  sinkConstants(op);
  SmallVector<Value> operands(op->getOperands());
  llvm::append_range(operands, capturedValues(op));
  bool isLinalg = isa<linalg::LinalgOp>(op);
  if (!isLinalg && operands.size() != op->getNumOperands())
    return op->emitOpError("epilogue uses a value from outside");

  OpBuilder builder(op);
  Code call(builder, op->getLoc());
  Signature signature = signatureOf(call, operands);

  // How the work divides, seen from the call.
  SmallVector<BufferView> callViews;
  for (Value operand : operands) {
    BufferView view;
    view.elementType = getElementTypeOrSelf(operand.getType());
    if (isa<MemRefType>(operand.getType())) {
      const ResolvedView &resolved =
          signature.views[signature.bufferIndex(operand)];
      view.sizes = resolved.sizes;
      view.strides = resolved.strides;
    }
    callViews.push_back(view);
  }
  ParallelExtent extent = isLinalg
                              ? linalgExtent(builder, op, callViews, target)
                              : kernelExtent(builder, op, callViews, target);

  func::FuncOp function = begin(op, signature, /*units=*/true, {});
  annotatePointers(function, signature, op, 2);
  OpBuilder inner = OpBuilder::atBlockEnd(&function.getBody().front());
  Code code(inner, op->getLoc());
  SmallVector<BufferView> views;
  SmallVector<Value> scalars;
  for (Value operand : operands) {
    if (isa<MemRefType>(operand.getType())) {
      views.push_back(
          viewInBody(code, signature, signature.bufferIndex(operand)));
      scalars.push_back(Value());
      continue;
    }
    BufferView scalar;
    scalar.elementType = operand.getType();
    views.push_back(scalar);
    scalars.push_back(signature.valueArguments.lookup(operand));
  }
  KernelBody body{inner,
                  op->getLoc(),
                  target,
                  function.getArgument(0),
                  function.getArgument(1),
                  views,
                  scalars};
  if (failed(isLinalg ? emitLinalg(op, body) : emitKernel(op, body)))
    return failure();
  func::ReturnOp::create(inner, op->getLoc());
  function = finish(function, op);
  callParallel(call, function, arguments(call, signature), extent);
  op->erase();
  return success();
}

/// A loop nest moves into its function as it is.
LogicalResult Outliner::outlineNest(Operation *op) {
  sinkConstants(op);
  llvm::SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  for (Value value : used)
    if (isa<UnrankedMemRefType>(value.getType()))
      return op->emitOpError("uses a buffer of unknown rank");
  OpBuilder builder(op);
  Code call(builder, op->getLoc());
  Signature signature = signatureOf(call, used.getArrayRef());
  func::FuncOp function =
      begin(op, signature, /*units=*/false, op->getResultTypes());
  annotatePointers(function, signature, op, 0);
  OpBuilder inner = OpBuilder::atBlockEnd(&function.getBody().front());
  Code code(inner, op->getLoc());
  IRMapping mapping;
  for (Value value : used) {
    if (!isa<MemRefType>(value.getType())) {
      mapping.map(value, signature.valueArguments.lookup(value));
      continue;
    }
    auto type = cast<MemRefType>(value.getType());
    BufferView view = viewInBody(code, signature, signature.bufferIndex(value));
    // A descriptor of the pointer, seen with the sizes and strides.
    Type pointer = view.pointer.getType(), i64 = inner.getI64Type();
    Value descriptor = LLVM::PoisonOp::create(
        inner, code.loc,
        LLVM::LLVMStructType::getLiteral(inner.getContext(),
                                         {pointer, pointer, i64}));
    Value zero =
        arith::ConstantOp::create(inner, code.loc, inner.getI64IntegerAttr(0));
    for (auto [position, field] :
         llvm::enumerate(ArrayRef<Value>{view.pointer, view.pointer, zero}))
      descriptor = LLVM::InsertValueOp::create(
          inner, code.loc, descriptor, field,
          ArrayRef<int64_t>{static_cast<int64_t>(position)});
    Value element =
        UnrealizedConversionCastOp::create(
            inner, code.loc, MemRefType::get({}, view.elementType), descriptor)
            .getResult(0);
    SmallVector<int64_t> shape, strides;
    SmallVector<Value> ignored;
    dispatchIndexOpFoldResults(view.sizes, ignored, shape);
    dispatchIndexOpFoldResults(view.strides, ignored, strides);
    Value buffer = memref::ReinterpretCastOp::create(
        inner, code.loc,
        MemRefType::get(shape, view.elementType,
                        StridedLayoutAttr::get(inner.getContext(), 0, strides)),
        element, inner.getIndexAttr(0), view.sizes, view.strides);
    // Inside, offsets of the type are those of the pointer.
    SmallVector<int64_t> typeStrides;
    int64_t typeOffset;
    if (failed(type.getStridesAndOffset(typeStrides, typeOffset)))
      return op->emitOpError("uses a buffer without strides");
    if (buffer.getType() != type) {
      auto seen = type;
      if (typeOffset != 0 && !ShapedType::isDynamic(typeOffset))
        seen = MemRefType::get(
            type.getShape(), type.getElementType(),
            StridedLayoutAttr::get(inner.getContext(), 0, typeStrides));
      buffer = memref::CastOp::create(inner, code.loc, seen, buffer);
    }
    mapping.map(value, buffer);
  }
  Operation *copy = inner.clone(*op, mapping);
  func::ReturnOp::create(inner, op->getLoc(), copy->getResults());
  function = finish(function, op);
  auto callOp = func::CallOp::create(builder, op->getLoc(), function,
                                     arguments(call, signature));
  op->replaceAllUsesWith(callOp);
  op->erase();
  return success();
}

LogicalResult Outliner::run() {
  // Copies are kernels too.
  SmallVector<memref::CopyOp> copies;
  entry.walk([&](memref::CopyOp copy) { copies.push_back(copy); });
  for (memref::CopyOp copy : copies) {
    OpBuilder builder(copy);
    linalg::CopyOp::create(builder, copy.getLoc(), copy.getSource(),
                           copy.getTarget());
    copy.erase();
  }
  for (Operation *op : findKernels(entry))
    if (failed(isKernel(op) ? outline(op) : outlineNest(op)))
      return failure();
  return success();
}

namespace {
class OutlineKernelsPass
    : public onnxc::impl::OutlineKernelsBase<OutlineKernelsPass> {
public:
  using OutlineKernelsBase::OutlineKernelsBase;

  void runOnOperation() override {
    auto entry =
        getOperation().lookupSymbol<func::FuncOp>("onnxc_generated_run");
    if (!entry) {
      getOperation().emitError("module has no function @onnxc_generated_run");
      return signalPassFailure();
    }
    Target target{"",      "",     "", "", vectorBits, vectorRegisters,
                  l1Bytes, l2Bytes};
    target.hasPairProducts = pairProducts;
    if (failed(Outliner(getOperation(), entry, target).run()))
      signalPassFailure();
  }
};
} // namespace
