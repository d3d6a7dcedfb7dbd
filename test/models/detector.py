"""A detector as the YOLO family exports it: CSP blocks with SiLU, a pyramid joined by Resize and Concat, boxes as the
means of distributions (Softmax, Conv), anchors from the picture's dynamic size, NonMaxSuppression and its gathers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from graph import Graph
from onnx import TensorProto

CLASSES, BINS = 5, 16


class Detector(Graph):
    def conv(self, x: str, inputs: int, outputs: int, size: int = 1, stride: int = 1) -> str:
        weight = self.weight(outputs, inputs, size, size, scale=(2 / (inputs * size * size)) ** 0.5)
        bias = self.weight(outputs, scale=0.2)
        return self.op("Conv", x, weight, bias, strides=[stride] * 2, pads=[size // 2] * 4)

    def block(self, x: str, inputs: int, outputs: int, size: int = 1, stride: int = 1) -> str:
        y = self.conv(x, inputs, outputs, size, stride)
        return self.op("Mul", y, self.op("Sigmoid", y))

    def partial(self, x: str, inputs: int, outputs: int) -> str:
        """Half of the channels goes through a residual block; all that appears on the way is joined."""
        half = outputs // 2
        first, second = self.ops("Split", 2, self.block(x, inputs, outputs), axis=1, num_outputs=2)
        inner = self.block(self.block(second, half, half, 3), half, half, 3)
        joined = self.op("Concat", first, second, self.op("Add", second, inner), axis=1)
        return self.block(joined, 3 * half, outputs)

    def pooled(self, x: str, channels: int) -> str:
        parts = [self.block(x, channels, channels // 2)]
        for _ in range(3):
            parts.append(self.op("MaxPool", parts[-1], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1]))
        return self.block(self.op("Concat", *parts, axis=1), 2 * channels, channels)

    def anchors(self, level: str, stride: int) -> str:
        """[2, places]: the centres (x, y) of the level's pixels, in pixels of the picture."""
        zero, one = self.constant(np.int64(0)), self.constant(np.int64(1))
        height, width = (self.op("Squeeze", self.dim(level, axis)) for axis in (2, 3))
        shape = self.op("Concat", *(self.op("Unsqueeze", v, self.integers(0)) for v in (height, width)), axis=0)
        rows = self.op("Unsqueeze", self.op("Range", zero, height, one), self.integers(1))
        columns = self.op("Unsqueeze", self.op("Range", zero, width, one), self.integers(0))
        planes = [self.reshape(self.op("Expand", value, shape), 1, -1) for value in (columns, rows)]
        centres = self.op("Cast", self.op("Concat", *planes, axis=0), to=TensorProto.FLOAT)
        return self.op("Mul", self.op("Add", centres, self.number(0.5)), self.number(stride))

    def boxes(self, distributions: str, anchors: str, strides: str) -> str:
        """[B, 4, places]: corners, from the distances of the anchor to the left, top, right and bottom."""
        split = self.transpose(self.reshape(distributions, 0, 4, BINS, -1), 0, 2, 1, 3)
        bins = self.constant(np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1))
        distances = self.reshape(self.op("Conv", self.op("Softmax", split, axis=1), bins), 0, 4, -1)
        before, after = self.ops("Split", 2, self.op("Mul", distances, strides), axis=1, num_outputs=2)
        return self.op("Concat", self.op("Sub", anchors, before), self.op("Add", anchors, after), axis=1)


def write(path: Path) -> None:
    g = Detector("detector", 20)
    picture = g.input("images", TensorProto.FLOAT, "batch", 3, "height", "width")
    x = g.block(g.block(picture, 3, 16, 3, 2), 16, 32, 3, 2)
    fine = g.partial(g.block(g.partial(x, 32, 32), 32, 64, 3, 2), 64, 64)
    coarse = g.pooled(g.partial(g.block(fine, 64, 96, 3, 2), 96, 96), 96)
    scales = g.constant(np.array([1, 1, 2, 2], np.float32))
    larger = g.op("Resize", coarse, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric",
                  nearest_mode="floor")  # fmt: skip
    fine = g.partial(g.op("Concat", larger, fine, axis=1), 160, 64)
    coarse = g.partial(g.op("Concat", g.block(fine, 64, 64, 3, 2), coarse, axis=1), 160, 96)

    levels, anchors, strides = [], [], []
    for level, channels, stride in ((fine, 64, 8), (coarse, 96, 16)):
        box = g.conv(g.block(level, channels, 64, 3), 64, 4 * BINS)
        label = g.conv(g.block(level, channels, 32, 3), 32, CLASSES)
        levels.append(g.reshape(g.op("Concat", box, label, axis=1), 0, 4 * BINS + CLASSES, -1))
        anchors.append(g.anchors(level, stride))
        places = g.op("Concat", g.integers(1), g.dim(levels[-1], 2), axis=0)
        strides.append(g.op("Expand", g.number(stride), places))
    everything = g.op("Concat", *levels, axis=2)
    sizes = g.integers(4 * BINS, CLASSES)
    distributions, labels = g.ops("Split", 2, everything, sizes, axis=1)
    corners = g.boxes(distributions, g.op("Concat", *anchors, axis=1), g.op("Concat", *strides, axis=1))
    scores = g.op("Sigmoid", labels)
    g.output(g.op("Concat", corners, scores, axis=1), "raw", "batch", 4 + CLASSES, None)

    rows = g.transpose(corners, 0, 2, 1)
    limits = g.integers(20), g.constant(np.array([0.45], np.float32)), g.constant(np.array([0.6], np.float32))
    chosen = g.op("NonMaxSuppression", rows, scores, *limits)
    g.output(chosen, "chosen", None, 3, element=TensorProto.INT64)
    places = g.op("Gather", chosen, g.integers(0, 2), axis=1)
    g.output(g.op("GatherND", rows, places), "boxes", None, 4)
    g.output(g.op("GatherND", scores, chosen), "scores", None)
    g.save(path)
