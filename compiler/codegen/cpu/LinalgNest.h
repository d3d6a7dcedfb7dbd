//===- LinalgNest.h - A linalg op as loops over linear addresses -*- C++
//-*-===//
//
// What the emitters of linalg ops work on: loops in the order of the output's
// memory, neighbours merged where every operand allows it, and for each
// operand one stride per loop.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_LINALGNEST_H
#define ONNXC_COMPILER_CODEGEN_CPU_LINALGNEST_H

#include "compiler/codegen/cpu/Code.h"
#include "compiler/codegen/cpu/KernelEmitter.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

namespace onnxc {

/// The type an element has in memory: a bool is a byte.
mlir::Type memoryType(mlir::Type element);

/// Loads and stores an element, or `lanes` > 0 of them, as the body sees them.
mlir::Value loadElement(Code &code, mlir::Value pointer, mlir::Type element,
                        Index offset, int64_t lanes = 0, mlir::Value mask = {});
void storeElement(Code &code, mlir::Value value, mlir::Value pointer,
                  mlir::Type element, Index offset, mlir::Value mask = {});

/// How one operand is reached from the loops.
struct Access {
  mlir::Value pointer; ///< null at the call, and for a scalar
  mlir::Value scalar;
  mlir::Type element;
  Index offset;
  llvm::SmallVector<Index> strides; ///< one per loop
  /// Where the map is not linear: the operand's map and strides; `strides`
  /// above are then zero.
  mlir::AffineMap map;
  llvm::SmallVector<Index> mapStrides;

  bool isLinear() const { return !map; }
};

class LinalgNest {
public:
  LinalgNest(Code &code, mlir::linalg::LinalgOp op,
             llvm::ArrayRef<BufferView> views,
             llvm::ArrayRef<mlir::Value> scalars);

  mlir::linalg::LinalgOp op;
  /// Parallel loops first, outermost first; then reductions.
  llvm::SmallVector<Index> sizes;
  unsigned parallel = 0;
  llvm::SmallVector<Access> accesses; ///< one per operand of the op

  unsigned loops() const { return sizes.size(); }
  bool hasReductions() const { return parallel < loops(); }
  unsigned inputs() { return op.getNumDpsInputs(); }
  Access &output(unsigned i = 0) { return accesses[inputs() + i]; }
  /// Whether the body reads what the outputs hold.
  bool readsOutput(unsigned i) {
    return op.payloadUsesValueFromOperand(op.getDpsInitOperand(i));
  }
  /// The value of the op's own loop `dim`, from those of the nest's loops.
  Index originalIndex(Code &code, unsigned dim, llvm::ArrayRef<Index> ivs);
  /// The nest's loop that is the op's own loop `dim`; -1: the dim has one
  /// value, 0.
  int loopOf(unsigned dim) const { return loopOfDim[dim]; }
  /// Whether the body is arithmetic alone, the same for vectors, on operands
  /// and on indices.
  bool isVectorizable();
  /// Whether the body asks where it is.
  bool readsIndices();
  /// Operations in the body: a measure of the work per element.
  int64_t bodyCost();

private:
  void merge(Code &code);
  llvm::SmallVector<int> loopOfDim;
  llvm::SmallBitVector fixedDims; ///< dims whose own value is asked for
};

/// Writes the op's body once, for one element or a vector of them.
class BodyWriter {
public:
  BodyWriter(Code &code, LinalgNest &nest, llvm::ArrayRef<BufferView> views,
             llvm::ArrayRef<mlir::Value> scalars)
      : BodyWriter(code, nest, views, scalars, /*lanes=*/0, /*laneLoop=*/-1) {}
  /// Vectors of `lanes` iterations of the loop `laneLoop`.
  BodyWriter(Code &code, LinalgNest &nest, llvm::ArrayRef<BufferView> views,
             llvm::ArrayRef<mlir::Value> scalars, int64_t lanes, int laneLoop);

  /// `arguments`: one value per operand (null where unused); `ivs`: the loops'
  /// positions, of the first lane; may be empty unless the nest readsIndices().
  /// Returns what is yielded.
  llvm::SmallVector<mlir::Value> write(llvm::ArrayRef<mlir::Value> arguments,
                                       llvm::ArrayRef<Index> ivs);

private:
  void writeOp(mlir::Operation *op, mlir::IRMapping &mapping,
               llvm::ArrayRef<Index> ivs);
  void writeArithmetic(mlir::Operation *op, mlir::IRMapping &mapping);
  mlir::Value index(unsigned dim, llvm::ArrayRef<Index> ivs);

  Code &code;
  LinalgNest &nest;
  int64_t lanes;
  int laneLoop;
  llvm::DenseMap<mlir::Value, const BufferView *> buffers;
  mlir::IRMapping captured;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_LINALGNEST_H
