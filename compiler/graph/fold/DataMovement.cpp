//===- DataMovement.cpp - Data movement on constants ----------------------===//
//
// Elements are moved as bytes, whatever their type. Dims are those that shape
// inference gave, so indices that follow from them are in range; indices that
// are data are checked.
//
//===----------------------------------------------------------------------===//

#include "compiler/graph/fold/Evaluator.h"

#include <cmath>

using namespace mlir;
using namespace onnxc;
using namespace onnxc::fold;

/// A result with elements of operand 0: at each position, the one at the index
/// that `source` gives. A splat stays one.
static Results moved(const Evaluation &evaluation,
                     llvm::function_ref<int64_t(ArrayRef<int64_t>)> source) {
  const Operand &data = evaluation.operand(0);
  Result result(*evaluation.dims[0], data.elementType(),
                data.isSplat() || data.count() == 1);
  if (result.stored() < result.count()) {
    result.setBytes(0, data.bytes(0));
  } else {
    bool good = true;
    forEach(result.dims(), [&](ArrayRef<int64_t> position, int64_t index) {
      int64_t from = source(position);
      good &= from >= 0 && from < data.count();
      if (good)
        result.setBytes(index, data.bytes(from));
    });
    if (!good)
      return std::nullopt;
  }
  return SmallVector<ElementsAttr>{result.take()};
}

static bool ready(const Evaluation &evaluation) {
  return evaluation.present(0) && evaluation.dims[0];
}

/// The same elements with other dims.
static Results regrouped(const Evaluation &evaluation) {
  if (!ready(evaluation))
    return std::nullopt;
  const Operand &data = evaluation.operand(0);
  auto type = RankedTensorType::get(*evaluation.dims[0], data.elementType());
  if (type.getNumElements() != data.count())
    return std::nullopt;
  // Large tensors refer to the same bytes.
  if (!data.isSplat() && data.count() > 0 && !data.elementType().isInteger(1))
    return SmallVector<ElementsAttr>{makeElements(
        type, ArrayRef<char>(data.bytes(0).data(),
                             data.count() * elementSize(data.elementType())))};
  Result result(*evaluation.dims[0], data.elementType(), data.isSplat());
  for (int64_t index = 0; index < result.stored(); ++index)
    result.setBytes(index, data.bytes(index));
  return SmallVector<ElementsAttr>{result.take()};
}

static Results transpose(const Evaluation &evaluation) {
  if (!ready(evaluation))
    return std::nullopt;
  const Operand &data = evaluation.operand(0);
  SmallVector<int64_t> order;
  if (auto given = evaluation.integers("perm"))
    order = *given;
  else
    for (int64_t axis = data.rank(); axis-- > 0;)
      order.push_back(axis);
  SmallVector<int64_t> steps = strides(data.dims()), permuted;
  for (int64_t axis : order)
    permuted.push_back(steps[axis < 0 ? axis + data.rank() : axis]);
  return moved(evaluation, [&](ArrayRef<int64_t> position) {
    int64_t index = 0;
    for (auto [place, step] : llvm::zip_equal(position, permuted))
      index += place * step;
    return index;
  });
}

static Results expand(const Evaluation &evaluation) {
  if (!ready(evaluation))
    return std::nullopt;
  return moved(evaluation, [&](ArrayRef<int64_t> position) {
    return broadcastIndex(evaluation.operand(0), position);
  });
}

static Results tile(const Evaluation &evaluation) {
  if (!ready(evaluation))
    return std::nullopt;
  const Operand &data = evaluation.operand(0);
  return moved(evaluation, [&](ArrayRef<int64_t> position) {
    int64_t index = 0;
    for (auto [place, size] : llvm::zip_equal(position, data.dims()))
      index = index * size + place % size;
    return index;
  });
}

