//===- WeightWriter.cpp - Writes the bytes of the weight section ----------===//
//
// A weight is copied row by row of its result into a buffer, from a source with
// any strides. Columns are taken in blocks, each for all rows in the buffer, so
// that a transposed source is read a cache line at a time.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/WeightWriter.h"

#include "mlir/IR/DialectResourceBlobManager.h"

#include <cstring>

using namespace llvm;
using namespace onnxc;
using kernel::PlacedWeight;
using kernel::WeightLayout;

namespace {
constexpr int64_t bufferBytes = 1 << 20;
constexpr int64_t columnBlock = 32;

/// A dim of the result; strides are in elements of the source, 0 for a splat.
struct Dim {
  int64_t size;
  int64_t stride;
};

/// The source of a weight, seen in the order of its result.
struct Source {
  const char *data = nullptr;
  std::vector<char> unpacked; ///< where `data` had to be converted
  int64_t elementBytes = 0;
  SmallVector<Dim> dims;
  /// Panels that do not divide the last dim: dims[panelDim] counts the panels,
  /// the last of which holds `lastPanel` columns; -1 otherwise.
  int64_t panelDim = -1;
  int64_t lastPanel = 0;
  /// Whether the elements of two rows alternate in the result.
  bool paired = false;
};
} // namespace

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// Finds the bytes of a weight; one element when it is a splat.
static Error findBytes(const PlacedWeight &weight, Source &source,
                       bool &isSplat) {
  mlir::ShapedType type = weight.value.getShapedType();
  int64_t count = type.getNumElements();
  source.elementBytes = kernel::elementStorageBytes(type.getElementType());
  if (source.elementBytes == 0)
    return makeError("a weight has elements of no fixed size");
  isSplat = false;
  if (auto dense =
          dyn_cast<mlir::DenseElementsAttr>(mlir::Attribute(weight.value))) {
    isSplat = dense.isSplat();
    if (type.getElementType().isInteger(1)) { // packed there, a byte each here
      int64_t held = isSplat ? 1 : count;
      source.unpacked.reserve(held);
      for (auto [i, bit] : enumerate(dense.getValues<bool>())) {
        if (static_cast<int64_t>(i) == held)
          break;
        source.unpacked.push_back(bit);
      }
      source.data = source.unpacked.data();
      return Error::success();
    }
    source.data = dense.getRawData().data();
    return Error::success();
  }
  auto resource =
      dyn_cast<mlir::DenseResourceElementsAttr>(mlir::Attribute(weight.value));
  mlir::AsmResourceBlob *blob =
      resource ? resource.getRawHandle().getBlob() : nullptr;
  if (!blob)
    return makeError("the bytes of a weight are not there");
  int64_t held = static_cast<int64_t>(blob->getData().size());
  isSplat = held == source.elementBytes && count != 1;
  if (!isSplat && held < count * source.elementBytes)
    return makeError("a weight has " + Twine(held) + " bytes, its type needs " +
                     Twine(count * source.elementBytes));
  source.data = blob->getData().data();
  return Error::success();
}

/// The dims of a weight as they are before panels are made; strides are in
/// elements.
static Expected<SmallVector<Dim>> rearrangedDims(const PlacedWeight &weight,
                                                 bool isSplat) {
  ArrayRef<int64_t> shape = weight.value.getShapedType().getShape();
  if (weight.expandedShape)
    shape = weight.expandedShape.asArrayRef();
  SmallVector<Dim> dims(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    dims[i] = {shape[i], isSplat ? 0 : stride};
    stride *= shape[i];
  }
  if (weight.permutation) {
    ArrayRef<int64_t> permutation = weight.permutation.asArrayRef();
    SmallVector<Dim> permuted;
    for (int64_t dim : permutation) {
      if (dim < 0 || dim >= static_cast<int64_t>(dims.size()))
        return makeError("a weight's permutation is out of range");
      permuted.push_back(dims[dim]);
    }
    dims = std::move(permuted);
  }
  return dims;
}

