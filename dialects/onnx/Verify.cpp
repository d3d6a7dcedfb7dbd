//===- Verify.cpp - Attributes that must fit their operands ---------------===//
//
// What the schemas do not say in types: axes in range, one value for each
// spatial dim, permutations. Later stages rely on it. Where a rank is unknown
// nothing is said; what shapes add up to is a matter of shape inference.
//
//===----------------------------------------------------------------------===//

#include "dialects/onnx/NodeError.h"
#include "dialects/onnx/OnnxDialect.h"
#include "dialects/onnx/OnnxSupport.h"

#include "mlir/IR/Operation.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

/// The operand's type where it is a tensor of known rank.
static RankedTensorType ranked(Operation *op, unsigned operand) {
  return operand < op->getNumOperands()
             ? dyn_cast<RankedTensorType>(op->getOperand(operand).getType())
             : RankedTensorType();
}

/// Checks an integer list that has one value, or `perDim`, for each spatial
/// dim, none below `least`.
static LogicalResult verifySpatial(Operation *op, StringRef name,
                                   int64_t spatial, int64_t perDim,
                                   int64_t least) {
  auto list = op->getAttrOfType<DenseI64ArrayAttr>(name);
  if (!list)
    return success();
  if (list.size() != spatial * perDim)
    return onnxc::nodeError(op)
           << name << " has " << list.size() << " values, " << spatial
           << " spatial dims need " << spatial * perDim;
  for (int64_t value : list.asArrayRef())
    if (value < least)
      return onnxc::nodeError(op)
             << name << " must be at least " << least << ", but is " << value;
  return success();
}

/// Convolutions and pools: operand 0 is `[N, C, spatial dims]`.
static LogicalResult verifyWindow(Operation *op) {
  static const llvm::StringSet<> paddings = {"NOTSET", "SAME_UPPER",
                                             "SAME_LOWER", "VALID"};
  if (auto padding = op->getAttrOfType<StringAttr>("auto_pad");
      padding && !paddings.contains(padding.getValue()))
    return onnxc::nodeError(op)
           << "auto_pad cannot be '" << padding.getValue() << "'";
  if (auto group = op->getAttrOfType<IntegerAttr>("group");
      group && group.getInt() < 1)
    return onnxc::nodeError(op) << "group must be at least 1";
  RankedTensorType type = ranked(op, 0);
  if (!type)
    return success();
  int64_t spatial = type.getRank() - 2;
  if (spatial < 1)
    return onnxc::nodeError(op)
           << "needs a spatial dim, but its input has rank " << type.getRank();
  // A pad may be negative: it crops.
  constexpr int64_t any = std::numeric_limits<int64_t>::min();
  if (failed(verifySpatial(op, "kernel_shape", spatial, 1, 1)) ||
      failed(verifySpatial(op, "strides", spatial, 1, 1)) ||
      failed(verifySpatial(op, "dilations", spatial, 1, 1)) ||
      failed(verifySpatial(op, "output_padding", spatial, 1, 0)) ||
      failed(verifySpatial(op, "output_shape", spatial, 1, 0)) ||
      failed(verifySpatial(op, "pads", spatial, 2, any)))
    return failure();
  return success();
}

/// Operand 1 is the filter, of the input's rank.
static LogicalResult verifyConvolution(Operation *op) {
  RankedTensorType input = ranked(op, 0), filter = ranked(op, 1);
  if (input && filter && input.getRank() != filter.getRank())
    return onnxc::nodeError(op) << "the input has rank " << input.getRank()
                                << ", the filter " << filter.getRank();
  auto kernel = op->getAttrOfType<DenseI64ArrayAttr>("kernel_shape");
  if (failed(verifyWindow(op)))
    return failure();
  if (filter && kernel && kernel.size() == filter.getRank() - 2)
    for (auto [i, size] : llvm::enumerate(kernel.asArrayRef()))
      if (!filter.isDynamicDim(i + 2) && filter.getDimSize(i + 2) != size)
        return onnxc::nodeError(op) << "kernel_shape is not that of the filter";
  return success();
}