static Results slice(const Evaluation &evaluation) {
  if (!ready(evaluation) || !evaluation.present(1) || !evaluation.present(2))
    return std::nullopt;
  const Operand &data = evaluation.operand(0);
  SmallVector<int64_t> starts = evaluation.values(1), axes, steps;
  if (evaluation.present(3))
    axes = evaluation.values(3);
  else
    for (size_t axis = 0; axis < starts.size(); ++axis)
      axes.push_back(axis);
  if (evaluation.present(4))
    steps = evaluation.values(4);
  else
    steps.assign(starts.size(), 1);
  SmallVector<int64_t> first(data.rank(), 0), by(data.rank(), 1);
  for (auto [start, axis, step] : llvm::zip_equal(starts, axes, steps)) {
    int64_t place = axis < 0 ? axis + data.rank() : axis;
    int64_t size = data.dims()[place];
    int64_t from = start < 0 ? start + size : start;
    first[place] = step > 0 ? std::clamp<int64_t>(from, 0, size)
                            : std::clamp<int64_t>(from, -1, size - 1);
    by[place] = step;
  }
  return moved(evaluation, [&](ArrayRef<int64_t> position) {
    int64_t index = 0;
    for (auto [axis, place] : llvm::enumerate(position))
      index = index * data.dims()[axis] + first[axis] + place * by[axis];
    return index;
  });
}

static Results gather(const Evaluation &evaluation) {
  if (!ready(evaluation) || !evaluation.present(1))
    return std::nullopt;
  const Operand &data = evaluation.operand(0), &indices = evaluation.operand(1);
  if (!indices.isInteger() || data.rank() == 0)
    return std::nullopt;
  int64_t axis = evaluation.integer("axis", 0);
  if (axis < 0)
    axis += data.rank();
  for (int64_t index = 0; index < indices.count(); ++index)
    if (int64_t place = indices.integer(index);
        place < -data.dims()[axis] || place >= data.dims()[axis])
      return std::nullopt;
  SmallVector<int64_t> steps = strides(data.dims()),
                       indexSteps = strides(indices.dims());
  return moved(evaluation, [&](ArrayRef<int64_t> position) {
    int64_t which = 0;
    for (auto [i, step] : llvm::enumerate(indexSteps))
      which += position[axis + i] * step;
    int64_t place = indices.integer(which);
    if (place < 0)
      place += data.dims()[axis];
    int64_t index = place * steps[axis];
    for (int64_t i = 0; i < axis; ++i)
      index += position[i] * steps[i];
    for (int64_t i = axis + 1; i < data.rank(); ++i)
      index += position[i + indices.rank() - 1] * steps[i];
    return index;
  });
}

static Results gatherElements(const Evaluation &evaluation) {
  if (!ready(evaluation) || !evaluation.present(1))
    return std::nullopt;
  const Operand &data = evaluation.operand(0), &indices = evaluation.operand(1);
  int64_t axis = evaluation.integer("axis", 0);
  if (axis < 0)
    axis += data.rank();
  SmallVector<int64_t> steps = strides(data.dims());
  if (data.isSplat() || data.count() == 1)
    return std::nullopt; // not worth a check of the indices
  return moved(evaluation, [&](ArrayRef<int64_t> position) -> int64_t {
    int64_t which = 0, index = 0;
    for (auto [i, place] : llvm::enumerate(position)) {
      which = which * indices.dims()[i] + place;
      if (static_cast<int64_t>(i) != axis) {
        if (place >= data.dims()[i])
          return -1;
        index += place * steps[i];
      }
    }
    int64_t place = indices.integer(which), size = data.dims()[axis];
    if (place < -size || place >= size)
      return -1;
    return index + (place < 0 ? place + size : place) * steps[axis];
  });
}

static Results concat(const Evaluation &evaluation) {
  if (!ready(evaluation))
    return std::nullopt;
  int64_t axis = evaluation.integer("axis", 0);
  if (axis < 0)
    axis += evaluation.operand(0).rank();
  Result result(*evaluation.dims[0], evaluation.operand(0).elementType());
  SmallVector<int64_t> steps = strides(result.dims());
  int64_t offset = 0;
  for (const auto &operand : evaluation.operands) {
    if (!operand || operand->elementType() != result.elementType())
      return std::nullopt;
    forEach(operand->dims(), [&](ArrayRef<int64_t> position, int64_t index) {
      int64_t to = offset * steps[axis];
      for (auto [place, step] : llvm::zip_equal(position, steps))
        to += place * step;
      result.setBytes(to, operand->bytes(index));
    });
    offset += operand->dims()[axis];
  }
  return SmallVector<ElementsAttr>{result.take()};
}

