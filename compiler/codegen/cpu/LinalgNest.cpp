//===- LinalgNest.cpp - A linalg op as loops over linear addresses --------===//

#include "compiler/codegen/cpu/LinalgNest.h"

#include "compiler/codegen/cpu/ResolveView.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace onnxc;

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

Type onnxc::memoryType(Type element) {
  if (element.isInteger(1))
    return IntegerType::get(element.getContext(), 8);
  if (element.isIndex())
    return IntegerType::get(element.getContext(), 64);
  return element;
}

Value onnxc::loadElement(Code &code, Value pointer, Type element, Index offset,
                         int64_t lanes, Value mask) {
  Type stored = memoryType(element);
  Value value = lanes ? code.loadVector(pointer, stored, offset, lanes, mask)
                      : code.loadScalar(pointer, stored, offset);
  if (element.isInteger(1)) {
    Value zero = arith::ConstantOp::create(
        code.builder, code.loc, code.builder.getZeroAttr(value.getType()));
    return arith::CmpIOp::create(code.builder, code.loc,
                                 arith::CmpIPredicate::ne, value, zero);
  }
  if (element.isIndex())
    return arith::IndexCastOp::create(
        code.builder, code.loc,
        lanes ? Type(code.vectorType(element, lanes)) : element, value);
  return value;
}

void onnxc::storeElement(Code &code, Value value, Value pointer, Type element,
                         Index offset, Value mask) {
  Type stored = memoryType(element);
  auto vector = dyn_cast<VectorType>(value.getType());
  if (stored != element) {
    Type type = vector ? Type(vector.clone(stored)) : stored;
    value =
        element.isIndex()
            ? arith::IndexCastOp::create(code.builder, code.loc, type, value)
                  .getResult()
            : arith::ExtUIOp::create(code.builder, code.loc, type, value)
                  .getResult();
  }
  if (vector)
    return code.storeVector(value, pointer, offset, mask);
  LLVM::StoreOp::create(code.builder, code.loc, value,
                        code.address(pointer, stored, offset));
}

//===----------------------------------------------------------------------===//
// The nest
//===----------------------------------------------------------------------===//

/// Adds factor * expr to `offset` and the coefficients of `dims`; false when
/// the expression is not linear.
static bool addLinear(Code &code, AffineExpr expr, Index factor, Index &offset,
                      MutableArrayRef<Index> dims) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    offset = code.add(offset, code.multiply(factor, constant.getValue()));
    return true;
  }
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    Index &stride = dims[dim.getPosition()];
    stride = code.add(stride, factor);
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (binary.getKind() == AffineExprKind::Add)
    return addLinear(code, binary.getLHS(), factor, offset, dims) &&
           addLinear(code, binary.getRHS(), factor, offset, dims);
  auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (binary.getKind() != AffineExprKind::Mul || !constant)
    return false;
  return addLinear(code, binary.getLHS(),
                   code.multiply(factor, constant.getValue()), offset, dims);
}

