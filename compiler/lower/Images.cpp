//===- Images.cpp - ImageDecoder ------------------------------------------===//

#include "compiler/lower/BoxedValues.h"
#include "compiler/lower/Strings.h"

using namespace mlir;
using namespace onnxc;

/// The host decodes (runtime/images); its result is [height, width, channels].
static LogicalResult lowerImageDecoder(Lowering &l, OnnxNode n) {
  StringRef format = n.string("pixel_format", "RGB");
  if (format != "RGB" && format != "BGR" && format != "Grayscale")
    return l.refuse("pixel_format is none of RGB, BGR and Grayscale");
  if (l.rank(n.in(0)) != 1)
    return l.refuse("the encoded stream must have rank 1");
  Value stream = boxTensor(l, l.value(n.in(0)), l.elementType(n.in(0)));
  Value results =
      callHost(l, "ImageDecoder", {stream, boxStrings(l, {format})});
  l.set(n.out(), unboxTensor(l, readValue(l, "at", {results, l.index(0)}),
                             n.out(), "the image"));
  return success();
}

void onnxc::addImages(LoweringTable &table) {
  table.onOp("ImageDecoder", lowerImageDecoder);
}