static Results split(const Evaluation &evaluation) {
  if (!evaluation.present(0))
    return std::nullopt;
  const Operand &data = evaluation.operand(0);
  int64_t axis = evaluation.integer("axis", 0), offset = 0;
  if (axis < 0)
    axis += data.rank();
  SmallVector<int64_t> steps = strides(data.dims());
  SmallVector<ElementsAttr> results;
  for (const auto &dims : evaluation.dims) {
    if (!dims || offset + (*dims)[axis] > data.dims()[axis])
      return std::nullopt;
    Result result(*dims, data.elementType());
    forEach(*dims, [&](ArrayRef<int64_t> position, int64_t index) {
      int64_t from = offset * steps[axis];
      for (auto [place, step] : llvm::zip_equal(position, steps))
        from += place * step;
      result.setBytes(index, data.bytes(from));
    });
    results.push_back(result.take());
    offset += (*dims)[axis];
  }
  return results;
}

static Results pad(const Evaluation &evaluation) {
  auto mode = evaluation.op->getAttrOfType<StringAttr>("mode");
  if (!ready(evaluation) || !evaluation.present(1) || evaluation.present(3) ||
      (mode && mode.getValue() != "constant"))
    return std::nullopt;
  const Operand &data = evaluation.operand(0);
  SmallVector<int64_t> pads = evaluation.values(1);
  Result result(*evaluation.dims[0], data.elementType());
  std::vector<char> zero(elementSize(data.elementType()), 0);
  ArrayRef<char> fill(zero);
  if (evaluation.present(2)) {
    if (evaluation.operand(2).count() != 1)
      return std::nullopt;
    fill = evaluation.operand(2).bytes(0);
  }
  forEach(result.dims(), [&](ArrayRef<int64_t> position, int64_t index) {
    int64_t from = 0;
    bool inside = true;
    for (auto [axis, size] : llvm::enumerate(data.dims())) {
      int64_t place = position[axis] - pads[axis];
      inside &= place >= 0 && place < size;
      from = from * size + place;
    }
    result.setBytes(index, inside ? data.bytes(from) : fill);
  });
  return SmallVector<ElementsAttr>{result.take()};
}

static Results constantOfShape(const Evaluation &evaluation) {
  if (!evaluation.dims[0])
    return std::nullopt;
  auto value = evaluation.op->getAttrOfType<ElementsAttr>("value");
  auto fill = value ? Operand::get(value) : std::nullopt;
  if (value && (!fill || fill->count() != 1))
    return std::nullopt;
  Result result(*evaluation.dims[0], evaluation.resultElementType(),
                /*splat=*/true);
  if (elementSize(result.elementType()) == 0)
    return std::nullopt;
  for (int64_t index = 0; fill && index < result.stored(); ++index)
    result.setBytes(index, fill->bytes(0));
  return SmallVector<ElementsAttr>{result.take()};
}

static Results range(const Evaluation &evaluation) {
  if (!evaluation.dims[0] || evaluation.operands.size() != 3)
    return std::nullopt;
  for (const auto &operand : evaluation.operands)
    if (!operand || operand->count() != 1 || !operand->isNumeric())
      return std::nullopt;
  const Operand &start = evaluation.operand(0), &delta = evaluation.operand(2);
  Result result(*evaluation.dims[0], evaluation.resultElementType());
  for (int64_t index = 0; index < result.count(); ++index)
    if (start.isFloat())
      result.setReal(index, start.real(0) + index * delta.real(0));
    else
      result.setInteger(index, static_cast<uint64_t>(start.integer(0)) +
                                   static_cast<uint64_t>(index) *
                                       static_cast<uint64_t>(delta.integer(0)));
  return SmallVector<ElementsAttr>{result.take()};
}

