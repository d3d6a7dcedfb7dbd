"""A segmentation head: dilated branches and a global one, ConvTranspose on the way up, bilinear Resize to the
picture's own dynamic size."""

from __future__ import annotations

from pathlib import Path

from graph import Graph
from onnx import TensorProto

CLASSES = 7


class Segmenter(Graph):
    def conv(self, x: str, inputs: int, outputs: int, size: int = 3, stride: int = 1, dilation: int = 1) -> str:
        weight = self.weight(outputs, inputs, size, size, scale=(2 / (inputs * size * size)) ** 0.5)
        pads = [dilation * (size // 2)] * 4
        options = {"strides": [stride] * 2, "dilations": [dilation] * 2, "pads": pads}
        normal = (self.around_one(outputs), *(self.weight(outputs, scale=0.1) for _ in range(2)))
        variance = self.around_one(outputs)
        y = self.op("BatchNormalization", self.op("Conv", x, weight, **options), *normal, variance)
        return self.op("Relu", y)

    def size_of(self, x: str) -> str:
        return self.op("Shape", x, start=2)

    def resized(self, x: str, like: str, corners: bool) -> str:
        """Bilinear, to the height and width of another tensor."""
        sizes = self.op("Concat", self.op("Shape", x, end=2), self.size_of(like), axis=0)
        mode = "align_corners" if corners else "half_pixel"
        return self.op("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode=mode)


def write(path: Path) -> None:
    g = Segmenter("segmenter", 20)
    picture = g.input("x", TensorProto.FLOAT, "batch", 3, "height", "width")
    skip = g.conv(picture, 3, 24, stride=2)
    x = g.conv(g.conv(skip, 24, 32, stride=2), 32, 48, stride=2)
    branches = [g.conv(x, 48, 16, size=1)]
    branches += [g.conv(x, 48, 16, dilation=dilation) for dilation in (2, 4)]
    overall = g.conv(g.op("GlobalAveragePool", x), 48, 16, size=1)
    branches.append(g.resized(overall, x, corners=True))
    x = g.conv(g.op("Concat", *branches, axis=1), 64, 32, size=1)
    up = g.weight(32, 24, 4, 4, scale=0.09)
    x = g.op("ConvTranspose", x, up, g.weight(24, scale=0.1), strides=[2, 2], pads=[1] * 4)
    up = g.weight(24, 24, 2, 2, scale=0.2)
    x = g.op("ConvTranspose", g.op("Relu", x), up, strides=[2, 2])
    x = g.op("Concat", g.resized(g.op("Relu", x), skip, corners=False), skip, axis=1)
    scores = g.op("Conv", g.conv(x, 48, 24), g.weight(CLASSES, 24, 1, 1, scale=0.3))
    g.output(g.resized(scores, picture, corners=False), "y", "batch", CLASSES, "height", "width")
    g.save(path)
