//===- MatmulShapes.cpp - Shapes of matrix products and attention ---------===//

#include "compiler/graph/shapes/ShapeContext.h"

#include <map>

using namespace mlir;
using namespace onnxc;

/// numpy's matmul of operands `a` and `b`.
static LogicalResult product(ShapeContext &shape, unsigned a, unsigned b) {
  auto left = shape.dims(a), right = shape.dims(b);
  if (!left || !right)
    return success();
  if (left->empty() || right->empty())
    return shape.error("a scalar cannot be an operand of a matrix product");
  Exprs x(*left), y(*right);
  bool isRow = x.size() == 1, isColumn = y.size() == 1;
  if (isRow)
    x.insert(x.begin(), shape.constant(1));
  if (isColumn)
    y.push_back(shape.constant(1));
  if (failed(shape.same(x.back(), y[y.size() - 2],
                        "inner dims of the matrix product")))
    return failure();
  FailureOr<Exprs> result = shape.broadcast(
      {ArrayRef<Expr>(x).drop_back(2), ArrayRef<Expr>(y).drop_back(2)});
  if (failed(result))
    return failure();
  if (!isRow)
    result->push_back(x[x.size() - 2]);
  if (!isColumn)
    result->push_back(y.back());
  shape.setDims(0, std::move(*result));
  return success();
}

static LogicalResult matmul(ShapeContext &s) { return product(s, 0, 1); }
static LogicalResult qlinearMatmul(ShapeContext &s) { return product(s, 0, 3); }

static LogicalResult gemm(ShapeContext &shape) {
  auto a = shape.dimsOfRank(0, 2), b = shape.dimsOfRank(1, 2);
  if (failed(a) || failed(b))
    return failure();
  if (!*a || !*b)
    return success();
  Exprs x = **a, y = **b;
  if (shape.integer("transA", 0))
    std::swap(x[0], x[1]);
  if (shape.integer("transB", 0))
    std::swap(y[0], y[1]);
  if (failed(shape.same(x[1], y[0], "inner dims of the matrix product")))
    return failure();
  Exprs result{x[0], y[1]};
  if (shape.present(2))
    if (auto c = shape.dims(2)) {
      if (c->size() > 2)
        return shape.error("C has rank " + Twine(c->size()));
      for (size_t index = 0; index < c->size(); ++index) {
        Expr own = (*c)[c->size() - 1 - index];
        if (dim::constant(own) != 1 &&
            failed(shape.same(result[1 - index], own,
                              "dims of C and of the product")))
          return failure();
      }
    }
  shape.setDims(0, std::move(result));
  return success();
}

/// [..., K] to [..., N].
static LogicalResult matmulNBits(ShapeContext &shape) {
  auto dims = shape.dims(0);
  if (!dims)
    return success();
  if (dims->empty())
    return shape.error("a scalar cannot be an operand of a matrix product");
  Exprs result(*dims);
  if (failed(shape.same(result.back(), shape.constant(shape.integer("K", 0)),
                        "K and the last dim of A")))
    return failure();
  result.back() = shape.constant(shape.integer("N", 0));
  shape.setDims(0, std::move(result));
  return success();
}

/// The cache is as long as past, or as all tokens.
static LogicalResult appendToCache(ShapeContext &shape) {
  auto fresh = shape.dimsOfRank(1, 4);
  if (failed(fresh))
    return failure();
  if (*fresh)
    shape.setDims(0, {(**fresh)[0], (**fresh)[2], {}, (**fresh)[3]});
  return success();
}

static LogicalResult einsum(ShapeContext &shape) {
  std::string equation;
  for (char c : shape.string("equation", ""))
    if (c != ' ')
      equation += c;
  auto [inputs, output] = StringRef(equation).split("->");
  bool isExplicit = StringRef(equation).contains("->");
  SmallVector<StringRef> terms;
  inputs.split(terms, ',');
  if (terms.size() != shape.numOperands())
    return shape.error("the equation '" + equation + "' has " +
                       Twine(terms.size()) + " terms for " +
                       Twine(shape.numOperands()) + " inputs");
  std::map<char, Expr> letters;
  std::map<char, int> occurrences;
  SmallVector<Exprs> ellipses;
  auto isLetter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  for (auto [operand, term] : llvm::enumerate(terms)) {
    auto dims = shape.dims(operand);
    if (!dims)
      return success();
    auto [before, after] = term.split("...");
    size_t named = term.contains("...") ? term.size() - 3 : term.size();
    if (named > dims->size() ||
        (named != dims->size() && !term.contains("...")))
      return shape.error("the term '" + term +
                         "' does not fit an input of "
                         "rank " +
                         Twine(dims->size()));
    size_t position = 0;
    auto bind = [&](StringRef part) -> LogicalResult {
      for (char c : part) {
        if (!isLetter(c))
          return shape.error("the equation '" + equation +
                             "' has the character '" + Twine(c) + "'");
        Expr own = (*dims)[position++];
        Expr &known = letters[c];
        ++occurrences[c];
        // A dim of 1 broadcasts.
        if (!known || dim::constant(known) == 1) {
          known = own;
        } else if (dim::constant(own) != 1) {
          FailureOr<Expr> merged =
              shape.same(known, own, "dims of '" + Twine(c) + "'");
          if (failed(merged))
            return failure();
          known = *merged;
        }
      }
      return success();
    };
    if (failed(bind(before)))
      return failure();
    if (term.contains("...")) {
      Exprs middle(dims->slice(position, dims->size() - named));
      position += middle.size();
      ellipses.push_back(std::move(middle));
    }
    if (failed(bind(after)))
      return failure();
  }
  SmallVector<ArrayRef<Expr>> parts(ellipses.begin(), ellipses.end());
  FailureOr<Exprs> shared = shape.broadcast(parts);
  if (failed(shared))
    return failure();
  Exprs result;
  if (!isExplicit) {
    result = *shared;
    for (auto [letter, count] : occurrences)
      if (count == 1)
        result.push_back(letters[letter]);
  } else {
    while (!output.empty()) {
      if (output.consume_front("...")) {
        result.append(shared->begin(), shared->end());
        continue;
      }
      auto it = letters.find(output.front());
      if (it == letters.end())
        return shape.error("the output of the equation '" + equation +
                           "' has '" + Twine(output.front()) +
                           "', which no input has");
      result.push_back(it->second);
      output = output.drop_front();
    }
  }
  shape.setDims(0, std::move(result));
  return success();
}

