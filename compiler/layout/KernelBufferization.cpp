//===- KernelBufferization.cpp - Buffers of the kernel dialect ------------===//
//
// External models of BufferizableOpInterface: kernels write their init without
// reading it, weights are read-only, slots and boxed values hold copies.
//
//===----------------------------------------------------------------------===//

#include "compiler/layout/KernelBufferization.h"

#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace onnxc;

namespace {

/// The buffer of a value: contiguous.
FailureOr<BufferLikeType> contiguousType(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return cast<BufferLikeType>(static_cast<Type>(
      MemRefType::get(type.getShape(), type.getElementType())));
}

template <typename OpTy>
struct KernelModel
    : public DstBufferizableOpInterfaceExternalModel<KernelModel<OpTy>, OpTy> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &opOperand,
                              const AnalysisState &state) const {
    // Of the inits only a border's is kept in part, and a recurrence begins
    // with its states.
    return isa<kernel::PadBorderOp, kernel::RecurrenceOp>(op) ||
           !cast<DestinationStyleOpInterface>(op).isDpsInit(&opOperand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto destination = cast<DestinationStyleOpInterface>(op);
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      if (!isa<TensorType>(operand.getType())) {
        operands.push_back(operand);
        continue;
      }
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      operands.push_back(*buffer);
    }
    rewriter.setInsertionPoint(op);
    OperationState newState(op->getLoc(), op->getName(), operands, TypeRange(),
                            op->getAttrs());
    newState.propertiesAttr = op->getPropertiesAsAttribute();
    for (Region &region : op->getRegions())
      newState.addRegion()->takeBody(region);
    rewriter.create(newState);
    SmallVector<Value> results;
    for (OpOperand &init : destination.getDpsInitsMutable())
      results.push_back(operands[init.getOperandNumber()]);
    replaceOpWithBufferizedValues(rewriter, op, results);
    return success();
  }
};

/// Of an op whose result is memory that is kept elsewhere: it aliases no
/// operand, and nothing may write it.
template <typename Model, typename Op>
struct KeptMemoryModel
    : public BufferizableOpInterface::ExternalModel<Model, Op> {
  bool isWritable(Operation *op, Value value,
                  const AnalysisState &state) const {
    return false;
  }

  AliasingOpOperandList
  getAliasingOpOperands(Operation *op, Value value,
                        const AnalysisState &state) const {
    return {};
  }

  FailureOr<BufferLikeType>
  getBufferType(Operation *op, Value value, const BufferizationOptions &options,
                const BufferizationState &state,
                SmallVector<Value> &invocationStack) const {
    return contiguousType(value);
  }
};

struct WeightModel : KeptMemoryModel<WeightModel, kernel::WeightOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    OperationState newState(
        op->getLoc(), op->getName(), ValueRange(),
        MemRefType::get(type.getShape(), type.getElementType()),
        op->getAttrs());
    newState.propertiesAttr = op->getPropertiesAsAttribute();
    Operation *weight = rewriter.create(newState);
    replaceOpWithBufferizedValues(rewriter, op, weight->getResults());
    return success();
  }
};

/// Reads its tensor and copies it to the slot's memory, which no tensor is.
struct SlotWriteModel
    : public BufferizableOpInterface::ExternalModel<SlotWriteModel,
                                                    kernel::SlotWriteOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &state) const {
    return true;
  }

  bool bufferizesToMemoryWrite(Operation *op, OpOperand &operand,
                               const AnalysisState &state) const {
    return false;
  }

  AliasingValueList getAliasingValues(Operation *op, OpOperand &operand,
                                      const AnalysisState &state) const {
    return {};
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto write = cast<kernel::SlotWriteOp>(op);
    FailureOr<Value> source =
        getBuffer(rewriter, write.getTensor(), options, state);
    FailureOr<BufferLikeType> type = contiguousType(write.getTensor());
    if (failed(source) || failed(type))
      return failure();
    SmallVector<Value> sizes;
    auto memref = cast<MemRefType>(*type);
    for (int64_t i = 0; i < memref.getRank(); ++i)
      if (memref.isDynamicDim(i))
        sizes.push_back(
            memref::DimOp::create(rewriter, op->getLoc(), *source, i));
    Value target =
        kernel::ReserveOp::create(rewriter, op->getLoc(), memref,
                                  write.getSlot(), write.getPosition(), sizes);
    memref::CopyOp::create(rewriter, op->getLoc(), *source, target);
    rewriter.eraseOp(op);
    return success();
  }
};

/// Its result is memory that only the slot's next write may change.
struct SlotReadModel : KeptMemoryModel<SlotReadModel, kernel::SlotReadOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto read = cast<kernel::SlotReadOp>(op);
    FailureOr<BufferLikeType> type = contiguousType(read.getTensor());
    if (failed(type))
      return failure();
    Value zero = arith::ConstantIndexOp::create(rewriter, op->getLoc(), 0);
    Value buffer = kernel::ReserveOp::create(
        rewriter, op->getLoc(), cast<MemRefType>(*type), read.getSlot(), zero,
        read.getSizes());
    replaceOpWithBufferizedValues(rewriter, op, buffer);
    return success();
  }
};

