//===- ResizeShapes.cpp - Shapes of Resize and of samplers ----------------===//

#include "compiler/graph/shapes/ShapeContext.h"

#include "dialects/onnx/Elements.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace onnxc;

/// `size` times `scale`, as the f32 arithmetic of the operator gives it.
static Expr scaled(ShapeContext &shape, Expr size, float scale,
                   unsigned index) {
  if (scale == 1.0f)
    return size;
  if (auto value = dim::constant(size)) {
    double product = static_cast<float>(*value) * scale;
    return product < 1e15
               ? shape.constant(static_cast<int64_t>(std::floor(product)))
               : Expr();
  }
  // Few bits: exact for every size that occurs.
  int exponent = 0;
  float mantissa = std::frexp(scale, &exponent);
  int64_t numerator = std::llround(std::ldexp(mantissa, 24));
  int64_t denominator = 1;
  exponent -= 24;
  while (exponent < 0 && numerator % 2 == 0) {
    numerator /= 2;
    ++exponent;
  }
  if (exponent >= 0 && exponent < 12)
    numerator <<= exponent;
  else if (exponent < 0 && exponent > -12)
    denominator <<= -exponent;
  else
    numerator = 0;
  if (numerator > 0 && numerator < 4096)
    return dim::floorDivide(dim::multiply(size, numerator), denominator);
  uint32_t bits;
  std::memcpy(&bits, &scale, sizeof bits);
  return shape.derived("scale" + std::to_string(bits), {size}, 0, index);
}

static LogicalResult resize(ShapeContext &shape) {
  auto data = shape.dims(0);
  if (!data)
    return success();
  int64_t rank = data->size();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(rank));
  if (auto values = shape.integers("axes"); values && !values->empty()) {
    FailureOr<SmallVector<int64_t>> normal = shape.axes(*values, rank);
    if (failed(normal))
      return failure();
    axes = *normal;
  }
  Exprs result(*data);
  auto isEmpty = [&](unsigned operand) {
    auto dims = shape.dims(operand);
    return !shape.present(operand) ||
           (dims && dims->size() == 1 && dim::constant((*dims)[0]) == 0);
  };
  bool hasSizes = !isEmpty(3);
  for (int64_t axis : axes)
    result[axis] = {};
  if (hasSizes) {
    StringRef policy = shape.string("keep_aspect_ratio_policy", "stretch");
    auto sizes = shape.elementsOrSymbols(3);
    if (sizes && sizes->size() != axes.size())
      return shape.error("sizes has " + Twine(sizes->size()) + " values for " +
                         Twine(axes.size()) + " axes");
    if (sizes && policy == "stretch") {
      for (auto [index, axis] : llvm::enumerate(axes))
        if (!shape.readsData((*sizes)[index]))
          result[axis] = (*sizes)[index];
    } else if (sizes) {
      // One scale for all axes: the least or greatest of those wanted.
      std::optional<double> scale;
      for (auto [index, axis] : llvm::enumerate(axes)) {
        auto wanted = dim::constant((*sizes)[index]);
        auto own = dim::constant((*data)[axis]);
        if (!wanted || !own || *own == 0) {
          scale.reset();
          break;
        }
        double ratio = static_cast<float>(*wanted) / static_cast<float>(*own);
        if (!scale)
          scale = ratio;
        else
          scale = policy == "not_larger" ? std::min(*scale, ratio)
                                         : std::max(*scale, ratio);
      }
      if (scale)
        for (int64_t axis : axes)
          result[axis] = shape.constant(static_cast<int64_t>(
              std::floor(static_cast<float>(*scale) *
                             static_cast<float>(*dim::constant((*data)[axis])) +
                         0.5f)));
    }
  } else if (!isEmpty(2)) {
    bool crops = shape.string("coordinate_transformation_mode", "half_pixel") ==
                 "tf_crop_and_resize";
    auto elements = constantElements(shape.op->getOperand(2));
    auto scales = elements ? floatValues(elements) : std::nullopt;
    SmallVector<float> factors;
    if (scales)
      factors.append(scales->begin(), scales->end());
    else if (auto ratios = shape.ratios(2))
      for (const Ratio &ratio : *ratios) {
        auto value = dim::constant(ratio.numerator);
        if (!value) {
          factors.clear();
          break;
        }
        factors.push_back(static_cast<float>(*value) /
                          static_cast<float>(ratio.denominator));
      }
    if (!factors.empty() && factors.size() != axes.size())
      return shape.error("scales has " + Twine(factors.size()) +
                         " values for " + Twine(axes.size()) + " axes");
    for (float factor : factors)
      if (!(factor > 0) || factor > 1e6f)
        return shape.error("scales has the value " + std::to_string(factor));
    auto roiElements = crops && shape.present(1)
                           ? constantElements(shape.op->getOperand(1))
                           : ElementsAttr();
    auto roi = roiElements ? floatValues(roiElements) : std::nullopt;
    if (!factors.empty() && (!crops || (roi && roi->size() == 2 * axes.size())))
      for (auto [index, axis] : llvm::enumerate(axes)) {
        float factor = factors[index];
        if (crops)
          factor *= static_cast<float>((*roi)[index + axes.size()]) -
                    static_cast<float>((*roi)[index]);
        if (factor >= 0)
          result[axis] = factor == 0
                             ? shape.constant(0)
                             : scaled(shape, (*data)[axis], factor, axis);
      }
  } else {
    return shape.error("neither scales nor sizes is given");
  }
  shape.setDims(0, std::move(result));
  return success();
}

/// GridSample: [N, C, in...], [N, out..., r] -> [N, C, out...].
static LogicalResult gridSample(ShapeContext &shape) {
  auto data = shape.dims(0), grid = shape.dims(1);
  if (!data || !grid)
    return success();
  if (data->size() < 3 || grid->size() != data->size())
    return shape.error("the grid has rank " + Twine(grid->size()) +
                       " for an input of rank " + Twine(data->size()));
  if (failed(shape.same((*data)[0], (*grid)[0], "batches of input and grid")))
    return failure();
  Exprs result{(*data)[0], (*data)[1]};
  result.append(grid->begin() + 1, grid->end() - 1);
  shape.setDims(0, std::move(result));
  return success();
}

/// AffineGrid: size is [N, C, out...]; the result [N, out..., r].
static LogicalResult affineGrid(ShapeContext &shape) {
  auto size = shape.elementsOrSymbols(1);
  if (!size)
    return success();
  if (size->size() != 4 && size->size() != 5)
    return shape.error("size has " + Twine(size->size()) +
                       " values, not 4 or 5");
  Exprs result{(*size)[0]};
  result.append(size->begin() + 2, size->end());
  for (Expr &expr : result)
    if (shape.readsData(expr))
      expr = {};
  result.push_back(shape.constant(size->size() - 2));
  shape.setDims(0, std::move(result));
  return success();
}

void onnxc::addResizeShapes(ShapeRules &rules) {
  rules.onShape("Resize", resize);
  rules.onShape("GridSample", gridSample);
  rules.onShape("AffineGrid", affineGrid);
}
