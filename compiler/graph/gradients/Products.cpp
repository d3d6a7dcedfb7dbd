//===- Products.cpp - Gradients of MatMul, Gemm and Conv ------------------===//

#include "compiler/graph/gradients/Gradients.h"

using namespace mlir;
using namespace onnxc;

/// The matrices of a tensor transposed.
static Value turned(Backward &g, Value x, int64_t rank) {
  SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::swap(order[rank - 1], order[rank - 2]);
  return g.call("Transpose", {x}, g.attribute("perm", order));
}

/// Sums `gradient`, of `rank` dims, along the batch dims in which `operand`, of
/// matrices, is repeated.
static FailureOr<Value> sumBatches(Backward &g, Value operand, Value gradient,
                                   int64_t rank) {
  auto own = g.dims(operand), all = g.dims(g.out());
  int64_t batches = rank - 2,
          ownBatches =
              std::max<int64_t>(0, static_cast<int64_t>(own->size()) - 2);
  SmallVector<int64_t> axes;
  for (int64_t i = 0; i < batches; ++i) {
    int64_t place = i - (batches - ownBatches);
    AffineExpr dim = place < 0 ? AffineExpr() : (*own)[place];
    if (dim == (*all)[i])
      continue;
    if (dim && SymbolicShapes::constant(dim) != 1)
      return g.refuse("whether a batch dim is repeated is not known when "
                      "compiling");
    axes.push_back(i);
  }
  return axes.empty() ? gradient : g.sum(gradient, axes);
}

/// A B: dY B^T and A^T dY. A vector is a matrix of one row (A) or column (B).
static LogicalResult matrixProduct(Backward &g) {
  Value a = g.in(0), b = g.in(1), dy = g.gradient();
  int64_t aRank = g.rank(a), bRank = g.rank(b), rank = g.rank(g.out());
  if (aRank < 1 || bRank < 1 || rank < 0)
    return g.refuse("the rank of an operand is not known when compiling");
  auto unsqueeze = [&](Value x, int64_t axis) {
    return g.call("Unsqueeze", {x, g.integers(axis)});
  };
  if (bRank == 1) {
    b = unsqueeze(b, 1);
    dy = unsqueeze(dy, -1);
    bRank = 2;
    ++rank;
  }
  if (aRank == 1) {
    a = unsqueeze(a, 0);
    dy = unsqueeze(dy, -2);
    aRank = 2;
    ++rank;
  }
  for (unsigned i : {0, 1}) {
    if (!g.wants(i))
      continue;
    Value product = i == 0 ? g.call("MatMul", {dy, turned(g, b, bRank)})
                           : g.call("MatMul", {turned(g, a, aRank), dy});
    FailureOr<Value> sum = sumBatches(g, g.in(i), product, rank);
    if (failed(sum))
      return failure();
    g.give(i, g.reshapeLike(*sum, g.in(i)));
  }
  return success();
}

/// alpha A' B' + beta C, where A' and B' may be transposed.
static LogicalResult gemm(Backward &g) {
  bool turnsA = g.integer("transA", 0), turnsB = g.integer("transB", 0);
  Value a = g.in(0), b = g.in(1), dy = g.gradient();
  Value scaled = g.mul(dy, g.number(g.real("alpha", 1), dy));
  auto multiply = [&](Value x, bool turnsX, Value y, bool turnsY) {
    return g.call("MatMul",
                  {turnsX ? turned(g, x, 2) : x, turnsY ? turned(g, y, 2) : y});
  };
  if (g.wants(0))
    g.give(0, turnsA ? multiply(b, turnsB, scaled, true)
                     : multiply(scaled, false, b, !turnsB));
  if (g.wants(1))
    g.give(1, turnsB ? multiply(scaled, true, a, turnsA)
                     : multiply(a, !turnsA, scaled, false));
  if (!g.in(2) || !g.wants(2))
    return success();
  return g.giveSummed(2, g.mul(dy, g.number(g.real("beta", 1), dy)));
}

namespace {
/// What a convolution's attributes say, for each spatial dim.
struct Window {
  SmallVector<int64_t> size, strides, dilations, pads;
  int64_t spatial() const { return static_cast<int64_t>(size.size()); }
};
} // namespace