static Results trilu(const Evaluation &evaluation) {
  if (!ready(evaluation))
    return std::nullopt;
  const Operand &data = evaluation.operand(0);
  if (evaluation.present(1) && evaluation.operand(1).count() != 1)
    return std::nullopt;
  int64_t shift = evaluation.present(1) ? evaluation.operand(1).integer(0) : 0;
  bool upper = evaluation.integer("upper", 1) != 0;
  if (data.rank() < 2)
    return std::nullopt;
  Result result(*evaluation.dims[0], data.elementType());
  forEach(result.dims(), [&](ArrayRef<int64_t> position, int64_t index) {
    int64_t row = position[position.size() - 2], column = position.back();
    // The others stay zero.
    if (upper ? column - row >= shift : column - row <= shift)
      result.setBytes(index, data.bytes(index));
  });
  return SmallVector<ElementsAttr>{result.take()};
}

static Results nonZero(const Evaluation &evaluation) {
  if (!evaluation.present(0) || !evaluation.operand(0).isNumeric())
    return std::nullopt;
  const Operand &data = evaluation.operand(0);
  SmallVector<SmallVector<int64_t>> found;
  forEach(data.dims(), [&](ArrayRef<int64_t> position, int64_t index) {
    if (data.isFloat() ? data.real(index) != 0 : data.integer(index) != 0)
      found.emplace_back(position);
  });
  int64_t count = found.size();
  Result result({data.rank(), count}, evaluation.resultElementType());
  for (auto [index, position] : llvm::enumerate(found))
    for (auto [axis, place] : llvm::enumerate(position))
      result.setInteger(axis * count + index, place);
  return SmallVector<ElementsAttr>{result.take()};
}

/// ScatterND without a reduction, as assignments to slices are exported.
static Results scatterND(const Evaluation &evaluation) {
  auto reduction = evaluation.op->getAttrOfType<StringAttr>("reduction");
  if (!ready(evaluation) || !evaluation.present(1) || !evaluation.present(2) ||
      (reduction && reduction.getValue() != "none"))
    return std::nullopt;
  const Operand &data = evaluation.operand(0), &indices = evaluation.operand(1),
                &updates = evaluation.operand(2);
  if (indices.rank() == 0 || data.elementType() != updates.elementType())
    return std::nullopt;
  int64_t depth = indices.dims().back(), block = 1;
  if (depth > data.rank())
    return std::nullopt;
  for (int64_t size : data.dims().drop_front(depth))
    block *= size;
  int64_t count = 1;
  for (int64_t size : indices.dims().drop_back())
    count *= size;
  if (updates.count() != count * block)
    return std::nullopt;
  Result result(*evaluation.dims[0], data.elementType());
  for (int64_t index = 0; index < result.count(); ++index)
    result.setBytes(index, data.bytes(index));
  for (int64_t which = 0; which < count; ++which) {
    int64_t to = 0;
    for (int64_t axis = 0; axis < depth; ++axis) {
      int64_t place = indices.integer(which * depth + axis);
      int64_t size = data.dims()[axis];
      if (place < -size || place >= size)
        return std::nullopt;
      to = to * size + (place < 0 ? place + size : place);
    }
    for (int64_t i = 0; i < block; ++i)
      result.setBytes(to * block + i, updates.bytes(which * block + i));
  }
  return SmallVector<ElementsAttr>{result.take()};
}

void fold::addDataMovement(Evaluators &evaluators) {
  for (StringRef name :
       {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})
    evaluators.on(name, regrouped);
  evaluators.on("Transpose", transpose);
  evaluators.on("Expand", expand);
  evaluators.on("Tile", tile);
  evaluators.on("Slice", slice);
  evaluators.on("Gather", gather);
  evaluators.on("GatherElements", gatherElements);
  evaluators.on("Concat", concat);
  evaluators.on("Split", split);
  evaluators.on("Pad", pad);
  evaluators.on("ConstantOfShape", constantOfShape);
  evaluators.on("Range", range);
  evaluators.on("Trilu", trilu);
  evaluators.on("NonZero", nonZero);
  evaluators.on("ScatterND", scatterND);
}
