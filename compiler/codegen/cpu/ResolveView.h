//===- ResolveView.h - Base, sizes and strides of a memref ------*- C++ -*-===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_RESOLVEVIEW_H
#define ONNXC_COMPILER_CODEGEN_CPU_RESOLVEVIEW_H

#include "compiler/codegen/cpu/Code.h"

namespace onnxc {

/// A memref as a base and arithmetic on it. Strides are written as products of
/// sizes as far as the chain of views tells, so that what is contiguous can be
/// seen to be.
struct ResolvedView {
  mlir::Value base; ///< the memref at the end of the chain of views
  Index offset;     ///< in elements, from the aligned pointer of `base`
  llvm::SmallVector<Index> sizes, strides;
};

/// Follows the views that make `memref`; writes index arithmetic at the
/// builder's position.
ResolvedView resolveView(Code &code, mlir::Value memref);

/// A product: `constant` times each of `factors`.
struct Product {
  int64_t constant = 1;
  llvm::SmallVector<mlir::Value> factors; ///< in an order of their own

  bool operator==(const Product &other) const {
    return constant == other.constant &&
           (constant == 0 || factors == other.factors);
  }
};

/// `index` as a product of values that are no products themselves.
Product factorize(Index index);
Product operator*(const Product &a, const Product &b);

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_RESOLVEVIEW_H
