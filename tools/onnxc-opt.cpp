//===- onnxc-opt.cpp - Runs passes on a module, for tests -----------------===//

#include "compiler/driver/Registration.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  onnxc::registerDialects(registry);
  mlir::registerAllPasses();
  onnxc::registerPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "onnxc pass driver\n", registry));
}
