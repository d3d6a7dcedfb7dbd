//===- Einsum.cpp - Einsum ------------------------------------------------===//

#include "compiler/lower/Elementwise.h"
#include "compiler/lower/MatrixProducts.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// The labels of one operand or of the result, with an ellipsis spelled out as
/// labels of its own.
using Labels = SmallVector<int>;
} // namespace

/// Labels are letters; the dims of an ellipsis count from the right as 256,
/// 257, ...
static FailureOr<Labels> parseTerm(Lowering &l, StringRef term,
                                   int64_t ellipsisRank) {
  Labels labels;
  for (size_t i = 0; i < term.size(); ++i) {
    if (term[i] == ' ')
      continue;
    if (term.substr(i).starts_with("...")) {
      if (ellipsisRank < 0)
        return l.refuse("the equation's ellipsis does not fit the operands");
      for (int64_t d = ellipsisRank; d-- > 0;)
        labels.push_back(256 + d);
      i += 2;
      continue;
    }
    if (!llvm::isAlpha(term[i]))
      return l.refuse("the equation '" + term + "' is not understood");
    labels.push_back(term[i]);
  }
  return labels;
}

static int64_t letters(StringRef term) {
  return llvm::count_if(term, [](char c) { return llvm::isAlpha(c); });
}

namespace {
using LabelSizes = llvm::SmallDenseMap<int, OpFoldResult>;

/// A sum of products of two operands as products of matrices: the labels that
/// only one of them has are rows and columns, those of both are summed over or,
/// where the result has them, number the matrices.
class MatrixProduct {
public:
  MatrixProduct(ArrayRef<Labels> inputs, const Labels &output);

  /// Whether there are rows, columns and a sum, and no label is repeated
  /// within an operand, missing in all else, or of a dim that broadcasts.
  bool matches(Lowering &l, ArrayRef<Value> operands, const LabelSizes &sizes);
  /// The result, with its labels in the order of `output`.
  Value build(Lowering &l, ArrayRef<Value> operands, const LabelSizes &sizes);

private:
  Value side(Lowering &l, unsigned operand, Value onnx, const Labels &first,
             const Labels &second, const LabelSizes &sizes);

  SmallVector<Labels> inputs;
  Labels output;
  Labels batch, rows, columns, summed;
  unsigned left = 0; ///< the operand that has the rows
};
} // namespace

static Dims sizesOf(const Labels &labels, const LabelSizes &sizes) {
  return llvm::map_to_vector(labels,
                             [&](int label) { return sizes.lookup(label); });
}

MatrixProduct::MatrixProduct(ArrayRef<Labels> inputs, const Labels &output)
    : inputs(inputs), output(output) {
  if (inputs.size() != 2)
    return;
  // The result's last label is of a column.
  if (!output.empty() && !llvm::is_contained(inputs[1], output.back()))
    left = 1;
  const Labels &own = inputs[left], &other = inputs[1 - left];
  for (int label : output) {
    bool inOwn = llvm::is_contained(own, label);
    bool inOther = llvm::is_contained(other, label);
    (inOwn && inOther ? batch : inOwn ? rows : columns).push_back(label);
  }
  for (int label : own)
    if (llvm::is_contained(other, label) && !llvm::is_contained(output, label))
      summed.push_back(label);
}

bool MatrixProduct::matches(Lowering &l, ArrayRef<Value> operands,
                            const LabelSizes &sizes) {
  if (inputs.size() != 2 || rows.empty() || columns.empty() || summed.empty())
    return false;
  size_t known[] = {batch.size() + rows.size() + summed.size(),
                    batch.size() + columns.size() + summed.size()};
  for (unsigned i : {0u, 1u}) {
    const Labels &labels = inputs[i];
    if (labels.size() != known[i == left ? 0 : 1] ||
        llvm::SmallDenseSet<int>(labels.begin(), labels.end()).size() !=
            labels.size())
      return false;
    for (auto [label, dim] : llvm::zip(labels, l.dims(operands[i])))
      if (getConstantIntValue(dim) == 1 &&
          getConstantIntValue(sizes.lookup(label)) != 1)
        return false;
  }
  return true;
}

/// An operand as [batch..., first, second].
Value MatrixProduct::side(Lowering &l, unsigned operand, Value onnx,
                          const Labels &first, const Labels &second,
                          const LabelSizes &sizes) {
  const Labels &labels = inputs[operand];
  ElementsAttr constant = l.constant(onnx);
  if (constant && operand != left && labels.size() == 2 &&
      constant.getNumElements() > 0)
    return weightOperand(l, constant,
                         /*transposed=*/labels != Labels{first[0], second[0]});
  SmallVector<int64_t> permutation;
  for (const Labels *group : {&std::as_const(batch), &first, &second})
    for (int label : *group)
      permutation.push_back(llvm::find(labels, label) - labels.begin());
  Value tensor =
      l.convert(l.value(onnx), l.elementType(onnx), l.b.getF32Type());
  Dims dims = sizesOf(batch, sizes);
  dims.push_back(l.product(sizesOf(first, sizes)));
  dims.push_back(l.product(sizesOf(second, sizes)));
  return l.reshape(l.transpose(tensor, permutation), dims);
}

