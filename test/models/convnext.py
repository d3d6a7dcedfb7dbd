"""The blocks of ConvNeXt: 7x7 depthwise convolutions, LayerNormalization with the channels last, GELU by Erf, scaled
residuals; a patch for a stem and 2x2 convolutions between the stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from graph import Graph
from onnx import TensorProto

WIDTHS, CLASSES = (40, 80), 30


def _last(g: Graph, x: str) -> str:
    return g.transpose(x, 0, 2, 3, 1)


def _first(g: Graph, x: str) -> str:
    return g.transpose(x, 0, 3, 1, 2)


def _gelu(g: Graph, x: str) -> str:
    erf = g.op("Erf", g.op("Div", x, g.number(np.sqrt(2))))
    return g.op("Mul", g.op("Mul", x, g.op("Add", erf, g.number(1))), g.number(0.5))


def _block(g: Graph, x: str, width: int) -> str:
    depthwise = g.weight(width, 1, 7, 7, scale=1 / 7)
    y = g.op("Conv", x, depthwise, g.weight(width, scale=0.1), group=width, pads=[3] * 4)
    y = g.layer_norm(_last(g, y), width)
    y = g.linear(_gelu(g, g.linear(y, width, 4 * width)), 4 * width, width)
    return g.op("Add", x, _first(g, g.op("Mul", y, g.around_one(width))))


def write(path: Path) -> None:
    g = Graph("convnext", 20)
    x = g.input("x", TensorProto.FLOAT, "batch", 3, "height", "width")
    width = WIDTHS[0]
    x = g.op("Conv", x, g.weight(width, 3, 4, 4, scale=0.15), g.weight(width, scale=0.1), strides=[4, 4])
    x = _first(g, g.layer_norm(_last(g, x), width))
    for following in (*WIDTHS[1:], None):
        for _ in range(2):
            x = _block(g, x, width)
        if following:
            x = _first(g, g.layer_norm(_last(g, x), width))
            x = g.op("Conv", x, g.weight(following, width, 2, 2, scale=(4 * width) ** -0.5), strides=[2, 2])
            width = following
    pooled = g.layer_norm(g.op("Flatten", g.op("GlobalAveragePool", x)), width)
    g.output(g.op("Gemm", pooled, g.weight(CLASSES, width, scale=0.1), transB=1), "scores", "batch", CLASSES)
    g.save(path)
