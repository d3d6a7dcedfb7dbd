//===- Col2Im.cpp - Overlapping blocks summed into an image ---------------===//

#include "compiler/lower/ComplexNumbers.h"
#include "compiler/lower/Elementwise.h"
#include "compiler/lower/Strings.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace onnxc;

/// With more places in a block, code for each would be much.
static constexpr int64_t mostUnrolledPlaces = 64;

namespace {
/// One spatial dim.
struct Col2ImDim {
  OpFoldResult image, count; ///< its size, and how many blocks there are
  int64_t dilation, stride, pad;
};

/// Where the blocks that have a place inside the image put it.
struct Reach {
  OpFoldResult firstBlock, firstPixel, count;
};
} // namespace

static Reach reachOf(Lowering &l, const Col2ImDim &dim, OpFoldResult place) {
  // Block b puts it at b * stride - behind.
  OpFoldResult behind =
      l.sub(l.attr(dim.pad), l.mul(place, l.attr(dim.dilation)));
  OpFoldResult stride = l.attr(dim.stride), zero = l.attr(0);
  OpFoldResult first = l.max(l.ceilDiv(behind, stride), zero);
  OpFoldResult end =
      l.min(l.ceilDiv(l.add(dim.image, behind), stride), dim.count);
  OpFoldResult pixel = l.max(l.sub(l.mul(first, stride), behind), zero);
  return {first, pixel, l.max(l.sub(end, first), zero)};
}

/// `image` [N, C, spatial...] with what the blocks have at the place with the
/// given position `at` in the block, element `place` of dim 2 of `blocks`
/// [N, C, places, numbers of blocks...], added.
static Value addPlace(Lowering &l, Value image, Value blocks,
                      ArrayRef<Col2ImDim> spatial, OpFoldResult place,
                      ArrayRef<OpFoldResult> at) {
  Dims size = l.sizes(image), from{l.attr(0), l.attr(0), place};
  Dims to{l.attr(0), l.attr(0)}, steps{l.attr(1), l.attr(1)};
  for (auto [d, dim] : llvm::enumerate(spatial)) {
    Reach reach = reachOf(l, dim, at[d]);
    if (getConstantIntValue(reach.count) == 0)
      return image;
    from.push_back(reach.firstBlock);
    to.push_back(reach.firstPixel);
    steps.push_back(l.attr(dim.stride));
    size[2 + d] = reach.count;
  }
  unsigned rank = size.size();
  Dims sourceSize = size, ones(rank + 1, l.attr(1));
  sourceSize.insert(sourceSize.begin() + 2, l.attr(1));
  SmallVector<AffineExpr> exprs;
  for (unsigned d = 0; d < rank; ++d)
    exprs.push_back(l.b.getAffineDimExpr(d));
  exprs.insert(exprs.begin() + 2, l.b.getAffineConstantExpr(0));
  Value sum = l.generic(
      l.slice(image, to, size, steps), l.b.getMultiDimIdentityMap(rank),
      {{l.slice(blocks, from, sourceSize, ones),
        AffineMap::get(rank, 0, exprs, l.b.getContext())}},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
      [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        return in[0].getType().isInteger(1) ? s.logicalOr(in[1], in[0])
                                            : s.add(in[1], in[0]);
      });
  return l.insertSlice(sum, image, to, size, steps);
}

namespace {
/// What is summed where.
struct Col2ImShape {
  SmallVector<Col2ImDim> spatial;
  Dims block, blocks, image; ///< `blocks`: [N, C, places, numbers of blocks...]
  OpFoldResult places;       ///< in a block
};
} // namespace

