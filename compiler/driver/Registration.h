//===- Registration.h - What onnxc adds to MLIR -----------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_DRIVER_REGISTRATION_H
#define ONNXC_COMPILER_DRIVER_REGISTRATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace onnxc {
/// The dialects that any stage uses, with their interfaces.
void registerDialects(mlir::DialectRegistry &registry);

/// onnxc's own passes and pipelines, for onnxc-opt.
void registerPasses();
} // namespace onnxc

#endif // ONNXC_COMPILER_DRIVER_REGISTRATION_H