/// `axis` counts the dims of operand 0, and may be its rank when `mayBeRank`.
static LogicalResult verifyAxis(Operation *op, bool mayBeRank) {
  auto axis = op->getAttrOfType<IntegerAttr>("axis");
  RankedTensorType type = ranked(op, 0);
  if (!axis || !type)
    return success();
  int64_t rank = type.getRank(), value = axis.getInt();
  if (value < -rank || value >= rank + mayBeRank)
    return onnxc::nodeError(op)
           << "axis " << value << " is out of range for rank " << rank;
  return success();
}

static LogicalResult verifyConcat(Operation *op) {
  RankedTensorType first = ranked(op, 0);
  for (unsigned i = 1; i < op->getNumOperands(); ++i)
    if (RankedTensorType type = ranked(op, i);
        first && type && type.getRank() != first.getRank())
      return onnxc::nodeError(op) << "the inputs have ranks " << first.getRank()
                                  << " and " << type.getRank();
  return verifyAxis(op, false);
}

static LogicalResult verifyTranspose(Operation *op) {
  auto permutation = op->getAttrOfType<DenseI64ArrayAttr>("perm");
  RankedTensorType type = ranked(op, 0);
  if (!permutation)
    return success();
  SmallVector<bool> seen(permutation.size());
  for (int64_t dim : permutation.asArrayRef()) {
    if (dim < 0 || dim >= permutation.size() || seen[dim])
      return onnxc::nodeError(op) << "perm is no permutation";
    seen[dim] = true;
  }
  if (type && type.getRank() != permutation.size())
    return onnxc::nodeError(op) << "perm has " << permutation.size()
                                << " values for rank " << type.getRank();
  return success();
}

static LogicalResult verifyGemm(Operation *op) {
  for (unsigned i : {0, 1})
    if (RankedTensorType type = ranked(op, i); type && type.getRank() != 2)
      return onnxc::nodeError(op)
             << "needs matrices, but an input has rank " << type.getRank();
  return success();
}

static LogicalResult verifyBlockSize(Operation *op) {
  auto size = op->getAttrOfType<IntegerAttr>("blocksize");
  RankedTensorType type = ranked(op, 0);
  if (size && size.getInt() < 1)
    return onnxc::nodeError(op) << "blocksize must be at least 1";
  if (type && type.getRank() != 4)
    return onnxc::nodeError(op)
           << "needs an input of rank 4, but it is " << type.getRank();
  return success();
}

LogicalResult onnxc::op::verifyOperation(Operation *op) {
  using Check = LogicalResult (*)(Operation *);
  static const llvm::StringMap<Check> checks = [] {
    llvm::StringMap<Check> checks;
    for (StringRef name : {"Conv", "ConvTranspose"})
      checks[name] = verifyConvolution;
    for (StringRef name : {"ConvInteger", "QLinearConv", "DeformConv",
                           "AveragePool", "LpPool", "MaxPool"})
      checks[name] = verifyWindow;
    // Gather's axis counts the data's dims, GatherElements' too.
    for (StringRef name :
         {"ArgMax", "ArgMin", "Compress", "Gather", "GatherElements", "Hardmax",
          "LayerNormalization", "LogSoftmax", "LpNormalization",
          "RMSNormalization", "ScatterElements", "Softmax", "Split",
          "SplitToSequence", "TopK", "Unique"})
      checks[name] = [](Operation *op) { return verifyAxis(op, false); };
    checks["Flatten"] = [](Operation *op) { return verifyAxis(op, true); };
    checks["Concat"] = verifyConcat;
    checks["Transpose"] = verifyTranspose;
    checks["Gemm"] = verifyGemm;
    for (StringRef name : {"DepthToSpace", "SpaceToDepth"})
      checks[name] = verifyBlockSize;
    return checks;
  }();
  if (!operatorDomain(op).empty())
    return success();
  auto check = checks.find(operatorName(op));
  return check == checks.end() ? success() : check->second(op);
}
