//===- ConvPoolShapes.cpp - Shapes of convolutions and pools --------------===//

#include "compiler/graph/shapes/ShapeContext.h"

using namespace mlir;
using namespace onnxc;

namespace {

/// The window attributes of a convolution or pool, one entry per spatial dim.
struct Window {
  SmallVector<int64_t> strides, dilations, pads; // pads: begins, then ends
  SmallVector<Expr> kernel;
  StringRef autoPad;
  bool ceil = false;
};

} // namespace

/// Reads what all windows have. `kernel` gives the kernel's dims where the
/// attribute `kernel_shape` is absent.
static FailureOr<Window> readWindow(ShapeContext &shape, size_t spatial,
                                    std::optional<Exprs> kernel) {
  Window window;
  auto read = [&](StringRef name, size_t size, int64_t missing,
                  int64_t least) -> FailureOr<SmallVector<int64_t>> {
    auto values = shape.integers(name);
    if (!values)
      return SmallVector<int64_t>(size, missing);
    if (values->size() != size)
      return FailureOr<SmallVector<int64_t>>(
          shape.error(name + " has " + Twine(values->size()) +
                      " values where " + Twine(size) + " are needed"));
    for (int64_t value : *values)
      if (value < least || value > (int64_t(1) << 40))
        return FailureOr<SmallVector<int64_t>>(
            shape.error(name + " has the value " + Twine(value)));
    return *values;
  };
  auto strides = read("strides", spatial, 1, 1);
  auto dilations = read("dilations", spatial, 1, 1);
  auto pads = read("pads", 2 * spatial, 0, -(int64_t(1) << 40));
  if (failed(strides) || failed(dilations) || failed(pads))
    return failure();
  window.strides = *strides;
  window.dilations = *dilations;
  window.pads = *pads;
  window.autoPad = shape.string("auto_pad", "NOTSET");
  window.ceil = shape.integer("ceil_mode", 0) != 0;
  if (auto declared = shape.integers("kernel_shape")) {
    auto sizes = read("kernel_shape", spatial, 1, 1);
    if (failed(sizes))
      return failure();
    for (auto [index, size] : llvm::enumerate(*sizes)) {
      Expr expr = shape.constant(size);
      if (kernel && failed(shape.same((*kernel)[index], expr,
                                      "kernel_shape and the weight's dims")))
        return failure();
      window.kernel.push_back(expr);
    }
  } else if (kernel) {
    window.kernel.append(kernel->begin(), kernel->end());
  } else {
    return FailureOr<Window>(shape.error("kernel_shape is missing"));
  }
  if (window.autoPad == "VALID")
    window.pads.assign(2 * spatial, 0);
  else if (window.autoPad != "NOTSET" && window.autoPad != "SAME_UPPER" &&
           window.autoPad != "SAME_LOWER")
    return FailureOr<Window>(
        shape.error("auto_pad '" + window.autoPad + "' is not known"));
  return window;
}

/// The number of places that the window takes along spatial dim `index`.
static Expr places(const Window &window, Expr size, size_t index) {
  int64_t stride = window.strides[index];
  if (window.autoPad.starts_with("SAME"))
    return dim::ceilDivide(size, stride);
  // dilation * (kernel - 1) + 1
  Expr extent = dim::add(dim::multiply(dim::add(window.kernel[index], -1),
                                       window.dilations[index]),
                         1);
  int64_t begin = window.pads[index];
  int64_t end = window.pads[index + window.strides.size()];
  Expr room = dim::add(dim::subtract(size, extent), begin);
  if (window.ceil) {
    // The last window must start inside the input or the padding before it:
    // places = floor((size + begin + min(end - extent + stride - 1, -1)) /
    // stride) + 1.
    Expr slack = dim::add(dim::multiply(extent, -1), end + stride - 1);
    auto value = dim::constant(slack);
    if (!value)
      return {};
    Expr last = dim::add(size, begin + std::min<int64_t>(*value, -1));
    return dim::add(dim::floorDivide(last, stride), 1);
  }
  return dim::add(dim::floorDivide(dim::add(room, end), stride), 1);
}