Value MatrixProduct::build(Lowering &l, ArrayRef<Value> operands,
                           const LabelSizes &sizes) {
  Value lhs = side(l, left, operands[left], rows, summed, sizes);
  Value rhs = side(l, 1 - left, operands[1 - left], summed, columns, sizes);
  Dims dims = sizesOf(batch, sizes);
  dims.push_back(l.product(sizesOf(rows, sizes)));
  dims.push_back(l.product(sizesOf(columns, sizes)));
  Value product = kernelMatmul(l, lhs, rhs, dims);
  Labels order = batch;
  llvm::append_range(order, rows);
  llvm::append_range(order, columns);
  product = l.reshape(product, sizesOf(order, sizes));
  return l.transpose(product, llvm::map_to_vector(output, [&](int label) {
                       return static_cast<int64_t>(llvm::find(order, label) -
                                                   order.begin());
                     }));
}

static LogicalResult lowerEinsum(Lowering &l, OnnxNode n) {
  auto [left, right] = n.string("equation", "").split("->");
  bool explicitResult = n.string("equation", "").contains("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  SmallVector<Value> operands = n.present();
  if (terms.size() != operands.size())
    return l.refuse("the equation does not fit the number of operands");
  int64_t ellipsis = -1;
  SmallVector<Labels> inputs;
  for (auto [term, operand] : llvm::zip(terms, operands)) {
    int64_t rest = l.rank(operand) - letters(term);
    bool has = term.contains("...");
    if (rest < 0 || (!has && rest != 0))
      return l.refuse("the equation does not fit an operand's rank");
    if (has)
      ellipsis = std::max(ellipsis, rest);
    FailureOr<Labels> labels = parseTerm(l, term, has ? rest : -1);
    if (failed(labels))
      return failure();
    inputs.push_back(*labels);
  }
  Labels output;
  if (explicitResult) {
    FailureOr<Labels> labels = parseTerm(l, right, ellipsis);
    if (failed(labels))
      return failure();
    output = *labels;
  } else {
    // The ellipsis, then the labels that occur once, in order.
    for (int64_t d = ellipsis; d-- > 0;)
      output.push_back(256 + d);
    for (int label = 0; label < 256; ++label) {
      int64_t count = 0;
      for (const Labels &labels : inputs)
        count += llvm::count(labels, label);
      if (count == 1)
        output.push_back(label);
    }
  }
  // Loops: the result's labels, then those summed over.
  Labels loops = output;
  LabelSizes sizes;
  for (auto [labels, operand] : llvm::zip(inputs, operands))
    for (auto [label, dim] : llvm::zip(labels, l.dims(operand))) {
      if (!llvm::is_contained(loops, label))
        loops.push_back(label);
      OpFoldResult &size = sizes[label];
      if (!size || getConstantIntValue(size) == 1)
        size = dim;
    }
  for (auto [labels, operand] : llvm::zip(inputs, operands))
    for (auto [label, dim] : llvm::zip(labels, l.dims(operand)))
      if (getConstantIntValue(dim) != 1)
        l.requireEqual(dim, sizes[label], "dims of one label");
  Dims dims;
  for (int label : output) {
    if (!sizes.contains(label))
      return l.refuse("a label of the result occurs in no operand");
    dims.push_back(sizes[label]);
  }
  if (llvm::SmallDenseSet<int>(output.begin(), output.end()).size() !=
      output.size())
    return l.refuse("a label of the result occurs twice");
  auto dimOf = [&](int label) -> AffineExpr {
    return l.b.getAffineDimExpr(llvm::find(loops, label) - loops.begin());
  };
  Type element = l.elementType(n.out()), compute = computeType(element);
  Type number = signless(compute);
  MatrixProduct matrices(inputs, output);
  if (compute.isF32() && matrices.matches(l, operands, sizes)) {
    l.set(n.out(),
          l.convert(matrices.build(l, operands, sizes), compute, element));
    return success();
  }
  SmallVector<MappedOperand> mapped;
  for (auto [labels, operand] : llvm::zip(inputs, operands)) {
    SmallVector<AffineExpr> exprs;
    for (auto [label, dim] : llvm::zip(labels, l.dims(operand)))
      exprs.push_back(getConstantIntValue(dim) == 1 &&
                              getConstantIntValue(sizes[label]) != 1
                          ? l.b.getAffineConstantExpr(0)
                          : dimOf(label));
    mapped.push_back(
        {l.convert(l.value(operand), element, compute),
         AffineMap::get(loops.size(), 0, exprs, l.b.getContext())});
  }
  SmallVector<AffineExpr> outExprs;
  for (int label : output)
    outExprs.push_back(dimOf(label));
  SmallVector<utils::IteratorType> iterators(output.size(),
                                             utils::IteratorType::parallel);
  iterators.append(loops.size() - output.size(),
                   utils::IteratorType::reduction);
  Value result =
      l.generic(l.filled(number, dims, numberAttr(number, 0)),
                AffineMap::get(loops.size(), 0, outExprs, l.b.getContext()),
                mapped, iterators, [&](OpBuilder &nested, ValueRange in) {
                  Scalars s{nested, l.loc};
                  Value product = in[0];
                  for (Value factor : in.drop_front().drop_back())
                    product = s.mul(product, factor);
                  return s.accumulate(in.back(), product);
                });
  l.set(n.out(), l.convert(result, compute, element));
  return success();
}

void onnxc::addEinsum(LoweringTable &table) {
  table.onOp("Einsum", lowerEinsum);
}