/// The image from zero, place by place of the block: each adds a part of the
/// image, which is a regular grid of pixels.
/// `tensor` has the dims of `shape.blocks`.
static Value sumPlaces(Lowering &l, Value tensor, const Col2ImShape &shape) {
  Type compute = cast<RankedTensorType>(tensor.getType()).getElementType();
  Value sum = l.filled(compute, shape.image, numberAttr(compute, 0));
  size_t spatial = shape.spatial.size();
  auto positionOf = [&](OpFoldResult place) {
    Dims at(spatial);
    for (size_t d = spatial; d-- > 0;) {
      OpFoldResult rest = l.floorDiv(place, shape.block[d]);
      at[d] = l.sub(place, l.mul(rest, shape.block[d]));
      place = rest;
    }
    return at;
  };
  if (auto known = getConstantIntValue(shape.places);
      known && *known <= mostUnrolledPlaces) {
    for (int64_t place = 0; place < *known; ++place)
      sum = addPlace(l, sum, tensor, shape.spatial, l.attr(place),
                     positionOf(l.attr(place)));
    return sum;
  }
  auto loop = scf::ForOp::create(
      l.b, l.loc, l.index(0), l.index(shape.places), l.index(1), sum,
      [&](OpBuilder &nested, Location loc, Value place, ValueRange state) {
        OpBuilder::InsertionGuard guard(l.b);
        l.b.setInsertionPoint(nested.getInsertionBlock(),
                              nested.getInsertionPoint());
        Value next = addPlace(l, state[0], tensor, shape.spatial, place,
                              positionOf(place));
        scf::YieldOp::create(l.b, loc, next);
      });
  return loop.getResult(0);
}

static LogicalResult lowerCol2Im(Lowering &l, OnnxNode n) {
  if (isString(l.elementType(n.in(0))))
    return l.refuse("strings do not add up");
  auto image = l.elements(n.in(1)), block = l.elements(n.in(2));
  if (l.rank(n.in(0)) != 3 || !image || !block ||
      image->size() != block->size() || image->empty())
    return l.refuse("image_shape and block_shape must have the same number of "
                    "elements, the input rank 3");
  size_t spatial = image->size();
  auto ones = SmallVector<int64_t>(spatial, 1);
  auto dilations = n.integers("dilations").value_or(ones);
  auto strides = n.integers("strides").value_or(ones);
  auto pads = n.integers("pads").value_or(SmallVector<int64_t>(2 * spatial, 0));
  auto isPositive = [](int64_t value) { return value > 0; };
  if (dilations.size() != spatial || strides.size() != spatial ||
      pads.size() != 2 * spatial || !llvm::all_of(dilations, isPositive) ||
      !llvm::all_of(strides, isPositive))
    return l.refuse("dilations, strides or pads do not fit image_shape");

  // The input's dims from those of the image and the block.
  Dims input = l.dims(n.in(0)), counts;
  OpFoldResult places = l.product(*block), columns = l.attr(1);
  SmallVector<Col2ImDim> dimsOfImage;
  for (size_t d = 0; d < spatial; ++d) {
    l.requireAtLeast((*block)[d], 1, "a dim of block_shape");
    l.requireAtLeast((*image)[d], 0, "a dim of image_shape");
    OpFoldResult room = l.add((*image)[d], l.attr(pads[d] + pads[spatial + d]));
    OpFoldResult extent = l.add(
        l.mul(l.sub((*block)[d], l.attr(1)), l.attr(dilations[d])), l.attr(1));
    OpFoldResult count =
        l.add(l.floorDiv(l.sub(room, extent), l.attr(strides[d])), l.attr(1));
    counts.push_back(l.max(count, l.attr(0)));
    columns = l.mul(columns, counts.back());
    dimsOfImage.push_back(
        {(*image)[d], counts.back(), dilations[d], strides[d], pads[d]});
  }
  OpFoldResult channels = l.floorDiv(input[1], places);
  l.requireEqual(l.mul(channels, places), input[1],
                 "channels times the block's size, and the input's dim 1");
  l.requireEqual(columns, input[2],
                 "the number of blocks and the input's dim 2");
  l.requireAtLeast(columns, 1, "the number of blocks");

  Dims dims{input[0], channels};
  llvm::append_range(dims, *image);
  dims = l.preferKnown(n.out(), dims);
  l.requireAllocatable(dims);
  Col2ImShape shape{
      dimsOfImage, Dims(*block), {input[0], channels, places}, dims, places};
  llvm::append_range(shape.blocks, counts);
  auto summed = [&](Value data, Type given, ComplexPart) {
    Type element = signless(given);
    if (!isa<FloatType>(element))
      return sumPlaces(l, l.reshape(data, shape.blocks), shape);
    Type compute = computeType(element);
    Value sum = sumPlaces(
        l, l.reshape(l.convert(data, element, compute), shape.blocks), shape);
    return l.convert(sum, compute, element);
  };
  l.set(n.out(), byParts(l, l.value(n.in(0)), l.elementType(n.in(0)), summed));
  return success();
}

void onnxc::addCol2Im(LoweringTable &table) {
  table.onOp("Col2Im", lowerCol2Im);
}