/// Attention: [B, heads, S, size] or [B, S, heads * size].
static LogicalResult attention(ShapeContext &shape) {
  auto q = shape.dims(0), k = shape.dims(1), v = shape.dims(2);
  if (!q || !k || !v)
    return success();
  if ((q->size() != 3 && q->size() != 4) || k->size() != q->size() ||
      v->size() != q->size())
    return shape.error("Q, K and V must all be of rank 3 or 4");
  Expr qHeads, kvHeads, querySize, valueSize, keySize, queries, keys;
  if (q->size() == 4) {
    qHeads = (*q)[1];
    kvHeads = (*k)[1];
    querySize = (*q)[3];
    keySize = (*k)[3];
    valueSize = (*v)[3];
    queries = (*q)[2];
    keys = (*k)[2];
  } else {
    int64_t heads = shape.integer("q_num_heads", 0);
    int64_t others = shape.integer("kv_num_heads", 0);
    if (heads < 1 || others < 1)
      return shape.error("inputs of rank 3 need q_num_heads and kv_num_heads");
    qHeads = shape.constant(heads);
    kvHeads = shape.constant(others);
    querySize = dim::floorDivide((*q)[2], heads);
    keySize = dim::floorDivide((*k)[2], others);
    valueSize = dim::floorDivide((*v)[2], others);
    queries = (*q)[1];
    keys = (*k)[1];
  }
  if (failed(shape.same(querySize, keySize, "head sizes of Q and K")))
    return failure();
  Expr total = keys;
  if (shape.present(4)) {
    auto past = shape.dims(4);
    total = past && past->size() == 4 ? dim::add((*past)[2], keys) : Expr();
  }
  if (q->size() == 4)
    shape.setDims(0, {(*q)[0], qHeads, queries, valueSize});
  else
    shape.setDims(0, {(*q)[0], queries, dim::multiply(qHeads, valueSize)});
  shape.setDims(1, {(*k)[0], kvHeads, total, keySize});
  shape.setDims(2, {(*v)[0], kvHeads, total, valueSize});
  shape.setDims(3, {(*q)[0], qHeads, queries, total});
  return success();
}

/// LinearAttention: [B, T, heads * size]; the state is [B, heads, key, value].
static LogicalResult linearAttention(ShapeContext &shape) {
  auto q = shape.dims(0), k = shape.dims(1), v = shape.dims(2);
  int64_t heads = shape.integer("q_num_heads", 0);
  int64_t others = shape.integer("kv_num_heads", 0);
  if (!q || !k || !v || q->size() != 3 || k->size() != 3 || v->size() != 3 ||
      heads < 1 || others < 1)
    return success();
  Expr valueSize = dim::floorDivide((*v)[2], others);
  shape.setDims(0, {(*q)[0], (*q)[1], dim::multiply(valueSize, heads)});
  shape.setDims(1, {(*q)[0], shape.constant(others),
                    dim::floorDivide((*k)[2], others), valueSize});
  return success();
}

void onnxc::addMatmulShapes(ShapeRules &rules) {
  rules.onShape({"MatMul", "MatMulInteger"}, matmul);
  rules.onShape("QLinearMatMul", qlinearMatmul);
  rules.onShape("Gemm", gemm);
  rules.onShape("com.microsoft.MatMulNBits", matmulNBits);
  rules.onShape("com.microsoft.AppendToCache", appendToCache);
  rules.onShape("Einsum", einsum);
  rules.onShape("Attention", attention);
  rules.onShape("LinearAttention", linearAttention);
}