/// Works out the strides.
static Expected<Source> openSource(const PlacedWeight &weight) {
  Source source;
  bool isSplat = false;
  if (Error error = findBytes(weight, source, isSplat))
    return error;
  Expected<SmallVector<Dim>> rearranged = rearrangedDims(weight, isSplat);
  if (!rearranged)
    return rearranged.takeError();
  SmallVector<Dim> dims = std::move(*rearranged);
  if (weight.panelWidth > 0) {
    if (dims.empty() || weight.panelAxis >= static_cast<int64_t>(dims.size()))
      return makeError("a weight's panel axis is out of range");
    int64_t columns = dims.back().size, each = dims.back().stride;
    int64_t panels = divideCeil(columns, weight.panelWidth);
    dims.back() = {weight.panelWidth, each};
    dims.insert(dims.begin() + weight.panelAxis,
                {panels, each * weight.panelWidth});
    if (columns % weight.panelWidth != 0) {
      source.panelDim = weight.panelAxis;
      source.lastPanel = columns % weight.panelWidth;
    }
  }
  if (dims.empty())
    dims.push_back({1, 0});

  // Neighbours that lie in the source as in the result are one dim.
  for (size_t i = dims.size(); i-- > 1;) {
    int64_t position = static_cast<int64_t>(i);
    if (weight.paired && i + 1 == dims.size())
      continue; // Its rows are looked at one by one.
    if (source.panelDim >= 0 &&
        (position == source.panelDim || position - 1 == source.panelDim ||
         i + 1 == dims.size()))
      continue;
    if (dims[i].size != 1) {
      if (dims[i - 1].stride != dims[i].size * dims[i].stride &&
          dims[i - 1].size != 1)
        continue;
      dims[i - 1] = {dims[i - 1].size * dims[i].size, dims[i].stride};
    }
    dims.erase(dims.begin() + i);
    if (source.panelDim > position)
      --source.panelDim;
  }
  source.dims = std::move(dims);
  source.paired = weight.paired;

  int64_t bytes = source.elementBytes;
  for (const Dim &dim : source.dims)
    bytes *= dim.size;
  if (bytes != weight.bytes)
    return makeError("a weight takes " + Twine(bytes) + " bytes, " +
                     Twine(weight.bytes) + " are reserved for it");
  return source;
}

/// A row of the result: where it starts in the source and how many of its
/// columns exist there.
struct Row {
  const char *from;
  int64_t columns;
};

/// Copies columns [0, count) of `rows`, each from a source with `stride`.
template <typename T>
static void copyRows(T *to, ArrayRef<Row> rows, int64_t width, int64_t first,
                     int64_t count, int64_t stride) {
  for (int64_t begin = 0; begin < count; begin += columnBlock) {
    int64_t end = std::min(begin + columnBlock, count);
    for (auto [r, row] : enumerate(rows)) {
      auto *from = reinterpret_cast<const T *>(row.from);
      T *out = to + r * width;
      int64_t last = std::min(end, row.columns - first);
      if (stride == 1 && last > begin)
        std::memcpy(&out[begin], &from[first + begin],
                    (last - begin) * sizeof(T));
      else
        for (int64_t c = begin; c < last; ++c)
          std::memcpy(&out[c], &from[(first + c) * stride], sizeof(T));
      for (int64_t c = std::max(begin, last); c < end; ++c)
        std::memset(&out[c], 0, sizeof(T));
    }
  }
}

namespace {
struct Wide { // complex128
  uint64_t low, high;
};
} // namespace

static void copyRows(char *to, ArrayRef<Row> rows, int64_t width, int64_t first,
                     int64_t count, const Source &source) {
  int64_t stride = source.dims.back().stride;
  switch (source.elementBytes) {
  case 1:
    return copyRows(reinterpret_cast<uint8_t *>(to), rows, width, first, count,
                    stride);
  case 2:
    return copyRows(reinterpret_cast<uint16_t *>(to), rows, width, first, count,
                    stride);
  case 4:
    return copyRows(reinterpret_cast<uint32_t *>(to), rows, width, first, count,
                    stride);
  case 8:
    return copyRows(reinterpret_cast<uint64_t *>(to), rows, width, first, count,
                    stride);
  default:
    return copyRows(reinterpret_cast<Wide *>(to), rows, width, first, count,
                    stride);
  }
}

/// Lets the elements of rows 2i and 2i + 1 alternate; `rows` is even.
static void pairRows(std::vector<char> &buffer, int64_t rows, int64_t width,
                     int64_t elementBytes, std::vector<char> &pair) {
  int64_t rowBytes = width * elementBytes;
  pair.resize(2 * rowBytes);
  for (int64_t row = 0; row < rows; row += 2) {
    char *both = buffer.data() + row * rowBytes;
    std::memcpy(pair.data(), both, 2 * rowBytes);
    for (int64_t column = 0; column < width; ++column)
      for (int64_t half = 0; half < 2; ++half)
        std::memcpy(both + (2 * column + half) * elementBytes,
                    pair.data() + half * rowBytes + column * elementBytes,
                    elementBytes);
  }
}

