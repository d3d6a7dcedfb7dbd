//===- Reductions.cpp - Reductions of constants ---------------------------===//

#include "compiler/graph/fold/Evaluator.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace onnxc;
using namespace onnxc::fold;

namespace {
enum class Kind { Sum, Mean, Product, Max, Min, SumSquare, L1, L2 };
} // namespace

/// For each element of operand 0, the index of the result's element it goes
/// to. nullopt: the axes are not valid.
static std::optional<SmallVector<bool>>
reducedAxes(const Evaluation &evaluation) {
  const Operand &data = evaluation.operand(0);
  SmallVector<bool> gone(data.rank(), false);
  SmallVector<int64_t> axes;
  if (evaluation.present(1))
    axes = evaluation.values(1);
  if (axes.empty() && !evaluation.integer("noop_with_empty_axes", 0))
    gone.assign(data.rank(), true);
  for (int64_t axis : axes) {
    if (axis < 0)
      axis += data.rank();
    if (axis < 0 || axis >= data.rank())
      return std::nullopt;
    gone[axis] = true;
  }
  return gone;
}

template <Kind kind> static Results reduce(const Evaluation &evaluation) {
  if (!evaluation.present(0) || !evaluation.dims[0] ||
      !evaluation.operand(0).isNumeric() ||
      evaluation.operand(0).elementType().isUnsignedInteger(64))
    return std::nullopt;
  const Operand &data = evaluation.operand(0);
  bool isReal = data.isFloat();
  if (!isReal && (kind == Kind::Mean || kind == Kind::L2))
    return std::nullopt;
  auto gone = reducedAxes(evaluation);
  if (!gone)
    return std::nullopt;
  // The result's stride of each of the data's dims; 0 for those reduced.
  SmallVector<int64_t> steps(data.rank(), 0);
  int64_t count = 1, reduced = 1;
  for (int64_t axis = data.rank(); axis-- > 0;) {
    if ((*gone)[axis]) {
      reduced *= data.dims()[axis];
      continue;
    }
    steps[axis] = count;
    count *= data.dims()[axis];
  }
  Result result(*evaluation.dims[0], evaluation.resultElementType());
  if (result.count() != count || reduced == 0)
    return std::nullopt;
  std::vector<double> reals(isReal ? count : 0, kind == Kind::Product ? 1 : 0);
  std::vector<uint64_t> integers(isReal ? 0 : count,
                                 kind == Kind::Product ? 1 : 0);
  std::vector<bool> started(count, false);
  forEach(data.dims(), [&](ArrayRef<int64_t> position, int64_t index) {
    int64_t to = 0;
    for (auto [place, step] : llvm::zip_equal(position, steps))
      to += place * step;
    bool first = !started[to];
    started[to] = true;
    if (isReal) {
      double value = data.real(index), &sum = reals[to];
      switch (kind) {
      case Kind::Sum:
      case Kind::Mean:
        sum += value;
        break;
      case Kind::Product:
        sum *= value;
        break;
      case Kind::SumSquare:
      case Kind::L2:
        sum += value * value;
        break;
      case Kind::L1:
        sum += std::fabs(value);
        break;
      case Kind::Max:
        sum = first || value > sum || std::isnan(value) ? value : sum;
        break;
      case Kind::Min:
        sum = first || value < sum || std::isnan(value) ? value : sum;
        break;
      }
      return;
    }
    int64_t value = data.integer(index);
    uint64_t &sum = integers[to];
    int64_t so_far = static_cast<int64_t>(sum);
    switch (kind) {
    case Kind::Product:
      sum *= static_cast<uint64_t>(value);
      break;
    case Kind::SumSquare:
      sum += static_cast<uint64_t>(value) * static_cast<uint64_t>(value);
      break;
    case Kind::L1:
      sum += value < 0 ? 0 - static_cast<uint64_t>(value) : value;
      break;
    case Kind::Max:
      sum = first || value > so_far ? value : so_far;
      break;
    case Kind::Min:
      sum = first || value < so_far ? value : so_far;
      break;
    default:
      sum += static_cast<uint64_t>(value);
    }
  });
  for (int64_t index = 0; index < count; ++index) {
    if (!isReal) {
      result.setInteger(index, static_cast<int64_t>(integers[index]));
      continue;
    }
    double value = reals[index];
    if (kind == Kind::Mean)
      value /= reduced;
    if (kind == Kind::L2)
      value = std::sqrt(value);
    result.setReal(index, value);
  }
  return SmallVector<ElementsAttr>{result.take()};
}

static Results cumSum(const Evaluation &evaluation) {
  if (!evaluation.present(0) || !evaluation.present(1) || !evaluation.dims[0] ||
      evaluation.operand(1).count() != 1 ||
      !evaluation.operand(0).isNumeric() || evaluation.integer("reverse", 0) ||
      evaluation.integer("exclusive", 0))
    return std::nullopt;
  const Operand &data = evaluation.operand(0);
  int64_t axis = evaluation.operand(1).integer(0);
  if (axis < 0)
    axis += data.rank();
  if (axis < 0 || axis >= data.rank())
    return std::nullopt;
  int64_t step = strides(data.dims())[axis];
  Result result(data.dims(), data.elementType());
  std::vector<double> reals(data.isFloat() ? data.count() : 0);
  std::vector<uint64_t> integers(data.isFloat() ? 0 : data.count());
  forEach(data.dims(), [&](ArrayRef<int64_t> position, int64_t index) {
    bool first = position[axis] == 0;
    if (data.isFloat()) {
      reals[index] = data.real(index) + (first ? 0 : reals[index - step]);
      result.setReal(index, reals[index]);
    } else {
      integers[index] = static_cast<uint64_t>(data.integer(index)) +
                        (first ? 0 : integers[index - step]);
      result.setInteger(index, static_cast<int64_t>(integers[index]));
    }
  });
  return SmallVector<ElementsAttr>{result.take()};
}

void fold::addReductions(Evaluators &evaluators) {
  evaluators.on("ReduceSum", reduce<Kind::Sum>);
  evaluators.on("ReduceMean", reduce<Kind::Mean>);
  evaluators.on("ReduceProd", reduce<Kind::Product>);
  evaluators.on("ReduceMax", reduce<Kind::Max>);
  evaluators.on("ReduceMin", reduce<Kind::Min>);
  evaluators.on("ReduceSumSquare", reduce<Kind::SumSquare>);
  evaluators.on("ReduceL1", reduce<Kind::L1>);
  evaluators.on("ReduceL2", reduce<Kind::L2>);
  evaluators.on("CumSum", cumSum);
}
