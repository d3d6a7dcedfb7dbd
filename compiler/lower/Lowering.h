//===- Lowering.h - Lowers onnx operators to linalg and kernel --*- C++ -*-===//
//
// The context that an operator's lowering works in: typed access to the node,
// the lowered tensors, symbolic dims as SSA values, constants. Every family
// file registers its functions in a LoweringTable.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_LOWER_LOWERING_H
#define ONNXC_COMPILER_LOWER_LOWERING_H

#include "compiler/graph/SymbolicShapes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

#include <functional>
#include <optional>
#include <string>

namespace onnxc {

using Dims = llvm::SmallVector<mlir::OpFoldResult>;

/// An onnx operation with its attributes by name and operands by position.
struct OnnxNode {
  mlir::Operation *op;

  /// Operand or result `index`; null when absent (`onnx.None`, type none).
  mlir::Value in(unsigned index) const;
  mlir::Value out(unsigned index = 0) const;
  unsigned inputs() const { return op->getNumOperands(); }
  unsigned outputs() const { return op->getNumResults(); }
  /// All operands that are present.
  llvm::SmallVector<mlir::Value> present() const;

  bool has(llvm::StringRef name) const;
  int64_t integer(llvm::StringRef name, int64_t otherwise) const;
  double real(llvm::StringRef name, double otherwise) const;
  llvm::StringRef string(llvm::StringRef name, llvm::StringRef otherwise) const;
  /// nullopt when the attribute is absent.
  std::optional<llvm::SmallVector<int64_t>>
  integers(llvm::StringRef name) const;
  std::optional<llvm::SmallVector<double>> reals(llvm::StringRef name) const;
};

class Lowering;
/// Lowers one node; on failure `Lowering::refuse` has said why.
using LowerFunction = mlir::LogicalResult (*)(Lowering &, OnnxNode);

/// Operator name without the dialect ("Conv") to its lowering.
class LoweringTable {
public:
  void onOp(llvm::StringRef name, LowerFunction function) {
    table[name] = function;
  }
  LowerFunction lookup(llvm::StringRef name) const {
    return table.lookup(name);
  }

private:
  llvm::StringMap<LowerFunction> table;
};

/// One operand of an element-wise operation or reduction.
struct MappedOperand {
  mlir::Value tensor;
  mlir::AffineMap map;
};

using BodyFunction =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::ValueRange)>;

/// Where indices may count from.
enum class IndexSet {
  FromEitherEnd, ///< [-size, size)
  FromZero       ///< [0, size)
};

/// The pairs of dims, as opaque pointers, that a check has judged already.
struct CheckedDims {
  using Pairs = llvm::DenseSet<std::pair<const void *, const void *>>;
  Pairs equal, broadcast;
};

class Lowering {
public:
  Lowering(const LoweringTable &table, SymbolicShapes &shapes,
           mlir::func::FuncOp target);

  /// Creates operations at the place where the lowered code stands.
  mlir::OpBuilder b;
  mlir::Location loc;

  //===--------------------------------------------------------------------===//
  // Values of the onnx function
  //===--------------------------------------------------------------------===//

  /// The lowered tensor. A shape tensor is built when first asked for.
  mlir::Value value(mlir::Value onnx);
  /// Its dims as index values or attributes.
  Dims dims(mlir::Value onnx);
  std::optional<llvm::ArrayRef<mlir::AffineExpr>> exprs(mlir::Value onnx) const;
  /// Its dims as far as they follow from values that are lowered already; null
  /// where a dim is one that only lowering its operator tells.
  Dims knownDims(mlir::Value onnx);
  /// `dims` with those that are known for `onnx` in their place, so that equal
  /// dims are the same value.
  Dims preferKnown(mlir::Value onnx, Dims dims);
  int64_t rank(mlir::Value onnx) const;
  /// The dim when it is a constant; -1 otherwise.
  int64_t staticDim(mlir::Value onnx, int64_t axis) const;
  /// All dims when they are constants.
  std::optional<llvm::SmallVector<int64_t>> staticShape(mlir::Value onnx) const;
  /// Element type with its signedness (`ui8`).
  mlir::Type elementType(mlir::Value onnx) const;
  /// Elements of a small integer tensor as index values; nullopt when its size
  /// is not known.
  std::optional<Dims> elements(mlir::Value onnx);
  /// Elements of a small integer tensor when they are all constants.
  std::optional<llvm::SmallVector<int64_t>> integers(mlir::Value onnx) const;
  /// The value of an onnx.Constant, null otherwise.
  mlir::ElementsAttr constant(mlir::Value onnx) const;
  /// Elements of a constant as doubles, nullopt when not constant or when it
  /// has more than `limit`.
  std::optional<llvm::SmallVector<double>> reals(mlir::Value onnx,
                                                 int64_t limit = 64) const;
  /// Declares `tensor` as the lowered form of `onnx`, cast to its static shape.
  void set(mlir::Value onnx, mlir::Value tensor);