/// Constants: memory that nothing writes.
struct StringsModel : KeptMemoryModel<StringsModel, kernel::StringsOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto strings = cast<kernel::StringsOp>(op);
    FailureOr<BufferLikeType> type = contiguousType(strings.getTensor());
    if (failed(type))
      return failure();
    Value buffer = kernel::StringsOp::create(rewriter, op->getLoc(), *type,
                                             strings.getValues());
    replaceOpWithBufferizedValues(rewriter, op, buffer);
    return success();
  }
};

/// Reads its tensor and copies it to memory that no tensor is.
struct BoxModel
    : public BufferizableOpInterface::ExternalModel<BoxModel, kernel::BoxOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &state) const {
    return true;
  }

  bool bufferizesToMemoryWrite(Operation *op, OpOperand &operand,
                               const AnalysisState &state) const {
    return false;
  }

  AliasingValueList getAliasingValues(Operation *op, OpOperand &operand,
                                      const AnalysisState &state) const {
    return {};
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto box = cast<kernel::BoxOp>(op);
    FailureOr<Value> source =
        getBuffer(rewriter, box.getTensor(), options, state);
    FailureOr<BufferLikeType> type = contiguousType(box.getTensor());
    if (failed(source) || failed(type))
      return failure();
    SmallVector<Value> sizes;
    auto memref = cast<MemRefType>(*type);
    for (int64_t i = 0; i < memref.getRank(); ++i)
      if (memref.isDynamicDim(i))
        sizes.push_back(
            memref::DimOp::create(rewriter, op->getLoc(), *source, i));
    auto boxed = kernel::NewBoxOp::create(rewriter, op->getLoc(),
                                          rewriter.getIndexType(), memref,
                                          sizes, box.getElemType());
    memref::CopyOp::create(rewriter, op->getLoc(), *source, boxed.getBuffer());
    rewriter.replaceOp(op, boxed.getBoxed());
    return success();
  }
};

/// Its result is memory that nothing writes again.
struct UnboxModel : KeptMemoryModel<UnboxModel, kernel::UnboxOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto unbox = cast<kernel::UnboxOp>(op);
    FailureOr<BufferLikeType> type = contiguousType(unbox.getTensor());
    if (failed(type))
      return failure();
    Value buffer = kernel::UnboxOp::create(rewriter, op->getLoc(), *type,
                                           unbox.getBoxed(), unbox.getSizes());
    replaceOpWithBufferizedValues(rewriter, op, buffer);
    return success();
  }
};

} // namespace

void onnxc::registerKernelBufferization(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, kernel::KernelDialect *) {
    kernel::WeightOp::attachInterface<WeightModel>(*context);
    kernel::SlotWriteOp::attachInterface<SlotWriteModel>(*context);
    kernel::SlotReadOp::attachInterface<SlotReadModel>(*context);
    kernel::StringsOp::attachInterface<StringsModel>(*context);
    kernel::BoxOp::attachInterface<BoxModel>(*context);
    kernel::UnboxOp::attachInterface<UnboxModel>(*context);
    kernel::MatmulOp::attachInterface<KernelModel<kernel::MatmulOp>>(*context);
    kernel::QuantizedMatmulOp::attachInterface<
        KernelModel<kernel::QuantizedMatmulOp>>(*context);
    kernel::ConvOp::attachInterface<KernelModel<kernel::ConvOp>>(*context);
    kernel::WinogradInputOp::attachInterface<
        KernelModel<kernel::WinogradInputOp>>(*context);
    kernel::WinogradConvOp::attachInterface<
        KernelModel<kernel::WinogradConvOp>>(*context);
    kernel::DepthwiseConvOp::attachInterface<
        KernelModel<kernel::DepthwiseConvOp>>(*context);
    kernel::SoftmaxOp::attachInterface<KernelModel<kernel::SoftmaxOp>>(
        *context);
    kernel::AttentionOp::attachInterface<KernelModel<kernel::AttentionOp>>(
        *context);
    kernel::PoolOp::attachInterface<KernelModel<kernel::PoolOp>>(*context);
    kernel::PadOp::attachInterface<KernelModel<kernel::PadOp>>(*context);
    kernel::PadBorderOp::attachInterface<KernelModel<kernel::PadBorderOp>>(
        *context);
    kernel::CacheAppendOp::attachInterface<KernelModel<kernel::CacheAppendOp>>(
        *context);
    kernel::RecurrenceOp::attachInterface<KernelModel<kernel::RecurrenceOp>>(
        *context);
    kernel::TreeWalkOp::attachInterface<KernelModel<kernel::TreeWalkOp>>(
        *context);
    kernel::TreeScanOp::attachInterface<KernelModel<kernel::TreeScanOp>>(
        *context);
  });
}
