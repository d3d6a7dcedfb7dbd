//===- DimExpr.h - Arithmetic on symbolic dims ------------------*- C++ -*-===//
//
// AffineExpr folds only some of what shape arithmetic needs: products of
// symbols are neither ordered nor cancelled. These functions keep expressions
// in a normal form (a sum of products with sorted factors), so that dims that
// are equal as polynomials are the same AffineExpr, and quotients cancel.
//
// A null expression means "not known" (also: overflow, division by zero); it
// passes through all functions.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_GRAPH_DIMEXPR_H
#define ONNXC_COMPILER_GRAPH_DIMEXPR_H

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <string>

namespace onnxc::dim {

using Expr = mlir::AffineExpr;
using Exprs = llvm::SmallVector<mlir::AffineExpr>;

Expr constant(mlir::MLIRContext *context, int64_t value);
std::optional<int64_t> constant(Expr expr);

Expr add(Expr a, Expr b);
Expr add(Expr a, int64_t b);
Expr subtract(Expr a, Expr b);
Expr multiply(Expr a, Expr b);
Expr multiply(Expr a, int64_t b);
Expr product(mlir::MLIRContext *context, llvm::ArrayRef<Expr> factors);
/// Rounds towards minus infinity.
Expr floorDivide(Expr a, Expr b);
Expr floorDivide(Expr a, int64_t b);
Expr ceilDivide(Expr a, Expr b);
Expr ceilDivide(Expr a, int64_t b);
/// a - b * floor(a / b).
Expr modulo(Expr a, Expr b);
/// a / b where that is a polynomial; otherwise null.
Expr exactDivide(Expr a, Expr b);

/// A number that `expr` is never below, when all symbols for which
/// `nonNegative` holds are at least 0.
std::optional<int64_t>
lowerBound(Expr expr, llvm::function_ref<bool(unsigned)> nonNegative);

/// Whether `expr` uses a symbol for which `predicate` holds.
bool usesSymbol(Expr expr, llvm::function_ref<bool(unsigned)> predicate);

/// Text of `expr`, with `name` giving the text of each symbol.
std::string toString(Expr expr, llvm::function_ref<std::string(unsigned)> name);

} // namespace onnxc::dim

#endif // ONNXC_COMPILER_GRAPH_DIMEXPR_H
