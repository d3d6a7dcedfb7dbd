//===- NodeError.cpp - Errors that name the ONNX node ---------------------===//

#include "dialects/onnx/NodeError.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

InFlightDiagnostic onnxc::nodeError(Operation *op) {
  InFlightDiagnostic error = emitError(op->getLoc());
  error << "node '" << nodeName(op->getLoc()) << "' (" << op::operatorName(op);
  llvm::StringRef opset =
      op::operatorDomain(op) == "ai.onnx.ml" ? "onnx.ml_opset" : "onnx.opset";
  ModuleOp module = op->getParentOfType<ModuleOp>();
  if (auto version =
          module ? module->getAttrOfType<IntegerAttr>(opset) : IntegerAttr())
    error << ", opset " << version.getInt();
  error << "): ";
  return error;
}
