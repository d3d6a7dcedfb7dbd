//===- KernelBufferization.cpp - Buffers of the kernel dialect ------------===//
//
// External models of BufferizableOpInterface: kernels write their init without
// reading it, weights are read-only.
//
//===----------------------------------------------------------------------===//

#include "compiler/layout/KernelBufferization.h"

#include "dialects/kernel/KernelDialect.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace onnxc;

namespace {

template <typename OpTy>
struct KernelModel
    : public DstBufferizableOpInterfaceExternalModel<KernelModel<OpTy>, OpTy> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &opOperand,
                              const AnalysisState &state) const {
    // Of the inits only a border's is kept in part.
    return isa<kernel::PadBorderOp>(op) ||
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

struct WeightModel
    : public BufferizableOpInterface::ExternalModel<WeightModel,
                                                    kernel::WeightOp> {
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
    auto type = cast<RankedTensorType>(value.getType());
    return cast<BufferLikeType>(static_cast<Type>(
        MemRefType::get(type.getShape(), type.getElementType())));
  }

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

} // namespace

void onnxc::registerKernelBufferization(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, kernel::KernelDialect *) {
    kernel::WeightOp::attachInterface<WeightModel>(*context);
    kernel::MatmulOp::attachInterface<KernelModel<kernel::MatmulOp>>(*context);
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
  });
}
