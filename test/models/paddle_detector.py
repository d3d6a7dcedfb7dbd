"""A detector as paddle2onnx writes it (opset 11): BatchNormalization kept, hard-swish in parts, squeeze-and-excitation,
an upsampling to a size made from Shape, boxes divided by the input `scale_factor`, and the nodes of multiclass_nms3:
flat indices, TopK of as many as there are, one row [class, score, box] for each detection, and their number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from graph import Graph
from onnx import TensorProto

CLASSES, WIDTH, STRIDE = 4, 24, 8
INT32, INT64, FLOAT = TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT


class Paddle(Graph):
    def cast(self, value: str, element: int) -> str:
        return self.op("Cast", value, to=element)

    def shape_part(self, value: str, first: int, last: int) -> str:
        return self.op("Slice", self.op("Shape", value), self.integers(first), self.integers(last), self.integers(0))

    def norm(self, x: str, channels: int) -> str:
        parts = [self.around_one(channels), self.weight(channels, scale=0.1), self.weight(channels, scale=0.1)]
        variance = self.constant(self.random.uniform(0.5, 1.5, channels).astype(np.float32))
        return self.op("BatchNormalization", x, *parts, variance, epsilon=1e-5, momentum=0.9)

    def conv(self, x: str, inputs: int, outputs: int, size: int = 1, stride: int = 1, group: int = 1) -> str:
        weight = self.weight(outputs, inputs // group, size, size, scale=(2 * group / (inputs * size * size)) ** 0.5)
        sizes = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [size // 2] * 4, "dilations": [1, 1]}
        return self.op("Conv", x, weight, group=group, **sizes)

    def swish(self, x: str) -> str:
        """hard_swish: x * clip(x + 3, 0, 6) / 6"""
        clipped = self.op("Clip", self.op("Add", x, self.number(3)), self.number(0), self.number(6))
        return self.op("Div", self.op("Mul", x, clipped), self.number(6))

    def block(self, x: str, inputs: int, outputs: int, size: int = 1, stride: int = 1, group: int = 1) -> str:
        return self.swish(self.norm(self.conv(x, inputs, outputs, size, stride, group), outputs))

    def excited(self, x: str, channels: int) -> str:
        pooled = self.op("GlobalAveragePool", x)
        inner = self.op("Relu", self.conv(pooled, channels, channels // 4))
        return self.op("Mul", x, self.op("HardSigmoid", self.conv(inner, channels // 4, channels), alpha=0.2, beta=0.5))

    def upsampled(self, x: str, like: str) -> str:
        """nearest_interp to the height and width of another value"""
        size = self.cast(self.cast(self.shape_part(like, 2, 4), INT32), INT64)
        sizes = self.op("Concat", self.shape_part(x, 0, 2), size, axis=0)
        ways = {"coordinate_transformation_mode": "asymmetric", "mode": "nearest", "nearest_mode": "floor"}
        absent = self.constant(np.zeros(0, np.float32))
        return self.op("Resize", x, absent, absent, sizes, **ways)

    def flat(self, x: str, channels: int) -> str:
        """[N, channels, places]"""
        shape = self.op("Concat", self.shape_part(x, 0, 1), self.integers(channels), self.integers(-1), axis=0)
        return self.op("Reshape", x, shape)

    def suppressed(self, boxes: str, scores: str, threshold: float, most: int, keep: int) -> None:
        """multiclass_nms3 of one picture's boxes [1, M, 4] and scores [1, classes, M]"""
        limits = [self.constant(np.array([value], np.float32)) for value in (0.5, threshold)]
        chosen = self.op("NonMaxSuppression", boxes, scores, self.integers(most), *limits)
        label, place = (
            self.op("Squeeze", self.op("Gather", chosen, self.integers(column), axis=1), axes=[1]) for column in (1, 2)
        )
        count = self.op("Squeeze", self.shape_part(scores, 2, 3), axes=[0])
        flat = self.op("Add", self.op("Mul", label, count), place)
        found = self.op("Gather", self.op("Reshape", scores, self.integers(-1)), flat)
        number = self.op("Concat", self.shape_part(found, 0, 1), self.integers(keep), axis=0)
        kept = self.op("ReduceMin", self.cast(number, INT32), axes=[0], keepdims=1)
        best, order = self.ops("TopK", 2, found, self.cast(kept, INT64), axis=0, largest=1, sorted=1)
        labels = self.cast(self.op("Gather", label, order), FLOAT)
        rows = self.op("Gather", self.op("Squeeze", boxes, axes=[0]), self.op("Gather", place, order))
        parts = [self.op("Unsqueeze", part, axes=[1]) for part in (labels, best)]
        self.output(self.op("Concat", *parts, rows, axis=1), "detections", None, 6)
        self.output(self.op("Squeeze", self.shape_part(order, 0, 1), axes=[0]), "number", element=INT64)


def write(path: Path) -> None:
    g = Paddle("paddle_detector", 11)
    image = g.input("image", FLOAT, 1, 3, "height", "width")
    factor = g.input("scale_factor", FLOAT, 1, 2)
    x = g.block(image, 3, 16, 3, 2)
    x = g.block(g.block(x, 16, 16, 3, 2, group=16), 16, WIDTH)
    fine = g.excited(g.block(x, WIDTH, WIDTH, 3, 2), WIDTH)
    coarse = g.block(fine, WIDTH, WIDTH, 5, 2)
    joined = g.op("Concat", fine, g.upsampled(coarse, fine), axis=1)
    joined = g.block(joined, 2 * WIDTH, WIDTH)
    scores = g.op("Sigmoid", g.flat(g.conv(joined, WIDTH, CLASSES, 3), CLASSES))
    distances = g.op("Exp", g.transpose(g.flat(g.conv(joined, WIDTH, 4, 3), 4), 0, 2, 1))

    height, width = (g.op("Squeeze", g.shape_part(joined, axis, axis + 1), axes=[0]) for axis in (2, 3))
    zero, one = g.constant(np.int64(0)), g.constant(np.int64(1))
    columns = g.op("Unsqueeze", g.op("Range", zero, width, one), axes=[0])
    rows = g.op("Unsqueeze", g.op("Range", zero, height, one), axes=[1])
    both = g.op("Concat", g.shape_part(joined, 2, 4), axis=0)
    places = [g.op("Reshape", g.op("Expand", value, both), g.integers(-1, 1)) for value in (columns, rows)]
    centres = g.op("Mul", g.op("Add", g.cast(g.op("Concat", *places, axis=1), FLOAT), g.number(0.5)), g.number(STRIDE))
    before, after = g.ops("Split", 2, g.op("Mul", distances, g.number(STRIDE)), axis=2, split=[2, 2])
    corners = g.op("Concat", g.op("Sub", centres, before), g.op("Add", centres, after), axis=2)
    y, x = g.ops("Split", 2, factor, axis=1, split=[1, 1])
    scales = g.op("Unsqueeze", g.op("Concat", x, y, x, y, axis=1), axes=[1])
    g.suppressed(g.op("Div", corners, scales), scores, threshold=0.55, most=30, keep=25)
    g.save(path)
