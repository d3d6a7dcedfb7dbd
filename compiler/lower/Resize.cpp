//===- Resize.cpp - Resize ------------------------------------------------===//
//
// Each output element is a weighted sum of a few input elements: along every
// resized axis one tap (nearest), two (linear) or four (cubic). Where they are
// and what they weigh depends on the position along the axis alone and is
// computed once for each; sums are formed axis by axis.
//
//===----------------------------------------------------------------------===//

#include "compiler/lower/ComplexNumbers.h"
#include "compiler/lower/Elementwise.h"
#include "compiler/lower/ResizeTaps.h"
#include "compiler/lower/Strings.h"

using namespace mlir;
using namespace onnxc;

/// What is computed brought to the type of the result, and replaced where it
/// comes from beyond the input.
static Value finish(Lowering &l, Value tensor, const ResizeMode &mode,
                    ArrayRef<ResizeAxis> axes, ArrayRef<TapTables> tables,
                    Type element) {
  Type lowered = signless(element);
  bool isDone =
      cast<RankedTensorType>(tensor.getType()).getElementType() == lowered;
  Dims dims = l.sizes(tensor);
  unsigned rank = dims.size();
  SmallVector<MappedOperand> operands = {
      {tensor, l.b.getMultiDimIdentityMap(rank)}};
  for (auto [axis, table] : llvm::zip(axes, tables))
    if (table.outside)
      operands.push_back(
          {table.outside,
           AffineMap::get(rank, 0, l.b.getAffineDimExpr(axis.axis))});
  if (isDone && operands.size() == 1)
    return tensor;
  return l.map(lowered, dims, operands, [&](OpBuilder &nested, ValueRange in) {
    Scalars s{nested, l.loc};
    Value x = in[0];
    if (!isDone)
      x = isa<FloatType>(element) ? toFloat(s, x, lowered)
                                  : s.saturate(s.roundEven(x), element);
    for (Value outside : in.drop_front().drop_back())
      x = s.select(outside, s.constant(lowered, mode.extrapolation), x);
    return x;
  });
}

