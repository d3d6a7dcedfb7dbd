//===- Checks.cpp - What must hold of dims and indices --------------------===//

#include "compiler/lower/Lowering.h"
#include "compiler/lower/Scalars.h"
#include "dialects/kernel/KernelDialect.h"
#include "dialects/onnx/NodeError.h"
#include "dialects/onnx/OnnxDialect.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace onnxc;

void Lowering::require(Value condition, const Twine &message,
                       ValueRange values) {
  // What is built for the model's inputs and outputs fits by construction.
  if (!node || matchPattern(condition, m_One()))
    return;
  // Braces of a name must not be taken for the place of a value.
  std::string name;
  for (char c : nodeName(node->getLoc())) {
    if (c == '}' && !name.empty() && name.back() == '{')
      name += ' ';
    name += c;
  }
  kernel::CheckOp::create(
      b, loc, condition,
      ("node '" + name + "' (" + op::operatorName(node) + "): " + message)
          .str(),
      values);
}

/// Both as constants, when they are.
static std::optional<std::pair<int64_t, int64_t>> constants(OpFoldResult x,
                                                            OpFoldResult y) {
  auto first = getConstantIntValue(x), second = getConstantIntValue(y);
  if (!first || !second)
    return std::nullopt;
  return std::pair(*first, *second);
}

void Lowering::requireEqual(OpFoldResult x, OpFoldResult y, const Twine &what) {
  if (x == y)
    return;
  if (auto both = constants(x, y)) {
    if (both->first != both->second)
      (void)refuse(what + ": " + Twine(both->first) + " is not " +
                   Twine(both->second));
    return;
  }
  std::pair dims(x.getOpaqueValue(), y.getOpaqueValue());
  if (inScope() && !checked.equal.insert(dims).second)
    return;
  Value first = index(x), second = index(y);
  require(Scalars{b, loc}.compare(Comparison::Equal, first, second, false),
          what + ": {} is not {}", {first, second});
}

void Lowering::requireAtLeast(OpFoldResult x, int64_t bound,
                              const Twine &what) {
  if (auto constant = getConstantIntValue(x)) {
    if (*constant < bound)
      (void)refuse(what + ": " + Twine(*constant) + " is less than " +
                   Twine(bound));
    return;
  }
  Value value = index(x);
  require(Scalars{b, loc}.compare(Comparison::GreaterOrEqual, value,
                                  index(bound), false),
          what + ": {} is less than " + Twine(bound), value);
}

void Lowering::requireAtMost(OpFoldResult x, OpFoldResult bound,
                             const Twine &what) {
  if (x == bound)
    return;
  if (auto both = constants(x, bound)) {
    if (both->first > both->second)
      (void)refuse(what + ": " + Twine(both->first) + " is more than " +
                   Twine(both->second));
    return;
  }
  Value value = index(x), most = index(bound);
  require(Scalars{b, loc}.compare(Comparison::LessOrEqual, value, most, false),
          what + ": {} is more than {}", {value, most});
}

void Lowering::requireAllocatable(ArrayRef<OpFoldResult> dims) {
  // In f64, which cannot overflow here. 2^47 elements are more than an address
  // space holds.
  if (llvm::all_of(dims, [](OpFoldResult dim) {
        return getConstantIntValue(dim).has_value();
      }))
    return;
  Scalars s{b, loc};
  Type f64 = b.getF64Type();
  Value count = s.constant(f64, 1);
  for (OpFoldResult dim : dims)
    count = s.mul(count, s.fromIndex(index(dim), f64));
  require(s.compare(Comparison::LessOrEqual, count,
                    s.constant(f64, static_cast<double>(int64_t(1) << 47)),
                    false),
          "the result does not fit in memory");
}

void Lowering::requireBroadcast(OpFoldResult own, OpFoldResult dim) {
  if (own == dim || getConstantIntValue(own) == 1)
    return;
  if (getConstantIntValue(dim) == 1 || constants(own, dim))
    return requireEqual(own, dim, "dims that do not broadcast");
  std::pair dims(own.getOpaqueValue(), dim.getOpaqueValue());
  if (inScope() &&
      (checked.equal.contains(dims) || !checked.broadcast.insert(dims).second))
    return;
  Scalars s{b, loc};
  Value first = index(own), second = index(dim);
  require(s.logicalOr(s.compare(Comparison::Equal, first, second, false),
                      s.compare(Comparison::Equal, first, index(1), false)),
          "dims that do not broadcast: {} is not {}", {first, second});
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

void Lowering::requireIndex(OpFoldResult index, OpFoldResult size,
                            const Twine &what) {
  if (auto both = constants(index, size)) {
    if (both->first < -both->second || both->first >= both->second)
      (void)refuse(what + ": index " + Twine(both->first) +
                   " is out of range for a dim of " + Twine(both->second));
    return;
  }
  requireBelow(index, size, size, nullptr, what);
}

void Lowering::requireBelow(OpFoldResult index, OpFoldResult size,
                            OpFoldResult negative, Value absent,
                            const Twine &what) {
  // -negative <= index < size, as unsigned numbers one comparison.
  Scalars s{b, loc};
  Value at = this->index(index), length = this->index(size);
  Value below = s.compare(Comparison::Less, this->index(add(at, negative)),
                          this->index(add(size, negative)),
                          /*isUnsigned=*/true);
  require(absent ? s.logicalOr(absent, below) : below,
          what + ": index {} is out of range for a dim of {}", {at, length});
}

void Lowering::requireIndices(Value onnx, OpFoldResult size, const Twine &what,
                              IndexSet allowed, std::optional<int64_t> column) {
  if (auto known = integers(onnx)) {
    // The least and the largest decide.
    size_t stride = column ? staticDim(onnx, rank(onnx) - 1) : 1;
    int64_t low = 0, high = -1;
    for (size_t i = column.value_or(0); i < known->size(); i += stride) {
      low = std::min(low, (*known)[i]);
      high = std::max(high, (*known)[i]);
    }
    if (low < 0 && allowed == IndexSet::FromZero)
      requireAtLeast(attr(low), 0, what);
    else if (low < 0)
      requireIndex(attr(low), size, what);
    if (high >= 0)
      requireIndex(attr(high), size, what);
    return;
  }
  OpFoldResult negative = allowed == IndexSet::FromZero ? attr(0) : size;
  Value tensor = value(onnx);
  Dims dims = this->dims(onnx);
  if (column) {
    Dims offsets(dims.size(), attr(0)), ones(dims.size(), attr(1));
    offsets.back() = attr(*column);
    dims.back() = attr(1);
    tensor = slice(tensor, offsets, dims, ones);
  }
  // With `negative` added, an index that is out of range is the largest as an
  // unsigned number: one reduction finds it.
  Type i64 = b.getI64Type();
  Scalars outer{b, loc};
  Value shift = outer.fromIndex(index(negative), i64);
  Value worst = reduce(
      tensor, llvm::to_vector(llvm::seq<int64_t>(0, dims.size())),
      b.getI64IntegerAttr(0), [&](OpBuilder &nested, Value acc, Value x) {
        Scalars s{nested, loc};
        Value wide = s.convert(x, elementType(onnx), i64);
        return s.max(acc, s.add(wide, shift), /*isUnsigned=*/true);
      });
  Value found =
      outer.toIndex(tensor::ExtractOp::create(b, loc, worst, ValueRange()));
  Value absent =
      outer.compare(Comparison::Equal, index(product(dims)), index(0), false);
  requireBelow(sub(found, negative), size, negative, absent, what);
}
