//===- WeightWriterTest.cpp - Bytes of the weight section -----------------===//

#include "compiler/emit/WeightWriter.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"

#include <numeric>

using namespace mlir;
using namespace onnxc;
using kernel::PlacedWeight;
using kernel::WeightLayout;

namespace {

class WeightWriterTest : public testing::Test {
protected:
  /// 0, 1, 2, … in a tensor of integers of the given width.
  template <typename T> ElementsAttr iota(ArrayRef<int64_t> shape) {
    auto type =
        RankedTensorType::get(shape, IntegerType::get(&context, sizeof(T) * 8));
    std::vector<T> values(type.getNumElements());
    std::iota(values.begin(), values.end(), T(0));
    return DenseElementsAttr::getFromRawBuffer(
        type, ArrayRef<char>(reinterpret_cast<char *>(values.data()),
                             values.size() * sizeof(T)));
  }
  DenseI64ArrayAttr array(ArrayRef<int64_t> values) {
    return Builder(&context).getDenseI64ArrayAttr(values);
  }
  template <typename T> std::vector<T> write(const PlacedWeight &weight) {
    WeightLayout layout;
    layout.weights = {weight};
    layout.bytes = weight.offset + weight.bytes;
    std::string bytes = writeAll(layout);
    std::vector<T> values(bytes.size() / sizeof(T));
    memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  std::string writeAll(const WeightLayout &layout) {
    std::string bytes;
    llvm::raw_string_ostream stream(bytes);
    llvm::Error error = writeWeights(layout, stream);
    EXPECT_FALSE(bool(error)) << toString(std::move(error));
    EXPECT_EQ(static_cast<int64_t>(bytes.size()), layout.bytes);
    return bytes;
  }
  /// The definition, element by element.
  std::vector<int64_t> reference(ArrayRef<int64_t> shape,
                                 ArrayRef<int64_t> permutation, int64_t width,
                                 int64_t axis) {
    SmallVector<int64_t> strides(shape.size());
    int64_t stride = 1;
    for (size_t i = shape.size(); i-- > 0; stride *= shape[i])
      strides[i] = stride;
    SmallVector<int64_t> result, resultStrides;
    for (int64_t dim : permutation) {
      result.push_back(shape[dim]);
      resultStrides.push_back(strides[dim]);
    }
    int64_t columns = result.back();
    if (width) {
      result.back() = width;
      result.insert(result.begin() + axis, llvm::divideCeil(columns, width));
      resultStrides.insert(resultStrides.begin() + axis,
                           resultStrides.back() * width);
    }
    std::vector<int64_t> values;
    SmallVector<int64_t> index(result.size(), 0);
    int64_t count = 1;
    for (int64_t size : result)
      count *= size;
    for (int64_t n = 0; n < count; ++n) {
      int64_t value = 0;
      for (size_t i = 0; i < index.size(); ++i)
        value += index[i] * resultStrides[i];
      bool outside = width && index[axis] * width + index.back() >= columns;
      values.push_back(outside ? 0 : value);
      for (size_t i = index.size(); i-- > 0;) {
        if (++index[i] < result[i])
          break;
        index[i] = 0;
      }
    }
    return values;
  }
  /// Lets the elements of rows 2i and 2i + 1 of `width` alternate.
  static std::vector<int64_t> paired(ArrayRef<int64_t> values, int64_t width) {
    std::vector<int64_t> result;
    for (size_t row = 0; row + 1 < values.size() / width; row += 2)
      for (int64_t column = 0; column < width; ++column)
        for (size_t half = 0; half < 2; ++half)
          result.push_back(values[(row + half) * width + column]);
    return result;
  }
  template <typename T>
  void compare(ArrayRef<int64_t> shape, ArrayRef<int64_t> permutation,
               int64_t width = 0, int64_t axis = 0, bool pairs = false) {
    PlacedWeight weight;
    weight.value = iota<T>(shape);
    weight.permutation = array(permutation);
    weight.panelWidth = width;
    weight.panelAxis = axis;
    weight.paired = pairs;
    std::vector<int64_t> expected = reference(shape, permutation, width, axis);
    if (pairs)
      expected = paired(expected, width);
    weight.bytes = expected.size() * sizeof(T);
    std::vector<T> written = write<T>(weight);
    ASSERT_EQ(written.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i)
      ASSERT_EQ(written[i], static_cast<T>(expected[i])) << i;
  }

  MLIRContext context{MLIRContext::Threading::DISABLED};
};

TEST_F(WeightWriterTest, AsItIs) { compare<int32_t>({3, 5}, {0, 1}); }

TEST_F(WeightWriterTest, Pairs) {
  compare<int8_t>({6, 40}, {0, 1}, 16, 0, /*pairs=*/true);
  compare<int8_t>({40, 6}, {1, 0}, 16, 0, /*pairs=*/true);
  compare<int8_t>({4, 16}, {0, 1}, 16, 0, /*pairs=*/true);
  compare<int16_t>({20, 3, 3, 8}, {1, 2, 3, 0}, 16, 1, /*pairs=*/true);
  // More rows than the buffer holds.
  compare<int32_t>({20, 20000}, {1, 0}, 16, 0, /*pairs=*/true);
}

TEST_F(WeightWriterTest, Permutations) {
  compare<int32_t>({3, 5}, {1, 0});
  compare<int8_t>({2, 3, 4}, {2, 0, 1});
  compare<int16_t>({2, 3, 4, 5}, {0, 2, 3, 1});
  compare<int64_t>({7, 1, 3, 2}, {1, 3, 2, 0});
  compare<int32_t>({100, 33}, {1, 0});
}

TEST_F(WeightWriterTest, Panels) {
  compare<int32_t>({5, 20}, {0, 1}, 16, 0);
  compare<int32_t>({20, 5}, {1, 0}, 16, 0);
  compare<int32_t>({5, 32}, {0, 1}, 16, 0);
  compare<int32_t>({5, 3}, {0, 1}, 16, 0);
  // A filter: O, I, H, W as one group.
  compare<int32_t>({1, 20, 3, 2, 2}, {0, 3, 4, 2, 1}, 16, 1);
  compare<int16_t>({2, 16, 3, 1, 1}, {0, 3, 4, 2, 1}, 16, 1);
}

TEST_F(WeightWriterTest, LargerThanTheBuffer) {
  compare<int32_t>({700, 600}, {1, 0});
  compare<int64_t>({2, 300000}, {0, 1});
  compare<int32_t>({600001, 2}, {1, 0}); // a row that does not fit
  compare<int32_t>({900, 601}, {0, 1}, 16, 0);
}

TEST_F(WeightWriterTest, ExpandedShape) {
  PlacedWeight weight;
  weight.value = iota<int32_t>({6, 4});
  weight.expandedShape = array({2, 3, 4});
  weight.permutation = array({1, 0, 2});
  weight.bytes = 96;
  std::vector<int32_t> written = write<int32_t>(weight);
  EXPECT_EQ(written[0], 0);
  EXPECT_EQ(written[4], 12);
  EXPECT_EQ(written[8], 4);
}

TEST_F(WeightWriterTest, SplatsAndBooleans) {
  auto i1 = IntegerType::get(&context, 1);
  PlacedWeight weight;
  weight.value = DenseElementsAttr::get(RankedTensorType::get({3}, i1),
                                        ArrayRef<bool>{true, false, true});
  weight.bytes = 3;
  EXPECT_EQ(write<uint8_t>(weight), (std::vector<uint8_t>{1, 0, 1}));
  weight.value = DenseElementsAttr::get(RankedTensorType::get({2}, i1), true);
  weight.bytes = 2;
  EXPECT_EQ(write<uint8_t>(weight), (std::vector<uint8_t>{1, 1}));
  // The padding of a panel is zero for a splat, too.
  weight.value = DenseElementsAttr::get(
      RankedTensorType::get({2, 3}, Float32Type::get(&context)), 7.0f);
  weight.panelWidth = 2;
  weight.bytes = 32;
  EXPECT_EQ(write<float>(weight), (std::vector<float>{7, 7, 7, 7, 7, 0, 7, 0}));
}

TEST_F(WeightWriterTest, TransformsWinogradFilters) {
  // [OC, IC, 3, 3], as ONNX has it, to [1, 3, 3, IC, OC] and panels of four.
  constexpr int64_t outputs = 6, inputs = 2, width = 4;
  std::vector<float> filter(outputs * inputs * 9);
  for (auto [i, value] : llvm::enumerate(filter))
    value = static_cast<float>((i * 7 + 3) % 23) - 11;
  PlacedWeight weight;
  weight.value =
      DenseElementsAttr::get(RankedTensorType::get({outputs, inputs, 3, 3},
                                                   Float32Type::get(&context)),
                             ArrayRef<float>(filter));
  weight.expandedShape = array({1, outputs, inputs, 3, 3});
  weight.permutation = array({0, 3, 4, 2, 1});
  const double g[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
  std::vector<double> transform;
  for (const auto &row : g)
    for (const auto &column : g)
      for (double y : row)
        for (double x : column)
          transform.push_back(y * x);
  weight.pointTransform = DenseF64ArrayAttr::get(&context, transform);
  weight.panelWidth = width;
  weight.bytes = 2 * 16 * inputs * width * sizeof(float);
  std::vector<float> written = write<float>(weight);

  for (int64_t oc = 0; oc < 2 * width; ++oc)
    for (int64_t ic = 0; ic < inputs; ++ic)
      for (int64_t i = 0; i < 4; ++i)
        for (int64_t j = 0; j < 4; ++j) {
          double expected = 0;
          for (int64_t y = 0; y < 3 && oc < outputs; ++y)
            for (int64_t x = 0; x < 3; ++x)
              expected += g[i][y] * g[j][x] *
                          filter[((oc * inputs + ic) * 3 + y) * 3 + x];
          int64_t panel = oc / width, column = oc % width;
          EXPECT_FLOAT_EQ(
              written[((panel * 16 + 4 * i + j) * inputs + ic) * width +
                      column],
              expected);
        }
}

TEST_F(WeightWriterTest, GapsAreZero) {
  WeightLayout layout;
  PlacedWeight weight;
  weight.value = iota<int8_t>({3});
  weight.bytes = 3;
  layout.weights.push_back(weight);
  weight.offset = 64;
  layout.weights.push_back(weight);
  layout.bytes = 67;
  std::string bytes = writeAll(layout);
  EXPECT_EQ(bytes.substr(0, 3), std::string("\0\1\2", 3));
  EXPECT_EQ(bytes.substr(3, 61), std::string(61, '\0'));
  EXPECT_EQ(bytes.substr(64), std::string("\0\1\2", 3));
}

TEST_F(WeightWriterTest, RefusesWhatDoesNotFit) {
  WeightLayout layout;
  PlacedWeight weight;
  weight.value = iota<int32_t>({4});
  weight.bytes = 12;
  layout.weights = {weight};
  layout.bytes = 12;
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  EXPECT_EQ(toString(writeWeights(layout, stream)),
            "a weight takes 16 bytes, 12 are reserved for it");
}

} // namespace