/// Writes the result row by row; in a buffer as many rows as fit, or a part of
/// one.
static void writeRearranged(const Source &source, raw_ostream &stream,
                            std::vector<char> &buffer) {
  int64_t width = source.dims.back().size;
  int64_t rowCount = 1;
  for (const Dim &dim : ArrayRef<Dim>(source.dims).drop_back())
    rowCount *= dim.size;
  int64_t room = bufferBytes / source.elementBytes;
  int64_t columnsAtOnce = std::min(width, room);
  int64_t rowsAtOnce = std::max<int64_t>(room / width, 1);
  std::vector<char> pair;
  if (source.paired)
    rowsAtOnce -= rowsAtOnce % 2;

  SmallVector<int64_t> index(source.dims.size() - 1, 0);
  std::vector<Row> rows;
  int64_t offset = 0; // of the row at `index`, in elements
  for (int64_t done = 0; done < rowCount;) {
    rows.clear();
    for (; done < rowCount && static_cast<int64_t>(rows.size()) < rowsAtOnce;
         ++done) {
      bool isPartial =
          source.panelDim >= 0 &&
          index[source.panelDim] == source.dims[source.panelDim].size - 1;
      rows.push_back({source.data + offset * source.elementBytes,
                      isPartial ? source.lastPanel : width});
      for (size_t i = index.size(); i-- > 0;) {
        offset += source.dims[i].stride;
        if (++index[i] < source.dims[i].size)
          break;
        offset -= source.dims[i].stride * source.dims[i].size;
        index[i] = 0;
      }
    }
    for (int64_t first = 0; first < width; first += columnsAtOnce) {
      int64_t count = std::min(columnsAtOnce, width - first);
      copyRows(buffer.data(), rows, count, first, count, source);
      if (source.paired)
        pairRows(buffer, static_cast<int64_t>(rows.size()), count,
                 source.elementBytes, pair);
      stream.write(buffer.data(), rows.size() * count * source.elementBytes);
    }
  }
}

/// Writes a filter [1, KH, KW, IC, OC] as panels of its points:
/// [OC / width, points, IC, width].
static Error writePoints(const PlacedWeight &weight, raw_ostream &stream) {
  Source source;
  bool isSplat = false;
  if (Error error = findBytes(weight, source, isSplat))
    return error;
  Expected<SmallVector<Dim>> dims = rearrangedDims(weight, isSplat);
  if (!dims)
    return dims.takeError();
  ArrayRef<double> transform = weight.pointTransform.asArrayRef();
  int64_t width = weight.panelWidth;
  if (dims->size() != 5 || weight.panelAxis != 0 || width <= 0 ||
      !weight.value.getShapedType().getElementType().isF32())
    return makeError("a weight is no filter in panels");
  int64_t taps = (*dims)[1].size * (*dims)[2].size;
  int64_t inputs = (*dims)[3].size, outputs = (*dims)[4].size;
  int64_t panels = divideCeil(outputs, width);
  int64_t points =
      taps == 0 ? 0 : static_cast<int64_t>(transform.size()) / taps;
  if (panels * points * inputs * width * source.elementBytes != weight.bytes)
    return makeError("a weight's reserved bytes do not fit its filter");

  std::vector<float> panel(points * inputs * width);
  std::vector<double> columnTaps(taps * width), sums(width);
  for (int64_t p = 0; p < panels; ++p) {
    int64_t columns = std::min(width, outputs - p * width);
    for (int64_t input = 0; input < inputs; ++input) {
      std::fill(columnTaps.begin(), columnTaps.end(), 0.0);
      for (int64_t column = 0; column < columns; ++column)
        for (int64_t tap = 0; tap < taps; ++tap) {
          float value;
          std::memcpy(&value,
                      source.data + (tap / (*dims)[2].size * (*dims)[1].stride +
                                     tap % (*dims)[2].size * (*dims)[2].stride +
                                     input * (*dims)[3].stride +
                                     (p * width + column) * (*dims)[4].stride) *
                                        source.elementBytes,
                      sizeof(float));
          columnTaps[tap * width + column] = value;
        }
      for (int64_t point = 0; point < points; ++point) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (int64_t tap = 0; tap < taps; ++tap)
          if (double factor = transform[point * taps + tap]; factor != 0)
            for (int64_t column = 0; column < width; ++column)
              sums[column] += factor * columnTaps[tap * width + column];
        std::copy(sums.begin(), sums.end(),
                  panel.begin() + (point * inputs + input) * width);
      }
    }
    stream.write(reinterpret_cast<const char *>(panel.data()),
                 panel.size() * sizeof(float));
  }
  return Error::success();
}

Error onnxc::writeWeights(const WeightLayout &layout, raw_ostream &stream) {
  std::vector<char> buffer(bufferBytes);
  int64_t written = 0;
  for (const PlacedWeight &weight : layout.weights) {
    if (weight.offset < written)
      return makeError("two weights overlap");
    stream.write_zeros(weight.offset - written);
    written = weight.offset + weight.bytes;
    if (!weight.value)
      return makeError("a weight has no value");
    if (weight.pointTransform) {
      if (Error error = writePoints(weight, stream))
        return error;
      continue;
    }
    Expected<Source> source = openSource(weight);
    if (!source)
      return source.takeError();
    if (weight.paired &&
        (weight.panelWidth <= 0 || weight.panelWidth > bufferBytes / 32))
      return makeError("a weight without panels cannot be paired");
    // Contiguous: straight from where it lies.
    if (source->dims.size() == 1 && source->dims[0].stride == 1)
      stream.write(source->data, weight.bytes);
    else if (weight.bytes > 0)
      writeRearranged(*source, stream, buffer);
  }
  stream.write_zeros(layout.bytes - written);
  return Error::success();
}
