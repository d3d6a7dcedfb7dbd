//===- WeightLayout.h - Places in the weight section ------------*- C++ -*-===//
//
// Which constant lies where in the library's weight section. Computed once, on
// the kernel.weight ops that are left when buffers are fixed, and kept as the
// module attribute `kernel.weights`, from which the section is written.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_DIALECTS_KERNEL_WEIGHTLAYOUT_H
#define ONNXC_DIALECTS_KERNEL_WEIGHTLAYOUT_H

#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"

#include <vector>

namespace onnxc::kernel {

/// A weight and its place. The steps of re-arrangement are kernel.weight's.
struct PlacedWeight {
  int64_t offset = 0;
  int64_t bytes = 0;
  mlir::ElementsAttr value;
  mlir::DenseI64ArrayAttr expandedShape;  ///< may be null
  mlir::DenseI64ArrayAttr permutation;    ///< may be null
  mlir::DenseF64ArrayAttr pointTransform; ///< may be null
  int64_t panelWidth = 0;                 ///< 0: no panels
  int64_t panelAxis = 0;
  bool paired = false; ///< the rows of a panel, two by two
};

struct WeightLayout {
  std::vector<PlacedWeight> weights; ///< by rising offset
  int64_t bytes = 0;                 ///< of the whole section
};

constexpr llvm::StringLiteral weightsAttrName = "kernel.weights";
constexpr int64_t weightAlignment = 64;

/// Bytes of an element in memory; integers below eight bits take one.
int64_t elementStorageBytes(mlir::Type elementType);

/// Gives each kernel.weight of `module` its `offset`, equal ones the same, and
/// records the section in the module's attribute `kernel.weights`.
WeightLayout placeWeights(mlir::ModuleOp module);

/// Reads the attribute back; empty when there is none.
WeightLayout readWeightLayout(mlir::ModuleOp module);

} // namespace onnxc::kernel

#endif // ONNXC_DIALECTS_KERNEL_WEIGHTLAYOUT_H