static FailureOr<std::optional<Exprs>> batchAndSpatial(ShapeContext &shape) {
  auto input = shape.dims(0);
  if (!input)
    return std::optional<Exprs>();
  if (input->size() < 3)
    return FailureOr<std::optional<Exprs>>(
        shape.error("the input has rank " + Twine(input->size()) +
                    ", but a batch, a channel and a spatial dim are needed"));
  return std::optional<Exprs>(Exprs(*input));
}

/// Conv and its quantised forms: the weight is operand `weight`, [M, C / group,
/// kernel...].
static LogicalResult convolution(ShapeContext &shape, unsigned weight,
                                 unsigned bias) {
  auto input = batchAndSpatial(shape);
  if (failed(input))
    return failure();
  auto filter = shape.dims(weight);
  if (!*input || !filter)
    return success();
  Exprs &dims = **input;
  if (filter->size() != dims.size())
    return shape.error("the weight has rank " + Twine(filter->size()) +
                       " where the input has rank " + Twine(dims.size()));
  int64_t group = shape.integer("group", 1);
  if (group < 1)
    return shape.error("group is " + Twine(group));
  FailureOr<Expr> channels =
      shape.same(dims[1], dim::multiply((*filter)[1], group),
                 "channels of the input and of the weight times group");
  if (failed(channels))
    return failure();
  if (auto outputs = dim::constant((*filter)[0]); outputs && *outputs % group)
    return shape.error("group " + Twine(group) + " does not divide the " +
                       Twine(*outputs) + " output channels");
  if (shape.present(bias))
    if (auto shift = shape.dims(bias))
      if (shift->size() != 1 ||
          failed(shape.same((*shift)[0], (*filter)[0],
                            "sizes of the bias and the output channels")))
        return shift->size() == 1 ? failure()
                                  : shape.error("the bias is no vector");
  size_t spatial = dims.size() - 2;
  auto window = readWindow(shape, spatial, Exprs(filter->drop_front(2)));
  if (failed(window))
    return failure();
  Exprs result{dims[0], (*filter)[0]};
  for (size_t index = 0; index < spatial; ++index)
    result.push_back(places(*window, dims[index + 2], index));
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult conv(ShapeContext &s) { return convolution(s, 1, 2); }
/// Operand 2 and on are zero points.
static LogicalResult convInteger(ShapeContext &s) {
  return convolution(s, 1, ~0u);
}
static LogicalResult qlinearConv(ShapeContext &s) {
  return convolution(s, 3, 8);
}
static LogicalResult deformConv(ShapeContext &s) {
  return convolution(s, 1, 3);
}

static LogicalResult convTranspose(ShapeContext &shape) {
  auto input = batchAndSpatial(shape);
  if (failed(input))
    return failure();
  auto filter = shape.dims(1);
  if (!*input || !filter)
    return success();
  Exprs &dims = **input;
  if (filter->size() != dims.size())
    return shape.error("the weight has rank " + Twine(filter->size()) +
                       " where the input has rank " + Twine(dims.size()));
  int64_t group = shape.integer("group", 1);
  if (group < 1)
    return shape.error("group is " + Twine(group));
  if (failed(shape.same(dims[1], (*filter)[0],
                        "channels of the input and of the weight")))
    return failure();
  if (auto inputs = dim::constant((*filter)[0]); inputs && *inputs % group)
    return shape.error("group " + Twine(group) + " does not divide the " +
                       Twine(*inputs) + " input channels");
  size_t spatial = dims.size() - 2;
  auto window = readWindow(shape, spatial, Exprs(filter->drop_front(2)));
  if (failed(window))
    return failure();
  auto padding = shape.integers("output_padding");
  auto wanted = shape.integers("output_shape");
  if (padding && padding->empty())
    padding.reset();
  if (wanted && wanted->empty())
    wanted.reset();
  if (padding && padding->size() != spatial)
    return shape.error("output_padding has " + Twine(padding->size()) +
                       " values where " + Twine(spatial) + " are needed");
  // Some exporters give the whole shape.
  if (wanted && wanted->size() == spatial + 2)
    wanted->erase(wanted->begin(), wanted->begin() + 2);
  if (wanted && wanted->size() != spatial)
    return shape.error("output_shape has " + Twine(wanted->size()) +
                       " values where " + Twine(spatial) + " are needed");
  Exprs result{dims[0], dim::multiply((*filter)[1], group)};
  for (size_t index = 0; index < spatial; ++index) {
    if (wanted) {
      result.push_back(shape.constant((*wanted)[index]));
      continue;
    }
    Expr size = dims[index + 2];
    if (window->autoPad.starts_with("SAME")) {
      result.push_back(dim::multiply(size, window->strides[index]));
      continue;
    }
    // stride * (size - 1) + dilation * (kernel - 1) + 1 + padding - pads
    Expr expr = dim::multiply(dim::add(size, -1), window->strides[index]);
    expr = dim::add(expr, dim::multiply(dim::add(window->kernel[index], -1),
                                        window->dilations[index]));
    expr =
        dim::add(expr, 1 + (padding ? (*padding)[index] : 0) -
                           window->pads[index] - window->pads[index + spatial]);
    result.push_back(expr);
  }
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult pool(ShapeContext &shape) {
  auto input = batchAndSpatial(shape);
  if (failed(input))
    return failure();
  if (!*input)
    return success();
  Exprs &dims = **input;
  size_t spatial = dims.size() - 2;
  auto window = readWindow(shape, spatial, std::nullopt);
  if (failed(window))
    return failure();
  Exprs result{dims[0], dims[1]};
  for (size_t index = 0; index < spatial; ++index)
    result.push_back(places(*window, dims[index + 2], index));
  shape.setDims(1, result);
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult globalPool(ShapeContext &shape) {
  auto input = shape.dims(0);
  if (!input)
    return success();
  if (input->size() < 2)
    return shape.error("the input has no channel dim");
  Exprs result(*input);
  for (size_t index = 2; index < result.size(); ++index)
    result[index] = shape.constant(1);
  shape.setDims(0, std::move(result));
  return success();
}

static LogicalResult maxUnpool(ShapeContext &shape) {
  auto input = batchAndSpatial(shape);
  if (failed(input))
    return failure();
  if (!*input)
    return success();
  Exprs &dims = **input;
  if (shape.present(2)) {
    auto wanted = shape.elements(2);
    Exprs result(dims.size());
    if (wanted && wanted->size() == dims.size())
      for (auto [index, size] : llvm::enumerate(*wanted))
        result[index] = shape.readsData(size) ? Expr() : size;
    shape.setDims(0, std::move(result));
    return success();
  }
  size_t spatial = dims.size() - 2;
  auto window = readWindow(shape, spatial, std::nullopt);
  if (failed(window))
    return failure();
  Exprs result{dims[0], dims[1]};
  for (size_t index = 0; index < spatial; ++index) {
    Expr expr =
        dim::multiply(dim::add(dims[index + 2], -1), window->strides[index]);
    expr = dim::add(dim::add(expr, window->kernel[index]),
                    -window->pads[index] - window->pads[index + spatial]);
    result.push_back(expr);
  }
  shape.setDims(0, std::move(result));
  return success();
}

/// CausalConvWithState: the output has the input's shape, the state the last
/// kernel - 1 positions.
static LogicalResult causalConv(ShapeContext &shape) {
  shape.setSame(0, 0);
  auto input = shape.dims(0), weight = shape.dims(1);
  if (!input || !weight || input->size() < 2 || weight->empty())
    return success();
  Exprs state(*input);
  state.back() = dim::add(weight->back(), -1);
  shape.setDims(1, std::move(state));
  return success();
}

void onnxc::addConvPoolShapes(ShapeRules &rules) {
  rules.onShape("Conv", conv);
  rules.onShape("ConvInteger", convInteger);
  rules.onShape("QLinearConv", qlinearConv);
  rules.onShape("DeformConv", deformConv);
  rules.onShape("ConvTranspose", convTranspose);
  rules.onShape({"AveragePool", "LpPool", "MaxPool"}, pool);
  rules.onShape({"GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"},
                globalPool);
  rules.onShape("MaxUnpool", maxUnpool);
  rules.onShape("CausalConvWithState", causalConv);
}