/// Reads scales and sizes into the axes that are resized.
static FailureOr<SmallVector<ResizeAxis>> readAxes(Lowering &l, OnnxNode n) {
  Value input = n.in(0);
  int64_t rank = l.rank(input);
  Type f32 = l.b.getF32Type();
  Scalars s{l.b, l.loc};
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (auto given = n.integers("axes"); given && !given->empty()) {
    axes.clear();
    for (int64_t axis : *given) {
      auto normal = normalizeAxis(axis, rank);
      if (!normal)
        return l.refuse("axis " + Twine(axis) + " is out of range");
      axes.push_back(*normal);
    }
  }
  Dims source = l.dims(input);
  Value roi = n.string("coordinate_transformation_mode", "half_pixel") ==
                      "tf_crop_and_resize"
                  ? n.in(1)
                  : Value();
  bool hasScales = n.in(2) && l.staticDim(n.in(2), 0) != 0;
  SmallVector<ResizeAxis> result;
  std::optional<Dims> sizes;
  std::optional<SmallVector<double>> scales;
  if (!hasScales) {
    if (!n.in(3))
      return l.refuse("neither scales nor sizes are given");
    sizes = l.elements(n.in(3));
    if (!sizes || sizes->size() != axes.size())
      return l.refuse("sizes do not fit the axes");
  } else {
    if (l.staticDim(n.in(2), 0) != static_cast<int64_t>(axes.size()))
      return l.refuse("scales do not fit the axes");
    scales = l.reals(n.in(2));
  }
  for (auto [i, axis] : llvm::enumerate(axes)) {
    ResizeAxis resized{axis, source[axis], {}, {}, {}, std::nullopt, {}, {}};
    Value length = s.fromIndex(l.index(source[axis]), f32);
    if (sizes) {
      resized.out = (*sizes)[i];
      auto in = getConstantIntValue(source[axis]);
      auto out = getConstantIntValue(resized.out);
      if (in && out && *in > 0)
        resized.constant = static_cast<double>(*out) / *in;
      resized.exactLength = s.fromIndex(l.index(resized.out), f32);
      resized.scale = s.div(resized.exactLength, length, false);
    } else {
      if (scales) {
        resized.constant = (*scales)[i];
        resized.scale = s.constant(f32, (*scales)[i]);
        if (!((*scales)[i] > 0))
          return l.refuse("a scale is not positive");
      } else {
        Value at = l.index(i);
        resized.scale =
            tensor::ExtractOp::create(l.b, l.loc, l.value(n.in(2)), at);
      }
      resized.exactLength = s.mul(length, resized.scale);
      auto in = getConstantIntValue(source[axis]);
      if (in && resized.constant)
        resized.out = l.attr(static_cast<int64_t>(std::floor(
            static_cast<float>(*in) * static_cast<float>(*resized.constant))));
      else if (resized.constant &&
               *resized.constant == static_cast<int64_t>(*resized.constant))
        resized.out = l.mul(source[axis],
                            l.attr(static_cast<int64_t>(*resized.constant)));
      else
        resized.out = getAsOpFoldResult(s.toIndex(arith::FPToSIOp::create(
            l.b, l.loc, l.b.getI64Type(), s.floor(resized.exactLength))));
    }
    if (roi) {
      Type roiType = l.elementType(roi);
      Value tensor = l.value(roi);
      auto at = [&](size_t position) {
        Value x =
            tensor::ExtractOp::create(l.b, l.loc, tensor, l.index(position));
        return s.convert(x, roiType, f32);
      };
      if (l.staticDim(roi, 0) != static_cast<int64_t>(2 * axes.size()))
        return l.refuse("roi does not fit the axes");
      resized.roiStart = at(i);
      resized.roiEnd = at(i + axes.size());
    }
    result.push_back(resized);
  }
  // One scale for all axes, as the policy wants.
  StringRef policy = n.string("keep_aspect_ratio_policy", "stretch");
  if (sizes && policy != "stretch") {
    Value scale;
    for (ResizeAxis &axis : result)
      scale = !scale                   ? axis.scale
              : policy == "not_larger" ? s.atMost(scale, axis.scale)
                                       : s.atLeast(scale, axis.scale);
    std::optional<double> constant;
    for (ResizeAxis &axis : result) {
      if (!axis.constant) {
        constant.reset();
        break;
      }
      constant = !constant                ? *axis.constant
                 : policy == "not_larger" ? std::min(*constant, *axis.constant)
                                          : std::max(*constant, *axis.constant);
    }
    for (ResizeAxis &axis : result) {
      axis.scale = scale;
      axis.constant = constant;
      Value length = s.fromIndex(l.index(axis.in), f32);
      // Rounded half up, as the operator's text says.
      Value rounded =
          s.floor(s.add(s.mul(length, scale), s.constant(f32, 0.5)));
      auto in = getConstantIntValue(axis.in);
      axis.out =
          in && constant
              ? l.attr(static_cast<int64_t>(std::floor(*in * *constant + 0.5)))
              : getAsOpFoldResult(s.toIndex(arith::FPToSIOp::create(
                    l.b, l.loc, l.b.getI64Type(), rounded)));
      axis.exactLength = s.fromIndex(l.index(axis.out), f32);
    }
  }
  return result;
}

/// A tensor whose onnx elements are of type `element`, resized to `dims`;
/// `tables` are of the axes, unless antialiased.
static Value resized(Lowering &l, Value tensor, Type element,
                     const ResizeMode &mode, ArrayRef<ResizeAxis> axes,
                     ArrayRef<TapTables> tables, ArrayRef<OpFoldResult> dims,
                     bool antialiased) {
  if (mode.mode == "nearest") {
    tensor = pickTaps(l, tensor, axes, tables, dims);
  } else if (!isa<FloatType>(element)) {
    tensor = l.convert(tensor, element, l.b.getF32Type());
  } else if (antialiased) {
    tensor = l.convert(tensor, element, computeType(element));
  }
  if (antialiased)
    for (const ResizeAxis &axis : axes)
      tensor = antialias(l, tensor, mode, axis);
  else if (mode.mode != "nearest")
    for (auto [axis, table] :
         llvm::zip(llvm::reverse(axes), llvm::reverse(tables)))
      tensor = sumTaps(l, tensor, mode, axis, table);
  return finish(l, tensor, mode, axes, tables, element);
}