  /// Records why a node cannot be lowered; returns failure.
  mlir::LogicalResult refuse(const llvm::Twine &reason);
  llvm::StringRef refusal() const { return reason; }

  //===--------------------------------------------------------------------===//
  // Index arithmetic
  //===--------------------------------------------------------------------===//

  mlir::Value index(int64_t value);
  mlir::Value index(mlir::OpFoldResult value);
  mlir::OpFoldResult attr(int64_t value) { return b.getIndexAttr(value); }
  mlir::OpFoldResult materialize(mlir::AffineExpr expr);
  mlir::OpFoldResult add(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult sub(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult mul(mlir::OpFoldResult x, mlir::OpFoldResult y);
  /// Rounds down; a divisor below 1 counts as 1.
  mlir::OpFoldResult floorDiv(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult ceilDiv(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult min(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult max(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult product(llvm::ArrayRef<mlir::OpFoldResult> dims);

  //===--------------------------------------------------------------------===//
  // Checks
  //
  // What is known when compiling is judged then: it makes lowering the node
  // fail. The rest is checked at run time, before the code that follows.
  // Messages start with the node's name and operator; `what` names the
  // quantity.
  //===--------------------------------------------------------------------===//

  /// `condition` must hold. In `message`, `{}` stand for the values (of type
  /// index, at most two).
  void require(mlir::Value condition, const llvm::Twine &message,
               mlir::ValueRange values = {});
  void requireEqual(mlir::OpFoldResult x, mlir::OpFoldResult y,
                    const llvm::Twine &what);
  void requireAtLeast(mlir::OpFoldResult x, int64_t bound,
                      const llvm::Twine &what);
  void requireAtMost(mlir::OpFoldResult x, mlir::OpFoldResult bound,
                     const llvm::Twine &what);
  /// A tensor of these dims must not be beyond any memory: sizes in bytes do
  /// not overflow then. For dims that follow from data.
  void requireAllocatable(llvm::ArrayRef<mlir::OpFoldResult> dims);
  /// `own` must be 1 or `dim`.
  void requireBroadcast(mlir::OpFoldResult own, mlir::OpFoldResult dim);
  /// Every element of the onnx value must be an index into a dim of `size`.
  /// `column`: only that place of the last dim.
  void requireIndices(mlir::Value onnx, mlir::OpFoldResult size,
                      const llvm::Twine &what,
                      IndexSet allowed = IndexSet::FromEitherEnd,
                      std::optional<int64_t> column = std::nullopt);
  /// The same for one index.
  void requireIndex(mlir::OpFoldResult index, mlir::OpFoldResult size,
                    const llvm::Twine &what);

  //===--------------------------------------------------------------------===//
  // Tensors
  //===--------------------------------------------------------------------===//

  /// Dims of a lowered tensor, seen through the operation that made it.
  Dims sizes(mlir::Value tensor);
  mlir::Value empty(mlir::Type element,
                    llvm::ArrayRef<mlir::OpFoldResult> dims);
  mlir::Value filled(mlir::Type element,
                     llvm::ArrayRef<mlir::OpFoldResult> dims,
                     mlir::TypedAttr value);
  /// A tensor of the constant, signless: arith.constant when small,
  /// kernel.weight otherwise.
  mlir::Value constantTensor(mlir::ElementsAttr value);
  /// A new constant with the shape and elements that `sourceOf` picks
  /// from `value`: result element i (row-major) is source element sourceOf(i),
  /// or zero for -1.
  mlir::Value
  rearrangedConstant(mlir::ElementsAttr value, llvm::ArrayRef<int64_t> shape,
                     llvm::function_ref<int64_t(llvm::ArrayRef<int64_t>)> from);

  /// linalg.generic with one result.
  mlir::Value generic(mlir::Value init, mlir::AffineMap outMap,
                      llvm::ArrayRef<MappedOperand> operands,
                      llvm::ArrayRef<mlir::utils::IteratorType> iterators,
                      BodyFunction body);
  /// Element-wise over `dims` into a new tensor; maps are from its dims.
  mlir::Value map(mlir::Type element, llvm::ArrayRef<mlir::OpFoldResult> dims,
                  llvm::ArrayRef<MappedOperand> operands, BodyFunction body);
  /// A new tensor whose elements the body computes from their indices.
  mlir::Value pull(mlir::Type element, llvm::ArrayRef<mlir::OpFoldResult> dims,
                   llvm::function_ref<mlir::Value(mlir::OpBuilder &,
                                                  llvm::ArrayRef<mlir::Value>)>
                       body);
  /// Element-wise over lowered tensors of one shape.
  mlir::Value mapSame(mlir::Type element, llvm::ArrayRef<mlir::Value> tensors,
                      BodyFunction body);
  /// Multidirectional broadcast of onnx values, element by element. The
  /// result's element type is `element`. The body's arguments have the lowered
  /// element types, in the operands' order.
  mlir::Value broadcast(mlir::Type element, llvm::ArrayRef<mlir::Value> onnx,
                        BodyFunction body);
  /// `tensor` broadcast to `dims` by explicit copying; dims of size 1 repeat.
  mlir::Value broadcastTo(mlir::Value onnx,
                          llvm::ArrayRef<mlir::OpFoldResult> dims);
  /// The dims of a multidirectional broadcast.
  Dims broadcastDims(llvm::ArrayRef<mlir::Value> onnx);

  mlir::Value transpose(mlir::Value tensor,
                        llvm::ArrayRef<int64_t> permutation);
  /// Row-major reinterpretation with the given dims. The expressions, where
  /// known, tell which dims belong together. Null when the sizes cannot fit.
  mlir::Value reshape(mlir::Value tensor,
                      llvm::ArrayRef<mlir::OpFoldResult> dims,
                      llvm::ArrayRef<mlir::AffineExpr> sourceExprs = {},
                      llvm::ArrayRef<mlir::AffineExpr> targetExprs = {});
  /// Elements converted between onnx element types.
  mlir::Value convert(mlir::Value tensor, mlir::Type from, mlir::Type to);
  mlir::Value slice(mlir::Value tensor,
                    llvm::ArrayRef<mlir::OpFoldResult> offsets,
                    llvm::ArrayRef<mlir::OpFoldResult> sizes,
                    llvm::ArrayRef<mlir::OpFoldResult> strides);
  mlir::Value insertSlice(mlir::Value source, mlir::Value into,
                          llvm::ArrayRef<mlir::OpFoldResult> offsets,
                          llvm::ArrayRef<mlir::OpFoldResult> sizes,
                          llvm::ArrayRef<mlir::OpFoldResult> strides);

  /// Reduces `axes` of a lowered tensor, which disappear, from `start`, whose
  /// type is the accumulator's: `combine(builder, accumulator, element)`.
  mlir::Value reduce(mlir::Value tensor, llvm::ArrayRef<int64_t> axes,
                     mlir::TypedAttr start,
                     llvm::function_ref<mlir::Value(mlir::OpBuilder &,
                                                    mlir::Value, mlir::Value)>
                         combine);
  /// The same with an operand that lacks the axes:
  /// `combine(builder, accumulator, element, operand)`.
  mlir::Value
  reduceWith(mlir::Value tensor, mlir::Value operand,
             llvm::ArrayRef<int64_t> axes, mlir::TypedAttr start,
             llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value,
                                            mlir::Value, mlir::Value)>
                 combine);
  /// Puts reduced axes back with size 1.
  mlir::Value keepAxes(mlir::Value reduced, llvm::ArrayRef<int64_t> axes);
  /// Element-wise over `tensor` and tensors that lack `axes`.
  mlir::Value withReduced(mlir::Type element, mlir::Value tensor,
                          llvm::ArrayRef<mlir::Value> reduced,
                          llvm::ArrayRef<int64_t> axes, BodyFunction body);

  /// Lowers the operations of `block` in order, where the builder stands;
  /// failures are reported.
  mlir::LogicalResult lowerBlock(mlir::Block &block);
  /// Gives an argument of the lowered function for an onnx value.
  void bind(mlir::Value onnx, mlir::Value tensor) { values[onnx] = tensor; }

private:
  void requireBelow(mlir::OpFoldResult index, mlir::OpFoldResult size,
                    mlir::OpFoldResult negative, mlir::Value absent,
                    const llvm::Twine &what);
  mlir::LogicalResult lowerNode(mlir::Operation *op);
  mlir::LogicalResult checkTypes(mlir::Operation *op);
  mlir::Value expand(mlir::OpBuilder &builder, mlir::AffineExpr expr,
                     llvm::ArrayRef<mlir::Value> symbols);
  mlir::Value symbolValue(const ShapeSymbol &symbol);
  /// Whether the builder stands in the block that is being lowered into, not
  /// in a loop that an operator's lowering makes.
  bool inScope() const { return b.getInsertionBlock() == scope; }

  friend class LoweringScope;
  const LoweringTable &table;
  SymbolicShapes &shapes;
  mlir::func::FuncOp target;
  /// The block that the operations being lowered go into: the function's, or
  /// one for a subgraph.
  mlir::Block *scope;
  /// Stands before the first operation of the body: dims of arguments go there.
  mlir::OpBuilder entry;
  llvm::DenseMap<mlir::Value, mlir::Value> values;
  llvm::DenseMap<mlir::AffineExpr, mlir::Value> materialized;
  /// The onnx operation that is being lowered.
  mlir::Operation *node = nullptr;
  CheckedDims checked;
  std::string reason;
};

/// While it lives, operations go to the end of `block`, the body of a subgraph;
/// afterwards what was made there is forgotten, for nothing outside may use it.
class LoweringScope {
public:
  LoweringScope(Lowering &lowering, mlir::Block *block);
  ~LoweringScope();
  LoweringScope(const LoweringScope &) = delete;
  LoweringScope &operator=(const LoweringScope &) = delete;

private:
  Lowering &lowering;
  mlir::OpBuilder::InsertionGuard guard;
  mlir::Location loc;
  mlir::Block *scope;
  llvm::DenseMap<mlir::Value, mlir::Value> values;
  llvm::DenseMap<mlir::AffineExpr, mlir::Value> materialized;
  CheckedDims checked;
};

/// The type that elements are lowered to: signless, and for floats and integers
/// of less than 16 bits that no machine computes with (NarrowTypes.h) and
/// complex numbers their bit patterns.
mlir::Type signless(mlir::Type type);
bool isUnsigned(mlir::Type type);
/// A tensor type with the static dims among `dims`.
mlir::RankedTensorType tensorType(mlir::Type element,
                                  llvm::ArrayRef<mlir::OpFoldResult> dims);
/// Whether values of the type are no tensors, or tensors whose rank only a run
/// tells: they are lowered to the address of a boxed value (kernel dialect), an
/// index.
bool isBoxed(mlir::Type type);
/// Whether tensors of the element type can be lowered.
bool isLowered(mlir::Type type);
/// Brings a negative axis into range; nullopt when it is out of range.
std::optional<int64_t> normalizeAxis(int64_t axis, int64_t rank);

/// Softmax along `axis` of a lowered tensor, or its logarithm.
mlir::Value softmaxTensor(Lowering &l, mlir::Value input, int64_t axis,
                          bool logarithm);

// One per operator family.
void addElementwise(LoweringTable &table);
void addActivations(LoweringTable &table);
void addAffineGrid(LoweringTable &table);
void addCacheAppend(LoweringTable &table);
void addCausalConvolutions(LoweringTable &table);
void addCol2Im(LoweringTable &table);
void addConvolutions(LoweringTable &table);
void addTransposedConvolutions(LoweringTable &table);
void addPools(LoweringTable &table);
void addMatrixProducts(LoweringTable &table);
void addMatMulNBits(LoweringTable &table);
void addNormalizations(LoweringTable &table);
void addRecurrent(LoweringTable &table);
void addReductions(LoweringTable &table);
void addSoftmax(LoweringTable &table);
void addReshapes(LoweringTable &table);
void addSlices(LoweringTable &table);
void addResize(LoweringTable &table);
void addGathers(LoweringTable &table);
void addGenerators(LoweringTable &table);
void addQuantization(LoweringTable &table);
void addIntegerProducts(LoweringTable &table);
void addEinsum(LoweringTable &table);
void addConditionals(LoweringTable &table);
void addTopK(LoweringTable &table);
void addNonMaxSuppression(LoweringTable &table);
void addRandomNumbers(LoweringTable &table);
void addRegionPools(LoweringTable &table);
void addImages(LoweringTable &table);
void addGridSample(LoweringTable &table);
void addMaxUnpool(LoweringTable &table);
void addDeformableConvolutions(LoweringTable &table);
void addDeterminant(LoweringTable &table);
void addOptimizers(LoweringTable &table);
void addSignalTransforms(LoweringTable &table);
void addTensorScatter(LoweringTable &table);
void addUnique(LoweringTable &table);
void addLoops(LoweringTable &table);
void addSequences(LoweringTable &table);
void addOptionals(LoweringTable &table);
void addStrings(LoweringTable &table);

} // namespace onnxc

#endif // ONNXC_COMPILER_LOWER_LOWERING_H