LinalgNest::LinalgNest(Code &code, linalg::LinalgOp op,
                       ArrayRef<BufferView> views, ArrayRef<Value> scalars)
    : op(op) {
  unsigned dims = op.getNumLoops();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<Index> dimSizes(dims);
  for (auto [map, view] : llvm::zip(maps, views))
    for (auto [result, expr] : llvm::enumerate(map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim)
        continue;
      Index &size = dimSizes[dim.getPosition()];
      if (!size || (!Code::known(size) && Code::known(view.sizes[result])))
        size = view.sizes[result];
    }
  fixedDims.resize(dims);
  op->walk([&](linalg::IndexOp index) { fixedDims.set(index.getDim()); });

  // Loops in the order of the output's dims; reductions in the op's order.
  SmallVector<unsigned> order;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  auto append = [&](unsigned dim) {
    if (!llvm::is_contained(order, dim))
      order.push_back(dim);
  };
  for (AffineExpr expr : maps[op.getNumDpsInputs()].getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      append(dim.getPosition());
  for (unsigned dim = 0; dim < dims; ++dim)
    if (iterators[dim] == utils::IteratorType::parallel)
      append(dim);
  llvm::erase_if(order, [&](unsigned dim) {
    return iterators[dim] != utils::IteratorType::parallel;
  });
  unsigned parallelDims = order.size();
  for (unsigned dim = 0; dim < dims; ++dim)
    append(dim);

  // A loop of one iteration is none.
  loopOfDim.assign(dims, -1);
  for (auto [position, dim] : llvm::enumerate(order)) {
    if (Code::isKnown(dimSizes[dim], 1))
      continue;
    loopOfDim[dim] = sizes.size();
    sizes.push_back(dimSizes[dim]);
    parallel += position < parallelDims;
  }

  for (auto [i, map] : llvm::enumerate(maps)) {
    Access access;
    access.pointer = views[i].pointer;
    access.scalar = scalars.empty() ? Value() : scalars[i];
    access.element = views[i].elementType;
    access.offset = code.constant(0);
    SmallVector<Index> coefficients(dims, code.constant(0));
    bool linear = true;
    for (auto [result, expr] : llvm::enumerate(map.getResults()))
      linear &= addLinear(code, expr, views[i].strides[result], access.offset,
                          coefficients);
    access.strides.assign(loops(), code.constant(0));
    if (linear) {
      for (unsigned dim = 0; dim < dims; ++dim)
        if (loopOfDim[dim] >= 0)
          access.strides[loopOfDim[dim]] = coefficients[dim];
    } else {
      access.offset = code.constant(0);
      access.map = map;
      access.mapStrides = views[i].strides;
      for (unsigned dim = 0; dim < dims; ++dim)
        if (map.isFunctionOfDim(dim))
          fixedDims.set(dim);
    }
    accesses.push_back(access);
  }
  merge(code);
}

/// Merges a loop with the next where all operands step on evenly.
void LinalgNest::merge(Code &code) {
  auto isFixed = [&](unsigned loop) {
    for (auto [dim, itsLoop] : llvm::enumerate(loopOfDim))
      if (itsLoop == static_cast<int>(loop) && fixedDims[dim])
        return true;
    return false;
  };
  for (unsigned loop = loops(); loop-- > 1;) {
    unsigned outer = loop - 1;
    if (loop == parallel || isFixed(loop) || isFixed(outer))
      continue;
    Product size = factorize(sizes[loop]);
    bool even = llvm::all_of(accesses, [&](const Access &access) {
      return factorize(access.strides[outer]) ==
             factorize(access.strides[loop]) * size;
    });
    if (!even)
      continue;
    sizes[outer] = code.multiply(sizes[outer], sizes[loop]);
    sizes.erase(sizes.begin() + loop);
    for (Access &access : accesses)
      access.strides.erase(access.strides.begin() + outer);
    for (int &itsLoop : loopOfDim)
      if (itsLoop >= static_cast<int>(loop))
        --itsLoop;
    if (loop < parallel)
      --parallel;
  }
}

Index LinalgNest::originalIndex(Code &code, unsigned dim, ArrayRef<Index> ivs) {
  return loopOfDim[dim] < 0 ? code.constant(0) : ivs[loopOfDim[dim]];
}

bool LinalgNest::isVectorizable() {
  for (Access &access : accesses)
    if (!access.isLinear())
      return false;
  return llvm::all_of(
      op.getBlock()->without_terminator(), [](Operation &inner) {
        return inner.getNumRegions() == 0 &&
               (isa<arith::ConstantOp, linalg::IndexOp>(inner) ||
                OpTrait::hasElementwiseMappableTraits(&inner));
      });
}

bool LinalgNest::readsIndices() {
  return op->walk([](linalg::IndexOp) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

int64_t LinalgNest::bodyCost() {
  int64_t cost = accesses.size();
  for (Operation &inner : op.getBlock()->without_terminator())
    cost += inner.getName().getDialectNamespace() == "math" ? 16 : 1;
  return cost;
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

BodyWriter::BodyWriter(Code &code, LinalgNest &nest, ArrayRef<BufferView> views,
                       ArrayRef<Value> scalars, int64_t lanes, int laneLoop)
    : code(code), nest(nest), lanes(lanes), laneLoop(laneLoop) {
  unsigned position = nest.op->getNumOperands();
  for (Value value : capturedValues(nest.op)) {
    if (isa<MemRefType>(value.getType()))
      buffers[value] = &views[position];
    else
      captured.map(value, lanes ? code.splat(scalars[position], lanes)
                                : scalars[position]);
    ++position;
  }
}

/// Half-precision arithmetic is done in f32, each result rounded.
static bool isHalf(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isF16() || element.isBF16();
}

void BodyWriter::writeArithmetic(Operation *op, IRMapping &mapping) {
  OpBuilder &builder = code.builder;
  auto widened = [&](Type type) -> Type {
    Type f32 = builder.getF32Type();
    auto vector = dyn_cast<VectorType>(type);
    return vector ? Type(vector.clone(f32)) : f32;
  };
  bool asIs = isa<arith::ExtFOp, arith::TruncFOp, arith::SelectOp,
                  arith::BitcastOp, arith::ConstantOp>(op);
  OperationState state(op->getLoc(), op->getName());
  for (Value operand : op->getOperands()) {
    Value value = mapping.lookupOrDefault(operand);
    if (!asIs && isHalf(value.getType()))
      value = arith::ExtFOp::create(builder, code.loc, widened(value.getType()),
                                    value);
    state.operands.push_back(value);
  }
  SmallVector<Type> wanted;
  for (Type type : op->getResultTypes()) {
    wanted.push_back(lanes ? Type(code.vectorType(type, lanes)) : type);
    state.types.push_back(!asIs && isHalf(type) ? widened(wanted.back())
                                                : wanted.back());
  }
  state.attributes.append(op->getAttrs().begin(), op->getAttrs().end());
  state.propertiesAttr = op->getPropertiesAsAttribute();
  Operation *copy = builder.create(state);
  // The order in which a reduction combines its elements is free.
  if (nest.hasReductions())
    if (auto fast = dyn_cast<arith::ArithFastMathInterface>(copy)) {
      Block *block = nest.op.getBlock();
      bool combines = llvm::any_of(op->getOperands(), [&](Value operand) {
        auto argument = dyn_cast<BlockArgument>(operand);
        return argument && argument.getOwner() == block &&
               argument.getArgNumber() >= nest.inputs();
      });
      if (combines)
        copy->setAttr(fast.getFastMathAttrName(),
                      arith::FastMathFlagsAttr::get(
                          builder.getContext(),
                          arith::FastMathFlags::reassoc |
                              fast.getFastMathFlagsAttr().getValue()));
    }
  for (auto [original, result, type] :
       llvm::zip(op->getResults(), copy->getResults(), wanted)) {
    Value value = result;
    if (value.getType() != type)
      value = arith::TruncFOp::create(builder, code.loc, type, value);
    mapping.map(original, value);
  }
}

Value BodyWriter::index(unsigned dim, ArrayRef<Index> ivs) {
  Value position = code.value(nest.originalIndex(code, dim, ivs));
  if (!lanes)
    return position;
  position = code.splat(position, lanes);
  if (nest.loopOf(dim) != laneLoop)
    return position;
  auto steps = llvm::to_vector(llvm::seq<int64_t>(0, lanes));
  Value step = arith::ConstantOp::create(
      code.builder, code.loc, code.builder.getIndexVectorAttr(steps));
  return arith::AddIOp::create(code.builder, code.loc, position, step);
}

void BodyWriter::writeOp(Operation *op, IRMapping &mapping,
                         ArrayRef<Index> ivs) {
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    mapping.map(index.getResult(), this->index(index.getDim(), ivs));
    return;
  }
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    Value scalar = code.builder.clone(*constant)->getResult(0);
    mapping.map(constant.getResult(),
                lanes ? code.splat(scalar, lanes) : scalar);
    return;
  }
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    if (const BufferView *view = buffers.lookup(load.getMemRef())) {
      Index offset = code.constant(0);
      for (auto [position, stride] :
           llvm::zip(load.getIndices(), view->strides))
        offset = code.add(
            offset, code.multiply(mapping.lookupOrDefault(position), stride));
      mapping.map(load.getResult(),
                  loadElement(code, view->pointer, view->elementType, offset));
      return;
    }
  }
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    const BufferView *view = buffers.lookup(dim.getSource());
    if (auto position = dim.getConstantIndex(); position && view) {
      mapping.map(dim.getResult(), code.value(view->sizes[*position]));
      return;
    }
  }
  if (op->getNumRegions() == 0) {
    writeArithmetic(op, mapping);
    return;
  }
  Operation *copy = op->cloneWithoutRegions(mapping);
  code.builder.insert(copy);
  for (auto [from, to] : llvm::zip(op->getRegions(), copy->getRegions()))
    for (Block &block : from) {
      Block *target = &to.emplaceBlock();
      for (BlockArgument argument : block.getArguments())
        mapping.map(argument,
                    target->addArgument(argument.getType(), argument.getLoc()));
      OpBuilder::InsertionGuard guard(code.builder);
      code.builder.setInsertionPointToEnd(target);
      for (Operation &inner : block) {
        if (inner.hasTrait<OpTrait::IsTerminator>())
          code.builder.clone(inner, mapping);
        else
          writeOp(&inner, mapping, ivs);
      }
    }
  mapping.map(op->getResults(), copy->getResults());
}

SmallVector<Value> BodyWriter::write(ArrayRef<Value> arguments,
                                     ArrayRef<Index> ivs) {
  IRMapping mapping = captured;
  Block *block = nest.op.getBlock();
  for (auto [argument, value] : llvm::zip(block->getArguments(), arguments))
    if (value)
      mapping.map(argument, value);
  for (Operation &op : block->without_terminator())
    writeOp(&op, mapping, ivs);
  return llvm::map_to_vector(
      block->getTerminator()->getOperands(),
      [&](Value value) { return mapping.lookupOrDefault(value); });
}