static bool isKnown(const ResizeMode &mode) {
  return llvm::is_contained({"nearest", "linear", "cubic"}, mode.mode) &&
         llvm::is_contained({"half_pixel", "half_pixel_symmetric",
                             "pytorch_half_pixel", "align_corners",
                             "asymmetric", "tf_half_pixel_for_nn",
                             "tf_crop_and_resize"},
                            mode.coordinates) &&
         llvm::is_contained(
             {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"},
             mode.nearest);
}

static LogicalResult lowerResize(Lowering &l, OnnxNode n) {
  ResizeMode mode;
  mode.mode = n.string("mode", "nearest");
  mode.coordinates = n.string("coordinate_transformation_mode", "half_pixel");
  mode.nearest = n.string("nearest_mode", "round_prefer_floor");
  mode.cubicCoefficient = n.real("cubic_coeff_a", -0.75);
  mode.extrapolation = n.real("extrapolation_value", 0);
  bool antialiased = n.integer("antialias", 0) && mode.mode != "nearest";
  mode.excludeOutside =
      n.integer("exclude_outside", 0) && (mode.mode == "cubic" || antialiased);
  if (!isKnown(mode))
    return l.refuse("a mode that is none of the operator's is not supported");
  if (antialiased && mode.coordinates == "tf_crop_and_resize")
    return l.refuse("antialias = 1 with tf_crop_and_resize is not supported");
  if (isString(l.elementType(n.in(0))) && mode.mode != "nearest")
    return l.refuse("strings cannot be interpolated, which mode '" + mode.mode +
                    "' asks for");
  if (isString(l.elementType(n.in(0))) &&
      mode.coordinates == "tf_crop_and_resize")
    return l.refuse(
        "extrapolation_value is a number, the elements are strings");
  FailureOr<SmallVector<ResizeAxis>> read = readAxes(l, n);
  if (failed(read))
    return failure();
  int64_t rank = l.rank(n.in(0));
  Type element = l.elementType(n.in(0));
  Dims source = l.dims(n.in(0)), dims = source;
  for (ResizeAxis &axis : *read)
    dims[axis.axis] = axis.out;
  for (ResizeAxis &axis : *read) {
    std::string what = ("dim " + Twine(axis.axis)).str();
    l.requireAtLeast(axis.out, 0, what);
    // Nothing can be made of an empty dim.
    l.requireAtMost(l.min(axis.out, l.attr(1)), axis.in,
                    what + ", resized from an empty one");
  }
  dims = l.preferKnown(n.out(), dims);
  l.requireAllocatable(dims);
  SmallVector<ResizeAxis> axes;
  for (ResizeAxis &axis : *read) {
    axis.out = dims[axis.axis];
    bool same = axis.constant && *axis.constant == 1 &&
                mode.coordinates != "tf_crop_and_resize";
    if (same)
      continue;
    axes.push_back(axis);
  }

  // Pictures are resized with the channels last, like convolutions; with a few
  // channels, rows are longer.
  int64_t channels = rank == 4 ? l.staticDim(n.in(0), 1) : 0;
  bool channelsLast =
      rank == 4 && (channels < 0 || channels >= 8) &&
      llvm::all_of(axes, [](ResizeAxis &axis) { return axis.axis >= 2; });
  Value tensor = l.value(n.in(0));
  if (channelsLast) {
    tensor = l.transpose(tensor, {0, 2, 3, 1});
    dims = {dims[0], dims[2], dims[3], dims[1]};
    for (ResizeAxis &axis : axes)
      --axis.axis;
  }
  SmallVector<TapTables> tables(axes.size());
  if (!antialiased)
    for (auto [axis, table] : llvm::zip(axes, tables))
      table = makeTables(l, mode, axis);
  Value result = byParts(
      l, tensor, element, [&](Value part, Type type, ComplexPart which) {
        ResizeMode own = mode;
        if (which == ComplexPart::Imaginary)
          own.extrapolation = 0; // it is a real number
        return resized(l, part, type, own, axes, tables, dims, antialiased);
      });
  l.set(n.out(), channelsLast ? l.transpose(result, {0, 3, 1, 2}) : result);
  return success();
}

void onnxc::addResize(LoweringTable &table) {
  table.onOp("Resize", lowerResize);
}
