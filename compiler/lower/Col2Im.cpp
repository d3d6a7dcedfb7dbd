//===- Col2Im.cpp - Overlapping blocks summed into an image ---------------===//

#include "compiler/lower/ComplexNumbers.h"
#include "compiler/lower/Elementwise.h"
#include "compiler/lower/Strings.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace onnxc;

namespace {
/// How blocks lie on an image.
struct Blocks {
  SmallVector<int64_t> dilations, strides, pads;
  OpFoldResult places;              ///< in a block
  SmallVector<Value> sizes, counts; ///< of a block, of the blocks; in each dim
};
} // namespace

/// Each pixel sums, over the places in a block, the one column (if any) whose
/// block has that place there.
/// `tensor` is [batch, channels, places, columns].
static Value sumBlocks(Lowering &l, const Blocks &blocks, Value tensor,
                       Type compute, ArrayRef<OpFoldResult> dims) {
  // Tells how many places there are; its elements are not used.
  Value extent = l.empty(l.b.getI8Type(), {blocks.places});
  unsigned loops = dims.size() + 1;
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::parallel);
  iterators.back() = utils::IteratorType::reduction;
  MLIRContext *context = l.b.getContext();
  return l.generic(
      l.filled(compute, dims, numberAttr(compute, 0)),
      AffineMap::getMultiDimIdentityMap(loops, context).dropResult(loops - 1),
      {{extent,
        AffineMap::get(loops, 0, l.b.getAffineDimExpr(loops - 1), context)}},
      iterators, [&](OpBuilder &nested, ValueRange in) {
        Scalars s{nested, l.loc};
        Type index = nested.getIndexType();
        auto loop = [&](unsigned dim) -> Value {
          return linalg::IndexOp::create(nested, l.loc, dim);
        };
        Value zero = s.integer(index, 0), place = loop(loops - 1);
        Value rest = place, column = zero, step = s.integer(index, 1);
        Value inside = s.integer(nested.getI1Type(), 1);
        for (int64_t d = static_cast<int64_t>(blocks.sizes.size()) - 1; d >= 0;
             --d) {
          Value within =
              arith::RemSIOp::create(nested, l.loc, rest, blocks.sizes[d]);
          rest = arith::DivSIOp::create(nested, l.loc, rest, blocks.sizes[d]);
          Value position =
              s.sub(s.add(loop(2 + d), s.integer(index, blocks.pads[d])),
                    s.mul(within, s.integer(index, blocks.dilations[d])));
          Value stride = s.integer(index, blocks.strides[d]);
          Value number =
              arith::FloorDivSIOp::create(nested, l.loc, position, stride);
          for (Value holds :
               {s.compare(Comparison::Equal, s.mul(number, stride), position,
                          false),
                s.compare(Comparison::GreaterOrEqual, number, zero, false),
                s.compare(Comparison::Less, number, blocks.counts[d], false)})
            inside = s.logicalAnd(inside, holds);
          column = s.add(column, s.mul(number, step));
          step = s.mul(step, blocks.counts[d]);
        }
        Value value = tensor::ExtractOp::create(
            nested, l.loc, tensor,
            ValueRange{loop(0), loop(1), place,
                       s.select(inside, column, zero)});
        Value term = s.select(inside, value, s.constant(compute, 0));
        return compute.isInteger(1) ? s.logicalOr(in.back(), term)
                                    : s.add(in.back(), term);
      });
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

  // Places of the block in each dim, and the input's dims from them.
  Dims input = l.dims(n.in(0)), counts;
  OpFoldResult places = l.product(*block), columns = l.attr(1);
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
  Blocks blocks{dilations, strides, pads, places, {}, {}};
  for (size_t d = 0; d < spatial; ++d) {
    blocks.sizes.push_back(l.index((*block)[d]));
    blocks.counts.push_back(l.index(counts[d]));
  }
  auto summed = [&](Value data, Type given, ComplexPart) {
    Type element = signless(given);
    bool isFloat = isa<FloatType>(element);
    Type compute = isFloat ? computeType(element) : element;
    Value columns =
        l.reshape(isFloat ? l.convert(data, element, compute) : data,
                  {input[0], channels, places, input[2]});
    Value sum = sumBlocks(l, blocks, columns, compute, dims);
    return isFloat ? l.convert(sum, compute, element) : sum;
  };
  l.set(n.out(), byParts(l, l.value(n.in(0)), l.elementType(n.in(0)), summed));
  return success();
}

void onnxc::addCol2Im(LoweringTable &table) {
  table.onOp("Col2Im", lowerCol2Im);
}