static FailureOr<Window> windowOf(Backward &g) {
  auto filter = g.dims(g.in(1));
  if (!filter)
    return g.refuse("the rank of its filter is not known when compiling");
  auto pad = g.op->getAttrOfType<StringAttr>("auto_pad");
  if (pad && pad.getValue() != "NOTSET" && pad.getValue() != "VALID")
    return g.refuse("the gradient with auto_pad is not supported");
  if (g.integer("group", 1) != 1)
    return g.refuse("the gradient with groups is not supported");
  Window window;
  for (AffineExpr dim : filter->drop_front(2)) {
    auto size = SymbolicShapes::constant(dim);
    if (!size || *size < 1)
      return g.refuse("the size of its filter is not known when compiling");
    window.size.push_back(*size);
  }
  auto list = [&](StringRef name, int64_t count, int64_t otherwise) {
    auto given = g.op->getAttrOfType<DenseI64ArrayAttr>(name);
    return given && given.size() == count
               ? SmallVector<int64_t>(given.asArrayRef())
               : SmallVector<int64_t>(count, otherwise);
  };
  window.strides = list("strides", window.spatial(), 1);
  window.dilations = list("dilations", window.spatial(), 1);
  window.pads = list("pads", 2 * window.spatial(), 0);
  return window;
}

/// A transposed convolution of dY.
static LogicalResult giveInput(Backward &g, const Window &window) {
  SmallVector<int64_t> rest; // rows at the end that no window reaches
  auto input = g.dims(g.in(0));
  for (int64_t i = 0; i < window.spatial(); ++i) {
    auto size = SymbolicShapes::constant((*input)[i + 2]);
    if (!size && window.strides[i] != 1)
      return g.refuse("the gradient with strides needs spatial dims that are "
                      "known when compiling");
    int64_t reach = window.dilations[i] * (window.size[i] - 1) + 1;
    int64_t padded = window.pads[i] + window.pads[i + window.spatial()] - reach;
    rest.push_back(size ? (*size + padded) % window.strides[i] : 0);
  }
  g.give(0, g.call("ConvTranspose", {g.gradient(), g.in(1), Value()},
                   {g.attribute("strides", window.strides),
                    g.attribute("dilations", window.dilations),
                    g.attribute("pads", window.pads),
                    g.attribute("output_padding", rest)}));
  return success();
}

/// For each tap of the window the product of dY with the elements that the tap
/// has read, over batch and places.
static void giveFilter(Backward &g, const Window &window) {
  Value dy = g.gradient();
  SmallVector<int64_t> axes =
      llvm::to_vector(llvm::seq<int64_t>(2, window.spatial() + 2));
  Value places = g.integers(axes);
  Value padded =
      g.call("Pad", {g.in(0), g.integers(window.pads), Value(), places});
  // [channels, batch and places]
  auto flattened = [&](Value x) {
    SmallVector<int64_t> order{1, 0};
    llvm::append_range(order, axes);
    return g.call("Flatten",
                  {g.call("Transpose", {x}, g.attribute("perm", order))},
                  g.attribute("axis", 1));
  };
  Value last =
      g.call("Slice", {g.shapeOf(dy), g.integers(2),
                       g.integers(window.spatial() + 2), Value(), Value()});
  last = g.mul(g.sub(last, g.integers(1)), g.integers(window.strides));
  Value left = flattened(dy);
  SmallVector<Value> taps;
  SmallVector<int64_t> tap(window.spatial(), 0);
  auto next = [&] {
    for (int64_t i = window.spatial() - 1; i >= 0; --i) {
      if (++tap[i] < window.size[i])
        return true;
      tap[i] = 0;
    }
    return false;
  };
  do {
    SmallVector<int64_t> begin, behind;
    for (auto [position, dilation] : llvm::zip(tap, window.dilations)) {
      begin.push_back(position * dilation);
      behind.push_back(position * dilation + 1);
    }
    Value read = g.call("Slice", {padded, g.integers(begin),
                                  g.add(last, g.integers(behind)), places,
                                  g.integers(window.strides)});
    Value product = g.call("MatMul", {left, turned(g, flattened(read), 2)});
    taps.push_back(g.call("Unsqueeze", {product, g.integers(2)}));
  } while (next());
  g.give(1, g.reshapeLike(g.call("Concat", taps, g.attribute("axis", 2)),
                          g.in(1)));
}

static LogicalResult convolution(Backward &g) {
  FailureOr<Window> window = windowOf(g);
  if (failed(window) || (g.wants(0) && failed(giveInput(g, *window))))
    return failure();
  if (g.wants(1))
    giveFilter(g, *window);
  if (g.in(2) && g.wants(2)) {
    SmallVector<int64_t> axes{0};
    llvm::append_range(axes, llvm::seq<int64_t>(2, window->spatial() + 2));
    g.give(2, g.reshapeLike(g.sum(g.gradient(), axes), g.in(2)));
  }
  return success();
}

void onnxc::addProductGradients(GradientRules &rules) {
  rules.add("MatMul", matrixProduct);
  rules.add("Gemm", gemm);
  rules.add("Conv", convolution);
}
